// SPDX-License-Identifier: MIT
/*
 * Names: symlinks, links, folders, removing.
 *
 * FAILURE is what version 3 says to most mistakes: what the reason was is
 * looked for afterwards.  An answer that was lost with its connection is
 * settled by what is there: what was made is there, what was removed is not.
 */
#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "backends/sftp/sftp.h"
#include "src/base/cleanup.h"

/* What is there, as a code: STORE_OK, STORE_NOT_FOUND ...; no error is told. */
static int peek(struct sftp_call *call, const char *path,
		struct sftp_attributes *there)
{
	struct store_error kept = *call->error;
	int code = sftp_look(call, path, there, NULL);

	*call->error = kept;
	return code;
}

static int taken(struct sftp_call *call)
{
	return store_error_set(call->error, STORE_EXISTS, "the name is taken");
}

/* Is that at the name which a request, whose answer was lost, was to make? */
static bool is_made(struct sftp_call *call, const struct sftp_ask *ask,
		    mode_t kind, const char *path)
{
	struct store_error kept = *call->error;
	CLEANUP_FREE char *target = NULL;
	struct sftp_attributes there;
	int code = sftp_look(call, path, &there, &target);

	*call->error = kept;
	if (code || (there.mode & S_IFMT) != kind)
		return false;
	return kind != S_IFLNK || (target && !strcmp(target, ask->path));
}

/*
 * Run a request that makes a name of that kind.  What is there already may be
 * the work of one before whose connection was lost.
 */
static int make_name(struct sftp_call *call, const struct sftp_ask *ask,
		     mode_t kind, const char *key, const char *path)
{
	struct sftp_attributes there;
	bool before = call->acted;
	int code = sftp_parent_check(call, key);

	if (!code)
		code = sftp_call_change(call, ask);
	if (code == STORE_NOT_FOUND && !sftp_call_lost(call)) {
		store_error_clear(call->error);
		code = sftp_parents_make(call, key);
		if (!code)
			code = sftp_call_change(call, ask);
	}
	if (!sftp_call_says_nothing(call, code) && code != STORE_DENIED)
		return code;
	if (peek(call, path, &there))
		return code;
	if (!before || !is_made(call, ask, kind, path))
		return taken(call);
	store_error_clear(call->error);
	return STORE_OK;
}

static int tell_info(struct sftp_call *call, const char *path,
		     struct store_info *info)
{
	struct sftp_attributes there;
	int code = sftp_look(call, path, &there, NULL);

	if (!code)
		sftp_info_of(call->sftp, &there, info);
	return code;
}

/* ---- symlinks and links ---- */

/* OpenSSH has target and name the other way round, and all follow it. */
static int symlink_once(struct sftp_call *call,
			const struct backend_node_request *request,
			struct store_info *info)
{
	struct sftp_path path;
	struct sftp_ask ask = { .type = SFTP_SYMLINK,
				.path = request->target,
				.to = path.text };
	int code = sftp_path_of(call->sftp, request->key, &path, call->error);

	if (!code)
		code = make_name(call, &ask, S_IFLNK, request->key, path.text);
	if (!code)
		code = tell_info(call, path.text, info);
	sftp_parents_forget(call->sftp);
	return code;
}

int sftp_make_node(void *self, struct store_context *context,
		   const struct backend_node_request *request,
		   struct store_info *info, struct store_error *error)
{
	struct store_error ignored = STORE_ERROR_INIT;
	struct store_info set;
	struct sftp_call call;
	int code;

	if (request->type != STORE_TYPE_SYMLINK)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "SFTP makes no special files");
	sftp_call_init(&call, self, context, error);
	do
		code = symlink_once(&call, request, info);
	while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	/* Best effort: not every server has attributes of symlinks. */
	if (!code && request->attributes &&
	    !sftp_set_attributes(self, context, request->key,
				 request->attributes, &set, &ignored))
		*info = set;
	return code;
}

static int link_once(struct sftp_call *call, const char *from, const char *to,
		     struct store_info *info)
{
	struct sftp_path old, path;
	struct sftp_ask ask = { .type = SFTP_EXTENDED,
				.extension = SFTP_EXT_HARDLINK,
				.path = old.text,
				.to = path.text };
	struct sftp_attributes there;
	int code = sftp_path_of(call->sftp, from, &old, call->error);

	if (!code)
		code = sftp_path_of(call->sftp, to, &path, call->error);
	if (!code)
		code = sftp_parent_check(call, from);
	if (!code)
		code = sftp_look(call, old.text, &there, NULL);
	if (!code && S_ISDIR(there.mode))
		code = store_error_set(call->error, STORE_IS_DIR,
				       "is a folder");
	if (!code && !sftp_session_has(call->session, SFTP_EXT_HARDLINK))
		code = store_error_set(call->error, STORE_NOT_SUPPORTED,
				       "the server makes no hard links");
	if (!code)
		code = make_name(call, &ask, there.mode & S_IFMT, to,
				 path.text);
	if (!code)
		code = tell_info(call, path.text, info);
	return code;
}

int sftp_link(void *self, struct store_context *context, const char *from,
	      const char *to, struct store_info *info,
	      struct store_error *error)
{
	struct sftp_call call;
	int code;

	sftp_call_init(&call, self, context, error);
	do
		code = link_once(&call, from, to, info);
	while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	return code;
}

/* ---- folders ---- */

static int set_made(struct sftp_call *call, const char *path,
		    const struct store_attributes *wanted,
		    struct sftp_attributes *there)
{
	struct store_attributes mapped = *wanted;
	struct sftp_attributes set[2];
	size_t count;
	int code = STORE_OK;

