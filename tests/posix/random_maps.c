// SPDX-License-Identifier: MIT
// random_ops: shared mappings, kept over later steps and past the close of
// their handle. Each operation is applied to one side; random_main.c calls
// them through the table.
//
// Mapped writes stay within the size of the file and are synced in the same
// step: when the bytes of an unsynced mapping reach the file, and with which
// mtime, is left open by POSIX.
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/posix/random.h"

static sigjmp_buf bus_jump;

static void on_bus(int sig)
{
	(void)sig;
	siglongjmp(bus_jump, 1);
}

// memcpy that answers EFAULT where the kernel answers SIGBUS.
static long guarded_copy(unsigned char *to, const unsigned char *from,
			 size_t len)
{
	struct sigaction act;
	struct sigaction old;

	memset(&act, 0, sizeof(act));
	act.sa_handler = on_bus;
	sigaction(SIGBUS, &act, &old);
	if (sigsetjmp(bus_jump, 1)) {
		sigaction(SIGBUS, &old, NULL);
		errno = EFAULT;
		return -1;
	}
	memcpy(to, from, len);
	sigaction(SIGBUS, &old, NULL);
	return (long)len;
}

static void op_map(struct rnd *r, int side, const struct args *args,
		   struct result *res)
{
	struct mapping *m = &r->maps[args->map];
	int fd = r->fd[side][args->slot];
	char proc[64];

	m->writable = args->variant % 3 != 0;
	m->off = args->off / 65536 * 65536;
	m->at[side] = NULL;
	m->path_fd[side] = -1;
	void *at =
		mmap(NULL, MAP_LEN, PROT_READ | (m->writable ? PROT_WRITE : 0),
		     MAP_SHARED, fd, m->off);

	if (at == MAP_FAILED) {
		random_outcome(res, -1);
		return;
	}
	m->at[side] = at;
	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	m->path_fd[side] = open(proc, O_PATH | O_CLOEXEC);
	random_outcome(res, m->path_fd[side] < 0 ? -1 : 0);
}

// How much of the wanted part of the mapping lies inside the file.
static size_t inside(const struct mapping *m, int side, size_t start,
		     size_t len)
{
	struct stat st;

	if (fstat(m->path_fd[side], &st))
		return 0;
	if (st.st_size <= m->off + (off_t)start)
		return 0;
	off_t most = st.st_size - m->off - (off_t)start;

	if (start + len > MAP_LEN)
		len = MAP_LEN - start;
	return (off_t)len < most ? len : (size_t)most;
}

static void op_map_read(struct rnd *r, int side, const struct args *args,
			struct result *res)
{
	const struct mapping *m = &r->maps[args->map];
	size_t start = (size_t)args->off % MAP_LEN;
	size_t len = inside(m, side, start, args->len);

	random_outcome(res, guarded_copy(res->data, m->at[side] + start, len));
	if (res->ret > 0)
		res->len = (size_t)res->ret;
}

static void drop(struct mapping *m, int side)
{
	if (m->at[side])
		munmap(m->at[side], MAP_LEN);
	if (m->path_fd[side] >= 0)
		close(m->path_fd[side]);
	m->at[side] = NULL;
	m->path_fd[side] = -1;
}

static void op_map_write(struct rnd *r, int side, const struct args *args,
			 struct result *res)
{
	struct mapping *m = &r->maps[args->map];
	size_t start = (size_t)args->off % MAP_LEN;
	size_t len = inside(m, side, start, args->len);

	if (!m->writable) {
		random_outcome(res, 0);
		return;
	}
	const unsigned char *bytes = random_bytes(r, args->fill, len);

	random_outcome(res, guarded_copy(m->at[side] + start, bytes, len));
	if (res->ret < 0)
		return;
	if (args->variant % 4 == 0)
		drop(m, side);
	else if (msync(m->at[side], MAP_LEN, MS_SYNC))
		random_outcome(res, -1);
}

static void op_unmap(struct rnd *r, int side, const struct args *args,
		     struct result *res)
{
	drop(&r->maps[args->map], side);
	random_outcome(res, 0);
}

void random_unmap_all(struct rnd *r)
{
	for (int m = 0; m < MAPS; m++)
		for (int side = 0; side < SIDES; side++)
			drop(&r->maps[m], side);
}

const struct operation random_map_operations[] = {
	{ "map", 6, USES_SLOT | USES_FREE_MAP | USES_IO, op_map },
	{ "map_read", 8, USES_MAP | USES_IO, op_map_read },
	{ "map_write", 10, USES_MAP | USES_IO, op_map_write },
	{ "unmap", 3, USES_MAP, op_unmap },
	{ NULL, 0, 0, NULL },
};
