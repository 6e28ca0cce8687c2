// SPDX-License-Identifier: MIT
/*
 * Moving.  With REPLACE it is posix-rename@openssh.com, which is rename(2),
 * else RENAME, which fails when the name is taken.  Both are asked for
 * without looking first, unless there is a condition; what a FAILURE meant is
 * looked for afterwards.
 */
#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "backends/sftp/sftp.h"
#include "src/key.h"

struct moving {
	struct sftp_call *call;
	const struct backend_move_request *request;
	struct sftp_path from;
	struct sftp_path to;
	struct sftp_attributes source; /* looked at before */
};

static int fail(struct moving *moving, int code, const char *text)
{
	return store_error_set(moving->call->error, code, "%s", text);
}

/* The rules of rename(2), for what is there. */
static int check_kinds(struct moving *moving, const struct sftp_attributes *to)
{
	const struct backend_move_request *request = moving->request;
	bool folder = S_ISDIR(moving->source.mode);
	struct store_version version;

	if (S_ISDIR(to->mode) && !folder)
		return fail(moving, STORE_IS_DIR, "is a folder");
	if (!(request->flags & BACKEND_MOVE_REPLACE))
		return fail(moving, STORE_EXISTS, "the name is taken");
	if (!S_ISDIR(to->mode) && folder)
		return fail(moving, STORE_NOT_DIR, "is no folder");
	sftp_version_of(to, &version);
	if (request->precondition.condition == STORE_IF_ABSENT)
		return fail(moving, STORE_EXISTS, "the name is taken");
	if (request->precondition.condition == STORE_IF_VERSION &&
	    !store_version_equal(&version, &request->precondition.version))
		return fail(moving, STORE_CHANGED, "is another version by now");
	return STORE_OK;
}

/* Both at once; *taken: something is at the destination. */
static int look_both(struct moving *moving, struct sftp_attributes *to,
		     bool *taken)
{
	struct sftp_call *call = moving->call;
	struct sftp_looking from_looking, to_looking;
	int code = sftp_look_send(call, moving->from.text, &from_looking);

	if (code)
		return code;
	code = sftp_look_send(call, moving->to.text, &to_looking);
	if (code) {
		sftp_look_forget(call, &from_looking);
		return code;
	}
	code = sftp_look_settle(call, &from_looking, &moving->source, NULL);
	if (code) {
		sftp_look_forget(call, &to_looking);
		return code;
	}
	code = sftp_look_settle(call, &to_looking, to, NULL);
	*taken = !code;
	if (code == STORE_NOT_FOUND) {
		store_error_clear(call->error);
		return STORE_OK;
	}
	return code;
}

static int check_before(struct moving *moving, bool *taken)
{
	const struct backend_move_request *request = moving->request;
	struct sftp_attributes to;
	int code = look_both(moving, &to, taken);

	if (code)
		return code;
	if (key_is_below(request->to, request->from)) {
		if (S_ISDIR(moving->source.mode))
			return fail(moving, STORE_INVALID,
				    "a folder cannot go into itself");
		/* The server has followed it, if it is a symlink. */
		return fail(moving, STORE_NOT_DIR, "is no folder");
	}
	if (request->flags & BACKEND_MOVE_REPLACE &&
	    S_ISDIR(moving->source.mode) && *taken && S_ISDIR(to.mode) &&
	    key_is_below(request->from, request->to))
		return fail(moving, STORE_NOT_EMPTY, "the folder is not empty");
	if (*taken)
		return check_kinds(moving, &to);
	if (request->precondition.condition == STORE_IF_VERSION)
		return fail(moving, STORE_NOT_FOUND, "no such file");
	return STORE_OK;
}

