// SPDX-License-Identifier: MIT
/* Local store: keys stay below the root, and the root may come and go. */
#include "config.h"

#include "tests/unit/local.h"
#include "tests/unit/unit.h"

/* None of the operations may get through `key`. */
static void refuse_all(const char *key)
{
	struct backend_move_request move = { .from = "plain", .to = key };
	struct store_page page;
	struct store_info info;
	void *reader = NULL;

	FAILS(STORE_NOT_FOUND, stat_key(key, &info));
	FAILS(STORE_NOT_FOUND, ops->open_reader(self, &context, key, NULL,
						&reader, &info, &error));
	FAILS(STORE_NOT_DIR, put_simply(key, "escaped"));
	FAILS(STORE_NOT_DIR,
	      ops->make_dir(self, &context, key, NULL, &info, &error));
	FAILS(STORE_NOT_FOUND, ops->remove(self, &context, key, &any, &error));
	FAILS(STORE_NOT_FOUND, ops->remove_dir(self, &context, key, &error));
	FAILS(STORE_NOT_DIR, ops->move(self, &context, &move, &info, &error));
	FAILS(STORE_NOT_DIR,
	      ops->link(self, &context, "plain", key, &info, &error));
	store_page_init(&page);
	FAILS(STORE_NOT_FOUND, list_page(key, NULL, 10, &page));
	store_page_release(&page);
}

START_TEST(no_symlink_among_the_parents_is_followed)
{
	char other[384];

	snprintf(other, sizeof(other), "%s/other", scratch);
	ck_assert_int_eq(mkdir(other, 0755), 0);
	OK(put_simply("plain", "x"));
	OK(put_simply("d/f", "x"));
	ck_assert_int_eq(symlink(other, outside("absolute")), 0);
	ck_assert_int_eq(symlink("../other", outside("relative")), 0);
	ck_assert_int_eq(symlink("d", outside("inside")), 0);
	ck_assert_int_eq(symlink("../../other", outside("d/deep")), 0);
	refuse_all("absolute/x");
	refuse_all("relative/x");
	refuse_all("inside/x");
	refuse_all("d/deep/x");
	ck_assert_int_eq(rmdir(other), 0);
	expect_outside("plain", "x");
}
END_TEST

START_TEST(a_symlink_at_the_end_is_the_symlink)
{
	struct store_attributes attributes = {
		.mask = STORE_ATTR_MTIME,
		.mtime = { .tv_sec = 1000 },
	};
	struct store_details details;
	struct store_page page;
	struct store_info info;
	void *reader = NULL;
	struct stat before;

	OK(put_simply("target", "x"));
	before = stat_outside("target");
	ck_assert_int_eq(symlink("target", outside("link")), 0);
	store_details_init(&details);
	OK(ops->stat(self, &context, "link", &info, &details, &error));
	ck_assert_int_eq(info.type, STORE_TYPE_SYMLINK);
	ck_assert_uint_eq(info.size, 6);
	ck_assert_str_eq(details.target, "target");
	store_details_release(&details);
	FAILS(STORE_INVALID, ops->open_reader(self, &context, "link", NULL,
					      &reader, &info, &error));
	OK(ops->set_attributes(self, &context, "link", &attributes, &info,
			       &error));
	ck_assert_int_eq(info.attributes.mtime.tv_sec, 1000);
	ck_assert_int_eq(stat_outside("target").st_mtim.tv_sec,
			 before.st_mtim.tv_sec);
	store_page_init(&page);
	FAILS(STORE_NOT_DIR, list_page("link", NULL, 10, &page));
	store_page_release(&page);
	OK(put_simply("link", "now a file"));
	expect_outside("target", "x");
	ck_assert(S_ISREG(stat_outside("link").st_mode));
}
END_TEST

START_TEST(the_root_itself_may_be_a_symlink)
{
	char link[384];
	char *key;

	snprintf(link, sizeof(link), "%s/way", scratch);
	ck_assert_int_eq(symlink(root, link), 0);
	ops->close(self);
	self = opened(link);
	OK(put_simply("a", "x"));
	expect_outside("a", "x");
	key = ops->to_key(self, outside("a"));
	ck_assert_str_eq(key, "a");
	free(key);
}
END_TEST

START_TEST(reserved_names_are_refused_everywhere)
{
	struct store_info info;

	FAILS(STORE_INVALID, put_simply(".storefs-tmp.x", "x"));
	FAILS(STORE_INVALID, put_simply("a/.storefs-tmp.x/b", "x"));
	FAILS(STORE_INVALID, stat_key(".storefs-tmp.journal", &info));
	OK(put_simply("a.storefs-tmp.", "x"));
	OK(put_simply(".storefs-tmp", "x"));
	ck_assert_uint_eq(count_names(""), 2);
}
END_TEST

START_TEST(a_missing_root_is_empty_and_made_by_a_put)
{
	char path[384];
	struct store_info info;

	ops->close(self);
	snprintf(path, sizeof(path), "%s/not/yet/there", scratch);
	self = opened(path);
	FAILS(STORE_NOT_FOUND, ops->ping(self, &context, &error));
	OK(stat_key("", &info));
	ck_assert_int_eq(info.type, STORE_TYPE_FOLDER);
	ck_assert_uint_eq(count_names(""), 0);
	FAILS(STORE_NOT_FOUND, stat_key("a", &info));
	FAILS(STORE_NOT_FOUND, ops->remove(self, &context, "a", &any, &error));
	OK(put_simply("d/a", "x"));
	OK(ops->ping(self, &context, &error));
	OK(stat_key("d/a", &info));
}
END_TEST

