// SPDX-License-Identifier: MIT
/*
 * The mount's option table and its way to struct mount_options.  Called by
 * cli.c (command line), source.c (configuration) and session.c.
 */
#include "config.h"

#include "mount/options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/clock.h"

enum { WORDS_MAX = 65536 };

const struct store_option mount_option_table[] = {
	{ .name = "config", .type = OPTION_PATH, .help = "Configuration file" },
	{ .name = "commit",
	  .type = OPTION_CHOICE,
	  .fallback = "close",
	  .choices = "close|background",
	  .help = "When close() returns: stored, or staged durably" },
	{ .name = "staging_dir",
	  .type = OPTION_PATH,
	  .help = "Where files being written are kept" },
	{ .name = "staging_size",
	  .type = OPTION_SHARE,
	  .fallback = "0",
	  .help = "Most bytes in the staging directory, 0 for no limit" },
	{ .name = "staging_volatile",
	  .type = OPTION_FLAG,
	  .fallback = "no",
	  .help = "Allow a staging directory that a reboot empties" },
	{ .name = "cache_dir",
	  .type = OPTION_PATH,
	  .help = "Where blocks that were read are kept" },
	{ .name = "cache_size",
	  .type = OPTION_SHARE,
	  .fallback = "10%",
	  .help = "Most bytes in the cache directory, 0 for no limit" },
	{ .name = "memory",
	  .type = OPTION_SIZE,
	  .fallback = "256M",
	  .minimum = 16 << 20,
	  .help = "Budget for buffers in memory" },
	{ .name = "metadata",
	  .type = OPTION_CHOICE,
	  .fallback = "full",
	  .choices = "full|list",
	  .help = "Ask for attributes a listing does not have, or do not" },
	{ .name = "conflict",
	  .type = OPTION_CHOICE,
	  .fallback = "fail",
	  .choices = "fail|rename|overwrite",
	  .help = "When the store has another version than was opened" },
	{ .name = "rename",
	  .type = OPTION_CHOICE,
	  .fallback = "copy",
	  .choices = "copy|atomic",
	  .help = "Copy and delete where a store cannot move, or refuse" },
	{ .name = "exclusive",
	  .type = OPTION_CHOICE,
	  .fallback = "close",
	  .choices = "close|open",
	  .help = "Take the name of an O_EXCL file at close or at open" },
	{ .name = "op_timeout",
	  .type = OPTION_DURATION,
	  .fallback = "30",
	  .help = "Longest time without progress, 0 for no limit" },
	{ .name = "drain_timeout",
	  .type = OPTION_DURATION,
	  .fallback = "60",
	  .help = "How long unmounting waits for what is unpublished" },
	{ .name = "publish_interval",
	  .type = OPTION_DURATION,
	  .fallback = "0",
	  .help = "Publish files that stay open this often, 0 at close only" },
	{ .name = "uid",
	  .type = OPTION_INTEGER,
	  .maximum = UINT32_MAX,
	  .help = "Owner of everything" },
	{ .name = "gid",
	  .type = OPTION_INTEGER,
	  .maximum = UINT32_MAX,
	  .help = "Group of everything" },
	{ .name = "umask",
	  .type = OPTION_OCTAL,
	  .fallback = "0",
	  .maximum = 0777,
	  .help = "Bits cleared from every mode" },
	{ .name = "file_mode",
	  .type = OPTION_OCTAL,
	  .fallback = "0644",
	  .maximum = 07777,
	  .help = "Mode of files where none is stored" },
	{ .name = "dir_mode",
	  .type = OPTION_OCTAL,
	  .fallback = "0755",
	  .maximum = 07777,
	  .help = "Mode of folders where none is stored" },
	{ .name = "attr_timeout",
	  .type = OPTION_DURATION,
	  .fallback = "1",
	  .help = "How long attributes are believed" },
	{ .name = "entry_timeout",
	  .type = OPTION_DURATION,
	  .fallback = "1",
	  .help = "How long names are believed" },
	{ .name = "negative_timeout",
	  .type = OPTION_DURATION,
	  .fallback = "1",
	  .help = "How long missing names are believed" },
	{ .name = "ro",
	  .type = OPTION_FLAG,
	  .fallback = "no",
	  .help = "Mount read-only" },
	{ .name = "allow_other",
	  .type = OPTION_FLAG,
	  .fallback = "no",
	  .help = "Let other users in" },
	{ 0 },
};

/* Words of mount(8) and its helpers that say nothing to us. */
static const char *const dropped[] = {
	"_netdev",
	"nofail",
	"auto",
	"noauto",
	"user",
	"users",
	"nouser",
	"owner",
	"group",
	"defaults",
	"relatime",
	"norelatime",
	"lazytime",
	"nolazytime",
	"strictatime",
	"nostrictatime",
	"atime",
	"diratime",
	"rw",
	"mand",
	"nomand",
	"silent",
	"loud",
	"iversion",
	"noiversion",
	"async",
	"default_permissions",
	"helper",
	"remount",
	"intr",
	"nonempty",
	NULL,
};
/* Words that the kernel's mount takes. */
static const char *const passed[] = {
	"noatime", "nodiratime", "exec", "noexec",  "suid", "nosuid",
	"dev",	   "nodev",	 "sync", "dirsync", NULL,
};
/* Words with a value behind '='. */
static const char *const dropped_with_value[] = { "comment", "uhelper",
						  "helper",  "fsname",
						  "subtype", NULL };

