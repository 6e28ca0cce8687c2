/* SPDX-License-Identifier: MIT */
/*
 * The disk below a staging folder, for programs that are linked with
 * mount_journal_disk.c: what is flushed is noted, so that a test can have the
 * folder as a cut of power would leave it: each file as it was when it was
 * last flushed, under the names the folder had when that was last flushed.
 * And flushes are counted by what they were for.
 */
#ifndef STOREFS_TESTS_UNIT_MOUNT_DISK_H
#define STOREFS_TESTS_UNIT_MOUNT_DISK_H

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/sync.h"
#include "tests/unit/mount_journal.h"

enum { DISK_FILES_MAX = 512, DISK_NAMES_MAX = 512, DISK_NAME_MAX = 64 };

/* A file that was flushed: its bytes at that moment. */
struct disk_file {
	int fd; /* keeps the inode's number from being used again */
	ino_t ino;
	void *bytes;
	size_t size;
};

struct disk_name {
	char name[DISK_NAME_MAX];
	ino_t ino;
};

static struct mount_disk {
	struct lock lock;
	char path[64]; /* of the folder that is watched */
	struct disk_file files[DISK_FILES_MAX];
	size_t file_count;
	struct disk_name names[DISK_NAMES_MAX];
	size_t name_count;
	int journal, data, folder; /* flushes of each */
	/* Called once, at the next flush of such a file, without the lock. */
	void (*at_data)(void);
	void (*at_journal)(void);
	/* What the next flush, or write, answers: an errno; 0: it works. */
	int data_fails, journal_fails, append_fails;
	bool append_stays; /* writes to the journal go on failing */
} disk;

/* ---- what was flushed ---- */

static inline struct disk_file *disk_file_at(ino_t ino, int fd)
{
	struct disk_file *file = disk.files;

	while (file < disk.files + disk.file_count && file->ino != ino)
		file++;
	if (file == disk.files + disk.file_count) {
		ck_assert_uint_lt(disk.file_count++, DISK_FILES_MAX);
		file->ino = ino;
		file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		ck_assert_int_ge(file->fd, 0);
	}
	return file;
}

static inline void disk_flush_file(int fd, const struct stat *found)
{
	struct disk_file *file = disk_file_at(found->st_ino, fd);

	free(file->bytes);
	file->size = (size_t)found->st_size;
	file->bytes = malloc(file->size + 1);
	ck_assert_ptr_nonnull(file->bytes);
	ck_assert_int_eq(pread(fd, file->bytes, file->size, 0),
			 (ssize_t)file->size);
}

static inline void disk_flush_folder(void)
{
	DIR *listing = opendir(disk.path);
	const struct dirent *entry;

	ck_assert_ptr_nonnull(listing);
	disk.name_count = 0;
	while ((entry = readdir(listing))) {
		struct disk_name *name = &disk.names[disk.name_count];

		if (entry->d_name[0] == '.')
			continue;
		ck_assert_uint_lt(disk.name_count++, DISK_NAMES_MAX);
		ck_assert_uint_lt(strlen(entry->d_name), DISK_NAME_MAX);
		memcpy(name->name, entry->d_name, strlen(entry->d_name) + 1);
		name->ino = entry->d_ino;
	}
	closedir(listing);
}

/* The name below the watched folder, "" for itself; false: elsewhere. */
static inline bool disk_name_of(int fd, char name[DISK_NAME_MAX])
{
	char link[64], path[256];
	size_t length = strlen(disk.path);
	ssize_t got;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	got = readlink(link, path, sizeof(path) - 1);
	ck_assert_int_gt(got, 0);
	path[got] = '\0';
	if (!length || strncmp(path, disk.path, length) != 0)
		return false;
	snprintf(name, DISK_NAME_MAX, "%s",
		 path + length + (path[length] == '/'));
	return true;
}

static inline int disk_once(int *fails)
{
	int failed = *fails;

	*fails = 0;
	return failed;
}

static inline int disk_flush(int fd)
{
	char name[DISK_NAME_MAX];
	void (*at)(void) = NULL;
	struct stat found;
	int failed = 0;

	lock_take(&disk.lock);
	if (disk_name_of(fd, name)) {
		ck_assert_int_eq(fstat(fd, &found), 0);
		if (S_ISDIR(found.st_mode)) {
			disk.folder++;
			disk_flush_folder();
		} else if (!strncmp(name, "data-", 5)) {
			disk.data++;
			failed = disk_once(&disk.data_fails);
			at = disk.at_data;
			disk.at_data = NULL;
		} else {
			disk.journal++;
			failed = disk_once(&disk.journal_fails);
			at = disk.at_journal;
			disk.at_journal = NULL;
		}
		if (!failed && !S_ISDIR(found.st_mode))
			disk_flush_file(fd, &found);
	}
	lock_drop(&disk.lock);
	if (at)
		at();
	return failed;
}

