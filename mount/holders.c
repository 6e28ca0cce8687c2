// SPDX-License-Identifier: MIT
/*
 * Looking at descriptors through /proc; see holders.h.  Called by ops_file.c
 * at a FLUSH of a dirty file, with no lock held.  Nothing here touches the
 * mount itself: fdinfo is text of the kernel, and no path is followed.
 */
#include "config.h"

#include "mount/holders.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "src/base/cleanup.h"

/* Flags of /proc/PID/stat, from the kernel's include/linux/sched.h. */
#define PF_EXITING 0x4UL
#define PF_SIGNALED 0x400UL

enum {
	PROC_TEXT = 4096,
	FEW = 64, /* looking at these costs less than a list of /proc */
};

/* Read a small file of /proc whole; false when it is not there. */
static bool proc_read(const char *path, char text[PROC_TEXT])
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return false;
	got = read(fd, text, PROC_TEXT - 1);
	if (got < 0)
		return false;
	text[got] = '\0';
	return true;
}

/* The number behind "\nNAME:"; false when there is none. */
static bool proc_field(const char *text, const char *name, int base,
		       uint64_t *value)
{
	size_t length = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (!strncmp(line, name, length) && line[length] == ':') {
			*value = strtoull(line + length + 1, NULL, base);
			return true;
		}
	}
	return false;
}

pid_t holders_group(pid_t thread)
{
	char path[64], text[PROC_TEXT];
	uint64_t group;

	if (thread <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%ld/status", (long)thread);
	if (!proc_read(path, text))
		return 0;
	return proc_field(text, "Tgid", 10, &group) ? (pid_t)group : 0;
}

pid_t holders_newest(void)
{
	char text[PROC_TEXT];
	const char *last;

	if (!proc_read("/proc/loadavg", text))
		return 0;
	last = strrchr(text, ' ');
	return last ? (pid_t)strtol(last, NULL, 10) : 0;
}

bool holders_usable(void)
{
	char text[PROC_TEXT];
	uint64_t group, ino;

	/* A /proc of another process id namespace calls us otherwise. */
	return proc_read("/proc/self/status", text) &&
	       proc_field(text, "Tgid", 10, &group) &&
	       group == (uint64_t)getpid() &&
	       proc_read("/proc/self/fdinfo/0", text) &&
	       proc_field(text, "ino", 10, &ino);
}

/* ---- one process ---- */

/*
 * Is mount `id`, as this process sees it, on our device?  One it can no
 * longer see (detached, outside of its root) may be; of one that ends, which
 * has no mounts any more, the kernel has closed the descriptors by then.
 */
static bool mount_may_be_ours(const char *group, uint64_t id, dev_t device)
{
	char path[64], line[PROC_TEXT];
	bool known = false, ours = true;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.20s/mountinfo", group);
	file = fopen(path, "re");
	if (!file)
		return errno != EINVAL && errno != ENOENT && errno != ESRCH;
	while (!known && fgets(line, sizeof(line), file)) {
		unsigned int major_number, minor_number;
		unsigned long long number;

		known = sscanf(line, "%llu %*d %u:%u", &number, &major_number,
			       &minor_number) == 3 &&
			number == id;
		if (known)
			ours = makedev(major_number, minor_number) == device;
	}
	fclose(file);
	return ours;
}

enum holds { HOLDS_NO, HOLDS_YES, HOLDS_UNKNOWN };

static bool descriptor_holds(const char *group, const char *text,
			     const struct holders_question *question)
{
	uint64_t flags, ino, mount;

	if (!proc_field(text, "ino", 10, &ino) || ino != question->ino ||
	    (proc_field(text, "flags", 8, &flags) &&
	     (flags & O_ACCMODE) == O_RDONLY))
		return false;
	return !proc_field(text, "mnt_id", 10, &mount) ||
	       mount_may_be_ours(group, mount, question->device);
}

/* Something is on its way through a socket of the process. */
static bool descriptor_in_flight(const char *text)
{
	uint64_t count;

	return proc_field(text, "scm_fds", 10, &count) && count;
}

/*
 * Does this process hold a descriptor for writing, or (thorough) one that is
 * on its way through a socket?  The one being closed is no longer listed.
 */
static enum holds group_holds(const char *group,
			      const struct holders_question *question)
{
	char path[320], text[PROC_TEXT];
	const struct dirent *entry;
	bool holds = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%.20s/fdinfo", group);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT || errno == ESRCH ? HOLDS_NO
							 : HOLDS_UNKNOWN;
	while (!holds && (entry = readdir(dir))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/fdinfo/%s", group,
			 entry->d_name);
		if (!proc_read(path, text))
			continue;
		holds = descriptor_holds(group, text, question) ||
			(question->thorough && descriptor_in_flight(text));
	}
	closedir(dir);
	return holds ? HOLDS_YES : HOLDS_NO;
}

