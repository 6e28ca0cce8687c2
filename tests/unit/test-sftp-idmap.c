// SPDX-License-Identifier: MIT
/* Owners there and here. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/sftp/idmap.h"
#include "tests/unit/unit.h"

static struct sftp_idmap_tables tables;
static struct store_error error = STORE_ERROR_INIT;
static char path[] = "/tmp/storefs-idmap-XXXXXX";
static struct sftp_settings settings = { .uidfile = path, .gidfile = path };

static void start(void)
{
	int fd;

	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	close(fd);
}

static void stop(void)
{
	sftp_idmap_release(&tables);
	unlink(path);
}

static int read_text(const char *text)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	store_error_clear(&error);
	return sftp_idmap_read(&settings, &tables, &error);
}

static uint32_t uid_here(uint32_t uid)
{
	struct store_attributes attributes = { .mask = STORE_ATTR_UID,
					       .uid = uid,
					       .gid = uid };

	sftp_idmap_here(&tables, &attributes);
	ck_assert_uint_eq(attributes.gid, uid);
	return attributes.uid;
}

static uint32_t gid_there(uint32_t gid)
{
	struct store_attributes attributes = { .mask = STORE_ATTR_GID,
					       .gid = gid,
					       .uid = gid };

	sftp_idmap_there(&tables, &attributes);
	ck_assert_uint_eq(attributes.uid, gid);
	return attributes.gid;
}

START_TEST(files_say_who_is_who)
{
	ck_assert_int_eq(read_text("# both\n\nroot:1000\n  4242:7\r\n"),
			 STORE_OK);
	ck_assert_uint_eq(uid_here(1000), 0);
	ck_assert_uint_eq(uid_here(7), 4242);
	ck_assert_uint_eq(gid_there(0), 1000);
	ck_assert_uint_eq(gid_there(4242), 7);
	/* Nothing was said of these. */
	ck_assert_uint_eq(uid_here(4242), 4242);
	ck_assert_uint_eq(gid_there(7), 7);
}
END_TEST

START_TEST(mistakes_are_named_with_their_line)
{
	static const char *const texts[] = {
		"root",	   "root:",	      "root:x",
		"root:-1", "root:4294967295", "nobody here:1"
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char text[64], place[64];

		snprintf(text, sizeof(text), "\n%s\n", texts[i]);
		snprintf(place, sizeof(place), "%s:2: ", path);
		ck_assert_int_eq(read_text(text), STORE_INVALID);
		ck_assert_msg(strstr(error.message, place), "%s",
			      error.message);
	}
	unlink(path);
	ck_assert_int_eq(sftp_idmap_read(&settings, &tables, &error),
			 STORE_NOT_FOUND);
}
END_TEST

START_TEST(the_user_there_is_the_one_here)
{
	const struct sftp_attributes own = { .mask = SFTP_ATTR_OWNER,
					     .uid = 1234,
					     .gid = 5678 };
	const struct sftp_attributes none = { .mask = SFTP_ATTR_MODE };

	ck_assert_int_eq(sftp_idmap_learn(&tables, &none, &error),
			 STORE_NOT_SUPPORTED);
	ck_assert_int_eq(sftp_idmap_learn(&tables, &own, &error), STORE_OK);
	ck_assert_uint_eq(uid_here(1234), geteuid());
	ck_assert_uint_eq(gid_there(getegid()), 5678);
	ck_assert_uint_eq(uid_here(99), 99);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("sftp-idmap");

	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, files_say_who_is_who);
	tcase_add_test(tests, mistakes_are_named_with_their_line);
	tcase_add_test(tests, the_user_there_is_the_one_here);
	return unit_run("sftp-idmap", tests);
}
