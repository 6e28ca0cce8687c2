/* SPDX-License-Identifier: MIT */
/*
 * The backend table: what a store has to be able to do.
 *
 * A backend is one `const struct store_backend`; layers (src/layers) are the
 * same table wrapped around another instance.  Stated once for all
 * operations, and relied upon on both sides:
 *
 * - The core (src/store*.c) has normalised the key ("" is the root, else
 *   components joined by '/', none empty, "." or "..", no NUL, at most
 *   STORE_KEY_MAX bytes), checked the capability, refused the root where a
 *   file is needed, and checked user metadata.  Backends do not check again.
 * - 0 or a negative enum store_code.  On failure the error is filled and
 *   out-parameters are untouched; on success the error is untouched.
 * - `error` and `context` are never NULL below the core.  Blocking is fine;
 *   ignoring the context is not: check it before each blocking step, and
 *   call store_context_progress() when something moved.
 * - Any number of threads may call on one instance, except around open and
 *   close (STORE_SERIAL: the core lets one call in at a time).
 * - Pointers passed in are borrowed for the call.
 * - Backends do not log, do not retry whole operations (the retry layer
 *   does), and never put a secret in a message.
 * - A NULL slot is a missing capability: the core emulates it once or
 *   answers NOT_SUPPORTED.
 * - Precedence of errors: source missing or of the wrong type, destination a
 *   folder or below a file, taken name, then I/O.
 */
#ifndef STOREFS_BACKEND_H
#define STOREFS_BACKEND_H

#include <storefs/types.h>

struct option_values;
struct store_option;
struct store_resume;
struct store_url;

enum store_concurrency { STORE_PARALLEL, STORE_SERIAL };

struct backend_list_request {
	const char *prefix; /* folder key, "" for the root */
	/*
	 * Every file, symlink and special node below, and no folder; only
	 * asked of backends with `lists_recursively`.
	 */
	bool recursive;
	bool complete;	    /* fill in all of store_info */
	const char *cursor; /* NULL for the first page */
	size_t limit;	    /* entries wanted at most, at least 1 */
};

enum backend_put_flags {
	/*
	 * Carry over from the version that is replaced what this request does
	 * not name: attributes, metadata, extended attributes, links.
	 */
	BACKEND_PUT_KEEP = 1 << 0,
};

struct backend_put_request {
	const char *key;
	struct store_source *source; /* all bytes of the new version */
	struct store_precondition precondition;
	unsigned int flags; /* enum backend_put_flags */
	/*
	 * Attributes of the new version.  Without STORE_ATTR_MTIME the time of
	 * the put.  NULL for none.
	 */
	const struct store_attributes *attributes;
	const struct store_metadata *metadata; /* NULL for none */
	const char *content_type;	       /* NULL for none */
	const struct store_xattr *xattrs;
	size_t xattr_count;
	/*
	 * The `id` of a file that is new (store_info.id), 0: the store's own
	 * choice.  A store that cannot keep it ignores it.
	 */
	uint64_t id;
	/*
	 * STORE_PUBLISH_SIZE bytes that name this put, NULL for none.  They
	 * become visible with the new version, never before it and never
	 * later, and cost no call and no flush of their own; BACKEND_PUT_KEEP
	 * does not carry over an older one.  Kept by everything but another
	 * put and a copy (types.h), and told by a stat only for the bytes of
	 * this put: what version or size and time it left is kept beside it
	 * where others can change the file in place.  Without
	 * STORE_CAP_PUBLISH_ID ignored.
	 */
	const uint8_t *publish;
	/*
	 * With STORE_CAP_COMPOSE and STORE_IF_VERSION: ranges, ascending and
	 * disjoint, whose bytes are those of the old version at the same
	 * offsets; `source` is not read there.  They end within both sizes.
	 */
	const struct store_range *keep;
	size_t keep_count;
	/*
	 * See <storefs/store.h>; NULL: what is left of a put that fails is
	 * removed.  Without STORE_CAP_RESUME ignored.
	 */
	struct store_resume *resume;
};

