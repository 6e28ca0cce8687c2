/* SPDX-License-Identifier: MIT */
/*
 * Types of the store as bits of st_mode, and back.
 */
#ifndef STOREFS_SRC_FILE_TYPE_H
#define STOREFS_SRC_FILE_TYPE_H

#include <sys/stat.h>

#include <storefs/types.h>

/* S_IFREG and so on. */
mode_t file_type_bits(enum store_type type);
/* Of a whole mode; what has no name here is a file. */
enum store_type file_type_of(mode_t mode);

#endif
