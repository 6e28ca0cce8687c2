// SPDX-License-Identifier: MIT
/*
 * Open and dirty files; see file.h.  Called by ops_file.c, ops_name.c and
 * publish.c; calls staging.c and the store.
 *
 * Lock order: file.lock, then the publisher's, then the tree's.  The store
 * is only called with none of them held.
 */
#include "config.h"

#include "mount/ahead.h"
#include "mount/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mount/commit.h"
#include "mount/publish.h"
#include "mount/uploads.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* ---- life ---- */

static struct file *file_new(struct fs *fs, struct node *node)
	REQUIRES(fs->tree.lock)
{
	struct file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->fs = fs;
	file->node = node;
	file->base_exists = true;
	lock_init(&file->lock);
	condition_init(&file->changed);
	staging_init(&file->staging, fs->area, node->size);
	if (node->version)
		memcpy(file->base.token, node->version,
		       strlen(node->version) + 1);
	if (node->names)
		snprintf(file->name_hint, sizeof(file->name_hint), "%s",
			 node->names->text);
	node_ref(&fs->tree, node);
	node->file = file;
	return file;
}

struct file *file_get(struct fs *fs, struct node *node)
{
	struct file *file;

	lock_take(&fs->tree.lock);
	file = node->file ? node->file : file_new(fs, node);
	if (file)
		file->references++;
	lock_drop(&fs->tree.lock);
	return file;
}

struct file *file_find(struct fs *fs, struct node *node)
{
	struct file *file;

	lock_take(&fs->tree.lock);
	file = node->file;
	if (file)
		file->references++;
	lock_drop(&fs->tree.lock);
	return file;
}

void file_ref(struct file *file)
{
	lock_take(&file->fs->tree.lock);
	file->references++;
	lock_drop(&file->fs->tree.lock);
}

static struct file_xattr *xattr_new(const struct store_xattr *xattr)
{
	size_t length = strlen(xattr->name) + 1;
	struct file_xattr *made = calloc(1, sizeof(*made) + length);

	if (!made)
		return NULL;
	made->value = malloc(xattr->size + 1);
	if (!made->value) {
		free(made);
		return NULL;
	}
	memcpy(made->value, xattr->value, xattr->size);
	memcpy(made->name, xattr->name, length);
	made->size = xattr->size;
	return made;
}

int file_add_xattr_locked(struct file *file, const struct store_xattr *xattr,
			  struct store_error *error)
{
	struct file_xattr *made = xattr_new(xattr);

	if (!made)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for an attribute");
	made->next = file->xattrs;
	file->xattrs = made;
	return STORE_OK;
}

void file_drop_xattrs_locked(struct file *file)
{
	while (file->xattrs) {
		struct file_xattr *xattr = file->xattrs;

		file->xattrs = xattr->next;
		free(xattr->value);
		free(xattr);
	}
}

void file_drop_replaced_locked(struct file *file)
{
	struct tree *tree = &file->fs->tree;

	if (!file->replaced)
		return;
	lock_take(&tree->lock);
	node_unref(tree, file->replaced);
	lock_drop(&tree->lock);
	file->replaced = NULL;
}

static void file_free(struct file *file)
{
	staging_discard(&file->staging);
	if (file->reader)
		reader_put(file->reader);
	lock_take(&file->lock);
	file_drop_xattrs_locked(file);
	file_drop_replaced_locked(file);
	upload_leave(file->upload);
	lock_drop(&file->lock);
	condition_destroy(&file->changed);
	lock_destroy(&file->lock);
	free(file);
}

void file_put(struct file *file)
{
	struct tree *tree;
	bool last;

	if (!file)
		return;
	tree = &file->fs->tree;
	lock_take(&tree->lock);
	last = --file->references == 0;
	if (last) {
		file->node->file = NULL;
		node_unref(tree, file->node);
	}
	lock_drop(&tree->lock);
	if (last)
		file_free(file);
}

/* ---- readers ---- */

void file_drop_reader_locked(struct file *file)
{
	if (file->reader)
		reader_put(file->reader);
	file->reader = NULL;
}

int file_open_reader(struct file *file, struct store_context *context,
		     const struct store_version *pin,
		     struct base_reader **reader, struct store_info *info,
		     struct store_error *error)
{
	struct gate_pass pass = { .nodes = { file->node }, .looks = true };
	struct tree *tree = &file->fs->tree;
	struct store_version known = { .weak = false };
	struct store_reader *opened;
	char key[STORE_KEY_MAX + 1];
	uint64_t number = 0, size = 0;
	int code = gate_enter(&file->fs->gate, &pass, context, error);

