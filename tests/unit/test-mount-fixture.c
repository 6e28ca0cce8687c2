// SPDX-License-Identifier: MIT
/*
 * The staging directories of format 1 in tests/fixtures: every later version
 * reads them, field by field, and none of their bytes is taken for another.
 */
#include "config.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/pending.h"
#include "tests/fixtures/bytes.h"
#include "tests/unit/unit.h"

static int fixture_fd;
static struct pending pending;

static void open_fixture(const char *name)
{
	const char *top = getenv("SRCDIR");
	struct store_error error;
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/fixtures/%s", top ? top : ".",
		 name);
	fixture_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fixture_fd < 0)
		ck_abort_msg("%s cannot be opened", path);
	if (pending_load(fixture_fd, JOURNAL_READ_ONLY, &pending, NULL, &error))
		ck_abort_msg("%s", error.message);
	pending_verify(fixture_fd, &pending);
}

static void setup(void)
{
	open_fixture("staging-1");
}

static void setup_uploads(void)
{
	open_fixture("staging-1-uploads");
}

static void teardown(void)
{
	pending_release(&pending);
	close(fixture_fd);
}

static const struct pending_file *file_of(uint64_t id)
{
	for (size_t i = 0; i < pending.count; i++)
		if (pending.files[i].record.id == id)
			return &pending.files[i];
	ck_abort_msg("file %d is not pending", (int)id);
}

/* What all files have in common. */
static const struct record_file *check_file(uint64_t id, const char *key,
					    enum record_state state, int code)
{
	const struct record_file *file = &file_of(id)->record;

	ck_assert_str_eq(file->key, key);
	ck_assert_int_eq(file->state, state);
	ck_assert_int_eq(file->code, code);
	ck_assert_int_eq(file->time, 1400000000 + (int64_t)id);
	for (size_t i = 0; i < sizeof(file->publish); i++)
		ck_assert_uint_eq(file->publish[i], (uint8_t)(id * 16 + i));
	return file;
}

static void check_base(const struct record_file *file, bool exists, bool weak,
		       const char *token)
{
	ck_assert(file->base_exists == exists);
	ck_assert(file->base.weak == weak);
	ck_assert_str_eq(file->base.token, token);
}

static void check_map(const struct rangemap *map, const struct span *spans,
		      size_t count)
{
	ck_assert_uint_eq(map->count, count);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(map->spans[i].start, spans[i].start);
		ck_assert_uint_eq(map->spans[i].end, spans[i].end);
	}
}

static void check_data(const struct record_layer *layer)
{
	static unsigned char want[100000], got[100000];
	const unsigned char *carried = layer->data;
	char name[DATA_NAME_MAX];
	int fd = -1;

	data_name(layer->number, name);
	if (!carried)
		fd = openat(fixture_fd, name, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < layer->present.count; i++) {
		const struct span *span = &layer->present.spans[i];
		size_t length = (size_t)(span->end - span->start);

		fixture_bytes(layer->number, span->start, want, length);
		if (carried) {
			ck_assert_mem_eq(carried, want, length);
			carried += length;
			continue;
		}
		ck_assert_int_eq(pread(fd, got, length, (off_t)span->start),
				 (ssize_t)length);
		ck_assert_mem_eq(got, want, length);
	}
	if (fd >= 0)
		close(fd);
}

/* One of the layers of a file, whole, and its bytes. */
static const struct record_layer *check_layer(uint64_t id, size_t index,
					      uint64_t number, bool carried)
{
	const struct pending_file *file = file_of(id);
	const struct record_layer *layer;

	ck_assert(!file->damaged);
	ck_assert_uint_gt(file->record.layer_count, index);
	ck_assert_uint_eq(file->record.layers[index], number);
	ck_assert_ptr_nonnull(file->layers[index]);
	ck_assert_int_eq(file->layers[index]->code, STORE_OK);
	layer = &file->layers[index]->record;
	ck_assert_uint_eq(layer->file, id);
	ck_assert_uint_eq(layer->number, number);
	ck_assert(!layer->data == !carried);
	ck_assert_uint_eq(layer->data_length, rangemap_total(&layer->present));
	check_data(layer);
	return layer;
}

/* A layer that is all of its file. */
static void check_whole(uint64_t id, uint64_t number, uint64_t size,
			bool carried)
{
	const struct record_layer *layer = check_layer(id, 0, number, carried);
	struct span all = { 0, size };

	ck_assert_uint_eq(file_of(id)->record.layer_count, 1);
	ck_assert_uint_eq(layer->size, size);
	ck_assert_uint_eq(layer->lower_limit, 0);
	check_map(&layer->present, &all, size != 0);
	check_map(&layer->dirty, &all, size != 0);
}

