// SPDX-License-Identifier: MIT
/*
 * Listing folders.  Called by the kernel's requests; calls the node tree and
 * the store, one page at a time.
 *
 * A position is page and place in it, so that seekdir(3) and rewinddir(3)
 * work: the handle remembers the cursor of every page it has passed, and
 * holds the entries of one.  Names only memory knows are noted when the
 * listing begins and come first; the store's pages leave them out.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mount/commit.h"
#include "mount/file.h"
#include "mount/listed.h"
#include "mount/ops.h"
#include "mount/publish.h"
#include "mount/relocation.h"
#include "src/base/clock.h"
#include "src/file_type.h"

enum {
	PAGE_ENTRIES = 1024,
	PAGE_SHIFT = 20, /* places in a page, and pages of 2^43 */
	PLACE_DOT = 1,
	PLACE_DOTDOT = 2,
};
#define PLACE_MASK ((UINT64_C(1) << PAGE_SHIFT) - 1)

/*
 * Page 0 is "." and ".." and the names of memory; page N is the store's page
 * N - 1.  The offset of an entry is that of the one behind it.
 */
struct dir {
	struct lock lock;
	struct node *node; /* a reference */
	/* protected by `lock` */
	char **local; /* names of memory, NULL until noted */
	size_t local_count;
	bool noted;
	char **cursors; /* cursors[N] begins store page N; [0] is NULL */
	size_t cursor_count;
	struct store_page page;
	uint64_t page_number; /* of `page`, counted from 1; 0: none */
	int64_t asked_ns;     /* when `page` was asked for */
};

/* ---- names of memory ---- */

struct note {
	struct dir *dir;
	bool failed;
};

static void note_name(struct dir *dir, const char *text, bool *failed)
{
	char **names =
		reallocarray(dir->local, dir->local_count + 1, sizeof(*names));

	if (names) {
		dir->local = names;
		names[dir->local_count] = strdup(text);
	}
	if (!names || !names[dir->local_count])
		*failed = true;
	else
		dir->local_count++;
}

static void note_file(void *arg, struct file *file)
{
	struct note *note = arg;
	struct tree *tree = &file->fs->tree;

	lock_take(&tree->lock);
	for (const struct name *name = file->node->names;
	     name && (file->node->flags & NODE_UNPUBLISHED); name = name->alias)
		if (name->parent == note->dir->node)
			note_name(note->dir, name->text, &note->failed);
	lock_drop(&tree->lock);
}

static void forget_local(struct dir *dir)
{
	for (size_t i = 0; i < dir->local_count; i++)
		free(dir->local[i]);
	free(dir->local);
	dir->local = NULL;
	dir->local_count = 0;
	dir->noted = false;
}

static int note_local(struct op *op, struct dir *dir)
{
	struct note note = { .dir = dir };

	forget_local(dir);
	if (atomic_load(&op->fs->counters.dirty_files))
		publish_each(op->fs, note_file, &note);
	dir->noted = true;
	if (note.failed)
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory for a listing");
	return STORE_OK;
}

static bool is_local(const struct dir *dir, const char *text)
{
	for (size_t i = 0; i < dir->local_count; i++)
		if (!strcmp(dir->local[i], text))
			return true;
	return false;
}

/* ---- pages of the store ---- */

static int remember_cursor(struct op *op, struct dir *dir, uint64_t number)
{
	char **cursors;
	char *copy;

	if (!dir->page.next || number < dir->cursor_count)
		return STORE_OK;
	copy = strdup(dir->page.next);
	cursors = copy ? reallocarray(dir->cursors, dir->cursor_count + 1,
				      sizeof(*cursors))
		       : NULL;
	if (!cursors) {
		free(copy);
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory for a listing");
	}
	dir->cursors = cursors;
	cursors[dir->cursor_count++] = copy;
	return STORE_OK;
}

