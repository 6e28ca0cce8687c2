// SPDX-License-Identifier: MIT
/*
 * The local store: a folder of this machine.
 *
 * What it is: keys are paths below `root`, as they are.  Any file system
 *   will do; what one lacks is a capability that is missing (has()), or a
 *   slower way.  Other programs may work in the same folder.
 * Files: path.c from keys to descriptors, node.c tokens and ids, xattr.c,
 *   attribute.c, reader.c, list.c, names.c and move.c; put.c and copy.c on
 *   top of publish.c, temporary.c, bytes.c and journal.c.
 * Keys: bytes, a component is a name.  Symlinks are data: one among the
 *   parents of a key is refused, so no key leads out of the root, whatever
 *   others do to the tree meanwhile.  Names that start with ".storefs-tmp."
 *   are the store's own: refused as keys, hidden from listings.
 * Writing: a new version is a new file, fsynced before it gets the name; a
 *   free name is linked (which is exclusive), a taken one is renamed over.
 *   A file with several links is written in place under KEEP, so that the
 *   links go on sharing it: journaled, not atomic for readers of that
 *   moment, who get CHANGED.  What a killed writer may leave under a hidden
 *   name goes when its folder is listed or removed the next time.
 * Durability: puts and copies fsync the file and its folder.  Other changes
 *   of names are durable at the sync of their folder (fsync of a directory
 *   in a mount), at the next put, or when the file system commits its
 *   journal, as for any program; with sync=full each is followed by an
 *   fsync of its folder, which makes removing a tree a hundred times slower.
 * Consistency: version tokens are explained in node.h, conditions and locks
 *   in publish.h.  A root that is missing is empty, and made by the first
 *   put.
 * Concurrency: any number of threads and processes.  flock()s of folders
 *   are held for a rename; the lock of the instance guards the table of
 *   readers and the parked listings.
 */
#include "config.h"

#include "backends/local/local.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>

#include "backends/local/attribute.h"
#include "backends/local/journal.h"
#include "backends/local/list.h"
#include "backends/local/names.h"
#include "backends/local/node.h"
#include "backends/local/path.h"
#include "backends/local/put.h"
#include "backends/local/reader.h"
#include "backends/local/xattr.h"
#include "src/base/buf.h"
#include "src/base/cleanup.h"
#include "src/base/text.h"
#include "src/key.h"
#include "src/option.h"
#include "src/url.h"

/* ---- options ---- */

static const struct store_option local_options[] = {
	{ .name = "root",
	  .type = OPTION_PATH,
	  .help = "Folder that is the store",
	  .flags = OPTION_REQUIRED },
	{ .name = "sync",
	  .type = OPTION_CHOICE,
	  .fallback = "data",
	  .choices = "full|data",
	  .help = "Whether names are fsynced one by one, or only with data" },
	{ .name = "fsync",
	  .type = OPTION_FLAG,
	  .fallback = "yes",
	  .help = "Whether anything is fsynced",
	  .flags = OPTION_HIDDEN },
	{ .name = "portable",
	  .type = OPTION_FLAG,
	  .fallback = "no",
	  .help = "Do without what some systems lack",
	  .flags = OPTION_HIDDEN },
	{ .name = NULL },
};

static int local_from_url(const struct store_url *url,
			  struct option_values *values, const char *source,
			  struct store_error *error)
{
	if (url->user || url->password || url->port >= 0 ||
	    (*url->host && strcmp(url->host, "localhost") != 0))
		return store_error_set(error, STORE_INVALID,
				       "file: takes no host but localhost");
	if (*url->path != '/')
		return store_error_set(error, STORE_INVALID,
				       "file: needs an absolute path");
	return option_values_set(values, "root", url->path, source, error);
}

/* The path without what makes no difference: "//", "/./", a '/' at the end. */
static char *clean_root(const char *path)
{
	CLEANUP_FREE char *key = NULL;
	char *root;

	if (key_normalise(path, true, &key, NULL)) {
		root = strdup(path); /* with "..": the kernel knows where */
		return root;
	}
	root = malloc(strlen(key) + 2);
	if (!root)
		return NULL;
	root[0] = '/';
	memcpy(root + 1, key, strlen(key) + 1);
	return root;
}

static int local_configure(const struct option_values *values, void **self,
			   struct store_error *error)
{
	struct local *local = calloc(1, sizeof(*local));
	char *root = clean_root(option_text(values, "root"));

	if (!local || !root) {
		free(local);
		free(root);
		return store_error_errno(error, ENOMEM, "configure");
	}
	local->root = root;
	local->sync_data = option_flag(values, "fsync");
	local->sync_names =
		local->sync_data && option_choice(values, "sync") == 0;
	local->portable = option_flag(values, "portable");
	atomic_init(&local->root_fd, -1);
	atomic_init(&local->lacks_tmpfile, local->portable);
	atomic_init(&local->lacks_getxattrat, local->portable);
	lock_init(&local->lock);
	*self = local;
	return STORE_OK;
}

