/* SPDX-License-Identifier: MIT */
/*
 * A mount without a kernel: struct fs over a memory store with the fault
 * layer, a staging folder and a publisher.  The store has a door: while it
 * is shut, puts and reads wait in front of it, and tests know how many do.
 */
#ifndef STOREFS_TESTS_UNIT_MOUNT_FS_H
#define STOREFS_TESTS_UNIT_MOUNT_FS_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mount/commit.h"
#include "mount/file.h"
#include "mount/publish.h"
#include "src/base/clock.h"
#include "tests/unit/memory_store.h"
#include "tests/unit/mount_area.h"

enum { MOUNT_OPENED_MAX = 16, MOUNT_PUBLISHERS = 4 };

struct mount_opened {
	struct node *node;
	struct file *file;
	bool writer;
	bool open;
};

struct mount_fs {
	struct fs fs; /* without a journal, unless the test starts one */
	struct mount_area area;
	struct mount_words words;
	char faults[64]; /* "" once somebody else has the store */
	struct mount_opened opened[MOUNT_OPENED_MAX];
	int opened_count;
};

/* ---- the door ---- */

struct mount_door {
	struct lock lock;
	struct condition changed;
	bool puts_shut, reads_shut;
	bool answers_shut; /* of puts that were done */
	int puts_let;	   /* so many pass all the same */
	int puts, reads;   /* that came to it so far */
	int stored;	   /* puts that the store has done */
	/* Called once, before the next of its kind. */
	void (*at_move)(void), (*at_attributes)(void), (*at_remove)(void);
	/* The same, behind it. */
	void (*after_stat)(void), (*after_list)(void);
	void (*after_remove_folder)(void);
	bool moves_copy; /* what is moved has another version token then */
	int move_loses; /* what a move that was done answers, enum store_code */
	_Atomic int
		sync_fails; /* what syncs of folders answer, enum store_code */
	char synced[256];   /* their keys, each in brackets */
};
static struct mount_door door;

static inline int door_pass(const bool *shut, int *count, int *let,
			    const struct store_context *context,
			    struct store_error *error)
{
	int code = STORE_OK;

	lock_take(&door.lock);
	++*count;
	condition_broadcast(&door.changed);
	while (!code && *shut && !(*let && (*let)--)) {
		condition_wait_until(&door.changed, &door.lock,
				     clock_monotonic_ns() + NS_PER_MS);
		code = store_context_check(context, error);
	}
	lock_drop(&door.lock);
	return code;
}

static inline int door_put(void *self, struct store_context *context,
			   const struct backend_put_request *request,
			   struct store_info *info, struct store_error *error)
{
	int answers = 0, none = 0;
	int code = door_pass(&door.puts_shut, &door.puts, &door.puts_let,
			     context, error);

	if (!code)
		code = memory_backend.put(self, context, request, info, error);
	lock_take(&door.lock);
	door.stored += !code;
	lock_drop(&door.lock);
	return code ? code
		    : door_pass(&door.answers_shut, &answers, &none, context,
				error);
}

static inline int door_read(void *self, struct store_context *context,
			    void *reader, uint64_t offset, void *data,
			    size_t length, size_t *got,
			    struct store_error *error)
{
	int none = 0, code = door_pass(&door.reads_shut, &door.reads, &none,
				       context, error);

	return code ? code
		    : memory_backend.read(self, context, reader, offset, data,
					  length, got, error);
}

/* While threads may come by; before, an assignment will do. */
static inline void door_hang(void (**hook)(void), void (*call)(void))
{
	__atomic_store_n(hook, call, __ATOMIC_RELEASE);
}

static inline void door_call(void (**hook)(void))
{
	/* Several may come at once, of whom one finds it. */
	void (*call)(void) = __atomic_exchange_n(hook, NULL, __ATOMIC_ACQ_REL);

	if (call)
		call();
}

static inline int door_attributes(void *self, struct store_context *context,
				  const char *key,
				  const struct store_attributes *attributes,
				  struct store_info *info,
				  struct store_error *error)
{
	door_call(&door.at_attributes);
	return memory_backend.set_attributes(self, context, key, attributes,
					     info, error);
}

