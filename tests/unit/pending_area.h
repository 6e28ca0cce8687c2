/* SPDX-License-Identifier: MIT */
/*
 * A staging directory of its own: records put into its journal frame by
 * frame, data files, and what is pending there.
 */
#ifndef STOREFS_TESTS_UNIT_PENDING_AREA_H
#define STOREFS_TESTS_UNIT_PENDING_AREA_H

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/pending.h"
#include "src/base/checksum.h"

/* Texts in records that are only encoded. */
#define TEXT(literal) ((char *)(uintptr_t)(literal))
/* A list of numbers and its length, as arguments. */
#define LAYERS(...)                  \
	(uint64_t[]){ __VA_ARGS__ }, \
		sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t)

static char area_path[64];
static int area_fd;
static struct journal *area_journal; /* NULL: closed */
static struct buf area_frame;
static struct pending pending;
static struct store_error error;

static inline int area_ignore(void *arg, const void *payload, size_t length,
			      struct store_error *why)
{
	(void)arg;
	(void)payload;
	(void)length;
	(void)why;
	return STORE_OK;
}

static inline void area_reopen(void)
{
	struct journal_findings findings;

	if (journal_open(area_fd, 0, area_ignore, NULL, &area_journal,
			 &findings, &error))
		ck_abort_msg("%s", error.message);
}

static inline void setup(void)
{
	snprintf(area_path, sizeof(area_path), "/tmp/storefs-pending.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(area_path));
	area_fd = open(area_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(area_fd, 0);
	area_reopen();
	buf_init(&area_frame, JOURNAL_FRAME_MAX);
	pending = (struct pending){ .count = 0 };
}

/* Names that begin with `prefix`; removed with `remove`. */
static inline int area_names(const char *prefix, bool remove)
{
	DIR *listing = opendir(area_path);
	const struct dirent *entry;
	int count = 0;

	ck_assert_ptr_nonnull(listing);
	while ((entry = readdir(listing))) {
		if (entry->d_name[0] == '.' ||
		    strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		count++;
		if (remove && unlinkat(area_fd, entry->d_name, 0))
			unlinkat(area_fd, entry->d_name, AT_REMOVEDIR);
	}
	closedir(listing);
	return count;
}

static inline void teardown(void)
{
	pending_release(&pending);
	journal_close(area_journal);
	buf_release(&area_frame);
	area_names("", true);
	close(area_fd);
	ck_assert_int_eq(rmdir(area_path), 0);
}

/* ---- records ---- */

static inline void add(const struct record *record)
{
	record_encode(&area_frame, record);
	ck_assert_int_eq(area_frame.failed, STORE_OK);
}

/* All that was added, as one frame. */
static inline void commit(void)
{
	if (journal_append(area_journal, buf_text(&area_frame),
			   area_frame.length, 0, NULL, &error))
		ck_abort_msg("%s", error.message);
	buf_clear(&area_frame);
}

static inline void add_file(uint64_t id, const char *key,
			    const uint64_t *layers, size_t count)
{
	add(&(struct record){
		.type = RECORD_FILE,
		.file = { .id = id,
			  .state = RECORD_PENDING,
			  .key = TEXT(key),
			  .layers = (uint64_t *)(uintptr_t)layers,
			  .layer_count = count },
	});
}

/* A file without layers, as a frame. */
static inline void put_file(uint64_t id, const char *key)
{
	add_file(id, key, NULL, 0);
	commit();
}

/* Its bytes are in the record. */
static inline void add_layer(uint64_t file, uint64_t number, const char *bytes)
{
	struct span all = { 0, strlen(bytes) };
	struct rangemap map = { .spans = &all, .count = all.end != 0 };

	add(&(struct record){
		.type = RECORD_LAYER,
		.layer = { .file = file,
			   .number = number,
			   .size = all.end,
			   .present = map,
			   .dirty = map,
			   .data = bytes,
			   .data_length = all.end,
			   .checksum = checksum64(bytes, all.end) },
	});
}

static inline void add_done(uint64_t id)
{
	add(&(struct record){ .type = RECORD_DONE, .id = id });
}

static inline void put_done(uint64_t id)
{
	add_done(id);
	commit();
}

static inline void put_moving(const char *from, const char *to)
{
	add(&(struct record){
		.type = RECORD_MOVING,
		.move = { .from = TEXT(from), .to = TEXT(to) },
	});
	commit();
}

static inline void put_moved(const char *from, const char *to, bool done)
{
	add(&(struct record){
		.type = RECORD_MOVED,
		.move = { .from = TEXT(from), .to = TEXT(to), .done = done },
	});
	commit();
}

static inline void add_copies(enum record_type type, uint64_t id,
			      const char *from, const char *to)
{
	add(&(struct record){
		.type = type,
		.copies = { .id = id,
			    .folder = true,
			    .from = TEXT(from),
			    .to = TEXT(to) },
	});
}

static inline void put_copies(enum record_type type, uint64_t id,
			      const char *from, const char *to)
{
	add_copies(type, id, from, to);
	commit();
}

static inline void put_upload(uint64_t id, uint64_t file, const char *key,
			      const char *token)
{
	add(&(struct record){
		.type = RECORD_UPLOAD,
		.upload = { .id = id,
			    .file = file,
			    .key = TEXT(key),
			    .token = TEXT(token) },
	});
	commit();
}

static inline void put_upload_ended(uint64_t id)
{
	add(&(struct record){ .type = RECORD_UPLOAD_ENDED, .id = id });
	commit();
}

static inline void put_copies_settled(uint64_t id)
{
	add(&(struct record){ .type = RECORD_COPIES_SETTLED, .id = id });
	commit();
}

/* `id` 0: as older versions told it. */
static inline void put_removing(const char *key, uint64_t id)
{
	add(&(struct record){
		.type = RECORD_REMOVING,
		.move = { .from = TEXT(key), .told = id, .removed = id } });
	commit();
}

/* A record that nobody understands. */
static inline void add_nonsense(void)
{
	static const char record[8] = { 99 };

	buf_add(&area_frame, record, sizeof(record));
}

/* ---- data files ---- */

static inline void write_data(uint64_t number, const void *bytes, size_t length)
{
	char name[DATA_NAME_MAX];
	int fd;

	data_name(number, name);
	fd = openat(area_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
	close(fd);
}

/* ---- loading ---- */

/* Once more, after the journal was closed. */
static inline void load_with(unsigned int flags)
{
	journal_close(area_journal);
	area_journal = NULL;
	pending_release(&pending);
	if (pending_load(area_fd, flags, &pending, NULL, &error))
		ck_abort_msg("%s", error.message);
}

static inline void load(void)
{
	load_with(0);
}

/* NULL: it is not pending. */
static inline struct pending_file *find(uint64_t id)
{
	for (size_t i = 0; i < pending.count; i++)
		if (pending.files[i].record.id == id)
			return &pending.files[i];
	return NULL;
}

static inline void check_key(uint64_t id, const char *key)
{
	const struct pending_file *file = find(id);

	ck_assert_ptr_nonnull(file);
	ck_assert_str_eq(file->record.key, key);
}

#endif
