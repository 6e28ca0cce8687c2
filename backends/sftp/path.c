// SPDX-License-Identifier: MIT
/*
 * Keys and paths.
 *
 * The server resolves a path as it likes: a symlink among the parents of a
 * key would lead anywhere.  What a REALPATH of the folder answers must be the
 * canonical root and the key; that is believed for a second, so that a
 * program that works in one folder does not pay a round trip each time.
 *
 * Locks: sftp->lock, a leaf.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "backends/sftp/sftp.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/random.h"
#include "src/key.h"

static const int64_t PLACE_AGE = NS_PER_SEC;

/* ---- paths ---- */

/* What follows the prefix of a name of the store's own, NULL for any other. */
static const char *after_prefix(const char *name)
{
	static const char *const prefixes[] = { SFTP_TEMPORARY, SFTP_DISPLACED,
						SFTP_REPLACED };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(*prefixes); i++)
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return name + strlen(prefixes[i]);
	return NULL;
}

bool sftp_is_own_name(const char *name)
{
	return after_prefix(name) != NULL;
}

/* Of the pids that are ours: the boot and the namespace. */
uint32_t sftp_machine(void)
{
	char text[128] = "";
	CLEANUP_FD int fd =
		open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, 64);
	ssize_t more;
	uint32_t hash = 2166136261;

	if (length <= 0)
		return 0;
	more = readlink("/proc/self/ns/pid", text + length, 63);
	if (more <= 0)
		return 0;
	for (const char *at = text; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 16777619;
	return hash;
}

enum sftp_owner sftp_owner_of(const struct sftp *sftp, const char *name,
			      int64_t *begun)
{
	const char *text = after_prefix(name);
	unsigned int machine = 0, pid = 0, seconds = 0;
	int fields =
		text ? sscanf(text, "%8x-%8x-%8x-", &machine, &pid, &seconds)
		     : 0;

	*begun = fields == 3 ? seconds : 0;
	if (fields < 2 || !sftp->machine || machine != sftp->machine || !pid ||
	    pid > INT32_MAX)
		return SFTP_OWNER_ELSEWHERE;
	return kill((pid_t)pid, 0) && errno == ESRCH ? SFTP_OWNER_DIED
						     : SFTP_OWNER_LIVES;
}

static bool has_own_name(const char *key)
{
	for (;;) {
		if (sftp_is_own_name(key))
			return true;
		key = strchr(key, '/');
		if (!key)
			return false;
		key++;
	}
}

static void join(const struct sftp *sftp, const char *key, size_t length,
		 struct sftp_path *path)
{
	const char *base = sftp->base;
	const char *slash =
		*base && strcmp(base, "/") != 0 && length ? "/" : "";

	snprintf(path->text, sizeof(path->text), "%s%s%.*s", base, slash,
		 (int)length, key);
	if (!path->text[0])
		memcpy(path->text, ".", 2);
}

int sftp_path_of(const struct sftp *sftp, const char *key,
		 struct sftp_path *path, struct store_error *error)
{
	if (has_own_name(key))
		return store_error_set(error, STORE_INVALID,
				       "a name of the store's own");
	join(sftp, key, strlen(key), path);
	return STORE_OK;
}

int sftp_path_beside(const struct sftp *sftp, const char *key,
		     const char *prefix, struct sftp_path *path,
		     struct store_error *error)
{
	struct sftp_path folder;
	const char *slash = "/";
	int length;

	join(sftp, key, key_parent_length(key), &folder);
	if (strcmp(folder.text, "/") == 0)
		slash = "";
	length = snprintf(
		path->text, sizeof(path->text),
		"%s%s%s%08" PRIx32 "-%" PRIx32 "-%08" PRIx32 "-%016" PRIx64,
		folder.text, slash, prefix, sftp->machine, (uint32_t)getpid(),
		(uint32_t)time(NULL), random_number());
	if (length >= (int)sizeof(path->text))
		return store_error_errno(error, ENAMETOOLONG, "%s", prefix);
	return STORE_OK;
}

bool sftp_path_inside(const struct sftp_path *folder, const char *name,
		      struct sftp_path *path)
{
	const char *slash = strcmp(folder->text, "/") == 0 ? "" : "/";

	return snprintf(path->text, sizeof(path->text), "%s%s%s", folder->text,
			slash, name) < (int)sizeof(path->text);
}

/* ---- parents ---- */

static uint64_t hash_of(const struct sftp *sftp, const char *text,
			size_t length)
{
	uint64_t hash = sftp->seed;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3;
	return hash ? hash : 1;
}

static bool known(struct sftp *sftp, const char *key, size_t length)
{
	uint64_t hash = hash_of(sftp, key, length);
	struct sftp_place *place = &sftp->places[hash % SFTP_PLACES];
	bool is;

	lock_take(&sftp->lock);
	is = place->hash == hash && place->until_ns > clock_monotonic_ns();
	lock_drop(&sftp->lock);
	return is;
}

static void learn(struct sftp *sftp, const char *key, size_t length)
{
	uint64_t hash = hash_of(sftp, key, length);
	struct sftp_place *place = &sftp->places[hash % SFTP_PLACES];

	lock_take(&sftp->lock);
	place->hash = hash;
	place->until_ns = clock_monotonic_ns() + PLACE_AGE;
	lock_drop(&sftp->lock);
}

