/* SPDX-License-Identifier: MIT */
/*
 * os_windows.c: os.h for Windows 10 and later: threads, waits on addresses, the clock, CPUs, values
 * run at a thread's end, memory, the log. There is no fork: the generation stays 0.
 *
 * Process-wide state, all of it: the index of the values at exit, and the clock's frequency.
 */
#include <winsock2.h>
/* winsock2.h before windows.h. */
#include <malloc.h>
#include <process.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <tmlrt/error.h>

#include "alloc.h"
#include "compiler.h"
#include "fault.h"
#include "os.h"
#include "os_windows.h"

#define OS__NS_PER_S INT64_C(1000000000)

tmlrt__atomic_u32 tmlrt__fork_generation;

int tmlrt__fork_watch(void) {
    return TMLRT_OK;
}

/* ---- Memory ---- */

static void *os__alloc(void *ctx, size_t size, size_t align) {
    (void)ctx;
    return _aligned_malloc(size != 0 ? size : 1, align);
}

static void os__free(void *ctx, void *ptr, size_t size, size_t align) {
    (void)ctx, (void)size, (void)align;
    _aligned_free(ptr);
}

const tmlrt_allocator_t tmlrt__mem_default = {os__alloc, os__free, NULL};

void *tmlrt__os_alloc(size_t size, size_t align) {
    return tmlrt__mem_get(&tmlrt__mem_default, size, align);
}

void tmlrt__os_free(void *ptr, size_t size, size_t align) {
    tmlrt__mem_put(&tmlrt__mem_default, ptr, size, align);
}

/* ---- The clock ---- */

/* Counts a second; a constant of the system, kept. */
static int64_t os__frequency(void) {
    static tmlrt__atomic_i64 kept;
    int64_t                  frequency = tmlrt__load_relaxed(&kept);
    if (frequency == 0) {
        LARGE_INTEGER answer;
        (void)QueryPerformanceFrequency(&answer); /* cannot fail since Windows XP */
        frequency = answer.QuadPart;
        tmlrt__store_relaxed(&kept, frequency);
    }
    return frequency;
}

int64_t tmlrt__os_now(void) {
    int64_t       frequency = os__frequency();
    LARGE_INTEGER count;
    (void)QueryPerformanceCounter(&count);
    return count.QuadPart / frequency * OS__NS_PER_S +
           count.QuadPart % frequency * OS__NS_PER_S / frequency;
}

uint32_t tmlrt__os_milliseconds(int64_t ns) {
    if (ns < 0) return INFINITE;
    int64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    return ms < INFINITE ? (uint32_t)ms : INFINITE - 1;
}

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x2
#endif

void *tmlrt__os_timer(void) {
    if (tmlrt__fault_point(TMLRT__FAULT_SYS)) return NULL;
    DWORD access = TIMER_MODIFY_STATE | SYNCHRONIZE;
    return CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, access);
}

void tmlrt__os_sleep_until(int64_t abs_ns) {
    HANDLE timer = tmlrt__os_timer();
    for (;;) {
        int64_t left = abs_ns - tmlrt__os_now();
        if (left <= 0) break;
        LARGE_INTEGER due; /* negative: from now, in 100 ns */
        due.QuadPart = -((left + 99) / 100);
        if (timer != NULL && SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE))
            (void)WaitForSingleObject(timer, tmlrt__os_milliseconds(left) + 1);
        else
            Sleep(tmlrt__os_milliseconds(left));
    }
    if (timer != NULL) (void)CloseHandle(timer);
}

/* ---- Threads ---- */

#define OS__NAME_SIZE 32u

typedef struct os__start {
    void (*fn)(void *arg);
    void *arg;
    WCHAR name[OS__NAME_SIZE];
} os__start_t;

/* A thread without its name works as well; the call is there since Windows 10 1607. */
static void os__name_self(const WCHAR *name) {
    typedef HRESULT(WINAPI * describe_fn)(HANDLE, PCWSTR);
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    FARPROC found = kernel != NULL ? GetProcAddress(kernel, "SetThreadDescription") : NULL;
    if (found == NULL) return;
    describe_fn describe;
    memcpy(&describe, &found, sizeof describe);
    (void)describe(GetCurrentThread(), name);
}

static unsigned __stdcall os__thread_main(void *arg) {
    os__start_t *record = arg;
    os__start_t  start = *record;
    tmlrt__os_free(record, sizeof *record, _Alignof(os__start_t));
    if (start.name[0] != 0) os__name_self(start.name);
    start.fn(start.arg);
    return 0;
}

