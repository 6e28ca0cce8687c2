// SPDX-License-Identifier: MIT
/* Requests without a kernel; see mount_calls.h. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/mount_calls.h"

/* libfuse knows what is in it; here it is ours. */
struct fuse_req {
	struct fs *fs;
	struct fuse_ctx caller;
	int answer; /* an errno, -1 while there is none */
	struct fuse_entry_param entry;
	struct fuse_file_info fi;
	struct stat attributes;
	char data[1 << 16];
	size_t size;
};

static struct fuse_req request_of(struct fs *fs)
{
	return (struct fuse_req){ .fs = fs, .caller.umask = 022, .answer = -1 };
}

/* ---- instead of libfuse ---- */

void *fuse_req_userdata(fuse_req_t req)
{
	return req->fs;
}

const struct fuse_ctx *fuse_req_ctx(fuse_req_t req)
{
	return &req->caller;
}

void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func,
			     void *data)
{
	(void)req;
	(void)func;
	(void)data;
}

static int answer(fuse_req_t req, int code)
{
	/* One answer to each. */
	if (req->answer != -1)
		abort();
	req->answer = code;
	return 0;
}

int fuse_reply_err(fuse_req_t req, int err)
{
	return answer(req, err);
}

int fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param *e)
{
	req->entry = *e;
	return answer(req, e->ino ? 0 : ENOENT);
}

int fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
		      const struct fuse_file_info *fi)
{
	req->entry = *e;
	req->fi = *fi;
	return answer(req, 0);
}

int fuse_reply_attr(fuse_req_t req, const struct stat *attr,
		    double attr_timeout)
{
	(void)attr_timeout;
	req->attributes = *attr;
	return answer(req, 0);
}

int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
{
	req->fi = *fi;
	return answer(req, 0);
}

int fuse_reply_write(fuse_req_t req, size_t count)
{
	req->size = count;
	return answer(req, 0);
}

int fuse_reply_buf(fuse_req_t req, const char *buf, size_t size)
{
	if (size > sizeof(req->data))
		abort();
	memcpy(req->data, buf, size);
	req->size = size;
	return answer(req, 0);
}

int fuse_reply_xattr(fuse_req_t req, size_t count)
{
	req->size = count;
	return answer(req, 0);
}

/* ---- paths ---- */

static void forget(struct fs *fs, fuse_ino_t ino)
{
	if (ino == FUSE_ROOT_ID)
		return;
	lock_take(&fs->tree.lock);
	node_forget(&fs->tree, node_of(fs, ino), 1);
	lock_drop(&fs->tree.lock);
}

static int look_up(struct fs *fs, fuse_ino_t parent, const char *name,
		   fuse_ino_t *ino)
{
	struct fuse_req request = request_of(fs);

	fs_lookup(&request, parent, name);
	*ino = request.entry.ino;
	return request.answer;
}

/* The folder of a path, to be forgotten, and the last name in it. */
static int find_folder(struct fs *fs, const char *path, fuse_ino_t *folder,
		       const char **name)
{
	char part[256];
	const char *slash;
	int code = 0;

	*folder = FUSE_ROOT_ID;
	for (; (slash = strchr(path, '/')) && !code; path = slash + 1) {
		fuse_ino_t parent = *folder;

		snprintf(part, sizeof(part), "%.*s", (int)(slash - path), path);
		code = look_up(fs, parent, part, folder);
		forget(fs, parent);
	}
	*name = path;
	return code;
}

/* To be forgotten; "" is the root. */
static int find(struct fs *fs, const char *path, fuse_ino_t *ino)
{
	const char *name;
	fuse_ino_t folder;
	int code;

	*ino = FUSE_ROOT_ID;
	if (!*path)
		return 0;
	code = find_folder(fs, path, &folder, &name);
	if (code)
		return code;
	code = look_up(fs, folder, name, ino);
	forget(fs, folder);
	return code;
}

/* ---- open files ---- */

