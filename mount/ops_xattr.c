// SPDX-License-Identifier: MIT
/*
 * Extended attributes.  Those of the store pass through; `user.storefs.*`
 * is ours and tells about the mount: it can be read, not written, and is not
 * listed.  Files the store does not know yet keep theirs in memory until
 * they are published.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/limits.h>
#include <sys/xattr.h>

#include "mount/commit.h"
#include "mount/file.h"
#include "mount/inventory.h"
#include "mount/ops.h"
#include "src/base/buf.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

#define OURS "user.storefs."
/* Cancelling does not signal a condition: look this often. */
#define LOOK_AGAIN_NS (20 * NS_PER_MS)

static bool name_is_ours(const char *name)
{
	return !strncmp(name, OURS, strlen(OURS));
}

static int no_such_attribute(struct op *op)
{
	int code = store_error_set(&op->error, STORE_NOT_FOUND,
				   "no such attribute");

	op->error.detail = ENODATA;
	return code;
}

/*
 * Namespaces that only a kernel's own file systems serve.  The kernel asks
 * for security.capability at every write: that must not cost a request.
 */
static int check_namespace(struct op *op, const char *name, bool get)
{
	if (!strncmp(name, "user.", 5))
		return STORE_OK;
	if (get && !strncmp(name, "security.", 9))
		return no_such_attribute(op);
	return store_error_set(&op->error, STORE_NOT_SUPPORTED,
			       "only user attributes are kept");
}

/* ---- what we tell ---- */

static void tell_capabilities(const struct fs *fs, struct buf *text)
{
	for (int bit = 0; bit < 63; bit++) {
		const char *name = store_capability_name(UINT64_C(1) << bit);

		if (!name || !(fs->capabilities & (UINT64_C(1) << bit)))
			continue;
		if (text->length)
			buf_add_char(text, ' ');
		buf_add_text(text, name);
	}
}

static void tell_error(struct fs *fs, struct node *node, struct buf *text)
{
	struct file *file = file_find(fs, node);

	if (!file)
		return;
	lock_take(&file->lock);
	if (file->dirty && file->last_code)
		buf_addf(text, "%s: %s", store_code_name(file->last_code),
			 file->last_error.message);
	lock_drop(&file->lock);
	file_put(file);
}

static void tell_pending(struct fs *fs, struct node *node, struct buf *text)
{
	struct file *file = file_find(fs, node);

	if (!file)
		return;
	lock_take(&file->lock);
	if (file->dirty)
		buf_addf(text, "%" PRIu64 " %s", file->note.id,
			 inventory_state_name(inventory_state_locked(file)));
	lock_drop(&file->lock);
	file_put(file);
}

static void tell_version(struct fs *fs, struct node *node, struct buf *text)
{
	lock_take(&fs->tree.lock);
	if (node->version)
		buf_add_text(text, node->version);
	lock_drop(&fs->tree.lock);
}

static int tell(struct op *op, struct node *node, const char *name,
		struct buf *text)
{
	struct fs *fs = op->fs;

	name += strlen(OURS);
	if (!strcmp(name, "control") && fs->control_path)
		buf_add_text(text, fs->control_path);
	else if (!strcmp(name, "capabilities"))
		tell_capabilities(fs, text);
	else if (!strcmp(name, "commit"))
		buf_add_text(text, fs->options->commit == COMMIT_CLOSE
					   ? "close"
					   : "background");
	else if (!strcmp(name, "error"))
		tell_error(fs, node, text);
	else if (!strcmp(name, "pending"))
		tell_pending(fs, node, text);
	else if (!strcmp(name, "version"))
		tell_version(fs, node, text);
	if (!text->length)
		return no_such_attribute(op);
	return buf_error(text, name, &op->error);
}

/* ---- files of memory ---- */

/*
 * The file of a node the store does not know (yet, or any more), referenced
 * and locked; else NULL.
 */
static struct file *pending_file(struct op *op, struct node *node)
	NO_THREAD_SAFETY
{
	struct file *file = file_find(op->fs, node);
	bool unlinked;

	if (!file)
		return NULL;
	lock_take(&op->fs->tree.lock);
	unlinked = !node->names;
	lock_drop(&op->fs->tree.lock);
	lock_take(&file->lock);
	if (file->created || unlinked)
		return file;
	lock_drop(&file->lock);
	file_put(file);
	return NULL;
}

static void pending_done(struct file *file) NO_THREAD_SAFETY
{
	lock_drop(&file->lock);
	file_put(file);
}

/*
 * The same to change something.  A publish that runs has taken what there
 * was: its end decides where the change belongs.
 */
static int pending_file_idle(struct op *op, struct node *node,
			     struct file **out) NO_THREAD_SAFETY
{
	struct file *file;
	int code = STORE_OK;

	while ((file = pending_file(op, node)) &&
	       file->started > file->finished && !code) {
		condition_wait_until(&file->changed, &file->lock,
				     clock_monotonic_ns() + LOOK_AGAIN_NS);
		pending_done(file);
		code = store_context_check(&op->context, &op->error);
	}
	if (code && file)
		pending_done(file);
	*out = code ? NULL : file;
	return code;
}

