// SPDX-License-Identifier: MIT
/*
 * Any bytes as a staging journal.  What is read from them once is what is
 * read ever after, with what is appended behind it; what is refused is left
 * as it was.  When the first byte is odd, ids and checksums are put right
 * first, or no input would ever get past them.
 */
#include "config.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/journal.h"
#include "mount/journal_frame.h"
#include "src/base/buf.h"
#include "src/base/checksum.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

enum { FRAMES_MAX = 64 << 20 };

/* ---- a folder for one file ---- */

static char folder[64];
static int folder_fd = -1;

static void empty_folder(void)
{
	DIR *listing = opendir(folder);
	const struct dirent *entry;

	CHECK(listing);
	while ((entry = readdir(listing)))
		unlinkat(folder_fd, entry->d_name, 0);
	closedir(listing);
}

static void remove_folder(void)
{
	empty_folder();
	rmdir(folder);
}

static void make_folder(void)
{
	/* Nothing here is worth a disk. */
	snprintf(folder, sizeof(folder), "%s/storefs-fuzz.XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	CHECK(mkdtemp(folder));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(folder_fd >= 0);
	atexit(remove_folder);
}

static void write_file(const uint8_t *data, size_t size)
{
	int fd = openat(folder_fd, "journal",
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void check_untouched(const uint8_t *data, size_t size)
{
	int fd = openat(folder_fd, "journal", O_RDONLY | O_CLOEXEC);
	uint8_t *now = malloc(size + 1);

	CHECK(fd >= 0 && now);
	CHECK(read(fd, now, size + 1) == (ssize_t)size);
	CHECK(!size || !memcmp(now, data, size));
	free(now);
	close(fd);
}

/* ---- checksums ---- */

static void put64(uint8_t *bytes, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

static void repair(uint8_t *data, size_t size)
{
	struct journal_frame frame;

	if (size < JOURNAL_HEADER_SIZE)
		return;
	put64(data + 32, checksum64(data, 32));
	for (size_t at = JOURNAL_HEADER_SIZE; at + JOURNAL_FRAME_HEADER <= size;
	     at += JOURNAL_ALIGNMENT) {
		if (!journal_frame_begins(data + at))
			continue;
		journal_frame_decode(data + at, &frame);
		if (frame.length > size - at - JOURNAL_FRAME_HEADER)
			continue;
		memcpy(data + at + 16, data + 24, 8);
		put64(data + at,
		      checksum64(data + at + 8,
				 JOURNAL_FRAME_HEADER - 8 + frame.length));
	}
}

/* ---- reading ---- */

static int note(void *arg, const void *payload, size_t length,
		struct store_error *error)
{
	struct buf *frames = arg;

	buf_add(frames, &length, sizeof(length));
	buf_add(frames, payload, length);
	return buf_error(frames, "frames", error);
}

static int open_journal(unsigned int flags, struct buf *frames,
			struct journal **journal,
			struct journal_findings *findings)
{
	struct store_error error = STORE_ERROR_INIT;
	int code = journal_open(folder_fd, flags, note, frames, journal,
				findings, &error);

	check_error(code, &error);
	CHECK(!code || code == STORE_CORRUPT || code == STORE_NOT_SUPPORTED);
	return code;
}

static void check_same(const struct buf *a, const struct buf *b)
{
	CHECK(a->length == b->length);
	CHECK(!a->length || !memcmp(a->data, b->data, a->length));
}

static void append(struct journal *journal, struct buf *frames)
{
	struct store_error error = STORE_ERROR_INIT;
	uint64_t position;

	CHECK(!journal_append(journal, "more", 4, 0, &position, &error));
	CHECK(!journal_sync(journal, position, &error));
	CHECK(!note(frames, "more", 4, &error));
}

/* It reads so, and nothing is left to mend. */
static void read_again(const struct buf *frames, unsigned int quarantine)
{
	struct buf again = BUF_INIT(FRAMES_MAX);
	struct journal_findings findings;
	struct journal *journal;

	CHECK(!open_journal(0, &again, &journal, &findings));
	check_same(&again, frames);
	CHECK(!findings.bad_bytes && findings.quarantine == quarantine);
	append(journal, &again);
	journal_close(journal);
	buf_release(&again);
}

static void run(const uint8_t *data, size_t size)
{
	struct buf looked = BUF_INIT(FRAMES_MAX), frames = BUF_INIT(FRAMES_MAX);
	struct journal_findings before, findings;
	struct journal *journal;
	int code = open_journal(JOURNAL_READ_ONLY, &looked, &journal, &before);

	if (!code)
		journal_close(journal);
	check_untouched(data, size);
	CHECK(open_journal(0, &frames, &journal, &findings) == code);
	if (code) {
		check_untouched(data, size);
	} else {
		check_same(&looked, &frames);
		CHECK(findings.frames == before.frames);
		CHECK(findings.bad_bytes == before.bad_bytes);
		CHECK(findings.bad_bytes <= size);
		CHECK(findings.quarantine <= 1);
		CHECK(findings.quarantine || !findings.bad_bytes);
		append(journal, &frames);
		journal_close(journal);
		read_again(&frames, findings.quarantine);
	}
	buf_release(&looked);
	buf_release(&frames);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file;

	if (!size)
		return 0;
	if (folder_fd < 0)
		make_folder();
	file = malloc(size);
	CHECK(file);
	memcpy(file, data + 1, size - 1);
	if (data[0] & 1)
		repair(file, size - 1);
	write_file(file, size - 1);
	run(file, size - 1);
	free(file);
	empty_folder();
	return 0;
}
