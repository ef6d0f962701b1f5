/* SPDX-License-Identifier: MIT */
/*
 * quiet.c: see quiet.h.
 */
#include "quiet.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#include "../fault.h"

/* Takes the SIGPIPE that is pending for this thread. */
static void quiet__take_back(const sigset_t *pipe_only) {
#if defined(__APPLE__) || defined(__OpenBSD__) /* no sigtimedwait */
    int      signo;
    sigset_t pending;
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1)
        (void)sigwait(pipe_only, &signo);
#else
    const struct timespec at_once = {0, 0};
    while (sigtimedwait(pipe_only, NULL, &at_once) < 0 && errno == EINTR) {
    }
#endif
}

ssize_t tmlrt__quiet_writev(int fd, const struct iovec *iov, int n) {
    sigset_t pipe_only, before;
    (void)sigemptyset(&pipe_only);
    (void)sigaddset(&pipe_only, SIGPIPE);
    /* Past the seam: it cannot fail with these arguments. */
    (void)pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    ssize_t done = TMLRT__SYS(writev(fd, iov, n));
    int     error = errno;
    if (done < 0 && error == EPIPE) quiet__take_back(&pipe_only);
    if (sigismember(&before, SIGPIPE) == 0) (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return done;
}
