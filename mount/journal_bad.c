// SPDX-License-Identifier: MIT
/*
 * The quarantine of the journal; see journal_bad.h.  Called by
 * journal_open.c before it changes anything.  No locks.
 */
#include "config.h"

#include "mount/journal_bad.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/journal_frame.h"
#include "src/base/cleanup.h"
#include "src/base/step.h"

enum { COPY_SIZE = 1 << 20, NAME_LENGTH_MAX = 40 };

static const char prefix[] = "journal.bad-";
static const char unfinished[] = "journal.bad.new";

static bool number_of(const char *name, uint64_t *number)
{
	size_t length = sizeof(prefix) - 1;
	char *end;

	if (strncmp(name, prefix, length) || name[length] < '1' ||
	    name[length] > '9')
		return false;
	errno = 0;
	*number = strtoull(name + length, &end, 10);
	return !errno && !*end;
}

unsigned int journal_bad_count(int dir_fd, uint64_t *last)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	uint64_t number, highest = 0;
	const struct dirent *entry;
	unsigned int count = 0;

	while (listing && (entry = readdir(listing)))
		if (number_of(entry->d_name, &number)) {
			count++;
			if (number > highest)
				highest = number;
		}
	if (listing)
		closedir(listing);
	else if (fd >= 0)
		close(fd);
	if (last)
		*last = highest;
	return count;
}

static int copy_damage(struct journal_scan *scan, FILE *out,
		       const struct journal_damage *damage,
		       struct store_error *error)
{
	uint64_t left = damage->length;
	const unsigned char *bytes;
	size_t length;
	int code;

	fprintf(out, "offset %" PRIu64 " length %" PRIu64 "\n", damage->offset,
		damage->length);
	for (; left; left -= length) {
		length = left < COPY_SIZE ? (size_t)left : COPY_SIZE;
		code = journal_scan_bytes(
			scan, damage->offset + damage->length - left, length,
			&bytes, error);
		if (code)
			return code;
		fwrite(bytes, 1, length, out);
	}
	fputc('\n', out);
	return STORE_OK;
}

static int copy_all(struct journal_scan *scan, FILE *out,
		    struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; !code && i < scan->damage_count; i++)
		code = copy_damage(scan, out, &scan->damage[i], error);
	/* What an earlier call could not write, this one finds, too. */
	if (!code && (fflush(out) || ferror(out)))
		code = store_error_errno(error, errno ? errno : EIO, "%s",
					 unfinished);
	STEP("journal: quarantine written");
	if (!code && STEP_WANTED("journal: flush quarantine") &&
	    fsync(fileno(out)))
		code = store_error_errno(error, errno, "%s", unfinished);
	return code;
}

static int give_name(int dir_fd, struct store_error *error)
{
	char name[NAME_LENGTH_MAX];
	uint64_t last;

	journal_bad_count(dir_fd, &last);
	/* Also where somebody has used up the numbers. */
	do
		snprintf(name, sizeof(name), "%s%" PRIu64, prefix, ++last);
	while (!last || !faccessat(dir_fd, name, F_OK, AT_SYMLINK_NOFOLLOW));
	STEP("journal: quarantine flushed");
	if (renameat(dir_fd, unfinished, dir_fd, name))
		return store_error_errno(error, errno, "%s", name);
	STEP("journal: quarantine named");
	if (STEP_WANTED("journal: flush quarantine name") && fsync(dir_fd))
		return store_error_errno(error, errno, "%s", name);
	STEP("journal: quarantine durable");
	return STORE_OK;
}

int journal_bad_keep(int dir_fd, struct journal_scan *scan,
		     struct store_error *error)
{
	int fd = openat(dir_fd, unfinished,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0600);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	int code;

	if (!out) {
		code = store_error_errno(error, errno, "%s", unfinished);
		if (fd >= 0)
			close(fd);
		return code;
	}
	errno = 0;
	code = copy_all(scan, out, error);
	if (fclose(out) && !code)
		code = store_error_errno(error, errno, "%s", unfinished);
	if (!code)
		code = give_name(dir_fd, error);
	if (code)
		unlinkat(dir_fd, unfinished, 0);
	return code;
}
