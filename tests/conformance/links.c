// SPDX-License-Identifier: MIT
/* Hard links, symlinks and special nodes. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <sys/sysmacros.h>

static int link_to(const char *from, const char *to)
{
	return store_link(conf_store, NULL, from, to, NULL, &conf_error);
}

static uint32_t links_of(const char *key)
{
	struct store_info info;

	CONF_OK(conf_stat(key, &info));
	return info.links;
}

START_TEST(a_link_is_a_second_name_of_one_node)
{
	struct store_info a;
	struct store_info b;

	CONF_OK(conf_put("a", "1"));
	ck_assert_uint_eq(links_of("a"), 1);
	CONF_OK(store_link(conf_store, NULL, "a", "d/b", &b, &conf_error));
	CONF_OK(conf_stat("a", &a));
	ck_assert_uint_eq(a.links, 2);
	ck_assert_uint_eq(b.links, 2);
	ck_assert_uint_ne(a.node, 0);
	ck_assert_uint_eq(a.node, b.node);
	ck_assert_uint_eq(a.id, b.id);
	conf_expect("d/b", "1");
}
END_TEST

START_TEST(a_node_goes_with_its_last_name)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(link_to("a", "b"));
	CONF_OK(link_to("b", "c"));
	ck_assert_uint_eq(links_of("a"), 3);
	CONF_OK(store_delete(conf_store, NULL, "a", false, &conf_error));
	conf_expect("b", "1");
	ck_assert_uint_eq(links_of("c"), 2);
	CONF_OK(store_delete(conf_store, NULL, "b", false, &conf_error));
	CONF_OK(store_delete(conf_store, NULL, "c", false, &conf_error));
	conf_expect_names("", "");
}
END_TEST

START_TEST(links_refuse_taken_names_and_folders)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(conf_put("b", "2"));
	CONF_OK(conf_put("d/f", "3"));
	CONF_FAILS(STORE_EXISTS, link_to("a", "b"));
	CONF_FAILS(STORE_EXISTS, link_to("a", "d"));
	CONF_FAILS(STORE_IS_DIR, link_to("d", "e"));
	CONF_FAILS(STORE_NOT_FOUND, link_to("no", "e"));
	CONF_FAILS(STORE_NOT_DIR, link_to("a", "b/c"));
	CONF_FAILS(STORE_INVALID, link_to("a", ""));
	conf_expect("b", "2");
	ck_assert_uint_eq(links_of("a"), 1);
}
END_TEST

/* A put that keeps the node shows under every name. */
START_TEST(keeping_writes_show_under_all_names)
{
	struct store_write_options keep = {
		.precondition.condition = STORE_IF_ANY,
		.keep = true,
	};
	struct store_info info;

	CONF_OK(conf_put("a", "old"));
	CONF_OK(link_to("a", "b"));
	CONF_OK(conf_put_bytes("a", "new content", 11, &keep, &info));
	ck_assert_uint_eq(info.links, 2);
	conf_expect("b", "new content");
	ck_assert_uint_eq(links_of("b"), 2);
}
END_TEST

START_TEST(attributes_of_links_are_shared)
{
	struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					 .mode = 0604 };
	struct store_info info;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(link_to("a", "b"));
	CONF_OK(store_set_attributes(conf_store, NULL, "a", &mode, NULL,
				     &conf_error));
	CONF_OK(conf_stat("b", &info));
	ck_assert_uint_eq(info.attributes.mode, 0604);
}
END_TEST

/* rename(2): two names of one node stay as they are. */
START_TEST(moving_a_link_onto_its_other_name_does_nothing)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(link_to("a", "b"));
	CONF_OK(store_move(conf_store, NULL, "a", "b", STORE_MOVE_OVERWRITE,
			   NULL, NULL, &conf_error));
	conf_expect("a", "1");
	conf_expect("b", "1");
	ck_assert_uint_eq(links_of("a"), 2);
}
END_TEST

START_TEST(replacing_a_name_takes_one_link)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(link_to("a", "b"));
	CONF_OK(conf_put("c", "3"));
	CONF_OK(store_move(conf_store, NULL, "c", "b", STORE_MOVE_OVERWRITE,
			   NULL, NULL, &conf_error));
	conf_expect("a", "1");
	conf_expect("b", "3");
	ck_assert_uint_eq(links_of("a"), 1);
	CONF_OK(store_move(conf_store, NULL, "a", "d/e", 0, NULL, NULL,
			   &conf_error));
	ck_assert_uint_eq(links_of("d/e"), 1);
}
END_TEST

