// SPDX-License-Identifier: MIT
/*
 * tree: a folder and what is below, drawn.  One listing per level is open at
 * a time; one entry of look-ahead tells the last of a folder.  With --json
 * the lines are those of ls -R.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/ctl/place.h"
#include "src/key.h"

static const struct arg_option tree_options[] = {
	{ "depth", 'd', ARG_COUNT, offsetof(struct args, depth), "N",
	  "With N levels of folders below, 0 for none" },
	{ "sort", 's', ARG_FLAG, offsetof(struct args, sort), NULL,
	  "Sort by name, which needs memory for all of a folder" },
	{ .name = NULL },
};

struct tree {
	struct ctl *ctl;
	const struct place *place;
	struct buf indent; /* what stands before the names of this level */
	uint64_t files;
	uint64_t folders;
};

static int tree_folder(struct tree *tree, const char *folder, int level);

static int tree_below(struct tree *tree, const struct store_entry *entry,
		      bool last, int level)
{
	size_t length = tree->indent.length;
	int code;

	buf_add_text(&tree->indent, last ? "    " : "|   ");
	code = tree_folder(tree, entry->name, level + 1);
	tree->indent.length = length;
	if (tree->indent.data)
		tree->indent.data[length] = '\0';
	return code;
}

static int tree_entry(struct tree *tree, const struct store_entry *entry,
		      bool last, int level)
{
	const struct args *args = &tree->ctl->args;
	bool folder = entry->info.type == STORE_TYPE_FOLDER;

	if (args->json) {
		CLEANUP_RECORD struct record record;

		record_init(&record);
		record_bytes(&record, "key", entry->name);
		record_info(&record, &entry->info, entry->complete);
		ctl_print(tree->ctl, &record);
	} else {
		printf("%s%s", buf_text(&tree->indent), last ? "`-- " : "|-- ");
		out_name("", key_name(entry->name));
		puts(folder ? "/" : "");
	}
	if (!folder) {
		tree->files++;
		return STORE_OK;
	}
	tree->folders++;
	if (args->depth >= 0 && level >= args->depth)
		return STORE_OK;
	return tree_below(tree, entry, last, level);
}

static int tree_compare(const void *a, const void *b)
{
	const struct store_entry *left = a;
	const struct store_entry *right = b;

	return strcmp(left->name, right->name);
}

/* Up to two entries (all with --sort) wait in `page`; *done: no more come. */
static int tree_fill(struct tree *tree, struct store_listing *listing,
		     struct store_page *page, bool *done,
		     struct store_error *error)
{
	while (!*done && (page->count < 2 || tree->ctl->args.sort)) {
		const struct store_entry *entry;
		int code = store_listing_next(listing, ctl_context(tree->ctl),
					      &entry, error);

		if (code)
			return code;
		*done = !entry;
		if (entry && store_page_add(page, entry->name, &entry->info,
					    entry->complete))
			return store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
		if (*done && tree->ctl->args.sort && page->count > 1)
			qsort(page->entries, page->count,
			      sizeof(*page->entries), tree_compare);
	}
	return STORE_OK;
}

static void tree_drop_first(struct store_page *page)
{
	free(page->entries[0].name);
	page->count--;
	memmove(page->entries, page->entries + 1,
		page->count * sizeof(*page->entries));
}

static int tree_walk(struct tree *tree, struct store_listing *listing,
		     struct store_page *page, int level,
		     struct store_error *error)
{
	bool done = false;
	size_t next = 0;
	int code;

	for (;;) {
		bool last;

		code = tree_fill(tree, listing, page, &done, error);
		if (code || next == page->count)
			return code;
		last = done && next + 1 == page->count;
		/* Failures further down are told there and do not end this. */
		if (tree_entry(tree, &page->entries[next], last, level) ==
		    STORE_CANCELLED)
			return STORE_OK;
		if (tree->ctl->args.sort)
			next++;
		else
			tree_drop_first(page);
	}
}

static int tree_folder(struct tree *tree, const char *folder, int level)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_list_options options = { .max_depth = 0 };
	struct store_listing *listing;
	struct store_page page;
	int code;

	if (tree->ctl->args.json)
		options.flags = STORE_LIST_COMPLETE;
	code = store_list(tree->place->store, ctl_context(tree->ctl), folder,
			  &options, &listing, &error);
	if (code)
		return ctl_fail(tree->ctl, tree->place->label, folder, &error);
	store_page_init(&page);
	code = tree_walk(tree, listing, &page, level, &error);
	store_page_release(&page);
	store_listing_close(listing);
	if (code)
		ctl_fail(tree->ctl, tree->place->label, folder, &error);
	return code;
}

static void tree_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count && !ctl_cancelled(ctl); i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;
		struct tree tree = { .ctl = ctl, .place = &place };

		if (!place_want(ctl, operands[i], PLACE_FOLLOW, &place))
			continue;
		buf_init(&tree.indent, 16 * STORE_KEY_MAX);
		if (!ctl->args.json) {
			out_name(place.label, place.key);
			putchar('\n');
		}
		if (!tree_folder(&tree, place.key, 0) && !ctl->args.json)
			printf("\n%" PRIu64 " folders, %" PRIu64 " files\n",
			       tree.folders, tree.files);
		buf_release(&tree.indent);
	}
}

const struct ctl_command command_tree = {
	.name = "tree",
	.operands = "PLACE...",
	.help = "Draw folders and what is below them",
	.options = tree_options,
	.least = 1,
	.most = -1,
	.run = tree_run,
};
