// SPDX-License-Identifier: MIT
// fileop: system calls on one file, in the order of the arguments, from one
// process: what shells cannot do exactly.
//
//   fileop COMMAND [ARGUMENT...] ...
//
//   open FLAGS PATH   letters: r w (both: read and write) a c t x
//   write TEXT        fill BYTE COUNT     read COUNT     cat
//   seek OFFSET       truncate SIZE       fsync          close
//   map SIZE          poke OFFSET TEXT    msync          unmap
//   await PATH        until it exists     mark PATH      create it
//   try COMMAND ...   print the name of its error, or OK, and go on
//
// Without try the first failure ends the program with status 1. Errors go to
// standard output as "COMMAND: EIO", what is read goes there, too. Usage: 2.
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/posix/errname.h"

enum { PIECE = 1 << 16, AWAIT_STEPS = 6000 };

struct state {
	int fd;
	char *map;
	size_t map_size;
};

// Each returns 0, or -1 with errno.
struct command {
	const char *name;
	int arguments;
	int (*run)(struct state *s, char **args);
};

static long long number(const char *text)
{
	char *end;
	long long value = strtoll(text, &end, 10);

	if (*end || end == text) {
		fprintf(stderr, "fileop: not a number: %s\n", text);
		exit(2);
	}
	return value;
}

static int run_open(struct state *s, char **args)
{
	bool reads = strchr(args[0], 'r'), writes = strchr(args[0], 'w');
	int flags = reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;

	flags |= strchr(args[0], 'a') ? O_APPEND : 0;
	flags |= strchr(args[0], 'c') ? O_CREAT : 0;
	flags |= strchr(args[0], 't') ? O_TRUNC : 0;
	flags |= strchr(args[0], 'x') ? O_EXCL : 0;
	s->fd = open(args[1], flags, 0644);
	return s->fd < 0 ? -1 : 0;
}

static int write_all(int fd, const char *data, size_t length)
{
	while (length) {
		ssize_t n = write(fd, data, length);

		if (n < 0)
			return -1;
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

static int run_write(struct state *s, char **args)
{
	return write_all(s->fd, args[0], strlen(args[0]));
}

static int run_fill(struct state *s, char **args)
{
	long long left = number(args[1]);
	char piece[PIECE];

	memset(piece, args[0][0], sizeof(piece));
	for (; left > 0; left -= PIECE)
		if (write_all(s->fd, piece,
			      left < PIECE ? (size_t)left : PIECE))
			return -1;
	return 0;
}

static int copy_out(struct state *s, long long count)
{
	char piece[PIECE];

	while (count) {
		ssize_t n = read(s->fd, piece,
				 count < PIECE ? (size_t)count : PIECE);

		if (n <= 0)
			return (int)n;
		fwrite(piece, 1, (size_t)n, stdout);
		count -= n;
	}
	return 0;
}

static int run_read(struct state *s, char **args)
{
	return copy_out(s, number(args[0]));
}

static int run_cat(struct state *s, char **args)
{
	(void)args;
	return copy_out(s, INT64_MAX);
}

static int run_seek(struct state *s, char **args)
{
	return lseek(s->fd, number(args[0]), SEEK_SET) < 0 ? -1 : 0;
}

static int run_truncate(struct state *s, char **args)
{
	return ftruncate(s->fd, number(args[0]));
}

static int run_fsync(struct state *s, char **args)
{
	(void)args;
	return fsync(s->fd);
}

static int run_close(struct state *s, char **args)
{
	int fd = s->fd;

	(void)args;
	s->fd = -1;
	return close(fd);
}

static int run_map(struct state *s, char **args)
{
	s->map_size = (size_t)number(args[0]);
	s->map = mmap(NULL, s->map_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      s->fd, 0);
	return s->map == MAP_FAILED ? -1 : 0;
}

static int run_poke(struct state *s, char **args)
{
	memcpy(s->map + number(args[0]), args[1], strlen(args[1]));
	return 0;
}

static int run_msync(struct state *s, char **args)
{
	(void)args;
	return msync(s->map, s->map_size, MS_SYNC);
}

static int run_unmap(struct state *s, char **args)
{
	(void)args;
	return munmap(s->map, s->map_size);
}

static int run_await(struct state *s, char **args)
{
	struct timespec pause = { .tv_nsec = 10000000 };

	(void)s;
	for (int step = 0; step < AWAIT_STEPS; step++) {
		if (access(args[0], F_OK) == 0)
			return 0;
		nanosleep(&pause, NULL);
	}
	errno = ETIMEDOUT;
	return -1;
}

static int run_mark(struct state *s, char **args)
{
	int fd = open(args[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	(void)s;
	return fd < 0 ? -1 : close(fd);
}

static const struct command commands[] = {
	{ "open", 2, run_open },   { "write", 1, run_write },
	{ "fill", 2, run_fill },   { "read", 1, run_read },
	{ "cat", 0, run_cat },	   { "seek", 1, run_seek },
	{ "fsync", 0, run_fsync }, { "truncate", 1, run_truncate },
	{ "close", 0, run_close }, { "map", 1, run_map },
	{ "poke", 2, run_poke },   { "msync", 0, run_msync },
	{ "unmap", 0, run_unmap }, { "await", 1, run_await },
	{ "mark", 1, run_mark },
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	fprintf(stderr, "fileop: no command %s\n", name);
	exit(2);
}

// One command; where the next one begins.
static char **step(struct state *s, char **args, char **end)
{
	bool tolerant = !strcmp(*args, "try");
	const struct command *command;
	int failed;

	args += tolerant;
	command = find(args < end ? *args : "");
	if (end - args <= command->arguments) {
		fprintf(stderr, "fileop: %s needs more\n", command->name);
		exit(2);
	}
	failed = command->run(s, args + 1);
	if (failed || tolerant)
		printf("%s: %s\n", command->name,
		       failed ? errname(errno) : "OK");
	fflush(stdout);
	if (failed && !tolerant)
		exit(1);
	return args + 1 + command->arguments;
}

int main(int argc, char **argv)
{
	struct state s = { .fd = -1 };
	char **args = argv + 1, **end = argv + argc;

	while (args < end)
		args = step(&s, args, end);
	return 0;
}
