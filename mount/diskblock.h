/* SPDX-License-Identifier: MIT */
/*
 * One block of a version in a file of the cache directory (diskcache.h): the
 * bytes, what they are, and checksums by which damage is found.
 *
 *	 0  8	"storefsB"
 *	 8  8	format, 1
 *	16 16	id of the version
 *	32  8	offset in the version
 *	40  8	bytes
 *	48  8	checksum of all before this and of the table
 *	56  8n	the table: a checksum of each DISKBLOCK_PAGE bytes
 *	..	the bytes
 *
 * Integers are little-endian; checksums are XXH3-64.
 */
#ifndef STOREFS_MOUNT_DISKBLOCK_H
#define STOREFS_MOUNT_DISKBLOCK_H

#include <stddef.h>
#include <stdint.h>

#include <storefs/types.h>

enum { DISKBLOCK_PAGE = 65536, DISKBLOCK_ID = 16, DISKBLOCK_NAME = 80 };
/* Of one block. */
#define DISKBLOCK_MAX (UINT64_C(64) << 20)

struct diskblock {
	unsigned char id[DISKBLOCK_ID];
	uint64_t start, length; /* length: 1 to DISKBLOCK_MAX */
};

/* Bytes of its file. */
uint64_t diskblock_size(uint64_t length);
/* "ab/abcd...-START-LENGTH", in hex, below the cache directory. */
void diskblock_name(const struct diskblock *block, char name[DISKBLOCK_NAME]);
/* From the name inside its folder; false: it is no block's. */
bool diskblock_parse(const char *name, struct diskblock *block);
/* Into an empty file.  0, or -1 with errno. */
int diskblock_write(int fd, const struct diskblock *block, const void *data)
	STORE_WARN_UNUSED;
/*
 * Bytes of `range`, which lies inside the block.  0, or -1 with errno: EBADMSG
 * when the file is not what was written.
 */
int diskblock_read(int fd, const struct diskblock *block,
		   const struct store_range *range, void *data)
	STORE_WARN_UNUSED;

#endif
