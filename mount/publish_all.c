// SPDX-License-Identifier: MIT
/*
 * What concerns every file with something to publish; see publish.h.  Called
 * by ops_*.c before names change, by ending.c and by what tells of the queue;
 * calls publisher.c.
 *
 * No memory is no reason to miss one: what is told of all files, by a drain
 * say, must be true.
 */
#include "config.h"

#include <stdlib.h>

#include "mount/publish.h"
#include "src/base/clock.h"

/* Taken at once where there is no memory for more. */
enum { FEW = 32 };

/* Between two rounds of a drain, while the store may come back. */
#define DRAIN_PAUSE_NS (50 * NS_PER_MS)
#define DRAIN_PAUSE_MAX_NS NS_PER_SEC

/* Those of the moment of the call: later ones have higher numbers. */
void publish_each(struct fs *fs, publish_each_fn *fn, void *arg)
{
	struct file *few[FEW];
	size_t wanted = publisher_count(fs->publisher);
	struct file **many =
		wanted > FEW ? calloc(wanted, sizeof(*many)) : NULL;
	struct file **files = many ? many : few;
	uint64_t below = UINT64_MAX;
	size_t count;

	do {
		count = publisher_list(fs->publisher, &below, files,
				       many ? wanted : FEW);
		for (size_t i = 0; i < count; i++) {
			fn(arg, files[i]);
			file_put(files[i]);
		}
	} while (count);
	free(many);
}

struct drain {
	const struct store_context *context;
	unsigned int undone;
	bool again; /* something may go better the next time */
};

static void drain_one(void *arg, struct file *file)
{
	struct drain *drain = arg;
	struct store_error error = STORE_ERROR_INIT;
	bool open, lost, running;
	int code;

	lock_take(&file->lock);
	open = file->writers;
	lost = file_is_lost_locked(file);
	running = file->started > file->finished;
	lock_drop(&file->lock);
	if (lost)
		return;
	if (open || (atomic_load(&file->fs->paused) && !running)) {
		drain->undone++;
		return;
	}
	code = store_context_check(drain->context, &error);
	if (!code)
		code = publish_wait(file, drain->context, &error);
	if (code)
		drain->undone++;
	if (store_code_retryable(code))
		drain->again = true;
}

unsigned int publish_drain(struct fs *fs, const struct store_context *context)
{
	int64_t pause = DRAIN_PAUSE_NS;
	struct drain drain;

	do {
		drain = (struct drain){ .context = context };
		publish_each(fs, drain_one, &drain);
		pause = pause < DRAIN_PAUSE_MAX_NS ? pause * 2 : pause;
	} while (drain.again && !store_context_sleep(context, pause, NULL));
	return drain.undone;
}

static void abandon_one(void *arg, struct file *file)
{
	unsigned int *count = arg;

	*count += publish_abandon(file, "unmounted", true);
}

unsigned int publish_abandon_all(struct fs *fs)
{
	unsigned int count = 0;

	publish_each(fs, abandon_one, &count);
	return count;
}
