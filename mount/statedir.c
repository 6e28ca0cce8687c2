// SPDX-License-Identifier: MIT
/*
 * Staging directories; see statedir.h.  Called by session.c and offline.c;
 * calls only the local disk.
 */
#include "config.h"

#include "mount/statedir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/crypto.h"
#include "src/control/client.h"
#include <storefs/context.h>

enum { PATH_LENGTH_MAX = 4096, HASH_LENGTH = 16, IDENTITY_MAX = 16384 };

/* ---- where ---- */

static int base_folder(struct buf *path, struct store_error *error)
{
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (geteuid() == 0)
		buf_add_text(path, "/var/lib/storefs");
	else if (state && *state == '/')
		buf_addf(path, "%s/storefs", state);
	else if (home && *home == '/')
		buf_addf(path, "%s/.local/state/storefs", home);
	else
		return store_error_set(error, STORE_INVALID,
				       "no place for the staging directory: "
				       "set HOME, or give staging_dir=");
	return buf_error(path, "staging directory", error);
}

static int identity_text(const char *identity, const char *mountpoint,
			 char **text, struct store_error *error)
{
	struct buf made = BUF_INIT(IDENTITY_MAX);
	int code;

	buf_addf(&made, "storefs 1\nstore %s\nmountpoint %s\n", identity,
		 mountpoint);
	code = buf_error(&made, "identity", error);
	if (!code)
		*text = buf_steal(&made);
	buf_release(&made);
	return code;
}

static int hash_text(const char *text, char hex[DIGEST_HEX_MAX],
		     struct store_error *error)
{
	struct digest *digest = NULL;
	int code = digest_new("sha256", &digest, error);

	if (!code)
		code = digest_update(digest, text, strlen(text), error);
	if (!code)
		code = digest_finish(digest, hex, error);
	digest_free(digest);
	return code;
}

int statedir_path(const struct mount_options *options, const char *identity,
		  const char *mountpoint, char **path,
		  struct store_error *error)
{
	CLEANUP_BUF struct buf made = BUF_INIT(PATH_LENGTH_MAX);
	CLEANUP_FREE char *text = NULL;
	char hex[DIGEST_HEX_MAX];
	int code;

	if (options->staging_dir) {
		*path = strdup(options->staging_dir);
		return *path ? STORE_OK
			     : store_error_set(error, STORE_NO_MEMORY,
					       "no memory for a path");
	}
	code = identity_text(identity, mountpoint, &text, error);
	if (!code)
		code = hash_text(text, hex, error);
	if (!code)
		code = base_folder(&made, error);
	if (code)
		return code;
	buf_addf(&made, "/%.*s", HASH_LENGTH, hex);
	code = buf_error(&made, "staging directory", error);
	if (!code)
		*path = buf_steal(&made);
	return code;
}

/* ---- making and checking ---- */

static int make_parents(char *path, struct store_error *error)
{
	for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
		int failed;

		*slash = '\0';
		failed = mkdir(path, 0700) && errno != EEXIST;
		*slash = '/';
		if (failed)
			return store_error_errno(error, errno,
						 "staging directory %s", path);
	}
	return STORE_OK;
}

/* Is it one of ours already, or empty? */
static bool may_be_taken(int fd)
{
	int again;
	const struct dirent *entry;
	bool taken = true;
	DIR *listing;

	if (!faccessat(fd, "identity", F_OK, 0))
		return true;
	again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	listing = again < 0 ? NULL : fdopendir(again);
	while (listing && taken && (entry = readdir(listing)))
		taken = !strcmp(entry->d_name, ".") ||
			!strcmp(entry->d_name, "..") ||
			!strcmp(entry->d_name, "lock");
	if (listing)
		closedir(listing);
	return listing && taken;
}

static int check_folder(struct statedir *dir, bool made,
			struct store_error *error)
{
	struct stat found;

	if (fstat(dir->fd, &found))
		return store_error_errno(error, errno, "staging directory %s",
					 dir->path);
	if (found.st_uid != geteuid())
		return store_error_set(error, STORE_DENIED,
				       "staging directory %s belongs to "
				       "somebody else",
				       dir->path);
	if (!made && !may_be_taken(dir->fd))
		return store_error_set(error, STORE_INVALID,
				       "staging directory %s holds other "
				       "files: choose an empty or a new one",
				       dir->path);
	if ((found.st_mode & 077) && fchmod(dir->fd, 0700))
		return store_error_errno(error, errno, "staging directory %s",
					 dir->path);
	return STORE_OK;
}

