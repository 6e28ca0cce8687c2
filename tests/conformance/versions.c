// SPDX-License-Identifier: MIT
/* Version tokens, preconditions, and readers that keep their version. */
#include "config.h"

#include "tests/conformance/conf.h"

#include "src/base/cleanup.h"

static void version_of(const char *key, struct store_version *version)
{
	struct store_info info;

	CONF_OK(conf_stat(key, &info));
	ck_assert_msg(info.version.token[0], "%s has no version", key);
	*version = info.version;
}

static int put_if(const char *key, const char *text,
		  const struct store_version *version)
{
	struct store_write_options options = {
		.precondition = { .condition = STORE_IF_VERSION,
				  .version = *version },
	};

	return conf_put_bytes(key, text, strlen(text), &options, NULL);
}

START_TEST(a_new_content_is_a_new_version)
{
	struct store_version one;
	struct store_version two;

	CONF_OK(conf_put("a", "1111"));
	version_of("a", &one);
	version_of("a", &two);
	ck_assert(store_version_equal(&one, &two));
	CONF_OK(conf_put_over("a", "2222"));
	version_of("a", &two);
	ck_assert(!store_version_equal(&one, &two));
	CONF_OK(store_delete(conf_store, NULL, "a", false, &conf_error));
	conf_next_second();
	CONF_OK(conf_put("a", "1111"));
	version_of("a", &two);
	ck_assert(store_version_equal(&one, &two) ==
		  conf_backend.versions_of_bytes);
}
END_TEST

START_TEST(every_way_to_new_content_is_a_new_version)
{
	struct store_write_options keep = {
		.precondition.condition = STORE_IF_ANY,
		.keep = true,
	};
	struct store_version one;
	struct store_version two;

	CONF_OK(conf_put("a", "1111"));
	CONF_OK(conf_put("b", "2222"));
	version_of("a", &one);
	conf_next_second();
	CONF_OK(conf_put_bytes("a", "3333", 4, &keep, NULL));
	version_of("a", &two);
	ck_assert(!store_version_equal(&one, &two));
	CONF_OK(store_copy(conf_store, NULL, "b", "a", STORE_MOVE_OVERWRITE,
			   NULL, &conf_error));
	version_of("a", &one);
	ck_assert(!store_version_equal(&one, &two));
	CONF_OK(conf_put("c", "4444"));
	CONF_OK(store_move(conf_store, NULL, "c", "a", STORE_MOVE_OVERWRITE,
			   NULL, NULL, &conf_error));
	version_of("a", &two);
	ck_assert(!store_version_equal(&one, &two));
}
END_TEST

START_TEST(tokens_hold_no_blanks)
{
	struct store_version version;

	CONF_OK(conf_put("a", "1"));
	version_of("a", &version);
	ck_assert_ptr_null(strpbrk(version.token, " \t\r\n"));
}
END_TEST

START_TEST(a_listing_tells_the_version_of_stat)
{
	struct store_list_options complete = {
		.flags = STORE_LIST_FILES | STORE_LIST_COMPLETE,
	};
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	struct store_version version;

	CONF_OK(conf_put("a", "1"));
	version_of("a", &version);
	CONF_OK(store_list(conf_store, NULL, "", &complete, &listing,
			   &conf_error));
	CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
	ck_assert_ptr_nonnull(entry);
	ck_assert(entry->complete);
	ck_assert_str_eq(entry->info.version.token, version.token);
	store_listing_close(listing);
}
END_TEST

START_TEST(only_the_named_version_is_replaced)
{
	struct store_version one;
	struct store_version two;

	CONF_OK(conf_put("a", "1"));
	version_of("a", &one);
	CONF_OK(put_if("a", "2", &one));
	version_of("a", &two);
	CONF_FAILS(STORE_CHANGED, put_if("a", "3", &one));
	conf_expect("a", "2");
	CONF_OK(put_if("a", "3", &two));
	conf_expect("a", "3");
	conf_expect_no_leftovers();
}
END_TEST

