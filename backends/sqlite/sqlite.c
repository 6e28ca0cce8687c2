// SPDX-License-Identifier: MIT
/*
 * The SQLite store: files as rows of one table in a database file.
 *
 * What it is: the table of remote-store, so that both (and any client of that
 *   layout) read and write the same files at the same time.  What the layout
 *   has no place for, from modes to empty folders, is kept beside it: see
 *   schema.h.
 * Keys: byte for byte, as text.  A key that is not UTF-8 is stored all the
 *   same; a client that insists on UTF-8 fails on it.  No key has a NUL.
 * Limits: a file is one row, so it has at most 10^9 bytes less 20,000; more
 *   is TOO_LARGE before anything is written.  Zeros are stored.
 * Folders: those made here, also above a file that is put, have a row of
 *   their own and stay.  Those of other clients exist by what is below them.
 * Consistency: one operation is one transaction, so everything is atomic and
 *   conditional.  A file is durable when its put returns (synchronous=FULL),
 *   and with it all before it; other changes with the next put or sync, in
 *   their order.  sync=full makes each durable, sync=normal none before the
 *   next checkpoint.
 * Foreign writes: known by the row's number, size and modified_at, which all
 *   clients set when they write.  Attributes are kept, times and version
 *   follow.  An edit inside a body of more than 4 MiB leaves modified_at as
 *   it was, since setting it would rewrite the row.
 * Concurrency: readers in parallel, one writer: see database.h.  Several
 *   processes are fine on one machine; network file systems are not.
 *   A process must not fork while a store is open and use it in the child.
 *
 * Called by the core through the table at the end.
 */
#include "config.h"

#include "backends/sqlite/database.h"
#include "backends/sqlite/entry.h"
#include "backends/sqlite/operations.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "src/base/buf.h"
#include "src/base/cleanup.h"
#include "src/option.h"
#include "src/url.h"

/* ---- options ---- */

static const char default_table[] = "remote_store_objects";

static const struct store_option sqlite_options[] = {
	{ .name = "path", .type = OPTION_PATH, .help = "The database file" },
	{ .name = "url",
	  .type = OPTION_TEXT,
	  .help = "The database as sqlite:////absolute or sqlite:///relative" },
	{ .name = "table_name",
	  .type = OPTION_TEXT,
	  .fallback = "remote_store_objects",
	  .help = "The table" },
	{ .name = "create_table",
	  .type = OPTION_FLAG,
	  .fallback = "true",
	  .help = "Make file and tables where they are missing" },
	{ .name = "max_blob_size",
	  .type = OPTION_SIZE,
	  .help = "Largest file it takes",
	  .minimum = 1 },
	{ .name = "sync",
	  .type = OPTION_CHOICE,
	  .choices = "data|full|normal",
	  .fallback = "data",
	  .help = "What is durable at once: files, all, nothing" },
	{ .name = NULL },
};

static int no_file(const char *what, struct store_error *error)
{
	return store_error_set(error, STORE_INVALID,
			       "%s: give the database file as "
			       "sqlite:////absolute or sqlite:///relative",
			       what);
}

/* The path in a URL, as SQLAlchemy counts slashes; borrowed. */
static int url_path(const struct store_url *url, const char *what,
		    const char **path, struct store_error *error)
{
	if (url->user || url->password || url->host[0] || url->port >= 0)
		return store_error_set(error, STORE_INVALID,
				       "%s: a SQLite store has no host", what);
	if (url->path[0] != '/' || !url->path[1])
		return no_file(what, error);
	*path = url->path + 1;
	if (strcmp(*path, ":memory:") == 0)
		return store_error_set(
			error, STORE_INVALID,
			"%s: for a store in memory take memory:", what);
	return STORE_OK;
}

static int sqlite_from_url(const struct store_url *url,
			   struct option_values *values, const char *source,
			   struct store_error *error)
{
	const char *path;
	int code = url_path(url, source, &path, error);

	if (!code)
		code = option_values_set(values, "path", path, source, error);
	return code;
}

