// SPDX-License-Identifier: MIT
/*
 * The publisher: queue, threads, retries; see publish.h.  Called by
 * acknowledge.c (close, fsync) and publish_all.c; calls publish_attempt().
 *
 * `queued`, `queue_next`, `all_next`, `retry_at_ns` and `interval_at_ns` of a
 * file are protected by the publisher's lock.  A queued file has a reference.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mount/commit.h"
#include "mount/publish.h"
#include "src/base/clock.h"
#include "src/base/log.h"

/* Cancelling does not signal the condition: look this often. */
#define WAIT_LOOK_NS (20 * NS_PER_MS)

/*
 * Files that nobody waits for are sent in batches, this often at most.  What
 * flushes one of a batch on the way into the store flushes others with it,
 * and between the batches the disk belongs to those who wait for a close.
 */
#define BATCH_NS (100 * NS_PER_MS)

/* Until one whose name is held is looked at again. */
#define PUT_OFF_NS (100 * NS_PER_MS)

struct file_queue {
	struct file *head, *tail;
};

struct publisher {
	struct fs *fs;
	struct store_cancel *cancel;
	struct lock lock;
	struct condition work;
	/* protected by `lock` */
	struct file_queue queue; /* to be sent */
	struct file_queue batch; /* to be queued at next_batch_ns */
	struct file *all;	 /* dirty files, the last one first */
	uint64_t all_number;	 /* of the last one */
	size_t all_count;
	/* None is due before this moment, CLOCK_MONOTONIC. */
	int64_t next_retry_ns, next_interval_ns, next_batch_ns;
	unsigned int running; /* attempts */
	bool stopping;
	/* immutable after the start */
	unsigned int thread_count;
	pthread_t threads[];
};

static bool paused(const struct publisher *publisher)
{
	return atomic_load(&publisher->fs->paused);
}

/* ---- queue ---- */

static void plan_image_locked(struct publisher *publisher, struct file *file)
	REQUIRES(publisher->lock)
{
	int64_t interval = publisher->fs->options->publish_interval_ns;

	if (!interval)
		return;
	file->interval_at_ns = clock_monotonic_ns() + interval;
	if (file->interval_at_ns < publisher->next_interval_ns)
		publisher->next_interval_ns = file->interval_at_ns;
	condition_signal(&publisher->work);
}

void publisher_add(struct publisher *publisher, struct file *file)
{
	lock_take(&publisher->lock);
	file->all_number = ++publisher->all_number;
	publisher->all_count++;
	file->all_next = publisher->all;
	file->all_link = &publisher->all;
	if (file->all_next)
		file->all_next->all_link = &file->all_next;
	publisher->all = file;
	plan_image_locked(publisher, file);
	lock_drop(&publisher->lock);
}

void publisher_remove(struct publisher *publisher, struct file *file)
{
	lock_take(&publisher->lock);
	publisher->all_count--;
	*file->all_link = file->all_next;
	if (file->all_next)
		file->all_next->all_link = file->all_link;
	file->retry_at_ns = file->interval_at_ns = 0;
	lock_drop(&publisher->lock);
}

size_t publisher_count(struct publisher *publisher)
{
	size_t count;

	lock_take(&publisher->lock);
	count = publisher->all_count;
	lock_drop(&publisher->lock);
	return count;
}

size_t publisher_list(struct publisher *publisher, uint64_t *below,
		      struct file **files, size_t room)
{
	size_t count = 0;

	lock_take(&publisher->lock);
	for (struct file *file = publisher->all; file && count < room;
	     file = file->all_next) {
		if (file->all_number >= *below)
			continue;
		file_ref(file);
		files[count++] = file;
	}
	if (count)
		*below = files[count - 1]->all_number;
	lock_drop(&publisher->lock);
	return count;
}

static void push_last(struct file_queue *queue, struct file *file)
{
	file->queue_next = NULL;
	if (queue->tail)
		queue->tail->queue_next = file;
	else
		queue->head = file;
	queue->tail = file;
}

static void push_first(struct file_queue *queue, struct file *file)
{
	file->queue_next = queue->head;
	queue->head = file;
	if (!queue->tail)
		queue->tail = file;
}

static struct file *pop(struct file_queue *queue)
{
	struct file *file = queue->head;

	if (!file)
		return NULL;
	queue->head = file->queue_next;
	if (!queue->head)
		queue->tail = NULL;
	return file;
}

static void take_out(struct file_queue *queue, struct file *file)
{
	struct file *before = NULL;

	for (struct file *at = queue->head; at != file; at = at->queue_next)
		before = at;
	if (before)
		before->queue_next = file->queue_next;
	else
		queue->head = file->queue_next;
	if (queue->tail == file)
		queue->tail = before;
}