START_TEST(a_root_that_goes_and_comes_back_is_found)
{
	struct store_info info;

	OK(put_simply("a", "x"));
	ck_assert_int_eq(unlink(outside("a")), 0);
	ck_assert_int_eq(rmdir(root), 0);
	FAILS(STORE_NOT_FOUND, ops->ping(self, &context, &error));
	ck_assert_uint_eq(count_names(""), 0);
	ck_assert_int_eq(mkdir(root, 0755), 0);
	write_outside("b", "y");
	ck_assert_uint_eq(count_names(""), 1);
	OK(stat_key("b", &info));
	ck_assert_int_eq(unlink(outside("b")), 0);
	ck_assert_int_eq(rmdir(root), 0);
	OK(put_simply("c", "z"));
	expect_outside("c", "z");
	FAILS(STORE_NOT_FOUND, stat_key("b", &info));
}
END_TEST

START_TEST(a_root_that_is_a_file_cannot_be_opened)
{
	void *other = configured(outside("file"));

	write_outside("file", "x");
	FAILS(STORE_NOT_DIR, ops->open(other, &context, &error));
	ops->close(other);
}
END_TEST

START_TEST(a_failed_put_takes_the_parents_it_made_with_it)
{
	struct store_precondition version = { .condition = STORE_IF_VERSION };
	struct store_xattr ours = {
		.name = "user.storefs.id",
		.value = "x",
		.size = 1,
	};
	struct store_memory_source source;
	struct backend_put_request request = {
		.key = "a/b/c",
		.source = store_memory_source_init(&source, "x", 1),
		.xattrs = &ours,
		.xattr_count = 1,
	};
	struct store_info info;

	FAILS(STORE_DENIED, ops->put(self, &context, &request, &info, &error));
	ck_assert(!is_outside("a"));
	ck_assert_int_eq(mkdir(outside("a"), 0755), 0);
	FAILS(STORE_DENIED, ops->put(self, &context, &request, &info, &error));
	ck_assert(is_outside("a"));
	ck_assert(!is_outside("a/b"));
	FAILS(STORE_NOT_FOUND,
	      put_text(&(struct text_put){ .key = "x/y/z",
					   .text = "x",
					   .precondition = &version },
		       NULL));
	ck_assert(!is_outside("x"));
}
END_TEST

START_TEST(native_paths_lead_there_and_back)
{
	char *path = ops->native_path(self, "a/b");
	char *key = ops->to_key(self, path);
	char sibling[384];

	ck_assert_str_eq(path, outside("a/b"));
	ck_assert_str_eq(key, "a/b");
	free(key);
	free(path);
	path = ops->native_path(self, "");
	ck_assert_str_eq(path, root);
	key = ops->to_key(self, path);
	ck_assert_str_eq(key, "");
	free(key);
	free(path);
	ck_assert_ptr_null(ops->to_key(self, "/elsewhere"));
	ck_assert_ptr_null(ops->to_key(self, "relative"));
	snprintf(sibling, sizeof(sibling), "%s-sibling", root);
	ck_assert_ptr_null(ops->to_key(self, sibling));
}
END_TEST

START_TEST(the_identity_is_a_url_of_the_real_root)
{
	char path[384];
	char expected[512];
	char *identity;

	snprintf(path, sizeof(path), "%s/a b%%?#\xc3\xbc", scratch);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	ops->close(self);
	self = opened(path);
	identity = ops->identity(self);
	snprintf(expected, sizeof(expected),
		 "file://%s/a%%20b%%25%%3F%%23%%C3%%BC", scratch);
	ck_assert_str_eq(identity, expected);
	free(identity);
	rmdir(path);
}
END_TEST

START_TEST(longest_names_fit_and_longer_ones_say_so)
{
	char name[300];
	struct store_info info;

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	OK(put_simply(name, "x"));
	OK(stat_key(name, &info));
	name[255] = 'n';
	name[256] = '\0';
	ck_assert_int_eq(put_simply(name, "x"), STORE_INVALID);
	ck_assert_int_eq(error.detail, ENAMETOOLONG);
	ck_assert_int_eq(stat_key(name, &info), STORE_INVALID);
	ck_assert_int_eq(error.detail, ENAMETOOLONG);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("local paths");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, no_symlink_among_the_parents_is_followed);
	tcase_add_test(tests, a_symlink_at_the_end_is_the_symlink);
	tcase_add_test(tests, the_root_itself_may_be_a_symlink);
	tcase_add_test(tests, reserved_names_are_refused_everywhere);
	tcase_add_test(tests, a_missing_root_is_empty_and_made_by_a_put);
	tcase_add_test(tests, a_root_that_goes_and_comes_back_is_found);
	tcase_add_test(tests, a_root_that_is_a_file_cannot_be_opened);
	tcase_add_test(tests, a_failed_put_takes_the_parents_it_made_with_it);
	tcase_add_test(tests, native_paths_lead_there_and_back);
	tcase_add_test(tests, the_identity_is_a_url_of_the_real_root);
	tcase_add_test(tests, longest_names_fit_and_longer_ones_say_so);
	return unit_run("local paths", tests);
}