static struct file_xattr **pending_find(struct file *file, const char *name)
{
	struct file_xattr **link = &file->xattrs;

	while (*link && strcmp((*link)->name, name))
		link = &(*link)->next;
	return link;
}

static void pending_drop(struct file_xattr **link)
{
	struct file_xattr *gone = *link;

	*link = gone->next;
	free(gone->value);
	free(gone);
}

static int pending_set(struct op *op, struct file *file,
		       const struct store_xattr *xattr, int flags)
	NO_THREAD_SAFETY
{
	struct file_xattr **link = pending_find(file, xattr->name);
	struct file_xattr *old = *link;
	int code;

	if (*link && (flags & XATTR_CREATE))
		return store_error_set(&op->error, STORE_EXISTS,
				       "the attribute exists");
	if (!*link && (flags & XATTR_REPLACE))
		return no_such_attribute(op);
	code = file_add_xattr_locked(file, xattr, &op->error);
	if (code || !old)
		return code;
	/* The new one is in front of it. */
	link = &file->xattrs;
	while (*link != old)
		link = &(*link)->next;
	pending_drop(link);
	return STORE_OK;
}

static int pending_get(struct op *op, struct file *file, const char *name,
		       struct buf *value)
{
	const struct file_xattr *found = *pending_find(file, name);

	if (!found)
		return no_such_attribute(op);
	buf_add(value, found->value, found->size);
	return buf_error(value, name, &op->error);
}

/* ---- requests ---- */

/* The two-step protocol of getxattr(2): size first, then the bytes. */
static void reply_value(struct op *op, const void *value, size_t length,
			size_t size)
{
	op_done(op);
	if (!size)
		fuse_reply_xattr(op->request, length);
	else if (length > size)
		fuse_reply_err(op->request, ERANGE);
	else
		fuse_reply_buf(op->request, value, length);
}

static int get_stored(struct op *op, struct node *node, const char *name,
		      struct buf *value)
{
	char key[STORE_KEY_MAX + 1];
	void *data = NULL;
	size_t size = 0;
	struct gate_pass pass;
	int code = op_enter_looking(op, node, NULL, key, &pass);

	if (!code)
		code = store_get_xattr(op->fs->store, &op->context, key, name,
				       &data, &size, &op->error);
	op_leave(op, &pass);
	if (code)
		return code;
	buf_add(value, data, size);
	free(data);
	return buf_error(value, name, &op->error);
}

void fs_getxattr(fuse_req_t request, fuse_ino_t ino, const char *name,
		 size_t size)
{
	struct buf value = BUF_INIT(XATTR_SIZE_MAX);
	struct node *node;
	struct file *file;
	struct op op;
	int code;

	op_begin(&op, request);
	node = node_of(op.fs, ino);
	code = check_namespace(&op, name, true);
	if (!code && name_is_ours(name)) {
		code = tell(&op, node, name, &value);
	} else if (!code && (file = pending_file(&op, node))) {
		code = pending_get(&op, file, name, &value);
		pending_done(file);
	} else if (!code) {
		code = get_stored(&op, node, name, &value);
	}
	if (code)
		op_error(&op, code);
	else
		reply_value(&op, buf_text(&value), value.length, size);
	buf_release(&value);
}

static int hold_one(struct op *op, struct file *file, const char *key,
		    const char *name)
{
	struct store_xattr xattr = { .name = name };
	void *value = NULL;
	int code = store_get_xattr(op->fs->store, &op->context, key, name,
				   &value, &xattr.size, &op->error);

	if (code)
		return code == STORE_NOT_FOUND ? STORE_OK : code;
	xattr.value = value;
	lock_take(&file->lock);
	code = pending_set(op, file, &xattr, 0);
	lock_drop(&file->lock);
	free(value);
	return code;
}

int file_hold_xattrs(struct op *op, struct file *file)
{
	char key[STORE_KEY_MAX + 1];
	char *names = NULL;
	size_t size = 0;
	int code;

	if (!fs_can(op->fs, STORE_CAP_XATTR))
		return STORE_OK;
	code = op_key(op, file->node, NULL, key);
	if (!code)
		code = store_list_xattrs(op->fs->store, &op->context, key,
					 &names, &size, &op->error);
	for (size_t at = 0; !code && at < size; at += strlen(names + at) + 1)
		code = hold_one(op, file, key, names + at);
	free(names);
	return code;
}

static int list_stored(struct op *op, struct node *node, struct buf *names)
{
	char key[STORE_KEY_MAX + 1];
	char *text = NULL;
	struct gate_pass pass;
	size_t size = 0;
	int code;

	if (!fs_can(op->fs, STORE_CAP_XATTR))
		return STORE_OK;
	code = op_enter_looking(op, node, NULL, key, &pass);
	if (!code)
		code = store_list_xattrs(op->fs->store, &op->context, key,
					 &text, &size, &op->error);
	op_leave(op, &pass);
	if (code)
		return code;
	buf_add(names, text, size);
	free(text);
	return buf_error(names, key, &op->error);
}

