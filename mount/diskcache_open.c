// SPDX-License-Identifier: MIT
/*
 * A cache directory is taken into use: whose it is, and what is in it; see
 * diskcache.h.  Called by assemble.c; calls diskcache.c and the local disk.
 */
#include "config.h"

#include "mount/diskcache_index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/fdio.h"

static const char mark_name[] = "storefs-cache";
static const char mark_text[] = "storefs cache 1\n";

/* ---- whose it is ---- */

static int open_folder(struct diskcache *cache, struct store_error *error)
{
	struct stat found;

	if (mkdir(cache->path, 0700) && errno != EEXIST)
		return store_error_errno(error, errno, "%s", cache->path);
	cache->fd = open(cache->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cache->fd < 0 || fstat(cache->fd, &found))
		return store_error_errno(error, errno, "%s", cache->path);
	if (found.st_uid != geteuid())
		return store_error_set(error, STORE_INVALID,
				       "%s belongs to somebody else",
				       cache->path);
	if (found.st_mode & (S_IWGRP | S_IWOTH))
		return store_error_set(error, STORE_INVALID,
				       "%s can be written by others",
				       cache->path);
	return STORE_OK;
}

static DIR *open_listing(int dir, const char *name)
{
	int fd = openat(dir, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);

	if (!listing && fd >= 0)
		close(fd);
	return listing;
}

static bool is_empty(struct diskcache *cache)
{
	DIR *listing = open_listing(cache->fd, ".");
	const struct dirent *entry;
	bool empty = listing;

	while (empty && (entry = readdir(listing)))
		empty = !strcmp(entry->d_name, ".") ||
			!strcmp(entry->d_name, "..") ||
			!strcmp(entry->d_name, "lost+found");
	if (listing)
		closedir(listing);
	return empty;
}

static int check_mark(struct diskcache *cache, struct store_error *error)
{
	char text[sizeof(mark_text)] = "";
	ssize_t got = fd_read_at(cache->mark_fd, text, sizeof(text), 0);

	if (got < 0)
		return store_error_errno(error, errno, "%s/%s", cache->path,
					 mark_name);
	/* Whoever made it may have died before it was written. */
	if (!got &&
	    fd_write_at(cache->mark_fd, mark_text, sizeof(mark_text) - 1, 0))
		return store_error_errno(error, errno, "%s/%s", cache->path,
					 mark_name);
	if (!got || ((size_t)got == sizeof(mark_text) - 1 &&
		     !memcmp(text, mark_text, sizeof(mark_text) - 1)))
		return STORE_OK;
	return store_error_set(error, STORE_INVALID,
			       "%s/%s is of another format", cache->path,
			       mark_name);
}

static int take(struct diskcache *cache, struct store_error *error)
{
	int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;

	cache->mark_fd = openat(cache->fd, mark_name, flags);
	if (cache->mark_fd < 0 && errno == ENOENT) {
		if (!is_empty(cache))
			return store_error_set(error, STORE_INVALID,
					       "%s holds something else",
					       cache->path);
		cache->mark_fd =
			openat(cache->fd, mark_name, flags | O_CREAT, 0600);
	}
	if (cache->mark_fd < 0)
		return store_error_errno(error, errno, "%s/%s", cache->path,
					 mark_name);
	if (flock(cache->mark_fd, LOCK_EX | LOCK_NB))
		return store_error_set(error, STORE_LOCKED,
				       "%s is in use by another mount",
				       cache->path);
	return check_mark(cache, error);
}

/* ---- what is in it ---- */

struct found_block {
	struct diskblock block;
	struct timespec used;
};

struct found_blocks {
	struct found_block *list; /* owned */
	size_t count, room;
};

static bool found_add(struct found_blocks *found,
		      const struct found_block *block)
{
	if (found->count == found->room) {
		size_t room = found->room ? found->room * 2 : 256;
		struct found_block *list =
			realloc(found->list, room * sizeof(*list));

		if (!list)
			return false;
		found->list = list;
		found->room = room;
	}
	found->list[found->count++] = *block;
	return true;
}

