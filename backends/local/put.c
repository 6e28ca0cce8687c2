// SPDX-License-Identifier: MIT
/*
 * Storing whole files.
 *
 * Called by the table; goes through publish.c, and through journal.c for a
 * file that has to keep its inode: one with several links, and one whose
 * owner we may not give to a new file.
 *
 *	put	begin, bytes, extended attributes, mode and owner, commit
 *	upload	the same, with the bytes coming one call after the other
 */
#include "config.h"

#include "backends/local/put.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/local/attribute.h"
#include "backends/local/bytes.h"
#include "backends/local/journal.h"
#include "backends/local/publish.h"
#include "backends/local/stamp.h"
#include "backends/local/xattr.h"
#include "src/base/cleanup.h"

struct put {
	struct local_publish publish;
	const struct backend_put_request *request;
	uint64_t size;
	int old; /* the version that is replaced, where it is needed, or -1 */
	bool raced; /* another one stands there by now: look again */
};

static bool keeps(const struct put *put)
{
	return (put->request->flags & BACKEND_PUT_KEEP) &&
	       put->publish.exists && S_ISREG(put->publish.old.mode);
}

/* ---- attributes ---- */

/* What the new file gets: of the request, else of the one it replaces. */
static struct store_attributes wanted_attributes(const struct put *put)
{
	const struct store_attributes *given = put->request->attributes;
	const struct local_stat *old = &put->publish.old;
	struct store_attributes wanted = { 0 };

	if (given)
		wanted = *given;
	if (!keeps(put))
		return wanted;
	if (!(wanted.mask & STORE_ATTR_MODE))
		wanted.mode = old->mode & 07777;
	if (!(wanted.mask & STORE_ATTR_UID))
		wanted.uid = old->uid;
	if (!(wanted.mask & STORE_ATTR_GID))
		wanted.gid = old->gid;
	if (!(wanted.mask & STORE_ATTR_ATIME))
		wanted.atime = old->atime;
	wanted.mask |= STORE_ATTR_MODE | STORE_ATTR_UID | STORE_ATTR_GID |
		       STORE_ATTR_ATIME;
	return wanted;
}

/* -1 with errno. */
static int dress(const struct put *put)
{
	struct store_attributes wanted = wanted_attributes(put);
	int fd = put->publish.temporary.fd;
	struct local_stat now;

	if (keeps(put) && local_carry_xattrs(put->old, fd, put->request))
		return -1;
	if (local_apply_xattrs(fd, put->request))
		return -1;
	if (local_apply_times(fd, &wanted) || local_stat_at(fd, "", &now))
		return -1;
	/*
	 * Last of the attributes: it takes the room they leave.  But before
	 * the mode, which may take the right to set it.
	 */
	if (put->request->publish &&
	    local_stamp_set(put->publish.self, fd, &now, put->request->publish))
		return -1;
	wanted.mask &= ~(uint32_t)(STORE_ATTR_MTIME | STORE_ATTR_ATIME);
	return local_apply_attributes(fd, &now, &wanted);
}

/*
 * Another version than the one we looked at: CHANGED for who demanded it,
 * another try for who did not.
 */
static int replaced_meanwhile(struct put *put, struct store_error *error)
{
	put->raced = put->publish.precondition->condition != STORE_IF_VERSION;
	return store_error_set(error, STORE_CHANGED,
			       "replaced while it was written");
}

/* ---- in place ---- */

static int open_in_place(struct put *put, int *target, struct local_stat *old,
			 struct store_error *error)
{
	struct local_publish *publish = &put->publish;
	bool exists;
	int code = local_publish_check(publish, old, &exists, error);

	if (code)
		return code;
	if (!exists || !local_stat_same_node(old, &publish->old))
		return replaced_meanwhile(put, error);
	*target = openat(publish->place.dir, publish->place.name,
			 O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (*target < 0)
		return local_fail(error, errno, "write");
	return local_lock(publish->self, publish->context, *target, error);
}

static int put_in_place_locked(struct put *put, struct store_info *info,
			       struct store_error *error)
{
	struct local_publish *publish = &put->publish;
	const struct local_in_place job = {
		.key = publish->key,
		.place = &publish->place,
		.temporary = &publish->temporary,
		.size = put->size,
		.request = put->request,
	};
	CLEANUP_FD int target = -1;
	struct local_stat old;
	int code = open_in_place(put, &target, &old, error);

