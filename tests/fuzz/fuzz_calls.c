/* SPDX-License-Identifier: MIT */
/*
 * fuzz_calls.c: any sequence of calls, on a replayed runtime with the simulated network: the first
 * bytes are the seed, the others are calls of several fibers, each with one byte for what and one
 * for on what. Whatever they do, each call returns, nothing is lost, and the runtime can be shut
 * down and destroyed with nothing left (AddressSanitizer and LeakSanitizer look).
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <tmlrt.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(cond)                                                                              \
    do {                                                                                           \
        if (!(cond)) abort();                                                                      \
    } while (0)

enum { FIBERS = 4, TASKS = 8, SOCKS = 8, CHANS = 2, NEST = 2 };

typedef struct world {
    const uint8_t    *data;
    size_t            size, at;
    tmlrt_addr_t      addr;
    tmlrt_mutex_t     mutex[2];
    tmlrt_rwlock_t    rwlock;
    tmlrt_semaphore_t sem;
    tmlrt_notify_t    notify;
    tmlrt_chan_t     *chan[CHANS];
    tmlrt_task_t     *task[TASKS];
    tmlrt_sock_t     *sock[SOCKS], *listener;
    int               users[SOCKS]; /* calls inside: then it is not released */
    int               spawned, holders;
} world_t;

static uint8_t next(world_t *w) {
    return w->at < w->size ? w->data[w->at++] : 0;
}

static int64_t soon(world_t *w) {
    return tmlrt_now(NULL) + 1000 * (int64_t)(1 + next(w));
}

static void *body(void *arg);

static tmlrt_sock_t **free_sock(world_t *w) {
    for (int i = 0; i < SOCKS; i++)
        if (w->sock[i] == NULL) return &w->sock[i];
    return NULL;
}

static void keep(world_t *w, tmlrt_sock_t *sock) {
    tmlrt_sock_t **place = free_sock(w);
    if (place != NULL)
        *place = sock;
    else
        tmlrt_sock_release(sock);
}

static void use_sock(world_t *w, uint8_t what, uint32_t i) {
    char          buf[300];
    tmlrt_sock_t *s = w->sock[i];
    size_t        n = next(w) + 1;
    memset(buf, what, sizeof buf);
    w->users[i]++; /* a NULL is an error like any other */
    switch (what) {
    case 0: (void)tmlrt_read_until(s, buf, n, soon(w)); break;
    case 1: (void)tmlrt_write_until(s, buf, n, soon(w)); break;
    case 2: (void)tmlrt_read_exact_until(s, buf, n, soon(w)); break;
    case 3: (void)tmlrt_sock_shutdown(s, next(w)); break;
    case 4: (void)tmlrt_sock_close(s); break;
    case 5: (void)tmlrt_try_read(s, buf, n); break;
    case 6: (void)tmlrt_sock_set(s, next(w), next(w)); break;
    default: (void)tmlrt_try_write(s, buf, n); break;
    }
    w->users[i]--;
    if (what == 4 && w->users[i] == 0 && w->sock[i] == s) {
        w->sock[i] = NULL;
        tmlrt_sock_release(s);
    }
}

static void use_network(world_t *w, uint8_t what) {
    tmlrt_sock_t *sock = NULL;
    if (what % 4 == 0) {
        if (tmlrt_connect_until(NULL, &w->addr, NULL, &sock, soon(w)) == TMLRT_OK) keep(w, sock);
    } else if (what % 4 == 1) {
        if (tmlrt_accept_until(w->listener, &sock, soon(w)) == TMLRT_OK) keep(w, sock);
    } else {
        use_sock(w, what / 4 % 8, next(w) % SOCKS);
    }
}

static void use_tasks(world_t *w, uint8_t what) {
    tmlrt_task_t **task = &w->task[next(w) % TASKS];
    if (*task == NULL) {
        if (w->spawned++ < 30) (void)tmlrt_go(NULL, body, w, NULL, task);
        return;
    }
    tmlrt_task_t *mine = *task;
    *task = NULL;
    if (what % 3 == 0) (void)tmlrt_task_abort(mine);
    if (what % 3 == 1) {
        tmlrt_op_t op = TMLRT_OP_INIT;
        (void)tmlrt_op_join(&op, mine, NULL);
        (void)tmlrt_op_deadline(&op, soon(w));
        require(tmlrt_op_await(&op) == TMLRT_OK);
    }
    tmlrt_task_release(mine);
}

static void use_locks(world_t *w, uint8_t what) {
    tmlrt_mutex_t *m = &w->mutex[what & 1];
    switch (what / 2 % 5) {
    case 0:
        if (tmlrt_mutex_lock_until(m, soon(w)) != TMLRT_OK) return;
        (void)tmlrt_yield();
        require(tmlrt_mutex_unlock(m) == TMLRT_OK);
        break;
    case 1:
        if (tmlrt_semaphore_acquire_until(&w->sem, 1 + next(w) % 3, soon(w)) == TMLRT_OK) {
            (void)tmlrt_yield();
            /* As many as any other took may come back in any order. */
            w->holders++;
        }
        break;
    case 2: (void)tmlrt_semaphore_release(&w->sem, 1 + next(w) % 3); break;
    case 3: (void)tmlrt_notify_one(&w->notify); break;
    default: (void)tmlrt_notified_until(&w->notify, soon(w)); break;
    }
}

