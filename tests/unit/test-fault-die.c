// SPDX-License-Identifier: MIT
/*
 * The fault layer's `die`, over a local store: the process ends right before
 * or right behind a call, and the folder tells which of both it was.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/unit/memory_store.h"
#include "tests/unit/unit.h"

static char folder[64]; /* holds the fault file and the store */
static struct store *store;
static struct store_error error;

static int write_text(const char *key, const char *text)
{
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
	};
	struct store_memory_source source;

	return store_write(
		store, NULL, key,
		store_memory_source_init(&source, text, strlen(text)), &options,
		NULL, &error);
}

static void open_store(const char *rule)
{
	char path[96], url[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/fault", folder);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fprintf(file, "%s\n", rule);
	fclose(file);
	snprintf(url, sizeof(url), "file://%s/store?fault=%s/fault", folder,
		 folder);
	ck_assert_msg(store_open_url(url, NULL, &store, &error) == STORE_OK,
		      "%s", error.message);
}

static void setup(void)
{
	char path[96];

	store_error_clear(&error);
	snprintf(folder, sizeof(folder), "/tmp/storefs-die.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/store", folder);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	open_store("");
	ck_assert_int_eq(write_text("f", "old"), STORE_OK);
	store_close(store);
}

static void teardown(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

/* ---- one call each ---- */

static int do_stat(void)
{
	return store_exists(store, NULL, "f", &(bool){ 0 }, &error);
}

static int do_list(void)
{
	struct store_page page;
	int code;

	store_page_init(&page);
	code = store_list_page(store, NULL, "", NULL, 10, &page, &error);
	store_page_release(&page);
	return code;
}

static int do_read(void)
{
	CLEANUP_FREE void *data = NULL;
	size_t size = 0;

	return store_read_all(store, NULL, "f", 100, &data, &size, &error);
}

static int do_put(void)
{
	return write_text("f", "new");
}

static int do_make(void)
{
	return store_make_folder(store, NULL, "d", NULL, NULL, &error);
}

static int do_remove(void)
{
	return store_delete(store, NULL, "f", false, &error);
}

static int do_move(void)
{
	return store_move(store, NULL, "f", "g", 0, NULL, NULL, &error);
}

static int do_copy(void)
{
	return store_copy(store, NULL, "f", "g", 0, NULL, &error);
}

static int do_set(void)
{
	struct store_attributes attributes = { .mask = STORE_ATTR_MODE,
					       .mode = 0600 };

	return store_set_attributes(store, NULL, "f", &attributes, NULL,
				    &error);
}

static const struct {
	const char *op;
	int (*act)(void);
	const char *before, *after; /* how the folder looks */
} calls[] = {
	{ "stat", do_stat, "f=old ", "f=old " },
	{ "list", do_list, "f=old ", "f=old " },
	{ "open", do_read, "f=old ", "f=old " },
	{ "read", do_read, "f=old ", "f=old " },
	{ "put", do_put, "f=old ", "f=new " },
	{ "make", do_make, "f=old ", "f=old d " },
	{ "remove", do_remove, "f=old ", "" },
	{ "move", do_move, "f=old ", "g=old " },
	{ "copy", do_copy, "f=old ", "f=old g=old " },
	{ "set", do_set, "f=old ", "f=old/600 " },
};
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

/* Run by a child, which has the store to itself. */
static int status_of(const char *rule, int (*act)(void))
{
	int status = 0;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child) {
		open_store(rule);
		_exit(act() == STORE_OK ? 0 : 1);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void describe(const char *name, char *text, size_t size)
{
	size_t length = strlen(text);
	char path[96], content[8] = "";
	struct stat st;
	FILE *file;

	snprintf(path, sizeof(path), "%s/store/%s", folder, name);
	file = fopen(path, "r");
	if (!file)
		return;
	ck_assert_int_eq(fstat(fileno(file), &st), 0);
	if (S_ISDIR(st.st_mode))
		snprintf(text + length, size - length, "%s ", name);
	else if (fgets(content, sizeof(content), file))
		snprintf(text + length, size - length, "%s=%s%s ", name,
			 content, (st.st_mode & 0777) == 0600 ? "/600" : "");
	fclose(file);
}

static void folder_is(const char *wanted, const char *rule)
{
	char text[64] = "";

	describe("f", text, sizeof(text));
	describe("d", text, sizeof(text));
	describe("g", text, sizeof(text));
	ck_assert_msg(strcmp(text, wanted) == 0, "%s: '%s', not '%s'", rule,
		      text, wanted);
}

START_TEST(the_process_dies_before_a_call)
{
	char rule[32];

	snprintf(rule, sizeof(rule), "%s die", calls[_i].op);
	ck_assert_int_eq(status_of(rule, calls[_i].act), -SIGKILL);
	folder_is(calls[_i].before, rule);
}
END_TEST

START_TEST(the_process_dies_behind_a_call)
{
	char rule[32];

	snprintf(rule, sizeof(rule), "%s-after die", calls[_i].op);
	ck_assert_int_eq(status_of(rule, calls[_i].act), -SIGKILL);
	folder_is(calls[_i].after, rule);
}
END_TEST

START_TEST(any_call_can_be_the_last)
{
	ck_assert_int_eq(status_of("any die", calls[_i].act), -SIGKILL);
	folder_is(calls[_i].before, "any");
	ck_assert_int_eq(status_of("any-after die after=1000", calls[_i].act),
			 0);
	folder_is(calls[_i].after, "any-after");
}
END_TEST

static int do_three_puts(void)
{
	return write_text("f", "1") || write_text("f", "2") ||
	       write_text("f", "3");
}

START_TEST(the_nth_call_is_the_deadly_one)
{
	ck_assert_int_eq(status_of("put die after=2", do_three_puts), -SIGKILL);
	folder_is("f=2 ", "before the third");
	ck_assert_int_eq(status_of("put-after die after=2", do_three_puts),
			 -SIGKILL);
	folder_is("f=3 ", "behind the third");
	ck_assert_int_eq(status_of("put die after=3", do_three_puts), 0);
	ck_assert_int_eq(status_of("put die key=other", do_three_puts), 0);
}
END_TEST

static int do_failing_remove(void)
{
	return store_delete(store, NULL, "missing", false, &error);
}

START_TEST(a_call_that_failed_is_done_as_well)
{
	ck_assert_int_eq(status_of("remove-after die", do_failing_remove),
			 -SIGKILL);
}
END_TEST

START_TEST(every_answer_of_a_change_can_get_lost)
{
	char rule[48];

	snprintf(rule, sizeof(rule), "%s-after error=DENIED", calls[_i].op);
	ck_assert_int_eq(status_of(rule, calls[_i].act), 1);
	folder_is(calls[_i].after, rule);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("fault-die");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_loop_test(tests, the_process_dies_before_a_call, 0, CALLS);
	tcase_add_loop_test(tests, the_process_dies_behind_a_call, 0, CALLS);
	tcase_add_loop_test(tests, any_call_can_be_the_last, 0, CALLS);
	tcase_add_test(tests, the_nth_call_is_the_deadly_one);
	tcase_add_test(tests, a_call_that_failed_is_done_as_well);
	/* From put on they change something. */
	tcase_add_loop_test(tests, every_answer_of_a_change_can_get_lost, 4,
			    CALLS);
	return unit_run("fault-die", tests);
}
