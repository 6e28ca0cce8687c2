// SPDX-License-Identifier: MIT
/*
 * The request of an attempt to publish; see publish_attempt.h.  Called by
 * publish.c, calls the store.
 */
#include "config.h"

#include "mount/publish_attempt.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "mount/answer.h"
#include "mount/beside.h"
#include "mount/foldertime.h"
#include "mount/uploads.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/step.h"

/* Names that are tried for the loser of a conflict. */
enum { BESIDE_MAX = 100 };
/* What a store may need for the buffers of one put. */
enum { PUT_BUFFERS = 1 << 20 };

/* ---- the source: sealed layers over the base ---- */

struct view_source {
	struct store_source source;
	struct attempt *attempt;
};

static int view_read_base(struct attempt *attempt,
			  const struct staging_piece *piece, void *data,
			  struct store_error *error)
{
	struct store_range range = { piece->offset, piece->length };
	struct base_reader *reader;
	int code = file_base_reader(attempt->file, &attempt->context, &reader,
				    error);

	if (code)
		return code;
	code = reader_read(reader, attempt->ahead, &attempt->context, &range,
			   data, error);
	reader_put(reader);
	return code;
}

static int view_source_read(struct store_source *source, uint64_t offset,
			    void *data, size_t length,
			    struct store_error *error)
{
	struct view_source *self = (struct view_source *)source;
	struct attempt *attempt = self->attempt;
	struct staging_piece piece;
	char *bytes = data;
	int code = STORE_OK;

	for (; length && !code; offset += piece.length, bytes += piece.length,
				length -= (size_t)piece.length) {
		staging_view_piece(&attempt->view, offset, length, &piece);
		assert(piece.length);
		if (piece.kind == PIECE_ZERO) {
			memset(bytes, 0, (size_t)piece.length);
		} else if (piece.kind == PIECE_STAGED) {
			code = staging_read_piece(&piece, bytes, error);
		} else {
			code = view_read_base(attempt, &piece, bytes, error);
		}
	}
	return code;
}

static int view_source_data(struct store_source *source, uint64_t offset,
			    struct store_range *range,
			    struct store_error *error)
{
	struct view_source *self = (struct view_source *)source;
	struct staging_piece piece;

	(void)error;
	for (;; offset = piece.offset + piece.length) {
		staging_view_piece(&self->attempt->view, offset,
				   UINT64_MAX - offset, &piece);
		*range = (struct store_range){ piece.offset, piece.length };
		if (!piece.length || piece.kind == PIECE_BASE)
			return STORE_OK;
		if (piece.kind == PIECE_ZERO)
			continue;
		staging_piece_data(&piece, range);
		if (range->length)
			return STORE_OK;
	}
}

/* ---- the request ---- */

static struct store_precondition
attempt_condition(const struct attempt *attempt)
{
	if (attempt->force ||
	    (attempt->fs->options->conflict == CONFLICT_OVERWRITE &&
	     !attempt->kept_count))
		return (struct store_precondition){ .condition = STORE_IF_ANY };
	if (!attempt->base_exists)
		return (struct store_precondition){ .condition =
							    STORE_IF_ABSENT };
	if (!attempt->base.token[0])
		return (struct store_precondition){ .condition = STORE_IF_ANY };
	return (struct store_precondition){ .condition = STORE_IF_VERSION,
					    .version = attempt->base };
}

/* ---- the plan, for the trace ---- */

/* Does anything of the base go through this mount? */
static bool reads_base(const struct attempt *attempt)
{
	struct staging_piece piece = { .length = 0 };
	uint64_t offset = 0;

	do {
		staging_view_piece(&attempt->view, offset, UINT64_MAX - offset,
				   &piece);
		offset += piece.length;
	} while (piece.length && piece.kind != PIECE_BASE);
	return piece.length;
}

static uint64_t bytes_kept(const struct attempt *attempt)
{
	uint64_t kept = 0;

	for (size_t i = 0; i < attempt->kept_count; i++)
		kept += attempt->kept[i].length;
	return kept;
}