struct backend_node_request {
	const char *key;
	enum store_type type; /* not FILE, not FOLDER */
	const char *target;   /* of a symlink, any bytes but NUL */
	uint64_t rdev;
	const struct store_attributes *attributes; /* NULL for none */
};

enum backend_move_flags {
	BACKEND_MOVE_REPLACE = 1 << 0,	/* as rename(2); else STORE_EXISTS */
	BACKEND_MOVE_EXCHANGE = 1 << 1, /* both exist and swap names */
	/*
	 * Only of a copy: a symlink is copied as a file is, where it is kept
	 * as one; else INVALID as without.
	 */
	BACKEND_COPY_SYMLINKS = 1 << 2,
	/*
	 * Only of a copy: `to` was lately looked at, and was no folder; again
	 * only where the server would not see a change of the file.
	 */
	BACKEND_COPY_SEEN = 1 << 3,
};

struct backend_move_request {
	const char *from;
	const char *to;
	unsigned int flags;			/* enum backend_move_flags */
	struct store_precondition precondition; /* what must hold of `to` */
	/*
	 * Only of a copy: the version `from` must be (IF_ANY, IF_VERSION), and
	 * the id of the put the copy counts as, NULL for none.
	 */
	struct store_precondition source;
	const uint8_t *publish;
};

/* Files of one folder that are to go. */
struct backend_removals {
	const char *const *names; /* last components */
	size_t count;
	/* Told of each that stays, when the call as a whole succeeds. */
	void (*failed)(void *arg, size_t index,
		       const struct store_error *error);
	void *arg;
};

struct store_backend {
	const char *name;		    /* type of the registry, "sqlite" */
	const char *const *schemes;	    /* of URLs, NULL-terminated */
	const char *summary;		    /* one line for people */
	const struct store_option *options; /* terminated by a NULL name */
	uint64_t capabilities; /* all it may have, enum store_capability */
	enum store_concurrency concurrency;
	bool lists_recursively;
	bool whole_seconds; /* times lose what is below a second */

	/*
	 * Optional: turn the parts of a URL into options ("root" from the
	 * path ...); `source` goes to option_values_set().  The ?name=value
	 * options are set by the caller.  Pure.
	 */
	int (*from_url)(const struct store_url *url,
			struct option_values *values, const char *source,
			struct store_error *error) STORE_WARN_UNUSED;
	/*
	 * Make an instance from options.  Pure: no I/O, no threads; every
	 * mistake of the user is found here and named.  `values` is borrowed.
	 */
	int (*configure)(const struct option_values *values, void **self,
			 struct store_error *error) STORE_WARN_UNUSED;
	/* First I/O; threads may exist from here on. */
	int (*open)(void *self, struct store_context *context,
		    struct store_error *error) STORE_WARN_UNUSED;
	/* Free everything; takes a half-opened or never opened instance. */
	void (*close)(void *self);
	/* Capabilities this instance has; NULL: all of the table.  No I/O. */
	uint64_t (*has)(void *self);

	/* Is the store there and usable?  DENIED, NOT_FOUND, UNAVAILABLE. */
	int (*ping)(void *self, struct store_context *context,
		    struct store_error *error) STORE_WARN_UNUSED;
	/*
	 * What the key names.  A key below a file is NOT_FOUND (a mount turns
	 * that into ENOTDIR by itself).  The root always exists.  `details`
	 * may be NULL; initialised by the caller, filled if not.
	 */
	int (*stat)(void *self, struct store_context *context, const char *key,
		    struct store_info *info, struct store_details *details,
		    struct store_error *error) STORE_WARN_UNUSED;
	/*
	 * Optional: the same of a key that a listing has lately shown as a
	 * file or a folder, where that is less to ask for.
	 */
	int (*stat_listed)(void *self, struct store_context *context,
			   const char *key, enum store_type listed,
			   struct store_info *info,
			   struct store_details *details,
			   struct store_error *error) STORE_WARN_UNUSED;
	/*
	 * Append up to request->limit direct children (or all descendants) to
	 * `page` and set page->next (malloc'd, owned by the page) unless the
	 * listing has ended.  Every entry that exists throughout the pages is
	 * listed exactly once, also when others are removed meanwhile.  Order
	 * is the backend's.  A missing folder is an empty listing where
	 * folders are implicit, else NOT_FOUND; a file is NOT_DIR.
	 */
	int (*list)(void *self, struct store_context *context,
		    const struct backend_list_request *request,
		    struct store_page *page, struct store_error *error)
		STORE_WARN_UNUSED;

