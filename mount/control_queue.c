// SPDX-License-Identifier: MIT
/*
 * The commands pending, export, discard and retry; see control.h.  Called by
 * control.c; call inventory.c, content.c and settle.c.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "mount/content.h"
#include "mount/control_call.h"
#include "mount/publish.h"
#include "mount/settle.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/control/client.h"

enum { EXPORT_CHUNK = 256 << 10 };
/* For the store to tell what version it has: somebody looks at the list. */
#define STORE_PATIENCE_NS (5 * NS_PER_SEC)

/* ---- one file ---- */

/* What it is based on, and what the store has. */
static void tell_versions(const struct inventory_item *item, struct line *line)
{
	const struct pending_file *file = item->file;

	if (!file)
		return;
	line_flag(line, "base_exists", file->record.base_exists);
	if (file->record.base_exists)
		line_bytes(line, "base_version", file->record.base.token);
	line_flag(line, "attributes_only", !file->record.content);
}

static bool is_conflict(const struct inventory_item *item)
{
	return item->state == INVENTORY_FAILED && item->key &&
	       item->code == STORE_CHANGED;
}

/* *ask: does the store answer?  One that does not is asked once. */
static void tell_store(struct control_call *call,
		       const struct inventory_item *item, bool *ask,
		       struct line *line)
{
	struct store_context context;
	struct store_error error = STORE_ERROR_INIT;
	struct store_info info;
	int code;

	if (!*ask)
		return;
	store_context_init(&context, STORE_PATIENCE_NS, call->cancel);
	code = store_stat(call->fs->store, &context, item->key, &info, &error);
	if (code && code != STORE_NOT_FOUND) {
		line_text(line, "store_error", error.message);
		*ask = false;
		return;
	}
	line_flag(line, "store_exists", !code);
	if (code)
		return;
	line_bytes(line, "store_version", info.version.token);
	line_number(line, "store_size", info.size);
	if (info.attributes.mask & STORE_ATTR_MTIME)
		line_time(line, "store_mtime",
			  (int64_t)info.attributes.mtime.tv_sec);
}

static void tell_live(const struct inventory_item *item, struct line *line)
{
	int64_t left = item->retry_at_ns - clock_monotonic_ns();

	if (!item->live)
		return;
	line_number(line, "attempts", item->attempts);
	if (item->retry_at_ns)
		line_number(line, "retry_in",
			    left > 0 ? (uint64_t)(left / NS_PER_SEC) : 0);
}

static void tell_item(const struct inventory_item *item, struct line *line)
{
	int64_t now = (int64_t)clock_now().tv_sec;

	line_init(line);
	if (item->id)
		line_number(line, "id", item->id);
	line_text(line, "state", inventory_state_name(item->state));
	if (item->key)
		line_bytes(line, "key", item->key);
	if (item->name)
		line_bytes(line, "file", item->name);
	if (item->size_known)
		line_number(line, "size", item->size);
	if (item->time) {
		line_time(line, "time", item->time);
		line_number(line, "age",
			    item->time < now ? (uint64_t)(now - item->time)
					     : 0);
	}
	if (item->code)
		line_text(line, "code", store_code_name(item->code));
	if (item->reason)
		line_text(line, "error", item->reason);
	tell_live(item, line);
	tell_versions(item, line);
}

/* ---- pending ---- */

static void tell_rename(const struct record_copies *copies, struct line *line)
{
	line_init(line);
	line_text(line, "state", "renaming");
	line_bytes(line, "key", copies->from);
	line_bytes(line, "to", copies->to);
	line_text(line, "phase", copies->copied ? "removing" : "copying");
}

static int send_renames(struct control_call *call,
			const struct pending *pending,
			struct store_error *error)
{
	struct line line;
	int code = STORE_OK;

	for (size_t i = 0; i < pending->copies_count && !code; i++) {
		tell_rename(&pending->copies[i], &line);
		code = control_send(call, &line, error);
	}
	return code;
}

