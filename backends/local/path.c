// SPDX-License-Identifier: MIT
/*
 * From keys to descriptors, never leaving the root.
 *
 * Called by every operation; calls the kernel only.  openat2() resolves a
 * whole path below the root's descriptor and refuses every symlink in it;
 * where it is missing (before Linux 5.6, some sandboxes) the path is walked
 * one component at a time with O_NOFOLLOW, which comes to the same.
 *
 * The root's descriptor is opened once.  A root that was removed and made
 * anew under its name is noticed when something is not found, and dup'ed
 * over the old descriptor, so that its number never changes under a thread
 * that is using it.
 */
#include "config.h"

#include "backends/local/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#ifdef HAVE_LINUX_OPENAT2_H
#include <linux/openat2.h>
#endif

#include "src/base/cleanup.h"
#include "src/base/clock.h"

/* ---- errors ---- */

int local_fail(struct store_error *error, int errnum, const char *verb)
{
	return store_error_errno(error, errnum, "%s", verb);
}

int local_fail_source(struct store_error *error, int errnum, const char *verb)
{
	/* A symlink among the parents is no folder either. */
	if (errnum != ENOTDIR && errnum != ELOOP)
		return local_fail(error, errnum, verb);
	store_error_errno(error, ENOTDIR, "%s", verb);
	if (error)
		error->code = STORE_NOT_FOUND;
	return STORE_NOT_FOUND;
}

int local_fail_target(struct store_error *error, int errnum, const char *verb)
{
	if (errnum == ELOOP)
		errnum = ENOTDIR;
	return local_fail(error, errnum, verb);
}

/* ---- hidden names ---- */

bool local_name_is_hidden(const char *name)
{
	return strncmp(name, LOCAL_HIDDEN_PREFIX,
		       sizeof(LOCAL_HIDDEN_PREFIX) - 1) == 0;
}

int local_check_key(const char *key, struct store_error *error)
{
	for (const char *at = key; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (local_name_is_hidden(at))
			return store_error_set(
				error, STORE_INVALID,
				"names that start with %s are reserved",
				LOCAL_HIDDEN_PREFIX);
	}
	return STORE_OK;
}

/* ---- below the root ---- */

#ifdef HAVE_LINUX_OPENAT2_H
static int openat2_below(int root, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)flags,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_SYMLINKS,
	};
	long fd;

	/* EAGAIN: something above was renamed during the walk. */
	do
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	return (int)fd;
}
#else
static int openat2_below(int root, const char *path, int flags)
{
	(void)root;
	(void)path;
	(void)flags;
	errno = ENOSYS;
	return -1;
}
#endif

