/* SPDX-License-Identifier: MIT */
/*
 * fiber_fault_windows.c: fiber_fault.h by a vectored exception handler. The system raises the
 * overflow with some pages kept back; the handler runs there, names the fiber and hands the exception on.
 */
#include "fiber_fault.h"

#include <windows.h>

#include <tmlrt/fiber.h>

#include "os.h"

void tmlrt__fiber_fault_thread(void) {
    /* Vectored handlers are the process's. */
}

static uintptr_t fault__stack_pointer(const CONTEXT *context) {
#if defined(_M_ARM64)
    return (uintptr_t)context->Sp;
#else
    return (uintptr_t)context->Rsp;
#endif
}

static LONG CALLBACK fault__on_exception(EXCEPTION_POINTERS *info) {
    if (info->ExceptionRecord->ExceptionCode == EXCEPTION_STACK_OVERFLOW)
        tmlrt__fiber_fault_at(fault__stack_pointer(info->ContextRecord), tmlrt__os_page());
    return EXCEPTION_CONTINUE_SEARCH;
}

int tmlrt_fiber_catch_overflow(void) {
    static tmlrt__atomic_u32 catching; /* process-wide, opt-in */
    uint32_t                 none = 0;
    if (!tmlrt__cas_strong_acq_rel(&catching, &none, 1)) return TMLRT_OK;
    return AddVectoredExceptionHandler(1, fault__on_exception) != NULL ? TMLRT_OK : TMLRT_ENOTSUP;
}
