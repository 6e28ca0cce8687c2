// SPDX-License-Identifier: MIT
/*
 * Finding and reading the configuration file: see file.h.  Called by
 * registry.c.  The mode is asked of the descriptor that is read, so that it
 * is the mode of these bytes.
 */
#include "config.h"

#include "src/config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/secret.h"
#include "src/config/environment.h"

#define SYSTEM_FILE "/etc/storefs/storefs.ini"
#define USER_FILE "storefs/storefs.ini"

static int no_memory(struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY, "configuration: %s",
			       store_code_text(STORE_NO_MEMORY));
}

/* The user's file; NULL without a home, which is no error. */
static int user_path(char **path, struct store_error *error)
{
	const char *base = environment_get("XDG_CONFIG_HOME");
	const char *below = "/" USER_FILE;
	struct buf text CLEANUP_BUF = BUF_INIT(64 * 1024);

	*path = NULL;
	/* The XDG specification has relative values ignored. */
	if (!base || *base != '/') {
		base = environment_get("HOME");
		below = "/.config/" USER_FILE;
	}
	if (!base || *base != '/')
		return STORE_OK;
	buf_addf(&text, "%s%s", base, below);
	*path = buf_steal(&text);
	return *path ? STORE_OK : no_memory(error);
}

/* Grow as it comes: the size of a pipe is not known. */
static int read_all(int fd, struct config_bytes *bytes,
		    struct store_error *error)
{
	/* One byte more tells a file that is too large; one is for the NUL. */
	const size_t room = CONFIG_FILE_MAX + 2;

	bytes->data = malloc(room);
	if (!bytes->data)
		return no_memory(error);
	for (;;) {
		ssize_t got = read(fd, bytes->data + bytes->size,
				   room - 1 - bytes->size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return store_error_errno(error, errno, "%s",
						 bytes->path);
		if (!got)
			break;
		bytes->size += (size_t)got;
		if (bytes->size > CONFIG_FILE_MAX)
			return store_error_set(
				error, STORE_INVALID,
				"%s: a configuration file has at most %d bytes",
				bytes->path, CONFIG_FILE_MAX);
	}
	bytes->data[bytes->size] = '\0';
	return STORE_OK;
}

static int read_fd(int fd, struct config_bytes *bytes,
		   struct store_error *error)
{
	struct stat info;

	if (fstat(fd, &info))
		return store_error_errno(error, errno, "%s", bytes->path);
	if (S_ISDIR(info.st_mode))
		return store_error_set(error, STORE_INVALID,
				       "%s: is a folder, not a configuration "
				       "file",
				       bytes->path);
	bytes->shared =
		S_ISREG(info.st_mode) && info.st_mode & (S_IRGRP | S_IROTH);
	return read_all(fd, bytes, error);
}

/* *found is false when the file is missing and may be. */
static int try_file(const char *path, bool optional, struct config_bytes *bytes,
		    bool *found, struct store_error *error)
{
	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*found = fd >= 0;
	if (fd < 0 && optional && (errno == ENOENT || errno == ENOTDIR))
		return STORE_OK;
	if (fd < 0)
		return store_error_errno(error, errno, "configuration file %s",
					 path);
	bytes->path = strdup(path);
	if (!bytes->path)
		return no_memory(error);
	return read_fd(fd, bytes, error);
}

static int search(struct config_bytes *bytes, struct store_error *error)
{
	char *user CLEANUP_FREE = NULL;
	bool found = false;
	int code = user_path(&user, error);

	if (code)
		return code;
	if (user)
		code = try_file(user, true, bytes, &found, error);
	if (!code && !found)
		code = try_file(SYSTEM_FILE, true, bytes, &found, error);
	return code;
}

int config_bytes_read(const char *path, struct config_bytes *bytes,
		      struct store_error *error)
{
	struct config_bytes result = { 0 };
	bool found;
	int code;

	if (!path) {
		path = environment_get("STOREFS_CONFIG");
		if (path && !*path)
			path = NULL;
	}
	code = path ? try_file(path, false, &result, &found, error)
		    : search(&result, error);
	if (code) {
		config_bytes_release(&result);
		return code;
	}
	*bytes = result;
	return STORE_OK;
}

void config_bytes_release(struct config_bytes *bytes)
{
	if (bytes->data)
		secret_wipe(bytes->data, bytes->size);
	free(bytes->data);
	free(bytes->path);
	*bytes = (struct config_bytes){ 0 };
}
