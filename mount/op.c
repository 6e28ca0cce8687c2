// SPDX-License-Identifier: MIT
/*
 * Requests; see op.h.  Called by every operation.
 */
#include "config.h"

#include "mount/op.h"

#include <errno.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/file_type.h"

static void op_interrupted(fuse_req_t request, void *data)
{
	struct store_cancel *cancel = data;

	(void)request;
	store_cancel_trigger(cancel);
}

static void running_add(struct op *op)
{
	struct fs_running *running = &op->fs->running;

	if (!op->cancel)
		return;
	lock_take(&running->lock);
	op->next = running->first;
	if (op->next)
		op->next->previous = op;
	running->first = op;
	if (running->cancelled)
		store_cancel_trigger(op->cancel);
	lock_drop(&running->lock);
}

static void running_remove(struct op *op)
{
	struct fs_running *running = &op->fs->running;

	lock_take(&running->lock);
	if (op->next)
		op->next->previous = op->previous;
	if (op->previous)
		op->previous->next = op->next;
	else
		running->first = op->next;
	lock_drop(&running->lock);
}

void op_cancel_all(struct fs *fs)
{
	lock_take(&fs->running.lock);
	fs->running.cancelled = true;
	for (struct op *op = fs->running.first; op; op = op->next)
		store_cancel_trigger(op->cancel);
	lock_drop(&fs->running.lock);
}

void op_begin(struct op *op, fuse_req_t request)
{
	*op = (struct op){ .fs = fuse_req_userdata(request),
			   .request = request,
			   .caller = fuse_req_ctx(request),
			   .cancel = store_cancel_new(),
			   .started_ns = clock_monotonic_ns() };
	store_context_init(&op->context, op->fs->options->op_timeout_ns,
			   op->cancel);
	running_add(op);
	/* Without memory for it the call cannot be interrupted, only slow. */
	if (op->cancel)
		fuse_req_interrupt_func(request, op_interrupted, op->cancel);
}

void op_done(struct op *op)
{
	if (!op->cancel)
		return;
	fuse_req_interrupt_func(op->request, NULL, NULL);
	running_remove(op);
	store_cancel_free(op->cancel);
	op->cancel = NULL;
}

/* Where a store's errno says more than the code does. */
static const int refined[] = { EPERM,  ENAMETOOLONG, EDQUOT, ELOOP,
			       EXDEV,  ENODATA,	     ERANGE, E2BIG,
			       EMLINK, EBUSY,	     ETXTBSY };

bool op_is_in_doubt(int code)
{
	return store_code_retryable(code) || code == STORE_CANCELLED ||
	       code == STORE_INTERNAL;
}

int op_errno(int code, const struct store_error *error)
{
	if (code == STORE_OK)
		return 0;
	for (size_t i = 0; error && error->code == code &&
			   i < sizeof(refined) / sizeof(refined[0]);
	     i++)
		if (error->detail == refined[i])
			return refined[i];
	return store_code_errno(code);
}

static bool code_is_news(int code)
{
	switch (code) {
	case STORE_UNAVAILABLE:
	case STORE_TIMEOUT:
	case STORE_CORRUPT:
	case STORE_INTERNAL:
	case STORE_NO_SPACE:
		return true;
	default:
		return false;
	}
}

void op_error(struct op *op, int code)
{
	if (code_is_news(code))
		log_warn("%s: %s", store_code_name(code), op->error.message);
	op_done(op);
	fuse_reply_err(op->request, op_errno(code, &op->error));
}

struct node *node_of(struct fs *fs, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? fs->tree.root
				   : (struct node *)(uintptr_t)ino;
}

fuse_ino_t ino_of(const struct fs *fs, const struct node *node)
{
	return node == fs->tree.root ? FUSE_ROOT_ID
				     : (fuse_ino_t)(uintptr_t)node;
}

int op_key(struct op *op, const struct node *node, const char *text,
	   char key[STORE_KEY_MAX + 1])
{
	int code;

	lock_take(&op->fs->tree.lock);
	code = node_key(&op->fs->tree, node, text, key, &op->error);
	lock_drop(&op->fs->tree.lock);
	return code;
}