START_TEST(a_demanded_version_of_nothing_is_not_found)
{
	struct store_version version;

	CONF_OK(conf_put("a", "1"));
	version_of("a", &version);
	CONF_OK(store_delete(conf_store, NULL, "a", false, &conf_error));
	CONF_FAILS(STORE_NOT_FOUND, put_if("a", "2", &version));
	CONF_FAILS(STORE_NOT_FOUND, put_if("new/b", "2", &version));
	conf_expect_gone("a");
	conf_expect_gone("new/b");
}
END_TEST

START_TEST(only_the_named_version_is_deleted)
{
	struct store_version one;
	struct store_version two;

	CONF_OK(conf_put("a", "1"));
	version_of("a", &one);
	CONF_OK(conf_put_over("a", "22"));
	version_of("a", &two);
	CONF_FAILS(STORE_CHANGED, store_delete_version(conf_store, NULL, "a",
						       &one, &conf_error));
	conf_expect("a", "22");
	CONF_OK(store_delete_version(conf_store, NULL, "a", &two, &conf_error));
	conf_expect_gone("a");
	CONF_FAILS(STORE_NOT_FOUND, store_delete_version(conf_store, NULL, "a",
							 &two, &conf_error));
}
END_TEST

START_TEST(a_move_replaces_only_the_named_version)
{
	struct store_precondition wanted = { .condition = STORE_IF_VERSION };
	struct store_precondition absent = { .condition = STORE_IF_ABSENT };

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("b", "2"));
	version_of("b", &wanted.version);
	CONF_OK(conf_put_over("b", "333"));
	CONF_FAILS(STORE_CHANGED,
		   store_move(conf_store, NULL, "a", "b", STORE_MOVE_OVERWRITE,
			      &wanted, NULL, &conf_error));
	CONF_FAILS(STORE_EXISTS,
		   store_move(conf_store, NULL, "a", "b", STORE_MOVE_OVERWRITE,
			      &absent, NULL, &conf_error));
	conf_expect("a", "1");
	conf_expect("b", "333");
	version_of("b", &wanted.version);
	CONF_OK(store_move(conf_store, NULL, "a", "b", STORE_MOVE_OVERWRITE,
			   &wanted, NULL, &conf_error));
	conf_expect("b", "1");
	conf_expect_gone("a");
}
END_TEST

/* Renaming may change the token; the result tells the new one. */
static int copy_version(const char *from, const struct store_version *source,
			const char *to, const struct store_version *target)
{
	struct store_copy_options options = { .source = source };

	options.target.condition = target ? STORE_IF_VERSION : STORE_IF_ABSENT;
	if (target)
		options.target.version = *target;
	return store_copy_version(conf_store, NULL, from, to, &options, NULL,
				  &conf_error);
}

START_TEST(only_the_named_version_is_copied)
{
	struct store_version first;
	struct store_version second;

	CONF_OK(conf_put("a", "1111"));
	version_of("a", &first);
	CONF_OK(conf_put_over("a", "2222"));
	version_of("a", &second);
	CONF_FAILS(STORE_CHANGED, copy_version("a", &first, "b", NULL));
	conf_expect_gone("b");
	CONF_OK(copy_version("a", &second, "b", NULL));
	conf_expect("b", "2222");
	conf_expect("a", "2222");
	CONF_FAILS(STORE_EXISTS, copy_version("a", &second, "b", NULL));
}
END_TEST

START_TEST(a_copy_replaces_only_the_named_version)
{
	struct store_version source;
	struct store_version first;
	struct store_version second;

	CONF_OK(conf_put("a", "new"));
	version_of("a", &source);
	CONF_OK(conf_put("b", "1111"));
	version_of("b", &first);
	CONF_OK(conf_put_over("b", "2222"));
	version_of("b", &second);
	CONF_FAILS(STORE_CHANGED, copy_version("a", &source, "b", &first));
	conf_expect("b", "2222");
	CONF_OK(copy_version("a", &source, "b", &second));
	conf_expect("b", "new");
}
END_TEST