	/*
	 * Readers pin one version.  With `pin` the version must be that one
	 * (CHANGED); `info` tells what was opened.  A folder is IS_DIR, other
	 * nodes INVALID.  With STORE_CAP_PINNED_READ the reader goes on
	 * working after the file was replaced or removed; otherwise a read
	 * whose version is gone is CHANGED or NOT_FOUND, never a mixture.
	 */
	int (*open_reader)(void *self, struct store_context *context,
			   const char *key, const struct store_version *pin,
			   void **reader, struct store_info *info,
			   struct store_error *error) STORE_WARN_UNUSED;
	/*
	 * Optional: the same of a file that is probably not longer than
	 * `expected` and will be read from its beginning, where one request
	 * does both.
	 */
	int (*open_small)(void *self, struct store_context *context,
			  const char *key, const struct store_version *pin,
			  size_t expected, void **reader,
			  struct store_info *info, struct store_error *error)
		STORE_WARN_UNUSED;
	/*
	 * Read up to `length` bytes (at least 1) at `offset` into `data`.
	 * *got is less than `length` only at the end of the file.  Several
	 * threads may read from one reader.
	 */
	int (*read)(void *self, struct store_context *context, void *reader,
		    uint64_t offset, void *data, size_t length, size_t *got,
		    struct store_error *error) STORE_WARN_UNUSED;
	void (*close_reader)(void *self, void *reader);
	/*
	 * Optional: the first stretch of data at or after `offset`, length 0
	 * when only a hole is left.  NULL: everything is data.
	 */
	int (*reader_data)(void *self, void *reader, uint64_t offset,
			   struct store_range *range, struct store_error *error)
		STORE_WARN_UNUSED;

