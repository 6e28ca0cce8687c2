// SPDX-License-Identifier: MIT
/*
 * What the kernel tells of a node, and what a store_info makes of it.
 *
 * Called by every operation that answers with a store_info.  No locks.  The
 * rules for tokens and ids are in node.h.
 */
#include "config.h"

#include "backends/local/node.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "backends/local/path.h"
#include "backends/local/xattr.h"
#include "src/base/clock.h"
#include "src/file_type.h"

/* ---- the kernel ---- */

#ifdef HAVE_STATX
static struct timespec from_statx(struct statx_timestamp t)
{
	return (struct timespec){ .tv_sec = (time_t)t.tv_sec,
				  .tv_nsec = (long)t.tv_nsec };
}

static void fill_from_statx(const struct statx *sx, struct local_stat *st)
{
	*st = (struct local_stat){
		.mode = sx->stx_mode,
		.links = sx->stx_nlink,
		.uid = sx->stx_uid,
		.gid = sx->stx_gid,
		.dev = makedev(sx->stx_dev_major, sx->stx_dev_minor),
		.ino = sx->stx_ino,
		.rdev = makedev(sx->stx_rdev_major, sx->stx_rdev_minor),
		.size = sx->stx_size,
		.blocks = sx->stx_blocks,
		.atime = from_statx(sx->stx_atime),
		.mtime = from_statx(sx->stx_mtime),
		.ctime = from_statx(sx->stx_ctime),
		.birth = from_statx(sx->stx_btime),
		.has_birth = (sx->stx_mask & STATX_BTIME) != 0,
	};
}