/* Have store page `number` (from 1) at hand; *end when there is none. */
static int load_page(struct op *op, struct dir *dir, uint64_t number, bool *end)
{
	char key[STORE_KEY_MAX + 1];
	const char *cursor = NULL;
	struct gate_pass pass;
	int code;

	*end = false;
	if (dir->page_number == number)
		return STORE_OK;
	if (number > 1 && number - 1 > dir->cursor_count) {
		*end = true;
		return STORE_OK;
	}
	if (number > 1)
		cursor = dir->cursors[number - 2];
	store_page_release(&dir->page);
	dir->page_number = 0;
	dir->asked_ns = clock_monotonic_ns();
	code = op_enter_looking(op, dir->node, NULL, key, &pass);
	if (!code)
		code = store_list_page(op->fs->store, &op->context, key, cursor,
				       PAGE_ENTRIES, &dir->page, &op->error);
	op_leave(op, &pass);
	if (!code)
		code = remember_cursor(op, dir, number - 1);
	if (!code)
		listed_note(op->fs->listed, dir->node, &dir->page,
			    dir->asked_ns);
	if (!code)
		dir->page_number = number;
	return code;
}

/* ---- replies ---- */

struct listing {
	struct op *op;
	struct dir *dir;
	bool plus;
	char *data; /* owned */
	size_t size, used;
};

/* False: no room. */
static bool listing_add(struct listing *listing, const char *name,
			const struct fuse_entry_param *entry, uint64_t next)
{
	char *at = listing->data + listing->used;
	size_t room = listing->size - listing->used;
	size_t need;

	if (listing->plus)
		need = fuse_add_direntry_plus(listing->op->request, at, room,
					      name, entry, (off_t)next);
	else
		need = fuse_add_direntry(listing->op->request, at, room, name,
					 &entry->attr, (off_t)next);
	if (need > room)
		return false;
	listing->used += need;
	return true;
}

static bool add_dots(struct listing *listing, uint64_t place)
{
	struct fs *fs = listing->op->fs;
	struct fuse_entry_param entry = { 0 };
	const struct node *node = listing->dir->node;

	lock_take(&fs->tree.lock);
	if (place == PLACE_DOTDOT && node->names)
		node = node->names->parent;
	fs_fill_stat(fs, node, &entry.attr);
	lock_drop(&fs->tree.lock);
	return listing_add(listing, place == PLACE_DOT ? "." : "..", &entry,
			   place);
}

/* Counted for the kernel only where it takes the count. */
static void entry_undo(struct fs *fs, const struct fuse_entry_param *entry)
{
	lock_take(&fs->tree.lock);
	if (entry->ino)
		node_forget(&fs->tree, node_of(fs, entry->ino), 1);
	lock_drop(&fs->tree.lock);
}

static bool add_local(struct listing *listing, char *text, uint64_t next)
{
	struct fs *fs = listing->op->fs;
	struct fuse_entry_param entry = { 0 };
	const struct name *name;

	lock_take(&fs->tree.lock);
	name = tree_find_name(&fs->tree, listing->dir->node, text);
	if (name)
		fs_fill_entry(fs, name->node, &entry);
	lock_drop(&fs->tree.lock);
	/*
	 * Removed or renamed since it was noted, or stored and forgotten: a
	 * page that is asked for from now on tells.
	 */
	if (!name) {
		*text = '\0';
		listing->dir->page_number = 0;
		return true;
	}
	if (listing_add(listing, text, &entry, next)) {
		if (!listing->plus)
			entry_undo(fs, &entry);
		return true;
	}
	entry_undo(fs, &entry);
	return false;
}

/* Where a listing shows symlinks as files a file may be either. */
static bool type_is_told(const struct fs *fs, const struct store_entry *stored)
{
	return stored->complete || stored->info.type != STORE_TYPE_FILE ||
	       !fs_can(fs, STORE_CAP_SYMLINKS);
}

/* A name without a node: enough for readdir.  Without a type: unknown. */
static void plain_entry(struct listing *listing,
			const struct store_entry *stored,
			struct fuse_entry_param *entry)
{
	struct fs *fs = listing->op->fs;
	const struct name *name;

	*entry = (struct fuse_entry_param){ 0 };
	if (type_is_told(fs, stored))
		entry->attr.st_mode = file_type_bits(stored->info.type);
	entry->attr.st_ino = (ino_t)stored->info.id;
	lock_take(&fs->tree.lock);
	name = tree_find_name(&fs->tree, listing->dir->node, stored->name);
	if (name)
		entry->attr.st_ino = (ino_t)name->node->number;
	lock_drop(&fs->tree.lock);
	if (!entry->attr.st_ino)
		entry->attr.st_ino = 1;
}

