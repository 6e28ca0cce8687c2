// SPDX-License-Identifier: MIT
/* Local store: version tokens, pinned readers, ids, hard links, conditions. */
#include "config.h"

#include <pthread.h>
#include <sys/file.h>
#include <sys/xattr.h>

#include "src/base/clock.h"
#include "tests/unit/local.h"
#include "tests/unit/unit.h"

static bool same(const struct store_info *a, const struct store_info *b)
{
	return store_version_equal(&a->version, &b->version);
}

static struct store_info set(const char *key,
			     const struct store_attributes *attributes)
{
	struct store_info info;

	OK(ops->set_attributes(self, &context, key, attributes, &info, &error));
	return info;
}

static void touch_all_attributes(const char *key)
{
	const struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					       .mode = 0640 };
	const struct store_xattr xattr = { .name = "user.x",
					   .value = "1",
					   .size = 1 };
	const struct backend_move_request there = { .from = key, .to = "t" };
	const struct backend_move_request back = { .from = "t", .to = key };
	struct store_info info;

	set(key, &mode);
	OK(ops->set_xattr(self, &context, key, &xattr, 0, &error));
	OK(ops->link(self, &context, key, "l", &info, &error));
	OK(ops->remove(self, &context, "l", &any, &error));
	OK(ops->move(self, &context, &there, &info, &error));
	OK(ops->move(self, &context, &back, &info, &error));
}

START_TEST(changes_of_attributes_leave_token_and_readers_alone)
{
	struct store_info before;
	struct store_info after;
	char got[64];
	void *reader;

	OK(put_text(&(struct text_put){ .key = "f", .text = "one" }, &before));
	reader = open_reader("f");
	touch_all_attributes("f");
	after = info_of("f");
	ck_assert(same(&before, &after));
	ck_assert(timespec_compare(before.ctime, after.ctime) < 0);
	OK(read_reader(reader, got));
	ck_assert_str_eq(got, "one");
	ops->close_reader(self, reader);
}
END_TEST

START_TEST(one_state_has_one_token_whoever_tells)
{
	struct store_info put;
	struct store_info stat;
	struct store_info read;
	struct store_page page;
	void *reader = NULL;

	OK(put_text(&(struct text_put){ .key = "f", .text = "x" }, &put));
	stat = info_of("f");
	OK(ops->open_reader(self, &context, "f", &put.version, &reader, &read,
			    &error));
	ops->close_reader(self, reader);
	store_page_init(&page);
	OK(list_page("", NULL, 10, &page));
	ck_assert_uint_eq(page.count, 1);
	ck_assert(same(&put, &stat));
	ck_assert(same(&put, &read));
	ck_assert(same(&put, &page.entries[0].info));
	ck_assert_uint_eq(put.id, stat.id);
	ck_assert_uint_eq(put.id, page.entries[0].info.id);
	store_page_release(&page);
	reopen();
	stat = info_of("f");
	ck_assert(same(&put, &stat));
	ck_assert_uint_eq(put.id, stat.id);
}
END_TEST

START_TEST(the_same_mtime_and_size_do_not_make_the_same_token)
{
	const struct store_attributes old = { .mask = STORE_ATTR_MTIME,
					      .mtime = { .tv_sec = 1000 } };
	struct text_put put = { .key = "f", .text = "one", .attributes = &old };
	struct store_info first;
	struct store_info next;
	int i;

	OK(put_text(&put, &first));
	/* Inode numbers are given out again at once. */
	for (i = 0; i < 20; i++) {
		put.text = i % 2 ? "one" : "two";
		OK(put_text(&put, &next));
		ck_assert(!same(&first, &next));
	}
}
END_TEST

START_TEST(an_mtime_set_here_does_not_disturb_readers)
{
	const struct store_attributes old = { .mask = STORE_ATTR_MTIME,
					      .mtime = { .tv_sec = 1000,
							 .tv_nsec = 7 } };
	struct store_info before;
	struct store_info after;
	char got[64];
	void *reader;

	OK(put_text(&(struct text_put){ .key = "f", .text = "one" }, &before));
	reader = open_reader("f");
	after = set("f", &old);
	ck_assert(!same(&before, &after));
	ck_assert_int_eq(after.attributes.mtime.tv_nsec, 7);
	OK(read_reader(reader, got));
	ck_assert_str_eq(got, "one");
	ops->close_reader(self, reader);
}
END_TEST

