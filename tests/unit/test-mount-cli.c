// SPDX-License-Identifier: MIT
/* Command lines of the driver and of its helpers for mount(8). */
#include "config.h"

#include <check.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "mount/cli.h"
#include "tests/unit/unit.h"

enum { WORDS = 16 };

static struct store_error error;
static struct cli cli;
static struct mount_options *options;
static char *line;

static void setup(void)
{
	store_error_clear(&error);
	options = NULL;
	line = NULL;
	memset(&cli, 0, sizeof(cli));
}

static void teardown(void)
{
	mount_options_free(options);
	cli_release(&cli);
	free(line);
}

/* Words between single blanks; ~ is an empty one. */
static int parse(const char *text)
{
	char *argv[WORDS + 1] = { NULL };
	int argc = 0;

	teardown();
	setup();
	line = strdup(text);
	ck_assert_ptr_nonnull(line);
	for (char *word = line; word; argc++) {
		char *blank = strchr(word, ' ');

		ck_assert_int_lt(argc, WORDS);
		if (blank)
			*blank++ = '\0';
		if (!strcmp(word, "~"))
			*word = '\0';
		argv[argc] = word;
		word = blank;
	}
	optind = 0;
	return cli_parse(&cli, argc, argv, &error);
}

static void good(const char *text)
{
	int code = parse(text);

	ck_assert_msg(!code, "%s: %s", text, error.message);
}

static void bad(const char *text, const char *says)
{
	ck_assert_msg(parse(text) == STORE_INVALID, "%s is accepted", text);
	ck_assert_msg(strstr(error.message, says) != NULL, "%s: %s", text,
		      error.message);
}

static const struct mount_options *made(void)
{
	mount_options_free(options);
	options = mount_options_new(&cli.words);
	ck_assert_ptr_nonnull(options);
	return options;
}

START_TEST(a_source_and_a_mount_point_are_enough)
{
	good("/usr/bin/storefs memory: /mnt");
	ck_assert_int_eq(cli.action, CLI_MOUNT);
	ck_assert_str_eq(cli.program, "storefs");
	ck_assert_str_eq(cli.source, "memory:");
	ck_assert_str_eq(cli.mountpoint, "/mnt");
	ck_assert(!cli.foreground && !cli.debug);
}
END_TEST

START_TEST(options_stand_anywhere)
{
	good("storefs -f memory: -o ro /mnt -o umask=022,nosuid -c /x.ini");
	ck_assert(cli.foreground);
	ck_assert_str_eq(cli.mountpoint, "/mnt");
	ck_assert(made()->read_only);
	ck_assert_uint_eq(options->umask, 022);
	ck_assert_str_eq(options->kernel, "nosuid");
	ck_assert_str_eq(options->config, "/x.ini");
	good("storefs memory: /mnt -r --config /y.ini");
	ck_assert(made()->read_only);
	ck_assert_str_eq(options->config, "/y.ini");
}
END_TEST

START_TEST(debugging_stays_in_the_foreground)
{
	good("storefs -d memory: /mnt");
	ck_assert(cli.debug && cli.foreground);
}
END_TEST

START_TEST(operands_may_begin_with_a_dash_behind_two)
{
	good("storefs -f -- -store -mnt");
	ck_assert_str_eq(cli.source, "-store");
	ck_assert_str_eq(cli.mountpoint, "-mnt");
}
END_TEST

START_TEST(checking_is_an_action)
{
	good("storefs --check memory: /mnt");
	ck_assert_int_eq(cli.action, CLI_CHECK);
}
END_TEST

START_TEST(help_and_version_need_no_operands)
{
	good("storefs --help");
	ck_assert_int_eq(cli.action, CLI_HELP);
	good("storefs -h");
	ck_assert_int_eq(cli.action, CLI_HELP);
	good("storefs -V");
	ck_assert_int_eq(cli.action, CLI_VERSION);
	good("mount.storefs --version");
	ck_assert_int_eq(cli.action, CLI_VERSION);
}
END_TEST

