// SPDX-License-Identifier: MIT
/*
 * The SFTP store: a folder of another machine.
 *
 * What it is: keys are paths below `base_path`, as they are.  Protocol
 *   version 3, which every server speaks, with OpenSSH's extensions where
 *   they are announced; what a server lacks is a capability that is missing.
 * Files: options.c and settings.c what the user says; connect.c and the
 *   transports the stream; packet.c, session*.c, waiter.c and pool.c requests
 *   in flight over connections; call.c requests of one call; path.c, stat.c,
 *   list.c, read.c, put.c on top of publish.c, names.c, move.c, attribute.c.
 * Keys: bytes.  No key leads out of the root through a symlink, as far as a
 *   check just before can see to that, unless follow_symlinks.  Names that
 *   begin with ".storefs-tmp." or ".storefs-old." are the store's own:
 *   refused as keys, hidden from listings.
 * Writing: a temporary beside the target, fsynced where the server can, then
 *   renamed; publish.c tells how, and what is not atomic.
 * Consistency: versions are size and seconds, weak; conditions are checked
 *   just before, so that CONDITIONAL is not claimed.
 * Concurrency: any number of threads; see session.h.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sftp/options.h"
#include "backends/sftp/sftp.h"
#include "src/base/buf.h"
#include "src/base/random.h"
#include "src/key.h"

/* ---- life ---- */

/* Without what makes no difference: a '/' at the end. */
static char *clean_base(const char *path)
{
	char *base = strdup(path ? path : "");
	size_t length = base ? strlen(base) : 0;

	while (length > 1 && base[length - 1] == '/')
		base[--length] = '\0';
	return base;
}

static void sftp_free(struct sftp *sftp)
{
	if (sftp->pooled) {
		sftp_list_forget(sftp);
		sftp_pool_release(&sftp->pool);
	}
	lock_destroy(&sftp->lock);
	sftp_idmap_release(&sftp->idmap);
	sftp_settings_release(&sftp->settings);
	free(sftp->real_base);
	free(sftp->base);
	free(sftp);
}

static int sftp_configure(const struct option_values *values, void **self,
			  struct store_error *error)
{
	struct sftp *sftp = calloc(1, sizeof(*sftp));
	int code;

	if (!sftp)
		return store_error_errno(error, ENOMEM, "configure");
	lock_init(&sftp->lock);
	atomic_init(&sftp->careful, true);
	atomic_init(&sftp->behind, 0);
	sftp->seed = random_number();
	sftp->machine = sftp_machine();
	code = sftp_settings_fill(values, &sftp->settings, error);
	if (!code) {
		sftp->base = clean_base(sftp->settings.base_path);
		if (!sftp->base)
			code = store_error_errno(error, ENOMEM, "configure");
		else if (strlen(sftp->base) > STORE_KEY_MAX)
			code = store_error_set(error, STORE_INVALID,
					       "base_path is too long");
	}
	if (code) {
		sftp_free(sftp);
		return code;
	}
	*self = sftp;
	return STORE_OK;
}

/* What is left of a crash in the root, where nobody may ever look. */
static void mend_root(struct sftp *sftp, struct store_context *context)
{
	struct backend_list_request request = { .prefix = "", .limit = 1000 };
	struct store_error ignored = STORE_ERROR_INIT;
	struct store_page page;

	store_page_init(&page);
	if (sftp_list(sftp, context, &request, &page, &ignored))
		store_error_clear(&ignored);
	store_page_release(&page);
}

/* Who is who, before anything is asked for. */
static int map_owners(struct sftp_call *call)
{
	struct sftp *sftp = call->sftp;
	const struct sftp_ask ask = { .type = SFTP_LSTAT, .path = "." };
	struct sftp_request *request = NULL;
	struct sftp_attributes own;
	int code;

	if (sftp->settings.idmap == SFTP_IDMAP_FILE)
		return sftp_idmap_read(&sftp->settings, &sftp->idmap,
				       call->error);
	if (sftp->settings.idmap != SFTP_IDMAP_USER)
		return STORE_OK;
	code = sftp_call_send(call, &ask, &request);
	if (!code)
		code = sftp_call_attributes(call, &request, &own);
	return code ? code : sftp_idmap_learn(&sftp->idmap, &own, call->error);
}

static int sftp_open(void *self, struct store_context *context,
		     struct store_error *error)
{
	struct sftp *sftp = self;
	struct sftp_call call;
	int code;

	sftp_pool_init(&sftp->pool, &sftp->settings, sftp_connect);
	sftp->pooled = true;
	sftp_call_init(&call, sftp, context, error);
	code = sftp_call_connect(&call);
	if (!code) {
		const struct sftp_server *server =
			sftp_session_server(call.session);

		sftp->extensions = server->extensions;
		atomic_store(&sftp->careful,
			     !(server->extensions & SFTP_EXT_LSETSTAT));
		code = map_owners(&call);
	}
	sftp_call_release(&call);
	if (!code && !(sftp->extensions & SFTP_EXT_POSIX_RENAME))
		mend_root(sftp, context);
	return code;
}

static void sftp_close(void *self)
{
	sftp_free(self);
}

