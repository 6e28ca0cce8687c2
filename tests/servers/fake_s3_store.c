// SPDX-License-Identifier: MIT
/* Buckets and what is in them, in memory; simulated ones are only numbers. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/servers/fake_s3_inside.h"

/* Of a simulated bucket. */
enum { IN_FOLDER = 1000 };

/* ---- blobs ---- */

struct fake_blob *fake_blob_new(size_t size)
{
	struct fake_blob *blob = malloc(sizeof(*blob) + size + 1);

	if (!blob)
		abort();
	blob->users = 1;
	blob->size = size;
	blob->data[size] = '\0';
	return blob;
}

struct fake_blob *fake_blob_use(struct fake_blob *blob)
{
	blob->users++;
	return blob;
}

void fake_blob_drop(struct fake_blob *blob)
{
	if (blob && !--blob->users)
		free(blob);
}

/* ---- headers ---- */

bool fake_kept_copy(struct fake_kept *to, const struct fake_kept *from)
{
	*to = *from;
	if (!from->lines)
		return true;
	to->lines = strdup(from->lines);
	return to->lines != NULL;
}

void fake_kept_free(struct fake_kept *kept)
{
	free(kept->lines);
	*kept = (struct fake_kept){ .lines = NULL };
}

/* ---- buckets ---- */

struct fake_bucket *fake_bucket_find(struct fake_s3 *fake, const char *name)
{
	struct fake_bucket *bucket = fake->buckets;

	while (bucket && strcmp(bucket->name, name) != 0)
		bucket = bucket->next;
	return bucket;
}

bool fake_bucket_make(struct fake_s3 *fake, const char *name, size_t simulated)
{
	struct fake_bucket *bucket;

	if (fake_bucket_find(fake, name) ||
	    strlen(name) >= sizeof(bucket->name))
		return false;
	bucket = calloc(1, sizeof(*bucket));
	if (!bucket)
		abort();
	snprintf(bucket->name, sizeof(bucket->name), "%s", name);
	bucket->simulated = simulated;
	bucket->next = fake->buckets;
	fake->buckets = bucket;
	return true;
}

static void object_free(struct fake_object *object)
{
	free(object->key);
	fake_blob_drop(object->blob);
	fake_kept_free(&object->kept);
	free(object);
}

void fake_buckets_free(struct fake_s3 *fake)
{
	while (fake->buckets) {
		struct fake_bucket *bucket = fake->buckets;

		fake->buckets = bucket->next;
		for (size_t i = 0; i < bucket->count; i++)
			object_free(bucket->objects[i]);
		free(bucket->objects);
		free(bucket);
	}
}

/* ---- names in their order ---- */

size_t fake_bucket_count(const struct fake_bucket *bucket)
{
	return bucket->simulated ? bucket->simulated : bucket->count;
}

const char *fake_bucket_key(const struct fake_bucket *bucket, size_t index,
			    char room[64])
{
	if (!bucket->simulated)
		return bucket->objects[index]->key;
	snprintf(room, 64, "d%06zu/f%09zu", index / IN_FOLDER, index);
	return room;
}

size_t fake_bucket_from(const struct fake_bucket *bucket, const char *key,
			bool after)
{
	size_t low = 0;
	size_t high = fake_bucket_count(bucket);
	char room[64];

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(fake_bucket_key(bucket, middle, room), key);

		if (order < 0 || (!order && after))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- objects ---- */

static bool is_at(const struct fake_bucket *bucket, size_t at, const char *key)
{
	return at < bucket->count && strcmp(bucket->objects[at]->key, key) == 0;
}

struct fake_object *fake_object_find(const struct fake_bucket *bucket,
				     const char *key)
{
	size_t at = fake_bucket_from(bucket, key, false);

	return is_at(bucket, at, key) ? bucket->objects[at] : NULL;
}

static void make_room(struct fake_bucket *bucket)
{
	struct fake_object **more;

	if (bucket->count < bucket->room)
		return;
	bucket->room = bucket->room ? 2 * bucket->room : 64;
	more = realloc(bucket->objects, bucket->room * sizeof(*more));
	if (!more)
		abort();
	bucket->objects = more;
}

struct fake_object *fake_object_put(struct fake_bucket *bucket, const char *key,
				    struct fake_blob *blob)
{
	size_t at = fake_bucket_from(bucket, key, false);
	struct fake_object *object;

	if (is_at(bucket, at, key)) {
		object = bucket->objects[at];
		fake_blob_drop(object->blob);
		fake_kept_free(&object->kept);
		object->blob = blob;
		return object;
	}
	make_room(bucket);
	object = calloc(1, sizeof(*object));
	if (!object)
		abort();
	object->key = strdup(key);
	object->blob = blob;
	memmove(bucket->objects + at + 1, bucket->objects + at,
		(bucket->count - at) * sizeof(*bucket->objects));
	bucket->objects[at] = object;
	bucket->count++;
	return object;
}

void fake_object_remove(struct fake_bucket *bucket, const char *key)
{
	size_t at = fake_bucket_from(bucket, key, false);

	if (!is_at(bucket, at, key))
		return;
	object_free(bucket->objects[at]);
	bucket->count--;
	memmove(bucket->objects + at, bucket->objects + at + 1,
		(bucket->count - at) * sizeof(*bucket->objects));
}
