/* SPDX-License-Identifier: MIT */
/*
 * Things by their key, for replaying a journal: moving a folder has to find
 * what is below it among very many.  Several may have the same key.  Not
 * thread-safe.
 */
#ifndef STOREFS_MOUNT_KEYMAP_H
#define STOREFS_MOUNT_KEYMAP_H

#include <stdint.h>

/* Embedded in what has the key. */
struct keymap_node {
	const char *key; /* borrowed; unchanged while in a map */
	uint64_t id;	 /* tells those of one key apart */
	uint64_t priority;
	struct keymap_node *left, *right;
};

struct keymap {
	struct keymap_node *root;
	uint64_t seed; /* nobody knows it who chose the ids */
};

void keymap_add(struct keymap *map, struct keymap_node *node);
void keymap_remove(struct keymap *map, struct keymap_node *node);
/*
 * Take out all with this key or one below it; they come as a list, linked by
 * `right`, in the order of their keys.
 */
struct keymap_node *keymap_take(struct keymap *map, const char *key);
/* All with exactly this key. */
typedef void keymap_visit_fn(struct keymap_node *node);
void keymap_visit(const struct keymap *map, const char *key,
		  keymap_visit_fn *visit);

#endif
