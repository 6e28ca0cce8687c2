// SPDX-License-Identifier: MIT
/* -o words and what they become; sections of the configuration. */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/options.h"
#include "mount/source.h"
#include "src/base/clock.h"
#include "tests/unit/unit.h"

static struct store_error error;
static struct mount_words words;
static struct mount_options *options;

static void setup(void)
{
	store_error_clear(&error);
	options = NULL;
	ck_assert_int_eq(mount_words_new(&words, &error), STORE_OK);
}

static void teardown(void)
{
	mount_options_free(options);
	mount_words_release(&words);
}

static void take(const char *text)
{
	ck_assert_msg(!mount_words_parse(&words, text, &error), "%s: %s", text,
		      error.message);
}

static void refuse(const char *text, const char *says)
{
	store_error_clear(&error);
	ck_assert_msg(mount_words_parse(&words, text, &error) == STORE_INVALID,
		      "%s is accepted", text);
	ck_assert_msg(strstr(error.message, says) != NULL, "%s: %s", text,
		      error.message);
}

static const struct mount_options *made(void)
{
	mount_options_free(options);
	options = mount_options_new(&words);
	ck_assert_ptr_nonnull(options);
	return options;
}

/* ---- words of ours ---- */

START_TEST(without_words_the_defaults_hold)
{
	const struct mount_options *o = made();

	ck_assert_int_eq(o->commit, COMMIT_CLOSE);
	ck_assert_int_eq(o->metadata, METADATA_FULL);
	ck_assert_int_eq(o->conflict, CONFLICT_FAIL);
	ck_assert(!o->rename_atomic && !o->exclusive_open);
	ck_assert(!o->read_only && !o->allow_other && !o->staging_volatile);
	ck_assert(!o->have_uid && !o->have_gid);
	ck_assert_uint_eq(o->umask, 0);
	ck_assert_uint_eq(o->file_mode, 0644);
	ck_assert_uint_eq(o->dir_mode, 0755);
	ck_assert_int_eq(o->op_timeout_ns, 30 * NS_PER_SEC);
	ck_assert_int_eq(o->drain_timeout_ns, 60 * NS_PER_SEC);
	ck_assert_int_eq(o->publish_interval_ns, 0);
	ck_assert_int_eq(o->attr_timeout_ns, NS_PER_SEC);
	ck_assert_int_eq(o->entry_timeout_ns, NS_PER_SEC);
	ck_assert_int_eq(o->negative_timeout_ns, NS_PER_SEC);
	ck_assert_uint_eq(o->staging_size, 0);
	ck_assert_uint_eq(o->memory, UINT64_C(256) << 20);
	ck_assert_ptr_null(o->config);
	ck_assert_ptr_null(o->staging_dir);
	ck_assert_ptr_null(o->cache_dir);
	ck_assert_str_eq(o->kernel, "");
}
END_TEST

START_TEST(every_word_arrives)
{
	const struct mount_options *o;

	take("config=/etc/x.ini,commit=background,staging_dir=/s,"
	     "staging_size=2G,staging_volatile,cache_dir=/c,cache_size=1T,"
	     "memory=64M,metadata=list,conflict=rename,rename=atomic,"
	     "exclusive=open,op_timeout=5,drain_timeout=2m,"
	     "publish_interval=500ms,uid=1000,gid=4294967295,umask=027,"
	     "file_mode=0600,dir_mode=0700,attr_timeout=0,entry_timeout=1h,"
	     "negative_timeout=3s,ro,allow_other");
	o = made();
	ck_assert_str_eq(o->config, "/etc/x.ini");
	ck_assert_int_eq(o->commit, COMMIT_BACKGROUND);
	ck_assert_str_eq(o->staging_dir, "/s");
	ck_assert_uint_eq(o->staging_size, UINT64_C(2) << 30);
	ck_assert(!o->staging_percent && o->staging_volatile);
	ck_assert_str_eq(o->cache_dir, "/c");
	ck_assert_uint_eq(o->cache_size, UINT64_C(1) << 40);
	ck_assert_uint_eq(o->memory, UINT64_C(64) << 20);
	ck_assert_int_eq(o->metadata, METADATA_LIST);
	ck_assert_int_eq(o->conflict, CONFLICT_RENAME);
	ck_assert(o->rename_atomic && o->exclusive_open);
	ck_assert_int_eq(o->op_timeout_ns, 5 * NS_PER_SEC);
	ck_assert_int_eq(o->drain_timeout_ns, 120 * NS_PER_SEC);
	ck_assert_int_eq(o->publish_interval_ns, NS_PER_SEC / 2);
	ck_assert(o->have_uid && o->uid == 1000);
	ck_assert(o->have_gid && o->gid == UINT32_MAX);
	ck_assert_uint_eq(o->umask, 027);
	ck_assert_uint_eq(o->file_mode, 0600);
	ck_assert_uint_eq(o->dir_mode, 0700);
	ck_assert_int_eq(o->attr_timeout_ns, 0);
	ck_assert_int_eq(o->entry_timeout_ns, 3600 * NS_PER_SEC);
	ck_assert_int_eq(o->negative_timeout_ns, 3 * NS_PER_SEC);
	ck_assert(o->read_only && o->allow_other);
}
END_TEST

