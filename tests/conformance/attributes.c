// SPDX-License-Identifier: MIT
/* POSIX attributes: mode, owner, times, and the rules of ctime. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <sys/stat.h>
#include <unistd.h>

#include "src/base/clock.h"

static int set(const char *key, const struct store_attributes *attributes)
{
	return store_set_attributes(conf_store, NULL, key, attributes, NULL,
				    &conf_error);
}

static void expect_attributes(const char *key,
			      const struct store_attributes *wanted)
{
	struct store_attributes found;
	struct store_info info;

	CONF_OK(conf_stat(key, &info));
	found = info.attributes;
	ck_assert_uint_eq(wanted->mask & ~found.mask, 0);
	if (wanted->mask & STORE_ATTR_MODE)
		ck_assert_uint_eq(found.mode, wanted->mode);
	if (wanted->mask & STORE_ATTR_UID)
		ck_assert_uint_eq(found.uid, wanted->uid);
	if (wanted->mask & STORE_ATTR_GID)
		ck_assert_uint_eq(found.gid, wanted->gid);
	if (wanted->mask & STORE_ATTR_MTIME) {
		ck_assert_int_eq(found.mtime.tv_sec, wanted->mtime.tv_sec);
		ck_assert_int_eq(found.mtime.tv_nsec,
				 conf_backend.seconds ? 0
						      : wanted->mtime.tv_nsec);
	}
	if (wanted->mask & STORE_ATTR_ATIME) {
		ck_assert_int_eq(found.atime.tv_sec, wanted->atime.tv_sec);
		ck_assert_int_eq(found.atime.tv_nsec,
				 conf_backend.seconds ? 0
						      : wanted->atime.tv_nsec);
	}
}

START_TEST(every_mode_bit_is_kept)
{
	static const uint32_t modes[] = { 0,	 0777,	0644, 04755, 02755,
					  01777, 07777, 0111, 0400,  06000 };
	size_t i;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(store_make_folder(conf_store, NULL, "d", NULL, NULL,
				  &conf_error));
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct store_attributes mode = { .mask = STORE_ATTR_MODE,
						 .mode = modes[i] };

		CONF_OK(set("a", &mode));
		expect_attributes("a", &mode);
		/* A folder of ours must stay usable for an ordinary user. */
		mode.mode |= 0700;
		CONF_OK(set("d", &mode));
		expect_attributes("d", &mode);
	}
}
END_TEST

START_TEST(times_are_kept_to_the_nanosecond)
{
	static const struct timespec times[] = {
		{ 0, 0 },
		{ 1, 1 },
		{ 1700000000, 123456789 },
		{ 1, 999999999 },
		{ 2000000000, 500000001 },
	};
	size_t i;

	CONF_OK(conf_put("d/a", "1"));
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		struct store_attributes both = {
			.mask = STORE_ATTR_MTIME | STORE_ATTR_ATIME,
			.mtime = times[i],
			.atime = times[(i + 1) % 5],
		};

		CONF_OK(set("d/a", &both));
		expect_attributes("d/a", &both);
		CONF_OK(set("d", &both));
		expect_attributes("d", &both);
	}
}
END_TEST

START_TEST(times_before_1970_and_after_2038_are_kept)
{
	struct store_attributes times = {
		.mask = STORE_ATTR_MTIME | STORE_ATTR_ATIME,
		.mtime = { -86401, 999999999 },
		.atime = { 1, 2 },
	};

	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", &times));
	expect_attributes("a", &times);
	if (sizeof(time_t) < 8)
		return;
	times.mtime.tv_sec = (time_t)INT64_C(4294967296);
	CONF_OK(set("a", &times));
	expect_attributes("a", &times);
}
END_TEST

START_TEST(owners_are_kept)
{
	struct store_attributes owner = {
		.mask = STORE_ATTR_UID | STORE_ATTR_GID,
		.uid = geteuid() ? geteuid() : 12345,
		.gid = geteuid() ? getegid() : 54321,
	};

	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", &owner));
	expect_attributes("a", &owner);
}
END_TEST

/* Only what the mask names changes. */
START_TEST(an_unnamed_attribute_stays)
{
	struct store_attributes all = {
		.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME | STORE_ATTR_ATIME,
		.mode = 0640,
		.mtime = { 1000, 1 },
		.atime = { 2000, 2 },
	};
	struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					 .mode = 0600,
					 .mtime = { 7, 7 } };

	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", &all));
	CONF_OK(set("a", &mode));
	all.mode = 0600;
	expect_attributes("a", &all);
	conf_expect("a", "1");
}
END_TEST