static inline int door_move(void *self, struct store_context *context,
			    const struct backend_move_request *request,
			    struct store_info *info, struct store_error *error)
{
	const struct store_precondition any = { .condition = STORE_IF_ANY };
	int code;

	door_call(&door.at_move);
	if (!door.moves_copy)
		return memory_backend.move(self, context, request, info, error);
	code = memory_backend.copy(self, context, request, info, error);
	return code ? code
		    : memory_backend.remove(self, context, request->from, &any,
					    error);
}

static inline int door_remove(void *self, struct store_context *context,
			      const char *key,
			      const struct store_precondition *condition,
			      struct store_error *error)
{
	door_call(&door.at_remove);
	return memory_backend.remove(self, context, key, condition, error);
}

static inline int door_remove_folder(void *self, struct store_context *context,
				     const char *key, struct store_error *error)
{
	int code = memory_backend.remove_dir(self, context, key, error);

	door_call(&door.after_remove_folder);
	return code;
}

static inline int door_stat(void *self, struct store_context *context,
			    const char *key, struct store_info *info,
			    struct store_details *details,
			    struct store_error *error)
{
	int code =
		memory_backend.stat(self, context, key, info, details, error);

	door_call(&door.after_stat);
	return code;
}

static inline int door_list(void *self, struct store_context *context,
			    const struct backend_list_request *request,
			    struct store_page *page, struct store_error *error)
{
	int code = memory_backend.list(self, context, request, page, error);

	door_call(&door.after_list);
	return code;
}

static inline int door_sync(void *self, struct store_context *context,
			    const char *key, struct store_error *error)
{
	size_t length;

	(void)self;
	(void)context;
	lock_take(&door.lock);
	length = strlen(door.synced);
	snprintf(door.synced + length, sizeof(door.synced) - length, "[%s]",
		 key);
	lock_drop(&door.lock);
	return door.sync_fails ? store_error_set(error, door.sync_fails,
						 "%s: not flushed", key)
			       : STORE_OK;
}

static inline void door_set(bool *shut, bool value)
{
	lock_take(&door.lock);
	*shut = value;
	condition_broadcast(&door.changed);
	lock_drop(&door.lock);
}

/* So many of those that wait, or come. */
static inline void door_let(int count)
{
	lock_take(&door.lock);
	door.puts_let += count;
	condition_broadcast(&door.changed);
	lock_drop(&door.lock);
}

/* Until `count` of them have come to the door. */
static inline void door_wait(const int *count, int wanted)
{
	lock_take(&door.lock);
	while (*count < wanted)
		condition_wait(&door.changed, &door.lock);
	lock_drop(&door.lock);
}

/* ---- life ---- */

static inline void mount_faults(struct mount_fs *self, const char *text)
{
	char other[80];
	FILE *file;

	/* Another inode each time, so that the change is seen at once. */
	snprintf(other, sizeof(other), "%s.new", self->faults);
	file = fopen(other, "w");
	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	fclose(file);
	ck_assert_int_eq(rename(other, self->faults), 0);
}

static inline void mount_open_store(struct mount_fs *self)
{
	static struct store_backend table;
	struct store_policy policy = { .retry.max_attempts = 1,
				       .fault_file = self->faults,
				       .raw_keys = true };
	int fd;

	snprintf(self->faults, sizeof(self->faults),
		 "/tmp/storefs-faults.XXXXXX");
	fd = mkstemp(self->faults);
	ck_assert_int_ge(fd, 0);
	close(fd);
	table = memory_backend;
	table.put = door_put;
	table.read = door_read;
	table.move = door_move;
	table.remove = door_remove;
	table.remove_dir = door_remove_folder;
	table.stat = door_stat;
	table.list = door_list;
	table.set_attributes = door_attributes;
	table.sync = door_sync;
	self->fs.store = memory_assemble(&table, &policy);
	self->fs.capabilities = store_capabilities(self->fs.store);
}