START_TEST(the_test_above_names_every_word_of_the_table)
{
	static const char *const named[] = {
		"config",
		"commit",
		"staging_dir",
		"staging_size",
		"staging_volatile",
		"cache_dir",
		"cache_size",
		"memory",
		"metadata",
		"conflict",
		"rename",
		"exclusive",
		"op_timeout",
		"drain_timeout",
		"publish_interval",
		"uid",
		"gid",
		"umask",
		"file_mode",
		"dir_mode",
		"attr_timeout",
		"entry_timeout",
		"negative_timeout",
		"ro",
		"allow_other",
	};
	size_t count = 0;

	for (; mount_option_table[count].name; count++)
		ck_assert_ptr_nonnull(mount_option_table[count].help);
	ck_assert_uint_eq(count, sizeof(named) / sizeof(named[0]));
	for (size_t i = 0; i < count; i++)
		ck_assert_ptr_nonnull(
			option_find(mount_option_table, named[i]));
}
END_TEST

START_TEST(a_share_of_the_disk_is_a_percentage)
{
	take("staging_size=25%");
	ck_assert(made()->staging_percent);
	ck_assert_uint_eq(options->staging_size, 25);
	refuse("staging_size=101%", "staging_size");
	refuse("memory=50%", "memory");
}
END_TEST

START_TEST(the_last_word_counts)
{
	take("umask=022,umask=077");
	take("ro=no");
	ck_assert_uint_eq(made()->umask, 077);
	ck_assert(!options->read_only);
	take("ro");
	ck_assert(made()->read_only);
}
END_TEST

START_TEST(a_backslash_keeps_a_comma)
{
	take("staging_dir=/a\\,b,config=/c\\\\d");
	ck_assert_str_eq(made()->staging_dir, "/a,b");
	ck_assert_str_eq(options->config, "/c\\d");
}
END_TEST

START_TEST(empty_words_are_skipped)
{
	take("");
	take(",,ro,,");
	ck_assert(made()->read_only);
}
END_TEST

START_TEST(a_mistyped_word_names_the_nearest)
{
	refuse("comit=close", "commit");
	refuse("staging_dirr=/x", "staging_dir");
	refuse("op_timout=3", "op_timeout");
	refuse("alow_other", "allow_other");
	refuse("completely_else", "completely_else");
}
END_TEST

START_TEST(wrong_values_are_refused_by_name)
{
	refuse("commit=sometimes", "commit");
	refuse("umask=8", "umask");
	refuse("umask=7777", "umask");
	refuse("file_mode=17777", "file_mode");
	refuse("uid=-1", "uid");
	refuse("uid=4294967296", "uid");
	refuse("uid=me", "uid");
	refuse("op_timeout=soon", "op_timeout");
	refuse("memory=1M", "memory");
	refuse("memory=lots", "memory");
	refuse("ro=perhaps", "ro");
	refuse("staging_dir=", "staging_dir");
	refuse("commit", "commit");
	refuse("umask", "umask");
}
END_TEST

/* ---- words of others ---- */

START_TEST(generic_words_say_nothing)
{
	take("_netdev,nofail,auto,noauto,user,users,nouser,owner,group,"
	     "defaults,relatime,rw,async,default_permissions,remount,"
	     "x-systemd.automount,x-systemd.requires=a.service,X-mount.mkdir,"
	     "comment=what ever,uhelper=udisks2,helper=x,fsname=x,subtype=x");
	ck_assert_str_eq(made()->kernel, "");
	ck_assert(!options->read_only);
}
END_TEST