static void use_channels(world_t *w, uint8_t what) {
    tmlrt_chan_t *ch = w->chan[what & 1];
    uint32_t      value = what;
    switch (what / 2 % 6) {
    case 0: (void)tmlrt_chan_send_until(ch, &value, soon(w)); break;
    case 1: (void)tmlrt_chan_recv_until(ch, &value, soon(w)); break;
    case 2: (void)tmlrt_chan_try_send(ch, &value); break;
    case 3: (void)tmlrt_chan_try_recv(ch, &value); break;
    case 4:
        if (next(w) == 255) (void)tmlrt_chan_close(ch);
        break;
    default: (void)tmlrt_chan_send_until(NULL, &value, 0); break;
    }
}

/* Several operations at once, of which one or all are waited for; some prepared wrongly. */
static void use_set(world_t *w, uint8_t what) {
    tmlrt_op_t  op[4] = {TMLRT_OP_INIT, TMLRT_OP_INIT, TMLRT_OP_INIT, TMLRT_OP_INIT};
    tmlrt_op_t  set = TMLRT_OP_INIT;
    tmlrt_op_t *ops[4];
    uint32_t    value[2] = {1, 2};
    for (int i = 0; i < 4; i++)
        ops[i] = &op[i];
    (void)tmlrt_op_recv(&op[0], w->chan[0], &value[0]);
    (void)tmlrt_op_send(&op[1], w->chan[1], &value[1]);
    (void)tmlrt_op_sleep(&op[2], NULL, next(w));
    if ((what & 1) == 0) (void)tmlrt_op_notified(&op[3], &w->notify);
    if ((what & 2) == 0)
        (void)tmlrt_op_any(&set, ops, what / 8 % 5);
    else
        (void)tmlrt_op_all(&set, ops, what / 8 % 5);
    (void)tmlrt_op_deadline(&set, soon(w));
    if ((what & 4) != 0) (void)tmlrt_op_cancel(&set);
    int e = tmlrt_op_await(&set);
    require(e == TMLRT_OK);
    for (int i = 0; i < 4; i++)
        (void)tmlrt_op_result(&op[i]);
}

static void *body(void *arg) {
    world_t *w = arg;
    for (int steps = 0; steps < 40 && w->at < w->size; steps++) {
        uint8_t what = next(w), kind = next(w) % 7;
        switch (kind) {
        case 0: use_network(w, what); break;
        case 1: use_tasks(w, what); break;
        case 2: use_locks(w, what); break;
        case 3: use_channels(w, what); break;
        case 4: use_set(w, what); break;
        case 5: (void)tmlrt_sleep(what); break;
        default: use_network(w, what); break;
        }
    }
    return NULL;
}

static tmlrt_runtime_t *runtime_of(world_t *w) {
    tmlrt_config_t   config = TMLRT_CONFIG_INIT;
    tmlrt_network_t  network = TMLRT_NETWORK_INIT;
    tmlrt_runtime_t *rt;
    network.delay_most = 200000;
    network.reset = 20000;
    network.refuse = 50000;
    network.partition = 10000;
    network.buffer = 1 + next(w);
    config.flavor = TMLRT_FLAVOR_CURRENT_THREAD;
    config.clock = TMLRT_CLOCK_VIRTUAL;
    config.reactor = TMLRT_REACTOR_SIMULATED;
    config.network = &network;
    config.seed = 1u + next(w) + 256u * next(w);
    require(tmlrt_runtime_create(&rt, &config) == TMLRT_OK);
    return rt;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world_t w;
    memset(&w, 0, sizeof w);
    w.data = data;
    w.size = size;
    tmlrt_runtime_t *rt = runtime_of(&w);
    require(tmlrt_addr_parse(&w.addr, "10.0.0.1:1") == TMLRT_OK);
    require(tmlrt_tcp_listen(rt, &w.addr, NULL, &w.listener) == TMLRT_OK);
    require(tmlrt_semaphore_init(&w.sem, 3) == TMLRT_OK);
    for (uint32_t i = 0; i < CHANS; i++)
        require(tmlrt_chan_create(&w.chan[i], sizeof(uint32_t), next(&w) % 4) == TMLRT_OK);
    for (int i = 0; i < FIBERS; i++)
        require(tmlrt_go(rt, body, &w, NULL, NULL) == TMLRT_OK);
    int e = tmlrt_runtime_shutdown(rt, tmlrt_now(rt) + TMLRT_S, NULL);
    require(e == TMLRT_OK || e == TMLRT_ETIMEDOUT);
    require(tmlrt_runtime_destroy(rt) == TMLRT_OK);
    tmlrt_sock_release(w.listener);
    for (int i = 0; i < SOCKS; i++)
        tmlrt_sock_release(w.sock[i]);
    for (int i = 0; i < TASKS; i++)
        tmlrt_task_release(w.task[i]);
    for (int i = 0; i < CHANS; i++)
        tmlrt_chan_release(w.chan[i]);
    return 0;
}
