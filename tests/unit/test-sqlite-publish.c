// SPDX-License-Identifier: MIT
/*
 * SQLite store: ids of puts in databases made before there were any, and
 * under the writes of other clients.
 */
#include "config.h"

#include "tests/unit/sqlite.h"
#include "tests/unit/unit.h"

#define NODES TABLE "_storefs_nodes"

static const uint8_t mine[STORE_PUBLISH_SIZE] = "sixteen bytes";
static const char *const no_create[] = { "create_table", "false", NULL };

static int put_id(const char *key, const char *text, const uint8_t *publish)
{
	struct backend_put_request more = { .publish = publish };

	return put_as(key, text, strlen(text), &more, NULL);
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

static bool claims_ids(void)
{
	return ops->has(self) & STORE_CAP_PUBLISH_ID;
}

static bool has_column(void)
{
	return strcmp(ask_sql("SELECT count(*) FROM pragma_table_info('" NODES
			      "') WHERE name = 'publish'"),
		      "1") == 0;
}

/*
 * As versions before ids left it: d/a of mode 0640 with two names.  Closed.
 */
static void make_older(void)
{
	struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					 .mode = 0640 };
	struct backend_put_request more = { .attributes = &mode };
	struct store_info info;

	open_store();
	OK(put_as("d/a", "old", 3, &more, NULL));
	OK(ops->link(self, &context, "d/a", "b", &info, &error));
	close_store();
	run_sql("ALTER TABLE " NODES " DROP COLUMN publish");
	ck_assert(!has_column());
}

static void expect_older_content(void)
{
	struct store_info info;

	expect("d/a", "old");
	OK(stat_of("b", &info));
	ck_assert_uint_eq(info.attributes.mode, 0640);
	ck_assert_uint_eq(info.links, 2);
	ck_assert_str_eq(names_in(""), "b d/");
	ck_assert(!has_id("d/a"));
}

/* ---- databases made before ---- */

START_TEST(an_older_database_is_read_as_it_is)
{
	make_older();
	open_store();
	ck_assert(claims_ids());
	expect_older_content();
	ck_assert(!has_column());
}
END_TEST

START_TEST(the_first_write_to_an_older_database_makes_room_for_ids)
{
	make_older();
	open_store();
	OK(put_id("c", "new", mine));
	ck_assert(has_column());
	ck_assert(has_id("c"));
	OK(put_id("d/a", "newer", mine));
	ck_assert(has_id("d/a"));
	ck_assert(!has_id("b"));
	close_store();
	open_store();
	expect("b", "old");
	ck_assert(has_id("c"));
	ck_assert(has_id("d/a"));
}
END_TEST

START_TEST(any_write_to_an_older_database_makes_room_for_ids)
{
	struct store_info info;

	make_older();
	open_store();
	OK(ops->make_dir(self, &context, "e", NULL, &info, &error));
	ck_assert(has_column());
	OK(put_id("c", "new", mine));
	ck_assert(has_id("c"));
}
END_TEST

/* The column comes and goes with the transaction that needs it. */
START_TEST(a_write_that_fails_leaves_an_older_database_as_it_was)
{
	struct backend_put_request more = {
		.precondition.condition = STORE_IF_ABSENT,
		.publish = mine,
	};

	make_older();
	open_store();
	FAILS(STORE_EXISTS, put_as("d/a", "new", 3, &more, NULL));
	ck_assert(!has_column());
	expect_older_content();
	OK(put_as("c", "new", 3, &more, NULL));
	ck_assert(has_column());
	ck_assert(has_id("c"));
}
END_TEST

START_TEST(ids_another_process_made_room_for_are_seen)
{
	void *first;

	make_older();
	open_store();
	expect_older_content();
	first = self;
	open_store();
	OK(put_id("c", "new", mine));
	close_store();
	self = first;
	ck_assert(has_id("c"));
	OK(put_id("d/a", "newer", mine));
	ck_assert(has_id("d/a"));
}
END_TEST

START_TEST(an_older_database_we_may_not_change_goes_without_ids)
{
	make_older();
	open_with(no_create);
	ck_assert(!claims_ids());
	expect_older_content();
	OK(put_id("c", "new", mine));
	expect("c", "new");
	ck_assert(!has_id("c"));
	ck_assert(!has_column());
}
END_TEST

START_TEST(tables_without_ours_or_without_times_claim_no_ids)
{
	run_sql(THEIR_TABLE);
	open_with(no_create);
	ck_assert(!claims_ids());
	OK(put_id("a", "1", mine));
	ck_assert(!has_id("a"));
	close_store();
	run_sql("DROP TABLE " TABLE ";"
		"CREATE TABLE " TABLE " (key TEXT PRIMARY KEY, data BLOB)");
	open_store();
	ck_assert(!claims_ids());
	OK(put_id("a", "1", mine));
	expect("a", "1");
}
END_TEST

START_TEST(a_table_of_another_making_gets_ids_beside_it)
{
	run_sql(THEIR_TABLE ";" INSERT "('a', x'31', 1, 1.0)");
	open_store();
	ck_assert(claims_ids());
	ck_assert(!has_id("a"));
	OK(put_id("a", "2", mine));
	ck_assert(has_id("a"));
}
END_TEST

/* ---- their writes ---- */

START_TEST(what_they_wrote_came_by_no_put)
{
	struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					 .mode = 0600 };
	struct store_info info;

	open_store();
	OK(put_id("a", "1", mine));
	run_sql("UPDATE " TABLE " SET data = x'32', "
		"modified_at = modified_at + 1");
	ck_assert(!has_id("a"));
	/* Also once the file has a row of ours again. */
	OK(ops->set_attributes(self, &context, "a", &mode, &info, &error));
	ck_assert(!has_id("a"));
	OK(put_id("a", "3", mine));
	ck_assert(has_id("a"));
	run_sql("DELETE FROM " TABLE ";" INSERT "('a', x'34', 1, 1.0)");
	ck_assert(!has_id("a"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("publish");

	tcase_add_checked_fixture(tests, begin, end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, an_older_database_is_read_as_it_is);
	tcase_add_test(tests,
		       the_first_write_to_an_older_database_makes_room_for_ids);
	tcase_add_test(tests,
		       any_write_to_an_older_database_makes_room_for_ids);
	tcase_add_test(tests,
		       a_write_that_fails_leaves_an_older_database_as_it_was);
	tcase_add_test(tests, ids_another_process_made_room_for_are_seen);
	tcase_add_test(tests,
		       an_older_database_we_may_not_change_goes_without_ids);
	tcase_add_test(tests,
		       tables_without_ours_or_without_times_claim_no_ids);
	tcase_add_test(tests, a_table_of_another_making_gets_ids_beside_it);
	tcase_add_test(tests, what_they_wrote_came_by_no_put);
	return unit_run("sqlite-publish", tests);
}