	if (!code) {
		lock_take(&tree->lock);
		number = file->node->number;
		size = file->node->size;
		node_get_version(file->node, &known);
		code = node_key(tree, file->node, NULL, key, error);
		lock_drop(&tree->lock);
	}
	if (!code)
		code = store_open_small(
			file->fs->store, context, key, pin,
			reader_expects(file->fs, key, number, &known, size),
			&opened, info, error);
	gate_leave(&file->fs->gate, &pass);
	if (code)
		return code;
	*reader = reader_new(file->fs, opened, key, number, info);
	if (!*reader)
		return store_error_set(error, STORE_NO_MEMORY,
				       "%s: no memory for a reader", key);
	return STORE_OK;
}

struct base_reader *file_open_version(struct file *file,
				      struct store_context *context,
				      const char *key,
				      const struct store_version *version)
{
	struct tree *tree = &file->fs->tree;
	struct store_reader *opened;
	struct store_info info;
	uint64_t number;

	if (store_open_reader(file->fs->store, context, key, version, &opened,
			      &info, NULL))
		return NULL;
	lock_take(&tree->lock);
	number = file->node->number;
	lock_drop(&tree->lock);
	return reader_new(file->fs, opened, key, number, &info);
}

/* Keep a reader for others if it is of the present base. */
struct base_reader *
file_share_reader_locked(struct file *file, struct base_reader *reader,
			 const struct store_version *version)
	REQUIRES(file->lock)
{
	if (!store_version_equal(version, &file->base))
		return reader;
	if (file->reader) {
		reader_put(reader);
		reader = file->reader;
	} else {
		file->reader = reader;
	}
	reader_hold(reader);
	return reader;
}

/* The one that handles share, if it is of that version. */
static struct base_reader *file_held_reader(struct file *file,
					    const struct store_version *version)
{
	struct base_reader *reader = NULL;

	lock_take(&file->lock);
	if (file->reader && store_version_equal(version, &file->base)) {
		reader = file->reader;
		reader_hold(reader);
	}
	lock_drop(&file->lock);
	return reader;
}

int file_base_reader(struct file *file, struct store_context *context,
		     struct base_reader **reader, struct store_error *error)
{
	struct base_reader *made = NULL;
	struct store_version pin;
	struct store_info info;
	int code;

	lock_take(&file->lock);
	*reader = file->reader;
	if (*reader)
		reader_hold(*reader);
	pin = file->base;
	lock_drop(&file->lock);
	if (*reader)
		return STORE_OK;
	code = file_open_reader(file, context, pin.token[0] ? &pin : NULL,
				&made, &info, error);
	/* Who took the name away meanwhile has opened one for the handles. */
	if (code == STORE_NOT_FOUND || code == STORE_CHANGED)
		*reader = file_held_reader(file, &pin);
	if (*reader)
		return STORE_OK;
	if (code == STORE_NOT_FOUND)
		return store_error_set(error, STORE_CHANGED,
				       "the file was removed while open");
	if (code)
		return code;
	lock_take(&file->lock);
	*reader = file_share_reader_locked(file, made, &pin);
	lock_drop(&file->lock);
	return STORE_OK;
}

/* ---- state ---- */

bool file_is_lost_locked(const struct file *file)
{
	return file->dirty && file->doomed && !file->note.acknowledged;
}

void file_dirty_locked(struct file *file)
{
	struct fs *fs = file->fs;

	file->change++;
	file->beside = false;
	if (file->dirty)
		return;
	file->dirty = true;
	lock_take(&fs->tree.lock);
	file->references++;
	file->node->flags |= NODE_LOCAL;
	file->node->sure = false;
	if (file->node->names)
		snprintf(file->name_hint, sizeof(file->name_hint), "%s",
			 file->node->names->text);
	lock_drop(&fs->tree.lock);
	atomic_fetch_add(&fs->counters.dirty_files, 1);
	publisher_add(fs->publisher, file);
}

