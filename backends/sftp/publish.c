// SPDX-License-Identifier: MIT
/*
 * How a temporary gets its name.
 *
 *	free name	hardlink@openssh.com and REMOVE, or RENAME, which
 *			OpenSSH does as a link: both fail when the name is
 *			taken
 *	taken name	posix-rename@openssh.com, which is atomic
 *	without it	the old file goes to .storefs-old.X/NAME, the new one
 *			to its name, the folder to .storefs-done.Y, and then
 *			the old file goes: at each step the one or the other
 *			is there whole.  What a crash leaves is put right when
 *			its folder is listed, or at the next start for the
 *			root; X tells whose it is and what was to replace it.
 *			A file that may be all there is of somebody's bytes is
 *			never removed: where its name has been taken by then
 *			it comes back beside it.
 *
 * When the connection is lost in mid-rename, nobody but the server knows what
 * happened: it is asked on the next one.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/sftp/sftp.h"
#include "src/key.h"

enum { DISPLACINGS_MAX = 4 };

static int rename_to(struct sftp_call *call, const char *from, const char *to)
{
	struct sftp_ask ask = { .type = SFTP_RENAME, .path = from, .to = to };

	return sftp_call_do(call, &ask);
}

/*
 * The request that gives the name, and right behind it the flush that makes it
 * durable: a server does one thing after the other.
 */
static int name_it(struct sftp_call *call, const struct sftp_publish *publish,
		   enum sftp_type type, enum sftp_extension extension)
{
	struct sftp_ask ask = { .type = type,
				.extension = extension,
				.path = publish->temporary,
				.to = publish->path };
	struct sftp_ask flush = { .type = SFTP_EXTENDED,
				  .extension = SFTP_EXT_FSYNC,
				  .handle = publish->folder };
	struct sftp_request *name, *flushing = NULL;
	int code = sftp_call_send(call, &ask, &name);

	if (code)
		return code;
	if (publish->folder)
		code = sftp_call_send(call, &flush, &flushing);
	if (!code) {
		code = sftp_call_wait(call, name);
		call->acted |= !code || sftp_request_lost(name);
	}
	if (!code && flushing)
		code = sftp_folder_flush_settle(call, &flushing);
	sftp_call_forget(call, &name);
	sftp_call_forget(call, &flushing);
	return code;
}

static int remove_path(struct sftp_call *call, enum sftp_type type,
		       const char *path)
{
	struct sftp_ask ask = { .type = type, .path = path };

	return sftp_call_do(call, &ask);
}

/*
 * The old name goes only when the new one is there, and was seen there: `rclone
 * serve sftp` answers OK and has done nothing.  That of a temporary does not
 * have to: whoever lists the folder removes it.
 */
static int link_to(struct sftp_call *call, const struct sftp_publish *publish)
{
	struct sftp_attributes there;
	int code = name_it(call, publish, SFTP_EXTENDED, SFTP_EXT_HARDLINK);

	if (code)
		return code;
	code = sftp_look(call, publish->path, &there, NULL);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(call->error);
		atomic_store(&call->sftp->linkless, true);
		return name_it(call, publish, SFTP_RENAME, 0);
	}
	if (code)
		return code;
	code = remove_path(call, SFTP_REMOVE, publish->temporary);
	if (code && sftp_is_own_name(key_name(publish->temporary))) {
		store_error_clear(call->error);
		code = STORE_OK;
	}
	return code;
}

static int take_free(struct sftp_call *call, const struct sftp_publish *publish)
{
	if (atomic_load(&call->sftp->careful) &&
	    !atomic_load(&call->sftp->linkless) &&
	    sftp_session_has(call->session, SFTP_EXT_HARDLINK))
		return link_to(call, publish);
	return name_it(call, publish, SFTP_RENAME, 0);
}