int tmlrt__thread_create(tmlrt__thread_t *t, void (*fn)(void *), void *arg, const char *name) {
    t->handle = 0;
    os__start_t *start = tmlrt__os_alloc(sizeof *start, _Alignof(os__start_t));
    if (start == NULL) return TMLRT_ENOMEM;
    memset(start, 0, sizeof *start);
    start->fn = fn;
    start->arg = arg;
    for (size_t i = 0; name != NULL && name[i] != '\0' && i < OS__NAME_SIZE - 1; i++)
        start->name[i] = (WCHAR)(unsigned char)name[i];
    uintptr_t made = 0;
    if (!tmlrt__fault_point(TMLRT__FAULT_SYS))
        made = _beginthreadex(NULL, 0, os__thread_main, start, 0, NULL);
    if (made == 0) {
        int error = tmlrt__os_error(errno);
        tmlrt__os_free(start, sizeof *start, _Alignof(os__start_t));
        return error;
    }
    t->handle = made;
    return TMLRT_OK;
}

void tmlrt__thread_join(tmlrt__thread_t *t) {
    if (t->handle == 0) return;
    (void)WaitForSingleObject((HANDLE)t->handle, INFINITE);
    (void)CloseHandle((HANDLE)t->handle);
    t->handle = 0;
}

uint64_t tmlrt__thread_self(void) {
    return GetCurrentThreadId();
}

void tmlrt__latch_relax(void) {
    (void)SwitchToThread();
}

/* ---- Waits on addresses ---- */

void tmlrt__futex_wait(tmlrt__atomic_u32 *word, uint32_t expected, int64_t timeout_ns) {
    if (timeout_ns == 0 || tmlrt__fault_point(TMLRT__FAULT_SYS)) return;
    /* Woken, timed out, another value: the caller looks for itself. */
    (void)WaitOnAddress(word, &expected, sizeof expected, tmlrt__os_milliseconds(timeout_ns));
}

void tmlrt__futex_wake(tmlrt__atomic_u32 *word, uint32_t n) {
    if (n == 1)
        WakeByAddressSingle(word);
    else if (n > 1)
        WakeByAddressAll(word); /* more than asked for is a spurious return */
}

/* ---- Values run at a thread's end ---- */

typedef struct os__exit {
    void (*fn)(void *value);
    void *value;
} os__exit_t;

#define OS__EXITS 4u /* different functions that a thread may have run at its end */

/* Of one thread; owner: the thread. Not thread-local: that is gone when the callback runs. */
typedef struct os__exits {
    os__exit_t slot[OS__EXITS];
} os__exits_t;

static INIT_ONCE         os__once = INIT_ONCE_STATIC_INIT;
static DWORD             os__exit_index = FLS_OUT_OF_INDEXES; /* under os__once */
static tmlrt__atomic_u32 os__exit_ready;                      /* any thread; 1: the index exists */

static VOID WINAPI os__exit_run(PVOID arg) {
    os__exits_t *own = arg;
    if (own == NULL) return;
    os__exits_t record = *own;
    free(own);
    if (tmlrt__load_relaxed(&os__exit_ready) == 0) return; /* unloading: on a thread of its own */
    for (unsigned i = 0; i < OS__EXITS; i++)
        if (record.slot[i].fn != NULL) record.slot[i].fn(record.slot[i].value);
}

static BOOL CALLBACK os__exit_make(PINIT_ONCE once, PVOID arg, PVOID *context) {
    (void)once, (void)arg, (void)context;
    if (tmlrt__fault_point(TMLRT__FAULT_SYS)) return FALSE;
    os__exit_index = FlsAlloc(os__exit_run);
    if (os__exit_index == FLS_OUT_OF_INDEXES) return FALSE;
    /* release: publishes the index; pairs [OS-1] */
    tmlrt__store_release(&os__exit_ready, 1);
    return TRUE;
}

/* The calling thread's record, made where there is none; NULL: no memory or no index. */
static os__exits_t *os__exit_own(void) {
    /* acquire: observes the index; pairs [OS-1] */
    if (tmlrt__load_acquire(&os__exit_ready) == 0 &&
        !InitOnceExecuteOnce(&os__once, os__exit_make, NULL, NULL))
        return NULL;
    os__exits_t *own = FlsGetValue(os__exit_index);
    if (own != NULL) return own;
    if (tmlrt__fault_point(TMLRT__FAULT_ALLOC)) return NULL;
    own = calloc(1, sizeof *own);
    if (own != NULL && !FlsSetValue(os__exit_index, own)) {
        free(own);
        own = NULL;
    }
    return own;
}

int tmlrt__thread_at_exit(void (*fn)(void *), void *value) {
    os__exits_t *own = os__exit_own();
    if (own == NULL) return TMLRT_ENOMEM;
    for (unsigned i = 0; i < OS__EXITS; i++) {
        os__exit_t *slot = &own->slot[i];
        if (slot->fn != NULL && slot->fn != fn) continue;
        slot->fn = fn;
        slot->value = value;
        return TMLRT_OK;
    }
    return TMLRT_ENOMEM; /* a function more than OS__EXITS: raise it */
}

