// SPDX-License-Identifier: MIT
/*
 * Writes small files as fast as it can; run by scripts/bench.
 *
 *	closes FOLDER COUNT SIZE WRITERS none|file|folder
 *
 * COUNT new files of SIZE bytes in FOLDER, shared out among WRITERS
 * processes: open, write, flush as told, close.  `file` flushes each file
 * before its close, `folder` the folder afterwards, too.  Prints the seconds
 * from the first open to the last close.
 */
#include "config.h"

#include <err.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FAILED = 1, USAGE = 2 };

struct job {
	int folder;
	long count;
	size_t size;
	long writers;
	bool flush_file;
	bool flush_folder;
	const char *bytes;
};

static void write_file(const struct job *job, long number)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "f%06ld", number);
	fd = openat(job->folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0644);
	if (fd < 0)
		err(FAILED, "%s", name);
	if (job->size && write(fd, job->bytes, job->size) != (ssize_t)job->size)
		err(FAILED, "%s: write", name);
	if (job->flush_file && fsync(fd))
		err(FAILED, "%s: fsync", name);
	if (close(fd))
		err(FAILED, "%s: close", name);
	if (job->flush_folder && fsync(job->folder))
		err(FAILED, "fsync of the folder");
}

static void writer(const struct job *job, long index, int start)
{
	char byte;

	/* Everybody begins when the other end is closed. */
	if (read(start, &byte, 1) < 0)
		err(FAILED, "read");
	for (long i = index; i < job->count; i += job->writers)
		write_file(job, i);
	exit(EXIT_SUCCESS);
}

static double seconds_between(const struct timespec *from,
			      const struct timespec *to)
{
	return (double)(to->tv_sec - from->tv_sec) +
	       (double)(to->tv_nsec - from->tv_nsec) / 1e9;
}

static double run(const struct job *job)
{
	struct timespec from, to;
	int start[2], status, failed = 0;

	if (pipe(start))
		err(FAILED, "pipe");
	for (long i = 0; i < job->writers; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(FAILED, "fork");
		if (!pid) {
			close(start[1]);
			writer(job, i, start[0]);
		}
	}
	close(start[0]);
	clock_gettime(CLOCK_MONOTONIC, &from);
	close(start[1]);
	while (wait(&status) > 0)
		failed |= status;
	clock_gettime(CLOCK_MONOTONIC, &to);
	if (failed)
		errx(FAILED, "a writer failed");
	return seconds_between(&from, &to);
}

static long number(const char *text, long least)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || end == text || value < least)
		errx(USAGE, "%s: not a number of at least %ld", text, least);
	return value;
}

int main(int argc, char **argv)
{
	struct job job = { 0 };
	char *bytes;

	if (argc != 6)
		errx(USAGE, "closes FOLDER COUNT SIZE WRITERS "
			    "none|file|folder");
	job.count = number(argv[2], 1);
	job.size = (size_t)number(argv[3], 0);
	job.writers = number(argv[4], 1);
	job.flush_folder = !strcmp(argv[5], "folder");
	job.flush_file = job.flush_folder || !strcmp(argv[5], "file");
	if (!job.flush_file && strcmp(argv[5], "none"))
		errx(USAGE, "%s: none, file or folder", argv[5]);
	job.folder = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (job.folder < 0)
		err(FAILED, "%s", argv[1]);
	bytes = malloc(job.size + 1);
	if (!bytes)
		err(FAILED, "bytes");
	memset(bytes, 'x', job.size);
	job.bytes = bytes;
	printf("%.6f\n", run(&job));
	free(bytes);
	return EXIT_SUCCESS;
}
