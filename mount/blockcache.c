// SPDX-License-Identifier: MIT
/*
 * Blocks in memory; see blockcache.h.  Called by whoever reads a base, and by
 * the prefetcher; calls the source.
 *
 * A block is made when its bytes are asked for, in the place they will have,
 * so that others find it and wait.  It becomes ready, or it is taken out again
 * and those who waited look anew.  Blocks of an object are disjoint and
 * ascending; a block that somebody uses is on no list, one that nobody uses
 * is on the list of those that may go.
 */
#include "config.h"

#include "mount/blockcache.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/sync.h"

/* Cancelling does not signal a condition: look this often. */
#define LOOK_AGAIN_NS (20 * NS_PER_MS)

enum block_state { BLOCK_ASKED, BLOCK_READY, BLOCK_FAILED };

struct block {
	struct block_object *object;
	uint64_t start;
	size_t length;
	unsigned int users;
	enum block_state state;
	struct condition settled; /* no longer BLOCK_ASKED */
	struct block *newer, *older;
	char data[];
};

struct block_object {
	struct blockcache *cache;
	uint64_t file;
	struct store_version version;
	struct pattern_habit habit; /* protected by the prefetcher's lock */
	/* protected by the cache's lock */
	unsigned int references;
	struct block **blocks; /* ascending */
	size_t count, room;
};

struct blockcache {
	struct lock lock;
	uint64_t budget;
	struct condition room; /* there is more of it, if `waiting` */
	/* protected by `lock` */
	unsigned int waiting;
	bool starved; /* too much is in use for one that waits */
	uint64_t reserved[BLOCKCACHE_USES];
	void *objects; /* tsearch(3) */
	struct block *newest, *oldest;
	struct blockcache_stats stats;
};

/* ---- the list of those that may go ---- */

static void list_add_locked(struct blockcache *cache, struct block *block)
	REQUIRES(cache->lock)
{
	block->newer = NULL;
	block->older = cache->newest;
	if (block->older)
		block->older->newer = block;
	else
		cache->oldest = block;
	cache->newest = block;
}

static void list_remove_locked(struct blockcache *cache, struct block *block)
	REQUIRES(cache->lock)
{
	if (block->newer)
		block->newer->older = block->older;
	else
		cache->newest = block->older;
	if (block->older)
		block->older->newer = block->newer;
	else
		cache->oldest = block->newer;
}

/* ---- objects ---- */

static int object_compare(const void *left, const void *right)
{
	const struct block_object *a = left, *b = right;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	return strcmp(a->version.token, b->version.token);
}

static void object_free_locked(struct blockcache *cache,
			       struct block_object *object)
	REQUIRES(cache->lock)
{
	if (object->references || object->count)
		return;
	tdelete(object, &cache->objects, object_compare);
	free(object->blocks);
	free(object);
}