START_TEST(attributes_come_with_a_put)
{
	struct store_attributes wanted = {
		.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME,
		.mode = 0751,
		.mtime = { 1234567890, 987654321 },
	};
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.attributes = &wanted,
	};
	struct store_info info;

	CONF_OK(conf_put_bytes("a", "1", 1, &options, &info));
	ck_assert_uint_eq(info.attributes.mode, 0751);
	expect_attributes("a", &wanted);
	CONF_OK(conf_put_bytes("a", "2", 1, &options, NULL));
	expect_attributes("a", &wanted);
}
END_TEST

START_TEST(attributes_come_with_a_folder)
{
	struct store_attributes wanted = { .mask = STORE_ATTR_MODE,
					   .mode = 02750 };

	CONF_OK(store_make_folder(conf_store, NULL, "d/e", &wanted, NULL,
				  &conf_error));
	expect_attributes("d/e", &wanted);
}
END_TEST

START_TEST(keeping_puts_keep_mode_and_owner)
{
	struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					 .mode = 04711 };
	struct store_write_options keep = {
		.precondition.condition = STORE_IF_ANY,
		.keep = true,
	};

	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", &mode));
	CONF_OK(conf_put_bytes("a", "22", 2, &keep, NULL));
	expect_attributes("a", &mode);
	conf_expect("a", "22");
}
END_TEST

/* F9 */
START_TEST(copy_and_move_keep_mode_and_mtime)
{
	struct store_attributes wanted = {
		.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME,
		.mode = 0751,
		.mtime = { 1234567890, 987654321 },
	};

	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", &wanted));
	CONF_OK(store_copy(conf_store, NULL, "a", "b", 0, NULL, &conf_error));
	expect_attributes("b", &wanted);
	CONF_OK(store_move(conf_store, NULL, "b", "d/c", 0, NULL, NULL,
			   &conf_error));
	expect_attributes("d/c", &wanted);
}
END_TEST

START_TEST(attributes_of_nothing_are_not_found)
{
	struct store_attributes mode = { .mask = STORE_ATTR_MODE, .mode = 0 };

	CONF_OK(conf_put("f", "1"));
	CONF_FAILS(STORE_NOT_FOUND, set("no", &mode));
	CONF_FAILS(STORE_NOT_FOUND, set("f/no", &mode));
}
END_TEST

START_TEST(the_root_has_attributes)
{
	struct store_attributes wanted = {
		.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME,
		.mode = 0751,
		.mtime = { 1234567890, 5 },
	};

	CONF_OK(conf_put("below", "1"));
	CONF_OK(set("", &wanted));
	expect_attributes("", &wanted);
}
END_TEST

START_TEST(attributes_survive_a_restart)
{
	struct store_attributes wanted = {
		.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME,
		.mode = 0600,
		.mtime = { 1234567890, 987654321 },
	};

	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(set("d/a", &wanted));
	wanted.mode = 0711;
	CONF_OK(set("d", &wanted));
	conf_reopen();
	expect_attributes("d", &wanted);
	wanted.mode = 0600;
	expect_attributes("d/a", &wanted);
}
END_TEST

/* ---- ctime ---- */

static struct timespec ctime_of(const char *key)
{
	struct store_info info;

	CONF_OK(conf_stat(key, &info));
	return info.ctime;
}

static struct timespec mtime_of(const char *key)
{
	struct store_info info;

	CONF_OK(conf_stat(key, &info));
	return info.attributes.mtime;
}

/* Wait until the clock that file systems stamp with has moved on. */
static void tick(void)
{
	struct timespec pause = { 0, 500000 };
	struct timespec start;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &start);
	do {
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (timespec_compare(now, start) <= 0);
}

START_TEST(ctime_moves_with_every_change_of_the_node)
{
	struct store_attributes past = { .mask = STORE_ATTR_MTIME,
					 .mtime = { 1, 0 } };
	struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					 .mode = 0600 };
	struct timespec before;

	CONF_OK(conf_put("a", "1"));
	before = ctime_of("a");
	tick();
	CONF_OK(set("a", &mode));
	ck_assert_int_gt(timespec_compare(ctime_of("a"), before), 0);
	before = ctime_of("a");
	tick();
	CONF_OK(set("a", &past));
	ck_assert_int_gt(timespec_compare(ctime_of("a"), before), 0);
	before = ctime_of("a");
	tick();
	CONF_OK(conf_put_over("a", "2"));
	ck_assert_int_gt(timespec_compare(ctime_of("a"), before), 0);
}
END_TEST

