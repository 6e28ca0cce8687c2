// SPDX-License-Identifier: MIT
/* Local store: ids of puts as attributes of files. */
#include "config.h"

#include <sys/xattr.h>

#include "tests/unit/local.h"
#include "tests/unit/unit.h"

#define NAME "user.storefs.publish"

static const uint8_t mine[STORE_PUBLISH_SIZE] = "sixteen bytes";

static int put_id(const char *key, const char *text, unsigned int flags,
		  const uint8_t *publish)
{
	struct store_memory_source source;
	struct backend_put_request request = {
		.key = key,
		.source = store_memory_source_init(&source, text, strlen(text)),
		.flags = flags,
		.publish = publish,
	};
	struct store_info info;

	return ops->put(self, &context, &request, &info, &error);
}

static bool has_id(const char *key)
{
	struct store_details details;
	struct store_info info;
	bool has;

	store_details_init(&details);
	OK(ops->stat(self, &context, key, &info, &details, &error));
	has = details.has_publish;
	if (has)
		ck_assert_mem_eq(details.publish, mine, sizeof(mine));
	store_details_release(&details);
	return has;
}

START_TEST(the_id_is_an_attribute_of_the_file)
{
	uint8_t value[STORE_PUBLISH_SIZE + 25];

	ck_assert(ops->has(self) & STORE_CAP_PUBLISH_ID);
	OK(put_id("f", "1", 0, mine));
	ck_assert_int_eq(getxattr(outside("f"), NAME, value, sizeof(value)),
			 STORE_PUBLISH_SIZE + 24);
	ck_assert_mem_eq(value, mine, sizeof(mine));
	reopen();
	ck_assert(has_id("f"));
	OK(put_id("f", "2", BACKEND_PUT_KEEP, NULL));
	ck_assert_int_eq(getxattr(outside("f"), NAME, value, sizeof(value)),
			 -1);
	ck_assert_int_eq(errno, ENODATA);
}
END_TEST

START_TEST(the_attribute_is_hidden_and_not_to_be_set)
{
	const struct store_xattr xattr = { NAME, mine, sizeof(mine) };
	size_t size = 1;
	char *names = NULL;
	void *value = NULL;

	OK(put_id("f", "1", 0, mine));
	OK(ops->list_xattrs(self, &context, "f", &names, &size, &error));
	ck_assert_uint_eq(size, 0);
	free(names);
	FAILS(STORE_NOT_FOUND,
	      ops->get_xattr(self, &context, "f", NAME, &value, &size, &error));
	FAILS(STORE_DENIED,
	      ops->set_xattr(self, &context, "f", &xattr, 0, &error));
	FAILS(STORE_DENIED,
	      ops->remove_xattr(self, &context, "f", NAME, &error));
	ck_assert(has_id("f"));
}
END_TEST

START_TEST(an_attribute_of_another_length_is_no_id)
{
	OK(put_simply("f", "1"));
	ck_assert_int_eq(setxattr(outside("f"), NAME, "short", 5, 0), 0);
	ck_assert(!has_id("f"));
	ck_assert_int_eq(
		setxattr(outside("f"), NAME, "one byte too many", 17, 0), 0);
	ck_assert(!has_id("f"));
	/* As earlier versions left it: it may have outlived its bytes. */
	ck_assert_int_eq(setxattr(outside("f"), NAME, mine, sizeof(mine), 0),
			 0);
	ck_assert(!has_id("f"));
	OK(put_id("f", "2", BACKEND_PUT_KEEP, mine));
	ck_assert(has_id("f"));
}
END_TEST

static void become_user(void)
{
	if (geteuid())
		return;
	ck_assert_int_eq(chmod(scratch, 0755), 0);
	ck_assert_int_eq(chown(root, 65534, 65534), 0);
	ck_assert_int_eq(seteuid(65534), 0);
}

/* A new file of a mode that takes the right to set attributes. */
START_TEST(a_file_nobody_may_write_gets_its_id)
{
	const struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					       .mode = 0444 };
	struct store_memory_source source;
	struct backend_put_request request = {
		.key = "f",
		.source = store_memory_source_init(&source, "1", 1),
		.attributes = &mode,
		.publish = mine,
	};
	struct store_info info;
	uid_t user = geteuid();

	become_user();
	OK(ops->put(self, &context, &request, &info, &error));
	ck_assert(has_id("f"));
	OK(ops->put(self, &context, &request, &info, &error));
	ck_assert(has_id("f"));
	if (user == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_uint_eq(stat_outside("f").st_mode & 07777, 0444);
}
END_TEST

START_TEST(a_file_nobody_may_read_still_has_a_stat)
{
	uid_t user = geteuid();

	OK(put_id("f", "1", 0, mine));
	ck_assert_int_eq(chmod(outside("f"), 0), 0);
	if (user == 0) {
		ck_assert_int_eq(chmod(scratch, 0755), 0);
		ck_assert_int_eq(seteuid(65534), 0);
	}
	ck_assert(!has_id("f"));
	if (user == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(outside("f"), 0600), 0);
	ck_assert(has_id("f"));
}
END_TEST

/*
 * Attributes until there is no room for an id, from large to small, as a file
 * system may keep them in several places; false where it takes too many.
 */