START_TEST(a_file_written_by_others_is_changed_for_its_reader)
{
	char got[64];
	void *reader;
	int fd;

	OK(put_simply("f", "one"));
	reader = open_reader("f");
	OK(read_reader(reader, got));
	fd = open(outside("f"), O_WRONLY);
	ck_assert_int_eq(pwrite(fd, "two", 3, 0), 3);
	close(fd);
	FAILS(STORE_CHANGED, read_reader(reader, got));
	ops->close_reader(self, reader);
}
END_TEST

START_TEST(a_replaced_or_removed_file_stays_readable)
{
	char got[64];
	void *first;
	void *second;

	OK(put_simply("f", "one"));
	first = open_reader("f");
	OK(put_simply("f", "two"));
	second = open_reader("f");
	OK(ops->remove(self, &context, "f", &any, &error));
	OK(read_reader(first, got));
	ck_assert_str_eq(got, "one");
	OK(read_reader(second, got));
	ck_assert_str_eq(got, "two");
	ops->close_reader(self, first);
	ops->close_reader(self, second);
}
END_TEST

START_TEST(a_replacement_takes_over_the_id_and_only_it)
{
	struct store_info first;
	struct store_info next;
	struct store_info other;
	char id[64];
	int i;

	OK(put_text(&(struct text_put){ .key = "f", .text = "0" }, &first));
	for (i = 0; i < 5; i++) {
		OK(put_text(&(struct text_put){ .key = "f", .text = "1" },
			    &next));
		ck_assert_uint_eq(first.id, next.id);
		/* The inode that became free is likely to be this one's. */
		OK(put_text(&(struct text_put){ .key = "g",
						.text = "2",
						.precondition = &absent },
			    &other));
		ck_assert_uint_ne(first.id, other.id);
		OK(ops->remove(self, &context, "g", &any, &error));
	}
	reopen();
	ck_assert_uint_eq(info_of("f").id, first.id);
	/* What cp -a would do. */
	ck_assert_int_eq(
		getxattr(outside("f"), "user.storefs.id", id, sizeof(id)), 16);
	write_outside("copy", "1");
	ck_assert_int_eq(
		setxattr(outside("copy"), "user.storefs.id", id, 16, 0), 0);
	ck_assert_uint_ne(info_of("copy").id, first.id);
}
END_TEST

START_TEST(a_link_left_behind_keeps_its_id_for_itself)
{
	struct store_info linked;
	struct store_info fresh;

	OK(put_simply("f", "one"));
	OK(ops->link(self, &context, "f", "g", &linked, &error));
	OK(put_text(&(struct text_put){ .key = "f", .text = "two" }, &fresh));
	expect_outside("g", "one");
	ck_assert_uint_eq(info_of("g").id, linked.id);
	ck_assert_uint_ne(fresh.id, linked.id);
}
END_TEST

START_TEST(links_go_on_sharing_what_is_put_with_keep)
{
	const struct store_attributes old = { .mask = STORE_ATTR_MTIME,
					      .mtime = { .tv_sec = 1000 } };
	struct text_put put = { .key = "f",
				.text = "one",
				.attributes = &old,
				.flags = BACKEND_PUT_KEEP };
	struct store_info linked;
	struct store_info info;
	char got[64];
	void *reader;

	OK(put_text(&put, &info));
	OK(ops->link(self, &context, "f", "d/g", &linked, &error));
	ck_assert_uint_eq(linked.links, 2);
	ck_assert_uint_eq(linked.node, info_of("f").node);
	reader = open_reader("d/g");
	/* Same size, same mtime: still another version. */
	put.text = "two";
	OK(put_text(&put, &info));
	expect_outside("d/g", "two");
	ck_assert_uint_eq(info.links, 2);
	ck_assert_uint_eq(info.id, linked.id);
	ck_assert(!same(&info, &linked));
	linked = info_of("d/g");
	ck_assert(same(&info, &linked));
	FAILS(STORE_CHANGED, read_reader(reader, got));
	ops->close_reader(self, reader);
	put.text = "x";
	put.attributes = NULL;
	OK(put_text(&put, &info));
	expect_outside("d/g", "x");
	ck_assert(!is_outside(".storefs-tmp.journal"));
	ck_assert_uint_eq(count_names(""), 2);
}
END_TEST

