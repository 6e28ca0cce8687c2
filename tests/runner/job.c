// SPDX-License-Identifier: MIT
// job: runs one test for scripts/test, bounded in time, takes away what it
// leaves behind, and tells what it cost.
//
//   job RUNNER REPORT DIR SECONDS COMMAND [ARGUMENT...]
//
// Whatever the command starts stays below this process, wherever it
// daemonises to: job is the reaper of orphans. When the command has ended,
// mounts below DIR are detached and processes that are left get a moment, then
// are killed. When SECONDS are over, or job is told to end, or the process
// RUNNER is gone, everything is ended that way.
//
// REPORT gets a line `job PID` at once; at the end a line `cost WALL CPU`, in
// seconds (of the command; of it and all below it), and a line `left ...` for
// each mount and process that was left behind. It is locked until job ends.
// The status is that of the command, 128 and the signal that killed it, 124
// when time was up, 143 when told to end, 125 in trouble.
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STATUS_TIME = 124,
	STATUS_TROUBLE = 125,
	STATUS_TOLD = 143,
	PATIENCE = 10, // seconds between asking and killing, and for daemons
	PIDS_MAX = 1024,
	MOUNTS_MAX = 256,
};

struct mount_point {
	unsigned int minor; // of its device: the number of a FUSE connection
	char path[1024];
};

static FILE *report;
static sigset_t awaited;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- processes ---- */

static pid_t parent_of(pid_t pid)
{
	char path[64];
	char line[512] = "";
	const char *end;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (!fgets(line, sizeof(line), file))
		line[0] = 0;
	fclose(file);
	end = strrchr(line, ')');
	// After the name: a blank, the state, a blank, the parent.
	return end && strlen(end) > 4 ? (pid_t)strtol(end + 4, NULL, 10) : 0;
}

static bool is_below(pid_t pid)
{
	while (pid > 1) {
		pid = parent_of(pid);
		if (pid == getpid())
			return true;
	}
	return false;
}

static size_t descendants(pid_t *pids)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	size_t count = 0;

	while (proc && count < PIDS_MAX && (entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 1 && is_below(pid))
			pids[count++] = pid;
	}
	if (proc)
		closedir(proc);
	return count;
}

static void signal_all(int sig)
{
	static pid_t pids[PIDS_MAX];
	size_t count = descendants(pids);

	while (count)
		kill(pids[--count], sig);
}

static void tell_running(void)
{
	static pid_t pids[PIDS_MAX];
	size_t count = descendants(pids);

	while (count) {
		char path[64];
		char line[256] = "";
		size_t length = 0;
		FILE *file;

		snprintf(path, sizeof(path), "/proc/%d/cmdline",
			 (int)pids[--count]);
		file = fopen(path, "re");
		if (file) {
			length = fread(line, 1, sizeof(line) - 1, file);
			fclose(file);
		}
		for (size_t i = 0; i < length; i++)
			if (!line[i] || line[i] == '\n')
				line[i] = ' ';
		if (length)
			fprintf(report, "left running: %s\n", line);
	}
}

/* Collect whoever has ended; false when nobody is left. */
static bool reap(pid_t command, int *status)
{
	for (;;) {
		int how;
		pid_t pid = waitpid(-1, &how, WNOHANG);

		if (pid <= 0)
			return pid == 0;
		if (pid == command)
			*status = WIFEXITED(how) ? WEXITSTATUS(how)
						 : 128 + WTERMSIG(how);
	}
}

/* Until nobody is left; false when time is up first. */
static bool wait_for_all(double seconds)
{
	double end = now() + seconds;
	int ignored;

	while (reap(0, &ignored)) {
		double left = end - now();
		struct timespec pause = { .tv_nsec = 100000000 };

		if (left <= 0)
			return false;
		sigtimedwait(&awaited, NULL, &pause);
	}
	return true;
}

/* ---- mounts ---- */

/* Resolve the \040 of mountinfo, in place. */
static void unescape(char *path)
{
	char *to = path;

	for (; *path; path++) {
		if (path[0] == '\\' && strlen(path) >= 4) {
			char digits[4] = { path[1], path[2], path[3], 0 };

			*to++ = (char)strtol(digits, NULL, 8);
			path += 3;
		} else {
			*to++ = *path;
		}
	}
	*to = 0;
}

