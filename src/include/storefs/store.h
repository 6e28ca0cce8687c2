/* SPDX-License-Identifier: MIT */
/*
 * A Store: files by key, wherever they live.
 *
 *	struct store_error error = STORE_ERROR_INIT;
 *	struct store *store = NULL;
 *
 *	if (store_open_url("file:///srv/data", NULL, &store, &error))
 *		errx(1, "%s", error.message);
 *	...
 *	store_close(store);
 *
 * Keys.  `\` counts as `/`; empty and "." components vanish; ".." and NUL
 * are INVALID; what is left empty is the root, which folder operations
 * accept and file operations refuse (INVALID) before any request.  Keys that
 * come back are relative to this store and usable as input.
 * Stores opened with `raw_keys` (as a mount does) keep `\` as a byte.
 *
 * Errors come in this order, an earlier one never hidden by a later one:
 * closed store (UNAVAILABLE), malformed key, root refused (source, then
 * destination), missing capability, source missing or of the wrong type,
 * destination a folder (IS_DIR) or below a file (NOT_DIR), EXISTS, I/O.
 *
 * Threads: every function may be called from any thread at any time on one
 * store, except store_close(), which must be the last.  Readers may be read
 * by several threads; writers belong to one thread at a time.
 *
 * Contexts: NULL is no deadline.  Errors: see <storefs/error.h>.
 */
#ifndef STOREFS_STORE_H
#define STOREFS_STORE_H

#include <storefs/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct store;
struct store_reader;
struct store_writer;
struct store_listing;

/* ---- life ---- */

/* Options as "name=value" pairs beside those in the URL. */
struct store_open_options {
	const char *const *options; /* NULL-terminated, NULL for none */
	bool raw_keys;		    /* `\` is an ordinary byte */
	bool allow_secrets;	    /* accept secrets in the URL */
};

/*
 * Open "scheme://...?option=value".  Nothing is sent before the first
 * operation unless the backend needs it.  `options` may be NULL.
 */
