// SPDX-License-Identifier: MIT
/*
 * SQLite store: sharing the table with clients that know nothing of ours
 * (B3).  They are played by plain SQL.
 */
#include "config.h"

#include "tests/unit/sqlite.h"
#include "tests/unit/unit.h"

static void set_mode(const char *key, uint32_t mode)
{
	struct store_attributes attributes = { .mask = STORE_ATTR_MODE,
					       .mode = mode };
	struct store_info info;

	OK(ops->set_attributes(self, &context, key, &attributes, &info,
			       &error));
}

static uint32_t mode_of(const char *key)
{
	struct store_info info;

	OK(stat_of(key, &info));
	return info.attributes.mask & STORE_ATTR_MODE ? info.attributes.mode
						      : 0;
}

static int remove_file(const char *key)
{
	static const struct store_precondition any = {
		.condition = STORE_IF_ANY,
	};

	return ops->remove(self, &context, key, &any, &error);
}

/* ---- their table ---- */

START_TEST(a_table_of_another_making_is_used_as_it_is)
{
	run_sql(THEIR_TABLE ";" INSERT "('d/a', x'3131', 2, 1700000000.5)");
	open_store();
	expect("d/a", "11");
	put("d/b", "22");
	set_mode("d/b", 0600);
	ck_assert_str_eq(names_in("d"), "a b");
	ck_assert_uint_eq(mode_of("d/b"), 0600);
	ck_assert_str_eq(ask_sql("SELECT group_concat(name) FROM "
				 "pragma_table_info('" TABLE "')"),
			 "key,data,size,modified_at,content_type,digest,extra,"
			 "user_metadata");
	ck_assert_str_eq(
		ask_sql("SELECT data || size FROM " TABLE " WHERE key = 'd/b'"),
		"222");
}
END_TEST

START_TEST(reading_adds_nothing_to_their_database)
{
	struct store_info info;

	run_sql(THEIR_TABLE ";" INSERT "('a', x'31', 1, 1.0)");
	open_store();
	expect("a", "1");
	OK(stat_of("", &info));
	ck_assert_str_eq(names_in(""), "a");
	ck_assert_str_eq(ask_sql("SELECT count(*) FROM sqlite_master "
				 "WHERE name LIKE '%storefs%'"),
			 "0");
	ck_assert_str_eq(ask_sql("PRAGMA journal_mode"), "delete");
}
END_TEST

START_TEST(tables_made_by_another_process_are_seen)
{
	void *first;

	run_sql(THEIR_TABLE);
	open_store();
	ck_assert_str_eq(names_in(""), "");
	first = self;
	open_store();
	put("d/a", "1");
	set_mode("d/a", 0640);
	close_store();
	self = first;
	ck_assert_uint_eq(mode_of("d/a"), 0640);
	ck_assert_str_eq(names_in(""), "d/");
}
END_TEST

START_TEST(large_files_work_in_their_table)
{
	size_t size = 6 << 20;
	char *data = malloc(size);
	char *back = malloc(size);
	struct store_info info;
	void *reader = NULL;
	size_t got = 0;

	memset(data, 'x', size);
	run_sql(THEIR_TABLE);
	open_store();
	OK(put_as("big", data, size, NULL, NULL));
	OK(ops->open_reader(self, &context, "big", NULL, &reader, &info,
			    &error));
	OK(ops->read(self, &context, reader, 0, back, size, &got, &error));
	ck_assert_uint_eq(got, size);
	ck_assert_int_eq(memcmp(data, back, size), 0);
	ops->close_reader(self, reader);
	free(data);
	free(back);
}
END_TEST

START_TEST(a_body_that_is_text_is_bytes)
{
	struct store_info info;

	run_sql(THEIR_TABLE ";" INSERT "('a', '\xc3\xa4' || 'b', 3, 1.0)");
	open_store();
	expect("a", "\xc3\xa4"
		    "b");
	OK(stat_of("a", &info));
	ck_assert_uint_eq(info.size, 3);
}
END_TEST

