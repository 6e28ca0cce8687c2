// SPDX-License-Identifier: MIT
/* The id of a put: what settles whether an answer that got lost was a yes. */
#include "config.h"

#include "tests/conformance/conf.h"

#include "src/base/cleanup.h"

/* Any byte may be in it, zeros at its ends too. */
static const uint8_t one[STORE_PUBLISH_SIZE] = { 0,   1,    2,	  0xff,
						 '"', '\'', '\n', 0 };
static const uint8_t two[STORE_PUBLISH_SIZE] = { 0xfe, 0, 0, 1 };

static const struct store_write_options plain = {
	.precondition.condition = STORE_IF_ANY,
};

/* Put over whatever is there; `publish` NULL for none. */
static int put_id(const char *key, const char *text, const uint8_t *publish)
{
	struct store_write_options options = plain;

	options.publish = publish;
	return conf_put_bytes(key, text, strlen(text), &options, NULL);
}

static int put_keeping(const char *key, const char *text,
		       const uint8_t *publish)
{
	struct store_write_options options = plain;

	options.publish = publish;
	options.keep = true;
	return conf_put_bytes(key, text, strlen(text), &options, NULL);
}

/* The file must have this id, or none. */
static void expect_id(const char *key, const uint8_t *publish)
{
	static const uint8_t zeros[STORE_PUBLISH_SIZE];
	struct store_details details;
	struct store_info info;

	CONF_OK(store_stat_details(conf_store, NULL, key, &info, &details,
				   &conf_error));
	ck_assert_msg(details.has_publish == (publish != NULL), "%s has %s id",
		      key, details.has_publish ? "an" : "no");
	ck_assert_msg(memcmp(details.publish, publish ? publish : zeros,
			     STORE_PUBLISH_SIZE) == 0,
		      "%s has another id", key);
	store_details_release(&details);
}

START_TEST(an_id_is_kept_or_ignored)
{
	CONF_OK(put_id("a", "1", one));
	conf_expect("a", "1");
	expect_id("a", conf_has(STORE_CAP_PUBLISH_ID) ? one : NULL);
}
END_TEST

START_TEST(every_put_brings_its_own_id)
{
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ABSENT,
		.publish = one,
	};
	struct store_info info;

	CONF_OK(conf_put_bytes("d/a", "1", 1, &options, NULL));
	expect_id("d/a", one);
	CONF_OK(put_id("d/a", "2", two));
	expect_id("d/a", two);
	CONF_OK(put_keeping("d/a", "3", one));
	expect_id("d/a", one);
	if (!conf_has(STORE_CAP_CONDITIONAL))
		return;
	CONF_OK(conf_stat("d/a", &info));
	options.precondition.condition = STORE_IF_VERSION;
	options.precondition.version = info.version;
	options.publish = two;
	CONF_OK(conf_put_bytes("d/a", "4", 1, &options, NULL));
	expect_id("d/a", two);
}
END_TEST

START_TEST(a_put_without_an_id_leaves_none)
{
	CONF_OK(put_id("a", "1", one));
	CONF_OK(put_id("a", "2", NULL));
	expect_id("a", NULL);
	CONF_OK(put_id("a", "3", one));
	CONF_OK(put_keeping("a", "4", NULL));
	expect_id("a", NULL);
	CONF_OK(put_id("a", "5", one));
	CONF_OK(store_delete(conf_store, NULL, "a", false, &conf_error));
	CONF_OK(conf_put("a", "6"));
	expect_id("a", NULL);
}
END_TEST

START_TEST(a_put_that_fails_leaves_the_id_that_is_there)
{
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ABSENT,
		.publish = two,
	};
	struct store_info info;

	CONF_OK(put_id("a", "1", one));
	CONF_OK(conf_stat("a", &info));
	CONF_FAILS(STORE_EXISTS, conf_put_bytes("a", "2", 1, &options, NULL));
	expect_id("a", one);
	CONF_OK(put_id("a", "3", one));
	options.precondition.condition = STORE_IF_VERSION;
	options.precondition.version = info.version;
	CONF_FAILS(STORE_CHANGED, conf_put_bytes("a", "4", 1, &options, NULL));
	expect_id("a", one);
	conf_expect("a", "3");
}
END_TEST

