// SPDX-License-Identifier: MIT
/*
 * Reading ahead; see prefetch.h.  Called by whoever reads a base; calls
 * pattern.c and blockcache.c.
 *
 * A job is one range of one object.  Jobs wait in one queue in the order in
 * which they were asked for; a job refers to its reader, which it does not
 * keep from closing.
 */
#include "config.h"

#include "mount/prefetch.h"

#include <pthread.h>
#include <stdlib.h>

#include "mount/pattern.h"
#include "src/base/sync.h"

struct job {
	struct job *next;
	struct prefetch *reader;     /* a reference */
	struct block_object *object; /* a reference */
	struct block_source *source; /* held */
	struct store_range range;
};

struct prefetch {
	struct prefetcher *prefetcher;
	struct store_cancel *cancel;
	/* protected by the prefetcher's lock */
	unsigned int references; /* of jobs, and while it is open */
	bool in_order;
	struct pattern pattern;
	struct prefetch *next, **link; /* of those that are open */
};

struct prefetcher {
	struct blockcache *cache;
	int64_t stall_ns;
	struct lock lock;
	struct condition work;
	/* protected by `lock` */
	struct prefetch *readers; /* that are open */
	struct job *first, **last;
	unsigned int queued, idle; /* jobs, threads */
	unsigned int in_order;	   /* readers */
	bool stopping;
	unsigned int thread_count, thread_max;
	pthread_t threads[];
};

/* ---- jobs ---- */

static void reader_put_locked(struct prefetch *reader)
{
	if (--reader->references)
		return;
	store_cancel_free(reader->cancel);
	free(reader);
}

/* Blocks and sources have locks of their own: not under ours. */
static void job_release(struct job *job)
{
	blockcache_put(job->object);
	job->source->drop(job->source);
	free(job);
}

static struct job *job_new(struct prefetch *reader, struct block_object *object,
			   struct block_source *source,
			   const struct store_range *range)
{
	struct job *job = malloc(sizeof(*job));

	if (!job)
		return NULL;
	blockcache_hold(object);
	source->hold(source);
	*job = (struct job){ .reader = reader,
			     .object = object,
			     .source = source,
			     .range = *range };
	return job;
}

static int job_run(struct prefetcher *prefetcher, struct job *job)
{
	struct store_context context;
	struct store_error error = STORE_ERROR_INIT;
	int code = STORE_OK;

	store_context_init(&context, prefetcher->stall_ns, job->reader->cancel);
	if (!store_cancel_is_set(job->reader->cancel))
		code = blockcache_fill(job->object, job->source, &context,
				       &job->range, &error);
	store_error_clear(&error);
	job_release(job);
	return code;
}

static struct job *job_take_locked(struct prefetcher *prefetcher)
	REQUIRES(prefetcher->lock)
{
	struct job *job = prefetcher->first;

	if (!job)
		return NULL;
	prefetcher->first = job->next;
	if (!prefetcher->first)
		prefetcher->last = &prefetcher->first;
	prefetcher->queued--;
	return job;
}

static void *worker(void *arg)
{
	struct prefetcher *prefetcher = arg;

	lock_take(&prefetcher->lock);
	for (;;) {
		struct job *job = job_take_locked(prefetcher);
		struct prefetch *reader;
		int code;

		if (!job && prefetcher->stopping)
			break;
		if (!job) {
			prefetcher->idle++;
			condition_wait(&prefetcher->work, &prefetcher->lock);
			prefetcher->idle--;
			continue;
		}
		reader = job->reader;
		lock_drop(&prefetcher->lock);
		code = job_run(prefetcher, job);
		lock_take(&prefetcher->lock);
		if (code == STORE_NO_SPACE)
			pattern_shrink(&reader->pattern);
		reader_put_locked(reader);
	}
	lock_drop(&prefetcher->lock);
	return NULL;
}

static void add_worker_locked(struct prefetcher *prefetcher)
	REQUIRES(prefetcher->lock)
{
	pthread_t *thread = &prefetcher->threads[prefetcher->thread_count];

	if (prefetcher->thread_count < prefetcher->thread_max &&
	    !pthread_create(thread, NULL, worker, prefetcher))
		prefetcher->thread_count++;
}

static bool queue_locked(struct prefetcher *prefetcher, struct job *job)
	REQUIRES(prefetcher->lock)
{
	if (prefetcher->stopping)
		return false;
	job->reader->references++;
	*prefetcher->last = job;
	prefetcher->last = &job->next;
	/* Those that have been woken already still count as idle. */
	if (++prefetcher->queued > prefetcher->idle)
		add_worker_locked(prefetcher);
	condition_signal(&prefetcher->work);
	return true;
}

/* ---- readers ---- */

static void note_order_locked(struct prefetch *reader, bool in_order)
{
	if (reader->in_order == in_order)
		return;
	reader->in_order = in_order;
	if (in_order)
		reader->prefetcher->in_order++;
	else
		reader->prefetcher->in_order--;
}

