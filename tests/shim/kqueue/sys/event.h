/* SPDX-License-Identifier: MIT */
/*
 * sys/event.h for Linux: the part of kqueue(2) that src/reactor/kqueue.c uses, over epoll and
 * eventfd (../kqueue.c), so that the logic of that backend runs here under the conformance suite,
 * the network tests and the sanitizers. Built with -DTMLRT_KQUEUE_SHIM=ON alone; never installed.
 *
 * What passing tests show: which filters the backend asks for and when, how it reads events, keys
 * and flags, that it deletes before it closes, that its wakes and timeouts work, that it lives with
 * edges which are told once per filter, and with errors of single changes. The shim is strict where
 * kernels are: filters of one descriptor fire by themselves; EV_CLEAR tells an edge once, and adding
 * it again does not tell it again; EV_ONESHOT deletes; EV_RECEIPT answers each change and takes no
 * event; deleting what is not there is ENOENT; a queue is not inherited by a forked child. A
 * descriptor that was closed with a lasting filter on it ends the program when its number is added
 * again.
 *
 * What they do not show: that a BSD or macOS kernel behaves as the shim does (when it raises an
 * edge, what it does on pipes, terminals and listening sockets, what its errors are, how exact its
 * timeouts are), nor anything of the sockets there. `data` is always 0; a socket's own error is told
 * as EV_EOF with some number that is not 0 in fflags, since Linux has no way to look at it without
 * taking it. Regular files are refused, as by epoll.
 */
#ifndef TESTS_SHIM_SYS_EVENT_H
#define TESTS_SHIM_SYS_EVENT_H

#include <stdint.h>
#include <time.h>
#include <unistd.h>

struct kevent {
    uintptr_t      ident;
    short          filter;
    unsigned short flags;
    unsigned       fflags;
    intptr_t       data;
    void          *udata;
};

#define EVFILT_READ  (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_USER  (-10)

#define EV_ADD     0x0001
#define EV_DELETE  0x0002
#define EV_DISABLE 0x0008
#define EV_ONESHOT 0x0010
#define EV_CLEAR   0x0020
#define EV_RECEIPT 0x0040
#define EV_OOBAND  0x2000
#define EV_ERROR   0x4000
#define EV_EOF     0x8000

#define NOTE_TRIGGER 0x01000000

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int n_changes, struct kevent *events,
           int n_events, const struct timespec *timeout);

/* A queue has more than one descriptor here: its close must be told. */
int tmlrt__shim_close(int fd);
#define close(fd) tmlrt__shim_close(fd)

#endif