int call_create(struct fs *fs, const char *path, struct call_handle *handle)
{
	struct fuse_req request = request_of(fs);
	struct fuse_file_info fi = { .flags = O_RDWR | O_CREAT };
	const char *name;
	fuse_ino_t folder;
	int code = find_folder(fs, path, &folder, &name);

	if (code)
		return code;
	fs_create(&request, folder, name, 0644, &fi);
	forget(fs, folder);
	*handle = (struct call_handle){ .fs = fs,
					.ino = request.entry.ino,
					.fi = request.fi };
	return request.answer;
}

int call_open(struct fs *fs, const char *path, int flags,
	      struct call_handle *handle)
{
	struct fuse_req request = request_of(fs);
	struct fuse_file_info fi = { .flags = flags };
	fuse_ino_t ino;
	int code = find(fs, path, &ino);

	if (code)
		return code;
	fs_open(&request, ino, &fi);
	*handle =
		(struct call_handle){ .fs = fs, .ino = ino, .fi = request.fi };
	if (request.answer)
		forget(fs, ino);
	return request.answer;
}

int call_write(struct call_handle *handle, uint64_t offset, const void *data,
	       size_t size)
{
	struct fuse_req request = request_of(handle->fs);

	fs_write(&request, handle->ino, data, size, (off_t)offset, &handle->fi);
	return request.answer;
}

int call_fsync(struct call_handle *handle)
{
	struct fuse_req request = request_of(handle->fs);

	fs_fsync(&request, handle->ino, 0, &handle->fi);
	return request.answer;
}

void call_release(struct call_handle *handle)
{
	struct fuse_req request = request_of(handle->fs);

	fs_release(&request, handle->ino, &handle->fi);
	forget(handle->fs, handle->ino);
}

int call_close(struct call_handle *handle)
{
	struct fuse_req request = request_of(handle->fs);

	fs_flush(&request, handle->ino, &handle->fi);
	call_release(handle);
	return request.answer;
}

int call_store(struct fs *fs, const char *path, const char *text)
{
	struct call_handle handle;
	int code = call_open(fs, path, O_WRONLY | O_TRUNC, &handle), closed;

	if (code == ENOENT)
		code = call_create(fs, path, &handle);
	if (code)
		return code;
	code = call_write(&handle, 0, text, strlen(text));
	closed = call_close(&handle);
	return code ? code : closed;
}

int call_read(struct call_handle *handle, char *text, size_t room)
{
	struct fuse_req request = request_of(handle->fs);

	fs_read(&request, handle->ino, sizeof(request.data), 0, &handle->fi);
	if (!request.answer)
		snprintf(text, room, "%.*s", (int)request.size, request.data);
	return request.answer;
}

int call_load(struct fs *fs, const char *path, char *text, size_t room)
{
	struct call_handle handle;
	int code = call_open(fs, path, O_RDONLY, &handle);

	if (code)
		return code;
	code = call_read(&handle, text, room);
	call_release(&handle);
	return code;
}

/* ---- attributes ---- */

int call_stat(struct fs *fs, const char *path, struct stat *found)
{
	struct fuse_req request = request_of(fs);
	fuse_ino_t ino;
	int code = find(fs, path, &ino);

	if (code)
		return code;
	fs_getattr(&request, ino, NULL);
	forget(fs, ino);
	*found = request.attributes;
	return request.answer;
}

int call_look_up(struct fs *fs, const char *path, struct stat *found)
{
	struct fuse_req request = request_of(fs);
	const char *name;
	fuse_ino_t folder;
	int code = find_folder(fs, path, &folder, &name);

	if (code)
		return code;
	fs_lookup(&request, folder, name);
	forget(fs, folder);
	if (request.answer)
		return request.answer;
	*found = request.entry.attr;
	forget(fs, request.entry.ino);
	return 0;
}

/* Bytes of a reply with "." and ".." and nothing else. */
enum { DOTS = 2 * (FUSE_NAME_OFFSET_DIRENTPLUS + sizeof(uint64_t)) };

