// SPDX-License-Identifier: MIT
/*
 * Mode, owner and times of nodes.
 *
 * Called by the table and by everything that makes nodes.  Owner before
 * mode, as a change of owner clears the set-id bits.
 */
#include "config.h"

#include "backends/local/attribute.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backends/local/path.h"
#include "backends/local/reader.h"
#include "backends/local/stamp.h"
#include "src/base/cleanup.h"

static int apply_owner(int fd, const struct local_stat *now,
		       const struct store_attributes *attributes, bool *changed)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if ((attributes->mask & STORE_ATTR_UID) && attributes->uid != now->uid)
		uid = attributes->uid;
	if ((attributes->mask & STORE_ATTR_GID) && attributes->gid != now->gid)
		gid = attributes->gid;
	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return 0;
	*changed = true;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH);
}

static int apply_mode(int fd, const struct local_stat *now, mode_t mode)
{
	struct local_proc_path path;

	if (S_ISLNK(now->mode)) {
		if (mode == 0777)
			return 0;
		errno = EOPNOTSUPP; /* Linux keeps no modes of symlinks */
		return -1;
	}
	if (fchmod(fd, mode) == 0)
		return 0;
	if (errno != EBADF) /* it is O_PATH */
		return -1;
	return chmod(local_proc_path(&path, fd), mode);
}

int local_apply_times(int fd, const struct store_attributes *attributes)
{
	struct local_proc_path path;
	struct timespec times[2] = {
		{ .tv_nsec = UTIME_OMIT },
		{ .tv_nsec = UTIME_OMIT },
	};

	if (!(attributes->mask & (STORE_ATTR_MTIME | STORE_ATTR_ATIME)))
		return 0;
	if (attributes->mask & STORE_ATTR_ATIME)
		times[0] = attributes->atime;
	if (attributes->mask & STORE_ATTR_MTIME)
		times[1] = attributes->mtime;
	if (futimens(fd, times) == 0)
		return 0;
	if (errno != EBADF)
		return -1;
	return utimensat(AT_FDCWD, local_proc_path(&path, fd), times, 0);
}

int local_apply_attributes(int fd, const struct local_stat *now,
			   const struct store_attributes *attributes)
{
	bool owner_changed = false;
	mode_t mode = attributes->mode & 07777;

	if (apply_owner(fd, now, attributes, &owner_changed))
		return -1;
	if ((attributes->mask & STORE_ATTR_MODE) &&
	    (owner_changed || mode != (now->mode & 07777)) &&
	    apply_mode(fd, now, mode))
		return -1;
	return local_apply_times(fd, attributes);
}

/* A chown to nobody new would clear the set-id bits of a file. */
static int touch_ctime(int fd, const struct local_stat *st)
{
	if (S_ISLNK(st->mode))
		return fchownat(fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH);
	return apply_mode(fd, st, st->mode & 07777);
}

/* Before the mode, which may take the right to let the id of the put follow. */
static int set_mtime(const struct local *self, int fd, struct local_stat *st,
		     struct store_attributes *left)
{
	const struct local_stat before = *st;

	if (!(left->mask & STORE_ATTR_MTIME))
		return 0;
	if (local_apply_times(fd, left) || local_stat_at(fd, "", st))
		return -1;
	local_stamp_follow(self, fd, &before, st);
	left->mask &= ~(uint32_t)(STORE_ATTR_MTIME | STORE_ATTR_ATIME);
	return 0;
}

/* As above, and ctime moves even when nothing had to be set. */
static int set_and_touch(const struct local *self, int fd,
			 struct local_stat *st,
			 const struct store_attributes *attributes)
{
	struct timespec before = st->ctime;
	struct store_attributes left = *attributes;

	if (set_mtime(self, fd, st, &left) ||
	    local_apply_attributes(fd, st, &left) || local_stat_at(fd, "", st))
		return -1;
	if (before.tv_sec != st->ctime.tv_sec ||
	    before.tv_nsec != st->ctime.tv_nsec)
		return 0;
	if (touch_ctime(fd, st))
		return -1;
	return local_stat_at(fd, "", st);
}

int local_set_attributes(void *self, struct store_context *context,
			 const char *key,
			 const struct store_attributes *attributes,
			 struct store_info *info, struct store_error *error)
{
	struct local *local = self;
	CLEANUP_FD int fd = -1;
	struct local_stat st;
	int failed;
	int code = store_context_check(context, error);

	if (!code)
		code = local_open_key(self, key, O_PATH, &fd, error);
	if (code)
		return code;
	lock_take(&local->lock);
	failed = local_stat_at(fd, "", &st);
	if (!failed) {
		struct local_stat before = st;

		failed = set_and_touch(local, fd, &st, attributes);
		/* Readers of this file go on: its content is the same. */
		if (!failed && (attributes->mask & STORE_ATTR_MTIME))
			local_readers_follow_locked(local, &before, &st);
	}
	lock_drop(&local->lock);
	if (failed)
		return local_fail(error, errno, "set the attributes");
	local_info_of(local, &st, local_id_of(local, fd, &st), info);
	return STORE_OK;
}
