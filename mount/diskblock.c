// SPDX-License-Identifier: MIT
/*
 * Files of single blocks; see diskblock.h.  Called by diskcache.c; calls only
 * the local disk.
 */
#include "config.h"

#include "mount/diskblock.h"

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/checksum.h"
#include "src/base/cleanup.h"
#include "src/base/fdio.h"

enum { FORMAT = 1, HEX_ID = 2 * DISKBLOCK_ID };

struct head {
	char magic[8];
	uint64_t format;
	unsigned char id[DISKBLOCK_ID];
	uint64_t start, length;
	uint64_t checksum;
	uint64_t table[];
};

static const char magic[8] = "storefsB";

static size_t page_count(uint64_t length)
{
	return (size_t)((length + DISKBLOCK_PAGE - 1) / DISKBLOCK_PAGE);
}

static size_t head_size(uint64_t length)
{
	return sizeof(struct head) + page_count(length) * sizeof(uint64_t);
}

static size_t page_length(uint64_t length, size_t page)
{
	uint64_t left = length - (uint64_t)page * DISKBLOCK_PAGE;

	return left < DISKBLOCK_PAGE ? (size_t)left : DISKBLOCK_PAGE;
}

uint64_t diskblock_size(uint64_t length)
{
	return head_size(length) + length;
}

/* ---- names ---- */

void diskblock_name(const struct diskblock *block, char name[DISKBLOCK_NAME])
{
	char hex[HEX_ID + 1];

	for (size_t i = 0; i < DISKBLOCK_ID; i++)
		snprintf(hex + 2 * i, 3, "%02x", block->id[i]);
	snprintf(name, DISKBLOCK_NAME, "%.2s/%s-%" PRIx64 "-%" PRIx64, hex, hex,
		 block->start, block->length);
}

bool diskblock_parse(const char *name, struct diskblock *block)
{
	char again[DISKBLOCK_NAME], *end;
	unsigned int byte;

	*block = (struct diskblock){ 0 };
	if (strlen(name) < HEX_ID + 4)
		return false;
	for (size_t i = 0; i < DISKBLOCK_ID; i++) {
		if (sscanf(name + 2 * i, "%2x", &byte) != 1)
			return false;
		block->id[i] = (unsigned char)byte;
	}
	block->start = strtoull(name + HEX_ID + 1, &end, 16);
	if (*end == '-')
		block->length = strtoull(end + 1, &end, 16);
	diskblock_name(block, again);
	return !strcmp(again + 3, name) && block->length &&
	       block->length <= DISKBLOCK_MAX &&
	       block->start <= INT64_MAX - block->length;
}

/* ---- content ---- */

static bool head_checksum(const struct head *head, size_t size, uint64_t *sum)
{
	struct checksum *made = checksum_begin();

	if (!made)
		return false;
	checksum_add(made, head, offsetof(struct head, checksum));
	checksum_add(made, head->table, size - sizeof(*head));
	*sum = checksum_end(made);
	return true;
}

static void head_fill(struct head *head, const struct diskblock *block)
{
	memcpy(head->magic, magic, sizeof(magic));
	head->format = htole64(FORMAT);
	memcpy(head->id, block->id, DISKBLOCK_ID);
	head->start = htole64(block->start);
	head->length = htole64(block->length);
}

static int no_memory(void)
{
	errno = ENOMEM;
	return -1;
}

int diskblock_write(int fd, const struct diskblock *block, const void *data)
{
	size_t size = head_size(block->length);
	CLEANUP_FREE struct head *head = calloc(1, size);
	const char *bytes = data;
	uint64_t sum;

	if (!head)
		return no_memory();
	head_fill(head, block);
	for (size_t i = 0; i < page_count(block->length); i++)
		head->table[i] =
			htole64(checksum64(bytes + i * DISKBLOCK_PAGE,
					   page_length(block->length, i)));
	if (!head_checksum(head, size, &sum))
		return no_memory();
	head->checksum = htole64(sum);
	if (fd_write_at(fd, head, size, 0))
		return -1;
	return fd_write_at(fd, data, (size_t)block->length, size);
}

static int read_all(int fd, void *data, size_t length, uint64_t offset)
{
	ssize_t got = fd_read_at(fd, data, length, offset);

	if (got < 0)
		return -1;
	if ((size_t)got == length)
		return 0;
	errno = EBADMSG;
	return -1;
}

static int head_read(int fd, const struct diskblock *block, struct head *head)
{
	size_t size = head_size(block->length);
	struct head wanted = { 0 };
	uint64_t sum;

	if (read_all(fd, head, size, 0))
		return -1;
	if (!head_checksum(head, size, &sum))
		return no_memory();
	head_fill(&wanted, block);
	if (!memcmp(head, &wanted, offsetof(struct head, checksum)) &&
	    head->checksum == htole64(sum))
		return 0;
	errno = EBADMSG;
	return -1;
}

/* One page, of which the bytes from `from` to `until` are wanted. */
static int page_read(int fd, const struct diskblock *block,
		     const struct head *head, size_t page, size_t from,
		     size_t until, char *data)
{
	size_t length = page_length(block->length, page);
	CLEANUP_FREE char *bytes = malloc(length);

	if (!bytes)
		return no_memory();
	if (read_all(fd, bytes, length,
		     head_size(block->length) +
			     (uint64_t)page * DISKBLOCK_PAGE))
		return -1;
	if (htole64(checksum64(bytes, length)) != head->table[page]) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(data, bytes + from, until - from);
	return 0;
}

int diskblock_read(int fd, const struct diskblock *block,
		   const struct store_range *range, void *data)
{
	CLEANUP_FREE struct head *head = malloc(head_size(block->length));
	uint64_t offset = range->offset - block->start;
	uint64_t end = offset + range->length;
	char *out = data;

	if (!head)
		return no_memory();
	if (head_read(fd, block, head))
		return -1;
	while (offset < end) {
		size_t page = (size_t)(offset / DISKBLOCK_PAGE);
		size_t from = (size_t)(offset % DISKBLOCK_PAGE);
		size_t until = page_length(block->length, page);

		if (until - from > end - offset)
			until = from + (size_t)(end - offset);
		if (page_read(fd, block, head, page, from, until, out))
			return -1;
		out += until - from;
		offset += until - from;
	}
	return 0;
}
