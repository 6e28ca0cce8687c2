// SPDX-License-Identifier: MIT
/* The node tree: names, links, versions, keys, what an entry costs. */
#include "config.h"

#include <check.h>
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mount/node.h"
#include "src/base/clock.h"
#include "tests/unit/seed.h"
#include "tests/unit/unit.h"

/* setup() takes the lock of the tree for the test that follows it. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

enum { ENTRY_BUDGET = 300 };

static struct store_error error;
static struct tree tree;
/* Anything but NULL: a node that is open. */
static char open_file;

static void setup(void)
{
	store_error_clear(&error);
	memset(&tree, 0, sizeof(tree));
	tree.file_mode = 0644;
	tree.dir_mode = 0755;
	tree.default_uid = 12;
	tree.default_gid = 34;
	ck_assert_int_eq(tree_init(&tree, &error), STORE_OK);
	lock_take(&tree.lock);
}

static void teardown(void)
{
	lock_drop(&tree.lock);
	tree_release(&tree);
}

static struct store_info info_of(enum store_type type, const char *token)
{
	struct store_info info = { .type = type, .links = 1 };

	snprintf(info.version.token, sizeof(info.version.token), "%s", token);
	return info;
}

/* As a lookup does it: entered, and counted for the kernel. */
static struct node *look(struct node *parent, const char *name,
			 const struct store_info *info)
{
	struct node *node =
		tree_enter(&tree, parent, name, info, clock_monotonic_ns());

	ck_assert_ptr_nonnull(node);
	node->lookups++;
	return node;
}

static struct node *make_file(struct node *parent, const char *name)
{
	struct store_info info = info_of(STORE_TYPE_FILE, "v1");

	return look(parent, name, &info);
}

static struct node *make_folder(struct node *parent, const char *name)
{
	struct store_info info = info_of(STORE_TYPE_FOLDER, "");

	return look(parent, name, &info);
}

static struct node *make_link(struct node *parent, const char *name,
			      uint64_t identity)
{
	struct store_info info = info_of(STORE_TYPE_FILE, "v1");

	info.links = 2;
	info.node = identity;
	return look(parent, name, &info);
}

static void forget(struct node *node)
{
	node_forget(&tree, node, node->lookups);
}

static struct name *find(struct node *parent, const char *name)
{
	return tree_find_name(&tree, parent, name);
}

static void has_key(const struct node *node, const char *want)
{
	char key[STORE_KEY_MAX + 1];

	ck_assert_int_eq(node_key(&tree, node, NULL, key, &error), STORE_OK);
	ck_assert_str_eq(key, want);
}

static void move(struct node *parent, const char *name, struct node *new_parent,
		 const char *new_name)
{
	struct name *spare = tree_new_name(new_name);

	ck_assert_ptr_nonnull(spare);
	tree_move_name(&tree, find(parent, name), new_parent, spare);
}

/* ---- entering ---- */

START_TEST(a_name_keeps_its_node)
{
	struct node *node = make_file(tree.root, "a");
	uint64_t number = node->number;

	ck_assert_ptr_eq(make_file(tree.root, "a"), node);
	ck_assert_uint_eq(node->number, number);
	ck_assert_uint_eq(tree.node_count, 2);
	forget(node);
}
END_TEST

START_TEST(what_the_store_does_not_keep_comes_from_the_options)
{
	struct node *file = make_file(tree.root, "a");
	struct node *folder = make_folder(tree.root, "b");

	ck_assert_uint_eq(file->mode, 0644);
	ck_assert_uint_eq(folder->mode, 0755);
	ck_assert_uint_eq(file->uid, 12);
	ck_assert_uint_eq(file->gid, 34);
	forget(file);
	forget(folder);
}
END_TEST