int control_pending(struct control_call *call, struct store_error *error)
{
	bool ask = call->fs->store && !json_get_flag(call->command, "offline");
	struct inventory inventory;
	struct line line;
	int code = inventory_load(call->fs, &inventory, error);

	if (code)
		return code;
	for (size_t i = 0; i < inventory.count && !code; i++) {
		const struct inventory_item *item = &inventory.items[i];

		tell_item(item, &line);
		if (is_conflict(item))
			tell_store(call, item, &ask, &line);
		code = control_send(call, &line, error);
	}
	if (!code)
		code = send_renames(call, &inventory.pending, error);
	if (!code) {
		line_init(&line);
		line_flag(&line, "done", true);
		line_number(&line, "count",
			    inventory.count + inventory.pending.copies_count);
		line_flag(&line, "paused", atomic_load(&call->fs->paused));
		/* A journal that is being written may seem torn at its end. */
		if (call->offline)
			line_number(&line, "bad_bytes",
				    inventory.pending.findings.bad_bytes);
		code = control_send(call, &line, error);
	}
	inventory_release(&inventory);
	return code;
}

/* ---- finding the one that is meant ---- */

static int find_named(struct control_call *call, struct inventory *inventory,
		      struct inventory_item **item, struct store_error *error)
{
	CLEANUP_FREE char *name = NULL;
	int code = client_get_bytes(call->command, "name", &name, error);

	if (!code && !name)
		code = store_error_set(error, STORE_INVALID,
				       "which file is missing");
	return code ? code : inventory_find(inventory, name, item, error);
}

/* ---- export ---- */

static int send_zeros(struct control_call *call, uint64_t length,
		      struct store_error *error)
{
	struct line line;

	line_init(&line);
	line_number(&line, "zeros", length);
	return control_send(call, &line, error);
}

static int send_chunk(struct control_call *call, const void *data,
		      size_t length, struct store_error *error)
{
	struct line line;
	int code;

	line_init(&line);
	line_number(&line, "bytes", length);
	code = control_send(call, &line, error);
	return code ? code : control_send_bytes(call, data, length, error);
}

static int send_content(struct control_call *call, struct content *content,
			struct store_context *context,
			struct store_error *error)
{
	CLEANUP_FREE char *data = malloc(EXPORT_CHUNK);
	uint64_t size = content_size(content), offset = 0, length;
	int code = STORE_OK;
	bool zeros;

	if (!data)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for an export");
	for (; offset < size && !code; offset += length) {
		length = size - offset;
		content_piece(content, offset, &length, &zeros);
		if (zeros) {
			code = send_zeros(call, length, error);
			continue;
		}
		if (length > EXPORT_CHUNK)
			length = EXPORT_CHUNK;
		code = content_read(content, context, offset, data,
				    (size_t)length, error);
		if (!code)
			code = send_chunk(call, data, (size_t)length, error);
	}
	return code;
}

static int open_content(struct control_call *call,
			const struct inventory_item *item,
			struct store_context *context, struct content **content,
			struct store_error *error)
{
	bool raw = json_get_flag(call->command, "raw");
	struct content_request request = {
		.dir_fd = call->fs->staging_fd,
		.file = item->file,
		.store = call->fs->store,
		.context = context,
		.flags = raw ? CONTENT_RAW : 0,
	};

	if (item->name && !raw)
		return store_error_set(error, STORE_INVALID,
				       "%s: no record tells what it is; --raw "
				       "exports it as it is",
				       item->name);
	if (item->name)
		return content_open_file(call->fs->staging_fd, item->name,
					 content, error);
	if (!item->file)
		return store_error_set(error, STORE_LOCKED,
				       "%s: it is being written, or stored for "
				       "the first time; read it from the mount",
				       item->key);
	return content_open(&request, content, error);
}

/* The list, and in it what is meant, with all its bytes recorded. */
static int find_recorded(struct control_call *call, struct inventory *inventory,
			 struct inventory_item **item,
			 struct store_error *error)
{
	bool noted = false;
	int code = inventory_load(call->fs, inventory, error);

	if (code)
		return code;
	code = find_named(call, inventory, item, error);
	if (!code && (*item)->live)
		code = settle_note((*item)->live, &noted, error);
	if (!code && !noted)
		return STORE_OK;
	inventory_release(inventory);
	if (code)
		return code;
	code = inventory_load(call->fs, inventory, error);
	if (code)
		return code;
	code = find_named(call, inventory, item, error);
	if (code)
		inventory_release(inventory);
	return code;
}