START_TEST(a_move_takes_the_id_along)
{
	CONF_OK(put_id("a", "1", one));
	CONF_OK(store_move(conf_store, NULL, "a", "d/b", 0, NULL, NULL,
			   &conf_error));
	expect_id("d/b", one);
	CONF_OK(put_id("c", "2", two));
	CONF_OK(store_move(conf_store, NULL, "d/b", "c", STORE_MOVE_OVERWRITE,
			   NULL, NULL, &conf_error));
	expect_id("c", one);
	CONF_OK(conf_put("plain", "3"));
	CONF_OK(store_move(conf_store, NULL, "plain", "c", STORE_MOVE_OVERWRITE,
			   NULL, NULL, &conf_error));
	expect_id("c", NULL);
}
END_TEST

START_TEST(a_moved_folder_takes_the_ids_along)
{
	CONF_OK(put_id("d/a", "1", one));
	CONF_OK(put_id("d/e/b", "2", two));
	CONF_OK(store_move(conf_store, NULL, "d", "f", 0, NULL, NULL,
			   &conf_error));
	expect_id("f/a", one);
	expect_id("f/e/b", two);
}
END_TEST

START_TEST(an_exchange_swaps_the_ids)
{
	CONF_OK(put_id("a", "1", one));
	CONF_OK(put_id("b", "2", NULL));
	CONF_OK(store_move(conf_store, NULL, "a", "b", STORE_MOVE_EXCHANGE,
			   NULL, NULL, &conf_error));
	expect_id("a", NULL);
	expect_id("b", one);
}
END_TEST

START_TEST(attributes_leave_the_id_alone)
{
	struct store_attributes attributes = {
		.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME,
		.mode = 0640,
		.mtime = { .tv_sec = 1000000000 },
	};

	CONF_OK(put_id("a", "1", one));
	CONF_OK(store_set_attributes(conf_store, NULL, "a", &attributes, NULL,
				     &conf_error));
	expect_id("a", one);
}
END_TEST

START_TEST(what_others_change_in_place_has_no_id)
{
	struct store_attributes attributes = {
		.mask = STORE_ATTR_MTIME,
		.mtime = { .tv_sec = 1000000000 },
	};

	CONF_OK(put_id("d/a", "1", one));
	CONF_OK(put_id("d/b", "2", two));
	conf_backend.change("d/a");
	expect_id("d/a", NULL);
	expect_id("d/b", two);
	if (conf_has(STORE_CAP_POSIX))
		CONF_OK(store_set_attributes(conf_store, NULL, "d/a",
					     &attributes, NULL, &conf_error));
	expect_id("d/a", NULL);
	CONF_OK(put_keeping("d/a", "3", one));
	expect_id("d/a", one);
}
END_TEST

START_TEST(an_id_is_no_extended_attribute_and_outlives_them)
{
	struct store_xattr xattr = { "user.a", "1", 1 };
	char *names = NULL;
	size_t size = 1;

	CONF_OK(put_id("a", "1", one));
	CONF_OK(store_list_xattrs(conf_store, NULL, "a", &names, &size,
				  &conf_error));
	ck_assert_uint_eq(size, 0);
	free(names);
	CONF_OK(store_set_xattr(conf_store, NULL, "a", &xattr, 0, &conf_error));
	expect_id("a", one);
	CONF_OK(store_remove_xattr(conf_store, NULL, "a", "user.a",
				   &conf_error));
	expect_id("a", one);
}
END_TEST

START_TEST(a_copy_has_no_id)
{
	CONF_OK(put_id("a", "1", one));
	CONF_OK(store_copy(conf_store, NULL, "a", "b", 0, NULL, &conf_error));
	expect_id("b", NULL);
	expect_id("a", one);
	CONF_OK(put_id("c", "2", two));
	CONF_OK(store_copy(conf_store, NULL, "a", "c", STORE_MOVE_OVERWRITE,
			   NULL, &conf_error));
	conf_expect("c", "1");
	expect_id("c", NULL);
}
END_TEST