START_TEST(keep_carries_over_what_is_not_named)
{
	const struct store_attributes mode = { .mask = STORE_ATTR_MODE,
					       .mode = 0751 };
	const struct store_xattr xattr = { .name = "user.x",
					   .value = "1",
					   .size = 1 };
	struct stat st;
	char value;

	OK(put_simply("f", "one"));
	set("f", &mode);
	OK(ops->set_xattr(self, &context, "f", &xattr, 0, &error));
	if (geteuid() == 0)
		ck_assert_int_eq(chown(outside("f"), 12, 34), 0);
	OK(put_text(&(struct text_put){ .key = "f",
					.text = "two",
					.flags = BACKEND_PUT_KEEP },
		    NULL));
	expect_outside("f", "two");
	st = stat_outside("f");
	ck_assert_uint_eq(st.st_mode & 07777, 0751);
	if (geteuid() == 0)
		ck_assert_uint_eq(st.st_uid, 12);
	ck_assert_int_eq(getxattr(outside("f"), "user.x", &value, 1), 1);
	OK(put_simply("f", "three"));
	ck_assert_int_eq(getxattr(outside("f"), "user.x", &value, 1), -1);
}
END_TEST

START_TEST(our_attributes_are_hidden_and_not_to_be_set)
{
	struct store_xattr xattr = { .name = "user.storefs.meta.x",
				     .value = "1",
				     .size = 1 };
	size_t size = 0;
	char *names = NULL;
	void *value = NULL;

	OK(put_simply("f", "one"));
	OK(put_simply("f", "two")); /* which writes an id */
	FAILS(STORE_DENIED,
	      ops->set_xattr(self, &context, "f", &xattr, 0, &error));
	FAILS(STORE_DENIED, ops->remove_xattr(self, &context, "f",
					      "user.storefs.id", &error));
	ck_assert_int_eq(ops->get_xattr(self, &context, "f", "user.storefs.id",
					&value, &size, &error),
			 STORE_NOT_FOUND);
	ck_assert_int_eq(error.detail, ENODATA);
	xattr.name = "user.mine";
	OK(ops->set_xattr(self, &context, "f", &xattr, XATTR_CREATE, &error));
	FAILS(STORE_EXISTS, ops->set_xattr(self, &context, "f", &xattr,
					   XATTR_CREATE, &error));
	OK(ops->list_xattrs(self, &context, "f", &names, &size, &error));
	ck_assert_uint_eq(size, sizeof("user.mine"));
	ck_assert_str_eq(names, "user.mine");
	free(names);
}
END_TEST

START_TEST(a_folder_locked_by_others_ends_the_put_in_time)
{
	int fd = open(root, O_RDONLY | O_DIRECTORY);

	OK(put_simply("f", "one"));
	ck_assert_int_eq(flock(fd, LOCK_EX), 0);
	context.deadline_ns = clock_monotonic_ns() + 100 * NS_PER_MS;
	FAILS(STORE_TIMEOUT, put_simply("f", "two"));
	context.deadline_ns = 0;
	close(fd);
	expect_outside("f", "one");
	ck_assert_uint_eq(count_names(""), 1);
}
END_TEST

static void increment_once(const char *key)
{
	struct store_precondition base = { .condition = STORE_IF_VERSION };
	int code = STORE_CHANGED;

	while (code == STORE_CHANGED) {
		struct store_info info;
		char text[64];
		void *reader = NULL;

		OK(ops->open_reader(self, &context, key, NULL, &reader, &info,
				    &error));
		OK(read_reader(reader, text));
		ops->close_reader(self, reader);
		base.version = info.version;
		snprintf(text, sizeof(text), "%08ld",
			 strtol(text, NULL, 10) + 1);
		code = put_text(&(struct text_put){ .key = key,
						    .text = text,
						    .precondition = &base },
				NULL);
	}
	OK(code);
}