static int sftp_ping(void *self, struct store_context *context,
		     struct store_error *error)
{
	struct store_info info;
	int code = sftp_stat(self, context, "", &info, NULL, error);

	if (!code && info.type != STORE_TYPE_FOLDER)
		return store_error_set(error, STORE_NOT_DIR,
				       "base_path is no folder");
	if (!code && info.implicit)
		return store_error_set(error, STORE_NOT_FOUND,
				       "base_path is not there");
	return code;
}

/* ---- names of other tools ---- */

static char *sftp_native_path(void *self, const char *key)
{
	const struct sftp *sftp = self;
	struct buf path = BUF_INIT(SFTP_PATH_MAX);

	buf_add_text(&path, sftp->base);
	if (*sftp->base && strcmp(sftp->base, "/") != 0 && *key)
		buf_add_char(&path, '/');
	buf_add_text(&path, key);
	if (!path.length)
		buf_add_char(&path, '.');
	return buf_steal(&path);
}

static char *sftp_to_key(void *self, const char *native)
{
	const struct sftp *sftp = self;
	size_t length = strlen(sftp->base);
	char *key = NULL;

	if (length && strcmp(sftp->base, "/") != 0) {
		if (strncmp(native, sftp->base, length) != 0 ||
		    (native[length] && native[length] != '/'))
			return NULL;
		native += length;
	} else if (!length && *native == '/') {
		return NULL;
	}
	return key_normalise(native, true, &key, NULL) ? NULL : key;
}

/* sftp://user@host:port/path; /~/path for one below where sessions begin. */
static char *sftp_identity(void *self)
{
	const struct sftp *sftp = self;
	const struct sftp_settings *settings = &sftp->settings;
	struct buf text = BUF_INIT(2 * SFTP_PATH_MAX);

	buf_add_text(&text, "sftp://");
	if (settings->username)
		buf_addf(&text, "%s@", settings->username);
	buf_add_text(&text, settings->host_name ? settings->host_name
						: settings->host);
	if (settings->port)
		buf_addf(&text, ":%u", settings->port);
	buf_add_text(&text, sftp->base[0] == '/' ? "" : "/~/");
	buf_add_text(&text, sftp->base);
	return buf_steal(&text);
}

static const struct wire_counters *sftp_wire(void *self)
{
	const struct sftp *sftp = self;

	return &sftp->pool.counters;
}

/* ---- the table ---- */

#define SFTP_CAPABILITIES                                                 \
	(STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |            \
	 STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_ATOMIC_WRITE |       \
	 STORE_CAP_METADATA | STORE_CAP_ATOMIC_MOVE |                     \
	 STORE_CAP_SEEKABLE_READ | STORE_CAP_LAZY_READ |                  \
	 STORE_CAP_WRITE_RESULT | STORE_CAP_COMPOSE | STORE_CAP_FOLDERS | \
	 STORE_CAP_MOVE_FOLDER | STORE_CAP_POSIX | STORE_CAP_SYMLINKS |   \
	 STORE_CAP_USAGE | STORE_CAP_PINNED_READ)

static uint64_t sftp_has(void *self)
{
	const struct sftp *sftp = self;
	uint64_t has = SFTP_CAPABILITIES;

	if (!(sftp->extensions & SFTP_EXT_POSIX_RENAME))
		has &= ~(uint64_t)(STORE_CAP_ATOMIC_WRITE |
				   STORE_CAP_ATOMIC_MOVE);
	/* ProFTPD tells another target than it was given. */
	if (atomic_load(&sftp->careful))
		has &= ~(uint64_t)STORE_CAP_SYMLINKS;
	if (!(sftp->extensions & SFTP_EXT_COPY_DATA))
		has &= ~(uint64_t)STORE_CAP_COMPOSE;
	if (!(sftp->extensions & SFTP_EXT_STATVFS))
		has &= ~(uint64_t)STORE_CAP_USAGE;
	return has;
}

static const char *const sftp_schemes[] = { "sftp", NULL };

extern const struct store_backend sftp_backend;
const struct store_backend sftp_backend = {
	.name = "sftp",
	.schemes = sftp_schemes,
	.summary = "A folder of another machine, over SSH",
	.options = sftp_options,
	.capabilities = SFTP_CAPABILITIES,
	.concurrency = STORE_PARALLEL,
	.whole_seconds = true,
	.from_url = sftp_from_url,
	.configure = sftp_configure,
	.open = sftp_open,
	.close = sftp_close,
	.has = sftp_has,
	.ping = sftp_ping,
	.stat = sftp_stat,
	.list = sftp_list,
	.open_reader = sftp_open_reader,
	.read = sftp_read,
	.close_reader = sftp_close_reader,
	.put = sftp_put,
	.make_node = sftp_make_node,
	.link = sftp_link,
	.remove = sftp_remove,
	.make_dir = sftp_make_dir,
	.remove_dir = sftp_remove_dir,
	.move = sftp_move,
	.set_attributes = sftp_set_attributes,
	.sync = sftp_sync,
	.usage = sftp_usage,
	.native_path = sftp_native_path,
	.to_key = sftp_to_key,
	.identity = sftp_identity,
	.wire = sftp_wire,
};
