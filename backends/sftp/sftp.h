/* SPDX-License-Identifier: MIT */
/* What the files of the SFTP store share. */
#ifndef STOREFS_SFTP_SFTP_H
#define STOREFS_SFTP_SFTP_H

#include <stdatomic.h>

#include "backends/sftp/call.h"
#include "backends/sftp/idmap.h"
#include "backends/sftp/pool.h"
#include "backends/sftp/settings.h"
#include "src/backend.h"

enum {
	SFTP_PATH_MAX = 2 * 4096 + 64,
	SFTP_PLACES = 64,
	SFTP_PARKED_MAX = 64,
};
/* Beginnings of names that are the store's own. */
#define SFTP_TEMPORARY ".storefs-tmp."
/* Folders: what is in it may still be all there is; something else took its place. */
#define SFTP_DISPLACED ".storefs-old."
#define SFTP_REPLACED ".storefs-done."
/* Seconds after which what another machine has made belongs to nobody. */
enum { SFTP_TEMPORARY_AGE = 24 * 60 * 60, SFTP_DISPLACED_AGE = 10 * 60 };

struct sftp_listing;

/* A folder that was seen to be inside of the root. */
struct sftp_place {
	uint64_t hash;
	int64_t until_ns;
};

struct sftp {
	/* Immutable once opened: */
	struct sftp_settings settings;
	char *base; /* without '/' at its end, but "/" itself */
	struct sftp_idmap_tables idmap;
	struct sftp_pool pool;
	bool pooled;
	uint32_t extensions; /* of the first connection */
	uint64_t seed;	     /* of hashes */
	uint32_t machine;    /* whose pids are in names of temporaries; 0 */

	/*
	 * LSTAT may follow links: nothing but a READLINK tells.  So for every
	 * server that is not OpenSSH.
	 */
	atomic_bool careful;
	/* It does not flush folders. */
	atomic_bool flushless;
	/* hardlink@openssh.com is answered there, and not done. */
	atomic_bool linkless;
	/* The root has been there: a server's disk may be unmounted later. */
	atomic_bool rooted;
	/* Seconds that the server's clock is behind ours, at most. */
	atomic_int behind;

	struct lock lock;
	/* Protected by lock: */
	char *real_base; /* canonical, NULL until the server has told */
	struct sftp_place places[SFTP_PLACES];
	struct sftp_listing *parked; /* latest first */
	size_t parked_count;
	uint64_t last_cursor;
};

/* ---- path.c: keys and paths ---- */

struct sftp_path {
	char text[SFTP_PATH_MAX];
};
/* INVALID for a key with a name of the store's own. */
int sftp_path_of(const struct sftp *sftp, const char *key,
		 struct sftp_path *path, struct store_error *error)
	STORE_WARN_UNUSED;
bool sftp_is_own_name(const char *name);
/* A name in a folder; false: it is longer than any path may be. */
bool sftp_path_inside(const struct sftp_path *folder, const char *name,
		      struct sftp_path *path);
/* A number for this boot and namespace of pids, 0 when there is none. */
uint32_t sftp_machine(void);
/*
 * Who made this name of the store's own: a process of this machine that
 * lives, one that has died, or somebody elsewhere; `*begun` in seconds of the
 * maker's clock, 0 when the name does not tell.
 */
enum sftp_owner { SFTP_OWNER_LIVES, SFTP_OWNER_DIED, SFTP_OWNER_ELSEWHERE };
enum sftp_owner sftp_owner_of(const struct sftp *sftp, const char *name,
			      int64_t *begun);
/*
 * A new name beside the key, which begins with `prefix`.
 */
int sftp_path_beside(const struct sftp *sftp, const char *key,
		     const char *prefix, struct sftp_path *path,
		     struct store_error *error) STORE_WARN_UNUSED;
/*
 * Do the parents of the key lead out of the root, through a symlink?  Asked
 * of the server unless it was lately: send, then settle.  NOT_FOUND when they
 * do, or are not there.
 */
int sftp_parent_send(struct sftp_call *call, const char *key,
		     struct sftp_request **request) STORE_WARN_UNUSED;
int sftp_parent_settle(struct sftp_call *call, const char *key,
		       struct sftp_request **request) STORE_WARN_UNUSED;
/* Both. */
int sftp_parent_check(struct sftp_call *call, const char *key)
	STORE_WARN_UNUSED;
/* Folders or symlinks have changed: nothing is known of them any more. */
void sftp_parents_forget(struct sftp *sftp);
/*
 * The root is not there: OK for one that is yet to be made, and UNAVAILABLE
 * for one that was there before.  A root that is lost is no empty one, and
 * none is made in its place.
 */
int sftp_root_missing(struct sftp_call *call) STORE_WARN_UNUSED;
/*
 * Make the parents of a key.  NOT_DIR when something else is among them.
 */
int sftp_parents_make(struct sftp_call *call, const char *key)
	STORE_WARN_UNUSED;

/* ---- stat.c: what there is ---- */

void sftp_info_of(const struct sftp *sftp,
		  const struct sftp_attributes *attributes,
		  struct store_info *info);
/* The version of the attributes: size and seconds. */
void sftp_version_of(const struct sftp_attributes *attributes,
		     struct store_version *version);
/*
 * What the path names, as a symlink itself; `target` (malloc'd) may be NULL.
 * The parents have been checked.
 */
int sftp_look(struct sftp_call *call, const char *path,
	      struct sftp_attributes *attributes, char **target)
	STORE_WARN_UNUSED;
/*
 * The same begun and ended by two, for others to be under way at the same
 * time.
 */
