// SPDX-License-Identifier: MIT
/*
 * The end of a put whose parts went ahead.  Its upload was begun before the end
 * of the file was known, with what was known then: the object that it makes is
 * copied over itself, with what the put says.
 *
 * Until then it has an id that is no put's, so that it has not arrived for
 * whoever asks; a put that goes on by its token finds it by that, and comes
 * here again.
 *
 * Called by put.c and multipart.c; calls copy.c.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <string.h>

/* While somebody changes it. */
enum { TRIES = 5 };

/* Generations are counted: none gets there. */
void s3_publish_early(const uint8_t publish[STORE_PUBLISH_SIZE],
		      uint8_t early[STORE_PUBLISH_SIZE])
{
	memcpy(early, publish, STORE_PUBLISH_SIZE);
	early[STORE_PUBLISH_SIZE - 1] ^= 0x80;
}

bool s3_object_is_early(const struct s3_object *object,
			const uint8_t publish[STORE_PUBLISH_SIZE])
{
	uint8_t early[STORE_PUBLISH_SIZE];

	s3_publish_early(publish, early);
	return s3_object_is_of(object, early);
}

/* CHANGED: to be looked at again. */
static int stamp(struct s3 *s3, struct store_context *context,
		 const char *object, const struct s3_meta *meta,
		 const struct s3_object *found, struct store_info *info,
		 struct store_error *error)
{
	struct s3_copy copy = {
		.from = object,
		.to = object,
		.source = found,
		.meta = *meta,
	};
	struct store_info made;
	int code;

	/* By a request whose answer is lost. */
	if (meta->publish && s3_object_is_of(found, meta->publish)) {
		*info = found->info;
		return STORE_OK;
	}
	/* Replaced: it was there. */
	if (meta->publish ? !s3_object_is_early(found, meta->publish)
			  : !store_version_equal(&found->info.version,
						 &info->version))
		return STORE_OK;
	copy.meta.from = found;
	copy.meta.copies = true;
	code = s3_copy_object(s3, context, &copy, &made, error);
	if (!code)
		*info = made;
	return code;
}

int s3_stamp(struct s3 *s3, struct store_context *context, const char *object,
	     const struct s3_meta *meta, struct store_info *info,
	     struct store_error *error)
{
	for (int i = 0; i < TRIES; i++) {
		struct store_error own = STORE_ERROR_INIT;
		struct s3_object found;
		int code = s3_head(s3, context, object, NULL, &found, &own);

		if (code == STORE_NOT_FOUND)
			return STORE_OK;
		if (!code) {
			code = stamp(s3, context, object, meta, &found, info,
				     &own);
			s3_object_release(&found);
		}
		if (code == STORE_CHANGED)
			continue;
		if (code)
			*error = own;
		return code;
	}
	return store_error_set(error, STORE_UNAVAILABLE,
			       "it changes while its attributes are set");
}