START_TEST(ctime_moves_with_links_and_renames)
{
	struct timespec before;

	CONF_OK(conf_put("a", "1"));
	before = ctime_of("a");
	tick();
	CONF_OK(store_link(conf_store, NULL, "a", "b", NULL, &conf_error));
	ck_assert_int_gt(timespec_compare(ctime_of("a"), before), 0);
	before = ctime_of("a");
	tick();
	CONF_OK(store_delete(conf_store, NULL, "b", false, &conf_error));
	ck_assert_int_gt(timespec_compare(ctime_of("a"), before), 0);
	before = ctime_of("a");
	tick();
	CONF_OK(store_move(conf_store, NULL, "a", "c", 0, NULL, NULL,
			   &conf_error));
	ck_assert_int_gt(timespec_compare(ctime_of("c"), before), 0);
}
END_TEST

/* Run one change and see that the times of "d" move. */
static void expect_folder_moves(int code, struct timespec *mtime,
				struct timespec *ctime)
{
	CONF_OK(code);
	ck_assert_int_gt(timespec_compare(mtime_of("d"), *mtime), 0);
	ck_assert_int_gt(timespec_compare(ctime_of("d"), *ctime), 0);
	*mtime = mtime_of("d");
	*ctime = ctime_of("d");
	tick();
}

START_TEST(times_of_a_folder_move_with_its_names)
{
	struct timespec mtime;
	struct timespec ctime;

	CONF_OK(conf_put("d/a", "1"));
	CONF_OK(conf_put("out", "1"));
	mtime = mtime_of("d");
	ctime = ctime_of("d");
	tick();
	expect_folder_moves(conf_put("d/b", "2"), &mtime, &ctime);
	expect_folder_moves(
		store_delete(conf_store, NULL, "d/b", false, &conf_error),
		&mtime, &ctime);
	expect_folder_moves(store_make_folder(conf_store, NULL, "d/e", NULL,
					      NULL, &conf_error),
			    &mtime, &ctime);
	expect_folder_moves(
		store_delete_folder(conf_store, NULL, "d/e", NULL, &conf_error),
		&mtime, &ctime);
	expect_folder_moves(store_move(conf_store, NULL, "d/a", "d/c", 0, NULL,
				       NULL, &conf_error),
			    &mtime, &ctime);
	expect_folder_moves(store_move(conf_store, NULL, "out", "d/in", 0, NULL,
				       NULL, &conf_error),
			    &mtime, &ctime);
	expect_folder_moves(store_move(conf_store, NULL, "d/in", "out", 0, NULL,
				       NULL, &conf_error),
			    &mtime, &ctime);
}
END_TEST

START_TEST(a_write_moves_the_mtime_unless_told)
{
	struct store_attributes past = { .mask = STORE_ATTR_MTIME,
					 .mtime = { 1000, 0 } };
	struct store_write_options keep = {
		.precondition.condition = STORE_IF_ANY,
		.keep = true,
	};

	CONF_OK(conf_put("a", "1"));
	CONF_OK(set("a", &past));
	CONF_OK(conf_put_over("a", "2"));
	ck_assert_int_gt(mtime_of("a").tv_sec, 1000);
	CONF_OK(set("a", &past));
	CONF_OK(conf_put_bytes("a", "3", 1, &keep, NULL));
	ck_assert_int_gt(mtime_of("a").tv_sec, 1000);
}
END_TEST

static void add_ctime(uint64_t needs)
{
	conf_add("P ctime", needs, ctime_moves_with_every_change_of_the_node);
	conf_add("P ctime", needs | STORE_CAP_LINKS,
		 ctime_moves_with_links_and_renames);
	conf_add("P ctime", needs | STORE_CAP_FOLDERS,
		 times_of_a_folder_move_with_its_names);
}

void conf_add_attributes(void)
{
	uint64_t needs = STORE_CAP_POSIX;

	conf_add("P posix", needs, every_mode_bit_is_kept);
	conf_add("P posix", needs, times_are_kept_to_the_nanosecond);
	if (!conf_backend.seconds)
		conf_add("P posix", needs,
			 times_before_1970_and_after_2038_are_kept);
	conf_add("P posix", needs, owners_are_kept);
	conf_add("P posix", needs, an_unnamed_attribute_stays);
	conf_add("P posix", needs, attributes_come_with_a_put);
	conf_add("P posix", needs | STORE_CAP_FOLDERS,
		 attributes_come_with_a_folder);
	conf_add("P posix", needs, keeping_puts_keep_mode_and_owner);
	conf_add("P posix", needs, copy_and_move_keep_mode_and_mtime);
	conf_add("P posix", needs, attributes_of_nothing_are_not_found);
	conf_add("P posix", needs, the_root_has_attributes);
	if (conf_backend.persistent)
		conf_add("P posix", needs, attributes_survive_a_restart);
	if (!conf_backend.seconds)
		add_ctime(needs);
	conf_add("P ctime", needs, a_write_moves_the_mtime_unless_told);
}
