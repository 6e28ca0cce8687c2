/* SPDX-License-Identifier: MIT */
/*
 * Who asks: keys from options, the environment, the shared files of the AWS
 * tools and their credential_process, in this order.
 *
 * Keys that end are fetched anew shortly before, and when a server says that
 * they have ended.  Any thread; one at a time fetches.
 */
#ifndef STOREFS_BACKENDS_S3_CREDENTIALS_H
#define STOREFS_BACKENDS_S3_CREDENTIALS_H

#include <stdbool.h>
#include <stdint.h>

#include <storefs/context.h>
#include <storefs/error.h>

/* All NULL: anonymous. */
struct s3_keys {
	char *access;
	char *secret;
	char *token;	 /* NULL without one */
	int64_t expires; /* seconds since 1970, 0: never */
};
/* Wipes them, too. */
void s3_keys_release(struct s3_keys *keys);

/* Texts borrowed. */
struct s3_credentials_options {
	bool anonymous;
	const char *access;
	const char *secret;
	const char *token;
	const char *profile;	      /* NULL: $AWS_PROFILE, else "default" */
	const char *credentials_file; /* NULL: as the AWS tools */
	const char *config_file;
};

struct s3_credentials;

/* Pure. */
int s3_credentials_new(const struct s3_credentials_options *options,
		       struct s3_credentials **credentials,
		       struct store_error *error) STORE_WARN_UNUSED;
void s3_credentials_free(struct s3_credentials *credentials);
/*
 * A copy of the keys of now.  DENIED when there are none; the message names
 * the places that were looked at.
 */
int s3_credentials_get(struct s3_credentials *credentials,
		       struct store_context *context, struct s3_keys *keys,
		       struct store_error *error) STORE_WARN_UNUSED;
/* What is told of them to the server, but for the time. */
bool s3_keys_equal(const struct s3_keys *left, const struct s3_keys *right);
/*
 * The server does not take the keys with this access key (any more); `sure`:
 * it says that this is why, else they may well be good.  True: there may be
 * others now, so get them, and try once more.
 */
bool s3_credentials_refused(struct s3_credentials *credentials,
			    const char *access, bool sure);
/*
 * The region the profile or the environment names; malloc'd, NULL for none.
 */
char *s3_credentials_region(struct s3_credentials *credentials);

#endif