static bool full_entry(struct listing *listing,
		       const struct store_entry *stored,
		       struct fuse_entry_param *entry)
{
	struct fs *fs = listing->op->fs;
	struct node *node = NULL;

	lock_take(&fs->tree.lock);
	/* A name that went since the page was read is not brought back. */
	if (!tree_lost_since(&fs->tree, listing->dir->node, stored->name,
			     listing->dir->asked_ns))
		node = tree_enter(&fs->tree, listing->dir->node, stored->name,
				  &stored->info, listing->dir->asked_ns);
	if (node)
		fs_fill_entry(fs, node, entry);
	lock_drop(&fs->tree.lock);
	return node;
}

/*
 * The page does not tell all, but memory knows the rest.  What was asked ahead
 * is not told here, where nobody may want to know yet.
 */
static bool known_entry(struct listing *listing,
			const struct store_entry *stored,
			struct fuse_entry_param *entry)
{
	struct fs *fs = listing->op->fs;
	struct node *node;

	if (!fs->listed)
		return false;
	lock_take(&fs->tree.lock);
	node = listed_known(fs, listing->dir->node, stored->name, &stored->info,
			    listing->dir->asked_ns);
	if (node)
		fs_fill_entry(fs, node, entry);
	lock_drop(&fs->tree.lock);
	return node;
}

/* A page read long ago says nothing about attributes now. */
static bool page_is_old(const struct listing *listing)
{
	const struct fs *fs = listing->op->fs;
	int64_t asked_ns = listing->dir->asked_ns;

	return asked_ns < atomic_load(&fs->refreshed_ns) ||
	       clock_monotonic_ns() - asked_ns > fs->options->attr_timeout_ns;
}

static bool add_stored(struct listing *listing,
		       const struct store_entry *stored, uint64_t next)
{
	struct fuse_entry_param entry;
	bool full = false;

	if (listing->plus && !stored->complete)
		full = known_entry(listing, stored, &entry);
	else if (listing->plus && !page_is_old(listing))
		full = full_entry(listing, stored, &entry);
	if (!full)
		plain_entry(listing, stored, &entry);
	if (listing_add(listing, stored->name, &entry, next))
		return true;
	if (full)
		entry_undo(listing->op->fs, &entry);
	return false;
}

/* Page 0; false: the buffer is full. */
static bool list_memory(struct listing *listing, uint64_t place)
{
	struct dir *dir = listing->dir;

	for (; place < PLACE_DOTDOT; place++)
		if (!add_dots(listing, place + 1))
			return false;
	for (; place - PLACE_DOTDOT < dir->local_count; place++)
		if (!add_local(listing, dir->local[place - PLACE_DOTDOT],
			       place + 1))
			return false;
	return true;
}

/* Can a path name it? */
static bool name_is_visible(const char *name)
{
	return *name && strlen(name) <= STORE_NAME_MAX && !strchr(name, '/') &&
	       strcmp(name, ".") && strcmp(name, "..");
}

static uint64_t position(uint64_t page, uint64_t place)
{
	return (page << PAGE_SHIFT) | place;
}

static bool list_page(struct listing *listing, uint64_t place)
{
	const struct dir *dir = listing->dir;

	for (; place < dir->page.count; place++) {
		const struct store_entry *entry = &dir->page.entries[place];
		/* Behind the last entry the next page begins. */
		uint64_t next = place + 1 < dir->page.count
					? position(dir->page_number, place + 1)
					: position(dir->page_number + 1, 0);

		if (!name_is_visible(entry->name) ||
		    is_local(dir, entry->name) ||
		    relocation_hid(listing->op->fs, dir->node, entry->name,
				   dir->asked_ns))
			continue;
		if (!add_stored(listing, entry, next))
			return false;
	}
	return true;
}

/* rewinddir(3) looks again. */
static void dir_rewind(struct dir *dir)
{
	for (size_t i = 0; i < dir->cursor_count; i++)
		free(dir->cursors[i]);
	dir->cursor_count = 0;
	dir->page_number = 0;
}