static void trace_plan(const struct attempt *attempt)
{
	const char *plan = "put";

	if (log_get_level() < LOG_LEVEL_DEBUG)
		return;
	if (!attempt->content)
		plan = "attributes";
	else if (attempt->kept_count)
		plan = "compose";
	else if (reads_base(attempt))
		plan = "fill and replace";
	else if (attempt->upload)
		plan = "multipart";
	log_debug("%s: publish: %s, %" PRIu64 " bytes to send", attempt->key,
		  plan,
		  attempt->content ? attempt->view.size - bytes_kept(attempt)
				   : 0);
}

static int put_content(struct attempt *attempt)
{
	struct view_source source = {
		.source = { .size = attempt->view.size,
			    .read = view_source_read,
			    .next_data = view_source_data },
		.attempt = attempt,
	};
	struct store_write_options options = {
		.precondition = attempt_condition(attempt),
		.attributes = &attempt->attributes,
		.keep = !attempt->created,
		.id = attempt->created ? attempt->id : 0,
		.publish = attempt->publish,
		.ranges = attempt->kept,
		.range_count = attempt->kept_count,
		.xattrs = attempt->xattrs,
		.xattr_count = attempt->xattr_count,
	};
	int code;

	attempt->upload = upload_for(attempt->fs, attempt->upload, attempt->key,
				     attempt->record, attempt->view.size);
	if (attempt->upload)
		options.resume = &attempt->upload->resume;
	trace_plan(attempt);
	atomic_fetch_add(&attempt->fs->counters.publishes, 1);
	code = store_write(attempt->fs->store, &attempt->context, attempt->key,
			   &source.source, &options, &attempt->info,
			   &attempt->error);
	/* What has met another version may go on over that one. */
	if (!code)
		attempt->upload = upload_put_ended(attempt->upload, code);
	return code;
}

/* Memory comes last: whoever has it waits for nobody but the store. */
static int put_once(struct attempt *attempt)
{
	struct fs *fs = attempt->fs;
	struct store_context patient;
	int code;

	/* Other uploads go on, each within its own time without progress. */
	store_context_init(&patient, 0, attempt->context.cancel);
	code = fs_buffer_take(fs, BLOCKCACHE_UPLOADS, PUT_BUFFERS, &patient,
			      &attempt->error);
	if (code)
		return code;
	store_context_progress(&attempt->context);
	if (fs->prefetcher)
		attempt->ahead = prefetch_open(fs->prefetcher);
	code = put_content(attempt);
	prefetch_close(attempt->ahead);
	attempt->ahead = NULL;
	fs_buffer_give(fs, BLOCKCACHE_UPLOADS, PUT_BUFFERS);
	return code;
}

/*
 * May it be other bytes of ours?  Where times are kept less exactly than they
 * are sent, size and time do not tell: all goes again, then.
 */
static bool may_be_others(const struct attempt *attempt,
			  const struct store_info *info)
{
	const struct file_unanswered *last = &attempt->unanswered;

	if (last->change == SENT_SEVERAL || last->sent_count == RECORD_SENT_MAX)
		return true;
	for (size_t i = 0; i < last->sent_count; i++) {
		const struct record_sent *sent = &last->sent[i];

		if (sent->generation != attempt->generation &&
		    !(attempt->again && sent->generation == last->generation) &&
		    answer_looks_sent(&attempt->fs->tree, sent, info))
			return true;
	}
	return false;
}

/*
 * Does the store have the very state that was to be sent?  Size and times do
 * not tell apart what was sent under one generation before and after a change.
 */
static bool is_as_sent(const struct attempt *attempt,
		       const struct store_info *info)
{
	const struct store_attributes *sent = &attempt->attributes;
	const struct store_attributes *seen = &info->attributes;
	uint32_t both = sent->mask & seen->mask;

	return !may_be_others(attempt, info) &&
	       info->size == attempt->view.size && (both & STORE_ATTR_MTIME) &&
	       tree_keeps_time(&attempt->fs->tree, sent->mtime, seen->mtime) &&
	       (!(both & STORE_ATTR_MODE) || seen->mode == sent->mode) &&
	       (!(both & STORE_ATTR_UID) || seen->uid == sent->uid) &&
	       (!(both & STORE_ATTR_GID) || seen->gid == sent->gid);
}