/* A block whose file has not its length was cut off. */
static void look_at(struct diskcache *cache, int dir, const char *name,
		    struct found_blocks *found)
{
	struct found_block one;
	struct stat info;

	if (!diskblock_parse(name, &one.block) ||
	    fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW))
		return;
	one.used = info.st_mtim;
	if (S_ISREG(info.st_mode) &&
	    (uint64_t)info.st_size == diskblock_size(one.block.length) &&
	    found_add(found, &one))
		return;
	cache->stats.damaged++;
	unlinkat(dir, name, 0);
}

static void look_into(struct diskcache *cache, const char *folder,
		      struct found_blocks *found)
{
	DIR *listing = open_listing(cache->fd, folder);
	const struct dirent *entry;

	while (listing && (entry = readdir(listing)))
		look_at(cache, dirfd(listing), entry->d_name, found);
	if (listing)
		closedir(listing);
}

static int earlier(const void *left, const void *right)
{
	const struct timespec *a = &((const struct found_block *)left)->used;
	const struct timespec *b = &((const struct found_block *)right)->used;

	if (a->tv_sec != b->tv_sec)
		return a->tv_sec < b->tv_sec ? -1 : 1;
	return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

/* What does not fit goes while the newer ones are added. */
static void add_found(struct diskcache *cache, const struct found_block *found)
{
	char name[DISKBLOCK_NAME];
	bool added = false;

	if (diskcache_make_room(cache, found->block.length)) {
		lock_take(&cache->lock);
		added = diskcache_add_locked(cache, &found->block);
		lock_drop(&cache->lock);
		if (!added)
			diskcache_give_room(cache, found->block.length);
	}
	if (added)
		return;
	diskblock_name(&found->block, name);
	unlinkat(cache->fd, name, 0);
}

static void load(struct diskcache *cache)
{
	DIR *listing = open_listing(cache->fd, ".");
	struct found_blocks found = { 0 };
	const struct dirent *entry;

	while (listing && (entry = readdir(listing))) {
		if (!strncmp(entry->d_name, "tmp-", 4))
			unlinkat(cache->fd, entry->d_name, 0);
		else if (strlen(entry->d_name) == 2 && entry->d_name[0] != '.')
			look_into(cache, entry->d_name, &found);
	}
	if (listing)
		closedir(listing);
	if (found.count)
		qsort(found.list, found.count, sizeof(*found.list), earlier);
	for (size_t i = 0; i < found.count; i++)
		add_found(cache, &found.list[i]);
	free(found.list);
}

/* ---- life ---- */

static int set_limit(struct diskcache *cache,
		     const struct diskcache_request *request,
		     struct store_error *error)
{
	struct statvfs found;

	cache->stats.limit = request->size;
	if (!request->percent)
		return STORE_OK;
	if (fstatvfs(cache->fd, &found))
		return store_error_errno(error, errno, "%s", cache->path);
	cache->stats.limit =
		(uint64_t)found.f_blocks * found.f_frsize / 100 * request->size;
	return STORE_OK;
}

int diskcache_open(const struct diskcache_request *request,
		   struct diskcache **cache, struct store_error *error)
{
	struct diskcache *made = calloc(1, sizeof(*made));
	int code = STORE_OK;

	if (!made)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a cache");
	lock_init(&made->lock);
	made->fd = made->mark_fd = -1;
	made->most = request->memory / DISK_ENTRY_MEMORY;
	made->path = strdup(request->path);
	made->identity = strdup(request->identity);
	if (!made->path || !made->identity)
		code = store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a cache");
	if (!code)
		code = open_folder(made, error);
	if (!code)
		code = take(made, error);
	if (!code)
		code = set_limit(made, request, error);
	if (code) {
		diskcache_close(made);
		return code;
	}
	load(made);
	*cache = made;
	return STORE_OK;
}
