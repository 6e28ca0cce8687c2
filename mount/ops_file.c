// SPDX-License-Identifier: MIT
/*
 * Content: create, open, read, write, close.  Called by the kernel's
 * requests; calls file.c, holders.c and publish.c.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mount/commit.h"
#include "mount/file.h"
#include "mount/foldertime.h"
#include "mount/holders.h"
#include "mount/ops.h"
#include "mount/publish.h"
#include "mount/relocation.h"
#include "mount/scratch.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

enum { COPY_CHUNK = 1 << 20 };

static struct handle *handle_of(const struct fuse_file_info *fi)
{
	return (struct handle *)(uintptr_t)fi->fh;
}

/* ---- handles ---- */

/* Takes over the caller's reference of the file and its count of handles. */
static struct handle *handle_new(struct op *op, struct file *file, int flags,
				 bool writer)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	handle->file = file;
	handle->flags = flags;
	handle->writer = writer;
	if (writer && op->fs->proc_usable) {
		handle->opener = holders_group(op->caller->pid);
		handle->newest = holders_newest();
	}
	if (op->fs->prefetcher && (flags & O_ACCMODE) != O_WRONLY)
		handle->ahead = prefetch_open(op->fs->prefetcher);
	atomic_fetch_add(&op->fs->counters.open_files, 1);
	return handle;
}

/* The last handle of a kind is gone: what is left is published or dropped. */
static void file_close(struct file *file, bool writer)
{
	bool publish;

	lock_take(&file->lock);
	file->handles--;
	file->writers -= writer;
	/* Nobody reads it any more: back to what its name stands for. */
	if (!file->handles && file->dirty && file->beside)
		publish_forget_locked(file, false);
	publish = writer && !file->writers && file->dirty;
	if (!file->handles && !file->dirty && !file->held) {
		file_drop_reader_locked(file);
		staging_discard(&file->staging);
	}
	lock_drop(&file->lock);
	if (publish)
		publish_later(file);
	file_put(file);
}

static void handle_close(struct fs *fs, struct handle *handle)
{
	atomic_fetch_sub(&fs->counters.open_files, 1);
	prefetch_close(handle->ahead);
	file_close(handle->file, handle->writer);
	free(handle);
}

/* The caller never got it: what it truncated is not to be published. */
static void handle_undo(struct fs *fs, struct handle *handle)
{
	lock_take(&handle->file->lock);
	handle->file->doomed = handle->file->replacing &&
			       !handle->file->written &&
			       handle->file->writers == 1;
	lock_drop(&handle->file->lock);
	handle_close(fs, handle);
}

/* ---- open ---- */

/* An error nobody was told yet meets the next writer, as EIO. */
static int open_late_error(struct op *op, struct file *file)
{
	int code = publish_take_late_error(file, &op->error);

	if (!code)
		return STORE_OK;
	return store_error_set(&op->error, STORE_UNAVAILABLE,
			       "an earlier change could not be stored");
}

static int open_file(struct op *op, struct node *node,
		     struct fuse_file_info *fi, struct handle **out)
{
	bool writer = (fi->flags & O_ACCMODE) != O_RDONLY;
	struct handle *handle;
	struct file *file;
	bool fresh = true;
	int code = STORE_OK;

	file = file_get(op->fs, node);
	if (!file)
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory for a file");
	if (writer)
		code = open_late_error(op, file);
	if (!code)
		code = file_open(op, file, fi->flags, &fresh);
	if (code) {
		file_put(file);
		return code;
	}
	handle = handle_new(op, file, fi->flags, writer);
	if (!handle) {
		file_close(file, writer);
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory for a handle");
	}
	fi->keep_cache = fresh;
	*out = handle;
	return STORE_OK;
}

void fs_open(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct handle *handle = NULL;
	struct op op;
	int code;

	op_begin(&op, request);
	code = open_file(&op, node_of(op.fs, ino), fi, &handle);
	if (code == STORE_CHANGED)
		file_open_missed(op.fs);
	if (code) {
		op_error(&op, code);
		return;
	}
	fi->fh = (uintptr_t)handle;
	op_done(&op);
	if (fuse_reply_open(request, fi))
		handle_undo(op.fs, handle);
}