/* Was there more than was sent then?  The id tells of its generation. */
static bool left_bytes_behind(const struct attempt *attempt, enum answer answer)
{
	return attempt->unanswered.partial ||
	       (answer == ANSWER_OURS &&
		fs_can(attempt->fs, STORE_CAP_PUBLISH_ID));
}

/*
 * An earlier attempt may have arrived without an answer, also one of an
 * earlier run.  Then its version is the base; *stored: there is nothing left
 * to send.
 */
static bool answer_was_lost(struct attempt *attempt, bool *stored)
{
	struct answer_sent sent = { .last = attempt->unanswered };
	struct store_info info;
	enum answer answer;

	memcpy(sent.publish, attempt->publish, sizeof(sent.publish));
	/* What was kept since has another generation, and the same bytes. */
	if (attempt->again) {
		uint32_t generation =
			htole32((uint32_t)attempt->unanswered.generation);

		memcpy(sent.publish + STORE_PUBLISH_SIZE - 4, &generation, 4);
	}
	answer = answer_of(attempt->fs, &attempt->context, attempt->key, &sent,
			   &info);
	if (answer == ANSWER_NOT_OURS)
		return false;
	/*
	 * What was sent while a program wrote on has the time of later bytes:
	 * size and time speak only of a put that left nothing behind.  Stores
	 * may keep times less exactly than they are sent.
	 */
	*stored = (!left_bytes_behind(attempt, answer) &&
		   is_as_sent(attempt, &info)) ||
		  (answer == ANSWER_THE_LAST &&
		   (attempt->exact || attempt->again));
	if (*stored)
		attempt->info = info;
	attempt->base_exists = true;
	attempt->base = info.version;
	return true;
}

/*
 * The name was renamed over in memory, and what it has in the store has other
 * names, through which this mount has changed it since: that version is as
 * good.  The pass, for the caller to leave, keeps further changes out.
 */
static bool replaced_was_changed(struct attempt *attempt,
				 struct gate_pass *pass)
{
	struct tree *tree = &attempt->fs->tree;
	struct node *node;

	lock_take(&attempt->file->lock);
	node = attempt->file->replaced;
	lock_drop(&attempt->file->lock);
	if (!node)
		return false;
	*pass = (struct gate_pass){ .nodes = { node }, .exclusive = true };
	if (gate_enter(&attempt->fs->gate, pass, &attempt->context, NULL))
		return false;
	lock_take(&tree->lock);
	attempt->base = (struct store_version){ 0 };
	if (node->version)
		memcpy(attempt->base.token, node->version,
		       strlen(node->version) + 1);
	lock_drop(&tree->lock);
	return attempt->base.token[0];
}

/* It has left the name by a rename of ours that was not completed. */
static bool base_has_gone(struct attempt *attempt)
{
	struct store_info info;

	if (!attempt->base_goes ||
	    store_stat(attempt->fs->store, &attempt->context, attempt->key,
		       &info, NULL) != STORE_NOT_FOUND)
		return false;
	attempt->base_exists = false;
	return true;
}

static bool code_is_conflict(int code)
{
	return code == STORE_EXISTS || code == STORE_NOT_FOUND ||
	       code == STORE_CHANGED;
}

/* The same in every attempt, also of a later run. */
static time_t time_of_bytes(const struct attempt *attempt)
{
	return attempt->attributes.mask & STORE_ATTR_MTIME
		       ? attempt->attributes.mtime.tv_sec
		       : clock_now().tv_sec;
}

