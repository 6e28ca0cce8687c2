// SPDX-License-Identifier: MIT
/*
 * See file_type.h.  Called by the driver and by stores of local files; calls
 * nothing.
 */
#include "config.h"

#include "src/file_type.h"

#include <stddef.h>

static const struct {
	enum store_type type;
	mode_t bits;
} rows[] = {
	{ STORE_TYPE_FILE, S_IFREG },	 { STORE_TYPE_FOLDER, S_IFDIR },
	{ STORE_TYPE_SYMLINK, S_IFLNK }, { STORE_TYPE_FIFO, S_IFIFO },
	{ STORE_TYPE_SOCKET, S_IFSOCK }, { STORE_TYPE_CHAR, S_IFCHR },
	{ STORE_TYPE_BLOCK, S_IFBLK },
};

mode_t file_type_bits(enum store_type type)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].type == type)
			return rows[i].bits;
	return S_IFREG;
}

enum store_type file_type_of(mode_t mode)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].bits == (mode & S_IFMT))
			return rows[i].type;
	return STORE_TYPE_FILE;
}
