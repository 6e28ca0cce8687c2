/* SPDX-License-Identifier: MIT */
/* From options and URLs to an instance of the S3 store. */
#ifndef STOREFS_BACKENDS_S3_OPTIONS_H
#define STOREFS_BACKENDS_S3_OPTIONS_H

#include "backends/s3/s3.h"
#include "src/option.h"
#include "src/url.h"

extern const struct store_option s3_options[];

int s3_from_url(const struct store_url *url, struct option_values *values,
		const char *source, struct store_error *error)
	STORE_WARN_UNUSED;
int s3_configure(const struct option_values *values, void **self,
		 struct store_error *error) STORE_WARN_UNUSED;
/* Free all that options made of the instance. */
void s3_options_release(struct s3 *s3);

#endif