/* One entry of a reply; what was not asked for is forgotten at once. */
static const struct fuse_direntplus *next_entry(struct fuse_req *reply,
						size_t *at)
{
	const struct fuse_direntplus *entry = (void *)(reply->data + *at);

	if (*at >= reply->size)
		return NULL;
	*at += FUSE_DIRENTPLUS_SIZE(entry);
	if (entry->entry_out.nodeid)
		forget(reply->fs, entry->entry_out.nodeid);
	return entry;
}

/* Is the name in it?  `between` is called when nothing but dots is told. */
static bool list_root(struct fs *fs, const char *name, void (*between)(void),
		      struct stat *found)
{
	struct fuse_req opening = request_of(fs), closing = request_of(fs);
	struct fuse_file_info fi = { .flags = O_RDONLY };
	const struct fuse_direntplus *entry;
	struct fuse_req reply;
	size_t at, size = between ? DOTS : sizeof(reply.data);
	bool there = false;
	uint64_t offset = 0;

	fs_opendir(&opening, FUSE_ROOT_ID, &fi);
	do {
		reply = request_of(fs);
		if (offset && between) {
			between();
			between = NULL;
			size = sizeof(reply.data);
		}
		fs_readdirplus(&reply, FUSE_ROOT_ID, size, (off_t)offset,
			       &opening.fi);
		for (at = 0; (entry = next_entry(&reply, &at));) {
			offset = entry->dirent.off;
			if (strlen(name) != entry->dirent.namelen ||
			    strncmp(name, entry->dirent.name,
				    entry->dirent.namelen) != 0)
				continue;
			there = true;
			*found = (struct stat){
				.st_ino = entry->entry_out.nodeid,
				.st_size = (off_t)entry->entry_out.attr.size,
			};
		}
	} while (reply.size);
	fs_releasedir(&closing, FUSE_ROOT_ID, &opening.fi);
	return there;
}

bool call_listed(struct fs *fs, const char *name, struct stat *found)
{
	if (!list_root(fs, name, NULL, found))
		abort();
	return found->st_ino;
}

bool call_lists(struct fs *fs, const char *name)
{
	return call_lists_while(fs, name, NULL);
}

bool call_lists_while(struct fs *fs, const char *name, void (*between)(void))
{
	struct stat found;

	return list_root(fs, name, between, &found);
}

static int set_attributes(struct fs *fs, const char *path, struct stat *wanted,
			  int which)
{
	struct fuse_req request = request_of(fs);
	fuse_ino_t ino;
	int code = find(fs, path, &ino);

	if (code)
		return code;
	fs_setattr(&request, ino, wanted, which, NULL);
	forget(fs, ino);
	return request.answer;
}

int call_truncate(struct fs *fs, const char *path, uint64_t size)
{
	struct stat wanted = { .st_size = (off_t)size };

	return set_attributes(fs, path, &wanted, FUSE_SET_ATTR_SIZE);
}

int call_chmod(struct fs *fs, const char *path, mode_t mode)
{
	struct stat wanted = { .st_mode = mode };

	return set_attributes(fs, path, &wanted, FUSE_SET_ATTR_MODE);
}

int call_touch(struct fs *fs, const char *path, int64_t seconds)
{
	struct stat wanted = { .st_mtim.tv_sec = (time_t)seconds };

	return set_attributes(fs, path, &wanted, FUSE_SET_ATTR_MTIME);
}

int call_setxattr(struct fs *fs, const char *path, const char *name,
		  const char *value)
{
	struct fuse_req request = request_of(fs);
	fuse_ino_t ino;
	int code = find(fs, path, &ino);

	if (code)
		return code;
	fs_setxattr(&request, ino, name, value, strlen(value), 0);
	forget(fs, ino);
	return request.answer;
}

