// SPDX-License-Identifier: MIT
/*
 * The commands status, pause, resume and events; see control.h.  Called by
 * control.c; read counters and the list of dirty files.
 */
#include "config.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/commit.h"
#include "mount/control_call.h"
#include "mount/diskcache.h"
#include "mount/events.h"
#include "mount/inventory.h"
#include "mount/publish.h"
#include "mount/relocation.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/control/client.h"
#include "src/store_internal.h"
#include "src/wire.h"

/* ---- status ---- */

static void add_error(void *arg, struct file *file)
{
	struct json *errors = arg, *one = json_object();
	struct tree *tree = &file->fs->tree;
	char key[STORE_KEY_MAX + 1];
	struct store_error failed;
	bool named;

	lock_take(&file->lock);
	failed = file->last_error;
	failed.code = file->last_code;
	lock_drop(&file->lock);
	lock_take(&tree->lock);
	named = !node_key(tree, file->node, NULL, key, NULL);
	lock_drop(&tree->lock);
	if (!failed.code || !named || !one ||
	    client_set_bytes(one, "key", key) ||
	    json_set(one, "code", json_text(store_code_name(failed.code))) ||
	    client_set_bytes(one, "error", failed.message)) {
		json_free(one);
		return;
	}
	if (json_append(errors, one))
		log_warn("status: no memory for an error");
}

static struct json *tell_counters(const struct fs *fs)
{
	uint64_t values[STORE_COUNTERS];
	struct json *counters = json_object();
	int failed = 0;

	store_counters(fs->store, values);
	for (int i = 0; counters && i < STORE_COUNTERS; i++)
		failed |= json_set(counters,
				   store_counter_name((enum store_counter)i),
				   json_number((int64_t)values[i]));
	if (!failed)
		return counters;
	json_free(counters);
	return NULL;
}

static int tell_verb(struct json *requests, const struct wire_counters *wire,
		     enum wire_verb verb)
{
	struct json *counts = json_object();
	int failed = !counts;

	for (int i = 0; counts && i < WIRE_COUNTS; i++)
		failed |= json_set(counts, wire_count_name((enum wire_count)i),
				   json_number((int64_t)atomic_load(
					   &wire->values[verb][i])));
	if (!failed)
		return json_set(requests, wire_verb_name(verb), counts);
	json_free(counts);
	return failed;
}

/* What went over the network, by verb; verbs that were not used are left out. */
static struct json *tell_requests(const struct wire_counters *wire)
{
	struct json *requests = json_object();
	int failed = !requests;

	for (int i = 0; requests && i < WIRE_VERBS; i++)
		if (atomic_load(&wire->values[i][WIRE_REQUESTS]))
			failed |= tell_verb(requests, wire, (enum wire_verb)i);
	if (!failed)
		return requests;
	json_free(requests);
	return NULL;
}

static size_t count_nodes(struct fs *fs)
{
	size_t count;

	lock_take(&fs->tree.lock);
	count = fs->tree.node_count;
	lock_drop(&fs->tree.lock);
	return count;
}

static void tell_memory(const struct fs *fs, struct line *line)
{
	struct blockcache_stats stats;

	blockcache_stats(fs->blocks, &stats);
	line_number(line, "memory_used", stats.used);
	line_number(line, "memory_peak", stats.peak);
	line_number(line, "memory_limit", fs->options->memory);
	line_number(line, "memory_found", stats.found);
	line_number(line, "memory_fetched", stats.fetched);
	line_number(line, "memory_evicted", stats.evicted);
}

static void tell_cache(const struct fs *fs, struct line *line)
{
	struct diskcache_stats stats;

	diskcache_stats(fs->disk, &stats);
	line_bytes(line, "cache_dir", fs->options->cache_dir);
	line_number(line, "cache_limit", stats.limit);
	line_number(line, "cache_used", stats.used);
	line_number(line, "cache_blocks", stats.blocks);
	line_number(line, "cache_found", stats.found);
	line_number(line, "cache_written", stats.written);
	line_number(line, "cache_evicted", stats.evicted);
	line_number(line, "cache_damaged", stats.damaged);
	line_number(line, "cache_failed", stats.failed);
}

static void tell_place(const struct fs *fs, struct line *line)
{
	line_number(line, "version", 1);
	if (fs->source)
		line_bytes(line, "source", fs->source);
	if (fs->mountpoint)
		line_bytes(line, "mountpoint", fs->mountpoint);
	if (fs->staging_path)
		line_bytes(line, "staging_dir", fs->staging_path);
}

static void tell_mount(struct fs *fs, struct line *line)
{
	const struct fs_counters *counters = &fs->counters;
	int64_t up = clock_monotonic_ns() - fs->started_ns;
	const struct wire_counters *wire = store_wire(fs->store);
	struct json *errors = json_array();
	size_t error_count;

	publish_each(fs, add_error, errors);
	error_count = json_count(errors);
	line_text(line, "commit",
		  fs->options->commit == COMMIT_CLOSE ? "close" : "background");
	line_flag(line, "paused", atomic_load(&fs->paused));
	line_number(line, "pid", (uint64_t)getpid());
	line_number(line, "uptime", (uint64_t)(up / NS_PER_SEC));
	line_number(line, "open_files", counters->open_files);
	line_number(line, "dirty_files", counters->dirty_files);
	line_number(line, "failed_files", error_count + counters->failed_files);
	line_number(line, "unfinished_files", counters->unfinished);
	line_number(line, "renames", relocations_count(fs));
	line_number(line, "staged_bytes", staging_area_bytes(fs->area));
	line_number(line, "journal_bytes", commit_journal_size(fs));
	line_number(line, "publishes", counters->publishes);
	line_number(line, "nodes", count_nodes(fs));
	if (fs->blocks)
		tell_memory(fs, line);
	if (fs->disk)
		tell_cache(fs, line);
	line_json(line, "counters", tell_counters(fs));
	if (wire)
		line_json(line, "requests", tell_requests(wire));
	line_json(line, "errors", errors);
}

