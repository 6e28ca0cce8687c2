// SPDX-License-Identifier: MIT
/*
 * Extended attributes of nodes, and what this backend keeps in them.
 *
 * Called by the table, by puts and copies, and by node.c for ids.  A node is
 * named by /proc/self/fd/N: that is the only path which leads to an O_PATH
 * descriptor, symlinks and unreadable files included.  No locks.
 */
#include "config.h"

#include "backends/local/xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "backends/local/path.h"
#include "backends/local/stamp.h"
#include "src/base/cleanup.h"

const char *local_proc_path(struct local_proc_path *path, int fd)
{
	snprintf(path->text, sizeof(path->text), "/proc/self/fd/%d", fd);
	return path->text;
}

/* getxattrat(2), Linux 6.13: a quarter of the time of the way by /proc. */
#if defined(SYS_getxattrat)
#define GETXATTRAT_NUMBER SYS_getxattrat
#elif !defined(__alpha__)
#define GETXATTRAT_NUMBER 464
#endif

struct xattr_arguments {
	uint64_t value __attribute__((aligned(8)));
	uint32_t size;
	uint32_t flags;
};

static ssize_t getxattrat_call(int dir, const char *name, const char *attribute,
			       void *value, size_t size)
{
#ifdef GETXATTRAT_NUMBER
	struct xattr_arguments arguments = {
		.value = (uintptr_t)value,
		.size = (uint32_t)size,
	};

	return (ssize_t)syscall(GETXATTRAT_NUMBER, dir, name,
				AT_SYMLINK_NOFOLLOW, attribute, &arguments,
				sizeof(arguments));
#else
	errno = ENOSYS;
	return -1;
#endif
}

