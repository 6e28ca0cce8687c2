// SPDX-License-Identifier: MIT
/* The whole content of pending files, and the list of what is pending. */
#include "config.h"

#include <check.h>

#include "mount/content.h"
#include "mount/inventory.h"
#include "tests/unit/memory_store.h"
#include "tests/unit/pending_area.h"
#include "tests/unit/unit.h"

static struct store *store;
static struct content *content;

static void setup_store(void)
{
	setup();
	store = memory_store(MEMORY_WHOLE);
	content = NULL;
}

static void teardown_store(void)
{
	content_close(content);
	store_close(store);
	teardown();
}

/* ---- helpers ---- */

struct layer {
	uint64_t number, size, lower_limit;
	struct span present; /* one, or none when it is empty */
	const char *bytes;   /* of it, in the record */
};

static void add_part(const struct layer *layer)
{
	struct span span = layer->present;
	struct rangemap map = { .spans = &span,
				.count = span.end > span.start };
	size_t length = (size_t)(span.end - span.start);

	add(&(struct record){
		.type = RECORD_LAYER,
		.layer = { .file = 1,
			   .number = layer->number,
			   .size = layer->size,
			   .lower_limit = layer->lower_limit,
			   .present = map,
			   .dirty = map,
			   .data = layer->bytes,
			   .data_length = layer->bytes ? length : 0,
			   .checksum =
				   checksum64(layer->bytes ? layer->bytes : "",
					      layer->bytes ? length : 0) },
	});
}

/* Its bytes are in a file of their own. */
static void add_part_file(uint64_t number, const char *bytes)
{
	struct span span = { 0, strlen(bytes) };
	struct rangemap map = { .spans = &span, .count = 1 };

	write_data(number, bytes, strlen(bytes));
	add(&(struct record){
		.type = RECORD_LAYER,
		.layer = { .file = 1,
			   .number = number,
			   .size = span.end,
			   .present = map,
			   .dirty = map,
			   .data_length = span.end,
			   .checksum = checksum64(bytes, strlen(bytes)) },
	});
}

/* The file with the id 1, based on this version when there is one. */
static void add_based(const struct store_version *base, const uint64_t *layers,
		      size_t count)
{
	add(&(struct record){
		.type = RECORD_FILE,
		.file = { .id = 1,
			  .state = RECORD_PENDING,
			  .content = count > 0,
			  .base_exists = base,
			  .base = base ? *base : (struct store_version){ 0 },
			  .key = TEXT("key"),
			  .layers = (uint64_t *)(uintptr_t)layers,
			  .layer_count = count },
	});
	commit();
}

static struct store_version base_of(const char *bytes)
{
	struct store_info info;

	memory_put(store, "key", bytes);
	ck_assert_int_eq(store_stat(store, NULL, "key", &info, NULL), 0);
	return info.version;
}

static int open_one(struct store *from, unsigned int flags)
{
	struct content_request request = { .dir_fd = area_fd,
					   .file = find(1),
					   .store = from,
					   .flags = flags };

	store_error_clear(&error);
	return content_open(&request, &content, &error);
}

static void holds(const char *bytes, size_t length)
{
	char *data = calloc(1, length + 1);

	ck_assert_ptr_nonnull(content);
	ck_assert_uint_eq(content_size(content), length);
	ck_assert_msg(!content_read(content, NULL, 0, data, length, &error),
		      "%s", error.message);
	ck_assert_int_eq(memcmp(data, bytes, length), 0);
	/* Byte by byte as well. */
	for (size_t i = 0; i < length; i++) {
		ck_assert_int_eq(content_read(content, NULL, i, data, 1, NULL),
				 0);
		ck_assert_int_eq(*data, bytes[i]);
	}
	free(data);
}

/* ---- content ---- */

START_TEST(layers_of_the_record_and_of_files_are_one_content)
{
	add_part_file(1, "0123456789");
	add_part(&(struct layer){ .number = 2,
				  .size = 15,
				  .lower_limit = 8,
				  .present = { 2, 4 },
				  .bytes = "ab" });
	add_based(NULL, LAYERS(1, 2));
	load();
	ck_assert_int_eq(open_one(NULL, 0), STORE_OK);
	holds("01ab4567\0\0\0\0\0\0\0", 15);
}
END_TEST