	if (!code)
		local_journal_settle(publish->self, &publish->place, target);
	/* Another link may have been written before the flock was ours. */
	if (!code && local_stat_at(target, "", &old))
		code = local_fail(error, errno, "write");
	if (!code)
		code = local_check_condition(
			publish->self, publish->precondition, &old, error);
	if (!code)
		code = local_write_in_place(publish->self, publish->context,
					    &job, target, &old, error);
	if (code)
		return code;
	if (local_info_fd(publish->self, target, info))
		return local_fail(error, errno, "look at");
	return STORE_OK;
}

static int put_in_place(struct put *put, struct store_info *info,
			struct store_error *error)
{
	struct local_publish *publish = &put->publish;
	int code = STORE_OK;

	if (!publish->place.bare)
		code = local_lock(publish->self, publish->context,
				  publish->place.dir, error);
	if (code)
		return code;
	code = put_in_place_locked(put, info, error);
	if (!publish->place.bare)
		local_unlock(publish->place.dir);
	return code;
}

/* ---- put ---- */

/* The version that is replaced, when bytes or attributes of it are kept. */
static int open_old(struct put *put, struct store_error *error)
{
	struct local_publish *publish = &put->publish;
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
	struct local_stat st;

	if (put->old >= 0 || (!keeps(put) && !put->request->keep_count))
		return STORE_OK;
	put->old = openat(publish->place.dir, publish->place.name,
			  O_RDONLY | flags);
	/* Attributes are to be had of a file that may not be read. */
	if (put->old < 0 && errno == EACCES && !put->request->keep_count)
		put->old = openat(publish->place.dir, publish->place.name,
				  O_PATH | flags);
	if (put->old < 0 && errno == ENOENT)
		return replaced_meanwhile(put, error);
	if (put->old < 0 || local_stat_at(put->old, "", &st))
		return local_fail_target(error, errno, "read");
	if (!local_stat_same_node(&st, &publish->old))
		return replaced_meanwhile(put, error);
	return local_check_condition(publish->self, publish->precondition, &st,
				     error);
}

static void close_old(struct put *put)
{
	if (put->old >= 0)
		close(put->old);
	put->old = -1;
}

static mode_t first_mode(const struct backend_put_request *request)
{
	const struct store_attributes *attributes = request->attributes;
	bool told = attributes && (attributes->mask & STORE_ATTR_MODE);

	/* Closed until it has the mode it was meant to have. */
	return told || (request->flags & BACKEND_PUT_KEEP) ? 0600 : 0666;
}

/* KEEP with nothing to keep: the mode is the umask's after all. */
static bool lacks_mode(const struct put *put)
{
	const struct store_attributes *attributes = put->request->attributes;

	return (put->request->flags & BACKEND_PUT_KEEP) && !keeps(put) &&
	       !(attributes && (attributes->mask & STORE_ATTR_MODE));
}

static int reopen_with_umask(struct local_publish *publish,
			     struct store_error *error)
{
	local_temporary_drop(&publish->place, &publish->temporary);
	if (local_temporary_make(publish->self, &publish->place, 0666,
				 &publish->temporary))
		return local_fail_target(error, errno, "make");
	return STORE_OK;
}

/* A temporary with the mode that suits the request. */
static int begin(struct put *put, struct store_error *error)
{
	int code = local_publish_begin(&put->publish, first_mode(put->request),
				       error);

	if (!code && lacks_mode(put))
		code = reopen_with_umask(&put->publish, error);
	return code;
}

/* The bytes are there: everything else. */
static int finish_once(struct put *put, struct store_info *info,
		       struct store_error *error)
{
	struct local_publish *publish = &put->publish;
	int code = open_old(put, error);

	if (code)
		return code;
	if (keeps(put) && publish->old.links > 1)
		return put_in_place(put, info, error);
	if (dress(put)) {
		/* The owner of the old file cannot be given to a new one. */
		if (errno == EPERM && keeps(put))
			return put_in_place(put, info, error);
		return local_fail(error, errno, "write");
	}
	return local_publish_commit(publish, info, error);
}

static int finish(struct put *put, struct store_info *info,
		  struct store_error *error)
{
	struct local_publish *publish = &put->publish;
	int code = STORE_OK;