int sftp_rename_free(struct sftp_call *call, const struct sftp_publish *publish,
		     const struct sftp_attributes *attributes)
{
	/* No server links folders. */
	if (S_ISREG(attributes->mode))
		return take_free(call, publish);
	return rename_to(call, publish->temporary, publish->path);
}

static int replace(struct sftp_call *call, const struct sftp_publish *publish)
{
	return name_it(call, publish, SFTP_EXTENDED, SFTP_EXT_POSIX_RENAME);
}

/* ---- without an atomic rename ---- */

/* The folder that takes the old file, and the file in it. */
static int displaced_paths(struct sftp_call *call,
			   const struct sftp_publish *publish,
			   struct sftp_path *folder, struct sftp_path *old)
{
	struct sftp_path plain;
	int code = sftp_path_beside(call->sftp, publish->key, SFTP_DISPLACED,
				    &plain, call->error);

	if (code)
		return code;
	if (snprintf(folder->text, sizeof(folder->text),
		     "%s-%" PRIx64 "-%" PRIx32, plain.text,
		     publish->attributes.size,
		     publish->attributes.mtime) >= (int)sizeof(folder->text) ||
	    !sftp_path_inside(folder, key_name(publish->key), old))
		return store_error_errno(call->error, ENAMETOOLONG, "replace");
	return STORE_OK;
}

/*
 * The new file has its name: the old one goes.  Errors are nobody's: whoever
 * lists the folder goes on with it.
 */
static void drop_replaced(struct sftp_call *call,
			  const struct sftp_publish *publish,
			  const struct sftp_path *folder,
			  const struct sftp_path *old)
{
	struct store_error kept = *call->error;
	struct sftp_path done, inside;
	const struct sftp_path *at = folder, *file = old;

	if (!sftp_path_beside(call->sftp, publish->key, SFTP_REPLACED, &done,
			      call->error) &&
	    sftp_path_inside(&done, key_name(publish->key), &inside) &&
	    !rename_to(call, folder->text, done.text)) {
		at = &done;
		file = &inside;
	}
	if (!remove_path(call, SFTP_REMOVE, file->text) &&
	    !remove_path(call, SFTP_RMDIR, at->text))
		return;
	*call->error = kept;
}

static int displace_once(struct sftp_call *call,
			 const struct sftp_publish *publish)
{
	struct sftp_path folder, old;
	struct sftp_ask make = { .type = SFTP_MKDIR, .path = folder.text };
	struct store_error kept;
	int code = displaced_paths(call, publish, &folder, &old);

	if (!code)
		code = sftp_call_do(call, &make);
	if (code)
		return code;
	code = rename_to(call, publish->path, old.text);
	if (!code) {
		code = name_it(call, publish, SFTP_RENAME, 0);
		if (!code) {
			drop_replaced(call, publish, &folder, &old);
			return STORE_OK;
		}
		kept = *call->error;
		if (rename_to(call, old.text, publish->path))
			return store_error_set(call->error, code,
					       "what was there is now %s",
					       old.text);
		*call->error = kept;
	}
	kept = *call->error;
	if (remove_path(call, SFTP_RMDIR, folder.text))
		store_error_clear(call->error);
	*call->error = kept;
	return code;
}

static bool is_there(struct sftp_call *call, const char *path)
{
	struct store_error kept = *call->error;
	struct sftp_attributes there;
	int code = sftp_look(call, path, &there, NULL);

	*call->error = kept;
	return !code;
}

/* Others may put and remove at the same time. */
int sftp_displace(struct sftp_call *call, const struct sftp_publish *publish)
{
	int code = STORE_INTERNAL;

	for (int i = 0; i < DISPLACINGS_MAX; i++) {
		code = take_free(call, publish);
		if (!code || !is_there(call, publish->path))
			return code;
		store_error_clear(call->error);
		code = displace_once(call, publish);
		if (!code || !is_there(call, publish->temporary))
			return code;
		store_error_clear(call->error);
	}
	return store_error_set(call->error, STORE_UNAVAILABLE,
			       "others replace it all the time");
}