/* All but the store and the staging folder, which are there. */
static inline void mount_fs_build(struct mount_fs *self)
{
	struct store_error error = STORE_ERROR_INIT;
	struct fs *fs = &self->fs;
	struct store_info info;

	ck_assert_int_eq(mount_words_new(&self->words, &error), STORE_OK);
	fs->options = mount_options_new(&self->words);
	ck_assert_ptr_nonnull(fs->options);
	fs->area = self->area.area;
	fs->staging_fd = self->area.fd;
	fs->ready_fd = -1;
	fs->started_ns = clock_monotonic_ns();
	fs->source = strdup("memory:");
	fs->mountpoint = strdup("/nowhere");
	fs->tree.file_mode = 0644;
	fs->tree.dir_mode = 0755;
	lock_init(&fs->running.lock);
	ck_assert_int_eq(tree_init(&fs->tree, &error), STORE_OK);
	gate_init(&fs->gate, &fs->tree);
	ck_assert_int_eq(store_stat(fs->store, NULL, "", &info, &error),
			 STORE_OK);
	lock_take(&fs->tree.lock);
	node_refresh(&fs->tree, fs->tree.root, &info);
	lock_drop(&fs->tree.lock);
	ck_assert_int_eq(publisher_start(fs, MOUNT_PUBLISHERS, &error),
			 STORE_OK);
}

static inline void mount_fs_open(struct mount_fs *self)
{
	memset(self, 0, sizeof(*self));
	memset(&door, 0, sizeof(door));
	lock_init(&door.lock);
	condition_init(&door.changed);
	mount_open_store(self);
	area_open(&self->area, "/tmp", 0);
	mount_fs_build(self);
}

/* Over the store of another one that ends, and a folder that is there. */
static inline void mount_fs_follow(struct mount_fs *self, struct mount_fs *old,
				   const char *folder)
{
	memset(self, 0, sizeof(*self));
	self->fs.store = old->fs.store;
	self->fs.capabilities = old->fs.capabilities;
	memcpy(self->faults, old->faults, sizeof(self->faults));
	old->faults[0] = '\0';
	area_take(&self->area, folder, 0);
	mount_fs_build(self);
}

/* A file the test has open; kept in `opened` until it is closed. */
static inline struct file *mount_keep(struct mount_fs *self, struct node *node,
				      bool writer)
{
	struct mount_opened *opened = &self->opened[self->opened_count++];

	ck_assert_int_le(self->opened_count, MOUNT_OPENED_MAX);
	*opened = (struct mount_opened){ .node = node,
					 .writer = writer,
					 .open = true };
	opened->file = file_get(&self->fs, node);
	ck_assert_ptr_nonnull(opened->file);
	return opened->file;
}

/* As ops_file.c closes a handle. */
static inline void mount_close(struct mount_fs *self, const struct file *file)
{
	struct mount_opened *opened = self->opened;
	bool publish;

	while (opened->file != file || !opened->open)
		opened++;
	opened->open = false;
	lock_take(&opened->file->lock);
	opened->file->handles--;
	opened->file->writers -= opened->writer;
	publish =
		opened->writer && !opened->file->writers && opened->file->dirty;
	if (!opened->file->handles && !opened->file->dirty) {
		file_drop_reader_locked(opened->file);
		staging_discard(&opened->file->staging);
	}
	lock_drop(&opened->file->lock);
	if (publish)
		publish_later(opened->file);
	file_put(opened->file);
}

static inline void mount_fs_close(struct mount_fs *self)
{
	struct fs *fs = &self->fs;

	door_set(&door.puts_shut, false);
	door_set(&door.reads_shut, false);
	door_set(&door.answers_shut, false);
	for (int i = 0; i < self->opened_count; i++)
		if (self->opened[i].open)
			mount_close(self, self->opened[i].file);
	publisher_stop(fs->publisher);
	publish_abandon_all(fs);
	publisher_free(fs->publisher);
	commit_stop(fs->commit);
	file_kept_release(fs);
	lock_take(&fs->tree.lock);
	for (int i = 0; i < self->opened_count; i++)
		node_forget(&fs->tree, self->opened[i].node, 1);
	lock_drop(&fs->tree.lock);
	gate_release(&fs->gate);
	tree_release(&fs->tree);
	ck_assert_uint_eq(atomic_load(&fs->counters.dirty_files), 0);
	ck_assert_uint_eq(staging_area_bytes(fs->area), 0);
	area_close(&self->area);
	if (self->faults[0]) {
		store_close(fs->store);
		unlink(self->faults);
	}
	lock_destroy(&fs->running.lock);
	mount_options_free(fs->options);
	mount_words_release(&self->words);
	free(fs->source);
	free(fs->mountpoint);
}

