/* SPDX-License-Identifier: MIT */
/*
 * echo_uring.c: the limit beyond epoll: one io_uring and one SO_REUSEPORT listener a thread,
 * multishot accept into direct descriptors, multishot receive into a ring of provided buffers, a
 * send from the same buffer; one system call a batch.
 */
#include "common.h"

#include <errno.h>
#include <liburing.h>

#define ENTRIES 1024
#define CQES    16384
#define FILES   16384
#define BUFFERS 8192 /* a power of two; each of SIZE bytes */
#define SIZE    256
#define GROUP   0

enum { ACCEPT, RECV, SEND, CLOSE };

typedef struct loop {
    struct io_uring           ring;
    struct io_uring_buf_ring *buffers;
    char                     *memory;
    int                       listener, returned;
} loop_t;

/* user_data: what, the direct descriptor, the buffer, its size and how far it was sent. */
static uint64_t pack(unsigned what, unsigned file, unsigned buffer, unsigned from, unsigned size) {
    return (uint64_t)what | (uint64_t)file << 2 | (uint64_t)buffer << 24 | (uint64_t)from << 40 |
           (uint64_t)size << 52;
}

static struct io_uring_sqe *next_sqe(loop_t *l) {
    struct io_uring_sqe *e = io_uring_get_sqe(&l->ring);
    if (e == NULL) {
        io_uring_submit(&l->ring);
        e = io_uring_get_sqe(&l->ring);
    }
    if (e == NULL) net_die("submission queue");
    return e;
}

static void start_accept(loop_t *l) {
    struct io_uring_sqe *e = next_sqe(l);
    io_uring_prep_multishot_accept_direct(e, l->listener, NULL, NULL, 0);
    e->user_data = pack(ACCEPT, 0, 0, 0, 0);
}

static void start_recv(loop_t *l, unsigned file) {
    struct io_uring_sqe *e = next_sqe(l);
    io_uring_prep_recv_multishot(e, (int)file, NULL, 0, 0);
    e->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    e->buf_group = GROUP;
    e->user_data = pack(RECV, file, 0, 0, 0);
}

static void start_send(loop_t *l, unsigned file, unsigned buffer, unsigned from, unsigned size) {
    struct io_uring_sqe *e = next_sqe(l);
    io_uring_prep_send(e, (int)file, l->memory + (size_t)buffer * SIZE + from, size - from,
                       MSG_NOSIGNAL);
    e->flags |= IOSQE_FIXED_FILE;
    e->user_data = pack(SEND, file, buffer, from, size);
}

static void start_close(loop_t *l, unsigned file) {
    struct io_uring_sqe *e = next_sqe(l);
    io_uring_prep_close_direct(e, file);
    e->user_data = pack(CLOSE, file, 0, 0, 0);
}

static void give_buffer(loop_t *l, unsigned buffer) {
    io_uring_buf_ring_add(l->buffers, l->memory + (size_t)buffer * SIZE, SIZE,
                          (unsigned short)buffer, io_uring_buf_ring_mask(BUFFERS), l->returned++);
}

static void received(loop_t *l, const struct io_uring_cqe *c, unsigned file) {
    if (c->res > 0) start_send(l, file, c->flags >> IORING_CQE_BUFFER_SHIFT, 0, (unsigned)c->res);
    if (c->flags & IORING_CQE_F_MORE) return;
    if (c->res > 0 || c->res == -ENOBUFS)
        start_recv(l, file);
    else
        start_close(l, file);
}

static void completed(loop_t *l, const struct io_uring_cqe *c) {
    unsigned file = (unsigned)(c->user_data >> 2) & 0x3fffff;
    unsigned buffer = (unsigned)(c->user_data >> 24) & 0xffff;
    unsigned from = (unsigned)(c->user_data >> 40) & 0xfff;
    unsigned size = (unsigned)(c->user_data >> 52);
    switch (c->user_data & 3) {
    case ACCEPT:
        if (c->res >= 0) start_recv(l, (unsigned)c->res);
        if (!(c->flags & IORING_CQE_F_MORE)) start_accept(l);
        break;
    case RECV: received(l, c, file); break;
    case SEND:
        if (c->res > 0 && from + (unsigned)c->res < size)
            start_send(l, file, buffer, from + (unsigned)c->res, size);
        else
            give_buffer(l, buffer);
        break;
    default: break;
    }
}

static void check(int r, const char *what) {
    if (r >= 0) return;
    errno = -r;
    net_die(what);
}

static void loop_open(loop_t *l, int listener) {
    struct io_uring_params  p = {.cq_entries = CQES};
    struct io_uring_buf_reg reg = {.ring_entries = BUFFERS, .bgid = GROUP};
    size_t                  bytes = BUFFERS * sizeof(struct io_uring_buf);
    p.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    l->listener = listener;
    check(io_uring_queue_init_params(ENTRIES, &l->ring, &p), "io_uring");
    check(io_uring_register_files_sparse(&l->ring, FILES), "files");
    l->buffers = aligned_alloc(4096, bytes);
    l->memory = malloc((size_t)BUFFERS * SIZE);
    if (l->buffers == NULL || l->memory == NULL) net_die("malloc");
    reg.ring_addr = (uint64_t)(uintptr_t)l->buffers;
    check(io_uring_register_buf_ring(&l->ring, &reg, 0), "buffers");
    io_uring_buf_ring_init(l->buffers);
    for (unsigned i = 0; i < BUFFERS; i++)
        give_buffer(l, i);
    io_uring_buf_ring_advance(l->buffers, BUFFERS);
    start_accept(l);
}

static void *serve(void *arg) {
    loop_t *l = calloc(1, sizeof *l);
    if (l == NULL) net_die("calloc");
    loop_open(l, (int)(intptr_t)arg);
    for (;;) {
        struct io_uring_cqe *c;
        unsigned             head, n = 0;
        io_uring_submit_and_wait(&l->ring, 1);
        l->returned = 0;
        io_uring_for_each_cqe(&l->ring, head, c) {
            completed(l, c);
            n++;
        }
        io_uring_cq_advance(&l->ring, n);
        io_uring_buf_ring_advance(l->buffers, l->returned);
    }
    return NULL;
}

int main(int argc, char **argv) {
    net_serve(net_arguments(argc, argv), 0, "io_uring", "liburing " LIBURING_VERSION, serve);
}