START_TEST(another_type_under_a_name_is_another_node)
{
	struct node *file = make_file(tree.root, "a");
	struct node *folder = make_folder(tree.root, "a");

	ck_assert_ptr_ne(file, folder);
	ck_assert_ptr_null(file->names);
	ck_assert_ptr_eq(find(tree.root, "a")->node, folder);
	forget(file);
	forget(folder);
	ck_assert_uint_eq(tree.node_count, 1);
}
END_TEST

START_TEST(a_new_version_of_a_file_nobody_uses_is_the_same_node)
{
	struct node *node = make_file(tree.root, "a");
	struct store_info info = info_of(STORE_TYPE_FILE, "v2");

	info.size = 77;
	ck_assert_ptr_eq(look(tree.root, "a", &info), node);
	ck_assert_uint_eq(node->size, 77);
	ck_assert(node_has_version(node, &info.version));
	ck_assert(node->flags & NODE_STALE_PAGES);
	forget(node);
}
END_TEST

START_TEST(a_new_version_of_an_open_file_is_another_node)
{
	struct node *old = make_file(tree.root, "a"), *new;
	struct store_info info = info_of(STORE_TYPE_FILE, "v2");

	old->file = (struct file *)(void *)&open_file;
	info.size = 77;
	new = look(tree.root, "a", &info);
	ck_assert_ptr_ne(new, old);
	ck_assert_uint_eq(old->size, 0);
	ck_assert_ptr_eq(find(tree.root, "a")->node, new);
	/* What is open lives until it is closed, without a name. */
	forget(old);
	ck_assert_uint_eq(tree.node_count, 3);
	old->file = NULL;
	node_ref(&tree, old);
	node_unref(&tree, old);
	ck_assert_uint_eq(tree.node_count, 2);
	forget(new);
}
END_TEST

START_TEST(the_same_version_of_an_open_file_is_the_same_node)
{
	struct node *node = make_file(tree.root, "a");

	node->file = (struct file *)(void *)&open_file;
	ck_assert_ptr_eq(make_file(tree.root, "a"), node);
	node->file = NULL;
	forget(node);
}
END_TEST

START_TEST(an_answer_older_than_memory_changes_nothing)
{
	struct node *node = make_file(tree.root, "a");
	struct store_info info = info_of(STORE_TYPE_FILE, "v0");

	info.size = 5;
	ck_assert_ptr_eq(tree_enter(&tree, tree.root, "a", &info, 1), node);
	ck_assert_uint_eq(node->size, 0);
	ck_assert(node_update(&tree, node, &info, 1));
	ck_assert_uint_eq(node->size, 0);
	ck_assert(node_update(&tree, node, &info, clock_monotonic_ns()));
	ck_assert_uint_eq(node->size, 5);
	forget(node);
}
END_TEST

START_TEST(a_dirty_node_does_not_believe_the_store)
{
	struct node *node = make_file(tree.root, "a");
	struct store_info info = info_of(STORE_TYPE_FOLDER, "");

	node->flags |= NODE_LOCAL;
	ck_assert_ptr_eq(look(tree.root, "a", &info), node);
	ck_assert_int_eq(node->type, STORE_TYPE_FILE);
	forget(node);
}
END_TEST

START_TEST(while_a_node_changes_answers_about_it_are_ignored)
{
	struct node *node = make_file(tree.root, "a");
	struct store_info info = info_of(STORE_TYPE_FILE, "v1");
	int64_t asked;

	info.size = 9;
	lock_drop(&tree.lock);
	node_begin_change(&tree, node);
	lock_take(&tree.lock);
	asked = clock_monotonic_ns();
	ck_assert(node_update(&tree, node, &info, asked));
	ck_assert_uint_eq(node->size, 0);
	tree_miss_name(&tree, tree.root, "a", asked);
	ck_assert_ptr_nonnull(find(tree.root, "a"));
	lock_drop(&tree.lock);
	node_end_change(&tree, node);
	lock_take(&tree.lock);
	/* It was asked before the end of the change. */
	ck_assert(node_update(&tree, node, &info, asked));
	ck_assert_uint_eq(node->size, 0);
	tree_miss_name(&tree, tree.root, "a", asked);
	ck_assert_ptr_nonnull(find(tree.root, "a"));
	tree_miss_name(&tree, tree.root, "a", clock_monotonic_ns() + 1);
	ck_assert_ptr_null(find(tree.root, "a"));
	forget(node);
}
END_TEST