static int ask_rename(struct moving *moving, bool taken)
{
	struct sftp_call *call = moving->call;
	struct sftp_ask ask = { .type = SFTP_RENAME,
				.path = moving->from.text,
				.to = moving->to.text };
	struct sftp_publish publish = {
		.key = moving->request->to,
		.temporary = moving->from.text,
		.path = moving->to.text,
	};

	if (!(moving->request->flags & BACKEND_MOVE_REPLACE))
		return sftp_rename_free(call, &publish, &moving->source);
	if (sftp_session_has(call->session, SFTP_EXT_POSIX_RENAME)) {
		ask.type = SFTP_EXTENDED;
		ask.extension = SFTP_EXT_POSIX_RENAME;
		return sftp_call_do(call, &ask);
	}
	if (!taken)
		return sftp_call_do(call, &ask);
	if (S_ISDIR(moving->source.mode)) {
		struct sftp_ask gone = { .type = SFTP_RMDIR,
					 .path = moving->to.text };
		int code = sftp_call_do(call, &gone);

		return code ? code : sftp_call_do(call, &ask);
	}
	return sftp_displace(call, &publish);
}

static int explain(struct moving *moving, int code)
{
	struct sftp_call *call = moving->call;
	struct store_error kept = *call->error;
	struct sftp_attributes to;
	bool taken;

	if (!sftp_call_says_nothing(call, code) && code != STORE_DENIED)
		return code;
	if (look_both(moving, &to, &taken))
		return call->error->code;
	*call->error = kept;
	if (!taken)
		return code;
	if (check_kinds(moving, &to))
		return call->error->code;
	if (S_ISDIR(to.mode) && sftp_call_says_nothing(call, code))
		return fail(moving, STORE_NOT_EMPTY, "the folder is not empty");
	return code;
}

/* After a lost answer: did it happen? */
static bool has_moved(struct moving *moving)
{
	struct sftp_call *call = moving->call;
	struct store_error kept = *call->error;
	struct sftp_attributes there;
	bool gone = sftp_look(call, moving->from.text, &there, NULL) ==
		    STORE_NOT_FOUND;

	*call->error = kept;
	if (!gone || sftp_look(call, moving->to.text, &there, NULL))
		return false;
	return there.size == moving->source.size &&
	       there.mtime == moving->source.mtime &&
	       (there.mode & S_IFMT) == (moving->source.mode & S_IFMT);
}

static int move_once(struct moving *moving, bool before)
{
	struct sftp_call *call = moving->call;
	const struct backend_move_request *request = moving->request;
	bool taken = false;
	int code = sftp_parent_check(call, request->from);

	if (!code && before && has_moved(moving)) {
		store_error_clear(call->error);
		return STORE_OK;
	}
	if (!code)
		code = check_before(moving, &taken);
	if (code)
		return code;
	code = sftp_parent_check(call, request->to);
	if (!code)
		code = ask_rename(moving, taken);
	if (code == STORE_NOT_FOUND && !sftp_call_lost(call)) {
		store_error_clear(call->error);
		code = sftp_parents_make(call, request->to);
		if (!code)
			code = ask_rename(moving, taken);
	}
	/* What was lost may still have been under way when it was looked for. */
	if (code == STORE_NOT_FOUND && before && has_moved(moving)) {
		store_error_clear(call->error);
		return STORE_OK;
	}
	return sftp_call_lost(call) ? code : explain(moving, code);
}

int sftp_move(void *self, struct store_context *context,
	      const struct backend_move_request *request,
	      struct store_info *info, struct store_error *error)
{
	struct sftp_call call;
	struct moving moving = { .call = &call, .request = request };
	bool before = false;
	int code;

	if (request->flags & BACKEND_MOVE_EXCHANGE)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "SFTP exchanges no names");
	sftp_call_init(&call, self, context, error);
	code = sftp_path_of(self, request->from, &moving.from, error);
	if (!code)
		code = sftp_path_of(self, request->to, &moving.to, error);
	if (!code)
		do {
			code = move_once(&moving, before);
			before = true;
		} while (sftp_call_again(&call, &code));
	sftp_parents_forget(self);
	sftp_call_release(&call);
	if (!code)
		sftp_info_of(self, &moving.source, info);
	return code;
}
