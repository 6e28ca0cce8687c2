// SPDX-License-Identifier: MIT
/*
 * Parts of one upload, several on their way at a time.  Each is summed up and
 * sent by a thread of its own; who is done takes the next one, so that a slow
 * part keeps nobody waiting but the end.
 *
 * Called by put.c and copy.c; calls multipart.c and resume.c.  Two locks, none
 * held while the other is waited for by somebody else's part: `lock` for the
 * upload and what is left, and that of the source below it.
 */
#include "config.h"

#include <pthread.h>

#include "backends/s3/s3.h"
#include "src/base/sync.h"

/* A source for several threads. */
struct shared_source {
	struct store_source source;
	struct store_source *inner;
	struct lock lock;
	/* protected by `lock`: the caller's, which `inner` may use, too */
	struct store_context *context;
};

struct beside {
	struct store_context context; /* as it began; threads have copies */
	struct lock lock;
	/* protected by `lock` */
	struct s3_upload *upload;
	s3_next_part_fn *next;
	void *arg;
	int code; /* the first failure */
	struct store_error error;
	/* with a lock of its own; `inner` NULL: all are copied */
	struct shared_source source;
};

/* ---- the source ---- */

static int shared_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *error)
{
	struct shared_source *shared = (struct shared_source *)source;
	int code;

	lock_take(&shared->lock);
	/* Whoever gets here has got on. */
	store_context_progress(shared->context);
	code = store_context_check(shared->context, error);
	if (!code)
		code = shared->inner->read(shared->inner, offset, data, length,
					   error);
	lock_drop(&shared->lock);
	return code;
}

static int shared_next_data(struct store_source *source, uint64_t offset,
			    struct store_range *range,
			    struct store_error *error)
{
	struct shared_source *shared = (struct shared_source *)source;
	int code;

	lock_take(&shared->lock);
	code = shared->inner->next_data(shared->inner, offset, range, error);
	lock_drop(&shared->lock);
	return code;
}

static void share(struct shared_source *shared, struct store_source *inner,
		  struct store_context *context)
{
	shared->inner = inner;
	shared->context = context;
	if (!inner)
		return;
	shared->source = (struct store_source){
		.size = inner->size,
		.read = shared_read,
		.next_data = inner->next_data ? shared_next_data : NULL,
	};
}

static struct store_source *source_of(struct beside *beside)
{
	return beside->source.inner ? &beside->source.source : NULL;
}

/* ---- parts ---- */

static void fail_locked(struct beside *beside, int code,
			const struct store_error *error) REQUIRES(beside->lock)
{
	if (beside->code)
		return;
	beside->code = code;
	beside->error = *error;
}

/* The next one that the server has not; false: none is left, or one failed. */
static bool take_locked(struct beside *beside, struct s3_part *part)
	REQUIRES(beside->lock)
{
	struct store_error error = STORE_ERROR_INIT;

	while (!beside->code && beside->next(beside->arg, part)) {
		bool has = false;
		int code = s3_upload_has(beside->upload, source_of(beside),
					 part, &has, &error);

		if (code)
			fail_locked(beside, code, &error);
		else if (!has)
			return true;
	}
	return false;
}

/* Can the server not compare the version that a part is copied from? */
static bool unpin_locked(struct beside *beside, struct store_context *context,
			 const struct s3_part *part) REQUIRES(beside->lock)
{
	struct s3_upload *upload = beside->upload;

	if (!part->from)
		return false;
	if (upload->unpinned)
		return true;
	if (!s3_is_mistaken(upload->s3, context, part->from, part->version))
		return false;
	upload->unpinned = part->from;
	upload->pin = *part->version;
	return true;
}

/* `mine` is the upload as it was, with a context of the thread's. */
static int send(struct beside *beside, struct s3_upload *mine,
		const struct s3_part *part, struct s3_stored *stored,
		struct store_error *error)
{
	bool gone = false, again = false;
	int code = s3_upload_part(mine, source_of(beside), part, stored, &gone,
				  error);

	lock_take(&beside->lock);
	if (gone)
		beside->upload->gone = true;
	if (code == STORE_CHANGED && !mine->unpinned)
		again = unpin_locked(beside, mine->context, part);
	mine->unpinned = beside->upload->unpinned;
	lock_drop(&beside->lock);
	if (!again)
		return code;
	store_error_clear(error);
	return s3_upload_part(mine, source_of(beside), part, stored, &gone,
			      error);
}

static void *work(void *arg)
{
	struct beside *beside = arg;
	struct store_context context = beside->context;
	struct s3_part part;

	lock_take(&beside->lock);
	while (take_locked(beside, &part)) {
		struct s3_upload mine = *beside->upload;
		struct store_error error = STORE_ERROR_INIT;
		struct s3_stored stored;
		int code;

		mine.context = &context;
		lock_drop(&beside->lock);
		store_context_progress(&context);
		code = send(beside, &mine, &part, &stored, &error);
		lock_take(&beside->lock);
		if (!code &&
		    !s3_upload_note(beside->upload, part.number, &stored))
			code = store_error_set(&error, STORE_NO_MEMORY,
					       "out of memory");
		if (code)
			fail_locked(beside, code, &error);
	}
	lock_drop(&beside->lock);
	return NULL;
}

int s3_upload_beside(struct s3_upload *upload, struct store_source *source,
		     size_t count, s3_next_part_fn *next, void *arg,
		     struct store_error *error)
{
	struct beside beside = {
		.context = *upload->context,
		.upload = upload,
		.next = next,
		.arg = arg,
	};
	struct store_context *caller = upload->context, own = *caller;
	pthread_t threads[HTTP_AT_ONCE];
	size_t others = 0;

	/* For what is done with the lock. */
	upload->context = &own;
	share(&beside.source, source, caller);
	lock_init(&beside.lock);
	lock_init(&beside.source.lock);
	/* Without more threads it takes longer. */
	while (others + 1 < count && others + 1 < HTTP_AT_ONCE &&
	       !pthread_create(&threads[others], NULL, work, &beside))
		others++;
	work(&beside);
	while (others)
		pthread_join(threads[--others], NULL);
	lock_destroy(&beside.source.lock);
	lock_destroy(&beside.lock);
	upload->context = caller;
	store_context_progress(caller);
	if (beside.code && error)
		*error = beside.error;
	return beside.code;
}

/* ---- those of an array ---- */

struct several {
	const struct s3_part *parts;
	size_t left;
};

static bool next_of_several(void *arg, struct s3_part *part)
{
	struct several *several = arg;

	if (!several->left)
		return false;
	several->left--;
	*part = *several->parts++;
	return true;
}

int s3_upload_parts(struct s3_upload *upload, struct store_source *source,
		    const struct s3_part *parts, size_t count,
		    struct store_error *error)
{
	struct several several = { .parts = parts, .left = count };

	return s3_upload_beside(upload, source, count, next_of_several,
				&several, error);
}