/* ---- life ---- */

static bool flocks_work(int fd)
{
	CLEANUP_FD int own = openat(fd, ".", O_RDONLY | O_CLOEXEC);

	return own < 0 || flock(own, LOCK_SH | LOCK_NB) == 0 ||
	       errno == EWOULDBLOCK;
}

static int local_open(void *self, struct store_context *context,
		      struct store_error *error)
{
	struct local *local = self;
	int code = store_context_check(context, error);
	int root;

	if (code)
		return code;
	local->has_openat2 = !local->portable && local_openat2_works();
	if (local_root_open(local)) {
		if (errno == ENOENT) /* made by the first put */
			return STORE_OK;
		return store_error_errno(error, errno, "open %s", local->root);
	}
	local->real_root = realpath(local->root, NULL);
	root = atomic_load(&local->root_fd);
	atomic_store(&local->lacks_xattrs, !local_xattrs_work(root));
	atomic_store(&local->lacks_locks, !flocks_work(root));
	local_journal_recover_all(local);
	return STORE_OK;
}

static void local_close(void *self)
{
	struct local *local = self;
	int root = atomic_load(&local->root_fd);

	local_list_forget(local);
	if (root >= 0)
		close(root);
	lock_destroy(&local->lock);
	free(local->real_root);
	free(local->root);
	free(local);
}

static int local_ping(void *self, struct store_context *context,
		      struct store_error *error)
{
	struct local *local = self;
	CLEANUP_FD int fd = -1;
	int code = store_context_check(context, error);

	if (code)
		return code;
	if (local_root_check(local))
		return store_error_errno(error, errno, "open %s", local->root);
	fd = local_open_path(local, "", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return store_error_errno(error, errno, "open %s", local->root);
	local_journal_recover_all(local);
	return STORE_OK;
}

static int local_sync(void *self, struct store_context *context,
		      const char *key, struct store_error *error)
{
	struct local *local = self;
	CLEANUP_FD int fd = -1;
	int code = store_context_check(context, error);

	if (code || !local->sync_data)
		return code;
	code = local_open_key(local, key, O_RDONLY | O_DIRECTORY, &fd, error);
	if (code == STORE_NOT_FOUND || code == STORE_NOT_DIR) {
		store_error_clear(error);
		return STORE_OK;
	}
	if (!code && fsync(fd))
		return local_fail(error, errno, "sync");
	return code;
}

static int local_usage(void *self, struct store_context *context,
		       struct store_usage *usage, struct store_error *error)
{
	CLEANUP_FD int fd = -1;
	struct statvfs fs;
	int code = store_context_check(context, error);

	if (!code)
		code = local_open_key(self, "", O_PATH, &fd, error);
	if (code)
		return code;
	if (fstatvfs(fd, &fs))
		return store_error_errno(error, errno, "ask for free space");
	*usage = (struct store_usage){
		.total = (uint64_t)fs.f_blocks * fs.f_frsize,
		.free = (uint64_t)fs.f_bfree * fs.f_frsize,
		.available = (uint64_t)fs.f_bavail * fs.f_frsize,
		.nodes = fs.f_files,
		.nodes_free = fs.f_ffree,
	};
	return STORE_OK;
}

/* ---- asking ---- */

/* A root that is missing is an empty folder all the same. */
static void missing_root(struct store_info *info)
{
	*info = (struct store_info){
		.type = STORE_TYPE_FOLDER,
		.implicit = true,
		.links = 1,
	};
}

static int local_stat(void *self, struct store_context *context,
		      const char *key, struct store_info *info,
		      struct store_details *details, struct store_error *error)
{
	struct local *local = self;
	CLEANUP_FD int fd = -1;
	struct local_stat st;
	int code = store_context_check(context, error);

