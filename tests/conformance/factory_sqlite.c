// SPDX-License-Identifier: MIT
/*
 * The conformance suite on the SQLite store, and B3: the table is that of
 * remote-store, which is played here by plain SQL.
 */
#include "config.h"

#include "tests/conformance/conf.h"

#include <sqlite3.h>
#include <stdio.h>
#include <time.h>

#define TABLE "remote_store_objects"

static char database[512];

static void sqlite_begin(const char *scratch)
{
	snprintf(database, sizeof(database), "%s/store.db", scratch);
}

static struct store *sqlite_open(struct store_error *error)
{
	char url[sizeof(database) + 16];
	struct store *store = NULL;

	snprintf(url, sizeof(url), "sqlite:///%s", database);
	return store_open_url(url, NULL, &store, error) ? NULL : store;
}

static sqlite3 *connection(void)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(database, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	return db;
}

/* Run SQL as another program would. */
static void run_sql(const char *sql)
{
	sqlite3 *db = connection();
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message))
		ck_abort_msg("%s: %s", sql, message);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* Not even the size is another one. */
static void sqlite_change(const char *key)
{
	char *sql = sqlite3_mprintf("UPDATE " TABLE
				    " SET data = zeroblob(size), modified_at "
				    "= modified_at + 1 WHERE key = %Q",
				    key);

	ck_assert_ptr_nonnull(sql);
	run_sql(sql);
	sqlite3_free(sql);
}

/* The first column of the first row as text; malloc'd, "" for NULL. */
static char *ask_sql(const char *sql)
{
	sqlite3 *db = connection();
	sqlite3_stmt *statement = NULL;
	const unsigned char *text;
	char *answer;

	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL),
			 SQLITE_OK);
	ck_assert_msg(sqlite3_step(statement) == SQLITE_ROW, "no row: %s", sql);
	text = sqlite3_column_text(statement, 0);
	answer = strdup(text ? (const char *)text : "");
	ck_assert_ptr_nonnull(answer);
	sqlite3_finalize(statement);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	return answer;
}

static void expect_sql(const char *sql, const char *wanted)
{
	char *answer = ask_sql(sql);

	ck_assert_msg(strcmp(answer, wanted) == 0, "%s: %s, not %s", sql,
		      answer, wanted);
	free(answer);
}

#define INSERT "INSERT INTO " TABLE " (key, data, size, modified_at) VALUES "

/* B3 */
START_TEST(rows_of_others_are_files)
{
	struct store_info info;

	CONF_OK(conf_put("own", "1"));
	run_sql(INSERT "('theirs/a b.txt', x'68656c6c6f', 5, 1700000000.25)");
	conf_expect("theirs/a b.txt", "hello");
	conf_expect_names("", "own theirs/ theirs/a b.txt");
	CONF_OK(conf_stat("theirs/a b.txt", &info));
	ck_assert_int_eq(info.attributes.mtime.tv_sec, 1700000000);
	ck_assert_int_eq(info.attributes.mtime.tv_nsec, 250000000);
	ck_assert_uint_ne(info.version.token[0], 0);
}
END_TEST

/* B3 */
START_TEST(files_are_rows_for_others)
{
	CONF_OK(conf_put("d/a", "hello"));
	expect_sql("SELECT CAST(data AS TEXT) FROM " TABLE " WHERE key = 'd/a'",
		   "hello");
	expect_sql("SELECT size FROM " TABLE " WHERE key = 'd/a'", "5");
	expect_sql("SELECT typeof(data) FROM " TABLE " WHERE key = 'd/a'",
		   "blob");
	expect_sql("SELECT typeof(modified_at) FROM " TABLE
		   " WHERE key = 'd/a'",
		   "real");
	expect_sql(
		"SELECT abs(modified_at - strftime('%s', 'now')) < 60 FROM " TABLE
		" WHERE key = 'd/a'",
		"1");
}
END_TEST

/* B3: empty folders, links and nodes are no rows that others stumble on. */
START_TEST(others_never_meet_marker_rows)
{
	struct store_node fifo = { .type = STORE_TYPE_FIFO };
	struct store_node symlink = { .type = STORE_TYPE_SYMLINK,
				      .target = "t" };

	CONF_OK(store_make_folder(conf_store, NULL, "empty", NULL, NULL,
				  &conf_error));
	CONF_OK(store_make_node(conf_store, NULL, "fifo", &fifo, NULL,
				&conf_error));
	CONF_OK(store_make_node(conf_store, NULL, "sym", &symlink, NULL,
				&conf_error));
	CONF_OK(conf_put("d/f", "1"));
	expect_sql("SELECT count(*) FROM " TABLE, "1");
	expect_sql("SELECT group_concat(key) FROM " TABLE, "d/f");
}
END_TEST