static int export_once(struct control_call *call, struct content **content,
		       struct store_context *context,
		       struct inventory *inventory, struct store_error *error)
{
	struct inventory_item *item = NULL;
	int code = find_recorded(call, inventory, &item, error);

	if (code)
		return code;
	code = open_content(call, item, context, content, error);
	if (code)
		inventory_release(inventory);
	return code;
}

int control_export(struct control_call *call, struct store_error *error)
{
	struct inventory inventory;
	struct content *content = NULL;
	struct store_context context;
	struct line line;
	int code;

	store_context_init(&context, call->fs->options->op_timeout_ns,
			   call->cancel);
	code = export_once(call, &content, &context, &inventory, error);
	/* Bytes that are gone may be in the store since. */
	if (code == STORE_CORRUPT && !call->offline)
		code = export_once(call, &content, &context, &inventory, error);
	if (code)
		return code;
	code = send_content(call, content, &context, error);
	if (!code) {
		line_init(&line);
		line_flag(&line, "done", true);
		line_number(&line, "size", content_size(content));
		code = control_send(call, &line, error);
	}
	content_close(content);
	inventory_release(&inventory);
	return code;
}

/* ---- discard ---- */

int control_discard(struct control_call *call, struct store_error *error)
{
	struct inventory inventory;
	struct inventory_item *item = NULL;
	struct line line;
	int code = inventory_load(call->fs, &inventory, error);

	if (code)
		return code;
	code = find_named(call, &inventory, &item, error);
	if (!code)
		code = settle_discard(call->fs, item, call->cancel, error);
	if (!code) {
		tell_item(item, &line);
		line_flag(&line, "done", true);
		code = control_send(call, &line, error);
	}
	inventory_release(&inventory);
	return code;
}

/* ---- retry ---- */

static int send_failure(struct control_call *call,
			const struct inventory_item *item,
			const struct store_error *failure,
			struct store_error *error)
{
	struct line line;

	line_init(&line);
	line_text(&line, "state", "failed");
	if (item->id)
		line_number(&line, "id", item->id);
	if (item->key)
		line_bytes(&line, "key", item->key);
	line_text(&line, "code", store_code_name(failure->code));
	line_text(&line, "error", failure->message);
	return control_send(call, &line, error);
}

/* Of all, only those that can go on by themselves, or that force helps. */
static bool is_wanted(const struct inventory_item *item, bool force)
{
	if (item->state == INVENTORY_UNFINISHED)
		return force;
	return item->state != INVENTORY_OPEN &&
	       item->state != INVENTORY_DAMAGED &&
	       item->state != INVENTORY_ORPHAN;
}

static int retry_all(struct control_call *call, struct settle_retry *retry,
		     uint64_t *stored, uint64_t *failed,
		     struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < retry->inventory->count; i++) {
		retry->item = &retry->inventory->items[i];
		if (is_wanted(retry->item, retry->force))
			settle_queue(call->fs, retry);
	}
	for (size_t i = 0; i < retry->inventory->count && !code; i++) {
		struct store_error failure = STORE_ERROR_INIT;

		retry->item = &retry->inventory->items[i];
		if (!is_wanted(retry->item, retry->force))
			continue;
		if (!settle_retry(call->fs, retry, &failure)) {
			++*stored;
			continue;
		}
		++*failed;
		code = send_failure(call, retry->item, &failure, error);
	}
	return code;
}

int control_retry(struct control_call *call, struct store_error *error)
{
	struct inventory inventory;
	struct settle_retry retry = {
		.inventory = &inventory,
		.force = json_get_flag(call->command, "force"),
		.cancel = call->cancel,
	};
	uint64_t stored = 0, failed = 0;
	struct line line;
	int code = inventory_load(call->fs, &inventory, error);

	if (code)
		return code;
	if (json_get_flag(call->command, "all")) {
		if (call->offline)
			publisher_pause(call->fs->publisher, false);
		code = retry_all(call, &retry, &stored, &failed, error);
	} else {
		code = find_named(call, &inventory, &retry.item, error);
		if (!code)
			code = settle_retry(call->fs, &retry, error);
		stored = !code;
	}
	if (!code) {
		line_init(&line);
		line_flag(&line, "done", true);
		line_number(&line, "stored", stored);
		line_number(&line, "failed", failed);
		code = control_send(call, &line, error);
	}
	inventory_release(&inventory);
	return code;
}