START_TEST(a_wrong_number_of_operands_is_told)
{
	bad("storefs", "source");
	bad("storefs memory:", "source");
	bad("storefs memory: /mnt more", "source");
	bad("storefs ~ /mnt", "empty");
	bad("storefs memory: ~", "empty");
	bad("umount.fuse.storefs", "mount point");
	bad("umount.fuse.storefs a b", "mount point");
	bad("umount.fuse.storefs ~", "empty");
}
END_TEST

START_TEST(unknown_letters_and_missing_values_are_told)
{
	bad("storefs -q memory: /mnt", "storefs --help");
	bad("storefs memory: /mnt -o", "storefs");
	bad("storefs memory: /mnt --nonsense", "storefs");
	bad("storefs memory: /mnt -o nonsense", "nonsense");
	/* Letters of mount(8)'s helpers alone. */
	bad("storefs -n memory: /mnt", "unknown option");
	bad("mount.storefs memory: /mnt -q", "mount.storefs");
}
END_TEST

/* ---- helpers ---- */

START_TEST(helpers_take_the_letters_of_mount)
{
	good("/sbin/mount.storefs data /mnt -s -n -v -N /ns -t storefs "
	     "-o rw,_netdev,nofail,umask=022");
	ck_assert_int_eq(cli.action, CLI_MOUNT);
	ck_assert_str_eq(cli.program, "mount.storefs");
	ck_assert_str_eq(cli.source, "data");
	ck_assert(!cli.foreground);
	ck_assert(cli.verbose);
	ck_assert_uint_eq(made()->umask, 022);
	good("/sbin/mount.fuse.storefs data /mnt -w -o dev,suid");
	ck_assert_int_eq(cli.action, CLI_MOUNT);
	ck_assert_str_eq(made()->kernel, "dev,suid");
	good("mount.storefs data /mnt -r");
	ck_assert(made()->read_only);
	ck_assert(!cli.verbose);
}
END_TEST

START_TEST(the_f_of_mount_is_fake_and_ours_is_foreground)
{
	good("mount.fuse.storefs data /mnt -f");
	ck_assert_int_eq(cli.action, CLI_FAKE);
	ck_assert(!cli.foreground);
	good("storefs data /mnt -f");
	ck_assert_int_eq(cli.action, CLI_MOUNT);
	ck_assert(cli.foreground);
}
END_TEST

START_TEST(the_helper_of_umount_takes_its_letters)
{
	good("/sbin/umount.fuse.storefs /mnt");
	ck_assert_int_eq(cli.action, CLI_UMOUNT);
	ck_assert_str_eq(cli.mountpoint, "/mnt");
	ck_assert_ptr_null(cli.source);
	ck_assert(!cli.lazy && !cli.force);
	good("umount.storefs /mnt -n -r -v -N /ns -t fuse.storefs -l");
	ck_assert(cli.lazy && !cli.force);
	ck_assert(cli.verbose);
	good("umount.fuse.storefs -f /mnt");
	ck_assert(cli.force && !cli.lazy);
	bad("umount.fuse.storefs /mnt -o ro", "unknown option");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("cli");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, a_source_and_a_mount_point_are_enough);
	tcase_add_test(tests, options_stand_anywhere);
	tcase_add_test(tests, debugging_stays_in_the_foreground);
	tcase_add_test(tests, operands_may_begin_with_a_dash_behind_two);
	tcase_add_test(tests, checking_is_an_action);
	tcase_add_test(tests, help_and_version_need_no_operands);
	tcase_add_test(tests, a_wrong_number_of_operands_is_told);
	tcase_add_test(tests, unknown_letters_and_missing_values_are_told);
	tcase_add_test(tests, helpers_take_the_letters_of_mount);
	tcase_add_test(tests, the_f_of_mount_is_fake_and_ours_is_foreground);
	tcase_add_test(tests, the_helper_of_umount_takes_its_letters);
	return unit_run("mount cli", tests);
}