START_TEST(the_result_of_a_move_is_what_stat_tells)
{
	struct store_info moved;
	struct store_info later;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(store_move(conf_store, NULL, "a", "d/b", 0, NULL, &moved,
			   &conf_error));
	CONF_OK(conf_stat("d/b", &later));
	ck_assert_str_eq(moved.version.token, later.version.token);
	ck_assert_uint_eq(moved.size, later.size);
	ck_assert_uint_eq(moved.id, later.id);
	CONF_OK(store_copy(conf_store, NULL, "d/b", "c", 0, &moved,
			   &conf_error));
	CONF_OK(conf_stat("c", &later));
	ck_assert_str_eq(moved.version.token, later.version.token);
}
END_TEST

START_TEST(a_pinned_open_takes_only_its_version)
{
	struct store_reader *reader = NULL;
	struct store_version one;
	struct store_info info;

	CONF_OK(conf_put("a", "1"));
	version_of("a", &one);
	CONF_OK(store_open_reader(conf_store, NULL, "a", &one, &reader, &info,
				  &conf_error));
	ck_assert_str_eq(info.version.token, one.token);
	ck_assert_uint_eq(info.size, 1);
	store_close_reader(reader);
	reader = NULL;
	CONF_OK(conf_put_over("a", "22"));
	CONF_FAILS(STORE_CHANGED,
		   store_open_reader(conf_store, NULL, "a", &one, &reader,
				     &info, &conf_error));
	ck_assert_ptr_null(reader);
}
END_TEST

/* Whatever is expected of its size, a file is what it is. */
START_TEST(a_small_open_is_an_open)
{
	static const size_t sizes[] = { 0, 1, 99, 100, 101, 70000 };
	static const size_t expected[] = { 1, 100, 70000, 1 << 20 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		CLEANUP_FREE unsigned char *data = calloc(1, 70001);
		CLEANUP_FREE unsigned char *read = calloc(1, 70001);

		conf_fill(data, sizes[i], (unsigned int)i);
		CONF_OK(conf_put_bytes("a", data, sizes[i], NULL, NULL));
		for (size_t j = 0; j < sizeof(expected) / sizeof(*expected);
		     j++) {
			struct store_reader *reader = NULL;
			struct store_info info, seen;
			size_t got = 0;

			CONF_OK(store_open_small(conf_store, NULL, "a", NULL,
						 expected[j], &reader, &info,
						 &conf_error));
			CONF_OK(conf_stat("a", &seen));
			ck_assert_str_eq(info.version.token,
					 seen.version.token);
			ck_assert_uint_eq(info.size, sizes[i]);
			ck_assert_uint_eq(store_reader_size(reader), sizes[i]);
			CONF_OK(store_read_at(reader, NULL, 0, read, 70001,
					      &got, &conf_error));
			ck_assert_uint_eq(got, sizes[i]);
			ck_assert(!memcmp(read, data, sizes[i]));
			CONF_OK(store_read_at(reader, NULL, 60, read, 100, &got,
					      &conf_error));
			ck_assert(!memcmp(read, data + 60, got));
			store_close_reader(reader);
		}
		CONF_OK(store_delete(conf_store, NULL, "a", false,
				     &conf_error));
	}
}
END_TEST

START_TEST(a_small_open_fails_as_others_do)
{
	struct store_reader *reader = NULL;
	struct store_version one;
	struct store_info info;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("d/b", "2"));
	version_of("a", &one);
	CONF_OK(store_open_small(conf_store, NULL, "a", &one, 100, &reader,
				 &info, &conf_error));
	store_close_reader(reader);
	reader = NULL;
	CONF_OK(conf_put_over("a", "22"));
	CONF_FAILS(STORE_CHANGED,
		   store_open_small(conf_store, NULL, "a", &one, 100, &reader,
				    &info, &conf_error));
	CONF_FAILS(STORE_NOT_FOUND,
		   store_open_small(conf_store, NULL, "none", NULL, 100,
				    &reader, &info, &conf_error));
	CONF_FAILS(STORE_IS_DIR,
		   store_open_small(conf_store, NULL, "d", NULL, 100, &reader,
				    &info, &conf_error));
	ck_assert_ptr_null(reader);
}
END_TEST

