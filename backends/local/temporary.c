// SPDX-License-Identifier: MIT
/*
 * New files before they have their name.
 *
 * Called by puts, copies and journals; sweeping also by listings and by the
 * removal of folders, which is where a crashed writer's rest would show.
 */
#include "config.h"

#include "backends/local/temporary.h"

#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "backends/local/journal.h"
#include "backends/local/node.h"
#include "backends/local/xattr.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

#ifndef O_TMPFILE
#define O_TMPFILE (020000000 | O_DIRECTORY)
#endif

void local_hidden_name(struct local *self, const char *kind, char name[48])
{
	/* Unique, not secret: collisions are seen and tried again. */
	uint64_t salt = (uint64_t)clock_monotonic_ns() * 0x9e3779b97f4a7c15u;

	salt ^= (uint64_t)getpid() << 40;
	salt += atomic_fetch_add(&self->name_counter, 1);
	snprintf(name, 48, "%s%s%016" PRIx64, LOCAL_HIDDEN_PREFIX, kind, salt);
}

static bool tmpfile_is_missing(int errnum)
{
	return errnum == EOPNOTSUPP || errnum == EISDIR || errnum == EINVAL ||
	       errnum == ENOENT;
}

static int make_nameless(struct local *self, const struct local_place *place,
			 mode_t mode)
{
	int fd;

	if (atomic_load(&self->lacks_tmpfile)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	fd = openat(place->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	return fd;
}

/* Does the name still lead to this file? */
static bool has_name(const struct local_place *place,
		     const struct local_temporary *temporary)
{
	struct local_stat file;
	struct local_stat name;

	return local_stat_at(temporary->fd, "", &file) == 0 &&
	       local_stat_at(place->dir, temporary->name, &name) == 0 &&
	       local_stat_same_node(&file, &name);
}

static int make_named(struct local *self, const struct local_place *place,
		      mode_t mode, struct local_temporary *temporary)
{
	const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

	for (int tries = 0; tries < 100; tries++) {
		local_hidden_name(self, "", temporary->name);
		temporary->fd =
			openat(place->dir, temporary->name, flags, mode);
		if (temporary->fd < 0 && errno == EEXIST)
			continue;
		if (temporary->fd < 0)
			return -1;
		temporary->named = true;
		/* A sweeper may have come between: then once more. */
		if (!(flock(temporary->fd, LOCK_EX | LOCK_NB) &&
		      errno == EWOULDBLOCK) &&
		    has_name(place, temporary))
			return 0;
		close(temporary->fd);
		temporary->fd = -1;
		temporary->named = false;
	}
	errno = EEXIST;
	return -1;
}

int local_temporary_make(struct local *self, const struct local_place *place,
			 mode_t mode, struct local_temporary *temporary)
{
	temporary->named = false;
	temporary->fd = make_nameless(self, place, mode);
	if (temporary->fd < 0)
		return tmpfile_is_missing(errno)
			       ? make_named(self, place, mode, temporary)
			       : -1;
	/* Nobody else can hold it; where there are no flocks age tells. */
	flock(temporary->fd, LOCK_EX | LOCK_NB);
	return 0;
}

int local_link_fd(int fd, int dir, const char *name)
{
	struct local_proc_path path;

	if (linkat(AT_FDCWD, local_proc_path(&path, fd), dir, name,
		   AT_SYMLINK_FOLLOW) == 0)
		return 0;
	/* Without /proc: allowed with CAP_DAC_READ_SEARCH. */
	if (errno != ENOENT || access("/proc/self/fd", F_OK) == 0)
		return -1;
	return linkat(fd, "", dir, name, AT_EMPTY_PATH);
}

int local_temporary_name(struct local *self, const struct local_place *place,
			 struct local_temporary *temporary)
{
	while (!temporary->named) {
		local_hidden_name(self, "", temporary->name);
		if (local_link_fd(temporary->fd, place->dir, temporary->name) ==
		    0)
			temporary->named = true;
		else if (errno != EEXIST)
			return -1;
	}
	return 0;
}

int local_rename(int from_dir, const char *from, int to_dir, const char *to,
		 unsigned int flags)
{
	if (!flags)
		return renameat(from_dir, from, to_dir, to);
#ifdef SYS_renameat2
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
#else
	errno = EINVAL;
	return -1;
#endif
}

static int publish_named(const struct local_place *place,
			 struct local_temporary *temporary, const char *name)
{
	if (local_rename(place->dir, temporary->name, place->dir, name,
			 LOCAL_RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (linkat(place->dir, temporary->name, place->dir, name, 0))
		return -1;
	/* It has its name: a second one that stays is swept one day. */
	unlinkat(place->dir, temporary->name, 0);
	return 0;
}

int local_temporary_publish(const struct local_place *place,
			    struct local_temporary *temporary, const char *name)
{
	int failed = temporary->named
			     ? publish_named(place, temporary, name)
			     : local_link_fd(temporary->fd, place->dir, name);

	if (!failed)
		temporary->named = false;
	return failed;
}

void local_temporary_drop(const struct local_place *place,
			  struct local_temporary *temporary)
{
	int saved = errno;

	if (temporary->named)
		unlinkat(place->dir, temporary->name, 0);
	temporary->named = false;
	if (temporary->fd >= 0)
		close(temporary->fd);
	temporary->fd = -1;
	errno = saved;
}

/* ---- what a crash left ---- */

/* Exactly a name of ours? */
static bool is_plain_temporary(const char *name)
{
	const size_t prefix = sizeof(LOCAL_HIDDEN_PREFIX) - 1;

	return local_name_is_hidden(name) &&
	       strspn(name + prefix, "0123456789abcdef") == 16 &&
	       strlen(name + prefix) == 16;
}

/* Where there are no flocks: has nobody written on it for an hour? */
bool local_is_forgotten(int fd)
{
	struct local_stat st;

	return local_stat_at(fd, "", &st) == 0 &&
	       clock_now().tv_sec - st.ctime.tv_sec > 3600;
}

void local_sweep_name(struct local *self, int dir, const char *name)
{
	bool locks = !atomic_load(&self->lacks_locks);
	CLEANUP_FD int fd = -1;

	if (local_journal_is_name(name))
		local_journal_recover(self, dir, name);
	if (!is_plain_temporary(name))
		return;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || (locks ? flock(fd, LOCK_EX | LOCK_NB) != 0
			     : !local_is_forgotten(fd)))
		return; /* its creator lives */
	unlinkat(dir, name, 0);
}

bool local_sweep_folder(struct local *self, int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool found = false;

	if (!stream) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while ((entry = readdir(stream))) {
		if (!local_name_is_hidden(entry->d_name))
			continue;
		local_sweep_name(self, dir, entry->d_name);
		found = true;
	}
	closedir(stream);
	return found;
}
