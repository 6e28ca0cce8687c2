/* SPDX-License-Identifier: MIT */
/*
 * A staging area in a folder of its own, and what stands in a staged file as
 * a reader would see it.
 */
#ifndef STOREFS_TESTS_UNIT_MOUNT_AREA_H
#define STOREFS_TESTS_UNIT_MOUNT_AREA_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/staging.h"

struct mount_area {
	char path[64];
	int fd;
	struct staging_area *area;
};

/* A folder that is there; 0 for no limit. */
static inline void area_take(struct mount_area *self, const char *path,
			     uint64_t limit)
{
	struct store_error error = STORE_ERROR_INIT;

	snprintf(self->path, sizeof(self->path), "%s", path);
	self->fd = open(self->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(self->fd, 0);
	ck_assert_int_eq(
		staging_area_open(self->fd, limit, &self->area, &error),
		STORE_OK);
}

/* A new one below the folder `where`. */
static inline void area_open(struct mount_area *self, const char *where,
			     uint64_t limit)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/storefs-area.XXXXXX", where);
	ck_assert_ptr_nonnull(mkdtemp(path));
	area_take(self, path, limit);
}

/* Files in the folder whose name begins with `prefix`. */
static inline int area_count(const struct mount_area *self, const char *prefix)
{
	DIR *listing = opendir(self->path);
	const struct dirent *entry;
	int count = 0;

	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing)))
		count += entry->d_name[0] != '.' &&
			 !strncmp(entry->d_name, prefix, strlen(prefix));
	closedir(listing);
	return count;
}

/* The only file whose name begins with `prefix` must hold this text. */
static inline void area_holds(const struct mount_area *self, const char *prefix,
			      const char *text)
{
	DIR *listing = opendir(self->path);
	const struct dirent *entry;
	char seen[256] = "";
	int fd, count = 0;

	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		count++;
		fd = openat(self->fd, entry->d_name, O_RDONLY | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		ck_assert_int_ge(read(fd, seen, sizeof(seen) - 1), 0);
		close(fd);
	}
	closedir(listing);
	ck_assert_int_eq(count, 1);
	ck_assert_str_eq(seen, text);
}

static inline void area_empty(const struct mount_area *self)
{
	DIR *listing = opendir(self->path);
	const struct dirent *entry;

	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing)))
		unlinkat(self->fd, entry->d_name, 0);
	closedir(listing);
}

static inline void area_close(struct mount_area *self)
{
	staging_area_close(self->area);
	area_empty(self);
	close(self->fd);
	ck_assert_int_eq(rmdir(self->path), 0);
}

/* One piece: staged bytes, those of `base`, or zeros. */
static inline void piece_bytes(const struct staging_piece *piece,
			       const unsigned char *base, uint64_t base_size,
			       unsigned char *out)
{
	struct store_error error = STORE_ERROR_INIT;

	if (piece->kind == PIECE_STAGED) {
		if (staging_read_piece(piece, out, &error))
			ck_abort_msg("%s", error.message);
	} else if (piece->kind == PIECE_BASE) {
		if (piece->offset + piece->length > base_size)
			ck_abort_msg("a piece behind the base");
		memcpy(out, base + piece->offset, (size_t)piece->length);
	} else {
		memset(out, 0, (size_t)piece->length);
	}
}

/* All that a reader sees; the size. */
static inline uint64_t staging_bytes(struct staging *staging,
				     const unsigned char *base,
				     unsigned char *out)
{
	struct staging_piece piece;
	uint64_t offset = 0;

	for (;; offset += piece.length) {
		staging_piece_at(staging, offset, UINT64_MAX - offset, &piece);
		if (!piece.length)
			return offset;
		piece_bytes(&piece, base, staging->base_size, out + offset);
		staging_piece_release(&piece);
	}
}

/* All that a view shows; the size. */
static inline uint64_t view_bytes(const struct staging_view *view,
				  const unsigned char *base, uint64_t base_size,
				  unsigned char *out)
{
	struct staging_piece piece;
	uint64_t offset = 0;

	for (;; offset += piece.length) {
		staging_view_piece(view, offset, UINT64_MAX - offset, &piece);
		if (!piece.length)
			return offset;
		piece_bytes(&piece, base, base_size, out + offset);
	}
}

#endif
