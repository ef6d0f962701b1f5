/* SPDX-License-Identifier: MIT */
/*
 * internal_conformance.c: see conformance.h.
 */
#include "conformance.h"

#include <unistd.h>

#include "net.h"

static fixture_t *fixture_make(void **state) {
    fixture_t *f = calloc(1, sizeof *f);
    require(f != NULL);
    f->rt = reactor_runtime();
    f->peer = -1;
    *state = f;
    return f;
}

int listener_setup(void **state) {
    fixture_t *f = fixture_make(state);
    f->listener = listener_on(f->rt, &f->addr);
    return 0;
}

int stream_setup(void **state) {
    fixture_t *f = fixture_make(state);
    f->sock = sock_and_peer(f->rt, &f->peer);
    return 0;
}

int fixture_teardown(void **state) {
    fixture_t *f = *state;
    tmlrt_sock_release(f->sock);
    tmlrt_sock_release(f->listener);
    if (f->peer >= 0) close(f->peer);
    require(tmlrt_runtime_destroy(f->rt) == TMLRT_OK);
    free(f);
    return 0;
}