static int open_folder(struct statedir *dir, struct store_error *error)
{
	bool made;
	int code = make_parents(dir->path, error);

	if (code)
		return code;
	made = !mkdir(dir->path, 0700);
	if (!made && errno != EEXIST)
		return store_error_errno(error, errno, "staging directory %s",
					 dir->path);
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0)
		return store_error_errno(error, errno, "staging directory %s",
					 dir->path);
	return check_folder(dir, made, error);
}

/*
 * The lock of the same mount's last driver goes when it has finished what
 * it does after an unmount; that is worth a moment.  Others' is not.
 */
#define LOCK_WAIT_NS (10 * NS_PER_SEC)
#define LOCK_AGAIN_NS (50 * NS_PER_MS)

static bool take_lock(const struct statedir *dir, bool same)
{
	int64_t until = clock_monotonic_ns() + (same ? LOCK_WAIT_NS : 0);
	struct store_context context;

	store_context_init(&context, 0, NULL);
	while (flock(dir->lock_fd, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK || clock_monotonic_ns() >= until ||
		    store_context_sleep(&context, LOCK_AGAIN_NS, NULL))
			return false;
	}
	return true;
}

static int tell_holder(const struct statedir *dir, struct store_error *error)
{
	char holder[32];
	int length = snprintf(holder, sizeof(holder), "%ld\n", (long)getpid());

	if (ftruncate(dir->lock_fd, 0) ||
	    pwrite(dir->lock_fd, holder, (size_t)length, 0) != length)
		return store_error_errno(error, errno, "%s/lock", dir->path);
	return STORE_OK;
}

static int lock_folder(struct statedir *dir, bool same,
		       struct store_error *error)
{
	char holder[32] = "";

	if (dir->lock_fd < 0)
		dir->lock_fd =
			openat(dir->fd, "lock",
			       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (dir->lock_fd < 0)
		return store_error_errno(error, errno, "%s/lock", dir->path);
	if (take_lock(dir, same))
		return STORE_OK;
	if (errno != EWOULDBLOCK)
		return store_error_errno(error, errno, "%s/lock", dir->path);
	if (pread(dir->lock_fd, holder, sizeof(holder) - 1, 0) > 0)
		holder[strcspn(holder, "\n")] = '\0';
	return store_error_set(error, STORE_LOCKED,
			       "staging directory %s is used by "
			       "another mount (process %s)",
			       dir->path, *holder ? holder : "?");
}

/* What the identity file says; "" when there is none. */
static int read_identity(const struct statedir *dir, char **text,
			 struct store_error *error)
{
	CLEANUP_FREE char *known = calloc(1, IDENTITY_MAX + 1);
	CLEANUP_FD int fd = openat(dir->fd, "identity", O_RDONLY | O_CLOEXEC);

	if (!known)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for an identity");
	if ((fd < 0 && errno != ENOENT) ||
	    (fd >= 0 && read(fd, known, IDENTITY_MAX) < 0))
		return store_error_errno(error, errno, "%s/identity",
					 dir->path);
	*text = steal_pointer(&known);
	return STORE_OK;
}

static int write_identity(const struct statedir *dir, const char *text,
			  struct store_error *error)
{
	CLEANUP_FD int fd =
		openat(dir->fd, "identity.new",
		       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t length = strlen(text);

	if (fd < 0 || write(fd, text, length) != (ssize_t)length || fsync(fd) ||
	    renameat(dir->fd, "identity.new", dir->fd, "identity") ||
	    fsync(dir->fd))
		return store_error_errno(error, errno, "%s/identity",
					 dir->path);
	return STORE_OK;
}

/* Written once; a directory that has served another mount is refused. */
static int lock_as(struct statedir *dir, const char *text,
		   struct store_error *error)
{
	CLEANUP_FREE char *known = NULL;
	int code = read_identity(dir, &known, error);

	if (!code)
		code = lock_folder(dir, !strcmp(known, text), error);
	if (!code)
		code = tell_holder(dir, error);
	if (code || !strcmp(known, text))
		return code;
	if (!*known)
		return write_identity(dir, text, error);
	return store_error_set(error, STORE_INVALID,
			       "staging directory %s belongs to another "
			       "mount; its identity file tells which",
			       dir->path);
}

static int check_file_system(const struct statedir *dir,
			     const struct mount_options *options,
			     struct store_error *error)
{
	struct statfs found;

	if (options->commit != COMMIT_BACKGROUND || options->staging_volatile)
		return STORE_OK;
	if (fstatfs(dir->fd, &found))
		return store_error_errno(error, errno, "%s", dir->path);
	if (found.f_type != TMPFS_MAGIC)
		return STORE_OK;
	return store_error_set(error, STORE_INVALID,
			       "staging directory %s is on a tmpfs, which a "
			       "reboot empties: choose another, or give "
			       "staging_volatile",
			       dir->path);
}

static int limit_size(struct statedir *dir, const struct mount_options *options,
		      struct store_error *error)
{
	struct statvfs found;