START_TEST(two_tables_of_one_database_have_nothing_in_common)
{
	static const char *const other[] = { "table_name", "other", NULL };
	void *first;

	open_store();
	put("d/a", "1");
	first = self;
	open_with(other);
	ck_assert_str_eq(names_in(""), "");
	put("b", "2");
	ck_assert_str_eq(names_in(""), "b");
	close_store();
	self = first;
	ck_assert_str_eq(names_in(""), "d/");
}
END_TEST

/* ---- a poor table ---- */

static const char *const no_create[] = { "create_table", "false", NULL };

START_TEST(key_and_data_are_enough)
{
	struct backend_move_request move = { .from = "d/a", .to = "e/b" };
	struct store_info info;

	run_sql("CREATE TABLE " TABLE " (key TEXT PRIMARY KEY, data BLOB)");
	open_with(no_create);
	ck_assert_uint_eq(ops->has(self) &
				  (STORE_CAP_FOLDERS | STORE_CAP_POSIX |
				   STORE_CAP_LINKS | STORE_CAP_SYMLINKS |
				   STORE_CAP_XATTR | STORE_CAP_USER_METADATA),
			  0);
	put("d/a", "1");
	put("d/a", "23");
	expect("d/a", "23");
	OK(ops->move(self, &context, &move, &info, &error));
	ck_assert_str_eq(names_in(""), "e/");
	OK(ops->copy(self, &context,
		     &(struct backend_move_request){ .from = "e/b", .to = "c" },
		     &info, &error));
	expect("c", "23");
	FAILS(STORE_NOT_SUPPORTED,
	      ops->make_dir(self, &context, "f", NULL, &info, &error));
	OK(ops->remove_tree(self, &context, "e", &error));
	OK(remove_file("c"));
	ck_assert_str_eq(ask_sql("SELECT count(*) FROM " TABLE), "0");
	ck_assert_str_eq(ask_sql("SELECT count(*) FROM sqlite_master "
				 "WHERE name LIKE '%storefs%'"),
			 "0");
}
END_TEST

START_TEST(what_must_not_be_made_is_not_found_until_it_is_there)
{
	struct store_info info;

	open_with(no_create);
	FAILS(STORE_NOT_FOUND, ops->ping(self, &context, &error));
	FAILS(STORE_NOT_FOUND, stat_of("a", &info));
	ck_assert_int_ne(access(path, F_OK), 0);
	run_sql("CREATE TABLE unrelated (x)");
	FAILS(STORE_NOT_FOUND, ops->ping(self, &context, &error));
	run_sql(THEIR_TABLE ";" INSERT "('a', x'31', 1, 1.0)");
	OK(ops->ping(self, &context, &error));
	expect("a", "1");
}
END_TEST

/* ---- their writes ---- */

START_TEST(their_write_keeps_the_mode_and_moves_time_and_version)
{
	struct store_info before;
	struct store_info after;

	open_store();
	put("a", "mine");
	set_mode("a", 0640);
	OK(stat_of("a", &before));
	run_sql("UPDATE " TABLE " SET data = x'78797a7a', "
		"modified_at = 1800000000.25 WHERE key = 'a'");
	OK(stat_of("a", &after));
	expect("a", "xyzz");
	ck_assert_uint_eq(after.attributes.mode, 0640);
	ck_assert_int_eq(after.attributes.mtime.tv_sec, 1800000000);
	ck_assert_int_eq(after.attributes.mtime.tv_nsec, 250000000);
	ck_assert(!store_version_equal(&before.version, &after.version));
	ck_assert_uint_eq(before.id, after.id);
}
END_TEST

/* Their file of the same size and time takes the name of ours. */
START_TEST(their_replacing_rename_is_a_change)
{
	struct store_attributes times = { .mask = STORE_ATTR_MTIME,
					  .mtime = { .tv_sec = 1700000000 } };
	struct backend_put_request more = { .attributes = &times };
	struct store_info before;
	struct store_info after;

	open_store();
	OK(put_as("a", "1", 1, &more, NULL));
	OK(put_as("b", "2", 1, &more, NULL));
	OK(stat_of("a", &before));
	run_sql("DELETE FROM " TABLE " WHERE key = 'a';"
		"UPDATE " TABLE " SET key = 'a' WHERE key = 'b'");
	expect("a", "2");
	OK(stat_of("a", &after));
	ck_assert(!store_version_equal(&before.version, &after.version));
	FAILS(STORE_NOT_FOUND, stat_of("b", &after));
	ck_assert_str_eq(names_in(""), "a");
}
END_TEST

