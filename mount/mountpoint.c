// SPDX-License-Identifier: MIT
/*
 * Mount points; see mountpoint.h.  Called by session.c and umount.c.  Reads
 * /proc/self/mountinfo rather than asking a file system that may be dead.
 */
#include "config.h"

#include "mount/mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/text.h"

extern char **environ;

/* ---- mountinfo ---- */

struct mounted {
	dev_t device;
	bool ours;
};

/* One line of mountinfo, if it is of `path`. */
static bool mountinfo_line(char *line, const char *path, struct mounted *out)
{
	unsigned int major_number, minor_number;
	char *type = strstr(line, " - ");
	char *point = NULL;
	bool same;

	if (!type || sscanf(line, "%*d %*d %u:%u %*s %ms", &major_number,
			    &minor_number, &point) != 3)
		return false;
	text_unescape_octal(point);
	same = !strcmp(point, path);
	free(point);
	if (!same)
		return false;
	out->device = makedev(major_number, minor_number);
	out->ours = !strncmp(type + 3, "fuse.storefs ", 13);
	return true;
}

/* The topmost mount on exactly this path. */
static bool find_mounted(const char *path, struct mounted *out)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	if (!file)
		return false;
	while (getline(&line, &room, file) > 0)
		found |= mountinfo_line(line, path, out);
	free(line);
	fclose(file);
	return found;
}

dev_t mountpoint_device(const char *path)
{
	struct mounted mounted;

	return find_mounted(path, &mounted) ? mounted.device : 0;
}

/* ---- unmounting ---- */

#define UMOUNT_HELPER "/sbin/umount.fuse.storefs"

pid_t mountpoint_note_helper(const char *source, const char *path)
{
	char *const argv[] = { (char[]){ "mount" },
			       (char[]){ "-if" },
			       (char[]){ "--no-canonicalize" },
			       (char[]){ "-t" },
			       (char[]){ "fuse.storefs" },
			       (char[]){ "-o" },
			       (char[]){ "uhelper=fuse.storefs" },
			       strdup(source),
			       strdup(path),
			       NULL };
	posix_spawn_file_actions_t quiet;
	pid_t process = 0;

	if (argv[7] && argv[8] && geteuid() == 0 &&
	    !access(UMOUNT_HELPER, X_OK) &&
	    !posix_spawn_file_actions_init(&quiet)) {
		for (int fd = 0; fd < 3; fd++)
			posix_spawn_file_actions_addopen(
				&quiet, fd, "/dev/null", O_RDWR, 0);
		if (posix_spawnp(&process, argv[0], &quiet, NULL, argv,
				 environ))
			process = 0;
		posix_spawn_file_actions_destroy(&quiet);
	}
	free(argv[7]);
	free(argv[8]);
	return process;
}

void mountpoint_note_wait(pid_t process)
{
	while (process > 0 && waitpid(process, NULL, 0) < 0 && errno == EINTR)
		;
}

int mountpoint_enter(const char *namespace, struct store_error *error)
{
	CLEANUP_FREE char *path = NULL;
	CLEANUP_FD int fd = -1;
	bool number = namespace[strspn(namespace, "0123456789")] == '\0';

	if ((number ? asprintf(&path, "/proc/%s/ns/mnt", namespace)
		    : asprintf(&path, "%s", namespace)) < 0)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a path");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNS))
		return store_error_errno(error, errno, "namespace %s", path);
	return STORE_OK;
}

/* ---- preparing ---- */

/* realpath(3) of the parent, and the last component as given. */
static char *resolve_dead(const char *given)
{
	CLEANUP_FREE char *copy = strdup(given);
	char parent[PATH_MAX], *made = NULL;
	const char *name;
	char *slash;

	if (!copy)
		return NULL;
	for (size_t end = strlen(copy); end > 1 && copy[end - 1] == '/';)
		copy[--end] = '\0';
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (slash)
		*slash = '\0';
	if (!realpath(slash ? (*copy ? copy : "/") : ".", parent))
		return NULL;
	if (asprintf(&made, "%s/%s", strcmp(parent, "/") ? parent : "", name) <
	    0)
		return NULL;
	return made;
}

/* Our own mount whose driver has died: take it away. */
static int detach_dead(const char *given, bool look_only,
		       struct store_error *error)
{
	CLEANUP_FREE char *path = resolve_dead(given);
	struct mounted mounted;

	if (!path || !find_mounted(path, &mounted) || !mounted.ours)
		return store_error_errno(error, ENOTCONN, "%s", given);
	if (look_only)
		return STORE_OK;
	return mountpoint_unmount(path, true, error);
}

/*
 * Does a driver answer there?  statfs(2) always asks it, while the kernel
 * may answer a stat(2) from memory after its death.
 */
static bool driver_is_dead(const char *given)
{
	struct statfs found;

	return statfs(given, &found) && errno == ENOTCONN;
}

static int check_folder(const char *given, char **path,
			struct store_error *error)
{
	CLEANUP_FREE char *resolved = realpath(given, NULL);
	struct mounted mounted;
	struct stat found;

	if (!resolved || stat(resolved, &found))
		return store_error_errno(error, errno, "%s", given);
	if (!S_ISDIR(found.st_mode))
		return store_error_set(error, STORE_NOT_DIR,
				       "%s: not a directory", given);
	if (find_mounted(resolved, &mounted) && mounted.ours)
		return store_error_set(error, STORE_LOCKED,
				       "%s: a store is mounted there already",
				       resolved);
	*path = steal_pointer(&resolved);
	return STORE_OK;
}

int mountpoint_prepare(const char *given, bool look_only, char **path,
		       struct store_error *error)
{
	int code;

	if (!driver_is_dead(given))
		return check_folder(given, path, error);
	code = detach_dead(given, look_only, error);
	if (code)
		return code;
	if (!look_only)
		return check_folder(given, path, error);
	*path = resolve_dead(given);
	return *path ? STORE_OK : store_error_errno(error, ENOMEM, "%s", given);
}

/* ---- apart ---- */

static bool path_holds(const char *outer, const char *inner)
{
	size_t length = strlen(outer);

	if (!strcmp(outer, "/"))
		return true;
	return !strncmp(outer, inner, length) &&
	       (inner[length] == '/' || !inner[length]);
}

/* realpath(3) of the longest part that exists. */
static char *resolve_existing(const char *path)
{
	CLEANUP_FREE char *copy = strdup(path);

	while (copy && *copy) {
		char *resolved = realpath(copy, NULL);
		char *slash;

		if (resolved)
			return resolved;
		slash = strrchr(copy, '/');
		if (!slash)
			return NULL;
		*slash = '\0';
	}
	return strdup("/");
}

int mountpoint_check_apart(const char *mountpoint, const char *other,
			   const char *what, struct store_error *error)
{
	CLEANUP_FREE char *resolved = realpath(other, NULL);
	bool exists = resolved;

	if (!resolved)
		resolved = resolve_existing(other);
	if (!resolved)
		return STORE_OK;
	if (path_holds(mountpoint, resolved) && strcmp(mountpoint, "/"))
		return store_error_set(error, STORE_INVALID,
				       "%s %s is inside the mount point %s",
				       what, other, mountpoint);
	if (exists && path_holds(resolved, mountpoint))
		return store_error_set(error, STORE_INVALID,
				       "the mount point %s is inside the %s %s",
				       mountpoint, what, other);
	return STORE_OK;
}