static int copy_id(const char *from, const char *to,
		   enum store_condition condition, const uint8_t *publish)
{
	struct store_copy_options options = {
		.target.condition = condition,
		.publish = publish,
	};

	return store_copy_version(conf_store, NULL, from, to, &options, NULL,
				  &conf_error);
}

START_TEST(a_copy_brings_the_id_it_was_given)
{
	CONF_OK(put_id("a", "1", one));
	CONF_OK(copy_id("a", "b", STORE_IF_ABSENT, two));
	conf_expect("b", "1");
	expect_id("b", two);
	expect_id("a", one);
	CONF_OK(put_id("c", "2", one));
	CONF_OK(copy_id("a", "c", STORE_IF_ANY, two));
	conf_expect("c", "1");
	expect_id("c", two);
	CONF_OK(conf_put("plain", "3"));
	CONF_OK(copy_id("plain", "d", STORE_IF_ABSENT, two));
	expect_id("d", two);
	expect_id("plain", NULL);
}
END_TEST

/* Also where the node has to stay, so that the names go on sharing it. */
START_TEST(the_names_of_a_file_share_its_id)
{
	CONF_OK(put_id("a", "1", one));
	CONF_OK(store_link(conf_store, NULL, "a", "d/b", NULL, &conf_error));
	expect_id("d/b", one);
	CONF_OK(put_keeping("d/b", "2", two));
	conf_expect("a", "2");
	expect_id("a", two);
	expect_id("d/b", two);
	CONF_OK(put_keeping("a", "3", NULL));
	conf_expect("d/b", "3");
	expect_id("a", NULL);
	expect_id("d/b", NULL);
	CONF_OK(put_keeping("a", "4", one));
	CONF_OK(put_id("a", "5", two));
	expect_id("a", two);
	expect_id("d/b", one);
	conf_expect_no_leftovers();
}
END_TEST

START_TEST(a_composed_version_has_the_id_of_its_put)
{
	enum { LARGE = 5 << 20 };
	CLEANUP_FREE unsigned char *data = malloc(LARGE);
	struct store_range keep = { .offset = 16, .length = LARGE - 16 };
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
		.keep = true,
		.ranges = &keep,
		.range_count = 1,
	};
	struct store_info info;

	ck_assert_ptr_nonnull(data);
	conf_fill(data, LARGE, 3);
	CONF_OK(conf_put_bytes("a", data, LARGE, NULL, &info));
	options.precondition.version = info.version;
	options.publish = one;
	data[0] ^= 1;
	CONF_OK(conf_put_bytes("a", data, LARGE, &options, &info));
	expect_id("a", one);
	options.precondition.version = info.version;
	options.publish = NULL;
	data[1] ^= 1;
	CONF_OK(conf_put_bytes("a", data, LARGE, &options, NULL));
	expect_id("a", NULL);
	conf_expect_bytes("a", data, LARGE);
}
END_TEST

static void stream(const char *text, const uint8_t *publish)
{
	uint8_t own[STORE_PUBLISH_SIZE];
	struct store_write_options options = plain;
	struct store_writer *writer = NULL;

	if (publish) {
		memcpy(own, publish, sizeof(own));
		options.publish = own;
	}
	CONF_OK(store_open_writer(conf_store, NULL, "a", &options, &writer,
				  &conf_error));
	/* What options point to need not outlive the call. */
	memset(own, 'x', sizeof(own));
	CONF_OK(store_writer_write(writer, NULL, text, strlen(text),
				   &conf_error));
	CONF_OK(store_writer_commit(writer, NULL, NULL, &conf_error));
	conf_expect("a", text);
}

START_TEST(a_stream_brings_its_id)
{
	struct store_write_options options = plain;
	struct store_writer *writer = NULL;

	stream("1", one);
	expect_id("a", one);
	options.publish = two;
	CONF_OK(store_open_writer(conf_store, NULL, "a", &options, &writer,
				  &conf_error));
	CONF_OK(store_writer_write(writer, NULL, "2", 1, &conf_error));
	expect_id("a", one);
	store_writer_discard(writer);
	expect_id("a", one);
	stream("3", NULL);
	expect_id("a", NULL);
}
END_TEST

