// SPDX-License-Identifier: MIT
/*
 * Removing files and folders, and making folders.
 *
 * DELETE of an object that is not there succeeds, so whoever has to tell
 * looks first.  One whose answer is lost is not just sent again: the object
 * may be another's by then.  A folder is made as an object with a '/' behind
 * its name, which s3fs, rclone and the AWS console write and read, too.
 *
 * Called through the table.
 */
#include "config.h"

#include "backends/s3/s3.h"

static const struct http_body no_body = { .size = 0 };

/* Sendings of one whose answer is lost each time. */
enum { REMOVALS = 3 };

static int remove_if(struct s3 *s3, struct store_context *context,
		     const struct s3_removal *removal, unsigned int honoured,
		     struct store_error *error)
{
	struct s3_call call;
	int code;

	s3_call_init(&call, "DELETE", removal->object);
	call.idempotent = false;
	call.once = true;
	s3_condition_add(&call, &removal->precondition, honoured, 0,
			 S3_DELETE_MATCH);
	code = s3_send(s3, context, &call, error);
	s3_call_release(&call);
	return code;
}

static int remove_once(struct s3 *s3, struct store_context *context,
		       const struct s3_removal *removal,
		       struct store_error *error)
{
	unsigned int honoured = atomic_load(&s3->honoured);
	int code = remove_if(s3, context, removal, honoured, error);

	if (code == STORE_CHANGED && honoured & S3_DELETE_MATCH &&
	    removal->precondition.condition == STORE_IF_VERSION &&
	    s3_is_mistaken(s3, context, removal->object,
			   &removal->precondition.version))
		return remove_if(s3, context, removal, S3_KNOWN, error);
	return code;
}

/*
 * Nobody knows whether it was done, or the server has done something else at
 * that moment.
 */
static bool is_in_doubt(int code, const struct store_error *error)
{
	return s3_is_unknown(code, error) ||
	       (code == STORE_UNAVAILABLE && error->detail == 409);
}

/*
 * What stands there after a removal in doubt: NOT_FOUND, CHANGED when it is
 * another's, OK when it is what was to be removed.
 */
static int look_again(struct s3 *s3, struct store_context *context,
		      const struct s3_removal *removal)
{
	const struct store_info *seen = removal->seen;
	struct store_error own = STORE_ERROR_INIT;
	struct s3_object found;
	bool same;
	int code = s3_head(s3, context, removal->object, NULL, &found, &own);

	if (code)
		return code;
	/* The same bytes again have the same ETag. */
	same = !seen ||
	       (store_version_equal(&seen->version, &found.info.version) &&
		seen->ctime.tv_sec == found.info.ctime.tv_sec &&
		seen->ctime.tv_nsec == found.info.ctime.tv_nsec);
	s3_object_release(&found);
	return same ? STORE_OK : STORE_CHANGED;
}

/* It was there when it was to be removed, and is not there any more. */
static int gone(const struct s3_removal *removal, int code,
		struct store_error *error)
{
	store_error_clear(error);
	if (code == STORE_CHANGED &&
	    removal->precondition.condition == STORE_IF_VERSION)
		return store_error_set(error, STORE_CHANGED,
				       "another version is there");
	return STORE_OK;
}

int s3_remove_object(struct s3 *s3, struct store_context *context,
		     const struct s3_removal *removal,
		     struct store_error *error)
{
	struct s3_removal again = *removal;
	struct store_error own = STORE_ERROR_INIT;
	int code = remove_once(s3, context, removal, &own);

	/* Lest it becomes another's after the look. */
	if (removal->seen) {
		again.precondition.condition = STORE_IF_VERSION;
		again.precondition.version = removal->seen->version;
	}
	for (int i = 1; i < REMOVALS && is_in_doubt(code, &own); i++) {
		int there = look_again(s3, context, removal);

		if (!there) {
			code = remove_once(s3, context, &again, &own);
			there = code;
		}
		if (there == STORE_NOT_FOUND || there == STORE_CHANGED)
			code = gone(removal, there, &own);
		else if (there != code)
			break;
	}
	if (code && error)
		*error = own;
	return code;
}

int s3_remove(void *self, struct store_context *context, const char *key,
	      const struct store_precondition *precondition,
	      struct store_error *error)
{
	struct s3 *s3 = self;
	CLEANUP_FREE char *object = NULL;
	struct s3_removal removal = { .precondition = *precondition };
	struct s3_object found;
	int code = s3_object_name(s3, key, false, &object, error);

	if (!code)
		code = s3_head_file(s3, context, key, &found, error);
	if (code)
		return code;
	code = s3_precondition(precondition, &found, error);
	s3_object_release(&found);
	removal.object = object;
	removal.seen = &found.info;
	if (!code)
		code = s3_remove_object(s3, context, &removal, error);
	return code;
}

/* ---- folders ---- */

/* Was it this very request that had arrived before? */
static bool has_arrived(struct s3 *s3, struct store_context *context,
			const char *folder, const uint8_t *publish,
			struct store_info *info)
{
	struct s3_object found;
	bool ours;