START_TEST(zeros_are_told_from_bytes)
{
	uint64_t length = 100;
	bool zeros;

	add_part(&(struct layer){ .number = 1,
				  .size = 1000,
				  .present = { 10, 12 },
				  .bytes = "ab" });
	add_based(NULL, LAYERS(1));
	load();
	ck_assert_int_eq(open_one(NULL, 0), STORE_OK);
	content_piece(content, 0, &length, &zeros);
	ck_assert(zeros);
	ck_assert_uint_eq(length, 10);
	length = 100;
	content_piece(content, 10, &length, &zeros);
	ck_assert(!zeros);
	ck_assert_uint_eq(length, 2);
	length = UINT64_MAX;
	content_piece(content, 12, &length, &zeros);
	ck_assert(zeros);
	ck_assert_uint_eq(length, 988);
}
END_TEST

START_TEST(what_no_layer_has_is_read_from_the_base)
{
	struct store_version base = base_of("the base");

	add_part(&(struct layer){ .number = 1,
				  .size = 10,
				  .lower_limit = 8,
				  .present = { 0, 3 },
				  .bytes = "THE" });
	add_based(&base, LAYERS(1));
	load();
	ck_assert_int_eq(open_one(store, 0), STORE_OK);
	holds("THE base\0\0", 10);
}
END_TEST

START_TEST(attributes_alone_have_the_content_of_the_base)
{
	struct store_version base = base_of("the base");

	add_based(&base, NULL, 0);
	load();
	ck_assert_int_eq(open_one(store, 0), STORE_OK);
	holds("the base", 8);
}
END_TEST

START_TEST(a_base_that_is_needed_needs_a_store)
{
	struct store_version base = base_of("the base");

	add_part(&(struct layer){ .number = 1, .size = 8, .lower_limit = 8 });
	add_based(&base, LAYERS(1));
	load();
	ck_assert_int_eq(open_one(NULL, 0), STORE_INVALID);
	ck_assert_int_eq(open_one(NULL, CONTENT_RAW), STORE_OK);
	holds("\0\0\0\0\0\0\0\0", 8);
}
END_TEST

START_TEST(a_base_that_is_not_needed_is_not_asked_for)
{
	struct store_version base = base_of("the base");

	add_part(&(struct layer){
		.number = 1, .size = 3, .present = { 0, 3 }, .bytes = "new" });
	add_based(&base, LAYERS(1));
	load();
	ck_assert_int_eq(open_one(NULL, 0), STORE_OK);
	holds("new", 3);
}
END_TEST

START_TEST(a_base_that_is_gone_is_named)
{
	struct store_version base = base_of("the base");

	base_of("another");
	add_part(&(struct layer){ .number = 1, .size = 8, .lower_limit = 8 });
	add_based(&base, LAYERS(1));
	load();
	ck_assert_int_eq(open_one(store, 0), STORE_CHANGED);
	ck_assert_ptr_nonnull(strstr(error.message, base.token));
	ck_assert_int_eq(store_delete(store, NULL, "key", false, NULL), 0);
	ck_assert_int_eq(open_one(store, 0), STORE_CHANGED);
}
END_TEST

START_TEST(damaged_bytes_are_given_as_they_are_only_when_asked_for)
{
	add_part_file(1, "0123456789");
	add_based(NULL, LAYERS(1));
	write_data(1, "01234X6789", 10);
	load();
	ck_assert_int_eq(open_one(NULL, 0), STORE_CORRUPT);
	ck_assert_int_eq(open_one(NULL, CONTENT_RAW), STORE_OK);
	holds("01234X6789", 10);
}
END_TEST

START_TEST(without_its_file_a_layer_is_zeros_when_raw)
{
	add_part_file(1, "0123456789");
	add_part(&(struct layer){ .number = 2,
				  .size = 10,
				  .lower_limit = 10,
				  .present = { 4, 6 },
				  .bytes = "ab" });
	add_based(NULL, LAYERS(1, 2));
	ck_assert_int_eq(unlinkat(area_fd, "data-1", 0), 0);
	load();
	ck_assert_int_eq(open_one(NULL, 0), STORE_CORRUPT);
	ck_assert_int_eq(open_one(NULL, CONTENT_RAW), STORE_OK);
	holds("\0\0\0\0ab\0\0\0\0", 10);
}
END_TEST

/* A process that died before its bytes were recorded. */
START_TEST(without_its_record_a_layer_is_what_its_file_holds)
{
	write_data(7, "written", 7);
	add_based(NULL, LAYERS(7));
	load();
	ck_assert_int_eq(open_one(NULL, 0), STORE_CORRUPT);
	ck_assert_int_eq(open_one(NULL, CONTENT_RAW), STORE_OK);
	holds("written", 7);
}
END_TEST