/* The first block that ends behind `offset`. */
static size_t object_find(const struct block_object *object, uint64_t offset)
{
	size_t low = 0, high = object->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct block *block = object->blocks[middle];

		if (block->start + block->length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool object_make_room(struct block_object *object)
{
	size_t room = object->room ? object->room * 2 : 4;
	struct block **blocks;

	if (object->count < object->room)
		return true;
	blocks = realloc(object->blocks, room * sizeof(struct block *));
	if (!blocks)
		return false;
	object->blocks = blocks;
	object->room = room;
	return true;
}

static void object_insert(struct block_object *object, size_t at,
			  struct block *block)
{
	memmove(&object->blocks[at + 1], &object->blocks[at],
		(object->count - at) * sizeof(struct block *));
	object->blocks[at] = block;
	object->count++;
}

static void object_take_out(struct block_object *object,
			    const struct block *block)
{
	size_t at = object_find(object, block->start);

	object->count--;
	memmove(&object->blocks[at], &object->blocks[at + 1],
		(object->count - at) * sizeof(struct block *));
}

/* ---- blocks ---- */

static uint64_t block_cost(size_t length)
{
	return sizeof(struct block) + sizeof(struct block *) + length;
}

static void tell_room_locked(struct blockcache *cache) REQUIRES(cache->lock)
{
	if (cache->waiting)
		condition_broadcast(&cache->room);
}

static void use_locked(struct blockcache *cache, uint64_t bytes)
	REQUIRES(cache->lock)
{
	cache->stats.used += bytes;
	if (cache->stats.peak < cache->stats.used)
		cache->stats.peak = cache->stats.used;
}

static void block_free_locked(struct blockcache *cache, struct block *block)
	REQUIRES(cache->lock)
{
	cache->stats.used -= block_cost(block->length);
	tell_room_locked(cache);
	condition_destroy(&block->settled);
	free(block);
}

static void block_evict_locked(struct blockcache *cache, struct block *block)
	REQUIRES(cache->lock)
{
	struct block_object *object = block->object;

	list_remove_locked(cache, block);
	object_take_out(object, block);
	cache->stats.evicted += block->length;
	block_free_locked(cache, block);
	object_free_locked(cache, object);
}

static bool make_room_locked(struct blockcache *cache, uint64_t cost)
	REQUIRES(cache->lock)
{
	if (cost > cache->budget)
		return false;
	while (cache->oldest && cache->stats.used + cost > cache->budget)
		block_evict_locked(cache, cache->oldest);
	return cache->stats.used + cost <= cache->budget;
}

/* A block for bytes that are not here; the caller uses it.  NULL: no room. */
static struct block *block_ask_locked(struct blockcache *cache,
				      struct block_object *object,
				      uint64_t start, size_t length)
	REQUIRES(cache->lock)
{
	struct block *block;

	if (cache->starved || !make_room_locked(cache, block_cost(length)) ||
	    !object_make_room(object))
		return NULL;
	block = malloc(sizeof(*block) + length);
	if (!block)
		return NULL;
	*block = (struct block){
		.object = object, .start = start, .length = length, .users = 1
	};
	condition_init(&block->settled);
	/* Making room has moved what is here. */
	object_insert(object, object_find(object, start), block);
	use_locked(cache, block_cost(length));
	return block;
}

static void block_settle_locked(struct block *block, bool ready)
{
	block->state = ready ? BLOCK_READY : BLOCK_FAILED;
	if (!ready)
		object_take_out(block->object, block);
	condition_broadcast(&block->settled);
}

static void block_use_locked(struct blockcache *cache, struct block *block)
	REQUIRES(cache->lock)
{
	if (!block->users++)
		list_remove_locked(cache, block);
}

static void block_leave_locked(struct blockcache *cache, struct block *block)
	REQUIRES(cache->lock)
{
	if (--block->users)
		return;
	if (block->state != BLOCK_READY) {
		block_free_locked(cache, block);
		return;
	}
	list_add_locked(cache, block);
	tell_room_locked(cache);
}

static int block_await_locked(struct blockcache *cache, struct block *block,
			      const struct store_context *context,
			      struct store_error *error) REQUIRES(cache->lock)
{
	int code = STORE_OK;

	while (block->state == BLOCK_ASKED && !code) {
		condition_wait_until(&block->settled, &cache->lock,
				     clock_monotonic_ns() + LOOK_AGAIN_NS);
		if (block->state == BLOCK_ASKED)
			code = store_context_check(context, error);
	}
	return code;
}

/* ---- asking ---- */

struct reading {
	struct block_object *object;
	struct block_source *source;
	struct store_context *context;
	uint64_t offset, end; /* what is left */
	char *data;	      /* for it; NULL: nobody waits */
};

static int ask_source(const struct reading *reading, uint64_t offset,
		      void *data, size_t length, struct store_error *error)
{
	size_t got = 0;
	int code = reading->source->read(reading->source, reading->context,
					 offset, data, length, &got, error);

	if (!code && got != length)
		code = store_error_set(error, STORE_CHANGED,
				       "the file is shorter than it was");
	return code;
}

static void advance(struct reading *reading, const char *bytes, size_t length)
{
	if (reading->data && bytes)
		memcpy(reading->data, bytes, length);
	if (reading->data)
		reading->data += length;
	reading->offset += length;
}

/* Bytes of a block that is here or under way; none when it came to nothing. */
static int take_block_locked(struct blockcache *cache, struct reading *reading,
			     struct block *block, struct store_error *error)
	REQUIRES(cache->lock)
{
	uint64_t end = block->start + block->length;
	size_t length = (size_t)((end < reading->end ? end : reading->end) -
				 reading->offset);
	int code;

	if (!reading->data) {
		advance(reading, NULL, length);
		return STORE_OK;
	}
	block_use_locked(cache, block);
	code = block_await_locked(cache, block, reading->context, error);
	if (!code && block->state == BLOCK_READY) {
		lock_drop(&cache->lock);
		advance(reading, block->data + (reading->offset - block->start),
			length);
		store_context_progress(reading->context);
		lock_take(&cache->lock);
		cache->stats.found += length;
	}
	block_leave_locked(cache, block);
	return code;
}

/* Bytes that nobody has asked for. */
static int fetch_locked(struct blockcache *cache, struct reading *reading,
			size_t length, struct store_error *error)
	REQUIRES(cache->lock)
{
	struct block *block = block_ask_locked(cache, reading->object,
					       reading->offset, length);
	int code;

	if (!block && !reading->data)
		return store_error_set(error, STORE_NO_SPACE,
				       "no memory is left for reading ahead");
	cache->stats.requests++;
	cache->stats.uncached += !block;
	lock_drop(&cache->lock);
	code = ask_source(reading, reading->offset,
			  block ? block->data : reading->data, length, error);
	if (!code)
		advance(reading, block ? block->data : NULL, length);
	lock_take(&cache->lock);
	if (!code)
		cache->stats.fetched += length;
	if (block) {
		block_settle_locked(block, !code);
		block_leave_locked(cache, block);
	}
	return code;
}

static int read_locked(struct blockcache *cache, struct reading *reading,
		       struct store_error *error) REQUIRES(cache->lock)
{
	const struct block_object *object = reading->object;
	int code = STORE_OK;

	while (reading->offset < reading->end && !code) {
		size_t at = object_find(object, reading->offset);
		struct block *next =
			at < object->count ? object->blocks[at] : NULL;
		uint64_t end = reading->end;

		if (next && next->start <= reading->offset) {
			code = take_block_locked(cache, reading, next, error);
			continue;
		}
		if (next && next->start < end)
			end = next->start;
		code = fetch_locked(cache, reading,
				    (size_t)(end - reading->offset), error);
	}
	return code;
}

static int read_range(struct reading *reading, struct store_error *error)
{
	struct blockcache *cache = reading->object->cache;
	int code;

	lock_take(&cache->lock);
	code = read_locked(cache, reading, error);
	lock_drop(&cache->lock);
	return code;
}

int blockcache_read(struct block_object *object, struct block_source *source,
		    struct store_context *context,
		    const struct store_range *range, void *data,
		    struct store_error *error)
{
	struct reading reading = {
		.object = object,
		.source = source,
		.context = context,
		.offset = range->offset,
		.end = range->offset + range->length,
		.data = data,
	};

	return read_range(&reading, error);
}

int blockcache_fill(struct block_object *object, struct block_source *source,
		    struct store_context *context,
		    const struct store_range *range, struct store_error *error)
{
	return blockcache_read(object, source, context, range, NULL, error);
}

/* ---- buffers of others ---- */

static bool reserve_locked(struct blockcache *cache, enum blockcache_use use,
			   uint64_t bytes) REQUIRES(cache->lock)
{
	if (cache->reserved[use] + bytes > cache->budget / 2)
		return false;
	cache->starved = !make_room_locked(cache, bytes);
	if (cache->starved)
		return false;
	cache->reserved[use] += bytes;
	cache->stats.reserved += bytes;
	use_locked(cache, bytes);
	return true;
}

static int reserve_wait_locked(struct blockcache *cache,
			       enum blockcache_use use, uint64_t bytes,
			       const struct store_context *context,
			       struct store_error *error) REQUIRES(cache->lock)
{
	int code = STORE_OK;

	cache->waiting++;
	while (!code && !reserve_locked(cache, use, bytes)) {
		condition_wait_until(&cache->room, &cache->lock,
				     clock_monotonic_ns() + LOOK_AGAIN_NS);
		code = store_context_check(context, error);
	}
	if (!--cache->waiting)
		cache->starved = false;
	return code;
}

int blockcache_reserve(struct blockcache *cache, enum blockcache_use use,
		       uint64_t bytes, const struct store_context *context,
		       struct store_error *error)
{
	int code = STORE_OK;

	lock_take(&cache->lock);
	if (!reserve_locked(cache, use, bytes))
		code = reserve_wait_locked(cache, use, bytes, context, error);
	lock_drop(&cache->lock);
	return code;
}

void blockcache_release(struct blockcache *cache, enum blockcache_use use,
			uint64_t bytes)
{
	lock_take(&cache->lock);
	cache->reserved[use] -= bytes;
	cache->stats.reserved -= bytes;
	cache->stats.used -= bytes;
	tell_room_locked(cache);
	lock_drop(&cache->lock);
}

uint64_t blockcache_room(struct blockcache *cache)
{
	uint64_t room;

	lock_take(&cache->lock);
	room = cache->budget - cache->stats.reserved;
	lock_drop(&cache->lock);
	return room;
}

/* ---- life ---- */

struct blockcache *blockcache_new(uint64_t budget)
{
	struct blockcache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	lock_init(&cache->lock);
	condition_init(&cache->room);
	cache->budget = budget;
	return cache;
}

void blockcache_free(struct blockcache *cache)
{
	if (!cache)
		return;
	lock_take(&cache->lock);
	while (cache->oldest)
		block_evict_locked(cache, cache->oldest);
	lock_drop(&cache->lock);
	condition_destroy(&cache->room);
	lock_destroy(&cache->lock);
	free(cache);
}

void blockcache_stats(struct blockcache *cache, struct blockcache_stats *stats)
{
	lock_take(&cache->lock);
	*stats = cache->stats;
	lock_drop(&cache->lock);
}

static struct block_object *object_new_locked(struct blockcache *cache,
					      const struct block_object *like)
	REQUIRES(cache->lock)
{
	struct block_object *object = malloc(sizeof(*object));

	if (!object)
		return NULL;
	*object = *like;
	if (tsearch(object, &cache->objects, object_compare))
		return object;
	free(object);
	return NULL;
}

bool blockcache_has(struct blockcache *cache, uint64_t file,
		    const struct store_version *version)
{
	const struct block_object like = { .file = file, .version = *version };
	bool has;
	void *found;

	lock_take(&cache->lock);
	found = tfind(&like, &cache->objects, object_compare);
	has = found && (*(struct block_object **)found)->count;
	lock_drop(&cache->lock);
	return has;
}

struct block_object *blockcache_get(struct blockcache *cache, uint64_t file,
				    const struct store_version *version)
{
	const struct block_object like = { .cache = cache,
					   .file = file,
					   .version = *version };
	struct block_object *object;
	void *found;

	lock_take(&cache->lock);
	found = tfind(&like, &cache->objects, object_compare);
	object = found ? *(struct block_object **)found
		       : object_new_locked(cache, &like);
	if (object)
		object->references++;
	lock_drop(&cache->lock);
	return object;
}

void blockcache_hold(struct block_object *object)
{
	lock_take(&object->cache->lock);
	object->references++;
	lock_drop(&object->cache->lock);
}

struct pattern_habit *blockcache_habit(struct block_object *object)
{
	return &object->habit;
}

void blockcache_put(struct block_object *object)
{
	struct blockcache *cache;

	if (!object)
		return;
	cache = object->cache;
	lock_take(&cache->lock);
	object->references--;
	object_free_locked(cache, object);
	lock_drop(&cache->lock);
}
