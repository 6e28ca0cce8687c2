/* SPDX-License-Identifier: MIT */
/*
 * What carry.c (files and nodes, copied and removed) and carry_folder.c
 * (folders, made and dressed) share: see carry.h.
 */
#ifndef STOREFS_MOUNT_CARRY_INTERNAL_H
#define STOREFS_MOUNT_CARRY_INTERNAL_H

#include "mount/carry.h"

/* One entry on its way. */
struct cargo {
	struct carry *carry;
	char from[STORE_KEY_MAX + 1], to[STORE_KEY_MAX + 1];
	enum store_type type;
	struct store_context context;
	/* what is known of it at present */
	bool looked; /* at the target, in this try */
	bool told;   /* what stands there, by who asks: no need to look */
	bool clears; /* the source is to go: what has arrived stays */
	bool gone;   /* the source is */
	struct store_version version;
	enum carry_target target;
	struct store_info found; /* at the target, unless it is absent */
};

/* By the name behind `from` and `to`; with a context for the first try. */
int cargo_init(struct cargo *cargo, struct carry *carry, const char *name,
	       struct store_error *error) STORE_WARN_UNUSED;

typedef int cargo_fn(struct cargo *cargo, struct store_error *error);

/* What fails for a passing reason, or was changed, is tried a few times. */
int cargo_try(struct cargo *cargo, cargo_fn *fn, struct store_error *error)
	STORE_WARN_UNUSED;
/* The error of it. */
int cargo_in_the_way(const struct cargo *cargo, struct store_error *error);

#endif