	for (int tries = 0; tries < 10; tries++) {
		put->raced = false;
		code = finish_once(put, info, error);
		close_old(put);
		if (!put->raced)
			return code;
		code = local_publish_check(publish, &publish->old,
					   &publish->exists, error);
		if (code)
			return code;
	}
	return store_error_set(error, STORE_LOCKED,
			       "others replace it all the time");
}

static int put_steps(struct put *put, struct store_info *info,
		     struct store_error *error)
{
	struct local_publish *publish = &put->publish;
	int code = begin(put, error);

	if (!code && put->request->keep_count)
		code = open_old(put, error);
	if (!code)
		code = local_write_version(publish->self, publish->context,
					   put->request, put->old,
					   publish->temporary.fd, error);
	return code ? code : finish(put, info, error);
}

int local_put(void *self, struct store_context *context,
	      const struct backend_put_request *request,
	      struct store_info *info, struct store_error *error)
{
	struct put put = {
		.publish = {
			.self = self,
			.context = context,
			.key = request->key,
			.precondition = &request->precondition,
			.id = request->id,
			.keep_times = request->flags & BACKEND_PUT_KEEP,
		},
		.request = request,
		.size = request->source->size,
		.old = -1,
	};
	bool again = true;
	int code = STORE_OK;

	for (int tries = 0; tries < 3 && again; tries++) {
		code = put_steps(&put, info, error);
		again = local_publish_lost_folder(&put.publish, code);
		close_old(&put);
		code = local_publish_end(&put.publish, code);
	}
	return code;
}

/* ---- upload ---- */

struct upload {
	struct put put;
	struct store_precondition precondition;
	char key[];
};

int local_upload_begin(void *self, struct store_context *context,
		       const struct backend_put_request *request, void **upload,
		       struct store_error *error)
{
	size_t length = strlen(request->key) + 1;
	struct upload *fresh = calloc(1, sizeof(*fresh) + length);
	int code;

	if (!fresh)
		return local_fail(error, ENOMEM, "write");
	memcpy(fresh->key, request->key, length);
	fresh->precondition = request->precondition;
	fresh->put = (struct put){
		.publish = {
			.self = self,
			.context = context,
			.key = fresh->key,
			.precondition = &fresh->precondition,
		},
		.request = request,
		.old = -1,
	};
	code = begin(&fresh->put, error);
	if (code) {
		code = local_publish_end(&fresh->put.publish, code);
		free(fresh);
		return code;
	}
	*upload = fresh;
	return STORE_OK;
}

int local_upload_write(void *self UNUSED, struct store_context *context,
		       void *upload, const void *data, size_t length,
		       struct store_error *error)
{
	struct put *put = &((struct upload *)upload)->put;
	int code = store_context_check(context, error);

	if (code)
		return code;
	if (local_append(put->publish.temporary.fd, data, length, put->size))
		return local_fail(error, errno, "write");
	put->size += length;
	store_context_progress(context);
	return STORE_OK;
}

/* The folder may have gone while the bytes came. */
static int upload_look_again(struct upload *upload, struct store_error *error)
{
	struct local_publish *publish = &upload->put.publish;
	int code = store_context_check(publish->context, error);

	if (!code && local_place_is_gone(&publish->place) &&
	    !publish->temporary.named) {
		local_place_release(&publish->place);
		code = local_place_make(publish->self, upload->key,
					&publish->place, error);
	}
	if (code)
		return code;
	return local_publish_check(publish, &publish->old, &publish->exists,
				   error);
}

int local_upload_commit(void *self UNUSED, struct store_context *context,
			void *upload, const struct backend_put_request *request,
			struct store_info *info, struct store_error *error)
{
	struct upload *done = upload;
	int code;

	done->put.request = request;
	done->put.publish.context = context;
	done->put.publish.id = request->id;
	done->put.publish.keep_times = request->flags & BACKEND_PUT_KEEP;
	code = upload_look_again(done, error);
	if (!code)
		code = finish(&done->put, info, error);
	code = local_publish_end(&done->put.publish, code);
	free(done);
	return code;
}

void local_upload_abort(void *self UNUSED, void *upload)
{
	struct upload *given_up = upload;
	int code = local_publish_end(&given_up->put.publish, STORE_CANCELLED);

	(void)code;
	free(given_up);
}
