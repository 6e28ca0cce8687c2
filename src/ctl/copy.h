/* SPDX-License-Identifier: MIT */
/*
 * Copying between stores, which local folders are as well.
 *
 * A file appears whole at its destination or not at all.  Bytes, user
 * metadata and content type always go along where the destination has room
 * for them; `preserve` adds mode, owner, times and extended attributes and
 * makes metadata without room an error.  Inside one store the store copies or
 * moves by itself and keeps everything.  Symlinks and special files are
 * copied as what they are; hard links become files of their own.
 *
 * Moving between stores copies a file, then removes exactly the version that
 * was copied.  Failures are told as they happen; the rest goes on.
 */
#ifndef STOREFS_CTL_COPY_H
#define STOREFS_CTL_COPY_H

#include <sys/types.h>

#include "src/ctl/ctl.h"
#include "src/ctl/place.h"

struct copy {
	struct ctl *ctl;
	struct store *from;
	const char *from_label;
	struct store *to;
	const char *to_label;
	bool recursive;
	bool preserve;
	bool no_clobber; /* an existing destination is left alone, no error */
	bool move;
	mode_t umask;
};

/* Set up for two places, with the options of the command line. */
void copy_init(struct copy *copy, struct ctl *ctl, const struct place *from,
	       const struct place *to);
/* Copy or move what `from` names to the name `to`.  Told on failure. */
int copy_tree(struct copy *copy, const char *from, const char *to);
/* Tell that one item is done: with -v, or as a record. */
void copy_done(const struct copy *copy, const char *from, const char *to,
	       const struct store_info *info);
void copy_skipped(const struct copy *copy, const char *from, const char *to);

/* stream.c: ends that are no files: pipes, devices, standard streams. */

/* Read `fd` to its end into the key; `name` stands for it in messages. */
int copy_from_fd(struct copy *copy, int fd, const char *name, const char *to);
/* Write the file to `fd`. */
int copy_to_fd(struct copy *copy, const char *from, int fd, const char *name);

#endif