/* F10: a copy between two names of one file is one onto itself. */
START_TEST(copies_between_names_of_one_file_do_nothing)
{
	const unsigned int flags[] = { 0, STORE_MOVE_OVERWRITE };
	struct store_copy_options options = {
		.target.condition = STORE_IF_ABSENT,
	};
	struct store_info before;
	struct store_info after;

	CONF_OK(conf_put("a", "1"));
	CONF_OK(link_to("a", "d/b"));
	CONF_OK(conf_stat("a", &before));
	for (size_t i = 0; i < 2; i++) {
		CONF_OK(store_copy(conf_store, NULL, "a", "d/b", flags[i],
				   &after, &conf_error));
		ck_assert(store_version_equal(&before.version, &after.version));
		ck_assert_uint_eq(after.id, before.id);
		ck_assert_uint_eq(links_of("d/b"), 2);
	}
	CONF_FAILS(STORE_EXISTS,
		   store_copy_version(conf_store, NULL, "a", "d/b", &options,
				      NULL, &conf_error));
	ck_assert_uint_eq(links_of("a"), 2);
	conf_expect("d/b", "1");
}
END_TEST

START_TEST(links_survive_a_restart)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(link_to("a", "d/b"));
	conf_reopen();
	ck_assert_uint_eq(links_of("a"), 2);
	conf_expect("d/b", "1");
}
END_TEST

/* ---- symlinks ---- */

static int symlink_at(const char *key, const char *target)
{
	struct store_node node = { .type = STORE_TYPE_SYMLINK,
				   .target = target };

	return store_make_node(conf_store, NULL, key, &node, NULL, &conf_error);
}

static void expect_target(const char *key, const char *target)
{
	struct store_details details;
	struct store_info info;

	CONF_OK(store_stat_details(conf_store, NULL, key, &info, &details,
				   &conf_error));
	ck_assert_int_eq(info.type, STORE_TYPE_SYMLINK);
	ck_assert_ptr_nonnull(details.target);
	ck_assert_str_eq(details.target, target);
	ck_assert_uint_eq(info.size, strlen(target));
	store_details_release(&details);
}

START_TEST(symlinks_hold_any_target)
{
	static const char *const targets[] = {
		"a",
		"../../outside",
		"/etc/passwd",
		"no/such \xff\n",
		"dangling/./x",
	};
	char target[1024];
	size_t i;

	for (i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		CONF_OK(symlink_at("d/link", targets[i]));
		expect_target("d/link", targets[i]);
		CONF_OK(store_delete(conf_store, NULL, "d/link", false,
				     &conf_error));
	}
	memset(target, 't', sizeof(target) - 1);
	target[sizeof(target) - 1] = '\0';
	CONF_OK(symlink_at("long", target));
	expect_target("long", target);
}
END_TEST

START_TEST(symlinks_are_never_followed)
{
	struct store_reader *reader = NULL;
	struct store_info info;

	CONF_OK(conf_put("d/f", "1"));
	CONF_OK(symlink_at("to-file", "d/f"));
	CONF_OK(symlink_at("to-folder", "d"));
	CONF_FAILS(STORE_INVALID,
		   store_open_reader(conf_store, NULL, "to-file", NULL, &reader,
				     NULL, &conf_error));
	CONF_FAILS(STORE_NOT_FOUND, conf_stat("to-folder/f", &info));
	conf_expect_names("to-folder", "");
	CONF_OK(store_delete(conf_store, NULL, "to-file", false, &conf_error));
	conf_expect("d/f", "1");
}
END_TEST

START_TEST(removing_a_tree_leaves_what_symlinks_name)
{
	struct store_delete_folder_options all = { .recursive = true };

	CONF_OK(conf_put("keep/f", "1"));
	CONF_OK(symlink_at("d/link", "../keep"));
	CONF_OK(store_delete_folder(conf_store, NULL, "d", &all, &conf_error));
	conf_expect("keep/f", "1");
	conf_expect_names("", "keep/ keep/f");
}
END_TEST

START_TEST(symlinks_move_and_refuse_taken_names)
{
	CONF_OK(conf_put("a", "1"));
	CONF_FAILS(STORE_EXISTS, symlink_at("a", "x"));
	CONF_OK(symlink_at("l", "x"));
	CONF_FAILS(STORE_EXISTS, symlink_at("l", "y"));
	CONF_OK(store_move(conf_store, NULL, "l", "d/m", 0, NULL, NULL,
			   &conf_error));
	expect_target("d/m", "x");
	CONF_OK(store_move(conf_store, NULL, "d/m", "a", STORE_MOVE_OVERWRITE,
			   NULL, NULL, &conf_error));
	expect_target("a", "x");
}
END_TEST

/* Its target may be relative: where a copy leads is the caller's matter. */
START_TEST(symlinks_are_not_copied)
{
	CONF_OK(conf_put("a", "1"));
	CONF_OK(symlink_at("l", "a"));
	CONF_FAILS(STORE_INVALID, store_copy(conf_store, NULL, "l", "d/m", 0,
					     NULL, &conf_error));
	CONF_FAILS(STORE_INVALID,
		   store_copy(conf_store, NULL, "l", "a", STORE_MOVE_OVERWRITE,
			      NULL, &conf_error));
	CONF_FAILS(STORE_INVALID, store_copy(conf_store, NULL, "l", "l", 0,
					     NULL, &conf_error));
	conf_expect("a", "1");
	conf_expect_names("", "a l");
	/* To be replaced by a file is another thing. */
	CONF_OK(store_copy(conf_store, NULL, "a", "l", STORE_MOVE_OVERWRITE,
			   NULL, &conf_error));
	conf_expect("l", "1");
}
END_TEST

