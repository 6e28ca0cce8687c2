// SPDX-License-Identifier: MIT
/* The server itself; see fake_sftp.h. */
#include "config.h"

#include "tests/servers/fake_sftp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#endif

enum { HANDLES = 250, PACKET = 1 << 18, DATA_MOST = 32768, NAMES_MOST = 100 };

struct handle {
	int fd; /* 0: free */
	DIR *folder;
};
static struct handle handles[HANDLES];

void fake_send(const void *data, size_t length)
{
	const char *at = data;

	while (length) {
		ssize_t sent = write(STDOUT_FILENO, at, length);

		if (sent <= 0)
			_exit(0);
		at += sent;
		length -= (size_t)sent;
	}
}

static void hear(void *data, size_t length)
{
	char *at = data;

	while (length) {
		ssize_t got = read(STDIN_FILENO, at, length);

		if (got <= 0)
			_exit(0);
		at += got;
		length -= (size_t)got;
	}
}

/* ---- answers ---- */

struct asked {
	enum sftp_type type;
	uint32_t id;
	struct sftp_body body;
	struct buf *answer;
};

static void begin(struct asked *asked, enum sftp_type type)
{
	sftp_request_begin(asked->answer, type, asked->id);
}

static void say_status(struct asked *asked, uint32_t status)
{
	begin(asked, SFTP_STATUS);
	sftp_add_u32(asked->answer, status);
	sftp_add_text(asked->answer, "");
	sftp_add_text(asked->answer, "");
}

/* Of a system call: 0, or -1 and errno. */
static void say_result(struct asked *asked, int result)
{
	if (!result)
		say_status(asked, SFTP_STATUS_OK);
	else if (errno == ENOENT || errno == ENOTDIR)
		say_status(asked, SFTP_STATUS_NO_SUCH_FILE);
	else if (errno == EACCES || errno == EPERM)
		say_status(asked, SFTP_STATUS_PERMISSION_DENIED);
	else
		say_status(asked, SFTP_STATUS_FAILURE);
}

static struct sftp_attributes attributes_of(const struct stat *found)
{
	return (struct sftp_attributes){
		.mask = SFTP_ATTR_SIZE | SFTP_ATTR_OWNER | SFTP_ATTR_MODE |
			SFTP_ATTR_TIMES,
		.size = (uint64_t)found->st_size,
		.uid = found->st_uid,
		.gid = found->st_gid,
		.mode = found->st_mode,
		.atime = (uint32_t)found->st_atime,
		.mtime = (uint32_t)found->st_mtime,
	};
}

static void say_stat(struct asked *asked, int result, const struct stat *found)
{
	struct sftp_attributes attributes;

	if (result) {
		say_result(asked, result);
		return;
	}
	attributes = attributes_of(found);
	begin(asked, SFTP_ATTRS);
	sftp_add_attributes(asked->answer, &attributes);
}

static void say_name(struct asked *asked, const char *name)
{
	const struct sftp_attributes none = { .mask = 0 };

	begin(asked, SFTP_NAME);
	sftp_add_u32(asked->answer, 1);
	sftp_add_text(asked->answer, name);
	sftp_add_text(asked->answer, name);
	sftp_add_attributes(asked->answer, &none);
}

/* ---- what is asked ---- */

/* "" is where sessions begin. */
static void take_path(struct asked *asked, char path[PATH_MAX])
{
	size_t length;
	const char *text = sftp_take_string(&asked->body, &length);

	snprintf(path, PATH_MAX, "%.*s", (int)length, length ? text : ".");
	if (!length)
		snprintf(path, PATH_MAX, ".");
}

static struct handle *take_handle(struct asked *asked)
{
	size_t length;
	const char *text = sftp_take_string(&asked->body, &length);
	size_t number = length == 1 ? (unsigned char)*text : HANDLES;

	if (number < HANDLES && handles[number].fd)
		return &handles[number];
	errno = EBADF;
	return NULL;
}

static void say_handle(struct asked *asked, int fd, DIR *folder)
{
	unsigned char number = 0;

	while (number < HANDLES && handles[number].fd)
		number++;
	if (fd < 0 || number == HANDLES) {
		say_result(asked, -1);
		return;
	}
	handles[number] = (struct handle){ fd, folder };
	begin(asked, SFTP_HANDLE);
	sftp_add_string(asked->answer, &number, 1);
}

/* ---- files ---- */

static void do_open(struct asked *asked)
{
	struct sftp_attributes wanted;
	char path[PATH_MAX];
	uint32_t flags;
	int how;

	take_path(asked, path);
	flags = sftp_take_u32(&asked->body);
	sftp_take_attributes(&asked->body, &wanted);
	how = flags & 2 ? (flags & 1 ? O_RDWR : O_WRONLY) : O_RDONLY;
	how |= (flags & 8 ? O_CREAT : 0) | (flags & 16 ? O_TRUNC : 0) |
	       (flags & 32 ? O_EXCL : 0) | O_CLOEXEC;
	say_handle(
		asked,
		open(path, how,
		     wanted.mask & SFTP_ATTR_MODE ? wanted.mode & 07777 : 0666),
		NULL);
}