	/*
	 * Store a file whole: readers see the old version or the new one, and
	 * a failure leaves the old one and nothing else.  Missing parents are
	 * made.  A folder at the key is IS_DIR, a file among the parents
	 * NOT_DIR, a failed precondition EXISTS or CHANGED; NOT_FOUND when a
	 * version was demanded and nothing is there.  `info` is what a stat
	 * would tell now.
	 */
	int (*put)(void *self, struct store_context *context,
		   const struct backend_put_request *request,
		   struct store_info *info, struct store_error *error)
		STORE_WARN_UNUSED;
	/* Optional, with STORE_CAP_RESUME: see store_send_ahead(). */
	int (*put_ahead)(void *self, struct store_context *context,
			 const struct backend_put_request *request,
			 struct store_range *range, struct store_error *error)
		STORE_WARN_UNUSED;
	/* With STORE_CAP_RESUME: see store_drop_upload(). */
	int (*drop_upload)(void *self, struct store_context *context,
			   const char *key, const char *token,
			   struct store_error *error) STORE_WARN_UNUSED;
	/* Make a symlink or special node; a taken name is EXISTS. */
	int (*make_node)(void *self, struct store_context *context,
			 const struct backend_node_request *request,
			 struct store_info *info, struct store_error *error)
		STORE_WARN_UNUSED;
	/* Give the node of `from` a second name; a taken name is EXISTS. */
	int (*link)(void *self, struct store_context *context, const char *from,
		    const char *to, struct store_info *info,
		    struct store_error *error) STORE_WARN_UNUSED;
	/*
	 * Remove one name of anything but a folder (IS_DIR).  The condition
	 * STORE_IF_ABSENT is not used here.
	 */
	int (*remove)(void *self, struct store_context *context,
		      const char *key,
		      const struct store_precondition *precondition,
		      struct store_error *error) STORE_WARN_UNUSED;
	/*
	 * Optional: remove several files of a folder at once, by name and
	 * whatever their version.  One that is not there counts as removed.
	 */
	int (*remove_many)(void *self, struct store_context *context,
			   const char *folder,
			   const struct backend_removals *removals,
			   struct store_error *error) STORE_WARN_UNUSED;
	/* Missing parents are made; a taken name is EXISTS. */
	int (*make_dir)(void *self, struct store_context *context,
			const char *key,
			const struct store_attributes *attributes,
			struct store_info *info, struct store_error *error)
		STORE_WARN_UNUSED;
	/*
	 * Optional: the same of a key that was lately found missing, where it
	 * need not be looked at again.  A folder made by somebody else
	 * meanwhile is EXISTS; a file may not be noticed.
	 */
	int (*make_missing_dir)(void *self, struct store_context *context,
				const char *key,
				const struct store_attributes *attributes,
				struct store_info *info,
				struct store_error *error) STORE_WARN_UNUSED;
	/* NOT_FOUND, NOT_DIR, NOT_EMPTY with nothing removed. */
	int (*remove_dir)(void *self, struct store_context *context,
			  const char *key, struct store_error *error)
		STORE_WARN_UNUSED;
	/*
	 * Optional: remove a folder and all below in one atomic step.  The
	 * core walks otherwise.
	 */
	int (*remove_tree)(void *self, struct store_context *context,
			   const char *key, struct store_error *error)
		STORE_WARN_UNUSED;
	/*
	 * rename(2) for files and folders, including its errors: NOT_FOUND,
	 * IS_DIR, NOT_DIR, NOT_EMPTY, EXISTS without REPLACE, INVALID for a
	 * folder into itself.  Two links of one node: nothing happens.
	 * Missing parents of `to` are made.  `info` tells of the moved node
	 * under its new name (renaming may change its version token).
	 */
	int (*move)(void *self, struct store_context *context,
		    const struct backend_move_request *request,
		    struct store_info *info, struct store_error *error)
		STORE_WARN_UNUSED;
	/*
	 * Copy a file with its metadata and attributes inside the store, whole
	 * or not at all, as a put does; INVALID for a symlink or special file,
	 * which make_node can make anew.  The id of its put does not go along:
	 * the copy has that of the request, or none.  CHANGED when `source`
	 * or the precondition on `to` does not hold, which is checked with the
	 * copy where the store can, just before where it cannot.
	 */
	int (*copy)(void *self, struct store_context *context,
		    const struct backend_move_request *request,
		    struct store_info *info, struct store_error *error)
		STORE_WARN_UNUSED;
	/*
	 * Set the masked attributes of the node itself (symlinks are not
	 * followed) and its ctime.  `info` as after a stat.
	 */
	int (*set_attributes)(void *self, struct store_context *context,
			      const char *key,
			      const struct store_attributes *attributes,
			      struct store_info *info,
			      struct store_error *error) STORE_WARN_UNUSED;

	/*
	 * Extended attributes, names with their namespace.  Missing names are
	 * NOT_FOUND with detail ENODATA.  `create`/`replace` as in
	 * setxattr(2): EXISTS, NOT_FOUND with ENODATA.  get and list give a
	 * malloc'd value; a list holds NUL-terminated names.
	 */
	int (*get_xattr)(void *self, struct store_context *context,
			 const char *key, const char *name, void **value,
			 size_t *size, struct store_error *error)
		STORE_WARN_UNUSED;
	int (*list_xattrs)(void *self, struct store_context *context,
			   const char *key, char **names, size_t *size,
			   struct store_error *error) STORE_WARN_UNUSED;
	int (*set_xattr)(void *self, struct store_context *context,
			 const char *key, const struct store_xattr *xattr,
			 int xattr_flags /* XATTR_CREATE, XATTR_REPLACE */,
			 struct store_error *error) STORE_WARN_UNUSED;
	int (*remove_xattr)(void *self, struct store_context *context,
			    const char *key, const char *name,
			    struct store_error *error) STORE_WARN_UNUSED;

