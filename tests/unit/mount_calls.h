/* SPDX-License-Identifier: MIT */
/*
 * What a program asks of a mount, without a kernel: the operations of
 * mount/ops.h with requests of our own.  Linked with mount_calls.c, which
 * takes the answers instead of libfuse.  Paths begin without a slash; all
 * calls answer 0 or an errno.
 */
#ifndef STOREFS_TESTS_UNIT_MOUNT_CALLS_H
#define STOREFS_TESTS_UNIT_MOUNT_CALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "mount/ops.h"

/* An open file. */
struct call_handle {
	struct fs *fs;
	fuse_ino_t ino; /* looked up once more than it was forgotten */
	struct fuse_file_info fi;
};

int call_create(struct fs *fs, const char *path, struct call_handle *handle);
int call_open(struct fs *fs, const char *path, int flags,
	      struct call_handle *handle);
int call_write(struct call_handle *handle, uint64_t offset, const void *data,
	       size_t size);
/* What it begins with: a text of at most `room` - 1 bytes. */
int call_read(struct call_handle *handle, char *text, size_t room);
int call_fsync(struct call_handle *handle);
/* What close(2) says, and the end of the handle. */
int call_close(struct call_handle *handle);
/* The end of the handle alone, as at the end of a process. */
void call_release(struct call_handle *handle);

/* Create or truncate, write a text, close. */
int call_store(struct fs *fs, const char *path, const char *text);
int call_load(struct fs *fs, const char *path, char *text, size_t room);
int call_stat(struct fs *fs, const char *path, struct stat *found);
/* The attributes that come with a lookup. */
int call_look_up(struct fs *fs, const char *path, struct stat *found);
/*
 * Those that come with a listing of the root, in which the name must be;
 * false: none did, the kernel asks for them.
 */
bool call_listed(struct fs *fs, const char *name, struct stat *found);
/* Is the name in a listing of the root? */
bool call_lists(struct fs *fs, const char *name);
/* The same, and `between` is called before it tells of the first name. */
bool call_lists_while(struct fs *fs, const char *name, void (*between)(void));
int call_truncate(struct fs *fs, const char *path, uint64_t size);
int call_chmod(struct fs *fs, const char *path, mode_t mode);
int call_touch(struct fs *fs, const char *path, int64_t seconds);
int call_setxattr(struct fs *fs, const char *path, const char *name,
		  const char *value);
int call_getxattr(struct fs *fs, const char *path, const char *name, char *text,
		  size_t room);
int call_removexattr(struct fs *fs, const char *path, const char *name);
int call_mkdir(struct fs *fs, const char *path);
int call_rmdir(struct fs *fs, const char *path);
int call_unlink(struct fs *fs, const char *path);
int call_rename(struct fs *fs, const char *from, const char *to,
		unsigned int flags);
int call_link(struct fs *fs, const char *path, const char *name);
int call_fsyncdir(struct fs *fs, const char *path);

#endif