	dir->size_limit = options->staging_size;
	if (!options->staging_percent)
		return STORE_OK;
	if (fstatvfs(dir->fd, &found))
		return store_error_errno(error, errno, "%s", dir->path);
	dir->size_limit = (uint64_t)found.f_blocks * found.f_frsize / 100 *
			  options->staging_size;
	dir->file_limit = (uint64_t)found.f_files * options->staging_size / 100;
	return STORE_OK;
}

int statedir_open(const struct mount_options *options, const char *identity,
		  const char *mountpoint, struct statedir *dir,
		  struct store_error *error)
{
	CLEANUP_FREE char *text = NULL;
	int code;

	*dir = (struct statedir){ .fd = -1, .lock_fd = -1 };
	code = identity_text(identity, mountpoint, &text, error);
	if (!code)
		code = statedir_path(options, identity, mountpoint, &dir->path,
				     error);
	if (!code)
		code = open_folder(dir, error);
	if (!code)
		code = check_file_system(dir, options, error);
	if (!code)
		code = lock_as(dir, text, error);
	if (!code)
		code = limit_size(dir, options, error);
	if (code) {
		statedir_close(dir);
		return code;
	}
	return STORE_OK;
}

/* ---- without a mount ---- */

static bool mount_answers(const struct statedir *dir)
{
	CLEANUP_BUF struct buf path = BUF_INIT(PATH_LENGTH_MAX);
	struct client *client = NULL;
	bool answers;

	buf_addf(&path, "%s/control", dir->path);
	answers = !path.failed && !client_open(buf_text(&path), &client, NULL);
	client_close(client);
	return answers;
}

static int adopt_folder(struct statedir *dir, struct store_error *error)
{
	struct stat found;
	bool writable = false;
	int code;

	if (!dir->path)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a path");
	dir->fd = open(dir->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir->fd < 0 || fstat(dir->fd, &found))
		return store_error_errno(error, errno, "staging directory %s",
					 dir->path);
	if (faccessat(dir->fd, "identity", F_OK, 0))
		return store_error_set(error, STORE_NOT_FOUND,
				       "%s: no staging directory", dir->path);
	if (found.st_uid != geteuid())
		return store_error_set(error, STORE_DENIED,
				       "staging directory %s belongs to "
				       "somebody else",
				       dir->path);
	/* What is on a disk that went read only can be listed and exported. */
	if (faccessat(dir->fd, "lock", W_OK, 0) && errno == EROFS)
		dir->lock_fd = openat(dir->fd, "lock",
				      O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	else
		writable = true;
	code = lock_folder(dir, !mount_answers(dir), error);
	return code || !writable ? code : tell_holder(dir, error);
}

int statedir_adopt(const char *path, struct statedir *dir,
		   struct store_error *error)
{
	int code;

	*dir = (struct statedir){ .path = strdup(path),
				  .fd = -1,
				  .lock_fd = -1 };
	code = adopt_folder(dir, error);
	if (code)
		statedir_close(dir);
	return code;
}

/* The last occurrence: a path may hold anything. */
static char *find_last(char *text, const char *what)
{
	char *found = NULL;

	while ((text = strstr(text, what)))
		found = text++;
	return found;
}

int statedir_identity(const struct statedir *dir, char **store,
		      char **mountpoint, struct store_error *error)
{
	static const char head[] = "storefs 1\nstore ";
	static const char middle[] = "\nmountpoint ";
	CLEANUP_FREE char *text = NULL;
	int code = read_identity(dir, &text, error);
	char *second;
	size_t length;

	if (code)
		return code;
	length = strlen(text);
	second = find_last(text, middle);
	if (strncmp(text, head, sizeof(head) - 1) != 0 || !second ||
	    text[length - 1] != '\n')
		return store_error_set(error, STORE_CORRUPT,
				       "%s/identity cannot be read", dir->path);
	text[length - 1] = '\0';
	*second = '\0';
	*store = strdup(text + sizeof(head) - 1);
	*mountpoint = strdup(second + sizeof(middle) - 1);
	if (*store && *mountpoint)
		return STORE_OK;
	free(*store);
	free(*mountpoint);
	return store_error_set(error, STORE_NO_MEMORY,
			       "no memory for an identity");
}

void statedir_close(struct statedir *dir)
{
	free(dir->path);
	if (dir->fd >= 0)
		close(dir->fd);
	if (dir->lock_fd >= 0)
		close(dir->lock_fd);
	*dir = (struct statedir){ .fd = -1, .lock_fd = -1 };
}