/* May it be put into a queue?  Then it has a reference of its own. */
static bool enter_locked(struct publisher *publisher, struct file *file,
			 bool by_time) REQUIRES(publisher->lock)
{
	file->retry_at_ns = 0;
	file->queued_by_time &= by_time;
	if (file->queued || publisher->stopping)
		return false;
	file_ref(file);
	file->queued = true;
	file->queued_by_time = by_time;
	return true;
}

/* The batch goes to the end of the queue. */
static void send_batch_locked(struct publisher *publisher)
	REQUIRES(publisher->lock)
{
	struct file_queue *queue = &publisher->queue;
	struct file_queue *batch = &publisher->batch;

	if (!batch->head)
		return;
	if (queue->tail)
		queue->tail->queue_next = batch->head;
	else
		queue->head = batch->head;
	queue->tail = batch->tail;
	*batch = (struct file_queue){ 0 };
	publisher->next_batch_ns = clock_monotonic_ns() + BATCH_NS;
}

static void queue_locked(struct publisher *publisher, struct file *file,
			 bool by_time) REQUIRES(publisher->lock)
{
	if (enter_locked(publisher, file, by_time))
		push_last(&publisher->queue, file);
}

void publisher_queue(struct publisher *publisher, struct file *file)
{
	lock_take(&publisher->lock);
	queue_locked(publisher, file, false);
	/* It may be in the batch. */
	send_batch_locked(publisher);
	condition_signal(&publisher->work);
	lock_drop(&publisher->lock);
}

/* Somebody waits: before those nobody waits for. */
static void queue_first(struct publisher *publisher, struct file *file)
{
	lock_take(&publisher->lock);
	send_batch_locked(publisher);
	if (file->queued)
		take_out(&publisher->queue, file);
	if (enter_locked(publisher, file, false) || file->queued)
		push_first(&publisher->queue, file);
	condition_signal(&publisher->work);
	lock_drop(&publisher->lock);
}

void publisher_batch(struct publisher *publisher, struct file *file)
{
	lock_take(&publisher->lock);
	if (enter_locked(publisher, file, false)) {
		push_last(&publisher->batch, file);
		if (publisher->batch.head == file)
			condition_signal(&publisher->work);
	}
	lock_drop(&publisher->lock);
}

void publisher_retry(struct publisher *publisher, struct file *file,
		     int64_t at_ns)
{
	lock_take(&publisher->lock);
	file->retry_at_ns = at_ns;
	if (at_ns < publisher->next_retry_ns)
		publisher->next_retry_ns = at_ns;
	condition_signal(&publisher->work);
	lock_drop(&publisher->lock);
}

/* Has the moment come?  It is 0 then; else `next` is not after it. */
static bool is_due(int64_t *at_ns, int64_t now, int64_t *next)
{
	if (*at_ns && *at_ns <= now) {
		*at_ns = 0;
		return true;
	}
	if (*at_ns && *at_ns < *next)
		*next = *at_ns;
	return false;
}

static int64_t next_due_locked(const struct publisher *publisher)
	REQUIRES(publisher->lock)
{
	return publisher->next_retry_ns < publisher->next_interval_ns
		       ? publisher->next_retry_ns
		       : publisher->next_interval_ns;
}

/* Queue what is due; when the next ones are. */
static void queue_due_locked(struct publisher *publisher)
	REQUIRES(publisher->lock)
{
	int64_t now = clock_monotonic_ns();
	int64_t retry = INT64_MAX, interval = INT64_MAX;

	if (now < next_due_locked(publisher))
		return;
	for (struct file *file = publisher->all; file; file = file->all_next) {
		if (is_due(&file->retry_at_ns, now, &retry))
			queue_locked(publisher, file, false);
		if (is_due(&file->interval_at_ns, now, &interval))
			queue_locked(publisher, file, true);
	}
	publisher->next_retry_ns = retry;
	publisher->next_interval_ns = interval;
}

int64_t publisher_retry_at(struct publisher *publisher, const struct file *file)
{
	int64_t at;

	lock_take(&publisher->lock);
	at = file->retry_at_ns;
	lock_drop(&publisher->lock);
	return at;
}

void publisher_pause(struct publisher *publisher, bool paused)
{
	lock_take(&publisher->lock);
	atomic_store(&publisher->fs->paused, paused);
	condition_broadcast(&publisher->work);
	lock_drop(&publisher->lock);
}

/* Until there is something new to send, or some of it is due. */
static void await_work_locked(struct publisher *publisher)
	REQUIRES(publisher->lock)
{
	int64_t until = next_due_locked(publisher);

	if (publisher->batch.head && publisher->next_batch_ns < until)
		until = publisher->next_batch_ns;
	if (until == INT64_MAX || paused(publisher))
		condition_wait(&publisher->work, &publisher->lock);
	else
		condition_wait_until(&publisher->work, &publisher->lock, until);
}