static void do_close(struct asked *asked)
{
	struct handle *handle = take_handle(asked);

	if (handle && handle->folder)
		closedir(handle->folder);
	else if (handle)
		close(handle->fd);
	say_result(asked, handle ? 0 : -1);
	if (handle)
		*handle = (struct handle){ .fd = 0 };
}

static void do_read(struct asked *asked, struct fake *fake)
{
	static char data[DATA_MOST];
	struct handle *handle = take_handle(asked);
	uint64_t offset = sftp_take_u64(&asked->body);
	uint32_t length = sftp_take_u32(&asked->body);
	ssize_t got = -1;

	fake->asked = length;
	if (length > DATA_MOST)
		length = DATA_MOST;
	if (handle)
		got = pread(handle->fd, data, length, (off_t)offset);
	if (got > 0) {
		begin(asked, SFTP_DATA);
		sftp_add_string(asked->answer, data, (size_t)got);
	} else if (got) {
		say_result(asked, -1);
	} else {
		say_status(asked, SFTP_STATUS_EOF);
	}
}

static void do_write(struct asked *asked)
{
	struct handle *handle = take_handle(asked);
	uint64_t offset = sftp_take_u64(&asked->body);
	size_t length;
	const char *data = sftp_take_string(&asked->body, &length);
	ssize_t sent = -1;

	if (handle)
		sent = pwrite(handle->fd, data, length, (off_t)offset);
	say_result(asked, sent == (ssize_t)length ? 0 : -1);
}

/* ---- attributes ---- */

static void do_stat(struct asked *asked)
{
	struct handle *handle;
	struct stat found;
	char path[PATH_MAX];
	int result = -1;

	if (asked->type == SFTP_FSTAT) {
		handle = take_handle(asked);
		if (handle)
			result = fstat(handle->fd, &found);
	} else {
		take_path(asked, path);
		result = asked->type == SFTP_STAT ? stat(path, &found)
						  : lstat(path, &found);
	}
	say_stat(asked, result, &found);
}

static int set(const char *path, const struct sftp_attributes *wanted)
{
	const struct timespec times[2] = { { .tv_sec = wanted->atime },
					   { .tv_sec = wanted->mtime } };
	int result = 0;

	if (wanted->mask & SFTP_ATTR_SIZE)
		result = truncate(path, (off_t)wanted->size);
	if (!result && wanted->mask & SFTP_ATTR_OWNER)
		result = chown(path, wanted->uid, wanted->gid);
	if (!result && wanted->mask & SFTP_ATTR_MODE)
		result = chmod(path, wanted->mode & 07777);
	if (!result && wanted->mask & SFTP_ATTR_TIMES)
		result = utimensat(AT_FDCWD, path, times, 0);
	return result;
}

static void do_setstat(struct asked *asked)
{
	struct sftp_attributes wanted;
	char path[PATH_MAX] = "";
	struct handle *handle;

	if (asked->type == SFTP_FSETSTAT) {
		handle = take_handle(asked);
		if (handle)
			snprintf(path, sizeof(path), "/proc/self/fd/%d",
				 handle->fd);
	} else {
		take_path(asked, path);
	}
	sftp_take_attributes(&asked->body, &wanted);
	say_result(asked, set(path, &wanted));
}

/* ---- folders and names ---- */

static void do_opendir(struct asked *asked, struct fake *fake)
{
	char path[PATH_MAX];
	DIR *folder;

	take_path(asked, path);
	folder = opendir(path);
	fake->told = 0;
	say_handle(asked, folder ? dirfd(folder) : -1, folder);
}

static void do_readdir(struct asked *asked)
{
	struct handle *handle = take_handle(asked);
	const struct dirent *entry;
	struct sftp_attributes attributes;
	struct stat found;
	uint32_t count = 0;

	if (!handle || !handle->folder) {
		say_result(asked, -1);
		return;
	}
	begin(asked, SFTP_NAME);
	sftp_add_u32(asked->answer, 0);
	while (count < NAMES_MOST && (entry = readdir(handle->folder))) {
		if (fstatat(handle->fd, entry->d_name, &found,
			    AT_SYMLINK_NOFOLLOW))
			continue;
		attributes = attributes_of(&found);
		sftp_add_text(asked->answer, entry->d_name);
		sftp_add_text(asked->answer, "");
		sftp_add_attributes(asked->answer, &attributes);
		count++;
	}
	asked->answer->data[12] = (char)count;
	if (count)
		return;
	buf_clear(asked->answer);
	say_status(asked, SFTP_STATUS_EOF);
}

static void do_names(struct asked *asked)
{
	char path[PATH_MAX], to[PATH_MAX];

	take_path(asked, path);
	if (asked->type == SFTP_RENAME || asked->type == SFTP_SYMLINK)
		take_path(asked, to);
	if (asked->type == SFTP_RENAME)
		say_result(asked, (int)syscall(SYS_renameat2, AT_FDCWD, path,
					       AT_FDCWD, to, RENAME_NOREPLACE));
	else if (asked->type == SFTP_SYMLINK)
		say_result(asked, symlink(path, to));
	else if (asked->type == SFTP_REMOVE)
		say_result(asked, unlink(path));
	else if (asked->type == SFTP_MKDIR)
		say_result(asked, mkdir(path, 0777));
	else
		say_result(asked, rmdir(path));
}

