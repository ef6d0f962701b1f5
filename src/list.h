/* SPDX-License-Identifier: MIT */
/*
 * list.h - an intrusive, doubly linked, circular list.
 *
 * A node is embedded in what is listed; the list itself is a node too (the
 * head), so insertion and removal have no special case. A node belongs to at
 * most one list at a time; who owns the list guards it. Nothing is allocated.
 *
 * Invariants: an all-zero node is unlinked; a removed node is all zero again.
 * A head is made by tmlrt__list_init (all-zero is not an empty head).
 */
#ifndef TMLRT_SRC_LIST_H
#define TMLRT_SRC_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* The object of type `type` whose field `member` is at `ptr`. */
#define TMLRT__CONTAINER_OF(ptr, type, member)                                                     \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

typedef struct tmlrt__list {
    struct tmlrt__list *prev; /* last node, for a head; NULL when unlinked */
    struct tmlrt__list *next; /* first node, for a head; NULL when unlinked */
} tmlrt__list_t;

static inline void tmlrt__list_init(tmlrt__list_t *head) {
    head->prev = head;
    head->next = head;
}

static inline bool tmlrt__list_is_empty(const tmlrt__list_t *head) {
    return head->next == head;
}

static inline bool tmlrt__list_is_linked(const tmlrt__list_t *node) {
    return node->next != NULL;
}

/* Links `node` behind `where`. */
static inline void tmlrt__list_insert_after(tmlrt__list_t *where, tmlrt__list_t *node) {
    node->prev = where;
    node->next = where->next;
    where->next->prev = node;
    where->next = node;
}

static inline void tmlrt__list_push_back(tmlrt__list_t *head, tmlrt__list_t *node) {
    tmlrt__list_insert_after(head->prev, node);
}

static inline void tmlrt__list_push_front(tmlrt__list_t *head, tmlrt__list_t *node) {
    tmlrt__list_insert_after(head, node);
}

/* Unlinks a linked node. */
static inline void tmlrt__list_remove(tmlrt__list_t *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    node->prev = NULL;
    node->next = NULL;
}

/* The first node without unlinking it, or NULL. */
static inline tmlrt__list_t *tmlrt__list_first(const tmlrt__list_t *head) {
    return tmlrt__list_is_empty(head) ? NULL : head->next;
}

/* The node behind `node`, or NULL at the end. */
static inline tmlrt__list_t *tmlrt__list_next(const tmlrt__list_t *head,
                                              const tmlrt__list_t *node) {
    return node->next == head ? NULL : node->next;
}

/* Unlinks and returns the first node, or NULL. */
static inline tmlrt__list_t *tmlrt__list_pop_front(tmlrt__list_t *head) {
    tmlrt__list_t *node = tmlrt__list_first(head);
    if (node != NULL) tmlrt__list_remove(node);
    return node;
}

/* Unlinks and returns the last node, or NULL. */
static inline tmlrt__list_t *tmlrt__list_pop_back(tmlrt__list_t *head) {
    tmlrt__list_t *node = tmlrt__list_is_empty(head) ? NULL : head->prev;
    if (node != NULL) tmlrt__list_remove(node);
    return node;
}

/* Moves all nodes of `from`, in order, to the end of `to`; `from` is empty then. */
static inline void tmlrt__list_splice_back(tmlrt__list_t *to, tmlrt__list_t *from) {
    if (tmlrt__list_is_empty(from)) return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    tmlrt__list_init(from);
}

#endif /* TMLRT_SRC_LIST_H */