static bool fill_attributes(const char *name)
{
	static const char value[4096];
	size_t length = sizeof(value);

	for (int i = 0; i < 64 && length; length -= length > 64 ? 16 : 1) {
		char attribute[24];

		snprintf(attribute, sizeof(attribute), "user.%d", i);
		if (setxattr(outside(name), attribute, value, length, 0) == 0)
			i++;
	}
	if (setxattr(outside(name), NAME, mine, sizeof(mine), 0) == 0) {
		ck_assert_int_eq(removexattr(outside(name), NAME), 0);
		return false;
	}
	return true;
}

START_TEST(attributes_that_leave_no_room_cost_the_id_not_the_put)
{
	struct store_info info;
	bool full;

	OK(put_simply("f", "1"));
	full = fill_attributes("f");
	OK(put_id("f", "2", BACKEND_PUT_KEEP, mine));
	expect_outside("f", "2");
	ck_assert_int_gt(getxattr(outside("f"), "user.0", NULL, 0), 0);
	ck_assert_int_eq(has_id("f"), !full);
	OK(ops->link(self, &context, "f", "g", &info, &error));
	OK(put_id("f", "3", BACKEND_PUT_KEEP, mine));
	expect_outside("g", "3");
	ck_assert_int_eq(has_id("f"), !full);
	ck_assert(!is_outside(".storefs-tmp.journal"));
}
END_TEST

START_TEST(a_link_written_in_place_shows_the_id_of_its_put)
{
	struct store_info info;

	OK(put_id("f", "1", 0, NULL));
	OK(ops->link(self, &context, "f", "g", &info, &error));
	OK(put_id("g", "2", BACKEND_PUT_KEEP, mine));
	ck_assert_uint_eq(stat_outside("f").st_nlink, 2);
	ck_assert(has_id("f"));
	OK(put_id("f", "3", BACKEND_PUT_KEEP, NULL));
	ck_assert(!has_id("g"));
	expect_outside("g", "3");
}
END_TEST

START_TEST(a_copy_of_the_attribute_by_other_means_is_no_id)
{
	uint8_t value[64];
	ssize_t size;
	struct timespec times[2];

	OK(put_id("f", "1", 0, mine));
	OK(put_simply("g", "2"));
	size = getxattr(outside("f"), NAME, value, sizeof(value));
	ck_assert_int_gt(size, 0);
	ck_assert_int_eq(setxattr(outside("g"), NAME, value, (size_t)size, 0),
			 0);
	times[0] = times[1] = stat_outside("f").st_mtim;
	ck_assert_int_eq(utimensat(AT_FDCWD, outside("g"), times, 0), 0);
	ck_assert(!has_id("g"));
	ck_assert(has_id("f"));
}
END_TEST

START_TEST(an_id_that_has_ended_does_not_come_back_with_a_new_time)
{
	const struct store_attributes touch = {
		.mask = STORE_ATTR_MTIME,
		.mtime = { .tv_sec = 1000000000 },
	};
	struct store_info info;

	OK(put_id("f", "1", 0, mine));
	write_outside("f", "2");
	ck_assert(!has_id("f"));
	OK(ops->set_attributes(self, &context, "f", &touch, &info, &error));
	ck_assert(!has_id("f"));
}
END_TEST

/* The mode takes the right to set attributes, the mtime has to follow. */
START_TEST(an_id_follows_a_new_time_and_a_mode_that_is_closed)
{
	const struct store_attributes both = {
		.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME,
		.mode = 0444,
		.mtime = { .tv_sec = 1000000000, .tv_nsec = 5 },
	};
	struct store_info info;
	uid_t user = geteuid();

	become_user();
	OK(put_id("f", "1", 0, mine));
	OK(ops->set_attributes(self, &context, "f", &both, &info, &error));
	ck_assert(has_id("f"));
	if (user == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(stat_outside("f").st_mtim.tv_nsec, 5);
}
END_TEST

/* The number a mount has shown for it already. */
START_TEST(a_file_nobody_may_write_gets_its_number_and_keeps_it)
{
	const struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					       .mode = 0444 };
	struct store_memory_source source;
	struct backend_put_request request = {
		.key = "f",
		.attributes = &mode,
		.id = 4711,
	};
	struct store_info info;
	uid_t user = geteuid();

	become_user();
	for (int i = 0; i < 2; i++) {
		request.source = store_memory_source_init(&source, "1", 1);
		OK(ops->put(self, &context, &request, &info, &error));
		ck_assert_uint_eq(info.id, 4711);
		ck_assert_int_eq(stat_outside("f").st_mode & 07777, 0444);
		/* The next one has it from the version it replaces. */
		request.id = 0;
		request.flags = BACKEND_PUT_KEEP;
	}
	if (user == 0)
		ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("local publish");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, the_id_is_an_attribute_of_the_file);
	tcase_add_test(tests, the_attribute_is_hidden_and_not_to_be_set);
	tcase_add_test(tests, an_attribute_of_another_length_is_no_id);
	tcase_add_test(tests, a_file_nobody_may_write_gets_its_id);
	tcase_add_test(tests, a_file_nobody_may_read_still_has_a_stat);
	tcase_add_test(tests,
		       attributes_that_leave_no_room_cost_the_id_not_the_put);
	tcase_add_test(tests, a_link_written_in_place_shows_the_id_of_its_put);
	tcase_add_test(tests, a_copy_of_the_attribute_by_other_means_is_no_id);
	tcase_add_test(tests,
		       an_id_that_has_ended_does_not_come_back_with_a_new_time);
	tcase_add_test(tests,
		       an_id_follows_a_new_time_and_a_mode_that_is_closed);
	tcase_add_test(tests,
		       a_file_nobody_may_write_gets_its_number_and_keeps_it);
	return unit_run("local publish", tests);
}
