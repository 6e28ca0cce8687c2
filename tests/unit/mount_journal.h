/* SPDX-License-Identifier: MIT */
/*
 * A journal in a folder of its own, whose frames are texts; and the calls of
 * the disk in the test's hands.
 *
 * The programs that include this are linked with --wrap for the calls at the
 * end: the disk is never really flushed, which is all the difference between
 * minutes and seconds, and a test may put a hook in between.
 */
#ifndef STOREFS_TESTS_UNIT_MOUNT_JOURNAL_H
#define STOREFS_TESTS_UNIT_MOUNT_JOURNAL_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/journal.h"
#include "src/base/buf.h"

enum { FRAMES_MAX = 1 << 16 };

struct journal_folder {
	char path[96];
	int fd;
	struct journal *journal; /* NULL: not open */
	struct journal_findings findings;
	struct store_error error;
	struct buf texts; /* of the frames read, each with a '|' behind it */
};

/* ---- the folder ---- */

static inline void folder_make(struct journal_folder *self, const char *where)
{
	*self = (struct journal_folder){ .texts = BUF_INIT(FRAMES_MAX) };
	snprintf(self->path, sizeof(self->path), "%s/storefs-journal.XXXXXX",
		 where);
	ck_assert_ptr_nonnull(mkdtemp(self->path));
	self->fd = open(self->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(self->fd, 0);
}

/* Files whose name begins so. */
static inline int folder_count(const struct journal_folder *self,
			       const char *prefix)
{
	DIR *listing = opendir(self->path);
	const struct dirent *entry;
	int count = 0;

	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing)))
		count += entry->d_name[0] != '.' &&
			 !strncmp(entry->d_name, prefix, strlen(prefix));
	closedir(listing);
	return count;
}

static inline void folder_empty(const struct journal_folder *self)
{
	DIR *listing = opendir(self->path);
	const struct dirent *entry;

	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing)))
		unlinkat(self->fd, entry->d_name, 0);
	closedir(listing);
}

static inline void folder_remove(struct journal_folder *self)
{
	journal_close(self->journal);
	folder_empty(self);
	close(self->fd);
	buf_release(&self->texts);
	ck_assert_int_eq(rmdir(self->path), 0);
}

/* The bytes of a file, malloc'd; at least one is allocated. */
static inline unsigned char *folder_load(const struct journal_folder *self,
					 const char *name, size_t *size)
{
	int fd = openat(self->fd, name, O_RDONLY | O_CLOEXEC);
	struct stat found;
	unsigned char *bytes;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &found), 0);
	*size = (size_t)found.st_size;
	bytes = malloc(*size + 1);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_int_eq(read(fd, bytes, *size), (ssize_t)*size);
	close(fd);
	return bytes;
}

static inline void folder_store(const struct journal_folder *self,
				const char *name, const void *bytes,
				size_t size)
{
	int fd = openat(self->fd, name,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

/* ---- the journal ---- */

static inline int folder_note(void *arg, const void *payload, size_t length,
			      struct store_error *error)
{
	struct buf *texts = arg;

	buf_add(texts, payload, length);
	buf_add_char(texts, '|');
	return buf_error(texts, "frames", error);
}

static inline int folder_try_open(struct journal_folder *self,
				  unsigned int flags)
{
	ck_assert_ptr_null(self->journal);
	buf_clear(&self->texts);
	store_error_clear(&self->error);
	return journal_open(self->fd, flags, folder_note, &self->texts,
			    &self->journal, &self->findings, &self->error);
}

static inline void folder_open(struct journal_folder *self)
{
	if (folder_try_open(self, 0))
		ck_abort_msg("%s", self->error.message);
}

static inline void folder_close(struct journal_folder *self)
{
	journal_close(self->journal);
	self->journal = NULL;
}

/* Open a closed one, compare its frames, and close it. */
static inline void folder_expect(struct journal_folder *self, const char *texts)
{
	folder_open(self);
	ck_assert_str_eq(buf_text(&self->texts), texts);
	folder_close(self);
}

static inline int folder_append(struct journal_folder *self, const char *text,
				unsigned int flags)
{
	return journal_append(self->journal, text, strlen(text), flags, NULL,
			      &self->error);
}

static inline int folder_sync(struct journal_folder *self)
{
	return journal_sync(self->journal, journal_position(self->journal),
			    &self->error);
}

/* Append and flush; where the next frame goes. */
static inline size_t folder_commit(struct journal_folder *self,
				   const char *text)
{
	ck_assert_int_eq(folder_append(self, text, 0), STORE_OK);
	ck_assert_int_eq(folder_sync(self), STORE_OK);
	return 40 + (size_t)journal_size(self->journal);
}

static inline int folder_write(void *arg, struct journal *journal,
			       struct store_error *error)
{
	int code = STORE_OK;

	for (const char **letter = arg; !code && **letter; ++*letter)
		code = journal_rewrite_add(journal, *letter, 1, error);
	return code;
}

/* A new file with a frame for each letter. */
static inline int folder_rewrite(struct journal_folder *self,
				 const char *letters)
{
	return journal_rewrite(self->journal, folder_write, &letters,
			       &self->error);
}

/* ---- the disk ---- */

static inline bool fd_is_folder(int fd)
{
	struct stat found;

	return !fstat(fd, &found) && S_ISDIR(found.st_mode);
}

/*
 * What a call answers: 0 to go on with it (flushes: to have worked), or an
 * errno.  NULL hooks go on.
 */
extern int (*hook_flush)(int fd);
extern int (*hook_allocate)(int fd);
extern int (*hook_rename)(void);
extern int (*hook_write)(int fd, size_t *length, off_t offset);
extern int (*hook_read)(int fd, size_t *length, off_t offset);

#endif
