// SPDX-License-Identifier: MIT
/*
 * Symlinks, as s3fs writes them: an object with S_IFLNK in its mode, and the
 * target as its bytes.  Read with the other details of a key (stat.c).
 *
 * Called through the table.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <errno.h>
#include <string.h>

static int taken(struct store_error *error)
{
	return store_error_set(error, STORE_EXISTS, "%s",
			       store_code_text(STORE_EXISTS));
}

/* A file of that name is the put's to find. */
static int check_no_folder(struct s3 *s3, struct store_context *context,
			   const char *key, struct store_error *error)
{
	CLEANUP_FREE char *folder = NULL;
	struct s3_below below;
	int code;

	/* A name of full length cannot be that of a folder. */
	if (s3_object_name(s3, key, true, &folder, NULL))
		return STORE_OK;
	code = s3_below(s3, context, key, &below, error);
	return !code && (below.marker || below.others) ? taken(error) : code;
}

int s3_make_node(void *self, struct store_context *context,
		 const struct backend_node_request *request,
		 struct store_info *info, struct store_error *error)
{
	uint8_t publish[STORE_PUBLISH_SIZE];
	struct store_memory_source source;
	struct backend_put_request put = {
		.key = request->key,
		.precondition.condition = STORE_IF_ABSENT,
		.attributes = request->attributes,
		.publish = publish,
	};
	size_t length = request->target ? strlen(request->target) : 0;
	int code;

	if (request->type != STORE_TYPE_SYMLINK)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "S3 keeps no %s",
				       store_type_name(request->type));
	if (length > S3_TARGET_MAX) {
		store_error_set(error, STORE_INVALID,
				"a target of more than %d bytes",
				S3_TARGET_MAX);
		error->detail = ENAMETOOLONG;
		return STORE_INVALID;
	}
	put.source = store_memory_source_init(&source, request->target, length);
	code = crypto_random(publish, sizeof(publish), error);
	if (!code)
		code = check_no_folder(self, context, request->key, error);
	return code ? code
		    : s3_put_typed(self, context, &put, STORE_TYPE_SYMLINK,
				   info, error);
}
