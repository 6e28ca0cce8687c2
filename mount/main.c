// SPDX-License-Identifier: MIT
/*
 * storefs: parse, go into the background, serve.  The parent waits on a pipe
 * for the byte that says the mount is usable; no byte means failure, and
 * the reason has been printed by then.
 */
#include "config.h"

#include <fcntl.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mount/mountpoint.h"
#include "mount/offline.h"
#include "mount/session.h"
#include "mount/umount.h"
#include "src/base/cleanup.h"
#include "src/base/log.h"
#include <storefs/version.h>

static int complain(const struct cli *cli, const struct store_error *error,
		    int status)
{
	fprintf(stderr, "%s: %s\n", cli->program, error->message);
	return status;
}

static int wait_ready(int fd)
{
	char status;

	return read(fd, &status, 1) == 1 ? status : CLI_EXIT_FAILED;
}

/* Keep nothing of the caller's open but this one, moved down. */
static int close_inherited(int fd)
{
	enum { FIRST = 3 };

	if (fd != FIRST && dup3(fd, FIRST, O_CLOEXEC) == FIRST)
		fd = FIRST;
	if (fd == FIRST)
		syscall(SYS_close_range, FIRST + 1, ~0U, 0);
	return fd;
}

static int run_detached(const struct cli *cli, const struct source *source,
			const char *mountpoint)
{
	int pipes[2];
	pid_t child;

	fflush(NULL);
	if (pipe2(pipes, O_CLOEXEC)) {
		perror(cli->program);
		return CLI_EXIT_FAILED;
	}
	child = fork();
	if (child < 0) {
		perror(cli->program);
		return CLI_EXIT_FAILED;
	}
	if (child) {
		close(pipes[1]);
		return wait_ready(pipes[0]);
	}
	close(pipes[0]);
	pipes[1] = close_inherited(pipes[1]);
	setsid();
	if (chdir("/"))
		return CLI_EXIT_FAILED;
	return session_run(cli, source, mountpoint, pipes[1]);
}

/* As mount(8) does for file systems without a helper. */
static void tell_mounted(const struct cli *cli, const struct source *source,
			 const char *mountpoint)
{
	CLEANUP_FREE char *name = source_masked(source);

	printf("%s: %s %s on %s.\n", cli->program, name ? name : "the store",
	       cli->action == CLI_MOUNT ? "mounted" : "can be mounted",
	       mountpoint);
}

static int run_mount(struct cli *cli)
{
	bool look_only = cli->action != CLI_MOUNT;
	struct store_error error = STORE_ERROR_INIT;
	CLEANUP_FREE char *mountpoint = NULL;
	struct source source;
	int code, status = 0;

	source = (struct source){ .registry = NULL };
	code = cli->namespace ? mountpoint_enter(cli->namespace, &error)
			      : STORE_OK;
	if (!code)
		code = source_prepare(cli->source, &cli->words, &source,
				      &error);
	if (!code)
		code = mountpoint_prepare(cli->mountpoint, look_only,
					  &mountpoint, &error);
	if (code)
		status = complain(cli, &error, CLI_EXIT_FAILED);
	else if (!look_only && cli->foreground)
		status = session_run(cli, &source, mountpoint, -1);
	else if (!look_only)
		status = run_detached(cli, &source, mountpoint);
	if (cli->verbose && !status)
		tell_mounted(cli, &source, mountpoint);
	source_release(&source);
	return status;
}

/*
 * Nodes are made by one thread and freed by another: with an arena per
 * thread, as glibc has it, each keeps what the others could use.
 */
static void share_memory(void)
{
#if defined(M_ARENA_MAX)
	mallopt(M_ARENA_MAX, 1);
#endif
}

int main(int argc, char **argv)
{
	struct store_error error = STORE_ERROR_INIT;
	struct cli cli;
	int status = 0;

	share_memory();

	/* Descriptors 0 to 2 may be closed; nothing else shall get them. */
	while ((status = open("/dev/null", O_RDWR)) >= 0 && status < 3)
		;
	if (status > 2)
		close(status);
	status = 0;
	if (cli_parse(&cli, argc, argv, &error)) {
		status = complain(&cli, &error, CLI_EXIT_USAGE);
	} else if (cli.action == CLI_HELP) {
		cli_print_help(&cli);
	} else if (cli.action == CLI_VERSION) {
		printf("storefs %s\n", STOREFS_VERSION);
	} else {
		if (cli.debug)
			log_set_level(LOG_LEVEL_DEBUG);
		status = cli.action == CLI_UMOUNT    ? umount_run(&cli)
			 : cli.action == CLI_OFFLINE ? offline_run(&cli)
						     : run_mount(&cli);
	}
	cli_release(&cli);
	return status;
}
