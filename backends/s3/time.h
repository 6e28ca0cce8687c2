/* SPDX-License-Identifier: MIT */
/* Times as S3, s3fs and rclone write them. */
#ifndef STOREFS_BACKENDS_S3_TIME_H
#define STOREFS_BACKENDS_S3_TIME_H

#include <stdbool.h>
#include <time.h>

/* "2009-10-12T17:50:30.123Z", also "+02:00"; zeros when it is none. */
struct timespec s3_time_parse(const char *text);
/*
 * Of metadata: seconds with an optional fraction (s3fs, rclone), or as above
 * (rclone --metadata).  False when it is neither.
 */
bool s3_time_of_metadata(const char *text, struct timespec *time);

#endif
