// SPDX-License-Identifier: MIT
/*
 * SQLite store: what things cost.  Counted in steps of statements, pages read
 * and bytes of the log, never in time.
 */
#include "config.h"

#include <stdlib.h>

#include "tests/unit/sqlite.h"
#include "tests/unit/unit.h"

enum { PAGE = 8192 };

static void begin_open(void)
{
	begin();
	open_store();
}

/* A body of which nothing is in memory. */
static int pattern_read(struct store_source *source UNUSED, uint64_t offset,
			void *data, size_t length,
			struct store_error *failure UNUSED)
{
	for (size_t i = 0; i < length; i++)
		((unsigned char *)data)[i] =
			(unsigned char)((offset + i) / 4096 * 7 + 1);
	return STORE_OK;
}

static void put_big(const char *key, uint64_t size, struct store_info *info)
{
	struct store_source source = { .size = size, .read = pattern_read };
	struct backend_put_request request = { .key = key, .source = &source };

	OK(ops->put(self, &context, &request, info, &error));
}

/* The reader that was used last; there is one, since nobody else reads. */
static struct sqlite_connection *last_reader(void)
{
	struct sqlite_database *database = self;

	ck_assert_ptr_nonnull(database->idle);
	return database->idle;
}

static int steps_of(enum sqlite_sql which)
{
	sqlite3_stmt *s = last_reader()->statements[which];

	return s ? sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1) : 0;
}

static int pages_read(bool reset)
{
	int now = 0;
	int most;

	sqlite3_db_status(last_reader()->db, SQLITE_DBSTATUS_CACHE_MISS, &now,
			  &most, reset);
	return now;
}

static off_t log_bytes(void)
{
	char name[sizeof(path) + 8];
	struct stat st;

	snprintf(name, sizeof(name), "%s-wal", path);
	return stat(name, &st) ? 0 : st.st_size;
}

/* The next write begins an empty log. */
static void empty_log(void)
{
	run_sql("PRAGMA wal_checkpoint(TRUNCATE)");
	ck_assert_int_eq(log_bytes(), 0);
}

/* ---- plans ---- */

static void expect_no_scan(struct sqlite_connection *connection,
			   enum sqlite_sql which)
{
	sqlite3_stmt *s = sqlite_prepare(connection, which, &error);
	sqlite3_stmt *plan = NULL;
	char *sql;

	ck_assert_msg(s != NULL, "%s", error.message);
	sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", sqlite3_sql(s));
	ck_assert_int_eq(
		sqlite3_prepare_v2(connection->db, sql, -1, &plan, NULL),
		SQLITE_OK);
	while (sqlite3_step(plan) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(plan, 3);

		/* The parameters as a table of one row. */
		if (!strcmp(line, "SCAN k") || strstr(line, "CONSTANT ROW"))
			continue;
		ck_assert_msg(!strstr(line, "SCAN"), "%s: %s", sql, line);
		ck_assert_msg(!strstr(line, "TEMP B-TREE"), "%s: %s", sql,
			      line);
	}
	sqlite3_finalize(plan);
	sqlite3_free(sql);
}

/* Everything from the first question to the last change. */
static void expect_no_scans(void)
{
	struct sqlite_database *database = self;

	put("a", "1");
	for (int i = SQL_LOOKUP; i < SQL_STATEMENTS; i++)
		expect_no_scan(database->writer, (enum sqlite_sql)i);
}

START_TEST(no_statement_scans_a_table)
{
	expect_no_scans();
}
END_TEST

START_TEST(no_statement_scans_a_table_of_another_making)
{
	close_store();
	unlink(path);
	run_sql(THEIR_TABLE);
	open_store();
	expect_no_scans();
}
END_TEST

START_TEST(asking_never_touches_the_bodies)
{
	struct sqlite_database *database = self;
	sqlite3_stmt *plan = NULL;
	bool covered = false;
	char *sql;

	put("a", "1");
	sql = sqlite3_mprintf("EXPLAIN QUERY PLAN %s",
			      sqlite3_sql(sqlite_prepare(database->writer,
							 SQL_LIST, &error)));
	ck_assert(!sqlite3_prepare_v2(database->writer->db, sql, -1, &plan,
				      NULL));
	while (sqlite3_step(plan) == SQLITE_ROW)
		covered |= strstr((const char *)sqlite3_column_text(plan, 3),
				  "COVERING INDEX") != NULL;
	ck_assert_msg(covered, "%s", sql);
	sqlite3_finalize(plan);
	sqlite3_free(sql);
}
END_TEST

/* ---- listing ---- */

