// SPDX-License-Identifier: MIT
/*
 * ls and glob: entries as they come, in the store's order, so that a million
 * of them need the memory of one page; --sort collects them first.
 * Uses place.c and out.c; calls store_list() and store_glob().
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/ctl/entries.h"
#include "src/ctl/place.h"
#include "src/key.h"

static const struct arg_option ls_options[] = {
	{ "long", 'l', ARG_FLAG, offsetof(struct args, long_format), NULL,
	  "Show mode, links, owner, size and time" },
	{ "recursive", 'R', ARG_FLAG, offsetof(struct args, recursive), NULL,
	  "List the folders below as well" },
	{ "depth", 'd', ARG_COUNT, offsetof(struct args, depth), "N",
	  "With N levels of folders below, 0 for none" },
	{ "pattern", 'p', ARG_TEXT, offsetof(struct args, pattern), "PATTERN",
	  "Only entries whose name matches, as in *.txt" },
	{ "human", 'h', ARG_FLAG, offsetof(struct args, human), NULL,
	  "Show sizes as 1.5K, 3.0G" },
	{ "sort", 's', ARG_FLAG, offsetof(struct args, sort), NULL,
	  "Sort by name, which needs memory for all of them" },
	{ .name = NULL },
};

/* What is the same for all entries of one operand. */
struct ls {
	struct ctl *ctl;
	const struct place *place;
	const char *base; /* names are shown relative to this folder */
	bool whole;	  /* names are shown with the label: glob */
};

/* The target of a symlink is the only thing a listing does not tell. */
static void ls_target(const struct ls *ls, const struct store_entry *entry)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_details details;
	struct store_info info;

	if (store_stat_details(ls->place->store, ctl_context(ls->ctl),
			       entry->name, &info, &details, &error))
		return;
	if (details.target)
		out_name(" -> ", details.target);
	store_details_release(&details);
}

static void ls_long(const struct ls *ls, const struct store_entry *entry)
{
	const struct store_info *info = &entry->info;
	const struct store_attributes *attributes = &info->attributes;
	char mode[OUT_MODE_MAX];
	char size[OUT_SIZE_MAX];
	char when[OUT_TIME_MAX] = "-";

	if (attributes->mask & STORE_ATTR_MTIME)
		out_time(
			(struct timespec){ .tv_sec = attributes->mtime.tv_sec },
			when);
	printf("%s %2" PRIu32, out_mode(info, mode), info->links);
	if (attributes->mask & STORE_ATTR_UID)
		printf(" %5" PRIu32, attributes->uid);
	else
		printf(" %5s", "-");
	if (attributes->mask & STORE_ATTR_GID)
		printf(" %5" PRIu32, attributes->gid);
	else
		printf(" %5s", "-");
	printf(" %10s %s ",
	       info->type == STORE_TYPE_FOLDER
		       ? "-"
		       : out_size(info->size, ls->ctl->args.human, size),
	       when);
}

static void ls_print(void *arg, const struct store_entry *entry)
{
	const struct ls *ls = arg;
	const char *name = key_relative(entry->name, ls->base);

	if (ls->ctl->args.json) {
		CLEANUP_RECORD struct record record;

		record_init(&record);
		record_bytes(&record, "key", entry->name);
		record_info(&record, &entry->info, entry->complete);
		ctl_print(ls->ctl, &record);
		return;
	}
	if (!name || !name[0])
		name = entry->name;
	if (ls->ctl->args.long_format)
		ls_long(ls, entry);
	out_name(ls->whole ? ls->place->label : "", name);
	if (entry->info.type == STORE_TYPE_FOLDER)
		putchar('/');
	if (ls->ctl->args.long_format && entry->info.type == STORE_TYPE_SYMLINK)
		ls_target(ls, entry);
	putchar('\n');
}

