/* SPDX-License-Identifier: MIT */
/*
 * stripe.h: a small number for each thread, so that what threads outside the workers share (counts,
 * caches) can be kept in several pieces, each on cache lines of its own. Neighbours in age get
 * different ones. A number may serve several threads: a piece is still shared.
 */
#ifndef TMLRT__STRIPE_H
#define TMLRT__STRIPE_H

#include <stdint.h>

#define TMLRT__STRIPES 8u

/* Of the calling thread, the same for its life; below TMLRT__STRIPES. */
uint32_t tmlrt__stripe(void);

#endif