/* ---- create ---- */

struct creation {
	struct node *parent;
	const char *name;
	struct store_info info; /* of the new file */
	struct node *node;	/* referenced by `entry` */
	struct fuse_entry_param entry;
};

/* With exclusive=open the name is taken in the store before open returns. */
static int create_reserve(struct op *op, struct creation *creation)
{
	struct store_memory_source empty;
	struct store_write_options options = {
		.precondition = { .condition = STORE_IF_ABSENT },
		.attributes = &creation->info.attributes,
	};
	char key[STORE_KEY_MAX + 1];
	int code = op_key(op, creation->parent, creation->name, key);

	if (!code)
		code = commit_sync_calls(op->fs, &op->error);
	if (!code)
		code = store_write(op->fs->store, &op->context, key,
				   store_memory_source_init(&empty, "", 0),
				   &options, &creation->info, &op->error);
	return code;
}

static int create_enter(struct op *op, struct creation *creation, bool reserved)
{
	struct fs *fs = op->fs;
	int code = STORE_OK;

	lock_take(&fs->tree.lock);
	if (tree_find_name(&fs->tree, creation->parent, creation->name) &&
	    !reserved) {
		code = STORE_EXISTS;
	} else {
		creation->node =
			tree_enter(&fs->tree, creation->parent, creation->name,
				   &creation->info, op->started_ns);
		if (!creation->node)
			code = STORE_NO_MEMORY;
	}
	if (!code) {
		if (!reserved) {
			creation->node->flags |= NODE_UNPUBLISHED | NODE_LOCAL;
			foldertime_touch(fs, creation->parent);
		}
		fs_fill_entry(fs, creation->node, &creation->entry);
	}
	lock_drop(&fs->tree.lock);
	if (code)
		return store_error_set(&op->error, code, "%s: %s",
				       creation->name, store_code_text(code));
	return STORE_OK;
}

/* Takes the promise of a staging file over, which a reserved name has not. */
static int create_handle(struct op *op, struct creation *creation, int flags,
			 bool reserved, struct handle **handle)
{
	struct file *file = file_get(op->fs, creation->node);

	if (!file && !reserved)
		staging_area_unpromise(op->fs->area);
	if (!file)
		return STORE_NO_MEMORY;
	if (!reserved)
		file_created(file);
	lock_take(&file->lock);
	if (reserved) {
		file_rebase_locked(file, &creation->info);
		file->reserved = true;
	}
	file->handles++;
	file->writers++;
	lock_drop(&file->lock);
	/* Its close publishes the name, however it was opened. */
	*handle = handle_new(op, file, flags, true);
	if (*handle)
		return STORE_OK;
	file_close(file, true);
	return STORE_NO_MEMORY;
}

/* Take the entry back that the kernel will not get. */
static void create_undo(struct op *op, const struct creation *creation)
{
	struct fs *fs = op->fs;

	lock_take(&fs->tree.lock);
	creation->node->flags &= (uint8_t) ~(NODE_UNPUBLISHED | NODE_LOCAL);
	node_forget(&fs->tree, creation->node, 1);
	lock_drop(&fs->tree.lock);
}

static int create_file(struct op *op, struct creation *creation, mode_t mode,
		       int flags, struct handle **handle)
{
	bool reserved = op->fs->options->exclusive_open && (flags & O_EXCL);
	int code = op_check_name(op, creation->name);

	if (code)
		return code;
	op_new_attributes(op, creation->parent, mode | S_IFREG,
			  &creation->info.attributes);
	creation->info.type = STORE_TYPE_FILE;
	creation->info.links = 1;
	creation->info.ctime = creation->info.attributes.mtime;
	code = reserved ? create_reserve(op, creation) : file_promise(op);
	if (code)
		return code;
	code = create_enter(op, creation, reserved);
	if (code && !reserved)
		staging_area_unpromise(op->fs->area);
	if (code)
		return code;
	code = create_handle(op, creation, flags, reserved, handle);
	if (code)
		create_undo(op, creation);
	else if (reserved)
		foldertime_changed(op->fs, &op->context, creation->parent);
	return code;
}