static void many_below(const char *prefix, int count)
{
	char sql[512];

	snprintf(sql, sizeof(sql),
		 "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 "
		 "FROM n WHERE i < %d) INSERT INTO " TABLE
		 " (key, data, size, modified_at) SELECT '%s' || i, x'31', 1, "
		 "1.0 FROM n",
		 count - 1, prefix);
	run_sql(sql);
}

START_TEST(listing_a_folder_does_not_walk_what_is_deeper)
{
	put("a", "1");
	put("z", "1");
	many_below("d/", 10);
	ck_assert_str_eq(names_in(""), "a d/ z");
	(void)steps_of(SQL_LIST);
	ck_assert_str_eq(names_in(""), "a d/ z");
	int few = steps_of(SQL_LIST);

	many_below("d/more/", 20000);
	(void)names_in("");
	(void)steps_of(SQL_LIST);
	ck_assert_str_eq(names_in(""), "a d/ z");
	ck_assert_int_le(steps_of(SQL_LIST), few);
}
END_TEST

START_TEST(a_page_costs_its_entries)
{
	struct backend_list_request request = { .prefix = "d", .limit = 100 };
	struct store_page page;
	int first;

	many_below("d/f", 20000);
	store_page_init(&page);
	OK(ops->list(self, &context, &request, &page, &error));
	ck_assert_uint_eq(page.count, 100);
	store_page_release(&page);
	first = steps_of(SQL_LIST);
	/* Far in the folder as cheap as at its beginning. */
	request.cursor = "ff19000";
	OK(ops->list(self, &context, &request, &page, &error));
	ck_assert_uint_eq(page.count, 100);
	store_page_release(&page);
	ck_assert_int_le(steps_of(SQL_LIST), first + 100);
}
END_TEST

/* ---- bodies ---- */

START_TEST(a_range_of_a_large_file_costs_a_range)
{
	uint64_t size = 256 << 20;
	struct store_info info;
	unsigned char data[4096];
	void *reader = NULL;
	size_t got;

	put_big("big", size, &info);
	/* From the database itself, and by a reader that has seen nothing. */
	close_store();
	open_store();
	OK(ops->open_reader(self, &context, "big", NULL, &reader, &info,
			    &error));
	(void)pages_read(true);
	OK(ops->read(self, &context, reader, size - 4096, data, sizeof(data),
		     &got, &error));
	ck_assert_uint_eq(got, sizeof(data));
	ck_assert_uint_eq(data[17],
			  (unsigned char)((size - 4096) / 4096 * 7 + 1));
	/* Pointer maps: one page in 1,600. */
	ck_assert_int_le(pages_read(true), 256 * 1024 * 1024 / PAGE / 1000);
	ops->close_reader(self, reader);
}
END_TEST

START_TEST(an_edit_inside_a_large_file_writes_that_edit)
{
	uint64_t size = 32 << 20;
	struct store_range keep[2] = {
		{ 0, 10 << 20 },
		{ (10 << 20) + 5000, (22 << 20) - 5000 },
	};
	struct store_source source = { .size = size, .read = pattern_read };
	struct backend_put_request request = {
		.key = "big",
		.source = &source,
		.flags = BACKEND_PUT_KEEP,
		.precondition.condition = STORE_IF_VERSION,
		.keep = keep,
		.keep_count = 2,
	};
	struct store_info before;
	struct store_info after;

	put_big("big", size, &before);
	empty_log();
	request.precondition.version = before.version;
	OK(ops->put(self, &context, &request, &after, &error));
	ck_assert_int_gt(log_bytes(), 0);
	ck_assert_int_lt(log_bytes(), 40 * PAGE);
	ck_assert(!store_version_equal(&before.version, &after.version));
	ck_assert_uint_eq(after.size, size);
	FAILS(STORE_CHANGED,
	      ops->put(self, &context, &request, &after, &error));
	/* The row looks as before; every edit is a version all the same. */
	before = after;
	request.precondition.version = before.version;
	OK(ops->put(self, &context, &request, &after, &error));
	ck_assert(!after.version.weak);
	ck_assert(!store_version_equal(&before.version, &after.version));
	FAILS(STORE_CHANGED,
	      ops->put(self, &context, &request, &after, &error));
}
END_TEST

START_TEST(attributes_of_a_large_file_do_not_rewrite_it)
{
	struct store_attributes attributes = {
		.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME,
		.mode = 0600,
		.mtime = { .tv_sec = 1000000000, .tv_nsec = 123456789 },
	};
	struct store_info before;
	struct store_info after;

	put_big("big", 32 << 20, &before);
	empty_log();
	OK(ops->set_attributes(self, &context, "big", &attributes, &after,
			       &error));
	ck_assert_int_lt(log_bytes(), 20 * PAGE);
	ck_assert_int_eq(after.attributes.mtime.tv_nsec, 123456789);
	ck_assert(store_version_equal(&before.version, &after.version));
}
END_TEST