START_TEST(special_files_are_not_copied)
{
	struct store_node node = { .type = STORE_TYPE_FIFO };

	CONF_OK(store_make_node(conf_store, NULL, "p", &node, NULL,
				&conf_error));
	CONF_FAILS(STORE_INVALID, store_copy(conf_store, NULL, "p", "q", 0,
					     NULL, &conf_error));
	conf_expect_names("", "p");
}
END_TEST

START_TEST(symlinks_can_be_hard_linked)
{
	CONF_OK(symlink_at("l", "x"));
	CONF_OK(link_to("l", "m"));
	expect_target("m", "x");
	ck_assert_uint_eq(links_of("l"), 2);
}
END_TEST

/* ---- special nodes ---- */

static void try_node(enum store_type type, uint64_t rdev)
{
	struct store_attributes attributes = { .mask = STORE_ATTR_MODE,
					       .mode = 0620 };
	struct store_node node = { .type = type,
				   .rdev = rdev,
				   .attributes = &attributes };
	struct store_reader *reader = NULL;
	struct store_info info;

	CONF_OK(store_make_node(conf_store, NULL, "d/n", &node, NULL,
				&conf_error));
	CONF_OK(conf_stat("d/n", &info));
	ck_assert_int_eq(info.type, type);
	ck_assert_uint_eq(info.rdev, rdev);
	ck_assert_uint_eq(info.attributes.mode, 0620);
	CONF_FAILS(STORE_INVALID,
		   store_open_reader(conf_store, NULL, "d/n", NULL, &reader,
				     NULL, &conf_error));
	CONF_FAILS(STORE_EXISTS, store_make_node(conf_store, NULL, "d/n", &node,
						 NULL, &conf_error));
	CONF_OK(store_move(conf_store, NULL, "d/n", "m", 0, NULL, NULL,
			   &conf_error));
	CONF_OK(conf_stat("m", &info));
	ck_assert_int_eq(info.type, type);
	ck_assert_uint_eq(info.rdev, rdev);
	CONF_OK(store_delete(conf_store, NULL, "m", false, &conf_error));
}

START_TEST(every_kind_of_node_is_kept)
{
	try_node(STORE_TYPE_FIFO, 0);
	try_node(STORE_TYPE_SOCKET, 0);
	try_node(STORE_TYPE_CHAR, makedev(1, 3));
	try_node(STORE_TYPE_BLOCK, makedev(7, 200));
	conf_expect_names("", "d/");
}
END_TEST

START_TEST(nodes_are_listed_as_files)
{
	struct store_list_options files = { .flags = STORE_LIST_FILES };
	struct store_node node = { .type = STORE_TYPE_FIFO };
	char *names;

	CONF_OK(store_make_node(conf_store, NULL, "fifo", &node, NULL,
				&conf_error));
	CONF_OK(conf_put("file", "1"));
	names = conf_names(conf_store, "", &files);
	ck_assert_str_eq(names, "fifo file");
	free(names);
}
END_TEST

void conf_add_links(void)
{
	uint64_t links = STORE_CAP_LINKS;
	uint64_t symlinks = STORE_CAP_SYMLINKS;

	conf_add("P links", links, a_link_is_a_second_name_of_one_node);
	conf_add("P links", links, a_node_goes_with_its_last_name);
	conf_add("P links", links, links_refuse_taken_names_and_folders);
	conf_add("P links", links, keeping_writes_show_under_all_names);
	conf_add("P links", links | STORE_CAP_POSIX,
		 attributes_of_links_are_shared);
	conf_add("P links", links,
		 moving_a_link_onto_its_other_name_does_nothing);
	conf_add("P links", links, replacing_a_name_takes_one_link);
	conf_add("P links", links | STORE_CAP_COPY,
		 copies_between_names_of_one_file_do_nothing);
	if (conf_backend.persistent)
		conf_add("P links", links, links_survive_a_restart);
	conf_add("P symlinks", symlinks, symlinks_hold_any_target);
	conf_add("P symlinks", symlinks, symlinks_are_never_followed);
	conf_add("P symlinks", symlinks,
		 removing_a_tree_leaves_what_symlinks_name);
	conf_add("P symlinks", symlinks, symlinks_move_and_refuse_taken_names);
	conf_add("F10", symlinks, symlinks_are_not_copied);
	conf_add("F10", STORE_CAP_NODES, special_files_are_not_copied);
	conf_add("P symlinks", symlinks | links, symlinks_can_be_hard_linked);
	conf_add("P nodes", STORE_CAP_NODES, every_kind_of_node_is_kept);
	conf_add("P nodes", STORE_CAP_NODES, nodes_are_listed_as_files);
}
