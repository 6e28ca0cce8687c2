/* SPDX-License-Identifier: MIT */
/*
 * What the tests of S3 alone share: handles with other options on the store
 * that is tested, and large files.
 */
#ifndef STOREFS_TESTS_CONFORMANCE_FACTORY_S3_H
#define STOREFS_TESTS_CONFORMANCE_FACTORY_S3_H

#include "tests/conformance/conf.h"

enum { MIB = 1 << 20, BIG = 23 * MIB + 7 };

/* Another handle on the same store. */
struct store *conf_s3_open(const char *options);
/* BIG bytes, malloc'd. */
unsigned char *conf_s3_bytes(uint64_t seed);
void conf_s3_put(struct store *store, const char *key, const void *data,
		 size_t size, const struct store_write_options *options,
		 struct store_info *info);
/* Unfinished uploads in the bucket. */
int conf_s3_uploads_open(void);
/* Adds the tests of puts that go on, and of what goes ahead of them. */
void conf_s3_uploads(void);

#endif
