// SPDX-License-Identifier: MIT
/* Reads a tree of files into a state; see tree.h.  Not for several threads. */
#include "config.h"

#include "tests/crash/tree.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* nftw() carries no argument along. */
static struct {
	struct state *state;
	size_t root_length;
	bool failed;
} reading;

static void failed(const char *path)
{
	perror(path);
	reading.failed = true;
}

static void read_file(const char *path, struct item *item)
{
	static unsigned char piece[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = -1;

	item->sum = SUM_START;
	while (fd >= 0 && (got = read(fd, piece, sizeof(piece))) > 0) {
		item->sum = sum_add(item->sum, piece, (size_t)got);
		item->size += (uint64_t)got;
	}
	if (got < 0) {
		failed(path);
		item->type = '?';
	}
	if (fd >= 0)
		close(fd);
}

static void read_link(const char *path, struct item *item)
{
	ssize_t got = readlink(path, item->target, STATE_NAME - 1);

	if (got < 0)
		failed(path);
	else
		item->target[got] = '\0';
}

static int read_entry(const char *path, const struct stat *st, int type,
		      struct FTW *place)
{
	struct item item = { .target = "-" };

	if (place->level == 0)
		return 0;
	if (type == FTW_NS || type == FTW_DNR)
		failed(path);
	snprintf(item.name, sizeof(item.name), "%s",
		 path + reading.root_length + 1);
	item.mode = st->st_mode & 07777;
	if (S_ISDIR(st->st_mode)) {
		item.type = 'd';
	} else if (S_ISLNK(st->st_mode)) {
		item.type = 'l';
		item.mode = 0;
		read_link(path, &item);
	} else {
		item.type = S_ISREG(st->st_mode) ? 'f' : '?';
		read_file(path, &item);
		if (item.type == 'f' && st->st_size != (off_t)item.size) {
			fprintf(stderr, "%s: %lld bytes, says stat\n", path,
				(long long)st->st_size);
			item.type = '?';
		}
	}
	state_apply(reading.state, &(struct effect){ EFFECT_PUT, item });
	return 0;
}

bool tree_read(const char *root, struct state *state)
{
	*state = (struct state){ .count = 0 };
	reading.state = state;
	reading.root_length = strlen(root);
	reading.failed = false;
	if (nftw(root, read_entry, 20, FTW_PHYS) != 0)
		failed(root);
	return !reading.failed;
}
