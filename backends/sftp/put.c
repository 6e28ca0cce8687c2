// SPDX-License-Identifier: MIT
/*
 * Putting: a temporary beside the target, all of its bytes on their way at
 * once, then attributes, fsync and a last look, and the name (publish.c).
 *
 * Round trips of a small file: temporary and look; bytes, attributes, fsync,
 * look and close together; the rename.  Conditions on a version are checked
 * with the bytes, that is just before: the server knows none.  When the
 * connection is lost before the name was asked for, all begins anew.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/sftp/put_internal.h"
#include "src/base/cleanup.h"

/* ---- what must hold ---- */

int sftp_put_check(const struct putting *putting,
		   const struct sftp_attributes *there)
{
	const struct store_precondition *wanted =
		&putting->request->precondition;
	struct store_error *error = putting->call->error;
	struct store_version version;

	if (S_ISDIR(there->mode))
		return store_error_set(error, STORE_IS_DIR, "is a folder");
	if (wanted->condition == STORE_IF_ABSENT)
		return store_error_set(error, STORE_EXISTS,
				       "the name is taken");
	sftp_version_of(there, &version);
	if (wanted->condition == STORE_IF_VERSION &&
	    !store_version_equal(&version, &wanted->version))
		return store_error_set(error, STORE_CHANGED,
				       "is another version by now");
	return STORE_OK;
}

/* `code` is that of looking. */
static int check_looked(struct putting *putting, int code,
			const struct sftp_attributes *there)
{
	putting->taken = !code;
	if (!code)
		return sftp_put_check(putting, there);
	if (code != STORE_NOT_FOUND ||
	    putting->request->precondition.condition == STORE_IF_VERSION)
		return code;
	store_error_clear(putting->call->error);
	return STORE_OK;
}

static int look_first(struct putting *putting)
{
	struct sftp_call *call = putting->call;
	struct sftp_looking looking;
	struct sftp_request *parent;
	int code = sftp_parent_send(call, putting->request->key, &parent);
	int looked;

	if (code)
		return code;
	code = sftp_look_send(call, putting->path.text, &looking);
	if (code) {
		sftp_call_forget(call, &parent);
		return code;
	}
	code = sftp_parent_settle(call, putting->request->key, &parent);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(call->error);
		code = sftp_parents_make(call, putting->request->key);
	}
	if (code) {
		sftp_look_forget(call, &looking);
		return code;
	}
	looked = sftp_look_settle(call, &looking, &putting->before, NULL);
	return check_looked(putting, looked, &putting->before);
}

/* ---- the temporary ---- */

static int create(struct putting *putting)
{
	/* Others read it only when all of it is there. */
	const struct sftp_attributes private = { .mask = SFTP_ATTR_MODE,
						 .mode = 0600 };
	const struct store_attributes *wanted = putting->request->attributes;
	bool sets_mode =
		(wanted && wanted->mask & STORE_ATTR_MODE) ||
		(putting->taken && putting->request->flags & BACKEND_PUT_KEEP);
	struct sftp_ask ask = {
		.type = SFTP_OPEN,
		.path = putting->temporary.text,
		.flags = SFTP_OPEN_WRITE | SFTP_OPEN_CREATE |
			 SFTP_OPEN_EXCLUSIVE,
		.attributes = sets_mode ? &private : NULL,
	};
	struct sftp_request *request, *folder = NULL;
	int code = sftp_call_send(putting->call, &ask, &request);

	if (code)
		return code;
	if (!putting->folder_opened)
		code = sftp_folder_open_send(putting->call, ask.path, &folder);
	if (!code)
		code = sftp_call_handle(putting->call, &request,
					&putting->handle);
	sftp_call_forget(putting->call, &request);
	putting->opened = !code;
	putting->asked = !code || code == STORE_TIMEOUT ||
			 code == STORE_CANCELLED ||
			 sftp_call_lost(putting->call);
	if (!code)
		code = sftp_folder_open_settle(putting->call, &folder,
					       &putting->folder,
					       &putting->folder_opened);
	sftp_call_forget(putting->call, &folder);
	return code;
}

/* One of uid and gid alone: the other stays what the server has made it. */
static int look_created(struct putting *putting)
{
	const struct store_attributes *wanted = putting->request->attributes;
	const uint32_t both = STORE_ATTR_UID | STORE_ATTR_GID;
	struct sftp_ask ask = { .type = SFTP_FSTAT,
				.handle = &putting->handle };
	struct sftp_request *request;
	int code;

	putting->created = (struct sftp_attributes){ .mask = 0 };
	if (putting->taken || !wanted || !(wanted->mask & both) ||
	    (wanted->mask & both) == both)
		return STORE_OK;
	code = sftp_call_send(putting->call, &ask, &request);
	return code ? code
		    : sftp_call_attributes(putting->call, &request,
					   &putting->created);
}

/* Folders that were there a moment ago may have gone. */
static int begin_file(struct putting *putting)
{
	struct sftp_call *call = putting->call;
	const char *key = putting->request->key;
	int code = sftp_path_beside(call->sftp, key, SFTP_TEMPORARY,
				    &putting->temporary, call->error);

	if (!code)
		code = create(putting);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(call->error);
		sftp_parents_forget(call->sftp);
		code = sftp_parents_make(call, key);
		if (!code)
			code = create(putting);
	}
	return code;
}