START_TEST(what_a_listing_shows_is_what_stat_tells)
{
	struct store_details details;
	struct store_info told, seen;

	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(store_stat_listed_details(conf_store, NULL, "d/a",
					  STORE_TYPE_FILE, &told, &details,
					  &conf_error));
	ck_assert_uint_eq(details.metadata.count, 0);
	store_details_release(&details);
	CONF_OK(store_stat_listed(conf_store, NULL, "d/a", STORE_TYPE_FILE,
				  &told, &conf_error));
	CONF_OK(conf_stat("d/a", &seen));
	ck_assert_str_eq(told.version.token, seen.version.token);
	ck_assert_int_eq(told.type, STORE_TYPE_FILE);
	ck_assert_uint_eq(told.attributes.mask, seen.attributes.mask);
	ck_assert_uint_eq(told.attributes.mode, seen.attributes.mode);
	CONF_OK(store_stat_listed(conf_store, NULL, "d", STORE_TYPE_FOLDER,
				  &told, &conf_error));
	ck_assert_int_eq(told.type, STORE_TYPE_FOLDER);
	/* It has gone since, or become the other. */
	CONF_FAILS(STORE_NOT_FOUND,
		   store_stat_listed(conf_store, NULL, "no", STORE_TYPE_FILE,
				     &told, &conf_error));
	CONF_FAILS(STORE_NOT_FOUND,
		   store_stat_listed(conf_store, NULL, "no", STORE_TYPE_FOLDER,
				     &told, &conf_error));
	CONF_OK(store_stat_listed(conf_store, NULL, "d/a", STORE_TYPE_FOLDER,
				  &told, &conf_error));
	ck_assert_int_eq(told.type, STORE_TYPE_FILE);
	CONF_OK(store_stat_listed(conf_store, NULL, "d", STORE_TYPE_FILE, &told,
				  &conf_error));
	ck_assert_int_eq(told.type, STORE_TYPE_FOLDER);
}
END_TEST

enum { OLD_SIZE = 400000 };

/* A file of OLD_SIZE bytes, a reader on it, and its first bytes read. */
static struct store_reader *half_read(unsigned char *data)
{
	struct store_reader *reader = NULL;
	unsigned char start[1000];
	size_t got = 0;

	conf_fill(data, OLD_SIZE, 3);
	CONF_OK(conf_put_bytes("d/a", data, OLD_SIZE, NULL, NULL));
	CONF_OK(store_open_reader(conf_store, NULL, "d/a", NULL, &reader, NULL,
				  &conf_error));
	CONF_OK(store_read(reader, NULL, start, sizeof(start), &got,
			   &conf_error));
	ck_assert_uint_eq(got, sizeof(start));
	ck_assert_mem_eq(start, data, sizeof(start));
	return reader;
}

/*
 * The rest is the old version; without PINNED_READ it may be gone, but it
 * never is a mixture.
 */
static void finish_old(struct store_reader *reader, const unsigned char *data)
{
	unsigned char part[10000];
	size_t at = 1000;
	size_t got = 0;

	while (at < OLD_SIZE) {
		int code = store_read(reader, NULL, part, sizeof(part), &got,
				      &conf_error);

		if (code && !conf_has(STORE_CAP_PINNED_READ)) {
			ck_assert(code == STORE_CHANGED ||
				  code == STORE_NOT_FOUND);
			store_error_clear(&conf_error);
			break;
		}
		CONF_OK(code);
		ck_assert_uint_gt(got, 0);
		ck_assert_mem_eq(part, data + at, got);
		at += got;
	}
	store_close_reader(reader);
}

/* F4 */
START_TEST(a_reader_finishes_the_version_it_opened)
{
	CLEANUP_FREE unsigned char *data = malloc(OLD_SIZE);
	struct store_reader *reader;

	ck_assert_ptr_nonnull(data);
	reader = half_read(data);
	CONF_OK(conf_put_over("d/a", "a new version"));
	finish_old(reader, data);
	conf_expect("d/a", "a new version");
}
END_TEST

/* F4 */
START_TEST(a_reader_survives_the_removal_of_its_file)
{
	struct store_delete_folder_options all = { .recursive = true };
	CLEANUP_FREE unsigned char *data = malloc(OLD_SIZE);
	struct store_reader *reader;

	ck_assert_ptr_nonnull(data);
	reader = half_read(data);
	CONF_OK(store_delete_folder(conf_store, NULL, "d", &all, &conf_error));
	finish_old(reader, data);
	conf_expect_gone("d/a");
}
END_TEST