	if (!code && !*key && local_root_check(local) && errno == ENOENT) {
		missing_root(info);
		return STORE_OK;
	}
	if (!code)
		code = local_open_key(local, key, O_PATH, &fd, error);
	if (code)
		return code;
	if (local_stat_at(fd, "", &st))
		return local_fail(error, errno, "look at");
	if (details)
		code = local_fill_details(self, fd, &st, details, error);
	if (code)
		return code;
	local_info_of(local, &st, local_id_of(local, fd, &st), info);
	return STORE_OK;
}

/* ---- names of other tools ---- */

static char *local_native_path(void *self, const char *key)
{
	const struct local *local = self;
	bool top = strcmp(local->root, "/") == 0;
	struct buf path = BUF_INIT(2 * PATH_MAX);

	if (!top || !*key)
		buf_add_text(&path, local->root);
	if (*key) {
		buf_add_char(&path, '/');
		buf_add_text(&path, key);
	}
	return buf_steal(&path);
}

/* What stands behind the root in the path; NULL when it is not below. */
static const char *below(const char *root, const char *path)
{
	size_t length = root ? strlen(root) : 0;

	if (length == 1)
		return path[0] == '/' ? path + 1 : NULL;
	if (!length || strncmp(path, root, length) != 0 ||
	    (path[length] && path[length] != '/'))
		return NULL;
	return path[length] ? path + length + 1 : path + length;
}

static char *local_to_key(void *self, const char *native)
{
	const struct local *local = self;
	CLEANUP_FREE char *path = NULL;
	const char *rest;

	if (native[0] != '/')
		return NULL;
	path = clean_root(native);
	if (!path)
		return NULL;
	rest = below(local->root, path);
	if (!rest)
		rest = below(local->real_root, path);
	return rest ? strdup(rest) : NULL;
}

static char *local_path(void *self)
{
	const struct local *local = self;

	return strdup(local->real_root ? local->real_root : local->root);
}

static char *local_identity(void *self)
{
	static const char plain[] = "/-._~";
	const struct local *local = self;
	struct buf text = BUF_INIT(4 * PATH_MAX);
	const char *at = local->real_root ? local->real_root : local->root;

	buf_add_text(&text, "file://");
	for (; *at; at++) {
		unsigned char c = (unsigned char)*at;

		if (c < 0x80 && (isalnum(c) || strchr(plain, c)))
			buf_add_char(&text, *at);
		else
			buf_addf(&text, "%%%02X", c);
	}
	return buf_steal(&text);
}

/* ---- the table ---- */

#define LOCAL_CAPABILITIES                                                    \
	(STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |                \
	 STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_COPY |                   \
	 STORE_CAP_ATOMIC_WRITE | STORE_CAP_METADATA |                        \
	 STORE_CAP_USER_METADATA | STORE_CAP_ATOMIC_MOVE |                    \
	 STORE_CAP_SEEKABLE_READ | STORE_CAP_LAZY_READ |                      \
	 STORE_CAP_WRITE_RESULT | STORE_CAP_CONDITIONAL | STORE_CAP_COMPOSE | \
	 STORE_CAP_PINNED_READ | STORE_CAP_FOLDERS | STORE_CAP_MOVE_FOLDER |  \
	 STORE_CAP_EXCHANGE | STORE_CAP_POSIX | STORE_CAP_LINKS |             \
	 STORE_CAP_SYMLINKS | STORE_CAP_NODES | STORE_CAP_XATTR |             \
	 STORE_CAP_USAGE | STORE_CAP_SPARSE | STORE_CAP_PUBLISH_ID |          \
	 STORE_CAP_NEAR)

static uint64_t local_has(void *self)
{
	const struct local *local = self;
	uint64_t has = LOCAL_CAPABILITIES;

	if (atomic_load(&local->lacks_xattrs))
		has &= ~(uint64_t)(STORE_CAP_XATTR | STORE_CAP_USER_METADATA |
				   STORE_CAP_PUBLISH_ID);
	if (atomic_load(&local->lacks_locks))
		has &= ~(uint64_t)STORE_CAP_CONDITIONAL;
	return has;
}

static const char *const local_schemes[] = { "file", NULL };

const struct store_backend local_backend = {
	.name = "local",
	.schemes = local_schemes,
	.summary = "A folder of this machine",
	.options = local_options,
	.capabilities = LOCAL_CAPABILITIES,
	.concurrency = STORE_PARALLEL,
	.from_url = local_from_url,
	.configure = local_configure,
	.open = local_open,
	.close = local_close,
	.has = local_has,
	.ping = local_ping,
	.stat = local_stat,
	.list = local_list,
	.open_reader = local_open_reader,
	.read = local_read,
	.close_reader = local_close_reader,
	.reader_data = local_reader_data,
	.put = local_put,
	.make_node = local_make_node,
	.link = local_link,
	.remove = local_remove,
	.make_dir = local_make_dir,
	.remove_dir = local_remove_dir,
	.move = local_move,
	.copy = local_copy,
	.set_attributes = local_set_attributes,
	.get_xattr = local_get_xattr,
	.list_xattrs = local_list_xattrs,
	.set_xattr = local_set_xattr,
	.remove_xattr = local_remove_xattr,
	.usage = local_usage,
	.sync = local_sync,
	.upload_begin = local_upload_begin,
	.upload_write = local_upload_write,
	.upload_commit = local_upload_commit,
	.upload_abort = local_upload_abort,
	.native_path = local_native_path,
	.to_key = local_to_key,
	.identity = local_identity,
	.local_path = local_path,
};