static void tell_handle(struct putting *putting, const struct sftp_handle *h)
{
	struct sftp_ask ask = { .type = SFTP_CLOSE, .handle = h };

	sftp_call_tell(putting->call, &ask);
}

static void discard(struct putting *putting)
{
	struct sftp_ask ask = { .type = SFTP_REMOVE,
				.path = putting->temporary.text };

	sftp_lanes_drop(putting);
	while (putting->count) {
		sftp_call_forget(putting->call, &putting->sent[putting->first]);
		putting->first = (putting->first + 1) % SFTP_PUT_WINDOW;
		putting->count--;
	}
	if (putting->old_opened)
		tell_handle(putting, &putting->old);
	if (putting->folder_opened)
		tell_handle(putting, &putting->folder);
	if (putting->opened)
		tell_handle(putting, &putting->handle);
	if (putting->asked)
		sftp_call_settle(putting->call, &ask);
}

/* ---- the end of the temporary ---- */

static int send_size(struct putting *putting)
{
	const struct sftp_attributes size = {
		.mask = SFTP_ATTR_SIZE,
		.size = putting->request->source->size,
	};
	struct sftp_ask ask = { .type = SFTP_FSETSTAT,
				.handle = &putting->handle,
				.attributes = &size };

	return putting->request->source->next_data
		       ? sftp_put_ask(putting, &ask, 0)
		       : STORE_OK;
}

static int send_attributes(struct putting *putting)
{
	const struct store_attributes none = { .mask = 0 };
	const struct store_attributes *given = putting->request->attributes;
	struct store_attributes wanted = given ? *given : none;
	struct sftp_attributes now = putting->before, set[2];
	bool keeps =
		putting->taken && putting->request->flags & BACKEND_PUT_KEEP;
	size_t count;
	int code = STORE_OK;

	sftp_idmap_there(&putting->call->sftp->idmap, &wanted);
	if (!putting->taken)
		now = putting->created;
	now.atime = (uint32_t)time(NULL);
	if (!(wanted.mask & STORE_ATTR_MTIME))
		wanted.mask &= ~(uint32_t)STORE_ATTR_ATIME;
	if (keeps && !(wanted.mask & STORE_ATTR_MODE)) {
		wanted.mask |= STORE_ATTR_MODE;
		wanted.mode = now.mode & 07777;
	}
	if (keeps && !(wanted.mask & (STORE_ATTR_UID | STORE_ATTR_GID))) {
		wanted.mask |= STORE_ATTR_UID | STORE_ATTR_GID;
		wanted.uid = now.uid;
		wanted.gid = now.gid;
	}
	count = sftp_attributes_of(&wanted, &now, set);
	for (size_t i = 0; !code && i < count; i++) {
		struct sftp_ask ask = { .type = SFTP_FSETSTAT,
					.handle = &putting->handle,
					.attributes = &set[i] };

		code = sftp_put_ask(putting, &ask, 0);
		if (!code && set[i].mask & SFTP_ATTR_OWNER)
			putting->owner = sftp_put_last(putting);
	}
	return code;
}

/* What it has become, and whether what is to be replaced still is the same. */
static int look_last(struct putting *putting, struct sftp_attributes *done)
{
	struct sftp_call *call = putting->call;
	struct sftp_ask fstat = { .type = SFTP_FSTAT,
				  .handle = &putting->handle };
	struct sftp_looking looking = { .lstat = NULL };
	struct sftp_request *request = NULL;
	int code = sftp_call_send(call, &fstat, &request);

	if (!code)
		code = sftp_look_send(call, putting->path.text, &looking);
	if (!code)
		code = sftp_put_settle(putting);
	if (!code)
		code = sftp_call_attributes(call, &request, done);
	if (!code) {
		code = sftp_look_settle(call, &looking, &putting->before, NULL);
		code = check_looked(putting, code, &putting->before);
	}
	sftp_call_forget(call, &request);
	sftp_look_forget(call, &looking);
	return code;
}

/*
 * Two versions of one second and size have one token.  A file whose time
 * nobody has chosen gets the next second, then.
 */
static int make_distinct(struct putting *putting, struct sftp_attributes *done)
{
	const struct store_attributes *given = putting->request->attributes;
	struct sftp_ask ask = { .type = SFTP_FSETSTAT,
				.handle = &putting->handle,
				.attributes = done };
	uint32_t mask = done->mask;
	int code;

	if ((given && given->mask & STORE_ATTR_MTIME) || !putting->taken ||
	    putting->before.size != done->size ||
	    putting->before.mtime < done->mtime ||
	    putting->before.mtime == UINT32_MAX)
		return STORE_OK;
	done->mtime = putting->before.mtime + 1;
	done->mask = SFTP_ATTR_TIMES;
	code = sftp_call_do(putting->call, &ask);
	done->mask = mask;
	return code;
}