static int list_from(struct listing *listing, uint64_t offset)
{
	struct dir *dir = listing->dir;
	uint64_t number = offset >> PAGE_SHIFT;
	uint64_t place = offset & PLACE_MASK;
	bool end = false;
	int code = STORE_OK;

	if (!offset)
		dir_rewind(dir);
	if (!offset || !dir->noted)
		code = note_local(listing->op, dir);
	if (code)
		return code;
	if (number == 0) {
		if (!list_memory(listing, place))
			return STORE_OK;
		number = 1;
		place = 0;
	}
	/*
	 * A reply ends with its page: the kernel may come back to the middle
	 * of a reply, and a page that was left is read anew then, when names
	 * in it may be gone.
	 */
	for (;; number++, place = 0) {
		code = load_page(listing->op, dir, number, &end);
		if (code || end || !list_page(listing, place) || listing->used)
			break;
	}
	/* What is in the buffer is told first. */
	return listing->used ? STORE_OK : code;
}

static void list_folder(fuse_req_t request, size_t size, uint64_t offset,
			struct dir *dir, bool plus)
{
	struct op op;
	struct listing listing = {
		.op = &op, .dir = dir, .plus = plus, .size = size
	};
	int code = STORE_NO_MEMORY;

	op_begin(&op, request);
	listing.data = malloc(size ? size : 1);
	lock_take(&dir->lock);
	if (listing.data)
		code = list_from(&listing, offset);
	lock_drop(&dir->lock);
	if (code) {
		op_error(&op, code);
	} else {
		op_done(&op);
		fuse_reply_buf(request, listing.data, listing.used);
	}
	free(listing.data);
}

void fs_readdir(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	(void)ino;
	list_folder(request, size, (uint64_t)offset,
		    (struct dir *)(uintptr_t)fi->fh, false);
}

void fs_readdirplus(fuse_req_t request, fuse_ino_t ino, size_t size,
		    off_t offset, struct fuse_file_info *fi)
{
	(void)ino;
	list_folder(request, size, (uint64_t)offset,
		    (struct dir *)(uintptr_t)fi->fh, true);
}

/* ---- open and release ---- */

static void dir_free(struct fs *fs, struct dir *dir)
{
	lock_take(&fs->tree.lock);
	node_unref(&fs->tree, dir->node);
	lock_drop(&fs->tree.lock);
	forget_local(dir);
	dir_rewind(dir);
	free(dir->cursors);
	store_page_release(&dir->page);
	lock_destroy(&dir->lock);
	free(dir);
}

void fs_opendir(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fuse_req_userdata(request);
	struct dir *dir = calloc(1, sizeof(*dir));

	if (!dir) {
		fuse_reply_err(request, ENOMEM);
		return;
	}
	lock_init(&dir->lock);
	store_page_init(&dir->page);
	dir->node = node_of(fs, ino);
	lock_take(&fs->tree.lock);
	node_ref(&fs->tree, dir->node);
	lock_drop(&fs->tree.lock);
	fi->fh = (uintptr_t)dir;
	/* An aborted request is never released. */
	if (fuse_reply_open(request, fi))
		dir_free(fs, dir);
}

void fs_releasedir(fuse_req_t request, fuse_ino_t ino,
		   struct fuse_file_info *fi)
{
	(void)ino;
	dir_free(fuse_req_userdata(request), (struct dir *)(uintptr_t)fi->fh);
	fuse_reply_err(request, 0);
}

void fs_fsyncdir(fuse_req_t request, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi)
{
	char key[STORE_KEY_MAX + 1];
	struct gate_pass pass;
	struct op op;
	int code;

	(void)datasync;
	(void)fi;
	op_begin(&op, request);
	code = op_enter_looking(&op, node_of(op.fs, ino), NULL, key, &pass);
	if (!code)
		code = commit_sync_names(op.fs, &op.error);
	if (!code)
		code = store_sync(op.fs->store, &op.context, key, &op.error);
	op_leave(&op, &pass);
	/* A folder that was removed has no names to lose. */
	if (code == STORE_NOT_FOUND)
		code = STORE_OK;
	if (!code)
		code = commit_sync_notes(op.fs, &op.error);
	op_error(&op, code);
}
