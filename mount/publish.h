/* SPDX-License-Identifier: MIT */
/*
 * From staged bytes to a new version in the store: the one attempt
 * (publish.c) and the threads that run attempts (publisher.c), so that a
 * waiting close() can be interrupted while its upload goes on; and all of them
 * (publish_all.c).
 *
 *	seal -> put on condition of the base -> settle -> wake the waiters
 *
 * One attempt per file at a time.  A failed attempt leaves everything
 * staged.  Codes that may go away by themselves are tried again with
 * full-jitter backoff; others wait for the next write, fsync or close.
 */
#ifndef STOREFS_MOUNT_PUBLISH_H
#define STOREFS_MOUNT_PUBLISH_H

#include "mount/file.h"

int publisher_start(struct fs *fs, unsigned int threads,
		    struct store_error *error) STORE_WARN_UNUSED;
/* Ends the threads; attempts that run are cancelled.  NULL is fine. */
void publisher_stop(struct publisher *publisher);
/* Is something being uploaded, or about to be? */
bool publisher_is_busy(struct publisher *publisher);
/* After publisher_stop(), once no file is dirty.  NULL is fine. */
void publisher_free(struct publisher *publisher);

/* While fs->paused is set no attempt is begun; those that run go on. */
void publisher_pause(struct publisher *publisher, bool paused);

/*
 * Publish what is there now and wait for the outcome; CANCELLED when the
 * call was interrupted (the attempt goes on).  Clean files cost nothing.
 */
int publish_wait(struct file *file, const struct store_context *context,
		 struct store_error *error) STORE_WARN_UNUSED;
/*
 * The same without waiting; a failure is kept for the next caller.  What an
 * attempt has failed to publish already, and nobody has changed since, waits
 * for its retry.
 */
void publish_later(struct file *file);
/* Take the error nobody was told yet; STORE_OK when there is none. */
int publish_take_late_error(struct file *file, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Publish every dirty file that is closed, again and again while that may
 * still succeed; how many are left undone.  Ends early with the context.
 */
unsigned int publish_drain(struct fs *fs, const struct store_context *context);
/* Keep what is still staged, at the end of a mount; the number of files. */
unsigned int publish_abandon_all(struct fs *fs);

/* Call fn for every dirty file, without any lock held (status). */
typedef void publish_each_fn(void *arg, struct file *file);
void publish_each(struct fs *fs, publish_each_fn *fn, void *arg);

/* Files with something to publish are listed; used by file.c. */
void publisher_add(struct publisher *publisher, struct file *file);
void publisher_remove(struct publisher *publisher, struct file *file);
/* How many they are at this moment. */
size_t publisher_count(struct publisher *publisher);
/*
 * Some of them, each with a reference, from the last one on; at first *below
 * is UINT64_MAX, and then it is for the next call.  0: these were all.
 */
size_t publisher_list(struct publisher *publisher, uint64_t *below,
		      struct file **files, size_t room);

/* ---- between publisher.c and publish.c ---- */

/*
 * Attempts below the nodes of the pass are cancelled, and queued again: a
 * struct fs as gate_blocked_fn.
 */
void publish_give_way(void *fs, const struct gate_pass *pass);

/*
 * One attempt, behind any that runs.  With `whole` also of what nobody has
 * asked for yet in a file that is being written (commit=background).
 */
void publish_attempt(struct file *file, bool whole,
		     struct store_cancel *cancel);
/*
 * Keep the staged bytes for their owner in the staging directory, and go
 * back to what the store has (abandon.c): files whose writer was killed, or
 * (`ending`) all.  True when bytes were kept.
 */
bool publish_abandon(struct file *file, const char *reason, bool ending);
/*
 * Go back to what the store has.  `kept`: the record stays in the journal
 * and the bytes on the disk; else both are given up.
 */
void publish_forget_locked(struct file *file, bool kept) REQUIRES(file->lock);
/* Put the file in the queue (again). */
void publisher_queue(struct publisher *publisher, struct file *file);
/* The same for what is durable and nobody waits for: soon, with others. */
void publisher_batch(struct publisher *publisher, struct file *file);
/* When it is queued again, 0: no retry is planned. */
int64_t publisher_retry_at(struct publisher *publisher,
			   const struct file *file);
/* Queue it at a time (CLOCK_MONOTONIC). */
void publisher_retry(struct publisher *publisher, struct file *file,
		     int64_t at_ns);

#endif
