// SPDX-License-Identifier: MIT
/*
 * See uploads.h.  Called by publish_put.c, file.c and recovery.c; calls
 * commit.c and the store.
 */
#include "config.h"

#include "mount/uploads.h"

#include <stdlib.h>
#include <string.h>

#include "mount/commit.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/step.h"

/* Between two tries of what the store did not remove. */
#define PAUSE_NS NS_PER_SEC
#define PAUSE_MAX_NS (60 * NS_PER_SEC)
/* At the end of a run, without progress. */
#define LAST_NS (5 * NS_PER_SEC)
/* Smaller files are one request everywhere. */
#define SIZE_MIN (UINT64_C(5) << 20)

struct uploads {
	struct fs *fs;
	struct store_cancel *cancel; /* the thread's, at the end */
	struct lock lock;
	struct condition wake;
	/* protected by `lock` */
	struct upload *found; /* of an earlier run, not claimed */
	struct upload *drop;  /* to be removed */
	bool stopping;
	/* immutable after the start */
	pthread_t thread;
};

/* ---- one ---- */

static int note(struct store_resume *resume, struct store_error *error)
{
	struct upload *upload = (struct upload *)(void *)resume;
	struct record_upload record = {
		.file = upload->file,
		.key = upload->key,
		.token = resume->token,
	};

	return commit_upload(upload->fs, &upload->id, &record, error);
}

static struct upload *upload_new(struct fs *fs, const char *key, uint64_t file)
{
	size_t length = strlen(key) + 1;
	struct upload *upload = calloc(1, sizeof(*upload) + length);

	if (!upload)
		return NULL;
	upload->resume.note = note;
	upload->fs = fs;
	upload->file = file;
	memcpy(upload->key, key, length);
	return upload;
}

/* The store has nothing of it any more. */
static void upload_end(struct upload *upload)
{
	if (upload->id)
		commit_upload_ended(upload->fs, upload->id);
	free(upload);
}

struct upload *upload_for(struct fs *fs, struct upload *have, const char *key,
			  uint64_t file, uint64_t size)
{
	if (have && !strcmp(have->key, key)) {
		have->file = file;
		return have;
	}
	upload_drop(have);
	return fs->uploads && size >= SIZE_MIN ? upload_new(fs, key, file)
					       : NULL;
}

struct upload *upload_put_ended(struct upload *upload, int code)
{
	if (!upload)
		return NULL;
	if (!upload->resume.token[0]) {
		STEP("upload: ended by its put");
		upload_end(upload);
		return NULL;
	}
	if (code == STORE_CANCELLED || store_code_retryable(code))
		return upload;
	upload_drop(upload);
	return NULL;
}

void upload_drop(struct upload *upload)
{
	struct uploads *uploads;

	if (!upload)
		return;
	if (!upload->resume.token[0]) {
		upload_end(upload);
		return;
	}
	uploads = upload->fs->uploads;
	lock_take(&uploads->lock);
	upload->next = uploads->drop;
	uploads->drop = upload;
	condition_signal(&uploads->wake);
	lock_drop(&uploads->lock);
}

void upload_leave(struct upload *upload)
{
	free(upload);
}

/* ---- removing them ---- */

/* False: it is to be tried again. */
static bool upload_remove(struct upload *upload, int64_t patience,
			  struct store_cancel *cancel)
{
	struct fs *fs = upload->fs;
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;
	int code;

	STEP("upload: before removal");
	store_context_init(&context, patience, cancel);
	code = store_drop_upload(fs->store, &context, upload->key,
				 upload->resume.token, &error);
	if (!code) {
		STEP("upload: removed");
		upload_end(upload);
		STEP("upload: removal noted");
		return true;
	}
	if (code == STORE_CANCELLED || store_code_retryable(code))
		return false;
	log_warn("%s: parts of an upload stay in the store until the next "
		 "mount: %s",
		 upload->key, error.message);
	upload_leave(upload);
	return true;
}

/* Those that are still there afterwards are in the list again. */
static bool remove_all(struct uploads *uploads, int64_t patience,
		       struct store_cancel *cancel)
{
	struct upload *list, *left = NULL, **end = &left;

	lock_take(&uploads->lock);
	list = uploads->drop;
	uploads->drop = NULL;
	lock_drop(&uploads->lock);
	while (list) {
		struct upload *upload = list;

		list = upload->next;
		/* A store that is away is so for all of them. */
		if (!left && upload_remove(upload, patience, cancel))
			continue;
		*end = upload;
		upload->next = NULL;
		end = &upload->next;
	}
	lock_take(&uploads->lock);
	*end = uploads->drop;
	uploads->drop = left;
	lock_drop(&uploads->lock);
	return !left;
}