bool local_openat2_works(void)
{
	CLEANUP_FD int top =
		open("/", O_PATH | O_DIRECTORY | O_CLOEXEC); /* any folder */
	CLEANUP_FD int fd =
		openat2_below(top, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0;
}

/* Cut the first component off *path; the length of none is 0. */
static size_t next_component(const char **path, char name[STORE_NAME_MAX + 1])
{
	const char *end = strchrnul(*path, '/');
	size_t length = (size_t)(end - *path);

	if (length > STORE_NAME_MAX) {
		errno = ENAMETOOLONG;
		return 0;
	}
	memcpy(name, *path, length);
	name[length] = '\0';
	*path = *end ? end + 1 : end;
	return length;
}

static int walk_below(int root, const char *path, int flags)
{
	CLEANUP_FD int at = openat(root, ".", O_PATH | O_CLOEXEC);
	char name[STORE_NAME_MAX + 1];

	while (at >= 0) {
		int next;

		if (!next_component(&path, name))
			return -1;
		if (!*path)
			return openat(at, name, flags);
		next = openat(at, name,
			      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = next;
	}
	return -1;
}

static int open_below(struct local *self, const char *path, int flags)
{
	int root = atomic_load(&self->root_fd);

	flags |= O_CLOEXEC | O_NOFOLLOW;
	if (root < 0) {
		errno = ENOENT;
		return -1;
	}
	if (self->has_openat2)
		return openat2_below(root, *path ? path : ".", flags);
	return walk_below(root, *path ? path : ".", flags);
}

static int root_take_locked(struct local *self, int fd) REQUIRES(self->lock)
{
	int old = atomic_load(&self->root_fd);
	int kept;

	if (old < 0) {
		atomic_store(&self->root_fd, fd);
		return 0;
	}
	kept = dup3(fd, old, O_CLOEXEC);
	close(fd);
	return kept < 0 ? -1 : 0;
}

int local_root_open(struct local *self)
{
	int fd = open(self->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	int code;

	if (fd < 0 && errno == EACCES)
		fd = open(self->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	if (fstat(fd, &st)) {
		close(fd);
		return -1;
	}
	atomic_store(&self->root_device, (unsigned int)st.st_dev);
	lock_take(&self->lock);
	code = root_take_locked(self, fd);
	lock_drop(&self->lock);
	return code;
}

static bool root_is_gone(const struct local *self)
{
	int root = atomic_load(&self->root_fd);
	struct stat st;

	return root < 0 || (fstat(root, &st) == 0 && st.st_nlink == 0);
}

int local_root_check(struct local *self)
{
	return root_is_gone(self) ? local_root_open(self) : 0;
}

int local_open_path(struct local *self, const char *path, int flags)
{
	int fd = open_below(self, path, flags);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	/* Is it the root itself that was missing?  Then try again. */
	if (!root_is_gone(self) || local_root_open(self)) {
		errno = ENOENT;
		return -1;
	}
	return open_below(self, path, flags);
}

int local_open_key(struct local *self, const char *key, int flags, int *fd,
		   struct store_error *error)
{
	int code = local_check_key(key, error);

	if (code)
		return code;
	*fd = local_open_path(self, key, flags);
	if (*fd < 0)
		return local_fail_source(error, errno, "open");
	return STORE_OK;
}

/* ---- places ---- */

/* The length of the parent's path; the name goes into the place. */
static int split_key(const char *key, struct local_place *place,
		     char parent[STORE_KEY_MAX + 1])
{
	const char *slash = strrchr(key, '/');
	const char *name = slash ? slash + 1 : key;
	size_t length = slash ? (size_t)(slash - key) : 0;

	if (strlen(name) > STORE_NAME_MAX || length > STORE_KEY_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(parent, key, length);
	parent[length] = '\0';
	memcpy(place->name, name, strlen(name) + 1);
	return 0;
}

static int place_open(struct local *self, const char *parent,
		      struct local_place *place)
{
	place->bare = false;
	place->dir = local_open_path(self, parent, O_RDONLY | O_DIRECTORY);
	if (place->dir >= 0 || errno != EACCES)
		return place->dir < 0 ? -1 : 0;
	place->bare = true;
	place->dir = local_open_path(self, parent, O_PATH | O_DIRECTORY);
	return place->dir < 0 ? -1 : 0;
}

int local_place_find(struct local *self, const char *key,
		     struct local_place *place, struct store_error *error)
{
	char parent[STORE_KEY_MAX + 1];
	int code = local_check_key(key, error);

	if (code)
		return code;
	if (split_key(key, place, parent) || place_open(self, parent, place))
		return local_fail_source(error, errno, "find");
	return STORE_OK;
}

int local_root_make(struct local *self)
{
	CLEANUP_FREE char *path = strdup(self->root);

	if (!path) {
		errno = ENOMEM;
		return -1;
	}
	for (char *at = path + 1; *at; at++) {
		if (*at != '/')
			continue;
		*at = '\0';
		if (mkdir(path, 0777) && errno != EEXIST)
			return -1;
		*at = '/';
	}
	if (mkdir(path, 0777) && errno != EEXIST)
		return -1;
	return local_root_open(self);
}

/* One step down, making the folder when it is missing. */
static int step_down(const struct local *self, int at, const char *name,
		     unsigned int *made)
{
	int flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int next = openat(at, name, O_RDONLY | flags);

	if (next < 0 && errno == EACCES)
		next = openat(at, name, O_PATH | flags);
	if (next >= 0 || errno != ENOENT)
		return next;
	if (mkdirat(at, name, 0777) == 0) {
		++*made;
		if (self->sync_data && fsync(at) && errno != EBADF)
			return -1;
	} else if (errno != EEXIST) {
		return -1;
	}
	next = openat(at, name, O_RDONLY | flags);
	if (next < 0 && errno == EACCES)
		next = openat(at, name, O_PATH | flags);
	return next;
}

static int make_parents(struct local *self, const char *path,
			unsigned int *made)
{
	CLEANUP_FD int at = -1;
	char name[STORE_NAME_MAX + 1];

	if (atomic_load(&self->root_fd) < 0 && local_root_make(self))
		return -1;
	at = local_open_path(self, "", O_PATH | O_DIRECTORY);
	if (at < 0 && errno == ENOENT && local_root_make(self) == 0)
		at = local_open_path(self, "", O_PATH | O_DIRECTORY);
	while (at >= 0 && *path) {
		int next;

		if (!next_component(&path, name))
			return -1;
		next = step_down(self, at, name, made);
		close(at);
		at = next;
	}
	return at < 0 ? -1 : 0;
}

int local_place_make(struct local *self, const char *key,
		     struct local_place *place, struct store_error *error)
{
	char parent[STORE_KEY_MAX + 1];
	int code = local_check_key(key, error);
	int tries = 3; /* another writer may undo its parents meanwhile */

	if (code)
		return code;
	if (split_key(key, place, parent))
		return local_fail_target(error, errno, "find");
	while (place_open(self, parent, place) ||
	       (!*parent && root_is_gone(self))) {
		if (place->dir >= 0) {
			local_place_release(place);
			errno = ENOENT;
		}
		if (errno != ENOENT || tries-- == 0)
			return local_fail_target(error, errno, "find");
		if (root_is_gone(self) && local_root_make(self))
			return local_fail_target(error, errno, "make");
		if (make_parents(self, parent, &place->made) && errno != ENOENT)
			return local_fail_target(error, errno,
						 "make the parents");
	}
	return STORE_OK;
}

void local_place_undo(struct local *self, const char *key,
		      const struct local_place *place)
{
	char path[STORE_KEY_MAX + 1];
	size_t length = strlen(key);

	if (!place->made || length > STORE_KEY_MAX)
		return;
	memcpy(path, key, length + 1);
	for (unsigned int left = place->made; left;) {
		struct local_place above = LOCAL_PLACE_INIT;
		char *slash = strrchr(path, '/');
		int failed;

		if (!slash)
			return;
		*slash = '\0';
		if (local_place_find(self, path, &above, NULL))
			continue; /* it was not reached */
		failed = unlinkat(above.dir, above.name, AT_REMOVEDIR);
		local_place_release(&above);
		if (failed && errno != ENOENT)
			return;
		left -= !failed;
	}
}

void local_place_release(struct local_place *place)
{
	int saved = errno;

	if (place->dir >= 0)
		close(place->dir);
	place->dir = -1;
	errno = saved;
}

bool local_place_is_gone(const struct local_place *place)
{
	struct stat st;

	return fstat(place->dir, &st) == 0 && st.st_nlink == 0;
}

int local_place_sync(const struct local *self, const struct local_place *place)
{
	if (!self->sync_data || place->bare)
		return 0;
	/* Some network and FUSE file systems have no fsync of folders. */
	if (fsync(place->dir) && errno != EINVAL && errno != EOPNOTSUPP)
		return -1;
	return 0;
}

/* ---- locks ---- */

static bool lock_is_missing(int errnum)
{
	return errnum == EBADF || errnum == ENOLCK || errnum == EOPNOTSUPP ||
	       errnum == EINVAL || errnum == ENOSYS;
}

int local_lock(struct local *self, struct store_context *context, int fd,
	       struct store_error *error)
{
	const int64_t longest = 4 * NS_PER_MS;
	int64_t end = clock_monotonic_ns() + 60 * NS_PER_SEC;
	int64_t pause = 20000;

	if (atomic_load(&self->lacks_locks))
		return STORE_OK;
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		int code;

		if (lock_is_missing(errno))
			return STORE_OK;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return store_error_errno(error, errno,
						 "lock the folder");
		if (clock_monotonic_ns() > end)
			return store_error_set(
				error, STORE_LOCKED,
				"the folder is locked by another program");
		code = store_context_sleep(context, pause, error);
		if (code)
			return code;
		pause = pause * 2 > longest ? longest : pause * 2;
	}
	return STORE_OK;
}

void local_unlock(int fd)
{
	int saved = errno;

	/* Closing the descriptor releases it as well. */
	flock(fd, LOCK_UN);
	errno = saved;
}