/* Without a mount: what its staging directory holds. */
static int tell_left(struct fs *fs, struct line *line,
		     struct store_error *error)
{
	struct inventory inventory;
	uint64_t waiting = 0, failed = 0, unfinished = 0, bytes = 0;
	int code = inventory_load(fs, &inventory, error);

	if (code)
		return code;
	for (size_t i = 0; i < inventory.count; i++) {
		const struct inventory_item *item = &inventory.items[i];

		waiting += item->state == INVENTORY_PENDING;
		failed += item->state == INVENTORY_FAILED ||
			  item->state == INVENTORY_DAMAGED;
		unfinished += item->state == INVENTORY_UNFINISHED ||
			      item->state == INVENTORY_ORPHAN;
		bytes += item->size;
	}
	line_flag(line, "offline", true);
	line_number(line, "dirty_files", waiting + failed);
	line_number(line, "failed_files", failed);
	line_number(line, "unfinished_files", unfinished);
	line_number(line, "renames", inventory.pending.copies_count);
	line_number(line, "staged_bytes", bytes);
	line_number(line, "bad_bytes", inventory.pending.findings.bad_bytes);
	inventory_release(&inventory);
	return STORE_OK;
}

int control_status(struct control_call *call, struct store_error *error)
{
	struct line line;
	int code = STORE_OK;

	line_init(&line);
	tell_place(call->fs, &line);
	if (call->offline)
		code = tell_left(call->fs, &line, error);
	else
		tell_mount(call->fs, &line);
	if (!code)
		return control_send(call, &line, error);
	free(line_print(&line));
	return code;
}

/* ---- pause and resume ---- */

static int set_paused(struct control_call *call, bool paused,
		      struct store_error *error)
{
	bool before = atomic_load(&call->fs->paused);
	struct line line;

	publisher_pause(call->fs->publisher, paused);
	if (before != paused)
		events_paused(call->fs, paused);
	line_init(&line);
	line_flag(&line, "done", true);
	line_flag(&line, "paused", paused);
	return control_send(call, &line, error);
}

int control_pause(struct control_call *call, struct store_error *error)
{
	return set_paused(call, true, error);
}

int control_resume(struct control_call *call, struct store_error *error)
{
	return set_paused(call, false, error);
}

/* ---- events ---- */

/* False: nobody listens any more. */
static bool wait_event(struct control_call *call,
		       const struct events_reader *reader)
{
	struct pollfd fds[] = {
		{ .fd = events_fd(reader), .events = POLLIN },
		{ .fd = call->wire.fd, .events = POLLIN },
		{ .fd = store_cancel_fd(call->cancel), .events = POLLIN },
	};
	int ready = poll(fds, 3, -1);

	return ready < 0 || (!fds[1].revents && !fds[2].revents);
}

static int send_lost(struct control_call *call, uint64_t lost,
		     struct store_error *error)
{
	struct line line;

	if (!lost)
		return STORE_OK;
	line_init(&line);
	line_text(&line, "event", "lost");
	line_number(&line, "count", lost);
	return control_send(call, &line, error);
}

static int send_event(struct control_call *call, const char *text,
		      struct store_error *error)
{
	/* Whoever reads slowly loses events, and not the connection. */
	int code = wire_send(&call->wire, text, strlen(text), INT64_MAX, error);

	if (!code)
		code = wire_send(&call->wire, "\n", 1, INT64_MAX, error);
	call->gone |= code;
	return code;
}

static int send_queue(struct control_call *call, struct store_error *error)
{
	struct fs *fs = call->fs;
	struct line line;

	line_init(&line);
	line_text(&line, "event", "following");
	line_number(&line, "pending", atomic_load(&fs->counters.dirty_files));
	line_number(&line, "unfinished", atomic_load(&fs->counters.unfinished));
	line_flag(&line, "paused", atomic_load(&fs->paused));
	return control_send(call, &line, error);
}

int control_events(struct control_call *call, struct store_error *error)
{
	struct events_reader *reader = NULL;
	int code;

	if (!call->fs->events)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "this mount has no events");
	code = events_follow(call->fs->events, &reader, error);
	if (!code)
		code = send_queue(call, error);
	while (!code && wait_event(call, reader)) {
		CLEANUP_FREE char *text = NULL;
		uint64_t lost;

		do {
			free(text);
			text = events_take(reader, &lost);
			code = send_lost(call, lost, error);
			if (!code && text)
				code = send_event(call, text, error);
		} while (!code && text);
	}
	events_leave(reader);
	call->gone = true;
	return code;
}
