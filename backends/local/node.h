/* SPDX-License-Identifier: MIT */
/*
 * What the kernel tells of a node, and what a store_info makes of it.
 *
 * The version token is made of inode number, time of birth, mtime and size:
 *
 * - Every put makes a new inode.  The time of birth tells it from an earlier
 *   one whose number was given out again, also when tar or rsync set the
 *   same mtime on a file of the same size.
 * - ctime is left out: it changes with chmod, chown, link, rename and every
 *   extended attribute, and a change of those is no change of content.  What
 *   it could add is only a program that writes in place and then sets the
 *   mtime back; writes within one tick of a coarse clock leave ctime alone
 *   just as mtime.  Our own writes in place never leave an mtime behind that
 *   was there before.
 * - The device number is left out for nodes on the root's file system: it
 *   may change from boot to boot, and staged work must find its base again.
 *
 * Without a time of birth the token is `weak`.
 *
 * The id is a hash of the same inode number and time of birth, unless the
 * file replaced another one: then "user.storefs.id" holds the id it took
 * over, so that st_ino outlives replacements.  The attribute names its own
 * inode too; a copy of it made by cp -a or rsync -X counts for nothing.
 */
#ifndef STOREFS_BACKENDS_LOCAL_NODE_H
#define STOREFS_BACKENDS_LOCAL_NODE_H

#include <sys/types.h>

#include "backends/local/local.h"

struct local_stat {
	mode_t mode;
	uint32_t links;
	uint32_t uid;
	uint32_t gid;
	uint64_t dev;
	uint64_t ino;
	uint64_t rdev;
	uint64_t size;
	uint64_t blocks; /* of 512 bytes */
	struct timespec atime;
	struct timespec mtime;
	struct timespec ctime;
	struct timespec birth;
	bool has_birth;
};

/* Of a name in a folder, not followed; "" is the descriptor itself. */
int local_stat_at(int dir, const char *name, struct local_stat *st)
	STORE_WARN_UNUSED;
bool local_stat_same_node(const struct local_stat *a,
			  const struct local_stat *b);

/* The id of an inode that replaced nothing; also names it in journals. */
uint64_t local_own_id(const struct local *self, const struct local_stat *st);
/* The id of a node by descriptor (O_PATH is fine). */
uint64_t local_id_of(struct local *self, int fd, const struct local_stat *st);
/* The same by name in a folder. */
uint64_t local_id_at(struct local *self, int dir, const char *name,
		     const struct local_stat *st);
/* Let the file behind `fd` take over an id; does nothing where it cannot. */
void local_take_id(struct local *self, int fd, uint64_t id);

void local_version_of(const struct local *self, const struct local_stat *st,
		      struct store_version *version);
void local_info_of(const struct local *self, const struct local_stat *st,
		   uint64_t id, struct store_info *info);
/* All of it for a descriptor: -1 with errno. */
int local_info_fd(struct local *self, int fd, struct store_info *info)
	STORE_WARN_UNUSED;

/*
 * Does the precondition hold of what stands at the place (`st` NULL:
 * nothing)?  IS_DIR, NOT_FOUND, EXISTS, CHANGED.
 */
int local_check_condition(const struct local *self,
			  const struct store_precondition *precondition,
			  const struct local_stat *st,
			  struct store_error *error) STORE_WARN_UNUSED;

#endif