START_TEST(a_file_they_removed_leaves_nothing_to_its_successor)
{
	struct store_xattr xattr = { "user.x", "v", 1 };
	struct store_info info;
	char *names = NULL;
	size_t size = 1;

	open_store();
	put("a", "1");
	set_mode("a", 0600);
	OK(ops->set_xattr(self, &context, "a", &xattr, 0, &error));
	run_sql("DELETE FROM " TABLE);
	FAILS(STORE_NOT_FOUND, stat_of("a", &info));
	ck_assert_str_eq(names_in(""), "");
	put("a", "2");
	ck_assert_uint_eq(mode_of("a"), 0);
	OK(ops->list_xattrs(self, &context, "a", &names, &size, &error));
	ck_assert_uint_eq(size, 0);
	free(names);
}
END_TEST

START_TEST(a_reader_never_mixes_their_version_with_the_old_one)
{
	struct store_info info;
	void *reader = NULL;
	char data[4];
	size_t got;

	open_store();
	put("a", "1111");
	OK(ops->open_reader(self, &context, "a", NULL, &reader, &info, &error));
	OK(ops->read(self, &context, reader, 0, data, 2, &got, &error));
	run_sql("UPDATE " TABLE " SET data = x'32323232', "
		"modified_at = modified_at + 1");
	FAILS(STORE_CHANGED,
	      ops->read(self, &context, reader, 2, data, 2, &got, &error));
	run_sql("DELETE FROM " TABLE);
	FAILS(STORE_NOT_FOUND,
	      ops->read(self, &context, reader, 2, data, 2, &got, &error));
	ops->close_reader(self, reader);
}
END_TEST

START_TEST(attributes_of_their_file_keep_its_version)
{
	struct store_info before;
	struct store_info after;

	open_store();
	run_sql(INSERT "('a', x'31', 1, 1700000000.5)");
	OK(stat_of("a", &before));
	set_mode("a", 0600);
	OK(stat_of("a", &after));
	ck_assert(store_version_equal(&before.version, &after.version));
	ck_assert_uint_eq(after.attributes.mode, 0600);
	ck_assert_int_eq(after.attributes.mtime.tv_sec, 1700000000);
}
END_TEST

START_TEST(a_put_demanding_the_version_before_theirs_is_refused)
{
	struct backend_put_request more = {
		.precondition.condition = STORE_IF_VERSION,
	};
	struct store_info info;

	open_store();
	OK(put_as("a", "1", 1, NULL, &info));
	more.precondition.version = info.version;
	run_sql("UPDATE " TABLE " SET data = x'32', "
		"modified_at = modified_at + 1");
	FAILS(STORE_CHANGED, put_as("a", "3", 1, &more, NULL));
	expect("a", "2");
	OK(stat_of("a", &info));
	more.precondition.version = info.version;
	OK(put_as("a", "3", 1, &more, NULL));
	expect("a", "3");
}
END_TEST

START_TEST(what_they_know_of_a_file_survives_a_keeping_put)
{
	struct backend_put_request keep = { .flags = BACKEND_PUT_KEEP };
	struct store_details details;
	struct store_info info;

	open_store();
	run_sql("INSERT INTO " TABLE " (key, data, size, modified_at, "
		"content_type, digest, extra, user_metadata) VALUES "
		"('a', x'31', 1, 1.5, 'text/plain', 'sha256:00', '{}', "
		"'{\"owner\": \"them\"}')");
	store_details_init(&details);
	OK(ops->stat(self, &context, "a", &info, &details, &error));
	ck_assert_str_eq(details.digest, "sha256:00");
	ck_assert_str_eq(store_metadata_get(&details.metadata, "owner"),
			 "them");
	store_details_release(&details);
	OK(put_as("a", "22", 2, &keep, NULL));
	/* But not the digest of other bytes. */
	ck_assert_str_eq(ask_sql("SELECT quote(content_type) || quote(digest) "
				 "|| quote(extra) || quote(user_metadata) "
				 "FROM " TABLE),
			 "'text/plain'NULL'{}''{\"owner\": \"them\"}'");
	put("a", "3");
	ck_assert_str_eq(ask_sql("SELECT quote(content_type) || quote(extra) "
				 "|| quote(user_metadata) FROM " TABLE),
			 "NULLNULLNULL");
}
END_TEST

