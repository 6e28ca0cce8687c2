// SPDX-License-Identifier: MIT
/*
 * The table of what is pending; see pending.h.  Called by recovery.c,
 * offline.c and, for a rewrite, commit.c; calls journal.c and replay.c.
 *
 * Frames that hold records nobody understands are kept in files of their own
 * before a rewrite of the journal can drop them, named by their checksum so
 * that the next load finds them kept already.
 */
#include "config.h"

#include "mount/pending.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "mount/replay.h"
#include "src/base/checksum.h"
#include "src/base/cleanup.h"
#include "src/base/fdio.h"
#include "src/base/log.h"

/* ---- names ---- */

void data_name(uint64_t number, char name[DATA_NAME_MAX])
{
	snprintf(name, DATA_NAME_MAX, "data-%" PRIu64, number);
}

bool data_number(const char *name, uint64_t *number)
{
	char again[DATA_NAME_MAX];
	uint64_t value = 0;

	if (strncmp(name, "data-", 5) != 0)
		return false;
	for (const char *c = name + 5; *c; c++) {
		if (*c < '0' || *c > '9' || value > RECORD_ID_MAX / 10)
			return false;
		value = value * 10 + (uint64_t)(*c - '0');
	}
	/* Neither empty nor with leading zeros. */
	data_name(value, again);
	if (!value || value > RECORD_ID_MAX || strcmp(name, again) != 0)
		return false;
	*number = value;
	return true;
}

/* ---- frames ---- */

static const char kept_prefix[] = "journal.bad-record-";
static const char kept_unfinished[] = "journal.bad-record.new";

struct loading {
	struct replay replay;
	int dir_fd;
	unsigned int journal_flags;
	unsigned int bad_records;
};

static int keep_frame(int dir_fd, const void *payload, size_t length,
		      struct store_error *error)
{
	CLEANUP_FD int fd = -1;
	char name[64];

	snprintf(name, sizeof(name), "%s%016" PRIx64, kept_prefix,
		 checksum64(payload, length));
	if (!faccessat(dir_fd, name, F_OK, 0))
		return STORE_OK;
	fd = openat(dir_fd, kept_unfinished,
		    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0 || fd_write_at(fd, payload, length, 0) || fsync(fd) ||
	    renameat(dir_fd, kept_unfinished, dir_fd, name) || fsync(dir_fd))
		return store_error_errno(error, errno, "%s", name);
	return STORE_OK;
}

static int take_frame(void *arg, const void *payload, size_t length,
		      struct store_error *error)
{
	struct loading *loading = arg;
	struct store_error bad = STORE_ERROR_INIT;
	int code = replay_frame(&loading->replay, payload, length, &bad);

	if (code && code != STORE_CORRUPT)
		return store_error_set(error, code, "%s", bad.message);
	if (!code)
		return STORE_OK;
	loading->bad_records++;
	log_warn("staging journal: left out a frame: %s", bad.message);
	if ((loading->journal_flags & (JOURNAL_READ_ONLY | JOURNAL_KEEP)) ==
	    JOURNAL_READ_ONLY)
		return STORE_OK;
	return keep_frame(loading->dir_fd, payload, length, error);
}

/* ---- data files ---- */

struct number_list {
	uint64_t *numbers;
	size_t count, room;
};

static int list_add(struct number_list *list, uint64_t number,
		    struct store_error *error)
{
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		uint64_t *numbers =
			reallocarray(list->numbers, room, sizeof(*numbers));

		if (!numbers)
			return store_error_set(error, STORE_NO_MEMORY,
					       "no memory for data files");
		list->numbers = numbers;
		list->room = room;
	}
	list->numbers[list->count++] = number;
	return STORE_OK;
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Hands the numbers over; what can be had without an error is there. */
static void list_take(struct number_list *list, uint64_t **numbers,
		      size_t *count)
{
	if (list->count)
		qsort(list->numbers, list->count, sizeof(*list->numbers),
		      compare_numbers);
	*numbers = list->numbers;
	*count = list->count;
}

static bool is_plain_file(int dir_fd, const struct dirent *entry)
{
	struct stat found;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_REG;
	return !fstatat(dir_fd, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) &&
	       S_ISREG(found.st_mode);
}

struct data_files {
	struct number_list orphans;
	struct number_list settled;
	uint64_t last;
	unsigned int kept_frames;
};

/*
 * New names go on behind the last one.  One that is too far out is not of a
 * mount that has counted: it is kept where it is, and not counted.
 */
static void count_name(struct data_files *files, uint64_t number)
{
	if (number > RECORD_ID_LAST_MAX)
		log_warn("data-%" PRIu64 " in the staging directory is of no "
			 "mount; it is left alone",
			 number);
	else if (number > files->last)
		files->last = number;
}