static enum holds pid_holds(pid_t group,
			    const struct holders_question *question)
{
	char text[24];

	if (group <= 0)
		return HOLDS_NO;
	snprintf(text, sizeof(text), "%ld", (long)group);
	return group_holds(text, question);
}

/*
 * Is the process on its way out because of a signal?  Threads of a process
 * that simply exits carry PF_SIGNALED too; the exit code tells them apart.
 */
static bool dies_by_signal(pid_t thread)
{
	char path[64], text[PROC_TEXT];
	unsigned long flags = 0;
	int exit_code = 0, field = 3;
	uint64_t memory;
	char *rest;

	/*
	 * Reading stat waits for an execve() to end, and that one may wait
	 * for us: it closes descriptors.  Who exits has no memory any more,
	 * and begins no other program.
	 */
	snprintf(path, sizeof(path), "/proc/%ld/status", (long)thread);
	if (!proc_read(path, text) || proc_field(text, "VmSize", 10, &memory))
		return false;
	snprintf(path, sizeof(path), "/proc/%ld/stat", (long)thread);
	if (!proc_read(path, text))
		return false;
	/* The name in parentheses may hold anything. */
	rest = strrchr(text, ')');
	rest = rest ? strchr(rest, ' ') : NULL;
	for (; rest; rest = strchr(rest + 1, ' '), field++) {
		if (field == 9)
			flags = strtoul(rest, NULL, 10);
		if (field == 52)
			exit_code = (int)strtol(rest, NULL, 10);
	}
	return (flags & PF_EXITING) && (flags & PF_SIGNALED) &&
	       (exit_code & 0x7f);
}

/* ---- all that may hold it ---- */

/* Was this id given out after `newest`?  Ids wrap around. */
static bool pid_is_newer(pid_t pid, pid_t newest, pid_t now)
{
	if (now >= newest)
		return pid > newest && pid <= now;
	return pid > newest || pid <= now;
}

static bool other_holds(const struct holders_question *question, pid_t pid,
			pid_t group)
{
	if (pid <= 0 || pid == group || pid == getpid())
		return false;
	/* One that may not be looked at is not ours to wait for. */
	return pid_holds(pid, question) == HOLDS_YES;
}

static bool is_thread_of_ours(pid_t thread)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%ld", (long)thread);
	return access(path, F_OK) == 0;
}

/*
 * Few ids were given out since: one after the other, of processes and of
 * threads, dead or alive.
 */
static bool new_ones_hold(const struct holders_question *question, pid_t group,
			  pid_t now)
{
	bool holds = false;

	for (pid_t pid = question->newest + 1; pid <= now && !holds; pid++)
		holds = !is_thread_of_ours(pid) &&
			other_holds(question, pid, group);
	return holds;
}

static bool others_hold(const struct holders_question *question, pid_t group)
{
	pid_t now = holders_newest();
	const struct dirent *entry;
	bool holds = false;
	DIR *dir;

	if (!question->thorough && question->newest && now == question->newest)
		return false;
	if (!question->thorough && question->newest && now > question->newest &&
	    now - question->newest <= FEW)
		return new_ones_hold(question, group, now);
	dir = opendir("/proc");
	if (!dir)
		return false;
	while (!holds && (entry = readdir(dir))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (pid > 0 && (question->thorough ||
				pid_is_newer(pid, question->newest, now)))
			holds = other_holds(question, pid, group);
	}
	closedir(dir);
	return holds;
}

enum closing holders_ask(const struct holders_question *question)
{
	pid_t group = holders_group(question->closer);
	enum holds holds;

	if (!group)
		return CLOSING_UNKNOWN;
	holds = pid_holds(group, question);
	if (holds == HOLDS_NO && group != question->opener)
		holds = pid_holds(question->opener, question);
	if (holds == HOLDS_UNKNOWN)
		return CLOSING_UNKNOWN;
	if (holds == HOLDS_YES || others_hold(question, group))
		return CLOSING_KEEP;
	return dies_by_signal(question->closer) ? CLOSING_KILLED
						: CLOSING_PUBLISH;
}
