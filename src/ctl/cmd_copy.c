// SPDX-License-Identifier: MIT
/*
 * cp and mv: operands and where they lead; copy.c does the work.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/ctl/copy.h"
#include "src/key.h"

static const struct arg_option cp_options[] = {
	{ "recursive", 'r', ARG_FLAG, offsetof(struct args, recursive), NULL,
	  "Copy folders with all that is below" },
	{ "preserve", 'p', ARG_FLAG, offsetof(struct args, preserve), NULL,
	  "Keep mode, owner, times, extended attributes and metadata" },
	{ "no-clobber", 'n', ARG_FLAG, offsetof(struct args, no_clobber), NULL,
	  "Leave what exists alone" },
	{ "verbose", 'v', ARG_FLAG, offsetof(struct args, verbose), NULL,
	  "Show what is done" },
	{ .name = NULL },
};

static const struct arg_option mv_options[] = {
	{ "no-clobber", 'n', ARG_FLAG, offsetof(struct args, no_clobber), NULL,
	  "Leave what exists alone" },
	{ "verbose", 'v', ARG_FLAG, offsetof(struct args, verbose), NULL,
	  "Show what is done" },
	{ .name = NULL },
};

static bool is_stream(const char *operand)
{
	return !strcmp(operand, "-");
}

/* Is the operand a local pipe, device or socket? */
static bool is_special(const struct place *place, const char *operand)
{
	struct stat st;

	return place->local && !stat(operand, &st) && !S_ISREG(st.st_mode) &&
	       !S_ISDIR(st.st_mode);
}

/* Files of the kernel that tell no size but have contents. */
static bool is_sizeless(const struct place *place, const char *operand)
{
	struct stat st;

	return place->local && !stat(operand, &st) && S_ISREG(st.st_mode) &&
	       st.st_size == 0;
}

/* The key a source gets below the destination; malloc'd. */
static char *target_key(const struct place *from, const struct place *to,
			bool into_folder)
{
	if (!into_folder || place_is_root(from) || from->itself)
		return strdup(to->key);
	return key_join(to->key, key_name(from->key));
}

static void run_from_fd(struct ctl *ctl, const char *operand,
			const struct place *to, const char *key)
{
	struct store_error error = STORE_ERROR_INIT;
	struct copy copy;
	int fd = is_stream(operand) ? STDIN_FILENO
				    : open(operand, O_RDONLY | O_CLOEXEC);

	copy_init(&copy, ctl, NULL, to);
	if (fd < 0) {
		store_error_errno(&error, errno, "%s", operand);
		ctl_fail(ctl, NULL, NULL, &error);
		return;
	}
	copy_from_fd(&copy, fd, operand, key);
	if (fd != STDIN_FILENO)
		close(fd);
}

static void run_to_fd(struct ctl *ctl, const struct place *from,
		      const char *operand)
{
	struct store_error error = STORE_ERROR_INIT;
	struct copy copy;
	int fd = is_stream(operand) ? STDOUT_FILENO
				    : open(operand, O_WRONLY | O_CLOEXEC);

	copy_init(&copy, ctl, from, NULL);
	if (fd < 0) {
		store_error_errno(&error, errno, "%s", operand);
		ctl_fail(ctl, NULL, NULL, &error);
		return;
	}
	copy_to_fd(&copy, from->key, fd, operand);
	if (fd != STDOUT_FILENO && close(fd)) {
		store_error_errno(&error, errno, "%s", operand);
		ctl_fail(ctl, NULL, NULL, &error);
	}
}

static void run_one(struct ctl *ctl, const char *operand,
		    const struct place *to, bool into_folder, bool move)
{
	CLEANUP_PLACE struct place from = PLACE_INIT;
	CLEANUP_FREE char *key = NULL;
	struct store_error error = STORE_ERROR_INIT;
	struct copy copy;
	bool follow = !move && !ctl->args.recursive;

	if (!place_want(ctl, operand, follow ? PLACE_FOLLOW : 0, &from))
		return;
	key = target_key(&from, to, into_folder);
	if (!key)
		store_error_set(&error, STORE_NO_MEMORY, "out of memory");
	else if (move && from.itself)
		store_error_set(&error, STORE_INVALID,
				"where we are, or above, is not moved");
	else if (move && place_is_root(&from))
		store_error_set(&error, STORE_INVALID,
				"the root of a store is not moved");
	if (error.code) {
		ctl_fail_place(ctl, &from, &error);
		return;
	}
	if (follow &&
	    (is_special(&from, operand) || is_sizeless(&from, operand))) {
		run_from_fd(ctl, operand, to, key);
		return;
	}
	copy_init(&copy, ctl, &from, to);
	copy.move = move;
	copy.recursive |= move;
	copy_tree(&copy, from.key, key);
}

/* Where several sources go, or one of them below its own name. */
static bool is_folder(struct ctl *ctl, const struct place *place)
{
	struct store_error ignored = STORE_ERROR_INIT;
	struct store_info info;

	if (place->folder)
		return true;
	return !store_stat(place->store, ctl_context(ctl), place->key, &info,
			   &ignored) &&
	       info.type == STORE_TYPE_FOLDER;
}

static void run_to_stream(struct ctl *ctl, const char *source,
			  const char *target)
{
	CLEANUP_PLACE struct place from = PLACE_INIT;

	if (is_stream(source))
		ctl_fail_usage(ctl, "cp: - to a stream copies nothing");
	else if (place_want(ctl, source, PLACE_FOLLOW, &from))
		run_to_fd(ctl, &from, target);
}

static void run_all(struct ctl *ctl, char **operands, int count, bool move)
{
	CLEANUP_PLACE struct place to = PLACE_INIT;
	const char *target = operands[count - 1];
	bool folder;
	int i;

	if (!place_want(ctl, target, PLACE_FOLLOW, &to))
		return;
	if (!move && count == 2 && is_special(&to, target)) {
		run_to_stream(ctl, operands[0], target);
		return;
	}
	folder = is_folder(ctl, &to);
	if (count > 2 && !folder) {
		struct store_error error = STORE_ERROR_INIT;

		store_error_set(&error, STORE_NOT_DIR,
				"several sources need a folder");
		ctl_fail_place(ctl, &to, &error);
		return;
	}
	for (i = 0; i < count - 1 && !ctl_cancelled(ctl); i++) {
		if (!move && is_stream(operands[i]))
			run_from_fd(ctl, operands[i], &to, to.key);
		else
			run_one(ctl, operands[i], &to, folder, move);
	}
}

static void cp_run(struct ctl *ctl, char **operands, int count)
{
	if (count == 2 && is_stream(operands[1]))
		run_to_stream(ctl, operands[0], operands[1]);
	else
		run_all(ctl, operands, count, false);
}

static void mv_run(struct ctl *ctl, char **operands, int count)
{
	run_all(ctl, operands, count, true);
}

const struct ctl_command command_cp = {
	.name = "cp",
	.operands = "SOURCE... TARGET",
	.help = "Copy between stores and local paths; - is a standard stream",
	.options = cp_options,
	.least = 2,
	.most = -1,
	.writes = true,
	.run = cp_run,
};

const struct ctl_command command_mv = {
	.name = "mv",
	.operands = "SOURCE... TARGET",
	.help = "Move or rename files and folders",
	.options = mv_options,
	.least = 2,
	.most = -1,
	.writes = true,
	.run = mv_run,
};