static void expect_same_counts(const uint64_t *before, const uint64_t *between,
			       const uint64_t *after)
{
	for (int i = 0; i < STORE_COUNTERS; i++)
		ck_assert_msg(after[i] - between[i] == between[i] - before[i],
			      "an id costs calls of the kind %s",
			      store_counter_name((enum store_counter)i));
}

START_TEST(an_id_costs_no_call)
{
	uint64_t before[STORE_COUNTERS];
	uint64_t between[STORE_COUNTERS];
	uint64_t after[STORE_COUNTERS];

	CONF_OK(put_id("a", "0", NULL));
	store_counters(conf_store, before);
	CONF_OK(put_keeping("a", "1", NULL));
	stream("2", NULL);
	expect_id("a", NULL);
	store_counters(conf_store, between);
	CONF_OK(put_keeping("a", "1", one));
	stream("2", two);
	expect_id("a", two);
	store_counters(conf_store, after);
	ck_assert_uint_eq(between[STORE_COUNT_PUT] - before[STORE_COUNT_PUT],
			  2);
	expect_same_counts(before, between, after);
}
END_TEST

START_TEST(a_child_store_passes_the_id_on)
{
	struct store_write_options options = plain;
	struct store_memory_source source;
	struct store_details details;
	struct store *child = NULL;
	struct store_info info;

	options.publish = one;
	CONF_OK(store_child(conf_store, "d", &child, &conf_error));
	CONF_OK(store_write(child, NULL, "a",
			    store_memory_source_init(&source, "1", 1), &options,
			    NULL, &conf_error));
	CONF_OK(store_stat_details(child, NULL, "a", &info, &details,
				   &conf_error));
	ck_assert(details.has_publish);
	ck_assert_mem_eq(details.publish, one, sizeof(one));
	store_details_release(&details);
	store_close(child);
	expect_id("d/a", one);
}
END_TEST

START_TEST(an_id_outlives_the_handle)
{
	CONF_OK(put_id("d/a", "1", one));
	CONF_OK(put_id("b", "2", NULL));
	conf_reopen();
	expect_id("d/a", one);
	expect_id("b", NULL);
}
END_TEST

void conf_add_publish(void)
{
	uint64_t needs = STORE_CAP_PUBLISH_ID;

	conf_add("P publish", 0, an_id_is_kept_or_ignored);
	conf_add("P publish", needs, every_put_brings_its_own_id);
	conf_add("P publish", needs, a_put_without_an_id_leaves_none);
	conf_add("P publish", needs | STORE_CAP_CONDITIONAL,
		 a_put_that_fails_leaves_the_id_that_is_there);
	conf_add("P publish", needs | STORE_CAP_MOVE,
		 a_move_takes_the_id_along);
	conf_add("P publish", needs | STORE_CAP_MOVE_FOLDER,
		 a_moved_folder_takes_the_ids_along);
	conf_add("P publish", needs | STORE_CAP_EXCHANGE,
		 an_exchange_swaps_the_ids);
	conf_add("P publish", needs | STORE_CAP_POSIX,
		 attributes_leave_the_id_alone);
	if (conf_backend.change)
		conf_add("P publish", needs,
			 what_others_change_in_place_has_no_id);
	conf_add("P publish", needs | STORE_CAP_XATTR,
		 an_id_is_no_extended_attribute_and_outlives_them);
	conf_add("P publish", needs, a_copy_has_no_id);
	conf_add("P publish", needs, a_copy_brings_the_id_it_was_given);
	conf_add("P publish", needs | STORE_CAP_LINKS,
		 the_names_of_a_file_share_its_id);
	conf_add("P publish", needs | STORE_CAP_COMPOSE,
		 a_composed_version_has_the_id_of_its_put);
	conf_add("P publish", needs, a_stream_brings_its_id);
	conf_add("P publish", needs, an_id_costs_no_call);
	conf_add("P publish", needs, a_child_store_passes_the_id_on);
	if (conf_backend.persistent)
		conf_add("P publish", needs, an_id_outlives_the_handle);
}
