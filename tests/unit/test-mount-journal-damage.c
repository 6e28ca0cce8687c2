// SPDX-License-Identifier: MIT
/*
 * What the staging journal makes of a file that is not as it was written:
 * every frame that can be believed is read, what cannot is kept beside it,
 * and the journal goes on.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>

#include "src/base/checksum.h"
#include "tests/unit/mount_journal.h"
#include "tests/unit/unit.h"

enum { HEAD = 40, TAIL = 24, COUNT = 4, BLOCK = 4096 };

static struct journal_folder folder;
static const char *const texts[COUNT] = { "first", "the second", "3",
					  "fourth" };

/* The journal of these texts, as it is on the disk. */
static unsigned char *image;
static size_t image_size, start[COUNT + 1];

static void begin(void)
{
	hook_read = NULL;
	hook_allocate = NULL;
	/* Thousands of files, none of which needs a disk. */
	folder_make(&folder, access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
}

/* The file, up to some of the zeros behind its end. */
static void take_image(size_t end)
{
	free(image);
	folder_close(&folder);
	image = folder_load(&folder, "journal", &image_size);
	ck_assert_uint_gt(image_size, end + TAIL);
	image_size = end + TAIL;
}

static void make_image(void)
{
	folder_open(&folder);
	start[0] = HEAD;
	for (int i = 0; i < COUNT; i++)
		start[i + 1] = folder_commit(&folder, texts[i]);
	take_image(start[COUNT]);
}

static void end(void)
{
	free(image);
	image = NULL;
	folder_remove(&folder);
}

/* ---- what is kept ---- */

/* The next piece of a quarantine file is these bytes of the image. */
static const unsigned char *check_piece(const unsigned char *kept, size_t left,
					size_t offset, size_t length)
{
	char head[64];
	size_t used = (size_t)snprintf(
		head, sizeof(head), "offset %zu length %zu\n", offset, length);

	ck_assert_uint_ge(left, used + length + 1);
	ck_assert_int_eq(memcmp(kept, head, used), 0);
	ck_assert_int_eq(memcmp(kept + used, image + offset, length), 0);
	ck_assert_int_eq(kept[used + length], '\n');
	return kept + used + length + 1;
}

/* Exactly these bytes of the image were kept in the file. */
static void check_kept(const char *name, size_t offset, size_t until)
{
	size_t size;
	unsigned char *kept = folder_load(&folder, name, &size);
	const unsigned char *rest =
		check_piece(kept, size, offset, until - offset);

	ck_assert_ptr_eq(rest, kept + size);
	free(kept);
}

/* Open the image: all is well, and these frames are read. */
static void open_image(const char *frames)
{
	folder_store(&folder, "journal", image, image_size);
	folder_open(&folder);
	ck_assert_str_eq(buf_text(&folder.texts), frames);
}

/* And the journal goes on from there, with nothing left to mend. */
static void go_on(const char *frames)
{
	char more[256];

	snprintf(more, sizeof(more), "%snew|", frames);
	folder_commit(&folder, "new");
	folder_close(&folder);
	folder_open(&folder);
	ck_assert_str_eq(buf_text(&folder.texts), more);
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	folder_close(&folder);
}

/* Of the image [offset, until) is damage and the rest reads so. */
static void check_image(const char *frames, size_t offset, size_t until)
{
	open_image(frames);
	ck_assert_uint_eq(folder.findings.bad_bytes, until - offset);
	ck_assert_uint_eq(folder.findings.quarantine, 1);
	check_kept("journal.bad-1", offset, until);
	go_on(frames);
	ck_assert_int_eq(folder_count(&folder, ""), 2);
	folder_empty(&folder);
}

static void check_undamaged(const char *frames)
{
	open_image(frames);
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	go_on(frames);
	ck_assert_int_eq(folder_count(&folder, ""), 1);
	folder_empty(&folder);
}

/* ---- every bit, every length ---- */

static size_t used(int frame)
{
	return HEAD + strlen(texts[frame]);
}

/* The frames of the image but those from `lost` up to `next`. */
static const char *frames_without(int lost, int next)
{
	static char frames[128];

	frames[0] = '\0';
	for (int i = 0; i < COUNT; i++)
		if (i < lost || i >= next)
			snprintf(frames + strlen(frames),
				 sizeof(frames) - strlen(frames), "%s|",
				 texts[i]);
	return frames;
}

/* Behind the last byte that is not zero. */
static size_t image_end(void)
{
	size_t size = image_size;

	while (size && !image[size - 1])
		size--;
	return size;
}

static void check_flipped(size_t at)
{
	int frame = 0;

	while (frame < COUNT && at >= start[frame + 1])
		frame++;
	if (at < HEAD)
		check_image(frames_without(COUNT, COUNT), 0, HEAD);
	else if (frame == COUNT)
		check_image(frames_without(COUNT, COUNT), start[COUNT], at + 1);
	else if (at >= start[frame] + used(frame))
		check_undamaged(frames_without(COUNT, COUNT));
	else
		check_image(frames_without(frame, frame + 1), start[frame],
			    frame < COUNT - 1 ? start[frame + 1] : image_end());
}

START_TEST(any_flipped_bit_costs_one_frame_at_most)
{
	begin();
	make_image();
	folder_empty(&folder);
	for (size_t bit = 0; bit < image_size * 8; bit++) {
		unsigned char mask = (unsigned char)(1u << bit % 8);

		image[bit / 8] ^= mask;
		check_flipped(bit / 8);
		image[bit / 8] ^= mask;
	}
	end();
}
END_TEST

static void check_cut(size_t size)
{
	int whole = 0;
	size_t offset;

	image_size = size;
	while (whole < COUNT && start[whole] + used(whole) <= size)
		whole++;
	offset = size < HEAD ? 0 : start[whole];
	if (size < HEAD || image_end() > offset)
		check_image(frames_without(whole, COUNT), offset,
			    size < HEAD ? size : image_end());
	else
		check_undamaged(frames_without(whole, COUNT));
}

START_TEST(a_file_cut_anywhere_keeps_what_is_whole)
{
	size_t size;

	begin();
	make_image();
	folder_empty(&folder);
	size = image_size;
	for (size_t cut = 0; cut < size; cut++)
		check_cut(cut);
	end();
}
END_TEST

/* ---- holes ---- */

/* Append these without a flush, after those that were. */
static void make_unflushed(int flushed, int more)
{
	folder_open(&folder);
	start[0] = HEAD;
	for (int i = 0; i < flushed + more; i++) {
		ck_assert_int_eq(folder_append(&folder, texts[i], 0), STORE_OK);
		if (i < flushed)
			ck_assert_int_eq(folder_sync(&folder), STORE_OK);
		start[i + 1] = HEAD + (size_t)journal_size(folder.journal);
	}
	take_image(start[flushed + more]);
	folder_empty(&folder);
}

START_TEST(a_hole_in_what_was_never_flushed_ends_the_journal)
{
	begin();
	make_unflushed(1, 3);
	image[start[1]] ^= 1;
	check_image("first|", start[1], start[4]);
	image[start[1]] ^= 1;
	image[start[2]] ^= 1;
	check_image("first|the second|", start[2], start[4]);
	/* A page that never reached the disk. */
	memset(image + start[1], 0, start[3] - start[1]);
	check_image("first|", start[1], start[4]);
	end();
}
END_TEST

START_TEST(a_hole_in_what_was_flushed_is_skipped)
{
	begin();
	make_unflushed(3, 1);
	memset(image + start[1], 0, start[2] - start[1]);
	check_image("first|3|fourth|", start[1], start[2]);
	end();
}
END_TEST

/* How one is read that is about to be replaced by what could be read. */
START_TEST(a_hole_is_kept_by_who_only_reads_when_asked_to)
{
	begin();
	make_unflushed(3, 1);
	image[start[1] + 1] ^= 1;
	folder_store(&folder, "journal", image, image_size);
	ck_assert_int_eq(folder_try_open(&folder, JOURNAL_READ_ONLY), STORE_OK);
	ck_assert_int_eq(folder_count(&folder, "journal.bad-"), 0);
	journal_close(folder.journal);
	folder.journal = NULL;
	ck_assert_int_eq(
		folder_try_open(&folder, JOURNAL_READ_ONLY | JOURNAL_KEEP),
		STORE_OK);
	ck_assert_int_eq(folder_count(&folder, "journal.bad-"), 1);
	ck_assert_uint_eq(folder.findings.last, 4);
	end();
}
END_TEST

START_TEST(frames_of_one_flush_vouch_for_each_other)
{
	begin();
	folder_open(&folder);
	start[0] = HEAD;
	for (int i = 0; i < COUNT; i++) {
		ck_assert_int_eq(folder_append(&folder, texts[i], 0), STORE_OK);
		start[i + 1] = HEAD + (size_t)journal_size(folder.journal);
	}
	ck_assert_int_eq(folder_sync(&folder), STORE_OK);
	take_image(HEAD + (size_t)journal_size(folder.journal));
	folder_empty(&folder);
	image[start[0]] ^= 1;
	check_image("the second|3|fourth|", start[0], start[1]);
	image[start[0]] ^= 1;
	image[start[2]] ^= 1;
	check_image("first|the second|fourth|", start[2], start[3]);
	end();
}
END_TEST

START_TEST(frames_of_a_new_file_vouch_for_each_other)
{
	begin();
	folder_open(&folder);
	ck_assert_int_eq(folder_rewrite(&folder, "abc"), STORE_OK);
	take_image(HEAD + (size_t)journal_size(folder.journal));
	folder_empty(&folder);
	image[HEAD] ^= 1;
	check_image("b|c|", HEAD, HEAD + 48);
	end();
}
END_TEST

/* Two pieces in one file: a hole to skip, and one that ends the journal. */
static void make_two_holes(void)
{
	make_unflushed(2, 2);
	image[start[0]] ^= 1;
	image[start[2]] ^= 1;
}

static void check_two_holes(const char *name)
{
	size_t size;
	unsigned char *kept = folder_load(&folder, name, &size);
	const unsigned char *rest =
		check_piece(kept, size, start[0], start[1] - start[0]);

	rest = check_piece(rest, size - (size_t)(rest - kept), start[2],
			   start[4] - start[2]);
	ck_assert_ptr_eq(rest, kept + size);
	free(kept);
}

START_TEST(a_hole_to_skip_stays_one_when_the_end_is_dropped)
{
	begin();
	make_two_holes();
	open_image("the second|");
	check_two_holes("journal.bad-1");
	go_on("the second|");
	end();
}
END_TEST

/* Is it the new file that this descriptor writes? */
static bool is_new(int fd)
{
	char link[64], path[256];
	ssize_t length;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	ck_assert_int_gt(length, 0);
	path[length] = '\0';
	return !strcmp(strrchr(path, '/'), "/journal.new");
}

static int refuse_new(int fd)
{
	return is_new(fd) ? ENOSPC : 0;
}

START_TEST(damage_on_a_full_disk_is_skipped_at_every_opening)
{
	begin();
	make_two_holes();
	hook_allocate = refuse_new;
	open_image("the second|");
	check_two_holes("journal.bad-1");
	folder_commit(&folder, "new");
	folder_close(&folder);
	folder_expect(&folder, "the second|new|");
	check_kept("journal.bad-2", start[0], start[1]);
	hook_allocate = NULL;
	folder_expect(&folder, "the second|new|");
	ck_assert_uint_eq(folder.findings.quarantine, 3);
	folder_expect(&folder, "the second|new|");
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	ck_assert_uint_eq(folder.findings.quarantine, 3);
	end();
}
END_TEST

START_TEST(a_hole_stays_one_to_skip_without_the_frame_that_vouched)
{
	begin();
	folder_open(&folder);
	start[0] = HEAD;
	for (int i = 0; i < COUNT; i++) {
		ck_assert_int_eq(folder_append(&folder, texts[i], 0), STORE_OK);
		start[i + 1] = HEAD + (size_t)journal_size(folder.journal);
		if (i == 1)
			ck_assert_int_eq(folder_sync(&folder), STORE_OK);
	}
	take_image(start[COUNT]);
	folder_empty(&folder);
	/* What says that the first was durable lies behind another hole. */
	image[start[0]] ^= 1;
	memset(image + start[2], 0, start[3] - start[2]);
	hook_allocate = refuse_new;
	open_image("the second|");
	folder_close(&folder);
	folder_expect(&folder, "the second|");
	end();
}
END_TEST

/* ---- what looks like frames ---- */

START_TEST(old_frames_behind_the_end_are_no_frames)
{
	size_t length;

	begin();
	make_image();
	folder_empty(&folder);
	length = start[2] - HEAD;
	image = realloc(image, image_size + length);
	ck_assert_ptr_nonnull(image);
	memmove(image + start[COUNT], image + HEAD, length);
	image_size = start[COUNT] + length;
	check_image(frames_without(COUNT, COUNT), start[COUNT], image_size);
	end();
}
END_TEST

/* A frame whose payload is a journal loses its head. */
static void check_carrier(const unsigned char *bytes, size_t size)
{
	folder_open(&folder);
	start[0] = HEAD;
	start[1] = folder_commit(&folder, "a");
	ck_assert_int_eq(journal_append(folder.journal, bytes, size, 0, NULL,
					&folder.error),
			 STORE_OK);
	start[2] = HEAD + (size_t)journal_size(folder.journal);
	start[3] = folder_commit(&folder, "z");
	take_image(start[3]);
	folder_empty(&folder);
	image[start[1]] ^= 1;
	check_image("a|z|", start[1], start[2]);
}

START_TEST(a_journal_among_the_staged_data_is_no_part_of_ours)
{
	unsigned char *bytes;
	size_t size;

	begin();
	make_image();
	bytes = image;
	size = image_size;
	image = NULL;
	/* Of another mount, and a copy that was made of this very one. */
	folder_empty(&folder);
	check_carrier(bytes, size);
	folder_store(&folder, "journal", bytes, size);
	folder_open(&folder);
	ck_assert_int_eq(journal_append(folder.journal, bytes, size, 0, NULL,
					&folder.error),
			 STORE_OK);
	folder_commit(&folder, "z");
	take_image(HEAD + (size_t)journal_size(folder.journal));
	folder_empty(&folder);
	image[start[COUNT]] ^= 1;
	open_image("first|the second|3|fourth|z|");
	free(bytes);
	end();
}
END_TEST

/* ---- bad blocks ---- */

/* The second block of the file cannot be read. */
static int bad_block(int fd, size_t *length, off_t offset)
{
	if (is_new(fd) || offset >= 2 * BLOCK ||
	    offset + (off_t)*length <= BLOCK)
		return 0;
	if (offset >= BLOCK)
		return EIO;
	*length = (size_t)(BLOCK - offset);
	return 0;
}

START_TEST(a_block_that_cannot_be_read_costs_its_frames)
{
	char text[101], wanted[4 * BLOCK] = "";

	begin();
	folder_open(&folder);
	for (size_t i = 0, from = HEAD, to; i < 100; i++, from = to) {
		memset(text, 'a' + (int)i % 26, sizeof(text) - 1);
		text[sizeof(text) - 1] = '\0';
		to = folder_commit(&folder, text);
		if (from + HEAD + strlen(text) <= BLOCK || from >= 2 * BLOCK)
			snprintf(wanted + strlen(wanted),
				 sizeof(wanted) - strlen(wanted), "%s|", text);
	}
	folder_close(&folder);
	hook_read = bad_block;
	folder_open(&folder);
	hook_read = NULL;
	ck_assert_str_eq(buf_text(&folder.texts), wanted);
	ck_assert_uint_ge(folder.findings.bad_bytes, BLOCK);
	ck_assert_uint_lt(folder.findings.bad_bytes, BLOCK + 3 * 144);
	folder_close(&folder);
	/* The new file is not where the bad block is. */
	folder_expect(&folder, wanted);
	ck_assert_uint_eq(folder.findings.bad_bytes, 0);
	end();
}
END_TEST

START_TEST(a_bad_block_at_the_end_is_not_taken_for_the_end)
{
	static char text[BLOCK];

	begin();
	folder_open(&folder);
	folder_commit(&folder, "first");
	ck_assert_int_eq(journal_append(folder.journal, text, sizeof(text), 0,
					NULL, &folder.error),
			 STORE_OK);
	folder_commit(&folder, "last");
	folder_close(&folder);
	hook_read = bad_block;
	folder_open(&folder);
	hook_read = NULL;
	ck_assert_str_eq(buf_text(&folder.texts), "first|");
	ck_assert_uint_gt(folder.findings.bad_bytes, BLOCK);
	ck_assert_uint_eq(folder.findings.quarantine, 1);
	go_on("first|");
	end();
}
END_TEST

/* ---- refused ---- */

static void check_refused(int code)
{
	size_t size;
	unsigned char *after;

	folder_store(&folder, "journal", image, image_size);
	folder_store(&folder, "journal.new", "x", 1);
	ck_assert_int_eq(folder_try_open(&folder, 0), code);
	ck_assert_ptr_null(folder.journal);
	ck_assert_int_eq(folder_count(&folder, ""), 2);
	after = folder_load(&folder, "journal", &size);
	ck_assert_uint_eq(size, image_size);
	ck_assert_int_eq(memcmp(after, image, size), 0);
	free(after);
	folder_empty(&folder);
}

START_TEST(a_newer_version_is_refused_untouched)
{
	uint64_t checksum;

	begin();
	make_image();
	image[16] = 2;
	checksum = checksum64(image, 32);
	for (int i = 0; i < 8; i++)
		image[32 + i] = (unsigned char)(checksum >> 8 * i);
	check_refused(STORE_NOT_SUPPORTED);
	/* Its frames may be of another form. */
	memset(image + HEAD, 'x', image_size - HEAD);
	check_refused(STORE_NOT_SUPPORTED);
	/* And who could tell what its header was? */
	image[32] ^= 1;
	check_refused(STORE_CORRUPT);
	end();
}
END_TEST

START_TEST(what_is_no_journal_is_refused_untouched)
{
	begin();
	make_image();
	memset(image, 'x', image_size);
	check_refused(STORE_CORRUPT);
	memset(image, 0, image_size);
	check_refused(STORE_CORRUPT);
	ck_assert_int_eq(mkdirat(folder.fd, "journal", 0700), 0);
	ck_assert_int_ne(folder_try_open(&folder, 0), STORE_OK);
	ck_assert_int_eq(unlinkat(folder.fd, "journal", AT_REMOVEDIR), 0);
	ck_assert_int_eq(symlinkat("/dev/null", folder.fd, "journal"), 0);
	ck_assert_int_ne(folder_try_open(&folder, 0), STORE_OK);
	end();
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("damage");

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, any_flipped_bit_costs_one_frame_at_most);
	tcase_add_test(tests, a_file_cut_anywhere_keeps_what_is_whole);
	tcase_add_test(tests,
		       a_hole_in_what_was_never_flushed_ends_the_journal);
	tcase_add_test(tests, a_hole_in_what_was_flushed_is_skipped);
	tcase_add_test(tests, a_hole_is_kept_by_who_only_reads_when_asked_to);
	tcase_add_test(tests, frames_of_one_flush_vouch_for_each_other);
	tcase_add_test(tests, frames_of_a_new_file_vouch_for_each_other);
	tcase_add_test(tests, a_hole_to_skip_stays_one_when_the_end_is_dropped);
	tcase_add_test(tests,
		       damage_on_a_full_disk_is_skipped_at_every_opening);
	tcase_add_test(tests,
		       a_hole_stays_one_to_skip_without_the_frame_that_vouched);
	tcase_add_test(tests, old_frames_behind_the_end_are_no_frames);
	tcase_add_test(tests,
		       a_journal_among_the_staged_data_is_no_part_of_ours);
	tcase_add_test(tests, a_block_that_cannot_be_read_costs_its_frames);
	tcase_add_test(tests, a_bad_block_at_the_end_is_not_taken_for_the_end);
	tcase_add_test(tests, a_newer_version_is_refused_untouched);
	tcase_add_test(tests, what_is_no_journal_is_refused_untouched);
	return unit_run("mount journal damage", tests);
}