int store_open_url(const char *url, const struct store_open_options *options,
		   struct store **store, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * A store below a folder of another.  Shares its backend, which stays open
 * until the last of them is closed.  The folder need not exist; the root
 * itself, ".." and NUL are INVALID.
 */
int store_child(struct store *store, const char *folder, struct store **child,
		struct store_error *error) STORE_WARN_UNUSED;
/* NULL is fine.  Open readers, writers and listings must be closed before. */
void store_close(struct store *store);
/* Same backend instance and same root? */
bool store_equal(const struct store *a, const struct store *b);

/* ---- what it is ---- */

/* Bits of enum store_capability this store has. */
uint64_t store_capabilities(const struct store *store);
bool store_supports(const struct store *store, enum store_capability one);
/* Type of the backend: "local", "memory", "sqlite" ... */
const char *store_backend_name(const struct store *store);
/* Canonical URL without secrets; malloc'd, NULL when out of memory. */
char *store_identity(const struct store *store);
/*
 * The folder or file of this machine the store lives in, malloc'd; NULL for
 * stores that live elsewhere.
 */
char *store_local_path(const struct store *store);
/* Bytes of the largest file it holds, 0 for no limit. */
uint64_t store_max_size(const struct store *store);
/* Is it there and usable?  DENIED, NOT_FOUND or UNAVAILABLE if not. */
int store_ping(struct store *store, struct store_context *context,
	       struct store_error *error) STORE_WARN_UNUSED;
int store_usage(struct store *store, struct store_context *context,
		struct store_usage *usage, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * What other tools call this key ("/srv/data/a", "bucket/a"); malloc'd into
 * *path.  No I/O.  The inverse is store_to_key(), INVALID for a path that is
 * not below this store.
 */
int store_native_path(struct store *store, const char *key, char **path,
		      struct store_error *error) STORE_WARN_UNUSED;
int store_to_key(struct store *store, const char *path, char **key,
		 struct store_error *error) STORE_WARN_UNUSED;
/*
 * Where the key would go: backend, normalised key, native path, identity.
 * No I/O, no secrets.
 */
struct store_resolution {
	const char *backend; /* static */
	char *key;
	char *native_path;
	char *identity;
};
int store_resolve(struct store *store, const char *key,
		  struct store_resolution *resolution,
		  struct store_error *error) STORE_WARN_UNUSED;
void store_resolution_release(struct store_resolution *resolution);

/* ---- asking ---- */

/* The root always exists.  A key below a file is NOT_FOUND. */
int store_stat(struct store *store, struct store_context *context,
	       const char *key, struct store_info *info,
	       struct store_error *error) STORE_WARN_UNUSED;
/*
 * The same of a key that was lately seen, in a listing say, as `listed`: some stores
 * have to be asked less then.  They do not notice when the name has become
 * that of a folder, too.
 */
int store_stat_listed(struct store *store, struct store_context *context,
		      const char *key, enum store_type listed,
		      struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
/* With what else is known; `details` is initialised here. */
int store_stat_listed_details(struct store *store,
			      struct store_context *context, const char *key,
			      enum store_type listed, struct store_info *info,
			      struct store_details *details,
			      struct store_error *error) STORE_WARN_UNUSED;
/* As store_stat, with what else is known; `details` is initialised here. */
int store_stat_details(struct store *store, struct store_context *context,
		       const char *key, struct store_info *info,
		       struct store_details *details, struct store_error *error)
	STORE_WARN_UNUSED;
/* Missing is *answer = false; only real failures are errors. */
int store_exists(struct store *store, struct store_context *context,
		 const char *key, bool *answer, struct store_error *error)
	STORE_WARN_UNUSED;
int store_is_file(struct store *store, struct store_context *context,
		  const char *key, bool *answer, struct store_error *error)
	STORE_WARN_UNUSED;
int store_is_folder(struct store *store, struct store_context *context,
		    const char *key, bool *answer, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Count files and bytes below a folder.  `max_depth` as in store_list, -1
 * for all.  A file is NOT_DIR; a missing folder NOT_FOUND; the root never
 * fails for being empty or missing.
 */
int store_folder_totals(struct store *store, struct store_context *context,
			const char *key, int max_depth,
			struct store_totals *totals, struct store_error *error)
	STORE_WARN_UNUSED;

/* ---- listing ---- */

enum store_list_flags {
	STORE_LIST_FILES = 1 << 0, /* everything but folders */
	STORE_LIST_FOLDERS = 1 << 1,
	STORE_LIST_COMPLETE = 1 << 2, /* all of store_info for each */
};
struct store_list_options {
	unsigned int flags; /* files and folders when neither is named */
	/*
	 * 0: direct children; N: N levels of folders deeper (inclusive);
	 * -1: all; below -1 is INVALID.
	 */
	int max_depth;
	/* Filter on the last component (fnmatch), NULL for none. */
	const char *pattern;
};
/*
 * Walk a folder.  A missing folder or a file is an empty listing.  `options`
 * may be NULL: direct children.  Keys that are listed are relative to the
 * store's root.  Memory is bounded by a page per level.
 */
int store_list(struct store *store, struct store_context *context,
	       const char *folder, const struct store_list_options *options,
	       struct store_listing **listing, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Files whose key matches: `*` and `?` stay inside a component, `**` as a
 * whole component matches any number of them, [abc] [!abc] sets.
 */
int store_glob(struct store *store, struct store_context *context,
	       const char *pattern, struct store_listing **listing,
	       struct store_error *error) STORE_WARN_UNUSED;
/*
 * The next entry, borrowed until the next call; *entry is NULL at the end.
 * Its `name` is the whole key.
 */
int store_listing_next(struct store_listing *listing,
		       struct store_context *context,
		       const struct store_entry **entry,
		       struct store_error *error) STORE_WARN_UNUSED;
void store_listing_close(struct store_listing *listing);
/*
 * One page of direct children, for callers that page themselves: entries are
 * appended to `page` (initialised), whose `next` is the cursor of the next
 * call; only where it is NULL is that the end, however short a page may be.
 * A missing folder is NOT_FOUND where folders are kept.
 */
int store_list_page(struct store *store, struct store_context *context,
		    const char *folder, const char *cursor, size_t limit,
		    struct store_page *page, struct store_error *error)
	STORE_WARN_UNUSED;

/* ---- reading ---- */

/*
 * Open a file at one version: `pin` demands a version (CHANGED otherwise),
 * NULL takes the present one.  Missing is NOT_FOUND before any data.
 * `info` may be NULL.  Symlinks are not followed (INVALID).
 */
int store_open_reader(struct store *store, struct store_context *context,
		      const char *key, const struct store_version *pin,
		      struct store_reader **reader, struct store_info *info,
		      struct store_error *error) STORE_WARN_UNUSED;
/*
 * The same of a file that is probably not longer than `expected` bytes and will
 * be read from its beginning at once: some stores need one request for both.
 */
int store_open_small(struct store *store, struct store_context *context,
		     const char *key, const struct store_version *pin,
		     size_t expected, struct store_reader **reader,
		     struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Up to `length` bytes at `offset`; *got is short only at the end of the
 * file.  A version that is gone is CHANGED, never a mixture.
 */
int store_read_at(struct store_reader *reader, struct store_context *context,
		  uint64_t offset, void *data, size_t length, size_t *got,
		  struct store_error *error) STORE_WARN_UNUSED;
/* Sequential reading with a position of the reader's own; not shareable. */
int store_read(struct store_reader *reader, struct store_context *context,
	       void *data, size_t length, size_t *got,
	       struct store_error *error) STORE_WARN_UNUSED;
void store_seek(struct store_reader *reader, uint64_t offset);
uint64_t store_reader_size(const struct store_reader *reader);
/* First stretch of data at or after offset; length 0: only a hole is left. */
int store_reader_data(struct store_reader *reader, uint64_t offset,
		      struct store_range *range, struct store_error *error)
	STORE_WARN_UNUSED;
void store_close_reader(struct store_reader *reader);
/*
 * A whole file into memory, malloc'd with a NUL behind it; TOO_LARGE above
 * `max` bytes.
 */
int store_read_all(struct store *store, struct store_context *context,
		   const char *key, size_t max, void **data, size_t *size,
		   struct store_error *error) STORE_WARN_UNUSED;

/* ---- writing ---- */

/* Bytes of a token, at most. */
#define STORE_TOKEN_MAX 2047
/*
 * A put that goes on after an interruption, by another call or another process
 * (STORE_CAP_RESUME; elsewhere nothing of it is used, and the token stays "").
 *
 * `token` is printable text without a meaning here.  A put that sends a file
 * in parts sets it and calls `note` before it acts on it: after such a call
 * the store may have something that only the token leads to.  A put that fails
 * leaves it as it is then; given to the next put of that key, what the store
 * has of these very bytes is not sent again.  "": the store has nothing.  One
 * that is not given to another put goes to store_drop_upload().
 */
struct store_resume {
	char token[STORE_TOKEN_MAX + 1];
	/* When it fails, so does the put. */
	int (*note)(struct store_resume *resume, struct store_error *error);
};

struct store_write_options {
	/* STORE_IF_ABSENT unless told otherwise: {STORE_IF_ANY} overwrites. */
	struct store_precondition precondition;
	const struct store_attributes *attributes; /* NULL for none */
	const struct store_metadata *metadata;	   /* NULL for none */
	const char *content_type;		   /* NULL for none */
	const struct store_xattr *xattrs;
	size_t xattr_count;
	bool keep; /* carry over from the old version what is not named */
	/* store_info.id of a new file where the store keeps it, 0: any. */
	uint64_t id;
	/*
	 * STORE_PUBLISH_SIZE bytes that name this put, kept with the version
	 * (STORE_CAP_PUBLISH_ID, else ignored); NULL for none.
	 */
	const uint8_t *publish;
	/* Ranges kept from the old version, see STORE_CAP_COMPOSE. */
	const struct store_range *ranges;
	size_t range_count;
	struct store_resume *resume; /* NULL: the put ends with the call */
};

/*
 * Store a file whole and atomically; parents are made.  `options` NULL: the
 * name must be free.  On success `info` (may be NULL) tells size and version.
 */
int store_write(struct store *store, struct store_context *context,
		const char *key, struct store_source *source,
		const struct store_write_options *options,
		struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Send parts of a file ahead of the put that will make it, while its end is
 * still unknown (STORE_CAP_RESUME; NOT_SUPPORTED where a put has no use for
 * them).  Nothing becomes visible, and nothing is promised: the put looks at
 * the bytes of every part again, and sends those that have changed since.
 *
 * `range`: in, bytes of `source` that are not expected to change, which begin
 * at 0 or where the range of the call before has ended; out, those of them
 * that were sent, perhaps none, and less than all: parts have sizes of their
 * own.  `options` must have a `resume`, whose token goes to the put.  Attributes,
 * metadata and extended attributes are those of the put, which may take another
 * request for them; one that says anything else, or that has another `publish`,
 * sends all parts again.
 */
int store_send_ahead(struct store *store, struct store_context *context,
		     const char *key, struct store_source *source,
		     const struct store_write_options *options,
		     struct store_range *range, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Remove what a put to `key` has left in the store that will not go on: parts
 * that no reader sees.  One that has ended is none: STORE_OK.  INVALID for
 * what is no token of this store.
 */
int store_drop_upload(struct store *store, struct store_context *context,
		      const char *key, const char *token,
		      struct store_error *error) STORE_WARN_UNUSED;
/*
 * Stream bytes of unknown length: open, write, then commit or discard.
 * Preconditions that fail at once fail in open already; nothing is visible
 * before commit.  Commit and discard free the writer, whatever they return.
 */
int store_open_writer(struct store *store, struct store_context *context,
		      const char *key,
		      const struct store_write_options *options,
		      struct store_writer **writer, struct store_error *error)
	STORE_WARN_UNUSED;
int store_writer_write(struct store_writer *writer,
		       struct store_context *context, const void *data,
		       size_t length, struct store_error *error)
	STORE_WARN_UNUSED;
int store_writer_commit(struct store_writer *writer,
			struct store_context *context, struct store_info *info,
			struct store_error *error) STORE_WARN_UNUSED;
void store_writer_discard(struct store_writer *writer);

int store_make_folder(struct store *store, struct store_context *context,
		      const char *key,
		      const struct store_attributes *attributes,
		      struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * The same of a key that was lately found missing: some stores need not be
 * asked again then.  A folder that somebody else has made meanwhile is EXISTS;
 * a file of that name they may not notice.
 */
int store_make_missing_folder(struct store *store,
			      struct store_context *context, const char *key,
			      const struct store_attributes *attributes,
			      struct store_info *info,
			      struct store_error *error) STORE_WARN_UNUSED;
struct store_node {
	enum store_type type; /* SYMLINK, FIFO, SOCKET, CHAR, BLOCK */
	const char *target;   /* of a symlink */
	uint64_t rdev;
	const struct store_attributes *attributes; /* NULL for none */
};
int store_make_node(struct store *store, struct store_context *context,
		    const char *key, const struct store_node *node,
		    struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
int store_link(struct store *store, struct store_context *context,
	       const char *from, const char *to, struct store_info *info,
	       struct store_error *error) STORE_WARN_UNUSED;

/* ---- changing ---- */

/*
 * Remove a file (anything but a folder: IS_DIR, children untouched).
 * `missing_ok`: a missing key is no error.
 */
int store_delete(struct store *store, struct store_context *context,
		 const char *key, bool missing_ok, struct store_error *error)
	STORE_WARN_UNUSED;
/* As store_delete, but only this version: CHANGED otherwise. */
int store_delete_version(struct store *store, struct store_context *context,
			 const char *key, const struct store_version *version,
			 struct store_error *error) STORE_WARN_UNUSED;
/*
 * Remove a folder.  A file is NOT_DIR; with children and not `recursive`
 * NOT_EMPTY; the root is INVALID.  A recursive removal goes on after a key
 * it could not remove, calls `failed` for each (may be NULL), and returns
 * the first error.
 */
struct store_delete_folder_options {
	bool recursive;
	bool missing_ok;
	void (*failed)(void *arg, const char *key,
		       const struct store_error *error);
	void *arg;
};
int store_delete_folder(struct store *store, struct store_context *context,
			const char *key,
			const struct store_delete_folder_options *options,
			struct store_error *error) STORE_WARN_UNUSED;
enum store_move_flags {
	STORE_MOVE_OVERWRITE = 1 << 0,
	STORE_MOVE_EXCHANGE = 1 << 1,
};
/*
 * Move or copy a file (store_move also a folder, where the store can) with
 * its metadata.  Onto itself nothing happens.  `precondition` on the target
 * may be NULL; `info` may be NULL.  A move takes symlinks and special files
 * along, a copy of one is INVALID.
 */
int store_move(struct store *store, struct store_context *context,
	       const char *from, const char *to, unsigned int flags,
	       const struct store_precondition *precondition,
	       struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
int store_copy(struct store *store, struct store_context *context,
	       const char *from, const char *to, unsigned int flags,
	       struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * A copy of one version under conditions: CHANGED when the source is another
 * version by now, EXISTS or CHANGED when the target is not as demanded.  As
 * with a put, the target must be absent unless told otherwise.
 */
struct store_copy_options {
	const struct store_version *source; /* NULL for any */
	/* {STORE_IF_ABSENT}, {STORE_IF_ANY} or a version to be replaced. */
	struct store_precondition target;
	/* As in store_write_options: names the copy; NULL for none. */
	const uint8_t *publish;
	/* A symlink, too, if the store can; a later stat tells its id. */
	bool symlinks;
	/*
	 * The target was lately looked at, and was no folder: as with
	 * store_make_missing_folder().
	 */
	bool seen;
};
int store_copy_version(struct store *store, struct store_context *context,
		       const char *from, const char *to,
		       const struct store_copy_options *options,
		       struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Names directly in a folder that were made, moved or removed before are
 * durable when this returns.  (Files are when their write returns.)  Whether
 * there is such a folder is not looked at.
 */
int store_sync(struct store *store, struct store_context *context,
	       const char *folder, struct store_error *error) STORE_WARN_UNUSED;
int store_set_attributes(struct store *store, struct store_context *context,
			 const char *key,
			 const struct store_attributes *attributes,
			 struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;

/* ---- extended attributes (contracts of getxattr(2) and friends) ---- */

int store_get_xattr(struct store *store, struct store_context *context,
		    const char *key, const char *name, void **value,
		    size_t *size, struct store_error *error) STORE_WARN_UNUSED;
int store_list_xattrs(struct store *store, struct store_context *context,
		      const char *key, char **names, size_t *size,
		      struct store_error *error) STORE_WARN_UNUSED;
int store_set_xattr(struct store *store, struct store_context *context,
		    const char *key, const struct store_xattr *xattr,
		    int xattr_flags, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Would a put of a new file take all of these?  INVALID, TOO_LARGE; asks
 * nobody.
 */
int store_check_xattrs(struct store *store, const struct store_xattr *xattrs,
		       size_t count, struct store_error *error)
	STORE_WARN_UNUSED;
int store_remove_xattr(struct store *store, struct store_context *context,
		       const char *key, const char *name,
		       struct store_error *error) STORE_WARN_UNUSED;

/* ---- counters ---- */

/* Calls that reached the backend since the store was opened. */
enum store_counter {
	STORE_COUNT_STAT,
	STORE_COUNT_LIST,
	STORE_COUNT_OPEN_READER,
	STORE_COUNT_READ,
	STORE_COUNT_PUT,  /* bodies: puts and committed uploads */
	STORE_COUNT_MAKE, /* folders, nodes, links */
	STORE_COUNT_REMOVE,
	STORE_COUNT_MOVE,
	STORE_COUNT_COPY,
	STORE_COUNT_SET, /* attributes and extended attributes */
	STORE_COUNT_OTHER,
	STORE_COUNT_RETRIES,
	STORE_COUNT_FAILURES,
	STORE_COUNT_BYTES_READ,
	STORE_COUNT_BYTES_WRITTEN,
	STORE_COUNTERS,
};
const char *store_counter_name(enum store_counter counter);
/* All of them at once; shared by the children of one backend. */
void store_counters(const struct store *store, uint64_t values[STORE_COUNTERS]);

#ifdef __cplusplus
}
#endif
#endif
