/* SPDX-License-Identifier: MIT */
/*
 * fault.h - the seam where a test can fail the Nth allocation or system call.
 *
 * Every allocation asks tmlrt__fault_point(TMLRT__FAULT_ALLOC), every system
 * call goes through TMLRT__SYS(call). Unless TMLRT_FAULTS is defined both are
 * compiled out: a constant false, and the call itself.
 *
 * A test learns how many points a scenario passes (arm with nth 0, run, read
 * the count), then runs it again for each N, once and sticky. Any thread may
 * pass a point; arming and disarming belong to the test's own thread.
 */
#ifndef TMLRT_SRC_FAULT_H
#define TMLRT_SRC_FAULT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum tmlrt__fault_kind {
    TMLRT__FAULT_ALLOC = 0,
    TMLRT__FAULT_SYS = 1,
    TMLRT__FAULT_KINDS = 2
} tmlrt__fault_kind_t;

#if defined(TMLRT_FAULTS)

#include <errno.h>

/*
 * From now on the nth point of this kind fails (1 is the next one; 0 fails
 * none and only counts), with `sticky` all later ones too. `err` is the errno
 * of a failed system call. Starts the count again.
 */
void tmlrt__fault_arm(tmlrt__fault_kind_t kind, uint64_t nth, bool sticky, int err);

/* No point of any kind fails any more; the counts stay. */
void tmlrt__fault_disarm(void);

/* Points of this kind passed, and failed, since it was armed. */
uint64_t tmlrt__fault_count(tmlrt__fault_kind_t kind);
uint64_t tmlrt__fault_fired(tmlrt__fault_kind_t kind);

/* Passes a point: true when it is to fail; errno is set then. */
bool tmlrt__fault_point(tmlrt__fault_kind_t kind);

/* The same of a system call, whose text is `call`. For good means here: that function fails from
 * now on, unless it is one that waits. With every call failing at once nothing could be said. */
bool tmlrt__fault_call(const char *call);
#if defined(_WIN32)
/* The os layer's: makes the thread's last error stand for the errno `err`. */
void tmlrt__fault_last_error(int err);
#endif

/* The call, or -1 with errno set instead of it. */
#define TMLRT__SYS(call) (tmlrt__fault_call(#call) ? -1 : (call))

#else

#define tmlrt__fault_point(kind) (false)
#define TMLRT__SYS(call)         (call)

#endif

#endif /* TMLRT_SRC_FAULT_H */
