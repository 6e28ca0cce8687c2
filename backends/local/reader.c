// SPDX-License-Identifier: MIT
/*
 * Reading one version of a file.
 *
 * Called by the table; set_attributes and writes in place tell it what they
 * did.  Open readers stand in a table by inode number, under `lock` of the
 * instance, which is held for a few instructions or one fstat.
 */
#include "config.h"

#include "backends/local/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "backends/local/bytes.h"
#include "backends/local/path.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/fdio.h"

struct local_reader {
	/* immutable */
	int fd;
	uint64_t dev;
	uint64_t ino;
	uint64_t size;
	/* protected by the lock of the instance */
	struct timespec mtime;
	bool broken;
	struct local_reader *next;
	struct local_reader **link; /* what points here */
};

static struct local_reader **row_of(struct local *self, uint64_t ino)
{
	return &self->readers[ino % LOCAL_READER_ROWS];
}

static bool is_reader_of(const struct local_reader *reader,
			 const struct local_stat *st)
{
	return reader->ino == st->ino && reader->dev == st->dev;
}

void local_readers_follow_locked(struct local *self,
				 const struct local_stat *before,
				 const struct local_stat *after)
{
	struct local_reader *at = *row_of(self, before->ino);

	for (; at; at = at->next)
		if (is_reader_of(at, before) &&
		    timespec_compare(at->mtime, before->mtime) == 0)
			at->mtime = after->mtime;
}

void local_readers_break(struct local *self, const struct local_stat *st)
{
	lock_take(&self->lock);
	for (struct local_reader *at = *row_of(self, st->ino); at;
	     at = at->next)
		if (is_reader_of(at, st))
			at->broken = true;
	lock_drop(&self->lock);
}

static void enlist_locked(struct local *self, struct local_reader *reader)
	REQUIRES(self->lock)
{
	struct local_reader **row = row_of(self, reader->ino);

	reader->next = *row;
	reader->link = row;
	if (*row)
		(*row)->link = &reader->next;
	*row = reader;
}

/*
 * A reader of this descriptor; NULL with errno.  What it pins is asked for
 * under the lock, so that no mtime is set between that and its entry.
 */
static struct local_reader *reader_new(struct local *self, int fd,
				       struct local_stat *st)
{
	struct local_reader *fresh = calloc(1, sizeof(*fresh));
	int failed;

	if (!fresh)
		return NULL;
	lock_take(&self->lock);
	failed = local_stat_at(fd, "", st);
	if (!failed) {
		fresh->fd = fd;
		fresh->dev = st->dev;
		fresh->ino = st->ino;
		fresh->size = st->size;
		fresh->mtime = st->mtime;
		enlist_locked(self, fresh);
	}
	lock_drop(&self->lock);
	if (!failed)
		return fresh;
	free(fresh);
	return NULL;
}

void local_close_reader(void *self, void *reader)
{
	struct local *local = self;
	struct local_reader *old = reader;

	lock_take(&local->lock);
	*old->link = old->next;
	if (old->next)
		old->next->link = old->link;
	lock_drop(&local->lock);
	close(old->fd);
	free(old);
}

/* Only regular files are opened: a fifo would wait, a device would act. */
int local_open_file(struct local *self, const char *key, int *fd,
		    struct local_stat *st, struct store_error *error)
{
	CLEANUP_FD int node = -1;
	int code = local_open_key(self, key, O_PATH, &node, error);

	if (code)
		return code;
	if (local_stat_at(node, "", st))
		return local_fail(error, errno, "open");
	if (S_ISREG(st->mode)) {
		*fd = local_open_path(self, key,
				      O_RDONLY | O_NONBLOCK | O_NOCTTY);
		if (*fd < 0)
			return local_fail_source(error, errno, "open");
		if (local_stat_at(*fd, "", st))
			return local_fail(error, errno, "open");
	}
	if (S_ISDIR(st->mode))
		return local_fail(error, EISDIR, "open");
	if (!S_ISREG(st->mode))
		return store_error_set(error, STORE_INVALID,
				       "it is no regular file");
	return STORE_OK;
}

int local_open_reader(void *self, struct store_context *context,
		      const char *key, const struct store_version *pin,
		      void **reader, struct store_info *info,
		      struct store_error *error)
{
	CLEANUP_FD int fd = -1;
	struct store_version version;
	struct local_reader *fresh;
	struct local_stat st;
	int code = store_context_check(context, error);

	if (!code)
		code = local_open_file(self, key, &fd, &st, error);
	if (code)
		return code;
	fresh = reader_new(self, fd, &st);
	if (!fresh)
		return local_fail(error, errno, "open");
	fd = -1; /* the reader's now */
	local_version_of(self, &st, &version);
	if (pin && !store_version_equal(pin, &version)) {
		local_close_reader(self, fresh);
		return store_error_set(error, STORE_CHANGED,
				       "it was changed meanwhile");
	}
	local_info_of(self, &st, local_id_of(self, fresh->fd, &st), info);
	*reader = fresh;
	return STORE_OK;
}

static bool is_pinned(const struct local_reader *reader, const struct stat *st)
{
	return !reader->broken && (uint64_t)st->st_size == reader->size &&
	       timespec_compare(st->st_mtim, reader->mtime) == 0;
}

/*
 * Is it still the pinned version?  The second look is under the lock, so
 * that an mtime which is being set in this moment is no change.
 */
static bool is_unchanged(struct local *self, struct local_reader *reader)
{
	struct stat st;
	bool same;

	if (fstat(reader->fd, &st))
		return false;
	lock_take(&self->lock);
	same = is_pinned(reader, &st) ||
	       (fstat(reader->fd, &st) == 0 && is_pinned(reader, &st));
	lock_drop(&self->lock);
	return same;
}

static int read_chunks(struct local_reader *reader,
		       struct store_context *context,
		       const struct store_range *range, void *data,
		       struct store_error *error)
{
	for (uint64_t done = 0; done < range->length;) {
		uint64_t left = range->length - done;
		size_t step = left < LOCAL_CHUNK ? (size_t)left : LOCAL_CHUNK;
		int code = store_context_check(context, error);
		ssize_t read;

		if (code)
			return code;
		read = fd_read_at(reader->fd, (char *)data + done, step,
				  range->offset + done);
		if (read < 0)
			return store_error_errno(error, errno, "read");
		if ((size_t)read < step)
			return STORE_OK; /* shorter: seen by the caller */
		done += step;
		store_context_progress(context);
	}
	return STORE_OK;
}

int local_read(void *self, struct store_context *context, void *reader,
	       uint64_t offset, void *data, size_t length, size_t *got,
	       struct store_error *error)
{
	struct local_reader *from = reader;
	struct store_range range = { .offset = offset };
	int code;

	if (offset < from->size)
		range.length = from->size - offset < length
				       ? from->size - offset
				       : length;
	code = read_chunks(from, context, &range, data, error);
	if (code)
		return code;
	if (!is_unchanged(self, from))
		return store_error_set(error, STORE_CHANGED,
				       "the file was written meanwhile");
	*got = (size_t)range.length;
	return STORE_OK;
}

int local_reader_data(void *self, void *reader, uint64_t offset,
		      struct store_range *range, struct store_error *error)
{
	const struct local_reader *from = reader;

	(void)self;
	(void)error;
	local_next_data(from->fd, offset, from->size, range);
	return STORE_OK;
}
