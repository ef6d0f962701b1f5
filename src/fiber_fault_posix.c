/* SPDX-License-Identifier: MIT */
/*
 * fiber_fault_posix.c: fiber_fault.h by a handler of SIGSEGV and SIGBUS on an alternate stack.
 */
#include "fiber_fault.h"

#include <signal.h>
#include <string.h>

#include <tmlrt/fiber.h>

#include "fault.h"
#include "os.h"

/* Process-wide, opt-in: the handlers that were there before ours. */
static struct sigaction  fault__former_segv, fault__former_bus;
static tmlrt__atomic_u32 fault__catching;

#define FAULT__SIGNAL_STACK ((size_t)32 << 10)

/* By kill or its like: then there is no address, and it does not happen again by itself. */
static bool fault__was_sent(const siginfo_t *info) {
#ifdef SI_LWP /* FreeBSD: by raise */
    if (info->si_code == SI_LWP) return true;
#endif
    return info->si_code <= 0 || info->si_code == SI_USER || info->si_code == SI_QUEUE;
}

static void fault__on_fault(int signo, siginfo_t *info, void *context) {
    bool sent = fault__was_sent(info);
    if (!sent) tmlrt__fiber_fault_at((uintptr_t)info->si_addr, 0);
    const struct sigaction *former = signo == SIGSEGV ? &fault__former_segv : &fault__former_bus;
    if ((former->sa_flags & SA_SIGINFO) != 0) {
        former->sa_sigaction(signo, info, context);
    } else if (former->sa_handler != SIG_DFL && former->sa_handler != SIG_IGN) {
        former->sa_handler(signo);
    } else if (!sent || former->sa_handler == SIG_DFL) {
        /* The default: put it back and return, so that the fault happens again and ends us. */
        sigaction(signo, former, NULL);
        if (sent) raise(signo); /* blocked until we return */
    }
}

static void fault__free_signal_stack(void *ptr) {
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, NULL);
    tmlrt__os_unmap(ptr, FAULT__SIGNAL_STACK);
}

/* The handler needs a stack of its own on each thread that runs fibers. */
void tmlrt__fiber_fault_thread(void) {
    static _Thread_local bool done;
    if (done || tmlrt__load_relaxed(&fault__catching) == 0) return;
    done = true;
    stack_t former;
    if (TMLRT__SYS(sigaltstack(NULL, &former)) != 0 || (former.ss_flags & SS_DISABLE) == 0) return;
    void *ptr = tmlrt__os_map(FAULT__SIGNAL_STACK);
    if (ptr == NULL) return;
    stack_t fresh = {.ss_sp = ptr, .ss_size = FAULT__SIGNAL_STACK};
    if (TMLRT__SYS(sigaltstack(&fresh, NULL)) != 0 ||
        tmlrt__thread_at_exit(fault__free_signal_stack, ptr) != TMLRT_OK)
        fault__free_signal_stack(ptr);
}

int tmlrt_fiber_catch_overflow(void) {
    uint32_t none = 0;
    if (!tmlrt__cas_strong_acq_rel(&fault__catching, &none, 1)) return TMLRT_OK;
    struct sigaction ours;
    memset(&ours, 0, sizeof ours);
    ours.sa_sigaction = fault__on_fault;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&ours.sa_mask);
    if (TMLRT__SYS(sigaction(SIGSEGV, &ours, &fault__former_segv)) == 0) {
        if (TMLRT__SYS(sigaction(SIGBUS, &ours, &fault__former_bus)) == 0) return TMLRT_OK;
        sigaction(SIGSEGV, &fault__former_segv, NULL);
    }
    tmlrt__store_relaxed(&fault__catching, 0); /* the next call tries again */
    return TMLRT_ENOTSUP;
}