START_TEST(a_replaced_node_takes_no_answers_at_all)
{
	struct node *node = make_file(tree.root, "a");
	struct store_info info = info_of(STORE_TYPE_FILE, "v1");

	node->flags |= NODE_REPLACED;
	ck_assert(!node_update(&tree, node, &info, clock_monotonic_ns()));
	ck_assert_ptr_ne(look(tree.root, "a", &info), node);
	forget(node);
	forget(find(tree.root, "a")->node);
}
END_TEST

START_TEST(folder_times_never_go_back_to_what_the_store_has)
{
	struct store_info info = info_of(STORE_TYPE_FOLDER, "");
	struct node *node = make_folder(tree.root, "d");

	info.attributes.mask = STORE_ATTR_MTIME;
	info.attributes.mtime = (struct timespec){ .tv_sec = 100 };
	node->mtime = (struct node_time){ .sec = 200 };
	node->flags |= NODE_TOUCHED;
	look(tree.root, "d", &info);
	ck_assert_int_eq(node->mtime.sec, 200);
	info.attributes.mtime.tv_sec = 300;
	look(tree.root, "d", &info);
	ck_assert_int_eq(node->mtime.sec, 300);
	ck_assert(!(node->flags & NODE_TOUCHED));
	forget(node);
}
END_TEST

/* ---- names ---- */

START_TEST(hard_links_are_names_of_one_node)
{
	struct node *folder = make_folder(tree.root, "d");
	struct node *a = make_link(tree.root, "a", 4711);
	struct node *b = make_link(folder, "b", 4711);

	ck_assert_ptr_eq(a, b);
	ck_assert_uint_eq(tree.node_count, 3);
	tree_drop_name(&tree, find(tree.root, "a"));
	has_key(b, "d/b");
	forget(a);
	forget(folder);
	ck_assert_uint_eq(tree.node_count, 1);
}
END_TEST

START_TEST(equal_identities_of_single_files_are_not_links)
{
	struct store_info info = info_of(STORE_TYPE_FILE, "v1");
	struct node *a, *b;

	info.node = 4711;
	a = look(tree.root, "a", &info);
	b = look(tree.root, "b", &info);
	ck_assert_ptr_ne(a, b);
	forget(a);
	ck_assert_ptr_eq(make_link(tree.root, "c", 4711), b);
	forget(b);
}
END_TEST

START_TEST(an_added_name_is_taken_from_who_has_it)
{
	struct node *a = make_file(tree.root, "a");
	struct node *b = make_file(tree.root, "b");

	ck_assert_int_eq(tree_add_name(&tree, tree.root, "b", a), STORE_OK);
	ck_assert_ptr_null(b->names);
	ck_assert_ptr_eq(find(tree.root, "b")->node, a);
	ck_assert_int_eq(tree_add_name(&tree, tree.root, "b", a), STORE_OK);
	ck_assert_uint_eq(tree.name_count, 2);
	forget(a);
	forget(b);
	ck_assert_uint_eq(tree.name_count, 0);
}
END_TEST

START_TEST(a_moved_folder_takes_what_is_below_along)
{
	struct node *a = make_folder(tree.root, "a");
	struct node *b = make_folder(a, "b");
	struct node *c = make_file(b, "c");

	has_key(c, "a/b/c");
	move(a, "b", tree.root, "x");
	has_key(c, "x/c");
	ck_assert_ptr_null(find(a, "b"));
	forget(a);
	ck_assert_ptr_null(find(tree.root, "a"));
	forget(b);
	has_key(c, "x/c");
	forget(c);
	ck_assert_uint_eq(tree.node_count, 1);
}
END_TEST