static bool listed(const char *const *words, const char *name)
{
	for (; *words; words++)
		if (!strcmp(*words, name))
			return true;
	return false;
}

int mount_words_new(struct mount_words *words, struct store_error *error)
{
	*words = (struct mount_words){ 0 };
	return option_values_new(mount_option_table, &words->values, error);
}

void mount_words_release(struct mount_words *words)
{
	option_values_free(words->values);
	free(words->kernel);
	*words = (struct mount_words){ 0 };
}

static int add_kernel_word(struct mount_words *words, const char *name,
			   struct store_error *error)
{
	struct buf text = BUF_INIT(WORDS_MAX);
	char *joined;

	if (words->kernel)
		buf_addf(&text, "%s,", words->kernel);
	buf_add_text(&text, name);
	joined = buf_steal(&text);
	buf_release(&text);
	if (!joined)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for options");
	free(words->kernel);
	words->kernel = joined;
	return STORE_OK;
}

int mount_words_set(struct mount_words *words, const char *name,
		    const char *value, const char *source,
		    struct store_error *error)
{
	const struct store_option *option;

	if (!strncmp(name, "x-", 2) || !strncmp(name, "X-", 2) ||
	    (!value && listed(dropped, name)) ||
	    (value && listed(dropped_with_value, name)))
		return STORE_OK;
	if (!value && listed(passed, name))
		return add_kernel_word(words, name, error);
	option = option_find(mount_option_table, name);
	if (!value && option && option->type != OPTION_FLAG)
		return store_error_set(error, STORE_INVALID,
				       "%s: option %s needs a value", source,
				       name);
	return option_values_set(words->values, name, value ? value : "true",
				 source, error);
}

static int set_word(void *arg, const char *name, const char *value,
		    struct store_error *error)
{
	return mount_words_set(arg, name, value, "-o", error);
}

int mount_words_parse(struct mount_words *words, const char *text,
		      struct store_error *error)
{
	return option_split(text, set_word, words, error);
}

static bool copy_text(const struct option_values *values, const char *name,
		      char **out)
{
	const char *text = option_text(values, name);

	*out = text ? strdup(text) : NULL;
	return *out || !text;
}

static void fill_numbers(struct mount_options *options,
			 const struct option_values *values)
{
	options->op_timeout_ns = option_number(values, "op_timeout");
	options->drain_timeout_ns = option_number(values, "drain_timeout");
	options->publish_interval_ns =
		option_number(values, "publish_interval");
	options->attr_timeout_ns = option_number(values, "attr_timeout");
	options->entry_timeout_ns = option_number(values, "entry_timeout");
	options->negative_timeout_ns =
		option_number(values, "negative_timeout");
	options->staging_size = (uint64_t)option_number(values, "staging_size");
	options->staging_percent = option_is_percent(values, "staging_size");
	options->cache_size = (uint64_t)option_number(values, "cache_size");
	options->cache_percent = option_is_percent(values, "cache_size");
	options->memory = (uint64_t)option_number(values, "memory");
	options->umask = (mode_t)option_number(values, "umask");
	options->file_mode = (mode_t)option_number(values, "file_mode");
	options->dir_mode = (mode_t)option_number(values, "dir_mode");
	options->have_uid = option_is_set(values, "uid");
	options->have_gid = option_is_set(values, "gid");
	options->uid = (uid_t)option_number(values, "uid");
	options->gid = (gid_t)option_number(values, "gid");
}

struct mount_options *mount_options_new(const struct mount_words *words)
{
	const struct option_values *values = words->values;
	struct mount_options *options = calloc(1, sizeof(*options));

	if (!options)
		return NULL;
	fill_numbers(options, values);
	options->commit = (enum commit_mode)option_choice(values, "commit");
	options->metadata =
		(enum metadata_mode)option_choice(values, "metadata");
	options->conflict =
		(enum conflict_mode)option_choice(values, "conflict");
	options->rename_atomic = option_choice(values, "rename") == 1;
	options->exclusive_open = option_choice(values, "exclusive") == 1;
	options->read_only = option_flag(values, "ro");
	options->allow_other = option_flag(values, "allow_other");
	options->staging_volatile = option_flag(values, "staging_volatile");
	options->kernel = strdup(words->kernel ? words->kernel : "");
	if (options->kernel && copy_text(values, "config", &options->config) &&
	    copy_text(values, "staging_dir", &options->staging_dir) &&
	    copy_text(values, "cache_dir", &options->cache_dir))
		return options;
	mount_options_free(options);
	return NULL;
}

void mount_options_free(struct mount_options *options)
{
	if (!options)
		return;
	free(options->config);
	free(options->staging_dir);
	free(options->cache_dir);
	free(options->kernel);
	free(options);
}