/* ---- links ---- */

START_TEST(every_name_of_a_link_is_a_row_with_the_bytes)
{
	struct backend_put_request keep = { .flags = BACKEND_PUT_KEEP };
	struct store_info info;

	open_store();
	put("a", "old");
	OK(ops->link(self, &context, "a", "d/b", &info, &error));
	ck_assert_uint_eq(info.links, 2);
	OK(put_as("d/b", "new", 3, &keep, NULL));
	ck_assert_str_eq(
		ask_sql("SELECT group_concat(key || '=' || "
			"CAST(data AS TEXT)) FROM (SELECT * FROM " TABLE
			" ORDER BY key)"),
		"a=new,d/b=new");
}
END_TEST

START_TEST(their_write_to_one_name_of_a_link_is_not_overwritten)
{
	struct backend_put_request keep = { .flags = BACKEND_PUT_KEEP };
	struct store_info info;

	open_store();
	put("a", "old");
	OK(ops->link(self, &context, "a", "b", &info, &error));
	run_sql("UPDATE " TABLE " SET data = x'68657273', size = 4, "
		"modified_at = modified_at + 1 WHERE key = 'b'");
	OK(put_as("a", "new", 3, &keep, NULL));
	expect("a", "new");
	expect("b", "hers");
	OK(put_as("b", "both", 4, &keep, NULL));
	expect("a", "new");
	expect("b", "both");
	OK(stat_of("a", &info));
	ck_assert_uint_eq(info.links, 1);
	OK(stat_of("b", &info));
	ck_assert_uint_eq(info.links, 1);
}
END_TEST

/* ---- folders ---- */

START_TEST(their_folder_goes_with_its_last_file_unless_it_was_made)
{
	struct store_info info;

	open_store();
	run_sql(INSERT "('d/e/a', x'31', 1, 1.0), ('f/b', x'32', 1, 1.0)");
	OK(stat_of("d/e", &info));
	ck_assert(info.implicit);
	OK(ops->make_dir(self, &context, "f", NULL, &info, &error));
	ck_assert(!info.implicit);
	OK(remove_file("d/e/a"));
	OK(remove_file("f/b"));
	FAILS(STORE_NOT_FOUND, stat_of("d", &info));
	ck_assert_str_eq(names_in(""), "f/");
}
END_TEST

START_TEST(a_folder_is_renamed_with_their_files_too)
{
	struct backend_move_request move = { .from = "d", .to = "e/f" };
	struct store_info info;

	open_store();
	put("d/ours", "1");
	run_sql(INSERT "('d/x/theirs', x'32', 1, 1.0), ('d0', x'33', 1, 1.0),"
		       "('dx/y', x'34', 1, 1.0)");
	OK(ops->move(self, &context, &move, &info, &error));
	ck_assert_str_eq(ask_sql("SELECT group_concat(key) FROM (SELECT key "
				 "FROM " TABLE " ORDER BY key)"),
			 "d0,dx/y,e/f/ours,e/f/x/theirs");
	expect("e/f/ours", "1");
}
END_TEST

/* D5, and keys no path has. */
START_TEST(every_name_is_listed_once_whatever_they_put_there)
{
	struct store_info info;

	open_store();
	put("m/x", "1");
	run_sql(INSERT "('a', x'31', 1, 1.0), ('a/f', x'32', 1, 1.0), "
		       "('a-b', x'31', 1, 1.0), ('a.b/c', x'31', 1, 1.0), "
		       "('m', x'31', 1, 1.0), ('//x', x'31', 1, 1.0), "
		       "('../y', x'31', 1, 1.0), ('p//q', x'31', 1, 1.0)");
	ck_assert_str_eq(names_in(""), "a a-b a.b/ a/ m m/ p/");
	OK(stat_of("m", &info));
	ck_assert_int_eq(info.type, STORE_TYPE_FOLDER);
	OK(remove_file("m"));
	ck_assert_str_eq(names_in(""), "a a-b a.b/ a/ m/ p/");
	ck_assert_str_eq(names_in("m"), "x");
}
END_TEST