/* ---- calls ---- */

static inline struct op mount_op(struct mount_fs *self)
{
	static const struct fuse_ctx root;
	struct op op = { .fs = &self->fs,
			 .caller = &root,
			 .started_ns = clock_monotonic_ns() };

	store_context_init(&op.context, self->fs.options->op_timeout_ns, NULL);
	return op;
}

/* open(name, O_CREAT | O_EXCL | O_RDWR). */
static inline struct file *mount_create(struct mount_fs *self, const char *name)
{
	struct store_info info = { .type = STORE_TYPE_FILE, .links = 1 };
	struct tree *tree = &self->fs.tree;
	struct op op = mount_op(self);
	struct node *node;
	struct file *file;

	ck_assert_int_eq(file_promise(&op), STORE_OK);
	lock_take(&tree->lock);
	node = tree_enter(tree, tree->root, name, &info, op.started_ns);
	ck_assert_ptr_nonnull(node);
	node->lookups++;
	node->flags |= NODE_UNPUBLISHED | NODE_LOCAL;
	lock_drop(&tree->lock);
	file = mount_keep(self, node, true);
	file_created(file);
	lock_take(&file->lock);
	file->handles++;
	file->writers++;
	lock_drop(&file->lock);
	return file;
}

/* open(name, flags) of what is in the store. */
static inline struct file *mount_open(struct mount_fs *self, const char *name,
				      int flags)
{
	struct tree *tree = &self->fs.tree;
	struct op op = mount_op(self);
	struct store_info info;
	struct node *node;
	struct file *file;
	bool fresh;

	ck_assert_int_eq(store_stat(self->fs.store, NULL, name, &info, NULL),
			 STORE_OK);
	lock_take(&tree->lock);
	node = tree_enter(tree, tree->root, name, &info, op.started_ns);
	ck_assert_ptr_nonnull(node);
	node->lookups++;
	lock_drop(&tree->lock);
	file = mount_keep(self, node, (flags & O_ACCMODE) != O_RDONLY);
	ck_assert_int_eq(file_open(&op, file, flags, &fresh), STORE_OK);
	return file;
}

static inline void mount_write(struct mount_fs *self, struct file *file,
			       uint64_t offset, const char *text)
{
	struct store_range range = { offset, strlen(text) };
	struct op op = mount_op(self);

	ck_assert_msg(!file_write(&op, file, text, &range), "%s",
		      op.error.message);
}

/* What a read of the whole file gives. */
static inline void mount_reads(struct mount_fs *self, struct file *file,
			       const char *text)
{
	const struct handle handle = { .file = file };
	struct store_range range = { 0, 1 << 20 };
	struct op op = mount_op(self);
	CLEANUP_FREE char *data = malloc(1 << 20);
	size_t got = 0;

	ck_assert_ptr_nonnull(data);
	ck_assert_msg(
		!file_read(&handle, &op.context, data, &range, &got, &op.error),
		"%s", op.error.message);
	ck_assert_uint_eq(got, strlen(text));
	ck_assert_int_eq(memcmp(data, text, got), 0);
}

/* As close() and fsync() do it. */
static inline int mount_publish(struct mount_fs *self, struct file *file)
{
	struct op op = mount_op(self);

	return publish_wait(file, &op.context, &op.error);
}

static inline bool mount_is_dirty(struct file *file)
{
	bool dirty;

	lock_take(&file->lock);
	dirty = file->dirty;
	lock_drop(&file->lock);
	return dirty;
}

/* Until `count` attempts have ended. */
static inline void mount_wait_attempts(struct file *file, uint64_t count)
{
	lock_take(&file->lock);
	while (file->finished < count)
		condition_wait(&file->changed, &file->lock);
	lock_drop(&file->lock);
}

static inline uint64_t mount_puts(const struct mount_fs *self)
{
	uint64_t values[STORE_COUNTERS];

	store_counters(self->fs.store, values);
	return values[STORE_COUNT_PUT];
}

#endif