START_TEST(a_small_new_file_is_read_back)
{
	const struct record_file *file = check_file(
		1, "small/\xff any\nbyte", RECORD_PENDING, STORE_UNAVAILABLE);
	const struct store_attributes *attributes = &file->attributes;

	ck_assert_uint_eq(file->generation, 3);
	ck_assert(file->created);
	ck_assert(file->content);
	ck_assert_uint_eq(file->node, 4711);
	ck_assert_ptr_null(file->reason);
	check_base(file, false, false, "");
	ck_assert_uint_eq(attributes->mask,
			  STORE_ATTR_MODE | STORE_ATTR_UID | STORE_ATTR_GID |
				  STORE_ATTR_MTIME | STORE_ATTR_ATIME);
	ck_assert_uint_eq(attributes->mode, 04751);
	ck_assert_uint_eq(attributes->uid, 1000);
	ck_assert_uint_eq(attributes->gid, 4000000000);
	ck_assert_int_eq(attributes->mtime.tv_sec, 1400000000);
	ck_assert_int_eq(attributes->mtime.tv_nsec, 123456789);
	ck_assert_int_eq(attributes->atime.tv_sec, -2);
	ck_assert_int_eq(attributes->atime.tv_nsec, 999999999);
	ck_assert_uint_eq(file->xattr_count, 2);
	ck_assert_str_eq(file->xattrs[0].name, "user.a");
	ck_assert_uint_eq(file->xattrs[0].size, 3);
	ck_assert_mem_eq(file->xattrs[0].value, "v\0w", 3);
	ck_assert_str_eq(file->xattrs[1].name, "security.empty");
	ck_assert_uint_eq(file->xattrs[1].size, 0);
	check_whole(1, 1, 1000, true);
}
END_TEST

START_TEST(a_large_file_is_read_back)
{
	const struct record_file *file =
		check_file(2, "large/whole", RECORD_PENDING, STORE_TIMEOUT);

	ck_assert_uint_eq(file->generation, 1);
	ck_assert(!file->created);
	ck_assert(file->content);
	ck_assert_uint_eq(file->node, 0);
	ck_assert_str_eq(file->reason, "no answer");
	check_base(file, true, true, "40001-1699999999");
	ck_assert_uint_eq(file->attributes.mask, 0);
	ck_assert_uint_eq(file->xattr_count, 0);
	check_whole(2, 2, 40000, false);
}
END_TEST

START_TEST(a_stack_of_layers_with_ranges_is_read_back)
{
	static const struct span below[] = { { 4096, 12288 },
					     { 40000, 50000 } };
	static const struct span changed[] = { { 4096, 8192 },
					       { 40000, 50000 } };
	static const struct span above[] = { { 100, 300 }, { 54990, 55000 } };
	const struct record_file *file =
		check_file(3, "large/ranges", RECORD_PENDING, STORE_OK);
	const struct record_layer *layer;

	ck_assert_uint_eq(file->generation, 2);
	check_base(file, true, false, "version-1");
	ck_assert_uint_eq(file->attributes.mask, STORE_ATTR_MTIME);
	ck_assert_int_eq(file->attributes.mtime.tv_sec, 2000000000);
	ck_assert_int_eq(file->attributes.mtime.tv_nsec, 1);
	ck_assert_uint_eq(file->layer_count, 2);
	layer = check_layer(3, 0, 3, false);
	ck_assert_uint_eq(layer->size, 60000);
	ck_assert_uint_eq(layer->lower_limit, 60000);
	check_map(&layer->present, below, 2);
	check_map(&layer->dirty, changed, 2);
	layer = check_layer(3, 1, 4, true);
	ck_assert_uint_eq(layer->size, 55000);
	ck_assert_uint_eq(layer->lower_limit, 55000);
	check_map(&layer->present, above, 2);
	check_map(&layer->dirty, above, 2);
}
END_TEST

START_TEST(a_failed_file_is_read_back)
{
	const struct record_file *file =
		check_file(4, "failed", RECORD_FAILED, STORE_CHANGED);

	ck_assert_str_eq(file->reason, "somebody else changed it");
	check_base(file, true, false, "version-2");
	check_whole(4, 5, 10, true);
}
END_TEST

