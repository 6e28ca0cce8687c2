// SPDX-License-Identifier: MIT
/*
 * See driver.h.  Called by the commands about a mount's queue; calls
 * mounts.c, and starts the driver that stands beside this program.
 */
#include "config.h"

#include "src/ctl/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/control/mounts.h"

#define DRIVER "storefs"
/* Asking a mount for its socket is answered from memory. */
#define DRIVER_TIMEOUT_MS 5000

extern char **environ;

/* ---- without a mount ---- */

/* Where the driver is: beside us, else wherever programs are. */
static void offline_path(char path[PATH_MAX])
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	path[length > 0 ? length : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash && (size_t)(slash - path) + sizeof("/" DRIVER) < PATH_MAX) {
		memcpy(slash, "/" DRIVER, sizeof("/" DRIVER));
		if (!access(path, X_OK))
			return;
	}
	memcpy(path, DRIVER, sizeof(DRIVER));
}

static void add_escaped(struct buf *text, const char *value)
{
	for (; *value; value++) {
		if (*value == ',' || *value == '\\')
			buf_add_char(text, '\\');
		buf_add_char(text, *value);
	}
}

static int offline_start(const char *const argv[], int fd, bool quiet,
			 pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	char path[PATH_MAX];
	int result = posix_spawn_file_actions_init(&actions);

	if (result)
		return result;
	offline_path(path);
	result = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	/* Only its answers are for others. */
	if (!result)
		result = posix_spawn_file_actions_adddup2(
			&actions, STDERR_FILENO, STDOUT_FILENO);
	if (!result && quiet)
		result = posix_spawn_file_actions_addopen(
			&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (!result)
		result = posix_spawnp(pid, path, &actions, NULL,
				      (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return result;
}

static int offline_run(const struct ctl *ctl, const char *mountpoint, int fd,
		       pid_t *pid, struct store_error *error)
{
	struct buf options CLEANUP_BUF = BUF_INIT(2 * PATH_MAX);
	const char *argv[10] = { DRIVER, "--offline" };
	int count = 2, result;

	if (ctl->args.staging_dir) {
		buf_add_text(&options, "staging_dir=");
		add_escaped(&options, ctl->args.staging_dir);
		argv[count++] = "-o";
		argv[count++] = buf_text(&options);
	}
	if (ctl->args.config) {
		argv[count++] = "-c";
		argv[count++] = ctl->args.config;
	}
	argv[count++] = "--";
	if (ctl->args.source)
		argv[count++] = ctl->args.source;
	if (ctl->args.source && mountpoint)
		argv[count++] = mountpoint;
	result = options.failed ? ENOMEM
				: offline_start(argv, fd, ctl->args.json, pid);
	if (!result)
		return STORE_OK;
	return store_error_errno(error, result, "the driver (%s)", DRIVER);
}

static int driver_open_offline(struct ctl *ctl, const char *mountpoint,
			       struct driver *driver, struct store_error *error)
{
	int ends[2], code;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return store_error_errno(error, errno, "socket");
	code = offline_run(ctl, mountpoint, ends[1], &driver->process, error);
	close(ends[1]);
	if (code) {
		close(ends[0]);
		return code;
	}
	driver->offline = true;
	driver->name = strdup(mountpoint ? mountpoint : ctl->args.staging_dir);
	driver->key = strdup("");
	return client_adopt(ends[0], &driver->client, error);
}

/* ---- a running mount ---- */

/* A driver uses the directory, perhaps of a mount that has gone. */
static bool driver_open_staging(const char *path, struct driver *driver)
{
	struct buf control CLEANUP_BUF = BUF_INIT(PATH_MAX);

	buf_addf(&control, "%s/control", path);
	if (control.failed ||
	    client_open(buf_text(&control), &driver->client, NULL))
		return false;
	driver->name = strdup(path);
	driver->key = strdup("");
	return true;
}

static int driver_open_mount(const struct mount_entry *mount,
			     struct driver *driver, struct store_error *error)
{
	driver->name = strdup(mount->target);
	if (!driver->key)
		driver->key = strdup("");
	return mount_connect(mount, DRIVER_TIMEOUT_MS, &driver->client, error);
}

static int driver_open_path(const char *operand, struct driver *driver,
			    struct store_error *error)
{
	const struct mount_entry *mount = NULL;
	struct mount_list list;
	int code = mount_list_read(&list, error);

	if (!code)
		code = mount_list_locate(&list, operand, DRIVER_TIMEOUT_MS,
					 &mount, &driver->key, error);
	if (!code)
		code = driver_open_mount(mount, driver, error);
	mount_list_release(&list);
	return code;
}

/* ---- either ---- */

bool driver_is_named(const struct ctl *ctl)
{
	return ctl->args.staging_dir != NULL;
}

static int driver_finish(struct ctl *ctl, struct driver *driver,
			 struct store_error *error)
{
	if (!driver->name || !driver->key)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	client_watch(driver->client, ctl->cancel);
	return STORE_OK;
}

int driver_open(struct ctl *ctl, const char *operand, struct driver *driver,
		struct store_error *error)
{
	int code;

	*driver = (struct driver)DRIVER_INIT;
	if (ctl->args.staging_dir && !operand &&
	    driver_open_staging(ctl->args.staging_dir, driver))
		return driver_finish(ctl, driver, error);
	if (ctl->args.staging_dir || ctl->args.source)
		code = driver_open_offline(ctl, operand, driver, error);
	else
		code = driver_open_path(operand, driver, error);
	return code ? code : driver_finish(ctl, driver, error);
}

bool driver_want(struct ctl *ctl, const char *operand, struct driver *driver)
{
	struct store_error error = STORE_ERROR_INIT;

	if (!driver_open(ctl, operand, driver, &error))
		return true;
	ctl_fail(ctl, operand ? operand : ctl->args.staging_dir, NULL, &error);
	return false;
}

static void driver_each_mount(struct ctl *ctl, driver_fn *run)
{
	struct store_error error = STORE_ERROR_INIT;
	struct mount_list list;

	if (mount_list_read(&list, &error)) {
		mount_list_release(&list);
		ctl_fail(ctl, NULL, NULL, &error);
		return;
	}
	for (size_t i = 0; i < list.count && !ctl_cancelled(ctl); i++) {
		const struct mount_entry *mount = &list.entries[i];
		CLEANUP_DRIVER struct driver driver = DRIVER_INIT;

		store_error_clear(&error);
		if (driver_open_mount(mount, &driver, &error) ||
		    driver_finish(ctl, &driver, &error))
			ctl_fail(ctl, mount->target, NULL, &error);
		else
			run(ctl, &driver);
	}
	if (list.count == 0 && !ctl->args.json)
		puts("no store is mounted");
	mount_list_release(&list);
}

static void driver_each_one(struct ctl *ctl, const char *operand,
			    driver_fn *run)
{
	CLEANUP_DRIVER struct driver driver = DRIVER_INIT;

	if (driver_want(ctl, operand, &driver))
		run(ctl, &driver);
}

void driver_each(struct ctl *ctl, char **operands, int count, driver_fn *run)
{
	if (!count && ctl->args.staging_dir)
		driver_each_one(ctl, NULL, run);
	else if (!count && ctl->args.source)
		ctl_fail_usage(ctl, "--source needs a mount point");
	else if (!count)
		driver_each_mount(ctl, run);
	for (int i = 0; i < count && !ctl_cancelled(ctl); i++)
		driver_each_one(ctl, operands[i], run);
}

void driver_release(struct driver *driver)
{
	client_close(driver->client);
	while (driver->process && waitpid(driver->process, NULL, 0) < 0 &&
	       errno == EINTR)
		;
	free(driver->name);
	free(driver->key);
	*driver = (struct driver)DRIVER_INIT;
}