START_TEST(moving_over_a_name_drops_its_node)
{
	struct node *a = make_file(tree.root, "a");
	struct node *b = make_file(tree.root, "b");

	move(tree.root, "a", tree.root, "b");
	ck_assert_ptr_null(b->names);
	ck_assert_ptr_null(find(tree.root, "a"));
	has_key(a, "b");
	move(tree.root, "b", tree.root, "b");
	has_key(a, "b");
	forget(a);
	forget(b);
}
END_TEST

START_TEST(exchanged_names_swap_their_nodes)
{
	struct node *folder = make_folder(tree.root, "d");
	struct node *a = make_file(tree.root, "a");
	struct node *b = make_folder(folder, "b");
	struct node *c = make_file(b, "c");

	tree_exchange_names(&tree, find(tree.root, "a"), find(folder, "b"));
	has_key(a, "d/b");
	has_key(b, "a");
	has_key(c, "a/c");
	forget(c);
	forget(b);
	forget(a);
	forget(folder);
	ck_assert_uint_eq(tree.node_count, 1);
	ck_assert_uint_eq(tree.name_count, 0);
}
END_TEST

START_TEST(a_lost_name_is_remembered)
{
	struct node *node = make_file(tree.root, "a");
	int64_t before = clock_monotonic_ns();

	tree_drop_name(&tree, find(tree.root, "a"));
	ck_assert(tree_lost_since(&tree, tree.root, "a", before));
	ck_assert(!tree_lost_since(&tree, tree.root, "a",
				   clock_monotonic_ns() + 1));
	forget(node);
	make_file(tree.root, "b");
	before = clock_monotonic_ns();
	move(tree.root, "b", tree.root, "c");
	ck_assert(tree_lost_since(&tree, tree.root, "b", before));
	ck_assert(tree_lost_since(&tree, tree.root, "c", before));
	forget(find(tree.root, "c")->node);
	before = clock_monotonic_ns();
	forget(make_file(tree.root, "d"));
	ck_assert(tree_lost_since(&tree, tree.root, "d", before));
}
END_TEST

/* ---- keys ---- */