/* ---- putting right ---- */

/* The first name that is none of "." and ".."; malloc'd, or NULL. */
static char *first_name(struct sftp_body *body)
{
	uint32_t count = sftp_take_u32(body);

	while (count-- && !body->bad) {
		struct sftp_attributes ignored;
		size_t length, words;
		const char *name = sftp_take_string(body, &length);

		sftp_take_string(body, &words);
		sftp_take_attributes(body, &ignored);
		if (!body->bad && !sftp_is_hidden(name, length))
			return strndup(name, length);
	}
	return NULL;
}

/* The one name in a folder of ours; malloc'd, NULL when there is none. */
static char *displaced_name(struct sftp_call *call, const char *folder)
{
	struct sftp_ask open = { .type = SFTP_OPENDIR, .path = folder };
	struct sftp_handle handle;
	struct sftp_ask read = { .type = SFTP_READDIR, .handle = &handle };
	struct sftp_ask close = { .type = SFTP_CLOSE, .handle = &handle };
	struct sftp_request *request;
	char *found = NULL;

	if (sftp_call_send(call, &open, &request) ||
	    sftp_call_handle(call, &request, &handle))
		return NULL;
	if (!sftp_call_send(call, &read, &request)) {
		if (!sftp_call_wait(call, request))
			found = first_name(sftp_request_body(request));
		sftp_call_forget(call, &request);
	}
	sftp_call_tell(call, &close);
	return found;
}

/* Does that have the size and the time which the folder's name tells of? */
static bool has_replaced(const char *name, const struct sftp_attributes *there)
{
	uint64_t size;
	uint32_t mtime;

	return sscanf(name,
		      SFTP_DISPLACED "%*8x-%*8x-%*8x-%*16[0-9a-f]-%" SCNx64
				     "-%" SCNx32,
		      &size, &mtime) == 2 &&
	       there->size == size && there->mtime == mtime;
}

/* To a name beside its own, that says why. */
static bool come_back_beside(struct sftp_call *call, const char *old,
			     const char *target)
{
	struct sftp_path beside;

	return snprintf(beside.text, sizeof(beside.text),
			"%s.storefs-kept-%08" PRIx32, target,
			(uint32_t)time(NULL)) < (int)sizeof(beside.text) &&
	       !rename_to(call, old, beside.text);
}

static bool put_right(struct sftp_call *call, const char *name, const char *old,
		      const char *target)
{
	struct sftp_attributes there;
	int code = sftp_look(call, target, &there, NULL);

	if (code == STORE_NOT_FOUND)
		return !rename_to(call, old, target);
	if (code)
		return false;
	if (!has_replaced(name, &there))
		return come_back_beside(call, old, target);
	if (remove_path(call, SFTP_REMOVE, old))
		store_error_clear(call->error);
	return false;
}

bool sftp_mend(struct sftp_call *call, const char *folder, const char *name)
{
	struct store_error kept = *call->error;
	struct sftp_path own, old, target, parent;
	char *displaced;
	bool back = false;

	snprintf(parent.text, sizeof(parent.text), "%s", folder);
	if (!sftp_path_inside(&parent, name, &own))
		return false;
	displaced = displaced_name(call, own.text);
	if (displaced && sftp_path_inside(&own, displaced, &old) &&
	    sftp_path_inside(&parent, displaced, &target)) {
		if (strncmp(name, SFTP_REPLACED, strlen(SFTP_REPLACED)) != 0)
			back = put_right(call, name, old.text, target.text);
		else if (remove_path(call, SFTP_REMOVE, old.text))
			store_error_clear(call->error);
	}
	free(displaced);
	/* Fails while something is in it, as it should. */
	if (remove_path(call, SFTP_RMDIR, own.text))
		store_error_clear(call->error);
	*call->error = kept;
	return back;
}

/* ---- publishing ---- */