static int enter(struct op *op, const struct node *node, const char *text,
		 char key[STORE_KEY_MAX + 1], struct gate_pass *pass)
{
	int code = gate_enter(&op->fs->gate, pass, &op->context, &op->error);

	return code ? code : op_key(op, node, text, key);
}

int op_enter_looking(struct op *op, const struct node *node, const char *text,
		     char key[STORE_KEY_MAX + 1], struct gate_pass *pass)
{
	*pass = (struct gate_pass){ .nodes = { node }, .looks = true };
	return enter(op, node, text, key, pass);
}

int op_enter(struct op *op, const struct node *node, const char *text,
	     char key[STORE_KEY_MAX + 1], struct gate_pass *pass)
{
	*pass = (struct gate_pass){ .nodes = { node } };
	return enter(op, node, text, key, pass);
}

void op_leave(struct op *op, struct gate_pass *pass)
{
	gate_leave(&op->fs->gate, pass);
}

int op_check_name(struct op *op, const char *text)
{
	int code;

	if (strlen(text) <= STORE_NAME_MAX)
		return STORE_OK;
	code = store_error_set(&op->error, STORE_INVALID,
			       "a name of more than %d bytes", STORE_NAME_MAX);
	op->error.detail = ENAMETOOLONG;
	return code;
}

/* ---- attributes ---- */

void fs_fill_stat(struct fs *fs, const struct node *node, struct stat *out)
{
	const struct mount_options *options = fs->options;
	bool device =
		node->type == STORE_TYPE_CHAR || node->type == STORE_TYPE_BLOCK;
	uint64_t used =
		node->allocated ? (uint64_t)node->allocated * 4096 : node->size;

	memset(out, 0, sizeof(*out));
	out->st_ino = (ino_t)node->number;
	out->st_mode = file_type_bits((enum store_type)node->type) | node->mode;
	if (node->type == STORE_TYPE_SYMLINK)
		out->st_mode |= 0777;
	else
		out->st_mode &= ~options->umask;
	out->st_nlink = node->names || node == fs->tree.root ? node->links : 0;
	out->st_uid = options->have_uid ? options->uid : node->uid;
	out->st_gid = options->have_gid ? options->gid : node->gid;
	out->st_blksize = 1 << 20;
	if (device) {
		out->st_rdev = (dev_t)node->size;
	} else {
		out->st_size = (off_t)node->size;
		out->st_blocks = (blkcnt_t)((used + 511) / 512);
	}
	out->st_mtim = node_time_to(node->mtime);
	out->st_ctim = node_time_to(node->ctime);
	out->st_atim = node_time_to(node->atime);
	if (fs->tree.whole_seconds)
		out->st_mtim.tv_nsec = out->st_ctim.tv_nsec =
			out->st_atim.tv_nsec = 0;
}

static double seconds(int64_t ns)
{
	return (double)ns / (double)NS_PER_SEC;
}

void fs_fill_entry(struct fs *fs, struct node *node,
		   struct fuse_entry_param *entry)
{
	*entry = (struct fuse_entry_param){
		.ino = ino_of(fs, node),
		.attr_timeout = seconds(fs->options->attr_timeout_ns),
		.entry_timeout = seconds(fs->options->entry_timeout_ns),
	};
	fs_fill_stat(fs, node, &entry->attr);
	node->resized = false;
	node->lookups++;
}

void op_entry(struct op *op, const struct fuse_entry_param *entry)
{
	struct fs *fs = op->fs;
	fuse_ino_t ino = entry->ino;

	op_done(op);
	if (!fuse_reply_entry(op->request, entry) || !ino)
		return;
	/* The request was aborted: the kernel did not take the lookup. */
	lock_take(&fs->tree.lock);
	node_forget(&fs->tree, node_of(fs, ino), 1);
	lock_drop(&fs->tree.lock);
}