/* A relative path counts from the working directory. */
static int absolute(const char *path, char **text, struct store_error *error)
{
	CLEANUP_FREE char *here = NULL;
	CLEANUP_BUF struct buf buf = BUF_INIT(65536);

	if (path[0] != '/') {
		here = getcwd(NULL, 0);
		if (!here)
			return store_error_errno(error, errno,
						 "the working directory");
		buf_addf(&buf, "%s/", here);
	}
	buf_add_text(&buf, path);
	*text = buf_steal(&buf);
	if (!*text)
		return store_error_set(error, STORE_NO_MEMORY, "%s",
				       store_code_text(STORE_NO_MEMORY));
	return STORE_OK;
}

/* The option `url`, as remote-store writes it. */
static int path_of_url(const char *text, char **path, struct store_error *error)
{
	struct store_url url;
	const char *inside;
	int code = store_url_parse(text, &url, error);

	if (code)
		return code;
	if (strcmp(url.scheme, "sqlite") != 0 &&
	    strcmp(url.scheme, "sqlite+pysqlite") != 0)
		code = no_file("url", error);
	else if (url.query)
		code = store_error_set(error, STORE_INVALID,
				       "url: give options by their own names");
	else
		code = url_path(&url, "url", &inside, error);
	if (!code)
		code = absolute(inside, path, error);
	store_url_release(&url);
	return code;
}

static int find_path(const struct option_values *values, char **path,
		     struct store_error *error)
{
	const char *url = option_text(values, "url");

	if (option_is_set(values, "path") && url)
		return store_error_set(error, STORE_INVALID,
				       "give path or url, not both");
	if (url)
		return path_of_url(url, path, error);
	if (!option_is_set(values, "path"))
		return store_error_set(error, STORE_INVALID,
				       "the option path is missing: the "
				       "database file");
	return absolute(option_text(values, "path"), path, error);
}

static int sqlite_configure(const struct option_values *values, void **self,
			    struct store_error *error)
{
	const char *table = option_text(values, "table_name");
	struct sqlite_settings settings = {
		.create = option_flag(values, "create_table"),
		.sync = (enum sqlite_durable)option_choice(values, "sync"),
		.max_size = (uint64_t)option_number(values, "max_blob_size"),
	};
	int code;

	if (!sqlite_table_name_ok(table))
		return store_error_set(error, STORE_INVALID,
				       "table_name: letters, digits and _, "
				       "not beginning with sqlite_");
	code = find_path(values, &settings.path, error);
	if (code)
		return code;
	settings.table = strdup(table);
	*self = settings.table ? sqlite_database_new(&settings) : NULL;
	if (*self)
		return STORE_OK;
	free(settings.path);
	free(settings.table);
	return store_error_set(error, STORE_NO_MEMORY, "%s",
			       store_code_text(STORE_NO_MEMORY));
}

/* ---- life ---- */

static int sqlite_open(void *self, struct store_context *context,
		       struct store_error *error)
{
	struct sqlite_database *database = self;
	struct store_error found = STORE_ERROR_INIT;
	int code;

	if (!sqlite3_threadsafe())
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "this SQLite is without threads");
	code = sqlite_database_open(database, context, &found);
	/* What is not ours to make may come later; every call says so. */
	if (code == STORE_NOT_FOUND && !database->settings.create)
		return STORE_OK;
	if (code)
		*error = found;
	return code;
}

static void sqlite_close(void *self)
{
	sqlite_database_free(self);
}

extern const struct store_backend sqlite_backend;

static uint64_t sqlite_has(void *self)
{
	struct sqlite_database *database = self;
	uint64_t caps = sqlite_backend.capabilities;

	if (atomic_load(&database->lacks_side))
		caps &= ~(uint64_t)(STORE_CAP_FOLDERS | STORE_CAP_POSIX |
				    STORE_CAP_LINKS | STORE_CAP_SYMLINKS |
				    STORE_CAP_NODES | STORE_CAP_XATTR);
	if (atomic_load(&database->lacks_metadata))
		caps &= ~(uint64_t)STORE_CAP_USER_METADATA;
	if (atomic_load(&database->lacks_publish))
		caps &= ~(uint64_t)STORE_CAP_PUBLISH_ID;
	return caps;
}

static int ping_body(struct sqlite_txn *txn, void *arg UNUSED)
{
	struct sqlite_entry root;

	return sqlite_entry_load(txn, "", &root);
}

