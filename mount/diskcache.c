// SPDX-License-Identifier: MIT
/*
 * Blocks on the local disk; see diskcache.h.  Called by assemble.c and
 * reader.c; calls diskcache_open.c, diskblock.c and the local disk.
 *
 * An entry is in the tree and in the list, or in neither; its file is there
 * before it and goes after it.  Files are read and written without the lock,
 * so an entry may be gone by then, or its file: both are a miss.
 */
#include "config.h"

#include "mount/diskcache_index.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/crypto.h"
#include "src/base/log.h"

/* The time of the last use is kept on the disk no finer than this. */
#define TOUCH_NS (60 * NS_PER_SEC)
/* What the file system needs for a file, besides its bytes. */
enum { FILE_COST = 1024, DISK_PAGE = 4096 };
/* Fewer bytes than that are asked for again rather than in two requests. */
enum { BRIDGE = 64 << 10 };

/* ---- the index ---- */

/* Equal when they overlap; those in the tree never do. */
static int entry_compare(const void *left, const void *right)
{
	const struct diskblock *a = &((const struct disk_entry *)left)->block;
	const struct diskblock *b = &((const struct disk_entry *)right)->block;
	int order = memcmp(a->id, b->id, DISKBLOCK_ID);

	if (order)
		return order;
	if (a->start + a->length <= b->start)
		return -1;
	return b->start + b->length <= a->start;
}

static uint64_t cost_of(uint64_t length)
{
	uint64_t pages = (diskblock_size(length) + DISK_PAGE - 1) / DISK_PAGE;

	return pages * DISK_PAGE + FILE_COST;
}

static void list_add_locked(struct diskcache *cache, struct disk_entry *entry)
	REQUIRES(cache->lock)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	if (entry->older)
		entry->older->newer = entry;
	else
		cache->oldest = entry;
	cache->newest = entry;
}

static void list_remove_locked(struct diskcache *cache,
			       struct disk_entry *entry) REQUIRES(cache->lock)
{
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		cache->newest = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		cache->oldest = entry->newer;
}

bool diskcache_add_locked(struct diskcache *cache,
			  const struct diskblock *block)
{
	struct disk_entry *entry = calloc(1, sizeof(*entry));
	struct disk_entry **found;

	if (!entry)
		return false;
	entry->block = *block;
	entry->number = ++cache->numbers;
	entry->touched_ns = clock_monotonic_ns();
	found = tsearch(entry, &cache->entries, entry_compare);
	if (!found || *found != entry) {
		free(entry);
		return false;
	}
	list_add_locked(cache, entry);
	cache->stats.blocks++;
	return true;
}

static struct disk_entry *find_locked(struct diskcache *cache,
				      const unsigned char *id, uint64_t start,
				      uint64_t length) REQUIRES(cache->lock)
{
	struct disk_entry like = { .block = { .start = start,
					      .length = length } };
	void *found;

	memcpy(like.block.id, id, DISKBLOCK_ID);
	found = tfind(&like, &cache->entries, entry_compare);
	return found ? *(struct disk_entry **)found : NULL;
}

static struct disk_entry *find_exact_locked(struct diskcache *cache,
					    const struct diskblock *block)
	REQUIRES(cache->lock)
{
	struct disk_entry *entry =
		find_locked(cache, block->id, block->start, block->length);

	return entry && entry->block.start == block->start &&
			       entry->block.length == block->length
		       ? entry
		       : NULL;
}

/* Its room is given back; the file is the caller's. */
static void forget_locked(struct diskcache *cache, struct disk_entry *entry)
	REQUIRES(cache->lock)
{
	tdelete(entry, &cache->entries, entry_compare);
	list_remove_locked(cache, entry);
	cache->stats.used -= cost_of(entry->block.length);
	cache->stats.blocks--;
	free(entry);
}

/* ---- room ---- */

static void remove_file(struct diskcache *cache, const struct diskblock *block)
{
	char name[DISKBLOCK_NAME];

	diskblock_name(block, name);
	unlinkat(cache->fd, name, 0);
}

bool diskcache_make_room(struct diskcache *cache, uint64_t length)
{
	uint64_t cost = cost_of(length), limit = cache->stats.limit;
	bool taken = false, gone;

	do {
		struct diskblock victim;

		gone = false;
		lock_take(&cache->lock);
		if ((!limit || cache->stats.used + cost <= limit) &&
		    cache->stats.blocks < cache->most) {
			cache->stats.used += cost;
			taken = true;
		} else if (cache->oldest && (!limit || cost <= limit)) {
			victim = cache->oldest->block;
			forget_locked(cache, cache->oldest);
			cache->stats.evicted++;
			gone = true;
		}
		lock_drop(&cache->lock);
		if (gone)
			remove_file(cache, &victim);
	} while (gone);
	return taken;
}