/* Has an earlier attempt, whose answer was lost, taken this name? */
static bool stands_beside(struct attempt *attempt)
{
	struct answer_sent sent = {
		.last = { .pending = true,
			  .sent = { { .size = attempt->view.size,
				      .mtime = attempt->attributes.mtime } },
			  .sent_count = 1 },
	};
	struct store_info info;
	enum answer answer;

	memcpy(sent.publish, attempt->publish, sizeof(sent.publish));
	answer = answer_of(attempt->fs, &attempt->context, attempt->key, &sent,
			   &info);
	if (fs_can(attempt->fs, STORE_CAP_PUBLISH_ID)
		    ? answer != ANSWER_THE_LAST || !attempt->exact
		    : answer != ANSWER_OURS || !is_as_sent(attempt, &info))
		return false;
	attempt->info = info;
	return true;
}

/* The name has somebody else's version: ours gets a name beside it. */
static int put_beside(struct attempt *attempt)
{
	char key[STORE_KEY_MAX + 1], host[HOST_NAME_MAX + 1] = "";
	int code = STORE_EXISTS;

	gethostname(host, sizeof(host) - 1);
	attempt->base_exists = false;
	attempt->kept_count = 0;
	memcpy(key, attempt->key, sizeof(key));
	for (unsigned int i = 1; code == STORE_EXISTS && i <= BESIDE_MAX; i++) {
		code = beside_key(key, host, time_of_bytes(attempt), i,
				  attempt->key, &attempt->error);
		if (!code)
			code = put_once(attempt);
		if (code == STORE_EXISTS && stands_beside(attempt))
			code = STORE_OK;
	}
	if (!code)
		log_warn("%s: changed in the store meanwhile; stored as %s",
			 key, attempt->key);
	attempt->beside = !code;
	memcpy(attempt->key, code ? key : attempt->key, sizeof(key));
	return code;
}

static int attempt_put(struct attempt *attempt)
{
	struct gate_pass replaced = { .held = false };
	bool stored = false, conflict;
	int code;

	STEP("publish: before put");
	code = put_once(attempt);
	conflict = code_is_conflict(code);
	if (conflict &&
	    (base_has_gone(attempt) || answer_was_lost(attempt, &stored) ||
	     replaced_was_changed(attempt, &replaced))) {
		code = stored ? STORE_OK : put_once(attempt);
		conflict = code_is_conflict(code);
	}
	/* What was kept has gone; the last writer brings all of it. */
	if (conflict && attempt->kept_count &&
	    attempt->fs->options->conflict == CONFLICT_OVERWRITE) {
		attempt->kept_count = 0;
		code = put_once(attempt);
		conflict = code_is_conflict(code);
	}
	STEP("publish: put");
	gate_leave(&attempt->fs->gate, &replaced);
	if (conflict && attempt->fs->options->conflict == CONFLICT_RENAME) {
		code = put_beside(attempt);
		conflict = code_is_conflict(code);
	}
	/* Whatever the store calls it: it is not the version we knew. */
	if (conflict)
		code = store_error_set(
			&attempt->error, STORE_CHANGED, "%s: %s", attempt->key,
			attempt->force ? "parts of it stand only in a version "
					 "that the store no longer has"
				       : "changed in the store meanwhile");
	return code;
}

/* Our own change must not turn somebody's new version into our base. */
static int attempt_attributes(struct attempt *attempt)
{
	struct store_info seen = { .links = 1 };
	bool current = file_base_is_current(attempt->file, &attempt->context,
					    attempt->key, &seen);
	int code;

	trace_plan(attempt);
	code = store_set_attributes(attempt->fs->store, &attempt->context,
				    attempt->key, &attempt->attributes,
				    &attempt->info, &attempt->error);
	attempt->current = !code && current &&
			   file_is_as_seen(&seen, &attempt->info,
					   attempt->attributes.mask);
	return code;
}

int attempt_request(struct attempt *attempt)
{
	struct tree *tree = &attempt->fs->tree;
	int code;

	lock_take(&tree->lock);
	code = node_key(tree, attempt->file->node, NULL, attempt->key,
			&attempt->error);
	lock_drop(&tree->lock);
	if (code)
		return code;
	if (!attempt->content)
		return attempt_attributes(attempt);
	code = attempt_put(attempt);
	if (!code && attempt->created)
		foldertime_published(attempt->fs, &attempt->context,
				     attempt->file->node);
	return code;
}