/* A library that is unloaded must not leave the callback behind. FlsFree runs it for every thread,
 * where it only frees. */
TMLRT__AT_UNLOAD(os__unload) {
    if (tmlrt__load_relaxed(&os__exit_ready) == 0) return;
    tmlrt__store_relaxed(&os__exit_ready, 0);
    (void)FlsFree(os__exit_index);
}

/* ---- CPUs ---- */

#define OS__GROUPS 64

static uint32_t os__bits(uint64_t mask) {
    uint32_t n = 0;
    for (; mask != 0; mask &= mask - 1)
        n++;
    return n;
}

/* The CPUs of the groups that the process runs in; in one group its mask. 0: not known. */
static uint32_t os__cpus_allowed(void) {
    USHORT    groups[OS__GROUPS], n = OS__GROUPS;
    DWORD_PTR own = 0, machine = 0;
    uint32_t  count = 0;
    if (tmlrt__fault_point(TMLRT__FAULT_SYS)) return 0;
    if (!GetProcessGroupAffinity(GetCurrentProcess(), &n, groups)) n = 0;
    if (n <= 1) {
        if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &machine)) return 0;
        return os__bits(own);
    }
    for (USHORT i = 0; i < n; i++)
        count += GetActiveProcessorCount(groups[i]);
    return count;
}

/* What the hard limit of the job leaves of `count` CPUs, rounded up. */
static uint32_t os__cpus_of_job(uint32_t count) {
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate;
    const DWORD hard = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
    memset(&rate, 0, sizeof rate);
    if (tmlrt__fault_point(TMLRT__FAULT_SYS) ||
        !QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation, &rate, sizeof rate,
                                   NULL) ||
        (rate.ControlFlags & hard) != hard || rate.CpuRate == 0)
        return count;
    SYSTEM_INFO machine;
    GetSystemInfo(&machine);
    /* In 1/10000 of all the machine's CPUs. */
    uint64_t share = ((uint64_t)machine.dwNumberOfProcessors * rate.CpuRate + 9999) / 10000;
    return share < count ? (uint32_t)share : count;
}

uint32_t tmlrt__cpu_count(void) {
    uint32_t count = os__cpus_allowed();
    if (count == 0) {
        SYSTEM_INFO machine;
        GetSystemInfo(&machine);
        count = machine.dwNumberOfProcessors;
    }
    count = os__cpus_of_job(count);
    return count != 0 ? count : 1;
}

/* The group and number of the `index`-th CPU, over all groups of the process. */
static bool os__cpu_find(uint32_t index, GROUP_AFFINITY *out) {
    USHORT    groups[OS__GROUPS], n = OS__GROUPS;
    DWORD_PTR own = 0, machine = 0;
    memset(out, 0, sizeof *out);
    if (!GetProcessGroupAffinity(GetCurrentProcess(), &n, groups) || n <= 1) {
        if (!GetProcessAffinityMask(GetCurrentProcess(), &own, &machine) || own == 0) return false;
        out->Group = n == 1 ? groups[0] : 0;
        for (index %= os__bits(own); index > 0; index--)
            own &= own - 1;
        out->Mask = own & (~own + 1);
        return true;
    }
    uint32_t all = 0;
    for (USHORT i = 0; i < n; i++)
        all += GetActiveProcessorCount(groups[i]);
    if (all == 0) return false;
    index %= all;
    for (USHORT i = 0; i < n; i++) {
        uint32_t here = GetActiveProcessorCount(groups[i]);
        if (index < here) {
            out->Group = groups[i];
            out->Mask = (KAFFINITY)1 << index;
            return true;
        }
        index -= here;
    }
    return false;
}

int tmlrt__thread_pin(uint32_t index) {
    GROUP_AFFINITY one;
    if (!os__cpu_find(index, &one)) return TMLRT_ENOTSUP;
    if (TMLRT__WIN(SetThreadGroupAffinity(GetCurrentThread(), &one, NULL))) return TMLRT_OK;
    return tmlrt__os_win_error(GetLastError());
}

/* ---- The log ---- */

void tmlrt__os_log(const char *line) {
    DWORD  kept = GetLastError(), written;
    HANDLE out = GetStdHandle(STD_ERROR_HANDLE);
    char   whole[512];
    size_t length = strlen(line);
    if (length > sizeof whole - 2) length = sizeof whole - 2;
    memcpy(whole, line, length);
    whole[length++] = '\r';
    whole[length++] = '\n';
    /* One call, so that lines of several threads do not mix. */
    if (out != NULL && out != INVALID_HANDLE_VALUE)
        (void)TMLRT__WIN(WriteFile(out, whole, (DWORD)length, &written, NULL));
    SetLastError(kept);
}
