// SPDX-License-Identifier: MIT
/*
 * Writing a journal file; see journal_file.h.  Called by journal.c, which
 * lets one thread in at a time.
 */
#include "config.h"

#include "mount/journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/crypto.h"
#include "src/base/fdio.h"
#include "src/base/step.h"

enum { ZEROS_SIZE = 64 << 10 };

static const char name[] = "journal";
static const char new_name[] = "journal.new";

/* 0, or an errno. */
static int write_at(int fd, const unsigned char *bytes, size_t length,
		    uint64_t offset)
{
	return fd_write_at(fd, bytes, length, offset) ? errno : 0;
}

static int write_zeros(int fd, uint64_t from, uint64_t to)
{
	static const unsigned char zeros[ZEROS_SIZE];
	int failed = 0;

	while (!failed && from < to) {
		size_t length = to - from < ZEROS_SIZE ? (size_t)(to - from)
						       : ZEROS_SIZE;

		failed = write_at(fd, zeros, length, from);
		from += length;
	}
	return failed;
}

int journal_file_wipe(struct journal_file *file, uint64_t from, uint64_t to,
		      struct store_error *error)
{
	int failed = write_zeros(file->fd, from, to);

	return failed ? store_error_errno(error, failed, "journal") : STORE_OK;
}

/* ---- room ahead ---- */

static int allocate(struct journal_file *file, uint64_t until)
{
	int failed = EOPNOTSUPP;

#ifdef HAVE_FALLOCATE
	do {
		failed = fallocate(file->fd, 0, (off_t)file->room,
				   (off_t)(until - file->room))
				 ? errno
				 : 0;
	} while (failed == EINTR);
#endif
	if (failed == EOPNOTSUPP || failed == ENOSYS)
		failed = write_zeros(file->fd, file->room, until);
	return failed;
}

/*
 * The size grows with the room, so that a flush of a frame need not write
 * it.
 */
static int extend(struct journal_file *file, uint64_t until)
{
	struct stat found;
	int failed;

	if (until <= file->room)
		return 0;
	failed = allocate(file, until);
	if (!failed) {
		file->room = until;
		if (file->size < until)
			file->size = until;
		return 0;
	}
	/* What a full disk gave of it is worth more to others. */
	if (!fstat(file->fd, &found) && (uint64_t)found.st_size > file->size &&
	    ftruncate(file->fd, (off_t)file->size))
		file->size = (uint64_t)found.st_size;
	return failed;
}

int journal_file_reserve(struct journal_file *file, uint64_t length,
			 unsigned int flags, struct store_error *error)
{
	uint64_t least = file->end + length;
	uint64_t kept = least + JOURNAL_RESERVE;
	int failed = 0;

	if (file->room >= kept)
		return STORE_OK;
	if (extend(file, kept + JOURNAL_CHUNK))
		failed = extend(file, kept);
	if (failed && (flags & JOURNAL_RELEASES))
		failed = extend(file, least);
	return failed ? store_error_errno(error, failed, "journal") : STORE_OK;
}

/* What others may need is not for speed. */
static bool disk_is_roomy(int fd, uint64_t step)
{
	struct statvfs found;

	return !fstatvfs(fd, &found) &&
	       (uint64_t)found.f_bavail * found.f_frsize / 64 >= step;
}

int journal_file_widen(int fd, uint64_t from, uint64_t step)
{
	int failed;

	if (!disk_is_roomy(fd, step))
		return ENOSPC;
	failed = write_zeros(fd, from, from + step);
#ifdef SYNC_FILE_RANGE_WRITE
	/* Flushed with the next frame. */
	if (!failed && sync_file_range(fd, (off_t)from, (off_t)step,
				       SYNC_FILE_RANGE_WAIT_BEFORE |
					       SYNC_FILE_RANGE_WRITE |
					       SYNC_FILE_RANGE_WAIT_AFTER))
		failed = errno;
#endif
	return failed;
}

void journal_file_look_ahead(struct journal_file *file)
{
	uint64_t reserve = file->end + JOURNAL_RESERVE;

	if (file->room < reserve && extend(file, reserve + JOURNAL_CHUNK))
		extend(file, reserve);
}

/* ---- frames ---- */

int journal_file_append(struct journal_file *file, struct journal_frame *frame,
			const void *payload, unsigned int flags, bool *spoiled,
			struct store_error *error)
{
	uint64_t size = journal_frame_size(frame->length);
	CLEANUP_FREE unsigned char *bytes = malloc((size_t)size);
	int failed, code;

	if (!bytes)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for the journal");
	code = journal_file_reserve(file, size, flags, error);
	if (code)
		return code;
	frame->id = file->id;
	journal_frame_encode(bytes, frame, payload);
	failed = write_at(file->fd, bytes, (size_t)size, file->end);
	if (!failed) {
		file->end += size;
		return STORE_OK;
	}
	*spoiled = write_zeros(file->fd, file->end, file->end + size) != 0;
	return store_error_errno(error, failed, "journal");
}

/* ---- a new file ---- */

int journal_file_write_header(struct journal_file *file,
			      struct store_error *error)
{
	unsigned char header[JOURNAL_HEADER_SIZE];
	int failed;

	journal_header_encode(header, file->id);
	failed = write_at(file->fd, header, sizeof(header), 0);
	return failed ? store_error_errno(error, failed, "journal") : STORE_OK;
}

int journal_file_create(int dir_fd, struct journal_file *file,
			struct store_error *error)
{
	int code = STORE_OK;

	*file = (struct journal_file){ .fd = -1,
				       .end = JOURNAL_HEADER_SIZE,
				       .room = JOURNAL_HEADER_SIZE,
				       .size = JOURNAL_HEADER_SIZE };
	/* A frame's id tells it from one that is part of staged data. */
	while (!code && !file->id)
		code = crypto_random(&file->id, sizeof(file->id), error);
	if (code)
		return code;
	file->fd = openat(dir_fd, new_name,
			  O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			  0600);
	if (file->fd < 0)
		return store_error_errno(error, errno, "%s", new_name);
	STEP("journal: new file made");
	code = journal_file_write_header(file, error);
	if (code) {
		journal_file_close(file);
		journal_file_discard(dir_fd);
	}
	return code;
}

void journal_file_close(struct journal_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

void journal_file_discard(int dir_fd)
{
	unlinkat(dir_fd, new_name, 0);
}

int journal_file_install(int dir_fd, struct journal_file *file, bool *renamed,
			 struct store_error *error)
{
	*renamed = false;
	STEP("journal: new file written");
	if (STEP_WANTED("journal: flush new file") && fsync(file->fd))
		return store_error_errno(error, errno, "%s", new_name);
	STEP("journal: new file flushed");
	if (renameat(dir_fd, new_name, dir_fd, name))
		return store_error_errno(error, errno, "%s", new_name);
	*renamed = true;
	STEP("journal: new file renamed");
	if (STEP_WANTED("journal: flush directory") && fsync(dir_fd))
		return store_error_errno(error, errno, "%s", name);
	STEP("journal: new file durable");
	return STORE_OK;
}
