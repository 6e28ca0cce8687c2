/* SPDX-License-Identifier: MIT */
/* Pages that never end: see loop.c. */
#ifndef STOREFS_BACKENDS_S3_LOOP_H
#define STOREFS_BACKENDS_S3_LOOP_H

#include <stdint.h>

#include <storefs/error.h>

struct s3_loop {
	char *mark; /* owned; NULL before the first step */
	uint64_t pages;
};

/* The list goes on at `place`: CORRUPT when it has been there. */
int s3_loop_step(struct s3_loop *loop, const char *place,
		 struct store_error *error) STORE_WARN_UNUSED;
void s3_loop_release(struct s3_loop *loop);

/* Both as the text that one call hands to the next; *place points into it. */
int s3_loop_read(const char *cursor, struct s3_loop *loop, const char **place,
		 struct store_error *error) STORE_WARN_UNUSED;
/* After a step; *cursor is malloc'd. */
int s3_loop_write(const struct s3_loop *loop, const char *place, char **cursor,
		  struct store_error *error) STORE_WARN_UNUSED;

#endif
