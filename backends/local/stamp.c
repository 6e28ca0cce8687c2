// SPDX-License-Identifier: MIT
/*
 * Ids of puts; see stamp.h.  Called by puts, by changes of attributes and by
 * stats; calls the kernel.  No locks: what a stat tells of is compared with
 * what that stat saw.
 */
#include "config.h"

#include "backends/local/stamp.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "src/base/cleanup.h"

/* Value of the attribute. */
struct stamp {
	uint8_t publish[STORE_PUBLISH_SIZE];
	uint64_t own;
	uint64_t mtime;
	uint64_t size;
};
_Static_assert(sizeof(struct stamp) == 40, "the form on the disk");

static void stamp_fill(const struct local *self, const struct local_stat *st,
		       const uint8_t *publish, struct stamp *stamp)
{
	uint64_t mtime = (uint64_t)st->mtime.tv_sec * UINT64_C(1000000000) +
			 (uint64_t)st->mtime.tv_nsec;

	memcpy(stamp->publish, publish, sizeof(stamp->publish));
	stamp->own = htole64(local_own_id(self, st));
	stamp->mtime = htole64(mtime);
	stamp->size = htole64(st->size);
}

/* 1 when the file has one, whether it counts or not; 0; -1 with errno. */
static int stamp_read(int fd, struct stamp *stamp)
{
	struct local_proc_path path;
	ssize_t size = getxattr(local_proc_path(&path, fd), LOCAL_XATTR_PUBLISH,
				stamp, sizeof(*stamp));

	if (size >= 0)
		return size == (ssize_t)sizeof(*stamp);
	switch (errno) {
	case ENODATA:
	case ERANGE: /* not ours */
	case EOPNOTSUPP:
	case EACCES: /* a file that may not be read has a stat all the same */
		return 0;
	default:
		return -1;
	}
}

static bool stamp_counts(const struct local *self, const struct local_stat *st,
			 const struct stamp *stamp)
{
	struct stamp now;

	stamp_fill(self, st, stamp->publish, &now);
	return memcmp(&now, stamp, sizeof(now)) == 0;
}

int local_stamp_set(const struct local *self, int fd,
		    const struct local_stat *st, const uint8_t *publish)
{
	struct local_proc_path path;
	struct stamp stamp;
	int failed;

	local_proc_path(&path, fd);
	if (publish)
		stamp_fill(self, st, publish, &stamp);
	failed = publish ? setxattr(path.text, LOCAL_XATTR_PUBLISH, &stamp,
				    sizeof(stamp), 0)
			 : removexattr(path.text, LOCAL_XATTR_PUBLISH);
	if (!failed)
		return 0;
	switch (errno) {
	case ENODATA:
	case ENOSPC:
	case EDQUOT:
	case E2BIG:
	case EOPNOTSUPP:
		return 0;
	default:
		return -1;
	}
}

int local_stamp_carry(const struct local *self, int from, int to,
		      const struct local_stat *st)
{
	struct stamp stamp;
	int found = stamp_read(from, &stamp);

	if (found < 0)
		return -1;
	return local_stamp_set(self, to, st, found ? stamp.publish : NULL);
}

void local_stamp_follow(const struct local *self, int fd,
			const struct local_stat *before,
			const struct local_stat *after)
{
	struct stamp stamp;
	int failed UNUSED;

	if (!S_ISREG(before->mode) || stamp_read(fd, &stamp) <= 0 ||
	    !stamp_counts(self, before, &stamp))
		return;
	/* One that cannot follow has ended. */
	failed = local_stamp_set(self, fd, after, stamp.publish);
}

int local_stamp_tell(const struct local *self, int fd,
		     const struct local_stat *st, struct store_details *details)
{
	struct stamp stamp;
	int found = stamp_read(fd, &stamp);

	if (found <= 0 || !stamp_counts(self, st, &stamp))
		return found < 0 ? -1 : 0;
	details->has_publish = true;
	memcpy(details->publish, stamp.publish, sizeof(details->publish));
	return 0;
}