/* An empty listing: of a file, the file itself; of nothing, nothing. */
static int ls_one(struct ls *ls, struct store_error *error)
{
	const struct place *place = ls->place;
	struct store_entry entry = { .name = place->key, .complete = true };
	int code;

	if (place_is_root(place))
		return STORE_OK;
	code = store_stat(place->store, ctl_context(ls->ctl), place->key,
			  &entry.info, error);
	if (code == STORE_NOT_FOUND)
		return STORE_OK;
	if (code || entry.info.type == STORE_TYPE_FOLDER)
		return code;
	ls_print(ls, &entry);
	return STORE_OK;
}

static int ls_list(struct ls *ls, struct store_error *error)
{
	const struct args *args = &ls->ctl->args;
	const struct place *place = ls->place;
	struct store_list_options options = {
		.max_depth = args->depth >= 0  ? (int)args->depth
			     : args->recursive ? -1
					       : 0,
		.pattern = args->pattern,
	};
	struct store_listing *listing;
	uint64_t count = 0;
	int code;

	if (args->long_format || args->json)
		options.flags = STORE_LIST_COMPLETE;
	code = store_list(place->store, ctl_context(ls->ctl), place->key,
			  &options, &listing, error);
	if (code)
		return code;
	code = entries_each(ls->ctl, listing,
			    &(struct entries_sink){ .print = ls_print,
						    .arg = ls,
						    .count = &count },
			    error);
	store_listing_close(listing);
	if (!code && count == 0)
		code = ls_one(ls, error);
	return code;
}

static void ls_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count && !ctl_cancelled(ctl); i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;
		struct store_error error = STORE_ERROR_INIT;
		struct ls ls = { .ctl = ctl, .place = &place };

		if (!place_want(ctl, operands[i], PLACE_FOLLOW, &place))
			continue;
		ls.base = place.key;
		if (count > 1 && !ctl->args.json) {
			out_name(place.label, place.key);
			fputs(":\n", stdout);
		}
		if (ls_list(&ls, &error))
			ctl_fail_place(ctl, &place, &error);
	}
}

const struct ctl_command command_ls = {
	.name = "ls",
	.operands = "PLACE...",
	.help = "List folders, or show files",
	.options = ls_options,
	.least = 1,
	.most = -1,
	.run = ls_run,
};

static const struct arg_option glob_options[] = {
	{ "long", 'l', ARG_FLAG, offsetof(struct args, long_format), NULL,
	  "Show mode, links, owner, size and time" },
	{ "human", 'h', ARG_FLAG, offsetof(struct args, human), NULL,
	  "Show sizes as 1.5K, 3.0G" },
	{ "sort", 's', ARG_FLAG, offsetof(struct args, sort), NULL,
	  "Sort by name, which needs memory for all of them" },
	{ .name = NULL },
};

static int glob_list(struct ls *ls, struct store_error *error)
{
	struct store_listing *listing;
	uint64_t count = 0;
	int code = store_glob(ls->place->store, ctl_context(ls->ctl),
			      ls->place->key, &listing, error);

	if (code)
		return code;
	code = entries_each(ls->ctl, listing,
			    &(struct entries_sink){ .print = ls_print,
						    .arg = ls,
						    .count = &count },
			    error);
	store_listing_close(listing);
	return code;
}

static void glob_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count && !ctl_cancelled(ctl); i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;
		struct store_error error = STORE_ERROR_INIT;
		struct ls ls = {
			.ctl = ctl, .place = &place, .base = "", .whole = true
		};

		if (!place_want(ctl, operands[i], PLACE_PATTERN, &place))
			continue;
		if (glob_list(&ls, &error))
			ctl_fail_place(ctl, &place, &error);
	}
}

const struct ctl_command command_glob = {
	.name = "glob",
	.operands = "PATTERN...",
	.help = "List files whose key matches: * ? [a-z] and ** over folders",
	.options = glob_options,
	.least = 1,
	.most = -1,
	.run = glob_run,
};