int local_stat_at(int dir, const char *name, struct local_stat *st)
{
	struct statx sx;

	if (statx(dir, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH,
		  STATX_BASIC_STATS | STATX_BTIME, &sx))
		return -1;
	fill_from_statx(&sx, st);
	return 0;
}
#else
int local_stat_at(int dir, const char *name, struct local_stat *st)
{
	struct stat s;

	if (fstatat(dir, name, &s, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -1;
	*st = (struct local_stat){
		.mode = s.st_mode,
		.links = (uint32_t)s.st_nlink,
		.uid = s.st_uid,
		.gid = s.st_gid,
		.dev = s.st_dev,
		.ino = s.st_ino,
		.rdev = s.st_rdev,
		.size = (uint64_t)s.st_size,
		.blocks = (uint64_t)s.st_blocks,
		.atime = s.st_atim,
		.mtime = s.st_mtim,
		.ctime = s.st_ctim,
	};
	return 0;
}
#endif

bool local_stat_same_node(const struct local_stat *a,
			  const struct local_stat *b)
{
	return a->ino == b->ino && a->dev == b->dev &&
	       a->has_birth == b->has_birth &&
	       timespec_compare(a->birth, b->birth) == 0;
}

/* ---- ids ---- */

/* The finaliser of splitmix64: every bit depends on every bit. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* A time as one number; wraps after 584 years, which does not matter here. */
static uint64_t time_number(struct timespec t)
{
	return (uint64_t)t.tv_sec * (uint64_t)NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* The inode number, told from those of other file systems below the root. */
static uint64_t node_number(const struct local *self,
			    const struct local_stat *st)
{
	if ((unsigned int)st->dev == atomic_load(&self->root_device))
		return st->ino;
	return st->ino ^ mix(st->dev);
}

uint64_t local_own_id(const struct local *self, const struct local_stat *st)
{
	uint64_t id = node_number(self, st);

	if (st->has_birth)
		id = mix(id ^ mix(time_number(st->birth)));
	return id ? id : 1;
}

/* Value of "user.storefs.id". */
struct taken_id {
	uint64_t id;
	uint64_t own; /* of the inode that carries it */
};

static uint64_t id_from(const struct local *self, const struct local_stat *st,
			const struct taken_id *taken)
{
	uint64_t own = local_own_id(self, st);

	return le64toh(taken->own) == own ? le64toh(taken->id) : own;
}

static bool may_have_id(const struct local *self, const struct local_stat *st)
{
	return S_ISREG(st->mode) && st->has_birth &&
	       !atomic_load(&self->lacks_xattrs);
}

uint64_t local_id_of(struct local *self, int fd, const struct local_stat *st)
{
	struct local_proc_path path;
	struct taken_id taken;

	if (!may_have_id(self, st) ||
	    getxattr(local_proc_path(&path, fd), LOCAL_XATTR_ID, &taken,
		     sizeof(taken)) != (ssize_t)sizeof(taken))
		return local_own_id(self, st);
	return id_from(self, st, &taken);
}

uint64_t local_id_at(struct local *self, int dir, const char *name,
		     const struct local_stat *st)
{
	struct taken_id taken;

	if (!may_have_id(self, st) ||
	    local_getxattr_at(self, dir, name, LOCAL_XATTR_ID, &taken,
			      sizeof(taken)) != (ssize_t)sizeof(taken))
		return local_own_id(self, st);
	return id_from(self, st, &taken);
}

void local_take_id(struct local *self, int fd, uint64_t id)
{
	struct local_stat st;
	struct taken_id taken;

	if (local_stat_at(fd, "", &st) || !may_have_id(self, &st))
		return;
	taken.id = htole64(id);
	taken.own = htole64(local_own_id(self, &st));
	/* A full attribute block costs a stable number, not the put. */
	if (!fsetxattr(fd, LOCAL_XATTR_ID, &taken, sizeof(taken), 0) ||
	    errno != EACCES)
		return;
	/* The descriptor may be written, but it is the mode that counts. */
	if (fchmod(fd, (st.mode & 07777) | S_IWUSR))
		return;
	fsetxattr(fd, LOCAL_XATTR_ID, &taken, sizeof(taken), 0);
	fchmod(fd, st.mode & 07777);
}

/* ---- what a stat tells ---- */

void local_version_of(const struct local *self, const struct local_stat *st,
		      struct store_version *version)
{
	version->weak = !st->has_birth;
	snprintf(version->token, sizeof(version->token),
		 "%" PRIx64 ".%" PRIx64 ".%" PRIx64 ".%" PRIx64,
		 node_number(self, st), time_number(st->birth),
		 time_number(st->mtime), st->size);
}

void local_info_of(const struct local *self, const struct local_stat *st,
		   uint64_t id, struct store_info *info)
{
	*info = (struct store_info){
		.type = file_type_of(st->mode),
		.links = st->links ? st->links : 1,
		.size = S_ISDIR(st->mode) ? 0 : st->size,
		.allocated = st->blocks * 512,
		.id = id,
		.node = node_number(self, st),
		.attributes = {
			.mask = STORE_ATTR_MODE | STORE_ATTR_UID |
				STORE_ATTR_GID | STORE_ATTR_MTIME |
				STORE_ATTR_ATIME,
			.mode = st->mode & 07777,
			.uid = st->uid,
			.gid = st->gid,
			.mtime = st->mtime,
			.atime = st->atime,
		},
		.ctime = st->ctime,
	};
	if (S_ISCHR(st->mode) || S_ISBLK(st->mode))
		info->rdev = st->rdev;
	local_version_of(self, st, &info->version);
	/* Times of the kernel are those of its last tick, at most 10 ms old. */
	if (info->version.weak && info->ctime.tv_sec + 1 < time(NULL)) {
		info->stored = info->ctime.tv_sec;
		info->settled = true;
	}
}

int local_info_fd(struct local *self, int fd, struct store_info *info)
{
	struct local_stat st;

	if (local_stat_at(fd, "", &st))
		return -1;
	local_info_of(self, &st, local_id_of(self, fd, &st), info);
	return 0;
}

int local_check_condition(const struct local *self,
			  const struct store_precondition *precondition,
			  const struct local_stat *st,
			  struct store_error *error)
{
	struct store_version version;

	if (st && S_ISDIR(st->mode))
		return local_fail(error, EISDIR, "replace");
	if (precondition->condition == STORE_IF_ABSENT && st)
		return local_fail(error, EEXIST, "make");
	if (precondition->condition != STORE_IF_VERSION)
		return STORE_OK;
	if (!st)
		return local_fail(error, ENOENT, "replace");
	local_version_of(self, st, &version);
	if (store_version_equal(&version, &precondition->version))
		return STORE_OK;
	return store_error_set(error, STORE_CHANGED,
			       "it was changed meanwhile");
}