/* B3 */
START_TEST(deletions_and_changes_of_others_are_seen)
{
	struct store_info before;
	struct store_info after;

	CONF_OK(conf_put("a", "mine"));
	CONF_OK(conf_put("b", "mine"));
	CONF_OK(conf_stat("a", &before));
	run_sql("UPDATE " TABLE " SET data = x'746865697273', size = 6, "
		"modified_at = modified_at + 1 WHERE key = 'a'");
	conf_expect("a", "theirs");
	CONF_OK(conf_stat("a", &after));
	ck_assert(!store_version_equal(&before.version, &after.version));
	run_sql("DELETE FROM " TABLE " WHERE key = 'b'");
	conf_expect_gone("b");
	conf_expect_names("", "a");
	CONF_OK(conf_put("b", "again"));
	conf_expect("b", "again");
}
END_TEST

/* D5: a flat table may hold a file and a folder of one name. */
START_TEST(a_file_and_a_folder_of_one_name_are_both_reachable)
{
	struct store_info info;
	void *data = NULL;
	size_t size;

	CONF_OK(conf_put("x", "1"));
	run_sql(INSERT "('a', x'31', 1, 1.0), ('a/f', x'32', 1, 1.0)");
	conf_expect("a/f", "2");
	/* What a mount shows is the folder; reading finds the file. */
	CONF_OK(conf_stat("a", &info));
	ck_assert_int_eq(info.type, STORE_TYPE_FOLDER);
	CONF_OK(store_read_all(conf_store, NULL, "a", 10, &data, &size,
			       &conf_error));
	ck_assert_mem_eq(data, "1", size);
	ck_assert_uint_eq(size, 1);
	free(data);
	CONF_OK(store_delete(conf_store, NULL, "a", false, &conf_error));
	conf_expect_names("", "a/ a/f x");
}
END_TEST

/* K4 as a fuller set of names than LIKE and GLOB get right. */
START_TEST(names_of_others_are_matched_exactly)
{
	struct store_delete_folder_options all = { .recursive = true };

	CONF_OK(conf_put("x", "1"));
	run_sql(INSERT "('a_b/x', x'31', 1, 1.0), ('axb/y', x'31', 1, 1.0),"
		       "('a%/z', x'31', 1, 1.0), ('A_B/q', x'31', 1, 1.0),"
		       "('a[b]/z', x'31', 1, 1.0), ('ab/z', x'31', 1, 1.0),"
		       "('a*/z', x'31', 1, 1.0), ('a_b0', x'31', 1, 1.0)");
	CONF_OK(store_delete_folder(conf_store, NULL, "a_b", &all,
				    &conf_error));
	CONF_OK(store_delete_folder(conf_store, NULL, "a%", &all, &conf_error));
	CONF_OK(store_delete_folder(conf_store, NULL, "a[b]", &all,
				    &conf_error));
	CONF_OK(store_delete_folder(conf_store, NULL, "a*", &all, &conf_error));
	expect_sql("SELECT group_concat(key) FROM (SELECT key FROM " TABLE
		   " ORDER BY key)",
		   "A_B/q,a_b0,ab/z,axb/y,x");
}
END_TEST

static void sqlite_extra(void)
{
	conf_add("B3", 0, rows_of_others_are_files);
	conf_add("B3", 0, files_are_rows_for_others);
	conf_add("B3", 0, others_never_meet_marker_rows);
	conf_add("B3", 0, deletions_and_changes_of_others_are_seen);
	conf_add("D5", 0, a_file_and_a_folder_of_one_name_are_both_reachable);
	conf_add("K4", 0, names_of_others_are_matched_exactly);
}

const struct conf_backend conf_backend = {
	.name = "sqlite",
	.backend = "sqlite",
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_COPY |
			STORE_CAP_ATOMIC_WRITE | STORE_CAP_METADATA |
			STORE_CAP_USER_METADATA | STORE_CAP_ATOMIC_MOVE |
			STORE_CAP_SEEKABLE_READ | STORE_CAP_LAZY_READ |
			STORE_CAP_WRITE_RESULT | STORE_CAP_CONDITIONAL |
			STORE_CAP_FOLDERS | STORE_CAP_MOVE_FOLDER |
			STORE_CAP_POSIX | STORE_CAP_LINKS | STORE_CAP_SYMLINKS |
			STORE_CAP_NODES | STORE_CAP_XATTR |
			STORE_CAP_PUBLISH_ID | STORE_CAP_NEAR,
	.optional = STORE_CAP_GLOB | STORE_CAP_COMPOSE | STORE_CAP_PINNED_READ |
		    STORE_CAP_EXCHANGE | STORE_CAP_USAGE,
	.keeps_ids = STORE_CAP_POSIX,
	.persistent = true,
	/* SQLite's limit of a row is 10^9 bytes, its key included. */
	.largest = 999999999,
	.begin = sqlite_begin,
	.open = sqlite_open,
	.change = sqlite_change,
	.extra = sqlite_extra,
};
