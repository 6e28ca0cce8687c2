// SPDX-License-Identifier: MIT
/*
 * What a rename by copies needs to know of its two names before it begins; see
 * relocation.h.  Called by relocation_steps.c; calls the node tree and, for
 * what memory cannot answer, the store.
 */
#include "config.h"

#include "mount/relocation_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/key.h"

/*
 * What memory knows of a file that the store has is enough: the copy is one of
 * that version, or over that version, or is made again when there is another.
 */
static bool is_known(struct relocation *one, const struct node *node,
		     int64_t since_ns, struct store_info *info)
{
	const uint8_t ahead = NODE_LOCAL | NODE_UNPUBLISHED | NODE_REPLACED;
	struct tree *tree = &one->fs->tree;
	bool known;

	lock_take(&tree->lock);
	known = node->type == STORE_TYPE_FILE && node->version &&
		node->links == 1 && !(node->flags & ahead) &&
		node->checked_ns >= since_ns;
	if (known) {
		*info = (struct store_info){ .type = STORE_TYPE_FILE,
					     .links = 1 };
		node_get_version(node, &info->version);
	}
	lock_drop(&tree->lock);
	return known;
}

int relocation_check_source(struct relocation *one)
{
	struct op *op = &one->op;
	int code = STORE_OK;

	if (!is_known(one, one->source.node, 0, &one->info))
		code = store_stat(one->fs->store, &op->context,
				  one->record.from, &one->info, &op->error);
	if (code)
		return code;
	one->record.folder = one->info.type == STORE_TYPE_FOLDER;
	if (one->record.folder &&
	    key_relative(one->record.to, one->record.from))
		return store_error_set(&op->error, STORE_INVALID,
				       "a folder cannot move below itself");
	return STORE_OK;
}

/* A page may have nothing on it, as one with a marker only, and go on. */
static int check_empty(struct relocation *one)
{
	CLEANUP_FREE char *cursor = NULL;
	struct op *op = &one->op;
	struct store_page page;
	int code;

	store_page_init(&page);
	do {
		free(cursor);
		cursor = steal_pointer(&page.next);
		code = store_list_page(one->fs->store, &op->context,
				       one->record.to, cursor, 2, &page,
				       &op->error);
	} while (!code && !page.count && page.next);
	if (!code && page.count)
		code = store_error_set(&op->error, STORE_NOT_EMPTY,
				       "%s: is not empty", one->record.to);
	store_page_release(&page);
	return code;
}

static int check_types(struct relocation *one)
{
	bool over = one->target_info.type == STORE_TYPE_FOLDER;
	struct op *op = &one->op;

	if (one->record.folder && !over)
		return store_error_set(&op->error, STORE_NOT_DIR,
				       "%s: no folder", one->record.to);
	if (!one->record.folder && over)
		return store_error_set(&op->error, STORE_IS_DIR, "%s: a folder",
				       one->record.to);
	/* Only what has bytes comes in the same step in which they go. */
	if (one->info.type != STORE_TYPE_FILE &&
	    one->target_info.type == STORE_TYPE_FILE) {
		store_error_set(&op->error, STORE_NOT_SUPPORTED,
				"%s: cannot be replaced in one step",
				one->record.to);
		op->error.detail = EXDEV;
		return STORE_NOT_SUPPORTED;
	}
	return over ? check_empty(one) : STORE_OK;
}

/*
 * The kernel looks at the name just before.  What has come since, or another
 * version, is seen when the copy is made.
 */
static bool target_was_seen(struct relocation *one)
{
	int64_t since_ns = clock_monotonic_ns() - OP_JUST_NS;

	if (one->record.folder)
		return false;
	if (!one->target.node)
		return op_missing_since(&one->op, one->new_parent,
					one->new_name, since_ns);
	one->record.over =
		one->replace && one->info.type == STORE_TYPE_FILE &&
		is_known(one, one->target.node, since_ns, &one->target_info);
	return one->record.over;
}

int relocation_check_target(struct relocation *one)
{
	struct op *op = &one->op;
	int code;

	one->seen = target_was_seen(one);
	if (one->seen)
		return STORE_OK;
	code = store_stat(one->fs->store, &op->context, one->record.to,
			  &one->target_info, &op->error);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(&op->error);
		return STORE_OK;
	}
	if (code)
		return code;
	if (!one->replace)
		return store_error_set(&op->error, STORE_EXISTS, "%s: exists",
				       one->record.to);
	/* Another client has made the name: look it up again. */
	if (!one->target.node)
		return store_error_set(&op->error, STORE_CHANGED,
				       "%s: exists by now", one->record.to);
	one->record.over = true;
	return check_types(one);
}