void fs_create(fuse_req_t request, fuse_ino_t parent, const char *name,
	       mode_t mode, struct fuse_file_info *fi)
{
	struct creation creation = { .name = name };
	struct handle *handle = NULL;
	struct op op;
	int code;

	op_begin(&op, request);
	creation.parent = node_of(op.fs, parent);
	code = relocation_wait(&op, creation.parent, name);
	if (!code)
		code = create_file(&op, &creation, mode, fi->flags, &handle);
	/* Memory knows a file the kernel does not: it looks again. */
	if (code == STORE_EXISTS && !(fi->flags & O_EXCL)) {
		file_open_missed(op.fs);
		code = store_error_set(&op.error, STORE_CHANGED,
				       "%s: exists by now", name);
	}
	if (code) {
		op_error(&op, code);
		return;
	}
	fi->fh = (uintptr_t)handle;
	fi->keep_cache = 1;
	op_done(&op);
	if (fuse_reply_create(request, &creation.entry, fi)) {
		handle_close(op.fs, handle);
		lock_take(&op.fs->tree.lock);
		node_forget(&op.fs->tree, creation.node, 1);
		lock_drop(&op.fs->tree.lock);
	}
}

/* ---- read, write ---- */

void fs_read(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi)
{
	struct store_range range = { (uint64_t)offset, size };
	char *data = NULL;
	size_t got = 0;
	struct op op;
	int code;

	(void)ino;
	op_begin(&op, request);
	code = fs_buffer_take(op.fs, BLOCKCACHE_READS, size, &op.context,
			      &op.error);
	if (code) {
		op_error(&op, code);
		return;
	}
	data = scratch_get(size);
	code = data ? file_read(handle_of(fi), &op.context, data, &range, &got,
				&op.error)
		    : STORE_NO_MEMORY;
	if (code) {
		op_error(&op, code);
	} else {
		op_done(&op);
		fuse_reply_buf(request, data, got);
	}
	fs_buffer_give(op.fs, BLOCKCACHE_READS, size);
}

void fs_write(fuse_req_t request, fuse_ino_t ino, const char *data, size_t size,
	      off_t offset, struct fuse_file_info *fi)
{
	struct store_range range = { (uint64_t)offset, size };
	struct op op;
	int code;

	(void)ino;
	op_begin(&op, request);
	code = file_write(&op, handle_of(fi)->file, data, &range);
	if (code) {
		op_error(&op, code);
		return;
	}
	op_done(&op);
	fuse_reply_write(request, size);
}

void fs_fallocate(fuse_req_t request, fuse_ino_t ino, int mode, off_t offset,
		  off_t length, struct fuse_file_info *fi)
{
	struct store_range range = { (uint64_t)offset, (uint64_t)length };
	struct op op;

	(void)ino;
	op_begin(&op, request);
	op_error(&op, file_allocate(&op, handle_of(fi)->file, mode, &range));
}

void fs_lseek(fuse_req_t request, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi)
{
	uint64_t found = 0;
	struct op op;
	int code;

	(void)ino;
	op_begin(&op, request);
	code = file_seek(&op, handle_of(fi)->file, whence, (uint64_t)offset,
			 &found);
	if (code == STORE_NOT_FOUND) {
		op_done(&op);
		fuse_reply_err(request, ENXIO);
	} else if (code) {
		op_error(&op, code);
	} else {
		op_done(&op);
		fuse_reply_lseek(request, (off_t)found);
	}
}