void diskcache_give_room(struct diskcache *cache, uint64_t length)
{
	lock_take(&cache->lock);
	cache->stats.used -= cost_of(length);
	lock_drop(&cache->lock);
}

/* ---- reading ---- */

/*
 * What a reader has found in a file.  Others may have found it, too, and have
 * put a good one in its place: so nothing is done but to the same entry, and
 * the file goes before anybody misses the block.
 */
static void note_damage(struct diskcache *cache, const struct diskblock *block,
			uint64_t number, int failed)
{
	struct store_error error = STORE_ERROR_INIT;
	bool damaged = failed != ENOENT;
	struct disk_entry *entry;
	char name[DISKBLOCK_NAME];

	diskblock_name(block, name);
	lock_take(&cache->lock);
	entry = find_exact_locked(cache, block);
	if (entry && entry->number == number) {
		unlinkat(cache->fd, name, 0);
		forget_locked(cache, entry);
		cache->stats.damaged += damaged;
	} else {
		damaged = false;
	}
	lock_drop(&cache->lock);
	if (!damaged)
		return;
	(void)store_error_errno(&error, failed, "%s", name);
	log_warn("cache %s: a damaged block goes: %s", cache->path,
		 error.message);
}

static int read_block(struct diskcache *cache, const struct diskblock *block,
		      const struct store_range *range, bool touch, void *data)
{
	char name[DISKBLOCK_NAME];
	CLEANUP_FD int fd = -1;

	diskblock_name(block, name);
	fd = openat(cache->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || diskblock_read(fd, block, range, data))
		return errno;
	/* On a disk that has become read-only the order is lost, no more. */
	if (touch)
		(void)futimens(fd, NULL);
	return 0;
}

/* Where the first bytes from `from` on begin that are here; `end`: none are. */
static uint64_t first_locked(struct diskcache *cache, const unsigned char *id,
			     uint64_t from, uint64_t end) REQUIRES(cache->lock)
{
	const struct disk_entry *entry;

	while (end > from && (entry = find_locked(cache, id, from, end - from)))
		end = entry->block.start > from ? entry->block.start : from;
	return end;
}

/* How many bytes to ask the store for, the first of which is not here. */
static uint64_t gap_locked(struct diskcache *cache, const unsigned char *id,
			   const struct store_range *range)
	REQUIRES(cache->lock)
{
	uint64_t end = range->offset + range->length, start, run;
	const struct disk_entry *entry;

	run = range->offset;
	do {
		start = run = first_locked(cache, id, run, end);
		while (run < end && (entry = find_locked(cache, id, run, 1)))
			run = entry->block.start + entry->block.length;
	} while (run < end && run - start < BRIDGE);
	return start - range->offset;
}

/* The entry that holds the first byte of `range`, copied; else *gap. */
static bool look_up(struct diskcache *cache, const unsigned char *id,
		    const struct store_range *range, struct disk_entry *copy,
		    bool *touch, size_t *gap)
{
	int64_t now = clock_monotonic_ns();
	struct disk_entry *entry;

	lock_take(&cache->lock);
	entry = find_locked(cache, id, range->offset, 1);
	if (entry) {
		*copy = *entry;
		*touch = now - entry->touched_ns > TOUCH_NS;
		if (*touch)
			entry->touched_ns = now;
		list_remove_locked(cache, entry);
		list_add_locked(cache, entry);
	} else {
		*gap = (size_t)gap_locked(cache, id, range);
	}
	lock_drop(&cache->lock);
	return entry;
}

/* That a file cannot be opened now says nothing of what is in it. */
static bool lacks_means(int failed)
{
	return failed == EMFILE || failed == ENFILE || failed == ENOMEM;
}

size_t diskcache_read(struct diskcache *cache,
		      const unsigned char id[DISKBLOCK_ID],
		      const struct store_range *range, void *data, size_t *gap)
{
	struct store_range part = *range;
	struct disk_entry entry;
	bool touch;

	while (look_up(cache, id, range, &entry, &touch, gap)) {
		uint64_t end = entry.block.start + entry.block.length;
		int failed;

		if (part.length > end - part.offset)
			part.length = end - part.offset;
		failed = read_block(cache, &entry.block, &part, touch, data);
		if (!failed) {
			lock_take(&cache->lock);
			cache->stats.found += part.length;
			lock_drop(&cache->lock);
			return (size_t)part.length;
		}
		if (lacks_means(failed)) {
			*gap = (size_t)part.length;
			return 0;
		}
		note_damage(cache, &entry.block, entry.number, failed);
		part.length = range->length;
	}
	return 0;
}

/* ---- writing ---- */