START_TEST(a_file_of_the_directory_is_given_as_it_is)
{
	write_data(9, "stray", 5);
	ck_assert_int_eq(content_open_file(area_fd, "data-9", &content, &error),
			 STORE_OK);
	holds("stray", 5);
	content_close(content);
	content = NULL;
	ck_assert_int_eq(content_open_file(area_fd, "data-8", &content, &error),
			 STORE_CORRUPT);
}
END_TEST

/* ---- the list ---- */

static struct inventory inventory;

static void list(void)
{
	struct fs fs = { .staging_fd = area_fd };

	journal_close(area_journal);
	area_journal = NULL;
	ck_assert_msg(!inventory_load(&fs, &inventory, &error), "%s",
		      error.message);
}

/* The state of the one it finds; its code where it finds none. */
static int finds(const char *name)
{
	struct inventory_item *item = NULL;
	int code = inventory_find(&inventory, name, &item, &error);

	return code ? code : (int)item->state;
}

START_TEST(files_are_found_by_id_key_and_name)
{
	add_layer(5, 1, "five");
	add_file(5, "folder/5", LAYERS(1));
	commit();
	put_file(6, "5");
	put_file(7, "twice");
	put_file(8, "twice");
	write_data(44, "x", 1);
	list();
	ck_assert_int_eq(finds("folder/5"), INVENTORY_PENDING);
	ck_assert_int_eq(finds("6"), INVENTORY_PENDING);
	ck_assert_int_eq(finds("./5"), INVENTORY_PENDING);
	/* An id, and the key of another. */
	ck_assert_int_eq(finds("5"), STORE_INVALID);
	ck_assert_int_eq(finds("twice"), STORE_INVALID);
	ck_assert_int_eq(finds("8"), INVENTORY_PENDING);
	ck_assert_int_eq(finds("data-44"), INVENTORY_ORPHAN);
	ck_assert_int_eq(finds("./44"), STORE_NOT_FOUND);
	ck_assert_int_eq(finds("folder"), STORE_NOT_FOUND);
	ck_assert_int_eq(finds(""), STORE_NOT_FOUND);
	ck_assert_int_eq(finds("0"), STORE_NOT_FOUND);
	inventory_release(&inventory);
}
END_TEST

START_TEST(what_cannot_be_read_back_is_listed_as_damaged)
{
	add_part_file(1, "0123456789");
	add_based(NULL, LAYERS(1));
	write_data(1, "0123", 4);
	list();
	ck_assert_int_eq(finds("key"), INVENTORY_DAMAGED);
	inventory_release(&inventory);
}
END_TEST

START_TEST(sizes_come_from_the_highest_layer)
{
	struct inventory_item *item = NULL;

	add_part_file(1, "0123456789");
	add_part(&(struct layer){ .number = 2, .size = 4, .lower_limit = 4 });
	add_based(NULL, LAYERS(1, 2));
	list();
	ck_assert_int_eq(inventory_find(&inventory, "1", &item, &error), 0);
	ck_assert(item->size_known);
	ck_assert_uint_eq(item->size, 4);
	inventory_release(&inventory);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("content");

	tcase_add_checked_fixture(tests, setup_store, teardown_store);
	tcase_add_test(tests,
		       layers_of_the_record_and_of_files_are_one_content);
	tcase_add_test(tests, zeros_are_told_from_bytes);
	tcase_add_test(tests, what_no_layer_has_is_read_from_the_base);
	tcase_add_test(tests, attributes_alone_have_the_content_of_the_base);
	tcase_add_test(tests, a_base_that_is_needed_needs_a_store);
	tcase_add_test(tests, a_base_that_is_not_needed_is_not_asked_for);
	tcase_add_test(tests, a_base_that_is_gone_is_named);
	tcase_add_test(tests,
		       damaged_bytes_are_given_as_they_are_only_when_asked_for);
	tcase_add_test(tests, without_its_file_a_layer_is_zeros_when_raw);
	tcase_add_test(tests,
		       without_its_record_a_layer_is_what_its_file_holds);
	tcase_add_test(tests, a_file_of_the_directory_is_given_as_it_is);
	tcase_add_test(tests, files_are_found_by_id_key_and_name);
	tcase_add_test(tests, what_cannot_be_read_back_is_listed_as_damaged);
	tcase_add_test(tests, sizes_come_from_the_highest_layer);
	return unit_run("mount content", tests);
}