static int copy_range(struct op *op, const struct handle *from, struct file *to,
		      struct store_range source, uint64_t target,
		      uint64_t *done)
{
	char *chunk = scratch_get(COPY_CHUNK);
	int code = STORE_OK;

	if (!chunk)
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory for a copy");
	while (!code && source.length) {
		struct store_range piece = { source.offset,
					     source.length < COPY_CHUNK
						     ? source.length
						     : COPY_CHUNK };
		size_t got = 0;

		code = file_read(from, &op->context, chunk, &piece, &got,
				 &op->error);
		if (code || !got)
			break;
		piece = (struct store_range){ target + *done, got };
		code = file_write(op, to, chunk, &piece);
		if (code)
			break;
		*done += got;
		source.offset += got;
		source.length -= got;
		code = store_context_check(&op->context, &op->error);
	}
	return *done ? STORE_OK : code;
}

void fs_copy_file_range(fuse_req_t request, fuse_ino_t ino_in, off_t off_in,
			struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t off_out, struct fuse_file_info *fi_out,
			size_t length, int flags)
{
	struct store_range source = { (uint64_t)off_in, length };
	uint64_t done = 0;
	struct op op;
	int code;

	(void)ino_in;
	(void)ino_out;
	op_begin(&op, request);
	code = flags ? store_error_set(&op.error, STORE_INVALID,
				       "copy_file_range flags")
		     : copy_range(&op, handle_of(fi_in),
				  handle_of(fi_out)->file, source,
				  (uint64_t)off_out, &done);
	if (code) {
		op_error(&op, code);
		return;
	}
	op_done(&op);
	fuse_reply_write(request, (size_t)done);
}

/* ---- close ---- */

static enum closing ask_closing(struct op *op, const struct handle *handle,
				bool thorough)
{
	struct fs *fs = op->fs;
	struct holders_question question = { .device = fs->device,
					     .opener = handle->opener,
					     .newest = handle->newest,
					     .closer = op->caller->pid,
					     .thorough = thorough };

	if (!fs->proc_usable || !question.closer)
		return CLOSING_UNKNOWN;
	lock_take(&fs->tree.lock);
	question.ino = (ino_t)handle->file->node->number;
	lock_drop(&fs->tree.lock);
	return holders_ask(&question);
}

/* A close of a dirty file; see "which close publishes" in doc/. */
static int flush_dirty(struct op *op, const struct handle *handle,
		       bool replacing, bool written)
{
	struct file *file = handle->file;
	enum closing closing = ask_closing(op, handle, replacing && !written);

	switch (closing) {
	case CLOSING_KEEP:
		return STORE_OK;
	case CLOSING_UNKNOWN:
		if (!written)
			return STORE_OK;
		break;
	case CLOSING_KILLED:
		if (!replacing)
			break;
		lock_take(&file->lock);
		file->doomed = file->dirty;
		lock_drop(&file->lock);
		return STORE_OK;
	case CLOSING_PUBLISH:
		lock_take(&file->lock);
		file->doomed = false;
		lock_drop(&file->lock);
		break;
	}
	return commit_close(file, &op->context, &op->error);
}

void fs_flush(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct handle *handle = handle_of(fi);
	bool dirty, replacing, written;
	struct op op;
	int code = STORE_OK;

	(void)ino;
	op_begin(&op, request);
	lock_take(&handle->file->lock);
	dirty = handle->writer && handle->file->dirty;
	replacing = handle->file->replacing;
	written = handle->file->written;
	lock_drop(&handle->file->lock);
	if (dirty)
		code = flush_dirty(&op, handle, replacing, written);
	else if (handle->writer)
		code = commit_close_clean(handle->file, &op.error);
	op_error(&op, code);
}

void fs_fsync(fuse_req_t request, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi)
{
	struct op op;

	(void)ino;
	(void)datasync;
	op_begin(&op, request);
	op_error(&op,
		 commit_close(handle_of(fi)->file, &op.context, &op.error));
}

void fs_release(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(request);

	(void)ino;
	handle_close(fs, handle_of(fi));
	fuse_reply_err(request, 0);
}