void fs_listxattr(fuse_req_t request, fuse_ino_t ino, size_t size)
{
	struct buf names = BUF_INIT(XATTR_LIST_MAX);
	struct node *node;
	struct file *file;
	struct op op;
	int code = STORE_OK;

	op_begin(&op, request);
	node = node_of(op.fs, ino);
	file = pending_file(&op, node);
	if (file) {
		for (const struct file_xattr *one = file->xattrs; one;
		     one = one->next)
			buf_add(&names, one->name, strlen(one->name) + 1);
		pending_done(file);
		code = buf_error(&names, "attributes", &op.error);
	} else {
		code = list_stored(&op, node, &names);
	}
	if (code)
		op_error(&op, code);
	else
		reply_value(&op, buf_text(&names), names.length, size);
	buf_release(&names);
}

/* After a change in the store: the node's ctime is another one. */
static void node_forget_attributes(struct op *op, struct node *node)
{
	lock_take(&op->fs->tree.lock);
	node->checked_ns = 0;
	lock_drop(&op->fs->tree.lock);
}

static int check_writable(struct op *op, const char *name)
{
	int code = check_namespace(op, name, false);

	if (!code && name_is_ours(name)) {
		code = store_error_set(&op->error, STORE_DENIED,
				       "%s* cannot be set", OURS);
		op->error.detail = EPERM;
	}
	/* Nor is it noted: the file could not be stored with it. */
	if (!code && !fs_can(op->fs, STORE_CAP_XATTR))
		code = store_error_set(&op->error, STORE_NOT_SUPPORTED,
				       "the store keeps no attributes");
	return code;
}

/*
 * What has gone without an answer lacks them.  An acknowledged file takes them
 * along after a crash as well.
 */
static void pending_changed(struct file *file) NO_THREAD_SAFETY
{
	if (file->unanswered.change)
		file->unanswered.change = SENT_SEVERAL;
	if (file->note.acknowledged)
		commit_note_attributes_locked(file);
}

/*
 * May the file have one more?  As setxattr(2) says it: later it could not be
 * stored at all.
 */
static int pending_fits(struct op *op, const struct file *file,
			const struct store_xattr *xattr) NO_THREAD_SAFETY
{
	CLEANUP_FREE struct store_xattr *all = NULL;
	size_t count = 1;
	int code;

	for (const struct file_xattr *one = file->xattrs; one; one = one->next)
		count++;
	all = calloc(count, sizeof(*all));
	if (!all)
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory for attributes");
	all[0] = *xattr;
	count = 1;
	for (const struct file_xattr *one = file->xattrs; one; one = one->next)
		if (strcmp(one->name, xattr->name) != 0)
			all[count++] =
				(struct store_xattr){ one->name, one->value,
						      one->size };
	code = store_check_xattrs(op->fs->store, all, count, &op->error);
	if (code != STORE_TOO_LARGE)
		return code;
	op->error.code = STORE_NO_SPACE;
	return STORE_NO_SPACE;
}

/* What a request does to a file that the store does not know. */
static int change_pending(struct op *op, struct file *file,
			  const struct store_xattr *xattr, int flags,
			  bool remove) NO_THREAD_SAFETY
{
	struct file_xattr **link;

	if (!remove) {
		int code = pending_fits(op, file, xattr);

		return code ? code : pending_set(op, file, xattr, flags);
	}
	link = pending_find(file, xattr->name);
	if (!*link)
		return no_such_attribute(op);
	pending_drop(link);
	return STORE_OK;
}

static int change_stored(struct op *op, struct node *node,
			 const struct store_xattr *xattr, int flags,
			 bool remove)
{
	char key[STORE_KEY_MAX + 1];
	struct gate_pass pass;
	int code = op_enter(op, node, NULL, key, &pass);

	if (!code)
		code = commit_sync_calls(op->fs, &op->error);
	if (!code && remove)
		code = store_remove_xattr(op->fs->store, &op->context, key,
					  xattr->name, &op->error);
	else if (!code)
		code = store_set_xattr(op->fs->store, &op->context, key, xattr,
				       flags, &op->error);
	op_leave(op, &pass);
	if (!code)
		node_forget_attributes(op, node);
	return code;
}

static void change(fuse_req_t request, fuse_ino_t ino,
		   const struct store_xattr *xattr, int flags, bool remove)
{
	struct file *file = NULL;
	struct node *node;
	struct op op;
	int code;

	op_begin(&op, request);
	node = node_of(op.fs, ino);
	code = check_writable(&op, xattr->name);
	if (!code)
		code = pending_file_idle(&op, node, &file);
	if (!code && file) {
		code = change_pending(&op, file, xattr, flags, remove);
		pending_changed(file);
		pending_done(file);
	} else if (!code) {
		code = change_stored(&op, node, xattr, flags, remove);
	}
	op_error(&op, code);
}

void fs_setxattr(fuse_req_t request, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags)
{
	const struct store_xattr xattr = { .name = name,
					   .value = value,
					   .size = size };

	change(request, ino, &xattr, flags, false);
}

void fs_removexattr(fuse_req_t request, fuse_ino_t ino, const char *name)
{
	const struct store_xattr xattr = { .name = name };

	change(request, ino, &xattr, 0, true);
}
