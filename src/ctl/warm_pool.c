// SPDX-License-Identifier: MIT
/*
 * See warm_pool.h.  Called by cmd_warm.c; calls the kernel.
 *
 * Files are read without the kernel's pages: those may be there while the
 * cache directory lacks the bytes, and need not be pushed out for this.
 */
#include "config.h"

#include "src/ctl/warm_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/sync.h"

enum { THREADS = 8, WAITING = 64, ALIGNMENT = 4096 };
#define CHUNK ((size_t)1 << 20)

struct warm_pool {
	warm_failed_fn *failed;
	void *arg;
	pthread_t threads[THREADS];
	unsigned int started;
	struct lock telling; /* held while `failed` is called */
	struct lock lock;
	struct condition changed;
	/* protected by `lock` */
	char *waiting[WAITING]; /* owned, a ring */
	size_t first, count;
	bool ended;
	struct warm_counts counts;
};

static void tell(struct warm_pool *pool, const char *path, int error_number)
{
	struct store_error error = STORE_ERROR_INIT;

	(void)store_error_errno(&error, error_number, "%s", path);
	lock_take(&pool->lock);
	pool->counts.failed++;
	lock_drop(&pool->lock);
	lock_take(&pool->telling);
	pool->failed(pool->arg, path, &error);
	lock_drop(&pool->telling);
}

/* 0 or an errno; *bytes counts also what was read before that. */
static int read_file(const char *path, void *chunk, uint64_t *bytes)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECT | O_NOFOLLOW |
					       O_NONBLOCK | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return errno;
	do {
		got = read(fd, chunk, CHUNK);
		*bytes += got > 0 ? (uint64_t)got : 0;
	} while (got > 0 || (got < 0 && errno == EINTR));
	return got < 0 ? errno : 0;
}

/* NULL: there will be none. */
static char *take(struct warm_pool *pool)
{
	char *path = NULL;

	lock_take(&pool->lock);
	while (!pool->count && !pool->ended)
		condition_wait(&pool->changed, &pool->lock);
	if (pool->count) {
		path = pool->waiting[pool->first];
		pool->first = (pool->first + 1) % WAITING;
		pool->count--;
		condition_broadcast(&pool->changed);
	}
	lock_drop(&pool->lock);
	return path;
}

static void *read_thread(void *arg)
{
	struct warm_pool *pool = arg;
	CLEANUP_FREE void *chunk = aligned_alloc(ALIGNMENT, CHUNK);
	char *path;

	while ((path = take(pool))) {
		uint64_t bytes = 0;
		int failed = chunk ? read_file(path, chunk, &bytes) : ENOMEM;

		lock_take(&pool->lock);
		pool->counts.bytes += bytes;
		pool->counts.files += !failed;
		lock_drop(&pool->lock);
		if (failed)
			tell(pool, path, failed);
		free(path);
	}
	return NULL;
}

void warm_pool_add(struct warm_pool *pool, char *path)
{
	lock_take(&pool->lock);
	while (pool->count == WAITING)
		condition_wait(&pool->changed, &pool->lock);
	pool->waiting[(pool->first + pool->count++) % WAITING] = path;
	condition_broadcast(&pool->changed);
	lock_drop(&pool->lock);
}

void warm_pool_fail(struct warm_pool *pool, const char *path, int error_number)
{
	tell(pool, path, error_number);
}

void warm_pool_finish(struct warm_pool *pool, struct warm_counts *counts)
{
	if (!pool)
		return;
	lock_take(&pool->lock);
	pool->ended = true;
	condition_broadcast(&pool->changed);
	lock_drop(&pool->lock);
	for (unsigned int i = 0; i < pool->started; i++)
		pthread_join(pool->threads[i], NULL);
	*counts = pool->counts;
	condition_destroy(&pool->changed);
	lock_destroy(&pool->lock);
	lock_destroy(&pool->telling);
	free(pool);
}

int warm_pool_new(warm_failed_fn *failed, void *arg, struct warm_pool **pool,
		  struct store_error *error)
{
	struct warm_pool *made = calloc(1, sizeof(*made));
	struct warm_counts none;
	int result = 0;

	if (!made)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	made->failed = failed;
	made->arg = arg;
	lock_init(&made->telling);
	lock_init(&made->lock);
	condition_init(&made->changed);
	while (!result && made->started < THREADS) {
		result = pthread_create(&made->threads[made->started], NULL,
					read_thread, made);
		made->started += !result;
	}
	if (!made->started) {
		warm_pool_finish(made, &none);
		return store_error_errno(error, result, "threads");
	}
	*pool = made;
	return STORE_OK;
}