static bool same(const struct sftp_attributes *a,
		 const struct sftp_attributes *b)
{
	return a->size == b->size && a->mtime == b->mtime && S_ISREG(b->mode);
}

/* A name that was free: has it been linked, and the answer been lost? */
static bool is_linked(struct sftp_call *call,
		      const struct sftp_publish *publish)
{
	struct store_error kept = *call->error;
	struct sftp_attributes there;
	int code;

	if (!publish->exclusive || !call->acted)
		return false;
	code = sftp_look(call, publish->path, &there, NULL);
	*call->error = kept;
	return !code && same(&publish->attributes, &there);
}

/* What has become of it?  1: it still has to be done. */
static int examine(struct sftp_call *call, const struct sftp_publish *publish)
{
	struct sftp_attributes there;
	int code = sftp_look(call, publish->temporary, &there, NULL);

	if (!code && !is_linked(call, publish))
		return 1;
	if (!code)
		return remove_path(call, SFTP_REMOVE, publish->temporary);
	if (code != STORE_NOT_FOUND)
		return code;
	store_error_clear(call->error);
	code = sftp_look(call, publish->path, &there, NULL);
	if (!code && same(&publish->attributes, &there))
		return STORE_OK;
	if (code && code != STORE_NOT_FOUND)
		return code;
	return store_error_set(call->error, STORE_UNAVAILABLE,
			       "the connection was lost in mid-rename, and "
			       "something else is there by now");
}

/* The temporary was there, and then was not. */
static int examine_late(struct sftp_call *call,
			const struct sftp_publish *publish, int code)
{
	struct store_error kept = *call->error;
	int found = examine(call, publish);

	if (found == 1) {
		*call->error = kept;
		return code;
	}
	return found;
}

static int try_publish(struct sftp_call *call,
		       const struct sftp_publish *publish)
{
	if (publish->exclusive)
		return take_free(call, publish);
	if (sftp_session_has(call->session, SFTP_EXT_POSIX_RENAME))
		return replace(call, publish);
	return sftp_displace(call, publish);
}

/* FAILURE says nothing of the reason: look. */
static int explain(struct sftp_call *call, const struct sftp_publish *publish,
		   int code)
{
	struct store_error kept = *call->error;
	struct sftp_attributes there;
	int looked;

	if (!sftp_call_says_nothing(call, code) && code != STORE_DENIED)
		return code;
	looked = sftp_look(call, publish->path, &there, NULL);
	*call->error = kept;
	if (looked)
		return code;
	if (S_ISDIR(there.mode))
		return store_error_set(call->error, STORE_IS_DIR,
				       "is a folder");
	if (publish->exclusive)
		return store_error_set(call->error, STORE_EXISTS,
				       "the name is taken");
	return code;
}

int sftp_publish(struct sftp_call *call, const struct sftp_publish *publish)
{
	struct sftp_ask remove = { .type = SFTP_REMOVE,
				   .path = publish->temporary };
	struct sftp_publish again = *publish;
	struct store_error kept;
	int code = try_publish(call, publish);

	/* The handle has gone with its connection. */
	again.folder = NULL;
	while (sftp_call_again(call, &code)) {
		code = sftp_call_connect(call);
		if (!code)
			code = examine(call, publish);
		if (code == 1)
			code = try_publish(call, &again);
		/* The lost one may still have been under way then. */
		if (code == STORE_NOT_FOUND && !sftp_call_lost(call))
			code = examine_late(call, publish, code);
		if (!code && publish->folder)
			code = sftp_folder_flush(call, publish->path);
	}
	if (!code)
		return STORE_OK;
	code = explain(call, publish, code);
	/* Nobody knows whether it was done: then it must not go. */
	kept = *call->error;
	if (!sftp_call_lost(call) && code != STORE_TIMEOUT &&
	    code != STORE_CANCELLED)
		sftp_call_settle(call, &remove);
	*call->error = kept;
	return code;
}