static inline int disk_write(int fd, size_t *length, off_t offset)
{
	char name[DISK_NAME_MAX];
	int failed = 0;

	(void)length;
	(void)offset;
	lock_take(&disk.lock);
	if (disk.append_fails && disk_name_of(fd, name) &&
	    !strncmp(name, "journal", 7))
		failed = disk.append_stays ? disk.append_fails
					   : disk_once(&disk.append_fails);
	lock_drop(&disk.lock);
	return failed;
}

/* ---- life ---- */

static inline void disk_forget(void)
{
	for (size_t i = 0; i < disk.file_count; i++) {
		close(disk.files[i].fd);
		free(disk.files[i].bytes);
	}
	memset(disk.files, 0, sizeof(disk.files));
	disk.file_count = 0;
	disk.name_count = 0;
}

/* As it is now it is on the disk. */
static inline void disk_watch(const char *path)
{
	const struct disk_name *name;
	struct stat found;
	int fd, folder;

	lock_take(&disk.lock);
	disk_forget();
	snprintf(disk.path, sizeof(disk.path), "%s", path);
	disk_flush_folder();
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(folder, 0);
	for (name = disk.names; name < disk.names + disk.name_count; name++) {
		fd = openat(folder, name->name, O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(fstat(fd, &found), 0);
		disk_flush_file(fd, &found);
		close(fd);
	}
	close(folder);
	disk.journal = disk.data = disk.folder = 0;
	lock_drop(&disk.lock);
}

static inline void disk_start(const char *path)
{
	memset(&disk, 0, sizeof(disk));
	lock_init(&disk.lock);
	disk_watch(path);
	hook_flush = disk_flush;
	hook_write = disk_write;
}

static inline void disk_stop(void)
{
	hook_flush = NULL;
	hook_write = NULL;
	disk_forget();
	lock_destroy(&disk.lock);
}

/* ---- copies ---- */

static inline void disk_put(int folder, const char *name, const void *bytes,
			    size_t size)
{
	int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

/* What the process would leave if it died now. */
static inline void disk_copy_files(int to)
{
	int from = open(disk.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = opendir(disk.path);
	const struct dirent *entry;

	ck_assert_int_ge(from, 0);
	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing))) {
		struct stat found;
		void *bytes;
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		fd = openat(from, entry->d_name, O_RDONLY | O_CLOEXEC);
		/* Removed or renamed just now. */
		if (fd < 0 && errno == ENOENT)
			continue;
		ck_assert_int_ge(fd, 0);
		ck_assert_int_eq(fstat(fd, &found), 0);
		bytes = malloc((size_t)found.st_size + 1);
		ck_assert_ptr_nonnull(bytes);
		ck_assert_int_eq(pread(fd, bytes, (size_t)found.st_size, 0),
				 found.st_size);
		disk_put(to, entry->d_name, bytes, (size_t)found.st_size);
		free(bytes);
		close(fd);
	}
	closedir(listing);
	close(from);
}

/* What the machine would leave. */
static inline void disk_copy_flushed(int to)
{
	lock_take(&disk.lock);
	for (size_t i = 0; i < disk.name_count; i++) {
		const struct disk_file *file = disk.files;

		while (file < disk.files + disk.file_count &&
		       file->ino != disk.names[i].ino)
			file++;
		if (file < disk.files + disk.file_count)
			disk_put(to, disk.names[i].name, file->bytes,
				 file->size);
		else
			disk_put(to, disk.names[i].name, "", 0);
	}
	lock_drop(&disk.lock);
}

enum disk_end { DISK_KILLED, DISK_POWER_CUT, DISK_ENDS };

/* A new folder with what is left of the watched one; its path. */
static inline void disk_copy(enum disk_end how, char path[64])
{
	int to;

	snprintf(path, 64, "/tmp/storefs-copy.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(path));
	to = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(to, 0);
	if (how == DISK_KILLED)
		disk_copy_files(to);
	else
		disk_copy_flushed(to);
	close(to);
}

#endif