static size_t plan(struct prefetch *reader, struct block_object *object,
		   uint64_t size, const struct store_range *range,
		   struct store_range ranges[PATTERN_RANGES])
{
	struct prefetcher *prefetcher = reader->prefetcher;
	uint64_t room = blockcache_room(prefetcher->cache), share;
	size_t count;

	lock_take(&prefetcher->lock);
	share = room / 2 / (prefetcher->in_order + 1);
	count = pattern_read(&reader->pattern, blockcache_habit(object), range,
			     size, share, room / 4 * 3, ranges);
	note_order_locked(reader, pattern_is_ahead(&reader->pattern));
	lock_drop(&prefetcher->lock);
	return count;
}

void prefetch_read(struct prefetch *reader, struct block_object *object,
		   struct block_source *source, uint64_t size,
		   const struct store_range *range)
{
	struct store_range ranges[PATTERN_RANGES];
	struct prefetcher *prefetcher;
	size_t count;

	if (!reader)
		return;
	prefetcher = reader->prefetcher;
	count = plan(reader, object, size, range, ranges);
	for (size_t i = 0; i < count; i++) {
		struct job *job = job_new(reader, object, source, &ranges[i]);
		bool queued;

		if (!job)
			return;
		lock_take(&prefetcher->lock);
		queued = queue_locked(prefetcher, job);
		lock_drop(&prefetcher->lock);
		if (!queued)
			job_release(job);
	}
}

struct prefetch *prefetch_open(struct prefetcher *prefetcher)
{
	struct prefetch *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->prefetcher = prefetcher;
	reader->references = 1;
	reader->cancel = store_cancel_new();
	if (!reader->cancel) {
		free(reader);
		return NULL;
	}
	lock_take(&prefetcher->lock);
	reader->next = prefetcher->readers;
	reader->link = &prefetcher->readers;
	if (reader->next)
		reader->next->link = &reader->next;
	prefetcher->readers = reader;
	lock_drop(&prefetcher->lock);
	return reader;
}

/* The jobs of one reader, or of all (NULL), unlinked from the queue. */
static struct job *take_jobs_locked(struct prefetcher *prefetcher,
				    const struct prefetch *reader)
	REQUIRES(prefetcher->lock)
{
	struct job **link = &prefetcher->first, *taken = NULL;

	while (*link) {
		struct job *job = *link;

		if (reader && job->reader != reader) {
			link = &job->next;
			continue;
		}
		*link = job->next;
		job->next = taken;
		taken = job;
		prefetcher->queued--;
		/* Not the last one: it is open, or it would have no jobs. */
		job->reader->references--;
	}
	prefetcher->last = link;
	return taken;
}

static void release_jobs(struct job *jobs)
{
	struct job *next;

	for (; jobs; jobs = next) {
		next = jobs->next;
		job_release(jobs);
	}
}

void prefetch_close(struct prefetch *reader)
{
	struct prefetcher *prefetcher;
	struct job *jobs;

	if (!reader)
		return;
	prefetcher = reader->prefetcher;
	store_cancel_trigger(reader->cancel);
	lock_take(&prefetcher->lock);
	note_order_locked(reader, false);
	jobs = take_jobs_locked(prefetcher, reader);
	*reader->link = reader->next;
	if (reader->next)
		reader->next->link = reader->link;
	reader_put_locked(reader);
	lock_drop(&prefetcher->lock);
	release_jobs(jobs);
}

/* ---- life ---- */

struct prefetcher *prefetcher_new(struct blockcache *cache,
				  unsigned int threads, int64_t stall_ns)
{
	struct prefetcher *prefetcher =
		calloc(1, sizeof(*prefetcher) + threads * sizeof(pthread_t));

	if (!prefetcher)
		return NULL;
	prefetcher->cache = cache;
	prefetcher->stall_ns = stall_ns;
	prefetcher->thread_max = threads;
	prefetcher->last = &prefetcher->first;
	lock_init(&prefetcher->lock);
	condition_init(&prefetcher->work);
	return prefetcher;
}

void prefetcher_stop(struct prefetcher *prefetcher)
{
	struct job *jobs;

	if (!prefetcher)
		return;
	lock_take(&prefetcher->lock);
	prefetcher->stopping = true;
	for (struct prefetch *reader = prefetcher->readers; reader;
	     reader = reader->next)
		store_cancel_trigger(reader->cancel);
	jobs = take_jobs_locked(prefetcher, NULL);
	condition_broadcast(&prefetcher->work);
	lock_drop(&prefetcher->lock);
	release_jobs(jobs);
	for (unsigned int i = 0; i < prefetcher->thread_count; i++)
		pthread_join(prefetcher->threads[i], NULL);
	prefetcher->thread_count = 0;
}

void prefetcher_free(struct prefetcher *prefetcher)
{
	if (!prefetcher)
		return;
	condition_destroy(&prefetcher->work);
	lock_destroy(&prefetcher->lock);
	free(prefetcher);
}