void file_clean_locked(struct file *file)
{
	struct fs *fs = file->fs;

	if (!file->dirty)
		return;
	file->dirty = false;
	commit_done_locked(file);
	upload_drop(file->upload);
	file->upload = NULL;
	ahead_forget_locked(file);
	file->created = false;
	file->reserved = false;
	file->replacing = false;
	file->written = false;
	file->doomed = false;
	file->beside = false;
	file_drop_replaced_locked(file);
	publisher_remove(fs->publisher, file);
	atomic_fetch_sub(&fs->counters.dirty_files, 1);
	lock_take(&fs->tree.lock);
	file->node->flags &= (uint8_t) ~(NODE_LOCAL | NODE_UNPUBLISHED);
	file->node->checked_ns = clock_monotonic_ns();
	/* The caller has a reference of its own. */
	assert(file->references > 1);
	file->references--;
	lock_drop(&fs->tree.lock);
}

void file_rebase_locked(struct file *file, const struct store_info *info)
{
	bool same = file->base_exists && !info->version.weak &&
		    store_version_equal(&file->base, &info->version) &&
		    file->staging.base_size == info->size;

	file->base_exists = true;
	file->base_goes = false;
	file->base = info->version;
	file->epoch++;
	if (same)
		return;
	file_drop_reader_locked(file);
	staging_discard(&file->staging);
	staging_init(&file->staging, file->fs->area, info->size);
}

bool file_base_is_current(struct file *file, struct store_context *context,
			  const char *key, struct store_info *seen)
{
	struct store_version base;
	bool matters;

	if (!file)
		return true;
	lock_take(&file->lock);
	matters = file->base_exists && file->base.token[0] &&
		  (file->handles || file->dirty);
	base = file->base;
	lock_drop(&file->lock);
	return !matters || (!store_stat_listed(file->fs->store, context, key,
					       STORE_TYPE_FILE, seen, NULL) &&
			    store_version_equal(&seen->version, &base));
}

bool file_is_as_seen(const struct store_info *seen,
		     const struct store_info *changed, uint32_t set)
{
	uint32_t both = seen->attributes.mask & changed->attributes.mask & ~set;

	if (!seen->version.token[0] ||
	    store_version_equal(&seen->version, &changed->version))
		return true;
	return seen->size == changed->size &&
	       (!(both & STORE_ATTR_MTIME) ||
		!timespec_compare(seen->attributes.mtime,
				  changed->attributes.mtime));
}

void file_advance_base(struct fs *fs, struct node *node,
		       const struct store_info *info)
{
	struct file *file = file_find(fs, node);

	if (!file)
		return;
	lock_take(&file->lock);
	if (file->base_exists)
		file->base = info->version;
	file->base_goes = false;
	file->epoch++;
	lock_drop(&file->lock);
	file_put(file);
}

int file_promise(struct op *op)
{
	struct staging_area *area = op->fs->area;
	uint64_t freed;
	int code;

	do {
		freed = staging_area_freed(area);
		code = staging_area_promise(area, &op->error);
	} while (code == STORE_NO_SPACE && file_wait_for_room(op, freed));
	return code;
}

void file_created(struct file *file)
{
	lock_take(&file->lock);
	file->base_exists = file->base_goes = false;
	file->base = (struct store_version){ 0 };
	file->created = true;
	file->attributes = STORE_ATTR_MODE | STORE_ATTR_UID | STORE_ATTR_GID |
			   STORE_ATTR_MTIME | STORE_ATTR_ATIME;
	staging_init(&file->staging, file->fs->area, 0);
	file->staging.promised = true;
	file_dirty_locked(file);
	lock_drop(&file->lock);
}

void file_stamp_locked(struct file *file)
{
	struct fs *fs = file->fs;

	lock_take(&fs->tree.lock);
	file->node->mtime = file->node->ctime = node_time_from(clock_now());
	file->node->size = file->staging.size;
	file->node->allocated = 0;
	lock_drop(&fs->tree.lock);
	file->attributes |= STORE_ATTR_MTIME;
	commit_note_content_locked(file);
}

int file_truncate_locked(struct file *file, uint64_t size,
			 struct store_error *error)
{
	int code = STORE_OK;

	if (size != file->staging.size)
		code = staging_truncate(&file->staging, size, error);
	if (code)
		return code;
	if (size == 0 && (file->base_exists || file->note.acknowledged))
		file->replacing = true;
	file->doomed = false;
	file_dirty_locked(file);
	file_stamp_locked(file);
	ahead_wrote_locked(file, &(struct store_range){ size, 0 });
	return STORE_OK;
}