START_TEST(a_node_without_a_name_has_no_key)
{
	char key[STORE_KEY_MAX + 1];
	struct node *folder = make_folder(tree.root, "d");
	struct node *file = make_file(folder, "a");

	tree_drop_name(&tree, find(tree.root, "d"));
	ck_assert_int_eq(node_key(&tree, file, NULL, key, &error),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(node_key(&tree, folder, "new", key, &error),
			 STORE_NOT_FOUND);
	/* Not forgotten, they go with the tree: LeakSanitizer is the judge. */
}
END_TEST

START_TEST(the_root_and_names_below_it_have_keys)
{
	char key[STORE_KEY_MAX + 1];

	has_key(tree.root, "");
	ck_assert_int_eq(node_key(&tree, tree.root, "x", key, &error),
			 STORE_OK);
	ck_assert_str_eq(key, "x");
}
END_TEST

START_TEST(a_key_that_is_too_long_is_refused)
{
	char key[STORE_KEY_MAX + 1], name[STORE_NAME_MAX + 1];
	struct node *chain[17], *node = tree.root;
	int depth = 0;

	memset(name, 'n', STORE_NAME_MAX);
	name[STORE_NAME_MAX] = '\0';
	/* 16 components and 15 slashes are one byte over 4095. */
	for (; depth < 15; depth++)
		chain[depth] = node = make_folder(node, name);
	ck_assert_int_eq(node_key(&tree, node, name, key, &error), STORE_OK);
	ck_assert_uint_eq(strlen(key), 16 * STORE_NAME_MAX + 15);
	chain[depth++] = node = make_folder(node, name);
	ck_assert_int_eq(node_key(&tree, node, "x", key, &error),
			 STORE_INVALID);
	ck_assert_int_eq(error.detail, ENAMETOOLONG);
	while (depth)
		forget(chain[--depth]);
}
END_TEST

START_TEST(below_means_itself_and_all_levels)
{
	struct node *a = make_folder(tree.root, "a");
	struct node *b = make_folder(a, "b");
	struct node *c = make_file(tree.root, "c");

	ck_assert(node_is_below(b, a));
	ck_assert(node_is_below(a, a));
	ck_assert(node_is_below(b, tree.root));
	ck_assert(!node_is_below(a, b));
	ck_assert(!node_is_below(c, a));
	forget(b);
	forget(a);
	forget(c);
}
END_TEST

/* ---- forgetting ---- */

START_TEST(a_folder_stays_while_something_below_is_known)
{
	struct node *a = make_folder(tree.root, "a");
	struct node *b = make_folder(a, "b");
	struct node *c = make_file(b, "c");

	forget(a);
	forget(b);
	has_key(c, "a/b/c");
	forget(c);
	ck_assert_uint_eq(tree.node_count, 1);
	ck_assert_ptr_null(find(tree.root, "a"));
	ck_assert_uint_eq(tree.root->references, 1);
}
END_TEST

START_TEST(forgetting_counts)
{
	struct node *node = make_file(tree.root, "a");

	make_file(tree.root, "a");
	make_file(tree.root, "a");
	node_forget(&tree, node, 2);
	ck_assert_uint_eq(tree.node_count, 2);
	node_forget(&tree, node, 1);
	ck_assert_uint_eq(tree.node_count, 1);
}
END_TEST

START_TEST(a_reference_outlives_forgetting)
{
	struct node *node = make_file(tree.root, "a");

	node_ref(&tree, node);
	forget(node);
	ck_assert_ptr_eq(find(tree.root, "a")->node, node);
	node_unref(&tree, node);
	ck_assert_uint_eq(tree.node_count, 1);
}
END_TEST

/* ---- many ---- */

enum { FOLDERS = 8, NAMES = 3000, ROUNDS = 60000 };

static void random_name(char text[16])
{
	snprintf(text, 16, "%d", (int)seed_below(NAMES));
}

/* Another place for a name, or another name for a place. */
static void random_move(struct name *found, struct node *to)
{
	struct name *other;
	struct node *gone;
	char text[16];

	random_name(text);
	other = find(to, text);
	if (other == found)
		return;
	if (other && seed_below(2)) {
		tree_exchange_names(&tree, found, other);
		return;
	}
	gone = other ? other->node : NULL;
	move(found->parent, found->text, to, text);
	if (gone)
		forget(gone);
}

static void forget_all(struct node *folder)
{
	char name[16];

	for (int number = 0; number < NAMES; number++) {
		struct name *found;

		snprintf(name, sizeof(name), "%d", number);
		found = find(folder, name);
		if (found)
			forget(found->node);
	}
	forget(folder);
}

START_TEST(random_changes_leave_nothing_behind)
{
	struct node *folders[FOLDERS];
	char name[16];

	for (int i = 0; i < FOLDERS; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		folders[i] = make_folder(tree.root, name);
	}
	for (int round = 0; round < ROUNDS; round++) {
		struct node *from = folders[seed_below(FOLDERS)];
		struct name *found;

		random_name(name);
		found = find(from, name);
		if (!found)
			make_file(from, name);
		else if (seed_below(3) == 0)
			forget(found->node);
		else
			random_move(found, folders[seed_below(FOLDERS)]);
	}
	for (int i = 0; i < FOLDERS; i++)
		forget_all(folders[i]);
	ck_assert_uint_eq(tree.node_count, 1);
	ck_assert_uint_eq(tree.name_count, 0);
	ck_assert_uint_eq(tree.root->references, 1);
}
END_TEST

/* What malloc takes for a block, its own word included. */
static size_t cost(void *block)
{
	return block ? malloc_usable_size(block) + sizeof(size_t) : 0;
}

START_TEST(an_entry_costs_no_more_than_its_budget)
{
	enum { ENTRIES = 100000 };
	/* As the local store makes them: device, inode, ctime, size. */
	struct store_info info = info_of(STORE_TYPE_FILE, "");
	struct node *folder = make_folder(tree.root, "d");
	struct node **nodes = calloc(ENTRIES, sizeof(*nodes));
	size_t total = 0;

	ck_assert_ptr_nonnull(nodes);
	for (int i = 0; i < ENTRIES; i++) {
		char name[40];

		snprintf(name, sizeof(name), "quarterly-report-%06d.csv", i);
		snprintf(info.version.token, sizeof(info.version.token),
			 "fe00-%x-18b6f2c41%08x-%x", 0x1000000 + i, i, 4096);
		info.id = info.node = 0x1000000 + (uint64_t)i;
		nodes[i] = look(folder, name, &info);
		total += cost(nodes[i]) + cost(nodes[i]->version) +
			 cost(nodes[i]->names);
	}
	total += cost(tree.names) + cost(tree.nodes);
	printf("# %zu bytes per entry\n", total / ENTRIES);
	if (sizeof(void *) == 8)
		ck_assert_uint_le(total / ENTRIES, ENTRY_BUDGET);
	for (int i = 0; i < ENTRIES; i++)
		forget(nodes[i]);
	free(nodes);
	forget(folder);
	ck_assert_uint_eq(tree.node_count, 1);
}
END_TEST

static TCase *name_cases(void)
{
	TCase *tests = tcase_create("names");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, hard_links_are_names_of_one_node);
	tcase_add_test(tests, equal_identities_of_single_files_are_not_links);
	tcase_add_test(tests, an_added_name_is_taken_from_who_has_it);
	tcase_add_test(tests, a_moved_folder_takes_what_is_below_along);
	tcase_add_test(tests, moving_over_a_name_drops_its_node);
	tcase_add_test(tests, exchanged_names_swap_their_nodes);
	tcase_add_test(tests, a_lost_name_is_remembered);
	tcase_add_test(tests, a_node_without_a_name_has_no_key);
	tcase_add_test(tests, the_root_and_names_below_it_have_keys);
	tcase_add_test(tests, a_key_that_is_too_long_is_refused);
	tcase_add_test(tests, below_means_itself_and_all_levels);
	return tests;
}

