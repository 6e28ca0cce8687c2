/* SPDX-License-Identifier: MIT */
/*
 * Inside the store core (src/store*.c only).
 *
 * Every public function is one `struct call`: begin, keys, checks, one or
 * more backend operations, end.
 *
 *	struct call call;
 *	int code = call_begin(&call, store, "stat", context);
 *
 *	if (!code)
 *		code = call_key(&call, key, CALL_FOLDER_TOO);
 *	if (!code)
 *		code = call_needs(&call, STORE_CAP_METADATA);
 *	if (!code)
 *		code = call.ops->stat(call.self, call.context, call.key, ...);
 *	return call_end(&call, code, error);
 *
 * call_end() is the one place where a message gets its operation and keys,
 * and where the caller's error is written.
 */
#ifndef STOREFS_SRC_STORE_CORE_H
#define STOREFS_SRC_STORE_CORE_H

#include <stdatomic.h>

#include "src/backend.h"
#include "src/layers/layers.h"
#include "src/store_internal.h"
#include <storefs/store.h>

/* What all stores of one backend instance share. */
struct store_shared {
	atomic_uint references;
	struct backend top; /* outermost layer but the prefix; owned */
	struct layer_counters counters;
};

struct store {
	/* All immutable. */
	struct store_shared *shared; /* one reference */
	struct backend backend;	     /* `shared->top`, or a prefix on it */
	char *root;		     /* key of the root, "" without prefix */
	bool raw_keys;
	bool listed_only; /* store_tell_listed() */
};

/* Most entries asked for at once. */
enum { STORE_PAGE = 1000 };
/* Bytes moved at once where the core moves them itself. */
enum { STORE_CHUNK = 1024 * 1024 };

struct call {
	struct store *store;
	const struct store_backend *ops;
	void *self;
	const char *what;	       /* "stat", for the message */
	struct store_context *context; /* never NULL */
	char *key;		       /* first key, NULL until call_key() */
	char *to;		       /* second key, NULL without one */
	struct store_error error;      /* what the backend fills */
	struct store_context no_limit; /* behind `context` when given NULL */
};

/* Start, and say CANCELLED or TIMEOUT when the context is over already. */
int call_begin(struct call *call, struct store *store, const char *what,
	       struct store_context *context) STORE_WARN_UNUSED;

enum call_root { CALL_NO_ROOT, CALL_ROOT_TOO };

/* Set the first key: INVALID when malformed, or the root without ROOT_TOO. */
int call_key(struct call *call, const char *text, enum call_root root)
	STORE_WARN_UNUSED;
/*
 * Both keys of a move, copy or link, in the order of the contract: both
 * malformed ones first, then the root as source, then as destination.
 */
int call_keys(struct call *call, const char *from, const char *to)
	STORE_WARN_UNUSED;
/* NOT_SUPPORTED names the first of these capabilities that is missing. */
int call_needs(struct call *call, uint64_t capabilities) STORE_WARN_UNUSED;
bool call_has(const struct call *call, uint64_t capabilities);
/* What the backend has `found`, as this store tells it; `info` may be NULL. */
void call_info(const struct call *call, const struct store_info *found,
	       struct store_info *info);
/* An error without text of its own. */
int call_fail(struct call *call, int code) STORE_WARN_UNUSED;
/*
 * Finish: frees the keys; a failure gets "WHAT 'KEY': " in front and goes to
 * `error` (may be NULL).  Returns the code.
 */
int call_end(struct call *call, int code, struct store_error *error)
	STORE_WARN_UNUSED;

/* stat of any key, also the root; `details` may be NULL. */
int core_stat(struct call *call, const char *key, struct store_info *info,
	      struct store_details *details) STORE_WARN_UNUSED;
/* One page of children; entries of a failed page are dropped. */
int core_page(struct call *call, const struct backend_list_request *request,
	      struct store_page *page) STORE_WARN_UNUSED;
/*
 * The walk behind store_list(): checked options, a normal folder.  `call`
 * may be another one each time.
 */
int core_walk_open(struct call *call, const char *folder,
		   const struct store_list_options *options,
		   struct store_listing **listing) STORE_WARN_UNUSED;
int core_walk_next(struct call *call, struct store_listing *listing,
		   const struct store_entry **entry) STORE_WARN_UNUSED;
/*
 * May a file be put at this key?  IS_DIR, NOT_DIR below a file (where
 * folders are kept), or what the precondition says.  Costs a stat, or a few.
 */
int core_check_target(struct call *call, const char *key,
		      const struct store_precondition *precondition)
	STORE_WARN_UNUSED;
/* Write options checked: metadata, capabilities, precondition, ranges. */
int core_check_write(struct call *call,
		     const struct store_write_options *options, uint64_t size)
	STORE_WARN_UNUSED;
/* The request for these options (NULL: the name must be free). */
void core_put_request(struct backend_put_request *request, const char *key,
		      struct store_source *source,
		      const struct store_write_options *options);
/* Copy call->key to call->to through this process. */
/* Only files are copied: IS_DIR, or INVALID, for what else is there. */
int core_check_copied(struct call *call, const struct store_info *from)
	STORE_WARN_UNUSED;
int core_copy_through(struct call *call,
		      const struct backend_move_request *request,
		      struct store_info *info) STORE_WARN_UNUSED;

#endif