static int sqlite_ping(void *self, struct store_context *context,
		       struct store_error *error)
{
	struct sqlite_database *database = self;
	const char *path = database->settings.path;
	struct stat st;

	/* SQLite goes on happily with a file that was unlinked. */
	if (stat(path, &st))
		return store_error_errno(error, errno, "%s", path);
	return sqlite_read(database, context, ping_body, NULL, error);
}

static int sqlite_usage(void *self, struct store_context *context UNUSED,
			struct store_usage *usage, struct store_error *error)
{
	const struct sqlite_database *database = self;
	struct statvfs fs;

	if (statvfs(database->settings.path, &fs))
		return store_error_errno(error, errno, "%s",
					 database->settings.path);
	*usage = (struct store_usage){
		.total = (uint64_t)fs.f_blocks * fs.f_frsize,
		.free = (uint64_t)fs.f_bfree * fs.f_frsize,
		.available = (uint64_t)fs.f_bavail * fs.f_frsize,
	};
	return STORE_OK;
}

static char *sqlite_identity(void *self)
{
	const struct sqlite_database *database = self;
	CLEANUP_BUF struct buf buf = BUF_INIT(262144);
	const char *p;

	buf_add_text(&buf, "sqlite:///");
	for (p = database->settings.path; *p; p++)
		if (*p == '%' || *p == '?' || (unsigned char)*p <= ' ')
			buf_addf(&buf, "%%%02X", (unsigned char)*p);
		else
			buf_add_char(&buf, *p);
	if (strcmp(database->settings.table, default_table) != 0)
		buf_addf(&buf, "?table_name=%s", database->settings.table);
	return buf_steal(&buf);
}

static char *sqlite_local_path(void *self)
{
	const struct sqlite_database *database = self;

	return strdup(database->settings.path);
}

static uint64_t sqlite_max_size(void *self)
{
	return sqlite_body_max(self);
}

/* ---- table ---- */

static const char *const sqlite_schemes[] = { "sqlite", NULL };

const struct store_backend sqlite_backend = {
	.name = "sqlite",
	.schemes = sqlite_schemes,
	.summary = "Files in a table of a SQLite database",
	.options = sqlite_options,
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_COPY |
			STORE_CAP_ATOMIC_WRITE | STORE_CAP_METADATA |
			STORE_CAP_USER_METADATA | STORE_CAP_ATOMIC_MOVE |
			STORE_CAP_SEEKABLE_READ | STORE_CAP_LAZY_READ |
			STORE_CAP_WRITE_RESULT | STORE_CAP_CONDITIONAL |
			STORE_CAP_COMPOSE | STORE_CAP_FOLDERS |
			STORE_CAP_MOVE_FOLDER | STORE_CAP_EXCHANGE |
			STORE_CAP_POSIX | STORE_CAP_LINKS | STORE_CAP_SYMLINKS |
			STORE_CAP_NODES | STORE_CAP_XATTR | STORE_CAP_USAGE |
			STORE_CAP_PUBLISH_ID | STORE_CAP_NEAR,
	.concurrency = STORE_PARALLEL,
	.from_url = sqlite_from_url,
	.configure = sqlite_configure,
	.open = sqlite_open,
	.close = sqlite_close,
	.has = sqlite_has,
	.ping = sqlite_ping,
	.stat = sqlite_stat,
	.list = sqlite_list,
	.open_reader = sqlite_open_reader,
	.read = sqlite_read_at,
	.close_reader = sqlite_close_reader,
	.put = sqlite_put,
	.make_node = sqlite_make_node,
	.link = sqlite_link,
	.remove = sqlite_remove,
	.make_dir = sqlite_make_dir,
	.remove_dir = sqlite_remove_dir,
	.remove_tree = sqlite_remove_tree,
	.move = sqlite_move,
	.copy = sqlite_copy,
	.set_attributes = sqlite_set_attributes,
	.get_xattr = sqlite_get_xattr,
	.list_xattrs = sqlite_list_xattrs,
	.set_xattr = sqlite_set_xattr,
	.remove_xattr = sqlite_remove_xattr,
	.totals = sqlite_totals,
	.usage = sqlite_usage,
	.sync = sqlite_sync,
	.identity = sqlite_identity,
	.local_path = sqlite_local_path,
	.max_size = sqlite_max_size,
};
