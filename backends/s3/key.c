// SPDX-License-Identifier: MIT
/*
 * Keys as names of objects: the root in front, a '/' behind a folder.  Names
 * of objects are UTF-8 of at most 1024 bytes.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <string.h>

#include "src/base/base64.h"

int s3_object_name(const struct s3 *s3, const char *key, bool folder,
		   char **object, struct store_error *error)
{
	CLEANUP_BUF struct buf name = BUF_INIT(8192);

	if (!utf8_is_valid(key, strlen(key)))
		return store_error_set(error, STORE_INVALID,
				       "names in S3 are UTF-8");
	buf_add_text(&name, s3->settings.root);
	buf_add_text(&name, key);
	if (folder && *key)
		buf_add_char(&name, '/');
	if (name.length > S3_KEY_MAX)
		return store_error_set(error, STORE_INVALID,
				       "names in S3 have at most %d bytes",
				       S3_KEY_MAX);
	*object = buf_steal(&name);
	if (!*object)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	return STORE_OK;
}