START_TEST(an_unfinished_file_is_read_back)
{
	const struct record_file *file =
		check_file(5, "unfinished", RECORD_UNFINISHED, STORE_OK);

	ck_assert_uint_eq(file->generation, 0);
	ck_assert(file->created);
	ck_assert_uint_eq(file->layer_count, 1);
	ck_assert_uint_eq(file->layers[0], 6);
	/* There is no record of it, only its file. */
	ck_assert_ptr_null(file_of(5)->layers[0]);
	ck_assert(file_of(5)->damaged);
}
END_TEST

START_TEST(moves_and_removals_are_read_back)
{
	const struct record_file *file = check_file(7, "folder/new/attributes",
						    RECORD_PENDING, STORE_OK);

	ck_assert(!file->content);
	ck_assert_uint_eq(file->attributes.mask, STORE_ATTR_MODE);
	ck_assert_uint_eq(file->attributes.mode, 0600);
	ck_assert_uint_eq(file->layer_count, 0);
	ck_assert(!file_of(7)->removing);
	check_base(file, true, false, "version-3");
	file = check_file(8, "going", RECORD_PENDING, STORE_OK);
	check_base(file, true, false, "version-4");
	ck_assert(file_of(8)->removing);
	check_file(9, "moving/from/empty", RECORD_PENDING, STORE_OK);
	check_whole(9, 8, 0, true);
	ck_assert_uint_eq(pending.move_count, 1);
	ck_assert_str_eq(pending.moves[0].from, "moving/from");
	ck_assert_str_eq(pending.moves[0].to, "moving/to");
}
END_TEST

START_TEST(nothing_else_is_read)
{
	ck_assert_uint_eq(pending.count, 8);
	ck_assert_uint_eq(pending.settled_count, 1);
	ck_assert_uint_eq(pending.settled[0], 7);
	ck_assert_uint_eq(pending.orphan_count, 1);
	ck_assert_uint_eq(pending.orphans[0], 20);
	ck_assert_uint_eq(pending.last_id, 9);
	ck_assert_uint_eq(pending.last_layer, 20);
	ck_assert_uint_eq(pending.bad_records, 0);
	ck_assert_uint_eq(pending.findings.bad_bytes, 0);
	ck_assert_uint_eq(pending.findings.quarantine, 0);
	ck_assert_uint_eq(pending.findings.frames, 17);
	ck_assert_int_ne(faccessat(fixture_fd, "journal.bad-1", F_OK, 0), 0);
}
END_TEST

static void check_upload(uint64_t id, uint64_t file, const char *key,
			 const char *token)
{
	const struct record_upload *upload = NULL;

	for (size_t i = 0; i < pending.upload_count; i++)
		if (pending.uploads[i].id == id)
			upload = &pending.uploads[i];
	ck_assert_ptr_nonnull(upload);
	ck_assert_uint_eq(upload->file, file);
	ck_assert_str_eq(upload->key, key);
	ck_assert_str_eq(upload->token, token);
}

START_TEST(uploads_are_read_back)
{
	check_file(2, "large/whole", RECORD_PENDING, STORE_OK);
	check_whole(2, 2, 4000, true);
	ck_assert_uint_eq(pending.count, 1);
	ck_assert_uint_eq(pending.upload_count, 2);
	check_upload(3, 2, "large/whole",
		     "1 5242880 1700000300.000000001 0a u");
	check_upload(4, 0, "large/before it was renamed", "any \xc3\xa4");
	ck_assert_uint_eq(pending.last_id, 5);
	ck_assert_uint_eq(pending.bad_records, 0);
	ck_assert_uint_eq(pending.findings.bad_bytes, 0);
	ck_assert_uint_eq(pending.findings.frames, 6);
}
END_TEST

static TCase *uploads_case(void)
{
	TCase *tests = tcase_create("uploads of format 1");

	tcase_add_checked_fixture(tests, setup_uploads, teardown);
	tcase_add_test(tests, uploads_are_read_back);
	return tests;
}

int main(void)
{
	TCase *tests = tcase_create("format 1");
	TCase *cases[] = { tests, uploads_case(), NULL };

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_small_new_file_is_read_back);
	tcase_add_test(tests, a_large_file_is_read_back);
	tcase_add_test(tests, a_stack_of_layers_with_ranges_is_read_back);
	tcase_add_test(tests, a_failed_file_is_read_back);
	tcase_add_test(tests, an_unfinished_file_is_read_back);
	tcase_add_test(tests, moves_and_removals_are_read_back);
	tcase_add_test(tests, nothing_else_is_read);
	return unit_run_cases("mount fixture", cases);
}
