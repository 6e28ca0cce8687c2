// SPDX-License-Identifier: MIT
/* Local store: listings, page by page, while names come and go. */
#include "config.h"

#include "tests/unit/local.h"
#include "tests/unit/unit.h"

enum { NAMES = 500, PAGE = 7 };

static void make_names(const char *folder)
{
	int i;

	if (*folder)
		ck_assert_int_eq(mkdir(outside(folder), 0755), 0);
	for (i = 0; i < NAMES; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s%s%d", folder,
			 *folder ? "/" : "", i);
		write_outside(name, "");
	}
}

/* One page behind `cursor`, which is replaced; false at the end. */
static bool next_page(const char *folder, char **cursor, int seen[NAMES],
		      bool remove)
{
	struct store_page page;
	bool more;
	size_t i;

	store_page_init(&page);
	OK(list_page(folder, *cursor, PAGE, &page));
	for (i = 0; i < page.count; i++) {
		char key[64];

		snprintf(key, sizeof(key), "%s%s%s", folder, *folder ? "/" : "",
			 page.entries[i].name);
		seen[strtol(page.entries[i].name, NULL, 10)]++;
		if (remove)
			OK(ops->remove(self, &context, key, &any, &error));
	}
	free(*cursor);
	*cursor = steal_pointer(&page.next);
	more = *cursor != NULL;
	store_page_release(&page);
	return more;
}

static void expect_each_once(const int seen[NAMES])
{
	int i;

	for (i = 0; i < NAMES; i++)
		ck_assert_msg(seen[i] == 1, "%d was listed %d times", i,
			      seen[i]);
}

START_TEST(removing_while_paging_sees_each_name_once)
{
	static int seen[NAMES];
	char *cursor = NULL;

	make_names("");
	while (next_page("", &cursor, seen, true))
		continue;
	expect_each_once(seen);
	ck_assert_uint_eq(count_names(""), 0);
}
END_TEST

START_TEST(more_listings_than_are_kept_open_go_on_all_the_same)
{
	enum { LISTINGS = 40 };
	static int seen[LISTINGS][NAMES];
	char *cursors[LISTINGS] = { NULL };
	bool more = true;
	int i;

	make_names("d");
	while (more)
		for (i = 0; i < LISTINGS; i++)
			more = next_page("d", &cursors[i], seen[i], false);
	for (i = 0; i < LISTINGS; i++)
		expect_each_once(seen[i]);
}
END_TEST

START_TEST(a_listing_goes_on_in_another_instance)
{
	static int seen[NAMES];
	char *cursor = NULL;

	make_names("");
	while (next_page("", &cursor, seen, false))
		reopen();
	expect_each_once(seen);
}
END_TEST

START_TEST(a_new_listing_does_not_meet_an_old_one)
{
	static int seen[NAMES];
	static int again[NAMES];
	char *cursor = NULL;
	int i;

	make_names("");
	ck_assert(next_page("", &cursor, seen, false));
	free(cursor);
	cursor = NULL;
	for (i = 0; i < NAMES / 2; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		ck_assert_int_eq(unlink(outside(name)), 0);
	}
	while (next_page("", &cursor, again, false))
		continue;
	for (i = 0; i < NAMES; i++)
		ck_assert_int_eq(again[i], i >= NAMES / 2);
}
END_TEST

START_TEST(what_is_no_cursor_is_invalid)
{
	struct store_page page;

	store_page_init(&page);
	FAILS(STORE_INVALID, list_page("", "x", 10, &page));
	FAILS(STORE_INVALID, list_page("", "", 10, &page));
	store_page_release(&page);
}
END_TEST

START_TEST(every_type_is_told)
{
	const struct {
		const char *name;
		enum store_type type;
	} nodes[] = {
		{ "symlink", STORE_TYPE_SYMLINK },
		{ "fifo", STORE_TYPE_FIFO },
		{ "socket", STORE_TYPE_SOCKET },
	};
	struct backend_node_request request = { .target = "nowhere" };
	struct store_page page;
	struct store_info info;
	size_t i;

	for (i = 0; i < 3; i++) {
		request.key = nodes[i].name;
		request.type = nodes[i].type;
		OK(ops->make_node(self, &context, &request, &info, &error));
		ck_assert_int_eq(info.type, nodes[i].type);
		FAILS(STORE_EXISTS,
		      ops->make_node(self, &context, &request, &info, &error));
	}
	store_page_init(&page);
	OK(list_page("", NULL, 10, &page));
	ck_assert_uint_eq(page.count, 3);
	for (i = 0; i < 3; i++) {
		struct store_info stat = info_of(page.entries[i].name);

		ck_assert_int_eq(stat.type, page.entries[i].info.type);
		ck_assert(page.entries[i].complete);
	}
	store_page_release(&page);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("local list");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, removing_while_paging_sees_each_name_once);
	tcase_add_test(tests,
		       more_listings_than_are_kept_open_go_on_all_the_same);
	tcase_add_test(tests, a_listing_goes_on_in_another_instance);
	tcase_add_test(tests, a_new_listing_does_not_meet_an_old_one);
	tcase_add_test(tests, what_is_no_cursor_is_invalid);
	tcase_add_test(tests, every_type_is_told);
	return unit_run("local list", tests);
}