START_TEST(words_of_the_kernel_are_passed_on)
{
	take("nosuid,ro,noexec");
	take("nodev");
	ck_assert_str_eq(made()->kernel, "nosuid,noexec,nodev");
	ck_assert(options->read_only);
}
END_TEST

START_TEST(generic_words_take_no_value)
{
	refuse("nofail=1", "nofail");
	refuse("nosuid=1", "nosuid");
	refuse("comment", "comment");
}
END_TEST

/* ---- the configuration ---- */

static char config[] = "/tmp/storefs-options.XXXXXX";

static void write_config(const char *text)
{
	FILE *file;
	int fd;

	memcpy(config + strlen(config) - 6, "XXXXXX", 6);
	fd = mkstemp(config);
	ck_assert_int_ge(fd, 0);
	file = fdopen(fd, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
}

#define SOME_STORE                      \
	"[backends.b]\ntype = memory\n" \
	"[stores.data]\nbackend = b\n"

START_TEST(the_command_line_stands_over_the_configuration)
{
	struct source source;
	char word[80];

	write_config(SOME_STORE "[mounts.data]\numask = 077\nattr_timeout = 9\n"
				"allow_other = true\n");
	snprintf(word, sizeof(word), "config=%s,umask=022", config);
	take(word);
	ck_assert_msg(!source_prepare("data", &words, &source, &error), "%s",
		      error.message);
	ck_assert_uint_eq(made()->umask, 022);
	ck_assert_int_eq(options->attr_timeout_ns, 9 * NS_PER_SEC);
	ck_assert(options->allow_other);
	ck_assert(!source.is_url);
	source_release(&source);
	unlink(config);
}
END_TEST

START_TEST(a_wrong_word_in_the_configuration_names_its_place)
{
	struct source source;
	char word[80];

	write_config(SOME_STORE "[mounts.data]\numaks = 077\n");
	snprintf(word, sizeof(word), "config=%s", config);
	take(word);
	ck_assert_int_eq(source_prepare("data", &words, &source, &error),
			 STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, config));
	ck_assert_ptr_nonnull(strstr(error.message, "umask"));
	source_release(&source);
	unlink(config);
}
END_TEST

START_TEST(an_unknown_store_is_named)
{
	struct source source;
	char word[80];

	write_config(SOME_STORE);
	snprintf(word, sizeof(word), "config=%s", config);
	take(word);
	ck_assert_int_ne(source_prepare("date", &words, &source, &error),
			 STORE_OK);
	ck_assert_ptr_nonnull(strstr(error.message, "date"));
	source_release(&source);
	unlink(config);
}
END_TEST

START_TEST(sources_that_are_urls_are_checked_and_masked)
{
	static const char *const wrong[] = {
		"sqlite:///relative.db",
		"nonsense://x",
		"memory:?limits=1",
		"file:///a?rot=1",
	};
	struct source source;
	char *masked;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		ck_assert_msg(source_prepare(wrong[i], &words, &source,
					     &error) == STORE_INVALID,
			      "%s: %s", wrong[i], error.message);
		source_release(&source);
	}
	ck_assert_int_eq(
		source_prepare("memory:?limit=1M", &words, &source, &error),
		STORE_OK);
	masked = source_masked(&source);
	ck_assert_str_eq(masked, "memory:");
	free(masked);
	source_release(&source);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("options");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, without_words_the_defaults_hold);
	tcase_add_test(tests, every_word_arrives);
	tcase_add_test(tests, the_test_above_names_every_word_of_the_table);
	tcase_add_test(tests, a_share_of_the_disk_is_a_percentage);
	tcase_add_test(tests, the_last_word_counts);
	tcase_add_test(tests, a_backslash_keeps_a_comma);
	tcase_add_test(tests, empty_words_are_skipped);
	tcase_add_test(tests, a_mistyped_word_names_the_nearest);
	tcase_add_test(tests, wrong_values_are_refused_by_name);
	tcase_add_test(tests, generic_words_say_nothing);
	tcase_add_test(tests, words_of_the_kernel_are_passed_on);
	tcase_add_test(tests, generic_words_take_no_value);
	tcase_add_test(tests, the_command_line_stands_over_the_configuration);
	tcase_add_test(tests,
		       a_wrong_word_in_the_configuration_names_its_place);
	tcase_add_test(tests, an_unknown_store_is_named);
	tcase_add_test(tests, sources_that_are_urls_are_checked_and_masked);
	return unit_run("mount options", tests);
}
