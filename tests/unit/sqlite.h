/* SPDX-License-Identifier: MIT */
/*
 * What the tests of the SQLite store share: a database in a folder of its
 * own, the operations on it, and another client played by plain SQL.
 */
#ifndef STOREFS_TESTS_UNIT_SQLITE_H
#define STOREFS_TESTS_UNIT_SQLITE_H

#include <check.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/registry.h"
#include "backends/sqlite/database.h"
#include "src/base/cleanup.h"
#include "src/option.h"

#define TABLE "remote_store_objects"
/* As SQLAlchemy makes it for remote-store. */
#define THEIR_TABLE                                                        \
	"CREATE TABLE " TABLE " (key TEXT NOT NULL, data BLOB NOT NULL, "  \
	"size INTEGER NOT NULL, modified_at FLOAT NOT NULL, "              \
	"content_type TEXT, digest TEXT, extra TEXT, user_metadata TEXT, " \
	"PRIMARY KEY (key))"
#define INSERT "INSERT INTO " TABLE " (key, data, size, modified_at) VALUES "

static const struct store_backend *const ops = &sqlite_backend;
static void *self;
static struct store_context context;
static struct store_error error;
static char folder[256];
static char path[288];

#define OK(call) expect_code(STORE_OK, (call), #call, __LINE__)
#define FAILS(code, call) expect_code((code), (call), #call, __LINE__)

static inline void expect_code(int wanted, int code, const char *call, int line)
{
	ck_assert_msg(code == wanted, "line %d: %s is %s, not %s: %s", line,
		      call, store_code_name(code), store_code_name(wanted),
		      error.message);
	if (code)
		ck_assert_msg(error.code == code && error.message[0],
			      "line %d: %s left no error", line, call);
	store_error_clear(&error);
}

/* ---- the store ---- */

/* Configured, not opened; `options` are "name=value" pairs, NULL-ended. */
static inline void configure(const char *const *options)
{
	struct option_values *values = NULL;

	OK(option_values_new(ops->options, &values, &error));
	OK(option_values_set(values, "path", path, "test", &error));
	for (; options && *options; options += 2)
		OK(option_values_set(values, options[0], options[1], "test",
				     &error));
	OK(ops->configure(values, &self, &error));
	option_values_free(values);
}

static inline void open_with(const char *const *options)
{
	configure(options);
	OK(ops->open(self, &context, &error));
}

static inline void open_store(void)
{
	open_with(NULL);
}

static inline void close_store(void)
{
	if (self)
		ops->close(self);
	self = NULL;
}

static inline void begin(void)
{
	const char *base = getenv("TMPDIR");

	snprintf(folder, sizeof(folder), "%.230s/sqlite-XXXXXX",
		 base && *base ? base : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/store.db", folder);
	store_context_init(&context, 0, NULL);
	store_error_clear(&error);
}

static inline int remove_one(const char *name, const struct stat *st UNUSED,
			     int kind UNUSED, struct FTW *place UNUSED)
{
	return remove(name);
}

static inline void end(void)
{
	close_store();
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline int put_as(const char *key, const void *data, size_t size,
			 const struct backend_put_request *more,
			 struct store_info *info)
{
	struct backend_put_request request = { .flags = 0 };
	struct store_memory_source memory;
	struct store_info unused;

	if (more)
		request = *more;
	request.key = key;
	request.source = store_memory_source_init(&memory, data, size);
	return ops->put(self, &context, &request, info ? info : &unused,
			&error);
}

static inline void put(const char *key, const char *text)
{
	OK(put_as(key, text, strlen(text), NULL, NULL));
}

static inline int stat_of(const char *key, struct store_info *info)
{
	return ops->stat(self, &context, key, info, NULL, &error);
}

static inline void expect(const char *key, const char *text)
{
	struct store_info info;
	void *reader = NULL;
	char data[256];
	size_t got = 0;

	OK(ops->open_reader(self, &context, key, NULL, &reader, &info, &error));
	OK(ops->read(self, &context, reader, 0, data, sizeof(data) - 1, &got,
		     &error));
	data[got] = '\0';
	ck_assert_str_eq(data, text);
	ck_assert_uint_eq(info.size, got);
	ops->close_reader(self, reader);
}

/* Names in a folder, folders with '/', joined by ' '. */
static inline const char *names_in(const char *key)
{
	static char names[4096];
	struct backend_list_request request = { .prefix = key, .limit = 3 };
	struct store_page page;
	char *cursor = NULL;

	names[0] = '\0';
	do {
		store_page_init(&page);
		request.cursor = cursor;
		OK(ops->list(self, &context, &request, &page, &error));
		for (size_t i = 0; i < page.count; i++)
			snprintf(names + strlen(names),
				 sizeof(names) - strlen(names), "%s%s%s",
				 names[0] ? " " : "", page.entries[i].name,
				 page.entries[i].info.type == STORE_TYPE_FOLDER
					 ? "/"
					 : "");
		free(cursor);
		cursor = page.next ? strdup(page.next) : NULL;
		store_page_release(&page);
	} while (cursor);
	return names;
}

/* ---- the other client ---- */

static inline sqlite3 *their_connection(void)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 10000);
	return db;
}

static inline void run_sql(const char *sql)
{
	sqlite3 *db = their_connection();
	char *message = NULL;

	if (sqlite3_exec(db, sql, NULL, NULL, &message))
		ck_abort_msg("%s: %s", sql, message);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* The first column of the first row, "(none)" without one. */
static inline const char *ask_sql(const char *sql)
{
	static char answer[4096];
	sqlite3 *db = their_connection();
	sqlite3_stmt *s = NULL;
	const char *text = "(none)";

	ck_assert_msg(!sqlite3_prepare_v2(db, sql, -1, &s, NULL), "%s: %s", sql,
		      sqlite3_errmsg(db));
	if (sqlite3_step(s) == SQLITE_ROW) {
		text = (const char *)sqlite3_column_text(s, 0);
		text = text ? text : "NULL";
	}
	snprintf(answer, sizeof(answer), "%s", text);
	sqlite3_finalize(s);
	ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
	return answer;
}

#endif
