// SPDX-License-Identifier: MIT
/*
 * Readers of stored versions; see reader.h.  Called by file.c, file_content.c
 * and publish_put.c; calls the store, blockcache.c and prefetch.c.
 */
#include "config.h"

#include "mount/reader.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* What is on the disk from there, what is not from the store. */
static int read_through(struct base_reader *reader,
			struct store_context *context, uint64_t offset,
			char *data, size_t length, size_t *got,
			struct store_error *error)
{
	size_t done = 0, asked, count;

	while (done < length) {
		struct store_range range = { offset + done, length - done };
		int code;

		count = diskcache_read(reader->disk, reader->disk_id, &range,
				       data + done, &asked);
		done += count;
		if (count)
			continue;
		code = store_read_at(reader->reader, context, range.offset,
				     data + done, asked, &count, error);
		if (code)
			return code;
		done += count;
		if (count != asked)
			break;
		range.length = count;
		diskcache_write(reader->disk, reader->disk_id, &range,
				data + done - count);
	}
	*got = done;
	return STORE_OK;
}

static int source_read(struct block_source *source,
		       struct store_context *context, uint64_t offset,
		       void *data, size_t length, size_t *got,
		       struct store_error *error)
{
	struct base_reader *reader = (struct base_reader *)source;

	if (reader->disk)
		return read_through(reader, context, offset, data, length, got,
				    error);
	return store_read_at(reader->reader, context, offset, data, length, got,
			     error);
}

static void source_hold(struct block_source *source)
{
	reader_hold((struct base_reader *)source);
}

static void source_drop(struct block_source *source)
{
	reader_put((struct base_reader *)source);
}

/*
 * Bytes of a version are shared by all its readers, but one that another may
 * follow under the same token, in the same second, is this reader's alone.  No
 * token of a store has a blank.
 */
static struct store_version object_version(const struct store_info *info)
{
	static _Atomic uint64_t last;
	struct store_version version = info->version;

	if (version.weak && !info->settled)
		snprintf(version.token, sizeof(version.token), " %" PRIu64,
			 ++last);
	return version;
}

struct base_reader *reader_new(struct fs *fs, struct store_reader *opened,
			       const char *key, uint64_t number,
			       const struct store_info *info)
{
	struct base_reader *reader = calloc(1, sizeof(*reader));
	struct store_version version = object_version(info);

	if (!reader) {
		store_close_reader(opened);
		return NULL;
	}
	reader->source = (struct block_source){ .hold = source_hold,
						.drop = source_drop,
						.read = source_read };
	atomic_init(&reader->references, 1);
	reader->reader = opened;
	reader->size = info->size;
	/* Without memory for an object reading works all the same. */
	if (fs->blocks && info->version.token[0])
		reader->object = blockcache_get(fs->blocks, number, &version);
	/* What a weak version names may have changed between two mounts. */
	if (reader->object && fs->disk && !info->version.weak &&
	    !diskcache_id(fs->disk, key, &info->version, reader->disk_id, NULL))
		reader->disk = fs->disk;
	return reader;
}

/* A version whose bytes are here is only looked at. */
static bool is_here(const struct fs *fs, const char *key, uint64_t number,
		    const struct store_version *version)
{
	const struct store_range first = { 0, 1 };
	unsigned char id[DISKBLOCK_ID];
	size_t gap;
	char byte;

	if (!version->token[0])
		return false;
	return blockcache_has(fs->blocks, number, version) ||
	       (fs->disk && !diskcache_id(fs->disk, key, version, id, NULL) &&
		diskcache_read(fs->disk, id, &first, &byte, &gap));
}

size_t reader_expects(const struct fs *fs, const char *key, uint64_t number,
		      const struct store_version *version, uint64_t size)
{
	if (!fs->blocks || size > READER_SMALL ||
	    is_here(fs, key, number, version))
		return 0;
	return (size_t)size;
}

void reader_hold(struct base_reader *reader)
{
	atomic_fetch_add(&reader->references, 1);
}

void reader_put(struct base_reader *reader)
{
	if (atomic_fetch_sub(&reader->references, 1) != 1)
		return;
	blockcache_put(reader->object);
	store_close_reader(reader->reader);
	free(reader);
}

static int read_straight(struct base_reader *reader,
			 struct store_context *context,
			 const struct store_range *range, void *data,
			 struct store_error *error)
{
	size_t got = 0;
	int code = store_read_at(reader->reader, context, range->offset, data,
				 (size_t)range->length, &got, error);

	if (!code && got != range->length)
		code = store_error_set(error, STORE_CHANGED,
				       "the file is shorter than it was");
	return code;
}

int reader_read(struct base_reader *reader, struct prefetch *ahead,
		struct store_context *context, const struct store_range *range,
		void *data, struct store_error *error)
{
	if (!reader->object)
		return read_straight(reader, context, range, data, error);
	prefetch_read(ahead, reader->object, &reader->source, reader->size,
		      range);
	return blockcache_read(reader->object, &reader->source, context, range,
			       data, error);
}
