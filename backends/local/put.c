// SPDX-License-Identifier: MIT
/*
 * Storing whole files.
 *
 * Called by the table; goes through publish.c, and through journal.c for a
 * file that has to keep its inode: one with several links, and one whose
 * owner we may not give to a new file.
 *
 *	put	begin, bytes, extended attributes, mode and owner, commit
 *	copy	the same, with everything from another file
 */
#include "config.h"

#include "backends/local/put.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backends/local/attribute.h"
#include "backends/local/bytes.h"
#include "backends/local/journal.h"
#include "backends/local/publish.h"
#include "backends/local/reader.h"
#include "backends/local/xattr.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

struct put {
	struct local_publish publish;
	const struct backend_put_request *request;
	int old; /* the version that is replaced, where it is needed, or -1 */
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
	const struct store_attributes wanted = wanted_attributes(put);
	int fd = put->publish.temporary.fd;
	struct local_stat now;

	if (keeps(put) && local_carry_xattrs(put->old, fd, put->request))
		return -1;
	if (local_apply_xattrs(fd, put->request) || local_stat_at(fd, "", &now))
		return -1;
	return local_apply_attributes(fd, &now, &wanted);
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
		return store_error_set(error, STORE_CHANGED,
				       "replaced while it was written");
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
		.size = put->request->source->size,
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

	if (!keeps(put) && !put->request->keep_count)
		return STORE_OK;
	put->old = openat(publish->place.dir, publish->place.name,
			  O_RDONLY | flags);
	/* Attributes are to be had of a file that may not be read. */
	if (put->old < 0 && errno == EACCES && !put->request->keep_count)
		put->old = openat(publish->place.dir, publish->place.name,
				  O_PATH | flags);
	if (put->old < 0 || local_stat_at(put->old, "", &st))
		return local_fail_target(error, errno, "read");
	if (!local_stat_same_node(&st, &publish->old))
		return store_error_set(error, STORE_CHANGED,
				       "replaced while it was read");
	return local_check_condition(publish->self, publish->precondition, &st,
				     error);
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

static int put_steps(struct put *put, struct store_info *info,
		     struct store_error *error)
{
	struct local_publish *publish = &put->publish;
	int code =
		local_publish_begin(publish, first_mode(put->request), error);

	if (!code && lacks_mode(put))
		code = reopen_with_umask(publish, error);
	if (!code)
		code = open_old(put, error);
	if (!code)
		code = local_write_version(publish->self, publish->context,
					   put->request, put->old,
					   publish->temporary.fd, error);
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
		},
		.request = request,
	};
	bool again = true;
	int code = STORE_OK;

	for (int tries = 0; tries < 3 && again; tries++) {
		put.old = -1;
		code = put_steps(&put, info, error);
		again = local_publish_lost_folder(&put.publish, code);
		if (put.old >= 0)
			close(put.old);
		code = local_publish_end(&put.publish, code);
	}
	return code;
}

/* ---- copy ---- */

struct copy {
	struct local_publish publish;
	int from;
	struct local_stat st; /* of `from` */
};

static int copy_attributes(const struct copy *copy)
{
	const struct local_stat *st = &copy->st;
	int fd = copy->publish.temporary.fd;
	struct store_attributes attributes = {
		.mask = STORE_ATTR_UID | STORE_ATTR_GID,
		.uid = st->uid,
		.gid = st->gid,
		.mode = st->mode & 07777,
		.mtime = st->mtime,
		.atime = st->atime,
	};
	struct local_stat now;

	if (local_carry_xattrs(copy->from, fd, NULL) ||
	    local_stat_at(fd, "", &now))
		return -1;
	/* As cp -p: an owner that may not be given is left. */
	if (local_apply_attributes(fd, &now, &attributes)) {
		if (errno != EPERM)
			return -1;
		attributes.mode &= 01777;
	}
	attributes.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME | STORE_ATTR_ATIME;
	if (local_stat_at(fd, "", &now))
		return -1;
	return local_apply_attributes(fd, &now, &attributes);
}

static int copy_bytes(const struct copy *copy, struct store_error *error)
{
	const struct local_copy range_copy = {
		.self = copy->publish.self,
		.from = copy->from,
		.to = copy->publish.temporary.fd,
	};
	const struct store_range all = { .length = copy->st.size };
	struct local_stat after;
	int code;

	if (ftruncate(range_copy.to, (off_t)all.length))
		return store_error_errno(error, errno, "copy");
	code = local_copy_range(&range_copy, copy->publish.context, &all,
				error);
	if (code)
		return code;
	if (local_stat_at(copy->from, "", &after))
		return store_error_errno(error, errno, "copy");
	if (after.size != copy->st.size ||
	    timespec_compare(after.mtime, copy->st.mtime) != 0)
		return store_error_set(error, STORE_CHANGED,
				       "written while it was copied");
	return STORE_OK;
}

static int copy_steps(struct copy *copy, struct store_info *info,
		      struct store_error *error)
{
	struct local_publish *publish = &copy->publish;
	int code = local_publish_begin(publish, 0600, error);

	if (!code)
		code = copy_bytes(copy, error);
	if (code)
		return code;
	if (copy_attributes(copy))
		return local_fail(error, errno, "copy to");
	return local_publish_commit(publish, info, error);
}

int local_copy(void *self, struct store_context *context,
	       const struct backend_move_request *request,
	       struct store_info *info, struct store_error *error)
{
	const struct store_precondition absent = {
		.condition = STORE_IF_ABSENT,
	};
	bool replaces = request->flags & BACKEND_MOVE_REPLACE;
	struct copy copy = {
		.publish = {
			.self = self,
			.context = context,
			.key = request->to,
			.precondition = replaces ? &request->precondition :
						   &absent,
		},
	};
	CLEANUP_FD int from = -1;
	bool again = true;
	int code = store_context_check(context, error);

	if (!code)
		code = local_open_file(self, request->from, &from, &copy.st,
				       error);
	if (code)
		return code;
	copy.from = from;
	for (int tries = 0; tries < 3 && again; tries++) {
		code = copy_steps(&copy, info, error);
		again = local_publish_lost_folder(&copy.publish, code);
		code = local_publish_end(&copy.publish, code);
	}
	return code;
}