START_TEST(their_file_in_the_place_of_a_symlink_is_the_file)
{
	struct backend_node_request node = { .key = "l",
					     .type = STORE_TYPE_SYMLINK,
					     .target = "x" };
	struct store_info info;

	open_store();
	OK(ops->make_node(self, &context, &node, &info, &error));
	run_sql(INSERT "('l', x'31', 1, 1.0)");
	OK(stat_of("l", &info));
	ck_assert_int_eq(info.type, STORE_TYPE_FILE);
	ck_assert_str_eq(names_in(""), "l");
	expect("l", "1");
	put("l", "2");
	expect("l", "2");
	OK(remove_file("l"));
	ck_assert_str_eq(names_in(""), "");
	FAILS(STORE_NOT_FOUND, stat_of("l", &info));
}
END_TEST

START_TEST(totals_count_both_tables)
{
	struct backend_node_request node = { .key = "d/l",
					     .type = STORE_TYPE_SYMLINK,
					     .target = "target" };
	struct store_totals totals;
	struct store_info info;

	open_store();
	put("d/a", "123");
	put("d/e/b", "4");
	OK(ops->make_dir(self, &context, "d/empty", NULL, &info, &error));
	OK(ops->make_node(self, &context, &node, &info, &error));
	run_sql(INSERT "('d/f/g/h', x'3132', 2, 5000000000.0), "
		       "('d/f/i', x'31', 1, 1.0), ('d/f.x/j', x'31', 1, 1.0)");
	OK(ops->totals(self, &context, "d", &totals, &error));
	ck_assert_uint_eq(totals.files, 6);
	ck_assert_uint_eq(totals.bytes, 8);
	/* e, empty, f, f/g, f.x */
	ck_assert_uint_eq(totals.folders, 5);
	ck_assert_int_eq(totals.newest.tv_sec, 5000000000);
	FAILS(STORE_NOT_DIR,
	      ops->totals(self, &context, "d/a", &totals, &error));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("shared");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, a_table_of_another_making_is_used_as_it_is);
	tcase_add_test(tests, reading_adds_nothing_to_their_database);
	tcase_add_test(tests, tables_made_by_another_process_are_seen);
	tcase_add_test(tests, large_files_work_in_their_table);
	tcase_add_test(tests, a_body_that_is_text_is_bytes);
	tcase_add_test(tests,
		       two_tables_of_one_database_have_nothing_in_common);
	tcase_add_test(tests, key_and_data_are_enough);
	tcase_add_test(tests,
		       what_must_not_be_made_is_not_found_until_it_is_there);
	tcase_add_test(tests,
		       their_write_keeps_the_mode_and_moves_time_and_version);
	tcase_add_test(tests, their_replacing_rename_is_a_change);
	tcase_add_test(tests,
		       a_file_they_removed_leaves_nothing_to_its_successor);
	tcase_add_test(tests,
		       a_reader_never_mixes_their_version_with_the_old_one);
	tcase_add_test(tests, attributes_of_their_file_keep_its_version);
	tcase_add_test(tests,
		       a_put_demanding_the_version_before_theirs_is_refused);
	tcase_add_test(tests, what_they_know_of_a_file_survives_a_keeping_put);
	tcase_add_test(tests, every_name_of_a_link_is_a_row_with_the_bytes);
	tcase_add_test(tests,
		       their_write_to_one_name_of_a_link_is_not_overwritten);
	tcase_add_test(tests,
		       their_folder_goes_with_its_last_file_unless_it_was_made);
	tcase_add_test(tests, a_folder_is_renamed_with_their_files_too);
	tcase_add_test(tests,
		       every_name_is_listed_once_whatever_they_put_there);
	tcase_add_test(tests, their_file_in_the_place_of_a_symlink_is_the_file);
	tcase_add_test(tests, totals_count_both_tables);
	return unit_run("sqlite-shared", tests);
}
