/* SPDX-License-Identifier: MIT */
/*
 * Waiting until a mount has everything in its store, with progress for
 * people.  Used by storectl and by the helper of umount(8).
 */
#ifndef STOREFS_CONTROL_DRAIN_H
#define STOREFS_CONTROL_DRAIN_H

#include <stdio.h>

#include "src/control/client.h"

struct drain_request {
	const char *key;    /* it and what is below; NULL or "" for all */
	int64_t timeout_ns; /* 0: none; -1: drain_timeout of the mount */
	FILE *progress;	    /* a line that is overwritten, NULL: none */
};

/* What is not in the store afterwards. */
struct drained {
	int64_t undone;	    /* all of these: */
	int64_t waiting;    /* on their way when the time was up */
	int64_t failed;	    /* refused: they wait for retry or discard */
	int64_t open;	    /* still being written */
	int64_t unfinished; /* beside them: never acknowledged */
	bool paused;
	int code;	 /* why the first of them is not, STORE_OK: no reason */
	char *key, *why; /* owned, NULL: none */
	char *staging;	 /* owned: the directory they stay in */
};

/* The error is of the asking; what is left is no error. */
int drain_ask(struct client *client, const struct drain_request *request,
	      struct drained *drained, struct store_error *error)
	STORE_WARN_UNUSED;
void drained_release(struct drained *drained);
/* Is there anything to tell? */
bool drained_is_all(const struct drained *drained);
/* "2 files stay in the staging directory ...: 1 still open, ..." */
void drained_describe(const struct drained *drained, struct buf *text);
/* The code of what is left, STORE_OK for nothing (but unfinished files). */
int drained_code(const struct drained *drained);

#endif