static bool path_below(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	return strncmp(path, dir, length) == 0 &&
	       (path[length] == '/' || !path[length]);
}

/* The mounts below it, in the order they were made. */
static size_t mounts_below(const char *dir, struct mount_point *mounts)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	size_t count = 0;
	char *line = NULL;
	size_t room = 0;

	while (file && count < MOUNTS_MAX && getline(&line, &room, file) > 0) {
		struct mount_point *mount = &mounts[count];

		if (sscanf(line, "%*s %*s %*u:%u %*s %1023s", &mount->minor,
			   mount->path) != 2)
			continue;
		unescape(mount->path);
		if (path_below(mount->path, dir))
			count++;
	}
	free(line);
	if (file)
		fclose(file);
	return count;
}

static void run_quietly(const char *program, const char *option,
			const char *path)
{
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null >= 0)
			dup2(null, STDERR_FILENO);
		execlp(program, program, option, path, (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

/* Whoever waits for a driver that no longer answers is let go first. */
static void detach(const struct mount_point *mount)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%u/abort",
		 mount->minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (write(fd, "1", 1) < 0)
			fprintf(report, "left unaborted: %s\n", mount->path);
		close(fd);
	}
	if (umount2(mount->path, MNT_DETACH | UMOUNT_NOFOLLOW))
		run_quietly("fusermount3", "-uz", mount->path);
}

static void detach_all(const char *dir)
{
	static struct mount_point mounts[MOUNTS_MAX];
	size_t count = mounts_below(dir, mounts);

	while (count) {
		fprintf(report, "left mounted: %s\n", mounts[--count].path);
		detach(&mounts[count]);
	}
}

/* ---- the command ---- */

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		setpgid(0, 0);
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		sigprocmask(SIG_UNBLOCK, &awaited, NULL);
		execvp(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	return pid;
}

/* Until it has ended or must: its status. */
static int watch(pid_t command, pid_t runner, double seconds)
{
	double end = now() + seconds;
	int status = -1;

	for (;;) {
		struct timespec pause = { .tv_sec = 1 };
		int sig;

		reap(command, &status);
		if (status >= 0)
			return status;
		if (now() >= end)
			return STATUS_TIME;
		if (kill(runner, 0) && errno == ESRCH)
			return STATUS_TOLD;
		sig = sigtimedwait(&awaited, NULL, &pause);
		if (sig > 0 && sig != SIGCHLD)
			return STATUS_TOLD;
	}
}

/* Mounts before processes: unmounting ends a driver as it should. */
static void clear(const char *dir, bool ask)
{
	if (ask) {
		signal_all(SIGTERM);
		wait_for_all(PATIENCE);
	}
	detach_all(dir);
	if (wait_for_all(PATIENCE))
		return;
	tell_running();
	for (int tries = 0; tries < 3 * PATIENCE; tries++) {
		signal_all(SIGKILL);
		if (wait_for_all(1))
			break;
	}
	detach_all(dir);
}

static bool prepare(const char *path)
{
	sigemptyset(&awaited);
	sigaddset(&awaited, SIGCHLD);
	sigaddset(&awaited, SIGHUP);
	sigaddset(&awaited, SIGINT);
	sigaddset(&awaited, SIGTERM);
	sigprocmask(SIG_BLOCK, &awaited, NULL);
	report = fopen(path, "we");
	if (!report || flock(fileno(report), LOCK_EX) ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1L))
		return false;
	fprintf(report, "job %d\n", (int)getpid());
	return fflush(report) == 0;
}

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	double begun = now();
	double wall;
	pid_t command;
	int status;

	if (argc < 6 || !prepare(argv[2])) {
		fprintf(stderr,
			"usage: job RUNNER REPORT DIR SECONDS COMMAND...\n");
		return STATUS_TROUBLE;
	}
	command = start(argv + 5);
	if (command < 0)
		return STATUS_TROUBLE;
	status = watch(command, (pid_t)strtol(argv[1], NULL, 10),
		       strtod(argv[4], NULL));
	wall = now() - begun;
	clear(argv[3], status == STATUS_TIME || status == STATUS_TOLD);
	getrusage(RUSAGE_CHILDREN, &usage);
	fprintf(report, "cost %.1f %.1f\n", wall,
		seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime));
	return fclose(report) ? STATUS_TROUBLE : status;
}
