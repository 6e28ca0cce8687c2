/* SPDX-License-Identifier: MIT */
/*
 * One staged file beside plain arrays of bytes that tell what it must show:
 * each step changes both.
 */
#ifndef STOREFS_TESTS_UNIT_MOUNT_STAGING_H
#define STOREFS_TESTS_UNIT_MOUNT_STAGING_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "mount/pending.h"
#include "src/base/cleanup.h"
#include "tests/unit/mount_area.h"
#include "tests/unit/seed.h"

enum { IMAGE_MOST = 6000 };

struct image {
	uint64_t size;
	unsigned char bytes[IMAGE_MOST]; /* zeros behind the size */
};

static struct store_error error;
static struct mount_area folder;
static struct staging staging;
/* The version in the store, what is seen, and what a publish sends. */
static struct image base, shown, frozen;
static struct staging_view view; /* of the publish that runs */

static inline void staged_open(void)
{
	area_open(&folder, "/tmp", 0);
	memset(&base, 0, sizeof(base));
	memset(&shown, 0, sizeof(shown));
	staging_init(&staging, folder.area, 0);
}

static inline void staged_close(void)
{
	staging_view_release(&view);
	staging_discard(&staging);
	ck_assert_uint_eq(staging_area_bytes(folder.area), 0);
	ck_assert_int_eq(area_count(&folder, "data-"), 0);
	area_close(&folder);
}

/* Begin with a base version of bytes that tell their place. */
static inline void begin(uint64_t size)
{
	base = (struct image){ .size = size };
	for (uint64_t i = 0; i < size; i++)
		base.bytes[i] = (unsigned char)(1 + i % 251);
	shown = base;
	staging_init(&staging, folder.area, size);
}

/* ---- steps ---- */

static inline void write_bytes(uint64_t offset, uint64_t length)
{
	unsigned char data[IMAGE_MOST] = { 0 };

	for (uint64_t i = 0; i < length; i++)
		data[i] = (unsigned char)seed_next();
	ck_assert_int_eq(
		staging_write(&staging, data, offset, (size_t)length, &error),
		STORE_OK);
	memcpy(shown.bytes + offset, data, (size_t)length);
	if (offset + length > shown.size)
		shown.size = offset + length;
}

static inline void truncate_to(uint64_t size)
{
	ck_assert_int_eq(staging_truncate(&staging, size, &error), STORE_OK);
	if (size < shown.size)
		memset(shown.bytes + size, 0, (size_t)(shown.size - size));
	shown.size = size;
}

static inline void punch(uint64_t offset, uint64_t length)
{
	uint64_t end = offset + length;

	ck_assert_int_eq(staging_punch(&staging, offset, length, &error),
			 STORE_OK);
	if (end > shown.size)
		end = shown.size;
	if (offset < end)
		memset(shown.bytes + offset, 0, (size_t)(end - offset));
}

/* Fetch what stands in the base only. */
static inline void fill(uint64_t offset, uint64_t length)
{
	struct staging_piece piece;

	staging_piece_at(&staging, offset, length, &piece);
	if (piece.length && piece.kind == PIECE_BASE)
		ck_assert_int_eq(staging_fill(&staging,
					      base.bytes + piece.offset,
					      piece.offset,
					      (size_t)piece.length, &error),
				 STORE_OK);
	staging_piece_release(&piece);
}

static inline void seal(void)
{
	ck_assert_int_eq(staging_seal(&staging, &error), STORE_OK);
}

/* Seal all of it for a publish. */
static inline void freeze(void)
{
	seal();
	ck_assert_int_eq(
		staging_freeze(&staging, SIZE_MAX, true, &view, &error),
		STORE_OK);
	frozen = shown;
}

static inline void settle(bool stored)
{
	struct staging_view old;

	staging_settle(&staging, stored, &old);
	ck_assert_uint_eq(staging.frozen, 0);
	staging_view_remove(&old);
	staging_view_release(&view);
	if (stored)
		base = frozen;
}

/* As an acknowledgement does: the layers there are do not change any more. */
static inline void keep(struct staging_view *held)
{
	ck_assert_int_eq(
		staging_freeze(&staging, SIZE_MAX, false, held, &error),
		STORE_OK);
	for (size_t i = 0; i < held->count; i++)
		held->layers[i]->kept = true;
}

/* ---- what must hold ---- */

static inline void check_image(const struct image *image,
			       const unsigned char *seen, uint64_t size)
{
	uint64_t i = 0;

	ck_assert_uint_eq(size, image->size);
	while (i < size && seen[i] == image->bytes[i])
		i++;
	ck_assert_msg(i == size, "byte %" PRIu64 " of %" PRIu64 " differs", i,
		      size);
}

static inline void check_shown(void)
{
	static unsigned char seen[IMAGE_MOST];

	ck_assert_uint_eq(staging.size, shown.size);
	ck_assert_uint_eq(staging.base_size, base.size);
	check_image(&shown, seen, staging_bytes(&staging, base.bytes, seen));
}

/* What a view shows over a base, and what a publish may leave to the store. */
static inline void check_view(const struct staging_view *one,
			      const struct image *image,
			      const struct image *over)
{
	static unsigned char seen[IMAGE_MOST];
	CLEANUP_FREE struct store_range *kept = NULL;
	uint64_t end = 0;
	size_t count = 0;

	ck_assert_uint_eq(one->size, image->size);
	check_image(image, seen,
		    view_bytes(one, over->bytes, over->size, seen));
	ck_assert_int_eq(staging_view_kept(one, &kept, &count, &error),
			 STORE_OK);
	for (size_t i = 0; i < count; i++) {
		ck_assert(kept[i].length && kept[i].offset >= end);
		end = kept[i].offset + kept[i].length;
		ck_assert_uint_le(end, over->size);
		ck_assert_uint_le(end, image->size);
		ck_assert_int_eq(memcmp(over->bytes + kept[i].offset,
					image->bytes + kept[i].offset,
					(size_t)kept[i].length),
				 0);
	}
}

static inline void check_ranges(const struct rangemap *map, uint64_t size)
{
	for (size_t i = 0; i < map->count; i++)
		ck_assert_uint_le(map->spans[i].end, size);
}

/* The invariants of layer.h. */
static inline void check_layer(const struct staging_layer *layer)
{
	ck_assert_uint_le(layer->lower_limit, layer->size);
	check_ranges(&layer->present, layer->size);
	check_ranges(&layer->dirty, layer->size);
	for (size_t i = 0; i < layer->dirty.count; i++)
		ck_assert(rangemap_covers(&layer->present,
					  layer->dirty.spans[i].start,
					  layer->dirty.spans[i].end));
}

/* What is in the file of a layer, to its end. */
static inline void check_disk(const struct staging_layer *layer,
			      const void *bytes, size_t length)
{
	CLEANUP_FREE char *seen = malloc(length + 1);
	char name[DATA_NAME_MAX];
	int fd;

	ck_assert_ptr_nonnull(seen);
	data_name(layer->number, name);
	fd = openat(folder.fd, name, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(read(fd, seen, length + 1), (ssize_t)length);
	ck_assert_int_eq(memcmp(seen, bytes, length), 0);
	close(fd);
}

#endif