static void do_where(struct asked *asked)
{
	char path[PATH_MAX], found[PATH_MAX];
	ssize_t length = -1;

	take_path(asked, path);
	if (asked->type == SFTP_READLINK) {
		length = readlink(path, found, sizeof(found) - 1);
		if (length >= 0)
			found[length] = '\0';
	} else if (realpath(path, found)) {
		length = 0;
	}
	if (length < 0)
		say_result(asked, -1);
	else
		say_name(asked, found);
}

/* ---- serving ---- */

static void serve(struct asked *asked, struct fake *fake)
{
	switch (asked->type) {
	case SFTP_INIT:
		sftp_request_begin(asked->answer, SFTP_VERSION, 3);
		break;
	case SFTP_OPEN:
		do_open(asked);
		break;
	case SFTP_CLOSE:
		do_close(asked);
		break;
	case SFTP_READ:
		do_read(asked, fake);
		break;
	case SFTP_WRITE:
		do_write(asked);
		break;
	case SFTP_LSTAT:
	case SFTP_STAT:
	case SFTP_FSTAT:
		do_stat(asked);
		break;
	case SFTP_SETSTAT:
	case SFTP_FSETSTAT:
		do_setstat(asked);
		break;
	case SFTP_OPENDIR:
		do_opendir(asked, fake);
		break;
	case SFTP_READDIR:
		do_readdir(asked);
		break;
	case SFTP_REMOVE:
	case SFTP_MKDIR:
	case SFTP_RMDIR:
	case SFTP_RENAME:
	case SFTP_SYMLINK:
		do_names(asked);
		break;
	case SFTP_REALPATH:
	case SFTP_READLINK:
		do_where(asked);
		break;
	default:
		say_status(asked, SFTP_STATUS_OP_UNSUPPORTED);
		break;
	}
	sftp_packet_end(asked->answer, 0);
}

static bool lies_about(const struct fake *fake, enum sftp_type type)
{
	if (!fake->lie || (fake->type && fake->type != (int)type) ||
	    (!fake->type && type == SFTP_INIT))
		return false;
	return !fake->once || !unlink(fake->once);
}

static void serve_next(struct fake *fake, struct buf *answer)
{
	static unsigned char packet[PACKET];
	struct sftp_body head = { .data = packet, .left = 4 };
	struct asked asked = { .answer = answer };
	size_t length;
	bool lies;

	hear(packet, 4);
	length = sftp_take_u32(&head);
	if (length < 5 || length > sizeof(packet))
		_exit(1);
	hear(packet, length);
	asked.body = (struct sftp_body){ packet + 1, length - 1, false };
	asked.type = (enum sftp_type)packet[0];
	asked.id = sftp_take_u32(&asked.body);
	lies = lies_about(fake, asked.type);
	if (lies)
		fake_lie_before(fake);
	buf_clear(answer);
	serve(&asked, fake);
	if (lies)
		fake_lie_after(fake, asked.id, answer);
	fake_send(answer->data, answer->length);
}

int fake_type(const char *name)
{
	static const char *const names[] = {
		[0] = "any",
		[SFTP_INIT] = "init",
		[SFTP_OPEN] = "open",
		[SFTP_CLOSE] = "close",
		[SFTP_READ] = "read",
		[SFTP_WRITE] = "write",
		[SFTP_LSTAT] = "lstat",
		[SFTP_FSTAT] = "fstat",
		[SFTP_SETSTAT] = "setstat",
		[SFTP_FSETSTAT] = "fsetstat",
		[SFTP_OPENDIR] = "opendir",
		[SFTP_READDIR] = "readdir",
		[SFTP_REMOVE] = "remove",
		[SFTP_MKDIR] = "mkdir",
		[SFTP_RMDIR] = "rmdir",
		[SFTP_REALPATH] = "realpath",
		[SFTP_STAT] = "stat",
		[SFTP_RENAME] = "rename",
		[SFTP_READLINK] = "readlink",
		[SFTP_SYMLINK] = "symlink",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i] && strcmp(names[i], name) == 0)
			return (int)i;
	return -1;
}

int main(int argc, char **argv)
{
	struct buf answer = BUF_INIT(16 << 20);
	struct fake fake = { .lie = NULL };

	if (argc > 2) {
		fake.lie = fake_lie_find(argv[1]);
		fake.type = fake_type(argv[2]);
		fake.once = argc > 3 ? argv[3] : NULL;
	}
	if (argc == 2 || argc > 4 ||
	    (argc > 2 && (!fake.lie || fake.type < 0))) {
		fprintf(stderr, "usage: fake_sftp [LIE TYPE [FILE]]\n");
		return 2;
	}
	for (;;)
		serve_next(&fake, &answer);
}