START_TEST(no_conditional_put_of_any_process_is_lost)
{
	enum { PROCESSES = 4, TIMES = 50 };
	char expected[16];
	int i;

	OK(put_simply("n", "00000000"));
	for (i = 0; i < PROCESSES; i++) {
		pid_t child = fork();
		int j;

		ck_assert_int_ge(child, 0);
		if (child)
			continue;
		reopen();
		for (j = 0; j < TIMES; j++)
			increment_once("n");
		_exit(0);
	}
	for (i = 0; i < PROCESSES; i++) {
		int status = 1;

		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	snprintf(expected, sizeof(expected), "%08d", PROCESSES * TIMES);
	expect_outside("n", expected);
}
END_TEST

static void *put_many(void *text)
{
	struct store_error failed = STORE_ERROR_INIT;
	struct store_context own;
	int i;

	store_context_init(&own, 0, NULL);
	for (i = 0; i < 100; i++) {
		struct store_memory_source source;
		struct backend_put_request request = {
			.key = "f",
			.source = store_memory_source_init(&source, text, 1),
			.flags = BACKEND_PUT_KEEP,
		};
		struct store_info info;

		if (ops->put(self, &own, &request, &info, &failed))
			return text; /* anything but NULL */
	}
	return NULL;
}

START_TEST(unconditional_puts_do_not_mind_each_other)
{
	static char texts[4][2] = { "a", "b", "c", "d" };
	pthread_t threads[4];
	int i;

	OK(put_simply("f", "x"));
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, put_many, texts[i]),
			0);
	for (i = 0; i < 4; i++) {
		void *failed = NULL;

		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	ck_assert_uint_eq(count_names(""), 1);
	ck_assert_int_eq(stat_outside("f").st_size, 1);
}
END_TEST

START_TEST(an_upload_shows_with_its_commit_and_not_before)
{
	const struct backend_put_request request = { .key = "d/f" };
	struct store_info info;
	void *upload = NULL;

	OK(ops->upload_begin(self, &context, &request, &upload, &error));
	OK(ops->upload_write(self, &context, upload, "on", 2, &error));
	FAILS(STORE_NOT_FOUND, stat_key("d/f", &info));
	ck_assert_uint_eq(count_names("d"), 0);
	/* Somebody thinks that the folder is empty. */
	(void)!rmdir(outside("d"));
	OK(ops->upload_write(self, &context, upload, "e", 1, &error));
	OK(ops->upload_commit(self, &context, upload, &request, &info, &error));
	expect_outside("d/f", "one");
	ck_assert_uint_eq(info.size, 3);
	OK(ops->upload_begin(self, &context, &request, &upload, &error));
	OK(ops->upload_write(self, &context, upload, "two", 3, &error));
	ops->upload_abort(self, upload);
	expect_outside("d/f", "one");
	ck_assert_uint_eq(count_names("d"), 1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("local versions");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests,
		       changes_of_attributes_leave_token_and_readers_alone);
	tcase_add_test(tests, one_state_has_one_token_whoever_tells);
	tcase_add_test(tests,
		       the_same_mtime_and_size_do_not_make_the_same_token);
	tcase_add_test(tests, an_mtime_set_here_does_not_disturb_readers);
	tcase_add_test(tests,
		       a_file_written_by_others_is_changed_for_its_reader);
	tcase_add_test(tests, a_replaced_or_removed_file_stays_readable);
	tcase_add_test(tests, a_replacement_takes_over_the_id_and_only_it);
	tcase_add_test(tests, a_link_left_behind_keeps_its_id_for_itself);
	tcase_add_test(tests, links_go_on_sharing_what_is_put_with_keep);
	tcase_add_test(tests, keep_carries_over_what_is_not_named);
	tcase_add_test(tests, our_attributes_are_hidden_and_not_to_be_set);
	tcase_add_test(tests, a_folder_locked_by_others_ends_the_put_in_time);
	tcase_add_test(tests, unconditional_puts_do_not_mind_each_other);
	tcase_add_test(tests, an_upload_shows_with_its_commit_and_not_before);
	tcase_add_test(tests, no_conditional_put_of_any_process_is_lost);
	return unit_run("local versions", tests);
}
