/* SPDX-License-Identifier: MIT */
/*
 * A layer by hooks: every operation passes through one place before and one
 * after.  Retry, trace, fault and serial are such layers; they see which
 * operation it is, its keys and its result, and never its arguments.
 */
#ifndef STOREFS_SRC_LAYERS_LAYER_H
#define STOREFS_SRC_LAYERS_LAYER_H

#include <stdbool.h>

#include "src/backend.h"
#include <storefs/store.h>

enum layer_op {
	LAYER_OPEN,
	LAYER_PING,
	LAYER_STAT,
	LAYER_LIST,
	LAYER_OPEN_READER,
	LAYER_READ,
	LAYER_READER_DATA,
	LAYER_CLOSE_READER,
	LAYER_PUT,
	LAYER_PUT_AHEAD,
	LAYER_DROP_UPLOAD,
	LAYER_UPLOAD_BEGIN,
	LAYER_UPLOAD_WRITE,
	LAYER_UPLOAD_COMMIT,
	LAYER_UPLOAD_ABORT,
	LAYER_MAKE_NODE,
	LAYER_LINK,
	LAYER_MAKE_DIR,
	LAYER_REMOVE,
	LAYER_REMOVE_MANY,
	LAYER_REMOVE_DIR,
	LAYER_REMOVE_TREE,
	LAYER_MOVE,
	LAYER_COPY,
	LAYER_SET_ATTRIBUTES,
	LAYER_GET_XATTR,
	LAYER_LIST_XATTRS,
	LAYER_SET_XATTR,
	LAYER_REMOVE_XATTR,
	LAYER_GLOB,
	LAYER_TOTALS,
	LAYER_USAGE,
	LAYER_SYNC,
	LAYER_OPS,
};

/* The name of the slot: "open_reader". */
const char *layer_op_name(enum layer_op op);

struct layer_call {
	enum layer_op op;
	/* Ends a resource: must go through, a failure has nowhere to go. */
	bool ending;
	/* A put or set with conditions, which can spoil a second try. */
	bool conditional;
	const char *key; /* never NULL; "" for the root or none */
	const char *to;	 /* second key, NULL without one */
	/* NULL where the slot has none, which then may not take long. */
	struct store_context *context;
	struct store_error *error; /* NULL only when `ending` */
	uint64_t read;		   /* bytes; set when it succeeded */
	uint64_t written;
	int64_t start_ns; /* for the hook: CLOCK_MONOTONIC of the start */
	int attempt;	  /* for the hook: 0 the first time */
};

struct layer_hooks {
	/* Optional.  A failure is the result; then `after` is not called. */
	int (*before)(void *hook, struct layer_call *call);
	/*
	 * Optional.  May replace the result (and fill the error); true runs
	 * the operation again, `before` included.
	 */
	bool (*after)(void *hook, struct layer_call *call, int *code);
	void (*free)(void *hook); /* optional */
	/* Optional: capabilities the layer takes away, the same every time. */
	uint64_t (*without)(void *hook);
};

/*
 * Put a layer around *backend.  Takes `hook` over on success only.
 */
int layer_wrap(const struct layer_hooks *hooks, void *hook,
	       struct backend *backend, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * A layer's table: `all` without the slots that `next` lacks, and with its
 * name, options and properties.
 */
void layer_table(struct store_backend *table, const struct store_backend *all,
		 const struct backend *next);
/* Take capabilities away, and the slots that make no sense without them. */
void layer_table_cut(struct store_backend *table, uint64_t without);

#endif