static bool await_work(struct uploads *uploads, int64_t pause)
{
	bool stopping;

	lock_take(&uploads->lock);
	if (pause && !uploads->stopping)
		condition_wait_until(&uploads->wake, &uploads->lock,
				     clock_monotonic_ns() + pause);
	while (!pause && !uploads->drop && !uploads->stopping)
		condition_wait(&uploads->wake, &uploads->lock);
	stopping = uploads->stopping;
	lock_drop(&uploads->lock);
	return !stopping;
}

static void *uploads_thread(void *arg)
{
	struct uploads *uploads = arg;
	int64_t pause = 0;

	while (await_work(uploads, pause)) {
		if (remove_all(uploads, uploads->fs->options->op_timeout_ns,
			       uploads->cancel))
			pause = 0;
		else
			pause = pause ? pause * 2 : PAUSE_NS;
		if (pause > PAUSE_MAX_NS)
			pause = PAUSE_MAX_NS;
	}
	return NULL;
}

/* ---- of an earlier run ---- */

int uploads_found(struct fs *fs, const struct record_upload *records,
		  size_t count, struct store_error *error)
{
	struct uploads *uploads = fs->uploads;

	/* Another driver may be able to. */
	if (!uploads)
		return STORE_OK;
	for (size_t i = 0; i < count; i++) {
		const struct record_upload *record = &records[i];
		struct upload *upload;

		if (strlen(record->token) > STORE_TOKEN_MAX) {
			log_warn("%s: nobody here knows the token of its "
				 "upload",
				 record->key);
			continue;
		}
		upload = upload_new(fs, record->key, record->file);
		if (!upload)
			return store_error_set(error, STORE_NO_MEMORY,
					       "no memory for uploads");
		upload->id = record->id;
		memcpy(upload->resume.token, record->token,
		       strlen(record->token) + 1);
		lock_take(&uploads->lock);
		upload->next = uploads->found;
		uploads->found = upload;
		lock_drop(&uploads->lock);
	}
	return STORE_OK;
}

struct upload *uploads_claim(struct fs *fs, uint64_t file, const char *key)
{
	struct uploads *uploads = fs->uploads;
	struct upload **at, *upload;

	if (!uploads || !file)
		return NULL;
	lock_take(&uploads->lock);
	at = &uploads->found;
	while (*at && ((*at)->file != file || strcmp((*at)->key, key) != 0))
		at = &(*at)->next;
	upload = *at;
	if (upload) {
		*at = upload->next;
		upload->next = NULL;
	}
	lock_drop(&uploads->lock);
	return upload;
}

void uploads_claimed(struct fs *fs)
{
	struct uploads *uploads = fs->uploads;
	struct upload *list;

	if (!uploads)
		return;
	lock_take(&uploads->lock);
	list = uploads->found;
	uploads->found = NULL;
	lock_drop(&uploads->lock);
	while (list) {
		struct upload *upload = list;

		list = upload->next;
		upload_drop(upload);
	}
}

/* ---- life ---- */

static void uploads_free(struct uploads *uploads)
{
	store_cancel_free(uploads->cancel);
	lock_destroy(&uploads->lock);
	condition_destroy(&uploads->wake);
	free(uploads);
}

int uploads_start(struct fs *fs, struct store_error *error)
{
	struct uploads *uploads;

	if (!fs_can(fs, STORE_CAP_RESUME))
		return STORE_OK;
	uploads = calloc(1, sizeof(*uploads));
	if (!uploads)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for uploads");
	uploads->fs = fs;
	uploads->cancel = store_cancel_new();
	lock_init(&uploads->lock);
	condition_init(&uploads->wake);
	if (!uploads->cancel ||
	    pthread_create(&uploads->thread, NULL, uploads_thread, uploads)) {
		uploads_free(uploads);
		return store_error_set(error, STORE_NO_MEMORY,
				       "no thread for uploads");
	}
	fs->uploads = uploads;
	return STORE_OK;
}

static void leave_all(struct upload *list)
{
	while (list) {
		struct upload *upload = list;

		list = upload->next;
		upload_leave(upload);
	}
}

void uploads_stop(struct fs *fs)
{
	struct uploads *uploads = fs->uploads;

	if (!uploads)
		return;
	lock_take(&uploads->lock);
	uploads->stopping = true;
	store_cancel_trigger(uploads->cancel);
	condition_broadcast(&uploads->wake);
	lock_drop(&uploads->lock);
	pthread_join(uploads->thread, NULL);
	remove_all(uploads, LAST_NS, NULL);
	leave_all(uploads->drop);
	leave_all(uploads->found);
	uploads_free(uploads);
	fs->uploads = NULL;
}