/* By how much the server's clock is behind: its newest time is here. */
static void note_clock(struct putting *putting,
		       const struct sftp_attributes *done)
{
	const struct store_attributes *given = putting->request->attributes;
	int64_t behind = (int64_t)time(NULL) - (int64_t)done->mtime;

	if (given && given->mask & STORE_ATTR_MTIME)
		return;
	if (behind < 2)
		behind = 0;
	if (behind < INT32_MAX)
		atomic_store(&putting->call->sftp->behind, (int)behind);
}

static int finish_file(struct putting *putting, struct sftp_attributes *done)
{
	int code = send_size(putting);

	if (!code)
		code = send_attributes(putting);
	if (!code)
		code = sftp_put_flush(putting);
	if (!code)
		code = look_last(putting, done);
	if (code)
		return code;
	if (done->size != putting->request->source->size) {
		putting->lanes.lost |= putting->lanes.used;
		return store_error_set(
			putting->call->error, STORE_CORRUPT,
			"the server has kept %llu bytes of %llu",
			(unsigned long long)done->size,
			(unsigned long long)putting->request->source->size);
	}
	note_clock(putting, done);
	return make_distinct(putting, done);
}

/* FAILURE says nothing: is the disk full? */
static int explain(struct putting *putting, int code)
{
	struct store_usage usage = { .total = 0 };
	struct store_error kept = *putting->call->error;

	if (!sftp_call_says_nothing(putting->call, code))
		return code;
	if (!sftp_usage_once(putting->call, &usage) && usage.total &&
	    usage.available < 1024 * 1024)
		return store_error_set(putting->call->error, STORE_NO_SPACE,
				       "the server's disk is full");
	*putting->call->error = kept;
	return code;
}

/*
 * Servers keep a file's bytes to themselves until it is closed, and tell only
 * then that there was no room for them, unless they have been told to fsync.
 */
static int close_file(struct putting *putting)
{
	struct sftp_ask ask = { .type = SFTP_CLOSE,
				.handle = &putting->handle };
	struct sftp_call *call = putting->call;

	putting->opened = false;
	if (!sftp_session_has(call->session, SFTP_EXT_FSYNC))
		return sftp_call_do(call, &ask);
	tell_handle(putting, &putting->handle);
	return STORE_OK;
}

static int publish(struct putting *putting, struct sftp_attributes *done)
{
	const struct sftp_publish publish = {
		.key = putting->request->key,
		.temporary = putting->temporary.text,
		.path = putting->path.text,
		.exclusive = putting->request->precondition.condition ==
			     STORE_IF_ABSENT,
		.taken = putting->taken,
		.attributes = *done,
		.folder = putting->folder_opened ? &putting->folder : NULL,
	};
	int code;

	if (putting->old_opened)
		tell_handle(putting, &putting->old);
	putting->asked = putting->old_opened = false;
	code = sftp_publish(putting->call, &publish);
	if (publish.folder && !putting->call->lost)
		tell_handle(putting, &putting->folder);
	return code;
}

static int put_once(struct putting *putting, struct store_info *info)
{
	struct sftp_attributes done;
	int code = look_first(putting);

	if (!code)
		code = begin_file(putting);
	if (!code)
		code = look_created(putting);
	if (!code)
		code = sftp_put_bytes(putting);
	if (!code)
		code = finish_file(putting, &done);
	if (!code)
		code = close_file(putting);
	if (code) {
		struct store_error kept;

		code = explain(putting, code);
		kept = *putting->call->error;
		discard(putting);
		*putting->call->error = kept;
		return code;
	}
	code = publish(putting, &done);
	if (!code)
		sftp_info_of(putting->call->sftp, &done, info);
	return code;
}

/* What the lost connection has left behind goes before all begins anew. */
static bool put_again(struct putting *putting, const int *code)
{
	struct sftp_ask ask = { .type = SFTP_REMOVE,
				.path = putting->temporary.text };

	if (*code && putting->lanes.lost) {
		putting->lanes = (struct sftp_lanes){ .none = true };
		if (!sftp_call_lost(putting->call)) {
			store_error_clear(putting->call->error);
			return true;
		}
	}
	if (!sftp_call_again(putting->call, code))
		return false;
	if (!putting->asked)
		return true;
	if (!sftp_call_connect(putting->call))
		sftp_call_settle(putting->call, &ask);
	store_error_clear(putting->call->error);
	return true;
}

int sftp_put(void *self, struct store_context *context,
	     const struct backend_put_request *request, struct store_info *info,
	     struct store_error *error)
{
	struct putting *putting = calloc(1, sizeof(*putting));
	struct sftp_call call;
	int code;

	if (!putting)
		return store_error_errno(error, ENOMEM, "put");
	sftp_call_init(&call, self, context, error);
	code = sftp_path_of(self, request->key, &putting->path, error);
	if (!code)
		do {
			putting->call = &call;
			putting->request = request;
			putting->opened = putting->old_opened = false;
			putting->asked = putting->folder_opened = false;
			putting->owner = NULL;
			putting->unsynced = putting->lanes.asked = 0;
			code = put_once(putting, info);
		} while (put_again(putting, &code));
	sftp_call_release(&call);
	free(putting);
	return code;
}
