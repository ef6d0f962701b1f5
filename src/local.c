/* SPDX-License-Identifier: MIT */
/*
 * local.c: see local.h.
 */
#include "local.h"

typedef struct tmlrt__local {
    const tmlrt_local_key_t *key;
    void                    *value; /* not NULL */
    struct tmlrt__local     *next;
    tmlrt_allocator_t        mem; /* a task may be freed after its host */
} local_t;

/* The link that points to the entry of `key`, or the last one. */
static local_t **local__find(tmlrt__task_extra_t *x, const tmlrt_local_key_t *key) {
    local_t **at = &x->locals;
    while (*at != NULL && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

static void local__end_value(const tmlrt_local_key_t *key, void *value) {
    tmlrt__current_t *cur = tmlrt__current();
    cur->busy++; /* it is a drop: nobody may block there */
    if (key->drop != NULL) key->drop(value);
    cur->busy--;
}

static void local__free(local_t *l) {
    tmlrt_allocator_t mem = l->mem;
    tmlrt__mem_put(&mem, l, sizeof *l, _Alignof(local_t));
}

/* Puts a value where there is none. */
static int local__add(tmlrt_task_t *task, local_t **at, const tmlrt_local_key_t *key, void *value) {
    local_t *l = tmlrt__mem_get(&task->host->mem, sizeof *l, _Alignof(local_t));
    if (l == NULL) return TMLRT_ENOMEM;
    l->key = key;
    l->value = value;
    l->next = NULL;
    l->mem = task->host->mem;
    *at = l;
    return TMLRT_OK;
}

int tmlrt_local_set(const tmlrt_local_key_t *key, void *value) {
    if (key == NULL) return TMLRT_EINVAL;
    tmlrt_task_t *task = tmlrt__current()->task;
    if (task == NULL) return TMLRT_ENORUNTIME;
    tmlrt__task_extra_t *x = tmlrt__task_extra(task);
    if (x == NULL && value == NULL) return TMLRT_OK;
    if (x == NULL) x = tmlrt__task_need_extra(task);
    if (x == NULL) return TMLRT_ENOMEM;
    if (x->closed) return TMLRT_ECLOSED;
    local_t **at = local__find(x, key), *l = *at;
    if (l == NULL) return value != NULL ? local__add(task, at, key, value) : TMLRT_OK;
    void *former = l->value;
    l->value = value;
    if (value == NULL) {
        *at = l->next;
        local__free(l);
    }
    if (former != value) local__end_value(key, former); /* it may come back to us */
    return TMLRT_OK;
}

void *tmlrt_local_get(const tmlrt_local_key_t *key) {
    tmlrt_task_t *task = tmlrt__current()->task;
    if (key == NULL || task == NULL) return NULL;
    tmlrt__task_extra_t *x = tmlrt__task_extra(task);
    if (x == NULL || x->locals == NULL) return NULL;
    const local_t *l = *local__find(x, key);
    return l != NULL ? l->value : NULL;
}

static int local__hand_on(tmlrt_task_t *task, const local_t *l) {
    for (; l != NULL; l = l->next) {
        void *value = l->key->inherit != NULL ? l->key->inherit(l->value) : NULL;
        if (value == NULL) continue;
        tmlrt__task_extra_t *x = tmlrt__task_need_extra(task);
        if (x != NULL && local__add(task, local__find(x, l->key), l->key, value) == TMLRT_OK)
            continue;
        local__end_value(l->key, value);
        return TMLRT_ENOMEM;
    }
    return TMLRT_OK;
}

int tmlrt__locals_inherit(tmlrt_task_t *task) {
    tmlrt_task_t        *spawner = tmlrt__current()->task;
    tmlrt__task_extra_t *from = spawner != NULL ? tmlrt__load_relaxed(&spawner->extra) : NULL;
    if (from == NULL || from->locals == NULL) return TMLRT_OK;
    /* A key's function may spawn, but not set: we are in the midst of the list. */
    bool closed = from->closed;
    from->closed = true;
    int e = local__hand_on(task, from->locals);
    from->closed = closed;
    return e;
}

void tmlrt__locals_drop(tmlrt__task_extra_t *x) {
    x->closed = true;
    while (x->locals != NULL) {
        local_t *l = x->locals;
        x->locals = l->next;
        local__end_value(l->key, l->value);
        local__free(l);
    }
}
