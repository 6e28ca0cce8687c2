// SPDX-License-Identifier: MIT
/*
 * rm, rmdir and mkdir.
 */
#include "config.h"

#include "src/ctl/place.h"

static const struct arg_option rm_options[] = {
	{ "recursive", 'r', ARG_FLAG, offsetof(struct args, recursive), NULL,
	  "Remove folders with all that is below" },
	{ "force", 'f', ARG_FLAG, offsetof(struct args, force), NULL,
	  "What is missing is no failure" },
	{ "verbose", 'v', ARG_FLAG, offsetof(struct args, verbose), NULL,
	  "Show what is done" },
	{ .name = NULL },
};

struct rm {
	struct ctl *ctl;
	const struct place *place;
	bool told; /* a key below was named already */
};

static void rm_failed(void *arg, const char *key,
		      const struct store_error *error)
{
	struct rm *rm = arg;

	rm->told = true;
	ctl_fail(rm->ctl, rm->place->label, key, error);
}

/* One line about what was done to a key. */
static void tell(struct ctl *ctl, const struct place *place, const char *done)
{
	CLEANUP_RECORD struct record record;

	record_init(&record);
	if (ctl->args.json) {
		record_text(&record, "done", done);
		record_bytes(&record, "key", place->key);
		ctl_print(ctl, &record);
	} else if (ctl->args.verbose) {
		printf("%s ", done);
		out_name(place->label, place->key);
		putchar('\n');
	}
}

static int rm_folder(struct rm *rm, struct store_error *error)
{
	struct store_delete_folder_options options = {
		.recursive = true,
		.missing_ok = rm->ctl->args.force,
		.failed = rm_failed,
		.arg = rm,
	};

	return store_delete_folder(rm->place->store, ctl_context(rm->ctl),
				   rm->place->key, &options, error);
}

static void rm_place(struct ctl *ctl, const struct place *place)
{
	struct store_error error = STORE_ERROR_INIT;
	struct rm rm = { .ctl = ctl, .place = place };
	int code;

	if (place->itself) {
		store_error_set(&error, STORE_INVALID,
				"where we are, or above, is not removed");
		ctl_fail_place(ctl, place, &error);
		return;
	}
	/* Most are files: a folder is found out by trying. */
	if (place->folder && ctl->args.recursive) {
		code = rm_folder(&rm, &error);
	} else {
		code = store_delete(place->store, ctl_context(ctl), place->key,
				    ctl->args.force, &error);
		if (code == STORE_IS_DIR && ctl->args.recursive) {
			store_error_clear(&error);
			code = rm_folder(&rm, &error);
		}
	}
	if (!code)
		tell(ctl, place, "removed");
	else if (!rm.told)
		ctl_fail_place(ctl, place, &error);
}

static void rm_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count && !ctl_cancelled(ctl); i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;

		if (place_want(ctl, operands[i], 0, &place))
			rm_place(ctl, &place);
	}
}

const struct ctl_command command_rm = {
	.name = "rm",
	.operands = "PLACE...",
	.help = "Remove files, with -r folders",
	.options = rm_options,
	.least = 1,
	.most = -1,
	.writes = true,
	.run = rm_run,
};

static const struct arg_option rmdir_options[] = {
	{ "verbose", 'v', ARG_FLAG, offsetof(struct args, verbose), NULL,
	  "Show what is done" },
	{ .name = NULL },
};

static void rmdir_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count && !ctl_cancelled(ctl); i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;
		struct store_error error = STORE_ERROR_INIT;

		if (!place_want(ctl, operands[i], 0, &place))
			continue;
		if (store_delete_folder(place.store, ctl_context(ctl),
					place.key, NULL, &error))
			ctl_fail_place(ctl, &place, &error);
		else
			tell(ctl, &place, "removed");
	}
}

const struct ctl_command command_rmdir = {
	.name = "rmdir",
	.operands = "FOLDER...",
	.help = "Remove empty folders",
	.options = rmdir_options,
	.least = 1,
	.most = -1,
	.writes = true,
	.run = rmdir_run,
};

static const struct arg_option mkdir_options[] = {
	{ "parents", 'p', ARG_FLAG, offsetof(struct args, parents), NULL,
	  "A folder that exists is no failure" },
	{ "mode", 'm', ARG_PERMISSION, offsetof(struct args, mode), "MODE",
	  "Permissions in octal, where the store keeps them" },
	{ "verbose", 'v', ARG_FLAG, offsetof(struct args, verbose), NULL,
	  "Show what is done" },
	{ .name = NULL },
};

static bool mkdir_exists(struct ctl *ctl, const struct place *place)
{
	struct store_error ignored = STORE_ERROR_INIT;
	bool folder = false;

	return !store_is_folder(place->store, ctl_context(ctl), place->key,
				&folder, &ignored) &&
	       folder;
}

static void mkdir_place(struct ctl *ctl, const struct place *place)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_attributes attributes = {
		.mask = STORE_ATTR_MODE,
		.mode = (uint32_t)ctl->args.mode,
	};
	int code = store_make_folder(place->store, ctl_context(ctl), place->key,
				     ctl->args.mode >= 0 ? &attributes : NULL,
				     NULL, &error);

	if (!code)
		tell(ctl, place, "made");
	else if (!ctl->args.parents || !mkdir_exists(ctl, place))
		ctl_fail_place(ctl, place, &error);
}

static void mkdir_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count && !ctl_cancelled(ctl); i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;

		if (place_want(ctl, operands[i], 0, &place))
			mkdir_place(ctl, &place);
	}
}

const struct ctl_command command_mkdir = {
	.name = "mkdir",
	.operands = "FOLDER...",
	.help = "Make folders, with those above them",
	.options = mkdir_options,
	.least = 1,
	.most = -1,
	.writes = true,
	.run = mkdir_run,
};
