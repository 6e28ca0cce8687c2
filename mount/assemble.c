// SPDX-License-Identifier: MIT
/*
 * See assemble.h.  Called by session.c and offline.c; calls the life
 * functions of the parts.
 */
#include "config.h"

#include "mount/ahead.h"
#include "mount/assemble.h"

#include <stdlib.h>
#include <unistd.h>

#include "mount/commit.h"
#include "mount/diskcache.h"
#include "mount/events.h"
#include "mount/file.h"
#include "mount/listed.h"
#include "mount/missing.h"
#include "mount/prefetch.h"
#include "mount/publish.h"
#include "mount/recovery.h"
#include "mount/relocation.h"
#include "mount/uploads.h"
#include "src/base/cleanup.h"
#include "src/base/log.h"
#include "src/store_internal.h"

enum { PUBLISH_THREADS = 32, PREFETCH_THREADS = 32 };

int assemble_store(struct fs *fs, const struct source *source,
		   struct store_error *error)
{
	int code = source_open(source, &fs->store, error);

	if (code)
		return code;
	if (fs->options && fs->options->metadata == METADATA_LIST)
		store_tell_listed(fs->store);
	fs->capabilities = store_capabilities(fs->store);
	fs->max_size = store_max_size(fs->store);
	fs->source = source_masked(source);
	if (fs->source)
		return STORE_OK;
	return store_error_set(error, STORE_NO_MEMORY,
			       "no memory for the store's name");
}

int assemble_tree(struct fs *fs, struct store_error *error)
{
	struct store_info info;
	struct store_context context;
	int code;

	fs->tree.default_uid = geteuid();
	fs->tree.whole_seconds = store_in_seconds(fs->store);
	fs->tree.default_gid = getegid();
	fs->tree.file_mode = (uint16_t)fs->options->file_mode;
	fs->tree.dir_mode = (uint16_t)fs->options->dir_mode;
	lock_init(&fs->running.lock);
	code = tree_init(&fs->tree, error);
	if (code)
		return code;
	gate_init(&fs->gate, &fs->tree);
	if (fs->options->negative_timeout_ns)
		fs->missing = missing_new();
	if (!fs_can(fs, STORE_CAP_NEAR))
		fs->listed = listed_new(fs);
	store_context_init(&context, fs->options->op_timeout_ns, NULL);
	code = store_ping(fs->store, &context, error);
	if (!code)
		code = store_stat(fs->store, &context, "", &info, error);
	if (code)
		return code;
	lock_take(&fs->tree.lock);
	node_refresh(&fs->tree, fs->tree.root, &info);
	lock_drop(&fs->tree.lock);
	return STORE_OK;
}

/* What of memory= is for the index of the cache directory. */
static uint64_t index_memory(const struct mount_options *options)
{
	return options->cache_dir ? options->memory / 8 : 0;
}

void assemble_cache(struct fs *fs)
{
	CLEANUP_FREE char *identity = store_identity(fs->store);
	struct diskcache_request request = {
		.path = fs->options->cache_dir,
		.identity = identity,
		.size = fs->options->cache_size,
		.memory = index_memory(fs->options),
		.percent = fs->options->cache_percent,
	};
	struct store_error error = STORE_ERROR_INIT;

	if (!fs->options->cache_dir)
		return;
	if (!fs->blocks)
		log_warn("%s is on this machine: nothing of it is kept in the "
			 "cache directory",
			 fs->source);
	else if (identity && diskcache_open(&request, &fs->disk, &error))
		log_warn("no cache on disk: %s", error.message);
}

int assemble_reading(struct fs *fs, struct store_error *error)
{
	if (fs_can(fs, STORE_CAP_NEAR))
		return STORE_OK;
	fs->blocks =
		blockcache_new(fs->options->memory - index_memory(fs->options));
	fs->prefetcher = prefetcher_new(fs->blocks, PREFETCH_THREADS,
					fs->options->op_timeout_ns);
	if (fs->blocks && fs->prefetcher)
		return STORE_OK;
	return store_error_set(error, STORE_NO_MEMORY,
			       "no memory for reading ahead");
}

int assemble_queue(struct fs *fs, bool paused, struct store_error *error)
{
	int code = events_start(fs, error);

	if (!code)
		code = publisher_start(fs, PUBLISH_THREADS, error);
	if (!code)
		publisher_pause(fs->publisher, paused);
	if (!code)
		code = relocations_start(fs, error);
	if (!code)
		code = uploads_start(fs, error);
	if (!code)
		code = ahead_start(fs, error);
	return code ? code : recovery_run(fs, error);
}

void assemble_stop(struct fs *fs)
{
	listed_stop(fs->listed);
	prefetcher_stop(fs->prefetcher);
	/* First: no put may come between a rename that stops and the next run. */
	ahead_stop(fs);
	publisher_stop(fs->publisher);
	relocations_stop(fs);
	if (fs->publisher) {
		publish_abandon_all(fs);
		publisher_free(fs->publisher);
		fs->publisher = NULL;
	}
	uploads_stop(fs);
	commit_stop(fs->commit);
	file_kept_release(fs);
	events_stop(fs);
	prefetcher_free(fs->prefetcher);
	blockcache_free(fs->blocks);
	diskcache_close(fs->disk);
	fs->disk = NULL;
	fs->prefetcher = NULL;
	fs->blocks = NULL;
}

void assemble_release(struct fs *fs)
{
	if (fs->tree.root) {
		gate_release(&fs->gate);
		tree_release(&fs->tree);
	}
	missing_free(fs->missing);
	listed_free(fs->listed);
	fs->missing = NULL;
	staging_area_close(fs->area);
	fs->area = NULL;
	store_close(fs->store);
	fs->store = NULL;
	free(fs->source);
	fs->source = NULL;
}