int call_getxattr(struct fs *fs, const char *path, const char *name, char *text,
		  size_t room)
{
	struct fuse_req request = request_of(fs);
	fuse_ino_t ino;
	int code = find(fs, path, &ino);

	if (code)
		return code;
	fs_getxattr(&request, ino, name, sizeof(request.data));
	forget(fs, ino);
	snprintf(text, room, "%.*s", (int)request.size, request.data);
	return request.answer;
}

int call_removexattr(struct fs *fs, const char *path, const char *name)
{
	struct fuse_req request = request_of(fs);
	fuse_ino_t ino;
	int code = find(fs, path, &ino);

	if (code)
		return code;
	fs_removexattr(&request, ino, name);
	forget(fs, ino);
	return request.answer;
}

/* ---- names ---- */

/* The two calls that make nothing and answer no more than an errno. */
typedef void remove_fn(fuse_req_t request, fuse_ino_t parent, const char *name);

static int remove_name(struct fs *fs, const char *path, remove_fn *remove)
{
	struct fuse_req request = request_of(fs);
	const char *name;
	fuse_ino_t folder, ino;
	int code = find_folder(fs, path, &folder, &name);

	if (code)
		return code;
	/* As the kernel does; it holds on to what it has found meanwhile. */
	code = look_up(fs, folder, name, &ino);
	if (!code) {
		remove(&request, folder, name);
		code = request.answer;
		forget(fs, ino);
	}
	forget(fs, folder);
	return code;
}

int call_unlink(struct fs *fs, const char *path)
{
	return remove_name(fs, path, fs_unlink);
}

int call_rmdir(struct fs *fs, const char *path)
{
	return remove_name(fs, path, fs_rmdir);
}

int call_mkdir(struct fs *fs, const char *path)
{
	struct fuse_req request = request_of(fs);
	const char *name;
	fuse_ino_t folder;
	int code = find_folder(fs, path, &folder, &name);

	if (code)
		return code;
	fs_mkdir(&request, folder, name, 0755);
	forget(fs, folder);
	if (!request.answer)
		forget(fs, request.entry.ino);
	return request.answer;
}

/* Both folders are found. */
static int rename_in(struct fs *fs, fuse_ino_t folders[2],
		     const char *const names[2], unsigned int flags)
{
	struct fuse_req request = request_of(fs);
	fuse_ino_t source, target;
	int code = look_up(fs, folders[0], names[0], &source);

	if (code)
		return code;
	if (look_up(fs, folders[1], names[1], &target))
		target = FUSE_ROOT_ID;
	fs_rename(&request, folders[0], names[0], folders[1], names[1], flags);
	forget(fs, source);
	forget(fs, target);
	return request.answer;
}

int call_rename(struct fs *fs, const char *from, const char *to,
		unsigned int flags)
{
	fuse_ino_t folders[2];
	const char *names[2];
	int code = find_folder(fs, from, &folders[0], &names[0]);

	if (code)
		return code;
	code = find_folder(fs, to, &folders[1], &names[1]);
	if (!code) {
		code = rename_in(fs, folders, names, flags);
		forget(fs, folders[1]);
	}
	forget(fs, folders[0]);
	return code;
}

int call_link(struct fs *fs, const char *path, const char *name)
{
	struct fuse_req request = request_of(fs);
	const char *text;
	fuse_ino_t ino, folder;
	int code = find(fs, path, &ino);

	if (code)
		return code;
	code = find_folder(fs, name, &folder, &text);
	if (!code) {
		fs_link(&request, ino, folder, text);
		code = request.answer;
		forget(fs, folder);
	}
	if (!code)
		forget(fs, request.entry.ino);
	forget(fs, ino);
	return code;
}

int call_fsyncdir(struct fs *fs, const char *path)
{
	struct fuse_req request = request_of(fs);
	struct fuse_file_info fi = { .flags = O_RDONLY };
	fuse_ino_t ino;
	int code = find(fs, path, &ino);

	if (code)
		return code;
	fs_fsyncdir(&request, ino, 0, &fi);
	forget(fs, ino);
	return request.answer;
}
