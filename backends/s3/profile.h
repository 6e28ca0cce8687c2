/* SPDX-License-Identifier: MIT */
/*
 * Profiles in the shared files of the AWS tools, ~/.aws/credentials and
 * ~/.aws/config.
 * https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
 */
#ifndef STOREFS_BACKENDS_S3_PROFILE_H
#define STOREFS_BACKENDS_S3_PROFILE_H

#include "backends/s3/credentials.h"

struct s3_profile {
	bool found;
	struct s3_keys keys; /* of the profile itself; may be all NULL */
	char *process;	     /* credential_process */
	char *region;
};
void s3_profile_release(struct s3_profile *profile);
/*
 * Add what the file says of the profile `name`; what is set already stays.
 * `prefixed`: its sections are "[profile NAME]", but for "[default]".  A file
 * that does not exist says nothing.
 */
int s3_profile_read(struct s3_profile *profile, const char *path,
		    const char *name, bool prefixed, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Run the command through the shell and read the keys it prints.
 * https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
 */
int s3_process_run(const char *command, struct store_context *context,
		   struct s3_keys *keys, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