	if (s3_head(s3, context, folder, NULL, &found, NULL))
		return false;
	ours = s3_object_is_of(&found, publish);
	if (ours)
		*info = found.info;
	s3_object_release(&found);
	return ours;
}

static int send_marker(struct s3 *s3, struct store_context *context,
		       const char *folder, const struct s3_meta *meta,
		       struct store_info *info, struct store_error *error)
{
	const struct store_precondition absent = {
		.condition = STORE_IF_ABSENT,
	};
	struct s3_call call;
	int code;

	s3_call_init(&call, "PUT", folder);
	call.idempotent = false;
	call.body = &no_body;
	s3_condition_add(&call, &absent, atomic_load(&s3->honoured) | S3_KNOWN,
			 S3_PUT_ABSENT, 0);
	code = s3_meta_add(s3, &call, meta, info, error);
	if (!code)
		code = s3_send(s3, context, &call, error);
	if (!code)
		code = s3_version_of_etag(s3_call_answer(&call, "etag"),
					  &info->version, error);
	s3_call_release(&call);
	return code;
}

static int put_marker(struct s3 *s3, struct store_context *context,
		      const char *folder,
		      const struct store_attributes *attributes,
		      struct store_info *info, struct store_error *error)
{
	uint8_t publish[STORE_PUBLISH_SIZE];
	const struct s3_meta meta = {
		.type = STORE_TYPE_FOLDER,
		.attributes = attributes,
		.publish = publish,
	};
	struct store_error own = STORE_ERROR_INIT;
	int code = crypto_random(publish, sizeof(publish), error);

	if (code)
		return code;
	*info = (struct store_info){ .type = STORE_TYPE_FOLDER, .links = 1 };
	code = send_marker(s3, context, folder, &meta, info, &own);
	if ((code == STORE_CHANGED || s3_is_unknown(code, &own)) &&
	    has_arrived(s3, context, folder, publish, info))
		return STORE_OK;
	if (code == STORE_CHANGED)
		store_error_set(&own, STORE_EXISTS, "%s",
				store_code_text(STORE_EXISTS));
	if (code)
		*error = own;
	return code == STORE_CHANGED ? STORE_EXISTS : code;
}

int s3_make_dir(void *self, struct store_context *context, const char *key,
		const struct store_attributes *attributes,
		struct store_info *info, struct store_error *error)
{
	struct s3 *s3 = self;
	struct store_error own = STORE_ERROR_INIT;
	struct store_info there = { .links = 1 };
	CLEANUP_FREE char *folder = NULL;
	int code = s3_object_name(s3, key, true, &folder, error);

	if (code)
		return code;
	code = s3_stat(s3, context, key, &there, NULL, &own);
	if (!code)
		return store_error_set(error, STORE_EXISTS, "%s",
				       store_code_text(STORE_EXISTS));
	if (code != STORE_NOT_FOUND) {
		*error = own;
		return code;
	}
	code = put_marker(s3, context, folder, attributes, &there, error);
	if (!code)
		*info = there;
	return code;
}

/* The server sees whether there is a marker by now. */
int s3_make_missing_dir(void *self, struct store_context *context,
			const char *key,
			const struct store_attributes *attributes,
			struct store_info *info, struct store_error *error)
{
	struct s3 *s3 = self;
	CLEANUP_FREE char *folder = NULL;
	struct store_info there;
	int code;

	if (!(atomic_load(&s3->honoured) & S3_PUT_ABSENT))
		return s3_make_dir(self, context, key, attributes, info, error);
	code = s3_object_name(s3, key, true, &folder, error);
	if (!code)
		code = put_marker(s3, context, folder, attributes, &there,
				  error);
	if (!code)
		*info = there;
	return code;
}

/* Nothing is below: a file, or nothing at all. */
static int no_folder(struct s3 *s3, struct store_context *context,
		     const char *key, struct store_error *error)
{
	CLEANUP_FREE char *object = NULL;
	struct s3_object found;
	int code = s3_object_name(s3, key, false, &object, error);

	if (!code)
		code = s3_head(s3, context, object, NULL, &found, error);
	if (code)
		return code;
	s3_object_release(&found);
	return store_error_set(error, STORE_NOT_DIR, "%s",
			       store_code_text(STORE_NOT_DIR));
}

int s3_remove_dir(void *self, struct store_context *context, const char *key,
		  struct store_error *error)
{
	struct s3 *s3 = self;
	CLEANUP_FREE char *folder = NULL;
	struct s3_removal removal = { .precondition.condition = STORE_IF_ANY };
	struct s3_below below = { .marker = false };
	int code = s3_object_name(s3, key, true, &folder, error);

	if (!code)
		code = s3_below(s3, context, key, &below, error);
	if (code)
		return code;
	if (below.others)
		return store_error_set(error, STORE_NOT_EMPTY, "%s",
				       store_code_text(STORE_NOT_EMPTY));
	if (!below.marker)
		return no_folder(s3, context, key, error);
	removal.object = folder;
	return s3_remove_object(s3, context, &removal, error);
}
