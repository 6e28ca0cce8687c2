/* SPDX-License-Identifier: MIT */
/*
 * The names in one folder: a treap ordered by bytes, so that looking up,
 * adding, removing and stepping are O(log n) and allocate nothing.
 *
 * The caller locks, makes and frees the entries.
 */
#ifndef STOREFS_MEMORY_NAMES_H
#define STOREFS_MEMORY_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct node;

struct name {
	struct name *left;
	struct name *right;
	struct node *node; /* one of its names */
	uint32_t priority;
	uint16_t length;
	char text[]; /* NUL-terminated */
};

struct names {
	struct name *root;
};

/* NULL when out of memory.  `priority` should be random. */
struct name *name_new(const char *text, size_t length, struct node *node,
		      uint32_t priority);
/* The entry of a name, NULL when there is none. */
struct name *names_find(const struct names *names, const char *text,
			size_t length);
/* The first entry behind `text`, or of all for NULL; NULL at the end. */
struct name *names_after(const struct names *names, const char *text);
/* The name must not be there. */
void names_insert(struct names *names, struct name *name);
/* The entry must be there; it is not freed. */
void names_remove(struct names *names, struct name *name);
/* Take out any entry, in O(1) amortised over emptying; NULL when empty. */
struct name *names_pop(struct names *names);

#endif