	sftp_idmap_there(&call->sftp->idmap, &mapped);
	count = sftp_attributes_of(&mapped, there, set);
	for (size_t i = 0; !code && i < count; i++) {
		struct sftp_ask ask = { .type = SFTP_SETSTAT,
					.path = path,
					.attributes = &set[i] };

		code = sftp_call_do(call, &ask);
		/* Only root gives folders away; see put.c. */
		if (code == STORE_DENIED && set[i].mask == SFTP_ATTR_OWNER) {
			store_error_clear(call->error);
			code = STORE_OK;
		}
	}
	if (!code && count)
		code = sftp_look(call, path, there, NULL);
	return code;
}

static int make_dir_once(struct sftp_call *call, const char *key,
			 const struct store_attributes *attributes,
			 struct store_info *info)
{
	struct sftp_attributes there;
	struct sftp_path path;
	struct sftp_ask ask = { .type = SFTP_MKDIR, .path = path.text };
	int code = sftp_path_of(call->sftp, key, &path, call->error);

	if (!code)
		code = make_name(call, &ask, S_IFDIR, key, path.text);
	if (!code)
		code = sftp_look(call, path.text, &there, NULL);
	if (!code && attributes)
		code = set_made(call, path.text, attributes, &there);
	if (!code)
		sftp_info_of(call->sftp, &there, info);
	return code;
}

int sftp_make_dir(void *self, struct store_context *context, const char *key,
		  const struct store_attributes *attributes,
		  struct store_info *info, struct store_error *error)
{
	struct sftp_call call;
	int code;

	sftp_call_init(&call, self, context, error);
	do
		code = make_dir_once(&call, key, attributes, info);
	while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	return code;
}

/* A folder with only what is the store's own in it is empty. */
static int explain_rmdir(struct sftp_call *call, const char *path, int code)
{
	struct sftp_attributes there;
	int looked = peek(call, path, &there);

	if (looked == STORE_NOT_FOUND)
		return store_error_set(call->error, STORE_NOT_FOUND,
				       "no such folder");
	if (looked)
		return code;
	if (!S_ISDIR(there.mode))
		return store_error_set(call->error, STORE_NOT_DIR,
				       "is no folder");
	if (!sftp_call_says_nothing(call, code))
		return code;
	return store_error_set(call->error, STORE_NOT_EMPTY,
			       "the folder is not empty");
}

static int remove_dir_once(struct sftp_call *call, const char *key)
{
	struct sftp_path path;
	struct sftp_ask ask = { .type = SFTP_RMDIR, .path = path.text };
	bool before = call->acted;
	int code = sftp_path_of(call->sftp, key, &path, call->error);

	if (!code)
		code = sftp_parent_check(call, key);
	if (!code)
		code = sftp_call_change(call, &ask);
	if (code && !sftp_call_lost(call) && code != STORE_TIMEOUT &&
	    code != STORE_CANCELLED)
		code = explain_rmdir(call, path.text, code);
	if (code == STORE_NOT_EMPTY && sftp_clear_own(call, path.text)) {
		store_error_clear(call->error);
		code = sftp_call_change(call, &ask);
		if (code)
			code = explain_rmdir(call, path.text, code);
	}
	if (code == STORE_NOT_FOUND && before) {
		store_error_clear(call->error);
		code = STORE_OK;
	}
	sftp_parents_forget(call->sftp);
	return code;
}

int sftp_remove_dir(void *self, struct store_context *context, const char *key,
		    struct store_error *error)
{
	struct sftp_call call;
	int code;

	sftp_call_init(&call, self, context, error);
	do
		code = remove_dir_once(&call, key);
	while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	return code;
}

/* ---- removing ---- */

static int check_version(struct sftp_call *call, const char *path,
			 const struct store_precondition *precondition)
{
	struct sftp_attributes there;
	struct store_version version;
	int code;

	if (precondition->condition != STORE_IF_VERSION)
		return STORE_OK;
	code = sftp_look(call, path, &there, NULL);
	if (code)
		return code;
	sftp_version_of(&there, &version);
	if (!S_ISDIR(there.mode) &&
	    !store_version_equal(&version, &precondition->version))
		return store_error_set(call->error, STORE_CHANGED,
				       "is another version by now");
	return STORE_OK;
}

static int remove_once(struct sftp_call *call, const char *key,
		       const struct store_precondition *precondition)
{
	struct sftp_attributes there;
	struct sftp_path path;
	struct sftp_ask ask = { .type = SFTP_REMOVE, .path = path.text };
	bool before = call->acted;
	int code = sftp_path_of(call->sftp, key, &path, call->error);

	if (!code)
		code = sftp_parent_check(call, key);
	if (!code)
		code = check_version(call, path.text, precondition);
	if (!code)
		code = sftp_call_change(call, &ask);
	if (code == STORE_NOT_FOUND && before) {
		store_error_clear(call->error);
		return STORE_OK;
	}
	if ((sftp_call_says_nothing(call, code) || code == STORE_DENIED) &&
	    !peek(call, path.text, &there) && S_ISDIR(there.mode))
		return store_error_set(call->error, STORE_IS_DIR,
				       "is a folder");
	return code;
}

int sftp_remove(void *self, struct store_context *context, const char *key,
		const struct store_precondition *precondition,
		struct store_error *error)
{
	struct sftp_call call;
	int code;

	sftp_call_init(&call, self, context, error);
	do
		code = remove_once(&call, key, precondition);
	while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	return code;
}