static struct file *queue_pop(struct publisher *publisher, bool *by_time)
{
	struct file *file = NULL;

	lock_take(&publisher->lock);
	while (!publisher->stopping) {
		queue_due_locked(publisher);
		if (clock_monotonic_ns() >= publisher->next_batch_ns)
			send_batch_locked(publisher);
		if (publisher->queue.head && !paused(publisher))
			break;
		await_work_locked(publisher);
	}
	file = pop(&publisher->queue);
	if (file) {
		if (publisher->queue.head)
			condition_signal(&publisher->work);
		file->queued = false;
		*by_time = file->queued_by_time;
		publisher->running++;
	}
	lock_drop(&publisher->lock);
	return file;
}

bool publisher_is_busy(struct publisher *publisher)
{
	bool busy;

	lock_take(&publisher->lock);
	busy = publisher->queue.head || publisher->batch.head ||
	       publisher->running || publisher->next_retry_ns != INT64_MAX;
	lock_drop(&publisher->lock);
	return busy;
}

/*
 * An image of a file that stays open is sent when bytes were written since
 * the last one was: not of one that was only created or truncated.
 */
static bool wants_image(struct file *file)
{
	bool wanted;

	lock_take(&file->lock);
	wanted = file->dirty && file->writers && file->written &&
		 !file->doomed &&
		 (!file->finished || file->running_change != file->change);
	file->image = wanted;
	lock_drop(&file->lock);
	return wanted;
}

/* For all the same, so that thousands of files cost one look at the list. */
static int64_t next_turn(void)
{
	return (clock_monotonic_ns() / PUT_OFF_NS + 2) * PUT_OFF_NS;
}

/*
 * A rename by copies may keep its name for long.  Unless somebody waits for
 * the file, the thread is there for others meanwhile.
 */
static bool put_off(struct publisher *publisher, struct file *file,
		    bool by_time)
{
	bool waited_for;

	if (!gate_is_occupied(&publisher->fs->gate, file->node))
		return false;
	lock_take(&file->lock);
	waited_for = file->waiters || !file->dirty;
	/* What was due by time is due again by time. */
	if (!waited_for && !by_time)
		publisher_retry(publisher, file, next_turn());
	lock_drop(&file->lock);
	return !waited_for;
}

/* The next image of a file that is open still. */
static void plan_image(struct publisher *publisher, struct file *file)
{
	bool wanted;

	lock_take(&file->lock);
	wanted = file->dirty && file->writers;
	if (wanted) {
		lock_take(&publisher->lock);
		plan_image_locked(publisher, file);
		lock_drop(&publisher->lock);
	}
	lock_drop(&file->lock);
}

static void *publisher_thread(void *arg)
{
	struct publisher *publisher = arg;
	struct file *file;
	bool by_time;

	while ((file = queue_pop(publisher, &by_time))) {
		if (!put_off(publisher, file, by_time) &&
		    (!by_time || wants_image(file)))
			publish_attempt(file, by_time, publisher->cancel);
		plan_image(publisher, file);
		lock_take(&publisher->lock);
		publisher->running--;
		lock_drop(&publisher->lock);
		file_put(file);
	}
	return NULL;
}

/* ---- life ---- */

int publisher_start(struct fs *fs, unsigned int threads,
		    struct store_error *error)
{
	struct publisher *publisher =
		calloc(1, sizeof(*publisher) + threads * sizeof(pthread_t));
	int result = 0;

	if (!publisher)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for the publisher");
	lock_init(&publisher->lock);
	condition_init(&publisher->work);
	publisher->fs = fs;
	publisher->next_retry_ns = publisher->next_interval_ns = INT64_MAX;
	publisher->cancel = store_cancel_new();
	fs->publisher = publisher;
	fs->gate.blocked_arg = fs;
	fs->gate.blocked = publish_give_way;
	while (!result && publisher->thread_count < threads) {
		result = pthread_create(
			&publisher->threads[publisher->thread_count], NULL,
			publisher_thread, publisher);
		publisher->thread_count += !result;
	}
	if (!result && publisher->cancel)
		return STORE_OK;
	publisher_stop(publisher);
	publisher_free(publisher);
	fs->publisher = NULL;
	return store_error_errno(error, result ? result : ENOMEM,
				 "publisher threads");
}

void publisher_stop(struct publisher *publisher)
{
	if (!publisher)
		return;
	/* First, or what is still in the queue would be put now, paused or not. */
	if (publisher->cancel)
		store_cancel_trigger(publisher->cancel);
	lock_take(&publisher->lock);
	publisher->stopping = true;
	condition_broadcast(&publisher->work);
	lock_drop(&publisher->lock);
	for (unsigned int i = 0; i < publisher->thread_count; i++)
		pthread_join(publisher->threads[i], NULL);
	publisher->thread_count = 0;
}

