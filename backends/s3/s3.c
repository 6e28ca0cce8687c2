// SPDX-License-Identifier: MIT
/*
 * The S3 store: files as objects of a bucket, of AWS or any server that
 * speaks its protocol.
 *
 * Keys: the name of the object below `root`.  UTF-8, at most 1024 bytes with
 *   the root; others are INVALID before any request.
 * Limits: 5 TiB a file.  More than single_max goes in parts.  Attributes,
 *   extended ones, and user metadata share the 2 KiB of headers S3 has for
 *   them.
 * Symlinks: objects whose mode says so, with the target as their bytes.  A
 *   listing shows them as files.
 * Folders: an object with a '/' behind its name, or what is below it.  Files
 *   are put without their folders being made or asked for, so a file `a` and
 *   a file `a/b` may both be there, and a folder whose marker nobody made
 *   goes with its last file.
 * Consistency: that of the server: a put appears whole, and every look after
 *   it sees it.  Conditions differ from server to server (conditions.c).
 *   Moves are a copy and a removal.  Readers are pinned to a version, but do
 *   not survive its end.
 * Version: the ETag.
 * Concurrency: any; one connection per call in progress.
 *
 * Called by the core through the table at the end.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <stdlib.h>
#include <string.h>

#include "backends/s3/options.h"

/* ---- life ---- */

static int s3_open(void *self, struct store_context *context,
		   struct store_error *error)
{
	struct s3 *s3 = self;
	int code = http_engine_new(&s3->http, &s3->engine, error);

	if (code)
		return code;
	if (s3->settings.region)
		s3->region = strdup(s3->settings.region);
	else
		s3->region = s3_credentials_region(s3->credentials);
	if (!s3->region)
		s3->region = strdup("us-east-1");
	if (!s3->region)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	if (s3->settings.conditions == S3_CONDITIONS_PROBE)
		code = s3_probe(s3, context, error);
	if (!code && s3->settings.stale_ns)
		code = s3_abort_stale(s3, context, error);
	return code;
}

static void s3_close(void *self)
{
	struct s3 *s3 = self;

	http_engine_free(s3->engine);
	free(s3->region);
	s3_options_release(s3);
	lock_destroy(&s3->lock);
	free(s3);
}

extern const struct store_backend s3_backend;

static uint64_t s3_has(void *self)
{
	struct s3 *s3 = self;
	unsigned int honoured = atomic_load(&s3->honoured);
	uint64_t caps = s3_backend.capabilities;

	if ((honoured & S3_ALL_CONDITIONS) != S3_ALL_CONDITIONS)
		caps &= ~(uint64_t)STORE_CAP_CONDITIONAL;
	return caps;
}

/* ---- names ---- */

static char *s3_native_path(void *self, const char *key)
{
	const struct s3 *s3 = self;
	CLEANUP_BUF struct buf path = BUF_INIT(16384);

	buf_addf(&path, "%s/%s%s", s3->settings.bucket, s3->settings.root, key);
	/* The root is a folder: without the '/' behind it. */
	if (!*key)
		path.data[--path.length] = '\0';
	return buf_steal(&path);
}

static char *s3_to_key(void *self, const char *native)
{
	const struct s3 *s3 = self;
	CLEANUP_BUF struct buf root = BUF_INIT(16384);

	buf_addf(&root, "%s/%s", s3->settings.bucket, s3->settings.root);
	if (root.failed)
		return NULL;
	if (strncmp(native, root.data, root.length) == 0)
		return strdup(native + root.length);
	/* The root itself, without its '/'. */
	if (strncmp(native, root.data, root.length - 1) == 0 &&
	    !native[root.length - 1])
		return strdup("");
	return NULL;
}

static char *s3_identity(void *self)
{
	const struct s3 *s3 = self;
	const struct s3_settings *settings = &s3->settings;
	CLEANUP_BUF struct buf buf = BUF_INIT(65536);
	const char *p;

	buf_addf(&buf, "s3://%s", settings->bucket);
	if (*settings->root)
		buf_add_char(&buf, '/');
	for (p = settings->root; *p && (p[0] != '/' || p[1]); p++)
		if (*p == '%' || *p == '?' || (unsigned char)*p <= ' ')
			buf_addf(&buf, "%%%02X", (unsigned char)*p);
		else
			buf_add_char(&buf, *p);
	if (settings->endpoint)
		buf_addf(&buf, "?endpoint_url=%s", settings->endpoint);
	return buf_steal(&buf);
}

static uint64_t s3_max_size(void *self)
{
	(void)self;
	return S3_SIZE_MAX;
}

static const struct wire_counters *s3_wire(void *self)
{
	const struct s3 *s3 = self;

	return http_wire(s3->engine);
}

/* ---- table ---- */

static const char *const s3_schemes[] = { "s3", NULL };

const struct store_backend s3_backend = {
	.name = "s3",
	.schemes = s3_schemes,
	.summary = "Objects of a bucket of AWS S3, Ceph, MinIO and others",
	.options = s3_options,
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_COPY |
			STORE_CAP_ATOMIC_WRITE | STORE_CAP_METADATA |
			STORE_CAP_USER_METADATA | STORE_CAP_SEEKABLE_READ |
			STORE_CAP_LAZY_READ | STORE_CAP_WRITE_RESULT |
			STORE_CAP_CONDITIONAL | STORE_CAP_COMPOSE |
			STORE_CAP_MARKERS | STORE_CAP_POSIX |
			STORE_CAP_PUBLISH_ID | STORE_CAP_RESUME |
			STORE_CAP_SYMLINKS | STORE_CAP_XATTR,
	.concurrency = STORE_PARALLEL,
	.lists_recursively = true,
	.from_url = s3_from_url,
	.configure = s3_configure,
	.open = s3_open,
	.close = s3_close,
	.has = s3_has,
	.ping = s3_ping,
	.stat = s3_stat,
	.stat_listed = s3_stat_listed,
	.list = s3_list,
	.open_reader = s3_open_reader,
	.open_small = s3_open_small,
	.read = s3_read,
	.close_reader = s3_close_reader,
	.put = s3_put,
	.put_ahead = s3_put_ahead,
	.drop_upload = s3_drop_upload,
	.make_node = s3_make_node,
	.remove = s3_remove,
	.remove_many = s3_remove_many,
	.make_dir = s3_make_dir,
	.make_missing_dir = s3_make_missing_dir,
	.remove_dir = s3_remove_dir,
	.move = s3_move,
	.copy = s3_copy_file,
	.set_attributes = s3_set_attributes,
	.get_xattr = s3_get_xattr,
	.list_xattrs = s3_list_xattrs,
	.set_xattr = s3_set_xattr,
	.remove_xattr = s3_remove_xattr,
	.native_path = s3_native_path,
	.to_key = s3_to_key,
	.identity = s3_identity,
	.max_size = s3_max_size,
	.wire = s3_wire,
	.check_xattrs = s3_check_xattrs,
};