ssize_t local_getxattr_at(struct local *self, int dir, const char *name,
			  const char *attribute, void *value, size_t size)
{
	char path[64 + STORE_NAME_MAX];

	if (!atomic_load(&self->lacks_getxattrat)) {
		ssize_t got =
			getxattrat_call(dir, name, attribute, value, size);

		/* Some sandboxes answer EPERM for what they do not know. */
		if (got >= 0 || (errno != ENOSYS && errno != EPERM))
			return got;
		atomic_store(&self->lacks_getxattrat, true);
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	return lgetxattr(path, attribute, value, size);
}

/* The value of an attribute, malloc'd with a NUL behind it. */
static ssize_t read_value(int fd, const char *name, char **value)
{
	struct local_proc_path path;

	local_proc_path(&path, fd);
	for (int tries = 0; tries < 8; tries++) {
		ssize_t size = getxattr(path.text, name, NULL, 0);
		char *room;

		if (size < 0)
			return -1;
		room = malloc((size_t)size + 1);
		if (!room)
			return -1;
		size = getxattr(path.text, name, room, (size_t)size);
		if (size >= 0) {
			room[size] = '\0';
			*value = room;
			return size;
		}
		free(room);
		if (errno != ERANGE) /* it grew meanwhile */
			return -1;
	}
	return -1;
}

ssize_t local_xattr_names(int fd, char **names)
{
	struct local_proc_path path;

	local_proc_path(&path, fd);
	for (int tries = 0; tries < 8; tries++) {
		ssize_t size = listxattr(path.text, NULL, 0);
		char *room;

		if (size < 0)
			return -1;
		room = malloc((size_t)size + 1);
		if (!room)
			return -1;
		size = size ? listxattr(path.text, room, (size_t)size) : 0;
		if (size >= 0) {
			*names = room;
			return size;
		}
		free(room);
		if (errno != ERANGE)
			return -1;
	}
	return -1;
}

bool local_xattrs_work(int dir)
{
	struct local_proc_path path;
	char value;

	return getxattr(local_proc_path(&path, dir), LOCAL_XATTR_ID, &value,
			1) >= 0 ||
	       (errno != EOPNOTSUPP && errno != ENOSYS && errno != ENOENT);
}

static bool is_ours(const char *name)
{
	return strncmp(name, LOCAL_XATTR_PREFIX,
		       sizeof(LOCAL_XATTR_PREFIX) - 1) == 0;
}

/* ---- details of a stat ---- */

static int fill_target(int fd, struct store_details *details,
		       struct store_error *error)
{
	char target[4096]; /* PATH_MAX: the kernel keeps no longer ones */
	ssize_t length = readlinkat(fd, "", target, sizeof(target) - 1);

	if (length < 0)
		return store_error_errno(error, errno, "read the symlink");
	target[length] = '\0';
	details->target = strdup(target);
	if (!details->target)
		return store_error_errno(error, ENOMEM, "read the symlink");
	return STORE_OK;
}

static int fill_one(int fd, const char *name, struct store_details *details)
{
	const size_t prefix = sizeof(LOCAL_XATTR_META) - 1;
	bool is_type = strcmp(name, LOCAL_XATTR_TYPE) == 0;
	CLEANUP_FREE char *value = NULL;

	if (!is_type && strncmp(name, LOCAL_XATTR_META, prefix) != 0)
		return 0;
	if (read_value(fd, name, &value) < 0)
		return errno == ENODATA ? 0 : -1; /* removed meanwhile */
	if (is_type) {
		free(details->content_type);
		details->content_type = steal_pointer(&value);
		return 0;
	}
	if (store_metadata_add(&details->metadata, name + prefix, value)) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

int local_fill_details(const struct local *self, int fd,
		       const struct local_stat *st,
		       struct store_details *details, struct store_error *error)
{
	CLEANUP_FREE char *names = NULL;
	ssize_t size;

	if (S_ISLNK(st->mode))
		return fill_target(fd, details, error);
	if (!S_ISREG(st->mode))
		return STORE_OK;
	size = local_xattr_names(fd, &names);
	if (size < 0 && errno != EOPNOTSUPP && errno != ENOENT)
		return store_error_errno(error, errno, "read the metadata");
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
		bool stamp = strcmp(names + at, LOCAL_XATTR_PUBLISH) == 0;

		if (stamp ? local_stamp_tell(self, fd, st, details)
			  : fill_one(fd, names + at, details))
			return store_error_errno(error, errno,
						 "read the metadata");
	}
	return STORE_OK;
}

/* ---- puts ---- */

/* Attributes that vouch for content they no longer belong to. */
static const char *const bound_to_content[] = {
	"security.capability",
	"security.ima",
	"security.evm",
};

static bool stays_behind(const char *name,
			 const struct backend_put_request *request)
{
	const size_t count =
		sizeof(bound_to_content) / sizeof(bound_to_content[0]);

	for (size_t i = 0; i < count; i++)
		if (strcmp(name, bound_to_content[i]) == 0)
			return true;
	if (strcmp(name, LOCAL_XATTR_ID) == 0 ||
	    strcmp(name, LOCAL_XATTR_PUBLISH) == 0)
		return true;
	if (request && request->content_type &&
	    strcmp(name, LOCAL_XATTR_TYPE) == 0)
		return true;
	return request && request->metadata &&
	       strncmp(name, LOCAL_XATTR_META, sizeof(LOCAL_XATTR_META) - 1) ==
		       0;
}

static int carry_one(int from, int to, const char *name)
{
	CLEANUP_FREE char *value = NULL;
	ssize_t size = read_value(from, name, &value);

	if (size < 0)
		return errno == ENODATA ? 0 : -1;
	if (fsetxattr(to, name, value, (size_t)size, 0) == 0)
		return 0;
	/* Labels and the like belong to the system, not to the user. */
	if (strncmp(name, "user.", 5) != 0 &&
	    (errno == EPERM || errno == EACCES || errno == EOPNOTSUPP))
		return 0;
	return -1;
}

int local_carry_xattrs(int from, int to,
		       const struct backend_put_request *request)
{
	CLEANUP_FREE char *names = NULL;
	ssize_t size = local_xattr_names(from, &names);

	if (size < 0)
		return errno == EOPNOTSUPP || errno == ENOENT ? 0 : -1;
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1)
		if (!stays_behind(names + at, request) &&
		    carry_one(from, to, names + at))
			return -1;
	return 0;
}

static int apply_metadata(int fd, const struct store_metadata *metadata)
{
	char name[256]; /* XATTR_NAME_MAX and its NUL */

	for (size_t i = 0; i < metadata->count; i++) {
		const struct store_metadata_pair *pair = &metadata->pairs[i];
		int length = snprintf(name, sizeof(name), "%s%s",
				      LOCAL_XATTR_META, pair->name);

		if (length < 0 || (size_t)length >= sizeof(name)) {
			errno = ENAMETOOLONG;
			return -1;
		}
		if (fsetxattr(fd, name, pair->value, strlen(pair->value), 0))
			return -1;
	}
	return 0;
}

