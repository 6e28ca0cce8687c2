// SPDX-License-Identifier: MIT
/*
 * The table of a layer, cut to what the next backend can do; and the names
 * of operations.  Pure.
 */
#include "config.h"

#include "src/layers/layer.h"

#include <stddef.h>

#include "src/layers/layers.h"

const char *layer_op_name(enum layer_op op)
{
	static const char *const names[LAYER_OPS] = {
		[LAYER_OPEN] = "open",
		[LAYER_PING] = "ping",
		[LAYER_STAT] = "stat",
		[LAYER_LIST] = "list",
		[LAYER_OPEN_READER] = "open_reader",
		[LAYER_READ] = "read",
		[LAYER_READER_DATA] = "reader_data",
		[LAYER_CLOSE_READER] = "close_reader",
		[LAYER_PUT] = "put",
		[LAYER_PUT_AHEAD] = "put_ahead",
		[LAYER_DROP_UPLOAD] = "drop_upload",
		[LAYER_UPLOAD_BEGIN] = "upload_begin",
		[LAYER_UPLOAD_WRITE] = "upload_write",
		[LAYER_UPLOAD_COMMIT] = "upload_commit",
		[LAYER_UPLOAD_ABORT] = "upload_abort",
		[LAYER_MAKE_NODE] = "make_node",
		[LAYER_LINK] = "link",
		[LAYER_MAKE_DIR] = "make_dir",
		[LAYER_REMOVE] = "remove",
		[LAYER_REMOVE_MANY] = "remove_many",
		[LAYER_REMOVE_DIR] = "remove_dir",
		[LAYER_REMOVE_TREE] = "remove_tree",
		[LAYER_MOVE] = "move",
		[LAYER_COPY] = "copy",
		[LAYER_SET_ATTRIBUTES] = "set_attributes",
		[LAYER_GET_XATTR] = "get_xattr",
		[LAYER_LIST_XATTRS] = "list_xattrs",
		[LAYER_SET_XATTR] = "set_xattr",
		[LAYER_REMOVE_XATTR] = "remove_xattr",
		[LAYER_GLOB] = "glob",
		[LAYER_TOTALS] = "totals",
		[LAYER_USAGE] = "usage",
		[LAYER_SYNC] = "sync",
	};

	return names[op];
}

uint64_t layer_has(const struct backend *backend)
{
	if (backend->ops->has)
		return backend->ops->has(backend->self);
	return backend->ops->capabilities;
}

/* Slots a backend may lack: all but those of life. */
#define LAYER_CUT(table, next, slot)          \
	do {                                  \
		if (!(next)->ops->slot)       \
			(table)->slot = NULL; \
	} while (0)

static void cut_reads(struct store_backend *table, const struct backend *next)
{
	LAYER_CUT(table, next, ping);
	LAYER_CUT(table, next, stat);
	LAYER_CUT(table, next, stat_listed);
	LAYER_CUT(table, next, list);
	LAYER_CUT(table, next, open_reader);
	LAYER_CUT(table, next, open_small);
	LAYER_CUT(table, next, read);
	LAYER_CUT(table, next, close_reader);
	LAYER_CUT(table, next, reader_data);
	LAYER_CUT(table, next, get_xattr);
	LAYER_CUT(table, next, list_xattrs);
	LAYER_CUT(table, next, glob);
	LAYER_CUT(table, next, totals);
	LAYER_CUT(table, next, usage);
	LAYER_CUT(table, next, sync);
	LAYER_CUT(table, next, native_path);
	LAYER_CUT(table, next, to_key);
	LAYER_CUT(table, next, local_path);
	LAYER_CUT(table, next, max_size);
	LAYER_CUT(table, next, wire);
	LAYER_CUT(table, next, check_xattrs);
}

static void cut_writes(struct store_backend *table, const struct backend *next)
{
	LAYER_CUT(table, next, put);
	LAYER_CUT(table, next, put_ahead);
	LAYER_CUT(table, next, drop_upload);
	LAYER_CUT(table, next, make_node);
	LAYER_CUT(table, next, link);
	LAYER_CUT(table, next, remove);
	LAYER_CUT(table, next, remove_many);
	LAYER_CUT(table, next, make_dir);
	LAYER_CUT(table, next, make_missing_dir);
	LAYER_CUT(table, next, remove_dir);
	LAYER_CUT(table, next, remove_tree);
	LAYER_CUT(table, next, move);
	LAYER_CUT(table, next, copy);
	LAYER_CUT(table, next, set_attributes);
	LAYER_CUT(table, next, set_xattr);
	LAYER_CUT(table, next, remove_xattr);
	LAYER_CUT(table, next, upload_begin);
	LAYER_CUT(table, next, upload_write);
	LAYER_CUT(table, next, upload_commit);
	LAYER_CUT(table, next, upload_abort);
}

void layer_table(struct store_backend *table, const struct store_backend *all,
		 const struct backend *next)
{
	*table = *all;
	table->name = next->ops->name;
	table->schemes = next->ops->schemes;
	table->summary = next->ops->summary;
	table->options = next->ops->options;
	table->capabilities = next->ops->capabilities;
	table->concurrency = next->ops->concurrency;
	table->lists_recursively = next->ops->lists_recursively;
	table->whole_seconds = next->ops->whole_seconds;
	cut_reads(table, next);
	cut_writes(table, next);
}

void layer_table_cut(struct store_backend *table, uint64_t without)
{
	table->capabilities &= ~without;
	if (without & STORE_CAP_MOVE)
		table->move = NULL;
	if (without & STORE_CAP_COPY)
		table->copy = NULL;
	if (without & STORE_CAP_LINKS)
		table->link = NULL;
	if (without & STORE_CAP_GLOB)
		table->glob = NULL;
	if (without & STORE_CAP_USAGE)
		table->usage = NULL;
	if (without & STORE_CAP_XATTR) {
		table->get_xattr = NULL;
		table->list_xattrs = NULL;
		table->set_xattr = NULL;
		table->remove_xattr = NULL;
		table->check_xattrs = NULL;
	}
}