void sftp_parents_forget(struct sftp *sftp)
{
	lock_take(&sftp->lock);
	memset(sftp->places, 0, sizeof(sftp->places));
	lock_drop(&sftp->lock);
}

/* The canonical path of the root, malloc'd, asked once. */
static int real_base(struct sftp_call *call, char **result)
{
	struct sftp *sftp = call->sftp;
	struct sftp_path root;
	struct sftp_ask ask = { .type = SFTP_REALPATH, .path = root.text };
	struct sftp_request *request;
	char *real = NULL;
	int code;

	lock_take(&sftp->lock);
	if (sftp->real_base)
		real = strdup(sftp->real_base);
	lock_drop(&sftp->lock);
	if (real) {
		*result = real;
		return STORE_OK;
	}
	join(sftp, "", 0, &root);
	code = sftp_call_send(call, &ask, &request);
	if (!code)
		code = sftp_call_name(call, &request, &real);
	if (code)
		return code;
	lock_take(&sftp->lock);
	if (!sftp->real_base)
		sftp->real_base = strdup(real);
	lock_drop(&sftp->lock);
	*result = real;
	return STORE_OK;
}

int sftp_parent_send(struct sftp_call *call, const char *key,
		     struct sftp_request **request)
{
	struct sftp *sftp = call->sftp;
	size_t length = key_parent_length(key);
	struct sftp_path path;
	struct sftp_ask ask = { .type = SFTP_REALPATH, .path = path.text };

	*request = NULL;
	if (!length || sftp->settings.follow_symlinks ||
	    known(sftp, key, length))
		return STORE_OK;
	join(sftp, key, length, &path);
	return sftp_call_send(call, &ask, request);
}

static bool is_inside(const char *real, const char *base, const char *key,
		      size_t length)
{
	size_t start = strcmp(base, "/") ? strlen(base) : 0;

	return strlen(real) == start + 1 + length &&
	       !strncmp(real, base, start) && real[start] == '/' &&
	       !strncmp(real + start + 1, key, length);
}

int sftp_parent_settle(struct sftp_call *call, const char *key,
		       struct sftp_request **request)
{
	size_t length = key_parent_length(key);
	CLEANUP_FREE char *real = NULL;
	CLEANUP_FREE char *base = NULL;
	int code;

	if (!*request)
		return STORE_OK;
	code = sftp_call_name(call, request, &real);
	if (!code)
		code = real_base(call, &base);
	if (sftp_call_says_nothing(call, code))
		return store_error_set(call->error, STORE_NOT_FOUND,
				       "its folder cannot be resolved");
	if (code)
		return code;
	if (!is_inside(real, base, key, length))
		return store_error_set(call->error, STORE_NOT_FOUND,
				       "a symlink is among its folders");
	learn(call->sftp, key, length);
	return STORE_OK;
}

int sftp_parent_check(struct sftp_call *call, const char *key)
{
	struct sftp_request *request;
	int code = sftp_parent_send(call, key, &request);

	return code ? code : sftp_parent_settle(call, key, &request);
}

/* ---- making parents ---- */

static int make_parent(struct sftp_call *call, const char *path)
{
	struct sftp_ask make = { .type = SFTP_MKDIR, .path = path };
	struct sftp_attributes there;
	int code = sftp_call_do(call, &make);
	int looked;

	if (!code || !(sftp_call_says_nothing(call, code) ||
		       code == STORE_NOT_FOUND || code == STORE_DENIED))
		return code;
	looked = sftp_look(call, path, &there, NULL);
	if (looked)
		return looked == STORE_NOT_FOUND ? code : looked;
	store_error_clear(call->error);
	if ((there.mode & 0170000) != 0040000)
		return store_error_set(call->error, STORE_NOT_DIR,
				       "a file is among its folders");
	return STORE_OK;
}

int sftp_root_missing(struct sftp_call *call)
{
	store_error_clear(call->error);
	if (!atomic_load(&call->sftp->rooted))
		return STORE_OK;
	return store_error_set(call->error, STORE_UNAVAILABLE,
			       "base_path has gone from the server");
}

/* The root itself is made by the first put, as others do it. */
static int make_root(struct sftp_call *call)
{
	struct sftp_path root;
	struct sftp_ask ask = { .type = SFTP_STAT, .path = root.text };
	struct sftp_request *request;
	struct sftp_attributes there;
	int code;

	join(call->sftp, "", 0, &root);
	code = sftp_call_send(call, &ask, &request);
	if (!code)
		code = sftp_call_attributes(call, &request, &there);
	if (code == STORE_NOT_FOUND) {
		code = sftp_root_missing(call);
		ask.type = SFTP_MKDIR;
		if (!code)
			code = sftp_call_do(call, &ask);
	}
	if (!code)
		atomic_store(&call->sftp->rooted, true);
	return code;
}

int sftp_parents_make(struct sftp_call *call, const char *key)
{
	size_t length = key_parent_length(key);
	struct sftp_path path;
	int code = make_root(call);

	for (size_t i = 1; !code && i <= length; i++) {
		if (key[i] != '/')
			continue;
		join(call->sftp, key, i, &path);
		code = make_parent(call, path.text);
	}
	if (!code)
		code = sftp_parent_check(call, key);
	return code;
}