/* The folder is made when it is needed first. */
static int put_in_place(struct diskcache *cache, const char *temporary,
			const char *name)
{
	char folder[3] = { name[0], name[1], '\0' };

	if (!renameat(cache->fd, temporary, cache->fd, name))
		return 0;
	if (errno != ENOENT ||
	    (mkdirat(cache->fd, folder, 0700) && errno != EEXIST))
		return -1;
	return renameat(cache->fd, temporary, cache->fd, name);
}

static int write_block(struct diskcache *cache, const struct diskblock *block,
		       const void *data)
{
	char name[DISKBLOCK_NAME], temporary[32];
	CLEANUP_FD int fd = -1;
	int failed = 0;

	diskblock_name(block, name);
	snprintf(temporary, sizeof(temporary), "tmp-%llu",
		 (unsigned long long)atomic_fetch_add(&cache->serial, 1));
	fd = openat(cache->fd, temporary,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno;
	if (diskblock_write(fd, block, data) ||
	    put_in_place(cache, temporary, name)) {
		failed = errno;
		unlinkat(cache->fd, temporary, 0);
	}
	return failed;
}

/* Told when it begins, not for every block. */
static void note_failure(struct diskcache *cache, int failed)
{
	struct store_error error = STORE_ERROR_INIT;
	bool told;

	lock_take(&cache->lock);
	cache->stats.failed++;
	told = cache->failed == failed;
	cache->failed = failed;
	lock_drop(&cache->lock);
	if (told)
		return;
	(void)store_error_errno(&error, failed, "%s", cache->path);
	log_warn("nothing can be kept in the cache: %s", error.message);
}

/* What a longer block holds as well goes before that is added. */
static void replace_locked(struct diskcache *cache,
			   const struct diskblock *block) REQUIRES(cache->lock)
{
	uint64_t end = block->start + block->length;
	struct disk_entry *entry;

	while ((entry = find_locked(cache, block->id, block->start,
				    block->length)) &&
	       entry->block.length < block->length &&
	       entry->block.start >= block->start &&
	       entry->block.start + entry->block.length <= end) {
		remove_file(cache, &entry->block);
		forget_locked(cache, entry);
	}
}

void diskcache_write(struct diskcache *cache,
		     const unsigned char id[DISKBLOCK_ID],
		     const struct store_range *range, const void *data)
{
	struct diskblock block = { .start = range->offset,
				   .length = range->length };
	bool added, overlaps;
	int failed;

	memcpy(block.id, id, DISKBLOCK_ID);
	if (range->length > DISKBLOCK_MAX ||
	    !diskcache_make_room(cache, range->length))
		return;
	failed = write_block(cache, &block, data);
	if (failed) {
		diskcache_give_room(cache, range->length);
		note_failure(cache, failed);
		return;
	}
	lock_take(&cache->lock);
	cache->failed = 0;
	cache->stats.written += range->length;
	replace_locked(cache, &block);
	added = diskcache_add_locked(cache, &block);
	overlaps = !find_exact_locked(cache, &block);
	lock_drop(&cache->lock);
	if (!added)
		diskcache_give_room(cache, range->length);
	if (overlaps)
		remove_file(cache, &block);
}

/* ---- the rest ---- */

int diskcache_id(const struct diskcache *cache, const char *key,
		 const struct store_version *version,
		 unsigned char id[DISKBLOCK_ID], struct store_error *error)
{
	unsigned char raw[DIGEST_RAW_MAX];
	struct digest *digest = NULL;
	size_t length;
	int code = digest_new("sha256", &digest, error);

	/* The NULs keep the parts apart. */
	if (!code)
		code = digest_update(digest, cache->identity,
				     strlen(cache->identity) + 1, error);
	if (!code)
		code = digest_update(digest, key, strlen(key) + 1, error);
	if (!code)
		code = digest_update(digest, version->token,
				     strlen(version->token), error);
	if (!code)
		code = digest_finish_raw(digest, raw, &length, error);
	if (!code)
		memcpy(id, raw, DISKBLOCK_ID);
	digest_free(digest);
	return code;
}

void diskcache_stats(struct diskcache *cache, struct diskcache_stats *stats)
{
	lock_take(&cache->lock);
	*stats = cache->stats;
	lock_drop(&cache->lock);
}

void diskcache_close(struct diskcache *cache)
{
	if (!cache)
		return;
	lock_take(&cache->lock);
	while (cache->oldest)
		forget_locked(cache, cache->oldest);
	lock_drop(&cache->lock);
	if (cache->mark_fd >= 0)
		close(cache->mark_fd);
	if (cache->fd >= 0)
		close(cache->fd);
	lock_destroy(&cache->lock);
	free(cache->identity);
	free(cache->path);
	free(cache);
}
