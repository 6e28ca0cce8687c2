// SPDX-License-Identifier: MIT
/*
 * Spare staging files; see spare.h.  Called by layer.c, calls only the local
 * disk.
 */
#include "config.h"

#include "mount/spare.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "src/base/cleanup.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

/* A longer one costs as much to empty as to remove. */
enum { SPARE_SIZE_MAX = 64 << 10, SPARE_NAME_MAX = 32 };

static const char prefix[] = "spare-";

static void spare_name(uint64_t number, char name[SPARE_NAME_MAX])
{
	snprintf(name, SPARE_NAME_MAX, "%s%" PRIu64, prefix, number);
}

static bool rename_new(int dir_fd, const char *from, const char *to)
{
#ifdef SYS_renameat2
	return !syscall(SYS_renameat2, dir_fd, from, dir_fd, to,
			RENAME_NOREPLACE);
#else
	(void)dir_fd;
	(void)from;
	(void)to;
	return false;
#endif
}

void spares_init(struct spares *spares, int dir_fd)
{
	int again = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;
	struct statvfs disk;

	*spares = (struct spares){ .dir_fd = dir_fd };
	if (!fstatvfs(dir_fd, &disk) &&
	    (!disk.f_files || disk.f_favail / 64 >= SPARES_MAX))
		spares->most = SPARES_MAX;
	lock_init(&spares->lock);
	while (listing && (entry = readdir(listing)))
		if (!strncmp(entry->d_name, prefix, sizeof(prefix) - 1))
			unlinkat(dir_fd, entry->d_name, 0);
	if (listing)
		closedir(listing);
	else if (again >= 0)
		close(again);
}

void spares_release(struct spares *spares)
{
	char name[SPARE_NAME_MAX];

	lock_take(&spares->lock);
	while (spares->count) {
		spare_name(spares->numbers[--spares->count], name);
		unlinkat(spares->dir_fd, name, 0);
	}
	lock_drop(&spares->lock);
	lock_destroy(&spares->lock);
}

bool spares_take(struct spares *spares, const char *name)
{
	char spare[SPARE_NAME_MAX];
	uint64_t number = 0;

	lock_take(&spares->lock);
	if (spares->count)
		number = spares->numbers[--spares->count];
	lock_drop(&spares->lock);
	if (!number)
		return false;
	spare_name(number, spare);
	if (rename_new(spares->dir_fd, spare, name))
		return true;
	unlinkat(spares->dir_fd, spare, 0);
	return false;
}

static bool is_small(int dir_fd, const char *name)
{
	struct stat found;

	return !fstatat(dir_fd, name, &found, AT_SYMLINK_NOFOLLOW) &&
	       S_ISREG(found.st_mode) && found.st_size <= SPARE_SIZE_MAX;
}

/* A lease is given when no other descriptor of the file is open. */
static bool is_ours_alone(int fd)
{
	return !fcntl(fd, F_SETLEASE, F_WRLCK) &&
	       !fcntl(fd, F_SETLEASE, F_UNLCK);
}

/* It has lost its name already: whoever has it open goes on reading. */
static bool make_empty(int dir_fd, const char *spare)
{
	CLEANUP_FD int fd = -1;

	fd = openat(dir_fd, spare, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && is_ours_alone(fd) && !ftruncate(fd, 0))
		return true;
	unlinkat(dir_fd, spare, 0);
	return false;
}

bool spares_give(struct spares *spares, const char *name)
{
	char spare[SPARE_NAME_MAX];
	uint64_t number = 0;

	if (!spares->most || !is_small(spares->dir_fd, name))
		return false;
	lock_take(&spares->lock);
	if (spares->count < spares->most)
		number = ++spares->last;
	lock_drop(&spares->lock);
	if (!number)
		return false;
	spare_name(number, spare);
	if (!rename_new(spares->dir_fd, name, spare))
		return false;
	if (!make_empty(spares->dir_fd, spare))
		return true;
	lock_take(&spares->lock);
	if (spares->count < spares->most) {
		spares->numbers[spares->count++] = number;
		number = 0;
	}
	lock_drop(&spares->lock);
	if (number)
		unlinkat(spares->dir_fd, spare, 0);
	return true;
}
