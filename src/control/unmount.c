// SPDX-License-Identifier: MIT
/* See unmount.h.  Calls the kernel, or fusermount3. */
#include "config.h"

#include "src/control/unmount.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int fusermount(const char *path, bool lazy, struct store_error *error)
{
	char *const argv[] = { (char[]){ "fusermount3" },
			       (char[]){ "-u" },
			       (char[]){ "-q" },
			       lazy ? (char[]){ "-z" } : (char[]){ "--" },
			       strdup(path),
			       NULL };
	int status = -1, result;
	pid_t pid;

	result =
		argv[4] ? posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ)
			: ENOMEM;
	free(argv[4]);
	if (result)
		return store_error_errno(error, result, "fusermount3");
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return STORE_OK;
	return store_error_set(error, STORE_LOCKED,
			       "%s: could not be unmounted (busy, or not "
			       "yours)",
			       path);
}

int mountpoint_unmount(const char *path, bool lazy, struct store_error *error)
{
	if (!umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)))
		return STORE_OK;
	if (errno == EPERM)
		return fusermount(path, lazy, error);
	return store_error_errno(error, errno, "%s", path);
}