int local_apply_xattrs(int fd, const struct backend_put_request *request)
{
	const char *type = request->content_type;

	if (request->metadata && apply_metadata(fd, request->metadata))
		return -1;
	if (type && fsetxattr(fd, LOCAL_XATTR_TYPE, type, strlen(type), 0) &&
	    errno != EOPNOTSUPP)
		return -1;
	for (size_t i = 0; i < request->xattr_count; i++) {
		const struct store_xattr *xattr = &request->xattrs[i];

		if (is_ours(xattr->name)) {
			errno = EPERM;
			return -1;
		}
		if (fsetxattr(fd, xattr->name, xattr->value, xattr->size, 0))
			return -1;
	}
	return 0;
}

int local_replace_xattrs(int fd, const struct backend_put_request *request)
{
	CLEANUP_FREE char *names = NULL;
	ssize_t size = 0;

	if (request->metadata)
		size = local_xattr_names(fd, &names);
	for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1)
		if (strncmp(names + at, LOCAL_XATTR_META,
			    sizeof(LOCAL_XATTR_META) - 1) == 0 &&
		    fremovexattr(fd, names + at) && errno != ENODATA)
			return -1;
	return local_apply_xattrs(fd, request);
}

/* ---- the table ---- */

int local_get_xattr(void *self, struct store_context *context, const char *key,
		    const char *name, void **value, size_t *size,
		    struct store_error *error)
{
	CLEANUP_FD int fd = -1;
	char *got = NULL;
	ssize_t length;
	int code = store_context_check(context, error);

	if (!code)
		code = local_open_key(self, key, O_PATH, &fd, error);
	if (code)
		return code;
	if (is_ours(name))
		return local_fail(error, ENODATA, "read an attribute");
	length = read_value(fd, name, &got);
	if (length < 0)
		return local_fail(error, errno, "read an attribute");
	*value = got;
	*size = (size_t)length;
	return STORE_OK;
}

/* Close the gaps that our own names leave. */
static size_t without_ours(char *names, size_t size)
{
	size_t kept = 0;

	for (size_t at = 0; at < size;) {
		size_t length = strlen(names + at) + 1;

		if (!is_ours(names + at)) {
			memmove(names + kept, names + at, length);
			kept += length;
		}
		at += length;
	}
	return kept;
}

int local_list_xattrs(void *self, struct store_context *context,
		      const char *key, char **names, size_t *size,
		      struct store_error *error)
{
	CLEANUP_FD int fd = -1;
	char *got = NULL;
	ssize_t length;
	int code = store_context_check(context, error);

	if (!code)
		code = local_open_key(self, key, O_PATH, &fd, error);
	if (code)
		return code;
	length = local_xattr_names(fd, &got);
	if (length < 0)
		return local_fail(error, errno, "list the attributes");
	*size = without_ours(got, (size_t)length);
	*names = got;
	return STORE_OK;
}

int local_set_xattr(void *self, struct store_context *context, const char *key,
		    const struct store_xattr *xattr, int xattr_flags,
		    struct store_error *error)
{
	CLEANUP_FD int fd = -1;
	struct local_proc_path path;
	int code = store_context_check(context, error);

	if (!code)
		code = local_open_key(self, key, O_PATH, &fd, error);
	if (code)
		return code;
	if (is_ours(xattr->name))
		return local_fail(error, EPERM, "set an attribute");
	if (setxattr(local_proc_path(&path, fd), xattr->name, xattr->value,
		     xattr->size, xattr_flags))
		return local_fail(error, errno, "set an attribute");
	return STORE_OK;
}

int local_remove_xattr(void *self, struct store_context *context,
		       const char *key, const char *name,
		       struct store_error *error)
{
	CLEANUP_FD int fd = -1;
	struct local_proc_path path;
	int code = store_context_check(context, error);

	if (!code)
		code = local_open_key(self, key, O_PATH, &fd, error);
	if (code)
		return code;
	if (is_ours(name))
		return local_fail(error, EPERM, "remove an attribute");
	if (removexattr(local_proc_path(&path, fd), name))
		return local_fail(error, errno, "remove an attribute");
	return STORE_OK;
}