/* F4 */
START_TEST(a_reader_survives_renames_over_its_file)
{
	CLEANUP_FREE unsigned char *data = malloc(OLD_SIZE);
	struct store_reader *reader;

	ck_assert_ptr_nonnull(data);
	reader = half_read(data);
	CONF_OK(conf_put("b", "other"));
	CONF_OK(store_move(conf_store, NULL, "b", "d/a", STORE_MOVE_OVERWRITE,
			   NULL, NULL, &conf_error));
	finish_old(reader, data);
	conf_expect("d/a", "other");
}
END_TEST

/* F4: a new version made of ranges of the old one. */
START_TEST(a_reader_survives_a_composed_version)
{
	struct store_range range = { .offset = 0, .length = OLD_SIZE };
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
		.keep = true,
		.ranges = &range,
		.range_count = 1,
	};
	CLEANUP_FREE unsigned char *data = malloc(OLD_SIZE);
	CLEANUP_FREE unsigned char *longer = malloc(OLD_SIZE + 5);
	struct store_reader *reader;

	ck_assert_ptr_nonnull(data);
	ck_assert_ptr_nonnull(longer);
	reader = half_read(data);
	version_of("d/a", &options.precondition.version);
	memcpy(longer, data, OLD_SIZE);
	memcpy(longer + OLD_SIZE, "added", 5);
	CONF_OK(conf_put_bytes("d/a", longer, OLD_SIZE + 5, &options, NULL));
	finish_old(reader, data);
	conf_expect_bytes("d/a", longer, OLD_SIZE + 5);
}
END_TEST

/* What set_attributes answers is what a later stat tells. */
START_TEST(an_attribute_change_tells_the_version_of_now)
{
	struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					 .mode = 0600 };
	struct store_info changed;
	struct store_info later;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(store_set_attributes(conf_store, NULL, "a", &mode, &changed,
				     &conf_error));
	CONF_OK(conf_stat("a", &later));
	ck_assert_str_eq(changed.version.token, later.version.token);
	CONF_OK(put_if("a", "2", &changed.version));
}
END_TEST

void conf_add_versions(void)
{
	uint64_t result = STORE_CAP_WRITE_RESULT;
	uint64_t needs = STORE_CAP_WRITE_RESULT | STORE_CAP_CONDITIONAL;

	conf_add("P versions", result, a_new_content_is_a_new_version);
	conf_add("P versions", result,
		 every_way_to_new_content_is_a_new_version);
	conf_add("P versions", result, tokens_hold_no_blanks);
	conf_add("P versions", result, a_listing_tells_the_version_of_stat);
	conf_add("P versions", needs, only_the_named_version_is_replaced);
	conf_add("P versions", needs,
		 a_demanded_version_of_nothing_is_not_found);
	conf_add("P versions", needs, only_the_named_version_is_deleted);
	conf_add("P versions", needs, a_move_replaces_only_the_named_version);
	conf_add("P versions", needs, only_the_named_version_is_copied);
	conf_add("P versions", needs, a_copy_replaces_only_the_named_version);
	conf_add("P versions", result, the_result_of_a_move_is_what_stat_tells);
	conf_add("P versions", needs | STORE_CAP_POSIX,
		 an_attribute_change_tells_the_version_of_now);
	conf_add("F4", result, a_pinned_open_takes_only_its_version);
	conf_add("F4", 0, a_small_open_is_an_open);
	conf_add("F4", result, a_small_open_fails_as_others_do);
	conf_add("F4", result, what_a_listing_shows_is_what_stat_tells);
	conf_add("F4", 0, a_reader_finishes_the_version_it_opened);
	conf_add("F4", 0, a_reader_survives_the_removal_of_its_file);
	conf_add("F4", 0, a_reader_survives_renames_over_its_file);
	conf_add("F4", needs | STORE_CAP_COMPOSE,
		 a_reader_survives_a_composed_version);
}