struct sftp_looking {
	struct sftp_request *lstat;
	struct sftp_request *readlink;
};
int sftp_look_send(struct sftp_call *call, const char *path,
		   struct sftp_looking *looking) STORE_WARN_UNUSED;
int sftp_look_settle(struct sftp_call *call, struct sftp_looking *looking,
		     struct sftp_attributes *attributes, char **target)
	STORE_WARN_UNUSED;
void sftp_look_forget(struct sftp_call *call, struct sftp_looking *looking);
int sftp_stat(void *self, struct store_context *context, const char *key,
	      struct store_info *info, struct store_details *details,
	      struct store_error *error);

/* The figures of the file system; NOT_SUPPORTED without statvfs. */
int sftp_usage_once(struct sftp_call *call, struct store_usage *usage)
	STORE_WARN_UNUSED;
int sftp_usage(void *self, struct store_context *context,
	       struct store_usage *usage, struct store_error *error);

/* ---- list.c ---- */

/* A name that no key can have: "." and ".." above all. */
bool sftp_is_hidden(const char *name, size_t length);

int sftp_list(void *self, struct store_context *context,
	      const struct backend_list_request *request,
	      struct store_page *page, struct store_error *error);
/* Free parked listings; the connections are gone or about to be. */
void sftp_list_forget(struct sftp *sftp);

/*
 * Remove what of a folder (a path) is the store's own and nobody's: was it
 * all?
 */
bool sftp_clear_own(struct sftp_call *call, const char *path);

/* ---- read.c ---- */

int sftp_open_reader(void *self, struct store_context *context, const char *key,
		     const struct store_version *pin, void **reader,
		     struct store_info *info, struct store_error *error);
int sftp_read(void *self, struct store_context *context, void *reader,
	      uint64_t offset, void *data, size_t length, size_t *got,
	      struct store_error *error);
void sftp_close_reader(void *self, void *reader);

/* ---- put.c, publish.c ---- */

int sftp_put(void *self, struct store_context *context,
	     const struct backend_put_request *request, struct store_info *info,
	     struct store_error *error);
/* How a temporary gets its name. */
struct sftp_publish {
	const char *key;
	const char *temporary;
	const char *path;
	bool exclusive;			   /* the name must be free: EXISTS */
	bool taken;			   /* something was there */
	struct sftp_attributes attributes; /* of the temporary */
	const struct sftp_handle *folder;  /* to be flushed; NULL: none */
};
/* A lost answer is settled by looking. */
int sftp_publish(struct sftp_call *call, const struct sftp_publish *publish)
	STORE_WARN_UNUSED;
/* Move over what is there where no rename does that at once. */
int sftp_displace(struct sftp_call *call, const struct sftp_publish *publish)
	STORE_WARN_UNUSED;
/* A name that must be free, for what `attributes` tell of. */
int sftp_rename_free(struct sftp_call *call, const struct sftp_publish *publish,
		     const struct sftp_attributes *attributes)
	STORE_WARN_UNUSED;
/*
 * A displaced folder `name` in `folder` (a path): what it holds comes back
 * unless it was replaced.  Has a name come back?
 */
bool sftp_mend(struct sftp_call *call, const char *folder, const char *name);

/* ---- sync.c ---- */

/* Does the server make names durable when it is asked to? */
bool sftp_folder_flushes(struct sftp_call *call);
/*
 * A handle for the folder in which `path` is a name, begun and ended by two;
 * *request is NULL, and nothing opened, where that is of no use.
 */
int sftp_folder_open_send(struct sftp_call *call, const char *path,
			  struct sftp_request **request) STORE_WARN_UNUSED;
int sftp_folder_open_settle(struct sftp_call *call,
			    struct sftp_request **request,
			    struct sftp_handle *handle, bool *opened)
	STORE_WARN_UNUSED;
/* The answer to an FSYNC of such a handle. */
int sftp_folder_flush_settle(struct sftp_call *call,
			     struct sftp_request **request) STORE_WARN_UNUSED;
/* All of it. */
int sftp_folder_flush(struct sftp_call *call, const char *path)
	STORE_WARN_UNUSED;
int sftp_sync(void *self, struct store_context *context, const char *key,
	      struct store_error *error);

/* ---- names.c ---- */

int sftp_make_node(void *self, struct store_context *context,
		   const struct backend_node_request *request,
		   struct store_info *info, struct store_error *error);
int sftp_link(void *self, struct store_context *context, const char *from,
	      const char *to, struct store_info *info,
	      struct store_error *error);
int sftp_remove(void *self, struct store_context *context, const char *key,
		const struct store_precondition *precondition,
		struct store_error *error);
int sftp_make_dir(void *self, struct store_context *context, const char *key,
		  const struct store_attributes *attributes,
		  struct store_info *info, struct store_error *error);
int sftp_remove_dir(void *self, struct store_context *context, const char *key,
		    struct store_error *error);
int sftp_move(void *self, struct store_context *context,
	      const struct backend_move_request *request,
	      struct store_info *info, struct store_error *error);

/* ---- attribute.c ---- */

int sftp_set_attributes(void *self, struct store_context *context,
			const char *key,
			const struct store_attributes *attributes,
			struct store_info *info, struct store_error *error);
/*
 * What to set, given what there is: owner first, then the rest, as changing
 * an owner takes bits of the mode away.  Returns how many of the two.
 */
size_t sftp_attributes_of(const struct store_attributes *wanted,
			  const struct sftp_attributes *now,
			  struct sftp_attributes set[2]);

#endif
