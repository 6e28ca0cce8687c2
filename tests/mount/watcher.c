// SPDX-License-Identifier: MIT
// watcher: looks at a file all the time and knows what it may hold.
//
//   watcher READY FILE ALLOWED...
//
// Reads FILE over and over until SIGTERM. Every look must find the whole
// content of one of the files ALLOWED; a missing file, an empty one, a part
// or a mixture is told and makes the exit code 1. READY is created after the
// first look. Prints how often it looked. Usage or trouble: 2.
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/posix/errname.h"

enum { CONTENT_MAX = 8 << 20, ALLOWED_MAX = 8 };

struct content {
	char *data;
	ssize_t size; // -1: no such file
};

static volatile sig_atomic_t done;

static void on_term(int sig)
{
	(void)sig;
	done = 1;
}

static void load(const char *path, struct content *content)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	content->size = -1;
	if (fd < 0)
		return;
	content->size = 0;
	do {
		n = read(fd, content->data + content->size,
			 (size_t)(CONTENT_MAX - content->size));
		if (n > 0)
			content->size += n;
	} while (n > 0);
	close(fd);
	if (n < 0)
		content->size = -1;
}

static bool same(const struct content *a, const struct content *b)
{
	return a->size >= 0 && a->size == b->size &&
	       !memcmp(a->data, b->data, (size_t)a->size);
}

static struct content content_new(void)
{
	struct content content = { .data = malloc(CONTENT_MAX), .size = -1 };

	if (!content.data)
		exit(2);
	return content;
}

static void tell(const char *path, const struct content *seen)
{
	int shown = seen->size < 40 ? (int)seen->size : 40;

	if (seen->size < 0)
		printf("%s could not be read: %s\n", path, errname(errno));
	else
		printf("%s was %zd bytes long: '%.*s'\n", path, seen->size,
		       shown, seen->data);
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_term };
	struct content allowed[ALLOWED_MAX], seen = content_new();
	int count = argc - 3, bad = 0;
	long looks = 0;

	if (count < 1 || count > ALLOWED_MAX) {
		fprintf(stderr, "usage: watcher READY FILE ALLOWED...\n");
		return 2;
	}
	sigaction(SIGTERM, &act, NULL);
	for (int i = 0; i < count; i++) {
		allowed[i] = content_new();
		load(argv[3 + i], &allowed[i]);
	}
	for (; !done; looks++) {
		bool known = false;

		load(argv[2], &seen);
		for (int i = 0; i < count; i++)
			known |= same(&seen, &allowed[i]);
		if (!known && bad++ < 5)
			tell(argv[2], &seen);
		if (!looks)
			close(open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC,
				   0644));
	}
	printf("%ld looks, %d of them wrong\n", looks, bad);
	return bad ? 1 : 0;
}
