// SPDX-License-Identifier: MIT
/*
 * warm: what is below a path of a mount is read, so that the mount's cache
 * directory has it.  The files go through the mount as for any reader, and so
 * into its cache; the driver is asked only what has become of that.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/base/json.h"
#include "src/ctl/driver.h"
#include "src/ctl/warm_pool.h"

/* ---- the mount's cache ---- */

struct warm_cache {
	int64_t limit, failed, evicted;
};

static int cache_look(struct driver *driver, struct warm_cache *cache,
		      struct store_error *error)
{
	struct json *command = client_command("status"), *answer = NULL;
	int code = command ? client_ask(driver->client, command,
					CLIENT_TIMEOUT_NS, &answer, error)
			   : store_error_set(error, STORE_NO_MEMORY,
					     "out of memory");

	if (!code && !json_get(answer, "cache_limit"))
		code = store_error_set(error, STORE_NOT_SUPPORTED,
				       "the mount has no cache directory");
	if (!code)
		*cache = (struct warm_cache){
			json_get_number(answer, "cache_limit", 0),
			json_get_number(answer, "cache_failed", 0),
			json_get_number(answer, "cache_evicted", 0),
		};
	json_free(command);
	json_free(answer);
	return code;
}

/* What was read and is not there: that it is not is the failure. */
static int cache_check(const struct warm_cache *before,
		       const struct warm_cache *after, uint64_t bytes,
		       struct store_error *error)
{
	if (after->failed > before->failed)
		return store_error_set(error, STORE_NO_SPACE,
				       "%" PRId64 " blocks could not be kept",
				       after->failed - before->failed);
	if (after->limit && bytes > (uint64_t)after->limit)
		return store_error_set(error, STORE_NO_SPACE,
				       "%" PRIu64 " bytes are more than "
				       "cache_size holds",
				       bytes);
	return STORE_OK;
}

/* ---- the files ---- */

struct warm {
	struct ctl *ctl;
	struct warm_pool *pool;
	dev_t device; /* of the mount: no other one is entered */
};

static void warm_failed(void *arg, const char *path,
			const struct store_error *error)
{
	struct warm *warm = arg;

	(void)path;
	ctl_fail(warm->ctl, NULL, NULL, error);
}

static void warm_folder(struct warm *warm, const char *path);

static void warm_path(struct warm *warm, char *path, unsigned char type)
{
	struct stat info;

	if (type == DT_DIR || type == DT_UNKNOWN) {
		if (lstat(path, &info)) {
			warm_pool_fail(warm->pool, path, errno);
			type = DT_WHT;
		} else if (info.st_dev != warm->device) {
			type = DT_WHT;
		} else {
			type = IFTODT(info.st_mode);
		}
	}
	if (type == DT_REG) {
		warm_pool_add(warm->pool, path);
		return;
	}
	if (type == DT_DIR)
		warm_folder(warm, path);
	free(path);
}

static void warm_folder(struct warm *warm, const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry = NULL;
	size_t length = strlen(path);
	const char *slash = length && path[length - 1] == '/' ? "" : "/";

	errno = folder ? 0 : errno;
	while (folder && (entry = readdir(folder))) {
		char *below = NULL;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (asprintf(&below, "%s%s%s", path, slash, entry->d_name) < 0)
			warm_pool_fail(warm->pool, entry->d_name, ENOMEM);
		else
			warm_path(warm, below, entry->d_type);
		errno = 0;
	}
	if (errno)
		warm_pool_fail(warm->pool, path, errno);
	if (folder)
		closedir(folder);
}

/* The operand itself may be a symlink into the mount. */
static int warm_read(struct ctl *ctl, const char *operand,
		     struct warm_counts *counts, struct store_error *error)
{
	struct warm warm = { .ctl = ctl };
	CLEANUP_FREE char *real = realpath(operand, NULL);
	struct stat info;
	int code;

	if (!real || lstat(real, &info))
		return store_error_errno(error, errno, "looking at it");
	warm.device = info.st_dev;
	code = warm_pool_new(warm_failed, &warm, &warm.pool, error);
	if (code)
		return code;
	warm_path(&warm, steal_pointer(&real), IFTODT(info.st_mode));
	warm_pool_finish(warm.pool, counts);
	return STORE_OK;
}

/* ---- the command ---- */

static void warm_json(struct ctl *ctl, const char *operand,
		      const struct warm_counts *counts, int64_t evicted)
{
	CLEANUP_RECORD struct record record;

	record_init(&record);
	record_bytes(&record, "path", operand);
	record_number(&record, "files", counts->files);
	record_number(&record, "bytes", counts->bytes);
	record_number(&record, "failed", counts->failed);
	record_number(&record, "evicted", (uint64_t)evicted);
	ctl_print(ctl, &record);
}

static void warm_tell(struct ctl *ctl, const char *operand,
		      const struct warm_counts *counts, int64_t evicted)
{
	char size[OUT_SIZE_MAX];

	if (ctl->args.json) {
		warm_json(ctl, operand, counts, evicted);
		return;
	}
	out_name("", operand);
	printf(": %" PRIu64 " %s, %s\n", counts->files,
	       counts->files == 1 ? "file" : "files",
	       out_size(counts->bytes, true, size));
}

static void warm_one(struct ctl *ctl, const char *operand)
{
	CLEANUP_DRIVER struct driver driver = DRIVER_INIT;
	struct store_error error = STORE_ERROR_INIT;
	struct warm_counts counts = { .files = 0 };
	struct warm_cache caches[2];
	int code;

	if (!driver_want(ctl, operand, &driver))
		return;
	code = cache_look(&driver, &caches[0], &error);
	if (!code)
		code = warm_read(ctl, operand, &counts, &error);
	if (!code)
		code = cache_look(&driver, &caches[1], &error);
	if (!code)
		warm_tell(ctl, operand, &counts,
			  caches[1].evicted - caches[0].evicted);
	if (!code)
		code = cache_check(&caches[0], &caches[1], counts.bytes,
				   &error);
	if (code)
		ctl_fail(ctl, operand, NULL, &error);
}

static void warm_run(struct ctl *ctl, char **operands, int count)
{
	for (int i = 0; i < count && !ctl_cancelled(ctl); i++)
		warm_one(ctl, operands[i]);
}

const struct ctl_command command_warm = {
	.name = "warm",
	.operands = "PATH...",
	.help = "Read files and trees into the cache directory of their mount",
	.least = 1,
	.most = -1,
	.run = warm_run,
};
