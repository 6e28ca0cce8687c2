/* SPDX-License-Identifier: MIT */
/*
 * Cancel objects that follow another one; see <storefs/context.h>.
 */
#ifndef STOREFS_CANCEL_H
#define STOREFS_CANCEL_H

#include <storefs/context.h>

/*
 * One that is triggered by itself, or with `above` (may be NULL), which has
 * to live longer.  NULL when out of memory.
 */
struct store_cancel *cancel_new_below(struct store_cancel *above);
/*
 * Was it triggered by itself, and not what it follows?  Then the call is to
 * give way, and nobody minds if it hears what has become of a request that it
 * cannot call back.  NULL is fine.
 */
bool cancel_gives_way(const struct store_cancel *cancel);

#endif