static int sort_data_file(const struct replay *replay, uint64_t number,
			  struct data_files *files, struct store_error *error)
{
	switch (replay_owner_of(replay, number)) {
	case REPLAY_NOBODY:
		count_name(files, number);
		return list_add(&files->orphans, number, error);
	case REPLAY_SETTLED:
		return list_add(&files->settled, number, error);
	case REPLAY_LIVE:
		break;
	}
	return STORE_OK;
}

static int read_directory(DIR *listing, const struct replay *replay,
			  struct data_files *files, struct store_error *error)
{
	const struct dirent *entry;
	uint64_t number;
	int code = STORE_OK;

	while (!code) {
		errno = 0;
		entry = readdir(listing);
		if (!entry && errno)
			return store_error_errno(error, errno,
						 "staging directory");
		if (!entry)
			break;
		if (!strncmp(entry->d_name, kept_prefix,
			     sizeof(kept_prefix) - 1))
			files->kept_frames++;
		if (data_number(entry->d_name, &number) &&
		    is_plain_file(dirfd(listing), entry))
			code = sort_data_file(replay, number, files, error);
	}
	return code;
}

static int find_data_files(int dir_fd, const struct replay *replay,
			   struct pending *pending, struct store_error *error)
{
	CLEANUP_FD int fd =
		openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	struct data_files files = { .last = 0 };
	int code;

	if (!listing)
		return store_error_errno(error, errno, "staging directory");
	steal_fd(&fd);
	code = read_directory(listing, replay, &files, error);
	closedir(listing);
	list_take(&files.orphans, &pending->orphans, &pending->orphan_count);
	list_take(&files.settled, &pending->settled, &pending->settled_count);
	pending->last_layer = files.last;
	pending->findings.quarantine += files.kept_frames;
	return code;
}

/* ---- load ---- */

int pending_check_numbers(const struct pending *pending,
			  struct store_error *error)
{
	bool id = pending->last_id > RECORD_ID_LAST_MAX;

	if (!id && pending->last_layer <= RECORD_ID_LAST_MAX)
		return STORE_OK;
	return store_error_set(
		error, STORE_CORRUPT,
		"the staging journal names %s %" PRIu64 ", which no mount has "
		"counted up to; nothing can be numbered behind it. storectl "
		"lists and exports what is pending there as it is; then the "
		"directory has to be moved away",
		id ? "file" : "data file",
		id ? pending->last_id : pending->last_layer);
}

static int fill(struct loading *loading, struct pending *pending,
		struct store_error *error)
{
	int code = find_data_files(loading->dir_fd, &loading->replay, pending,
				   error);

	if (!code)
		code = replay_finish(&loading->replay, pending, error);
	if (!code)
		pending_measure(loading->dir_fd, pending);
	return code;
}

int pending_load(int dir_fd, unsigned int journal_flags,
		 struct pending *pending, struct journal **journal,
		 struct store_error *error)
{
	struct loading loading = { .dir_fd = dir_fd,
				   .journal_flags = journal_flags };
	struct pending made = { .count = 0 };
	struct journal *opened = NULL;
	int code;

	replay_init(&loading.replay);
	code = journal_open(dir_fd, journal_flags, take_frame, &loading,
			    &opened, &made.findings, error);
	if (!code) {
		code = fill(&loading, &made, error);
		made.bad_records = loading.bad_records;
	}
	replay_release(&loading.replay);
	if (code) {
		pending_release(&made);
		journal_close(opened);
		return code;
	}
	if (journal)
		*journal = opened;
	else
		journal_close(opened);
	*pending = made;
	return STORE_OK;
}

void pending_release(struct pending *pending)
{
	for (size_t i = 0; i < pending->count; i++) {
		struct record record = { .type = RECORD_FILE,
					 .file = pending->files[i].record };

		record_release(&record);
		free(pending->files[i].layers);
	}
	for (size_t i = 0; i < pending->layer_count; i++)
		replay_layer_free(pending->layers[i]);
	for (size_t i = 0; i < pending->move_count; i++) {
		free(pending->moves[i].from);
		free(pending->moves[i].to);
	}
	for (size_t i = 0; i < pending->copies_count; i++) {
		free(pending->copies[i].from);
		free(pending->copies[i].to);
	}
	for (size_t i = 0; i < pending->upload_count; i++) {
		free(pending->uploads[i].key);
		free(pending->uploads[i].token);
	}
	free(pending->uploads);
	free(pending->copies);
	free(pending->files);
	free(pending->layers);
	free(pending->moves);
	free(pending->orphans);
	free(pending->settled);
	*pending = (struct pending){ .count = 0 };
}