static void expect_pattern(const char *key, uint64_t size)
{
	static unsigned char data[1 << 20];
	static unsigned char wanted[1 << 20];
	struct store_info info;
	void *reader = NULL;
	uint64_t at;
	size_t got;

	OK(ops->open_reader(self, &context, key, NULL, &reader, &info, &error));
	ck_assert_uint_eq(info.size, size);
	for (at = 0; at < size; at += got) {
		OK(ops->read(self, &context, reader, at, data, sizeof(data),
			     &got, &error));
		ck_assert_uint_gt(got, 0);
		(void)pattern_read(NULL, at, wanted, got, NULL);
		ck_assert_mem_eq(data, wanted, got);
	}
	ops->close_reader(self, reader);
}

START_TEST(large_files_pass_through_little_memory)
{
	uint64_t size = (64 << 20) + 5;
	struct store_range keep = { 0, 64 << 20 };
	struct store_source source = { .size = size + 4096,
				       .read = pattern_read };
	struct backend_put_request append = {
		.key = "big",
		.source = &source,
		.flags = BACKEND_PUT_KEEP,
		.precondition.condition = STORE_IF_VERSION,
		.keep = &keep,
		.keep_count = 1,
	};
	struct store_info info;

	(void)sqlite3_memory_highwater(1);
	put_big("big", size, &info);
	append.precondition.version = info.version;
	OK(ops->put(self, &context, &append, &info, &error));
	expect_pattern("big", size + 4096);
	OK(ops->move(self, &context,
		     &(struct backend_move_request){ .from = "big",
						     .to = "d/moved" },
		     &info, &error));
	OK(ops->link(self, &context, "d/moved", "linked", &info, &error));
	OK(ops->move(self, &context,
		     &(struct backend_move_request){ .from = "d", .to = "e" },
		     &info, &error));
	OK(ops->copy(self, &context,
		     &(struct backend_move_request){ .from = "e/moved",
						     .to = "copy" },
		     &info, &error));
	ck_assert_int_lt(sqlite3_memory_highwater(0), 24 << 20);
	expect_pattern("copy", size + 4096);
	expect_pattern("linked", size + 4096);
	expect_pattern("e/moved", size + 4096);
}
END_TEST

START_TEST(large_files_and_folders_exchange_names)
{
	struct backend_move_request swap = { .from = "d/a",
					     .to = "b",
					     .flags = BACKEND_MOVE_EXCHANGE };
	uint64_t size = 5 << 20;
	struct store_info info;

	put_big("d/a", size, &info);
	put("b/small", "1");
	OK(ops->move(self, &context, &swap, &info, &error));
	ck_assert_str_eq(names_in(""), "b d/");
	ck_assert_str_eq(names_in("d"), "a/");
	expect_pattern("b", size);
	expect("d/a/small", "1");
}
END_TEST

START_TEST(a_reader_goes_on_when_its_file_is_renamed)
{
	struct store_info info;
	void *reader = NULL;
	char data[3];
	size_t got;

	put("a", "123");
	OK(ops->open_reader(self, &context, "a", NULL, &reader, &info, &error));
	OK(ops->move(self, &context,
		     &(struct backend_move_request){ .from = "a", .to = "d/b" },
		     &info, &error));
	OK(ops->read(self, &context, reader, 1, data, 2, &got, &error));
	ck_assert_mem_eq(data, "23", 2);
	put("d/b", "456");
	FAILS(STORE_NOT_FOUND,
	      ops->read(self, &context, reader, 1, data, 2, &got, &error));
	ops->close_reader(self, reader);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("cost");

	tcase_add_checked_fixture(tests, begin_open, end);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, no_statement_scans_a_table);
	tcase_add_test(tests, no_statement_scans_a_table_of_another_making);
	tcase_add_test(tests, asking_never_touches_the_bodies);
	tcase_add_test(tests, listing_a_folder_does_not_walk_what_is_deeper);
	tcase_add_test(tests, a_page_costs_its_entries);
	tcase_add_test(tests, a_range_of_a_large_file_costs_a_range);
	tcase_add_test(tests, an_edit_inside_a_large_file_writes_that_edit);
	tcase_add_test(tests, attributes_of_a_large_file_do_not_rewrite_it);
	tcase_add_test(tests, large_files_pass_through_little_memory);
	tcase_add_test(tests, large_files_and_folders_exchange_names);
	tcase_add_test(tests, a_reader_goes_on_when_its_file_is_renamed);
	return unit_run("sqlite-cost", tests);
}