	/* Optional: files matching a checked pattern, relative to the root. */
	int (*glob)(void *self, struct store_context *context,
		    const char *pattern, const char *cursor,
		    struct store_page *page, struct store_error *error)
		STORE_WARN_UNUSED;
	/* Optional: totals below a folder; the core walks otherwise. */
	int (*totals)(void *self, struct store_context *context,
		      const char *key, struct store_totals *totals,
		      struct store_error *error) STORE_WARN_UNUSED;
	int (*usage)(void *self, struct store_context *context,
		     struct store_usage *usage, struct store_error *error)
		STORE_WARN_UNUSED;

	/*
	 * Optional: make names directly in a folder durable that were made,
	 * moved or removed before.  NULL: they are when the call returns.
	 * A folder that is not there has none: whether it is, nobody is
	 * told, and more than was asked for may become durable.
	 */
	int (*sync)(void *self, struct store_context *context, const char *key,
		    struct store_error *error) STORE_WARN_UNUSED;

	/*
	 * Optional streaming put for bytes whose end is not known: begin,
	 * write in order, then commit (as put; takes request->source as NULL)
	 * or abort.  Nothing is visible before commit; commit and abort end
	 * the upload whatever they return.  One thread at a time per upload.
	 * The core spools to a temporary file otherwise.
	 */
	int (*upload_begin)(void *self, struct store_context *context,
			    const struct backend_put_request *request,
			    void **upload, struct store_error *error)
		STORE_WARN_UNUSED;
	int (*upload_write)(void *self, struct store_context *context,
			    void *upload, const void *data, size_t length,
			    struct store_error *error) STORE_WARN_UNUSED;
	int (*upload_commit)(void *self, struct store_context *context,
			     void *upload,
			     const struct backend_put_request *request,
			     struct store_info *info, struct store_error *error)
		STORE_WARN_UNUSED;
	void (*upload_abort)(void *self, void *upload);

	/*
	 * What people and other tools call the key in this store (a path, a
	 * "bucket/key"); malloc'd.  No I/O.  NULL slot: the key itself.
	 */
	char *(*native_path)(void *self, const char *key);
	/* The key of a native path; malloc'd, NULL when not below the root. */
	char *(*to_key)(void *self, const char *native);
	/*
	 * Canonical identity of the store, without secrets, for messages and
	 * the staging directory: "file:///data".  malloc'd, NULL: no memory.
	 */
	char *(*identity)(void *self);
	/*
	 * Optional: the absolute path of the folder or file of this machine
	 * the store lives in; malloc'd, NULL when there is none.
	 */
	char *(*local_path)(void *self);
	/* Optional: bytes of the largest file, 0 for no limit. */
	uint64_t (*max_size)(void *self);
	/*
	 * Optional: the requests that went out so far (src/wire.h); lives as
	 * long as the instance is open.
	 */
	const struct wire_counters *(*wire)(void *self);
	/*
	 * Optional: could a new file be put with all of these?  INVALID,
	 * TOO_LARGE.  No I/O.
	 */
	int (*check_xattrs)(void *self, const struct store_xattr *xattrs,
			    size_t count, struct store_error *error)
		STORE_WARN_UNUSED;
};

/* An instance of a backend or of a layer. */
struct backend {
	const struct store_backend *ops;
	void *self;
};

/* Every backend of this build, NULL-terminated (backends/registry.c). */
extern const struct store_backend *const store_backends[];
/* Names left out of this build, with the configure option; NULL-terminated. */
extern const char *const store_backends_left_out[];

#endif