static TCase *node_cases(void)
{
	TCase *tests = tcase_create("nodes");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_name_keeps_its_node);
	tcase_add_test(tests,
		       what_the_store_does_not_keep_comes_from_the_options);
	tcase_add_test(tests, another_type_under_a_name_is_another_node);
	tcase_add_test(tests,
		       a_new_version_of_a_file_nobody_uses_is_the_same_node);
	tcase_add_test(tests, a_new_version_of_an_open_file_is_another_node);
	tcase_add_test(tests,
		       the_same_version_of_an_open_file_is_the_same_node);
	tcase_add_test(tests, an_answer_older_than_memory_changes_nothing);
	tcase_add_test(tests, a_dirty_node_does_not_believe_the_store);
	tcase_add_test(tests,
		       while_a_node_changes_answers_about_it_are_ignored);
	tcase_add_test(tests, a_replaced_node_takes_no_answers_at_all);
	tcase_add_test(tests, folder_times_never_go_back_to_what_the_store_has);
	tcase_add_test(tests, a_folder_stays_while_something_below_is_known);
	tcase_add_test(tests, forgetting_counts);
	tcase_add_test(tests, a_reference_outlives_forgetting);
	tcase_add_test(tests, random_changes_leave_nothing_behind);
	tcase_add_test(tests, an_entry_costs_no_more_than_its_budget);
	return tests;
}

int main(void)
{
	TCase *cases[] = { name_cases(), node_cases(), NULL };

	seed_start();
	return unit_run_cases("mount node", cases);
}