void publisher_free(struct publisher *publisher)
{
	struct file *file;

	if (!publisher)
		return;
	lock_take(&publisher->lock);
	send_batch_locked(publisher);
	lock_drop(&publisher->lock);
	while ((file = pop(&publisher->queue)))
		file_put(file);
	store_cancel_free(publisher->cancel);
	condition_destroy(&publisher->work);
	lock_destroy(&publisher->lock);
	free(publisher);
}

/* ---- waiting ---- */

/*
 * Which attempt covers the present state: the running one, if it began
 * after the last change, else one that has to be asked for.
 */
static uint64_t wait_target_locked(struct file *file, bool *ask)
	REQUIRES(file->lock)
{
	bool running = file->started > file->finished;

	*ask = !running || file->running_change != file->change;
	return *ask ? file->started + 1 : file->started;
}

/* Progress is the attempt's matter; only cancel and deadline end a wait. */
static int wait_check(const struct store_context *context,
		      struct store_error *error)
{
	if (context->cancel && store_cancel_is_set(context->cancel))
		return store_error_set(error, STORE_CANCELLED,
				       "interrupted; the bytes are kept and "
				       "go on");
	if (context->deadline_ns &&
	    clock_monotonic_ns() >= context->deadline_ns)
		return store_error_set(error, STORE_TIMEOUT,
				       "not published in time; the bytes are "
				       "kept and go on");
	return STORE_OK;
}

/* A pause is waited for as long as a store that does nothing. */
static int wait_check_paused_locked(struct file *file, int64_t *until_ns,
				    struct store_error *error)
	REQUIRES(file->lock)
{
	int64_t patience = file->fs->options->op_timeout_ns;
	int64_t now = clock_monotonic_ns();

	if (!patience || !paused(file->fs->publisher) ||
	    file->started > file->finished) {
		*until_ns = 0;
		return STORE_OK;
	}
	if (!*until_ns)
		*until_ns = now + patience;
	if (now < *until_ns)
		return STORE_OK;
	return store_error_set(error, STORE_TIMEOUT,
			       "uploads are paused; the bytes are kept and go "
			       "on once they are resumed");
}

static int wait_locked(struct file *file, uint64_t target,
		       const struct store_context *context,
		       struct store_error *error) REQUIRES(file->lock)
{
	int64_t until = 0;
	int code;

	file->waiters++;
	while (file->finished < target || file->gave_way) {
		condition_wait_until(&file->changed, &file->lock,
				     clock_monotonic_ns() + WAIT_LOOK_NS);
		if (!context || (file->finished >= target && !file->gave_way))
			continue;
		code = wait_check(context, error);
		if (!code)
			code = wait_check_paused_locked(file, &until, error);
		if (code) {
			file->waiters--;
			return code;
		}
	}
	file->waiters--;
	file->detached_error = false;
	if (file->last_code)
		file->told_change = file->running_change;
	if (file->last_code && error)
		*error = file->last_error;
	return file->last_code;
}

int publish_wait(struct file *file, const struct store_context *context,
		 struct store_error *error)
{
	bool ask = false;
	uint64_t target = 0;
	int code;

	lock_take(&file->lock);
	if (!file->dirty) {
		lock_drop(&file->lock);
		return publish_take_late_error(file, error);
	}
	target = wait_target_locked(file, &ask);
	if (ask)
		queue_first(file->fs->publisher, file);
	code = wait_locked(file, target, context, error);
	lock_drop(&file->lock);
	if (code == STORE_TIMEOUT && paused(file->fs->publisher) &&
	    commit_keep(file, RECORD_PENDING, "uploads were paused", NULL))
		log_warn("%s: not kept while uploads are paused",
			 file->name_hint);
	return code;
}

void publish_later(struct file *file)
{
	bool wanted, durable;

	lock_take(&file->lock);
	/* What has failed as it is waits for its retry, or for a change. */
	wanted = file->dirty && (file->doomed || !file->finished ||
				 file->running_change != file->change);
	durable = file->note.acknowledged && !file->waiters;
	lock_drop(&file->lock);
	if (wanted && durable)
		publisher_batch(file->fs->publisher, file);
	else if (wanted)
		publisher_queue(file->fs->publisher, file);
}

int publish_take_late_error(struct file *file, struct store_error *error)
{
	int code = STORE_OK;

	lock_take(&file->lock);
	if (file->detached_error) {
		code = file->last_code;
		if (error)
			*error = file->last_error;
		file->detached_error = false;
		file->told_change = file->running_change;
	}
	lock_drop(&file->lock);
	return code;
}
