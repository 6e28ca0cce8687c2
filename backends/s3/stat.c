// SPDX-License-Identifier: MIT
/*
 * What a key names.  A file is an object; a folder is an object with a '/'
 * behind its name, or only what is below it.  Nobody knows which before he
 * has asked for both, so both questions go out together.
 *
 * Called through the table and by operations that look first.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <stdlib.h>
#include <string.h>

/* A symlink was replaced between the look and the reading: look again. */
enum { TRIES = 5 };

int s3_ping(void *self, struct store_context *context,
	    struct store_error *error)
{
	struct s3 *s3 = self;
	struct s3_call call;
	int code;

	s3_call_init(&call, "HEAD", NULL);
	code = s3_send(s3, context, &call, error);
	s3_call_release(&call);
	if (code)
		store_error_prefix(error, "bucket %s", s3->settings.bucket);
	return code;
}

/* ---- one object ---- */

static void ask_head(const struct s3 *s3, struct s3_call *call,
		     const char *object)
{
	s3_call_init(call, "HEAD", object);
	s3_call_customer_key(s3, call, "x-amz-");
}

int s3_head(struct s3 *s3, struct store_context *context, const char *object,
	    const struct store_version *pin, struct s3_object *found,
	    struct store_error *error)
{
	bool folder = !*object || object[strlen(object) - 1] == '/';
	struct s3_call call;
	int code;

	ask_head(s3, &call, object);
	code = s3_send(s3, context, &call, error);
	if (!code)
		code = s3_object_take(found, &call, folder, error);
	s3_call_release(&call);
	if (!code && pin && !store_version_equal(pin, &found->info.version)) {
		s3_object_release(found);
		return store_error_set(error, STORE_CHANGED,
				       "another version is there");
	}
	return code;
}

int s3_head_file(struct s3 *s3, struct store_context *context, const char *key,
		 struct s3_object *found, struct store_error *error)
{
	struct store_error missing = STORE_ERROR_INIT;
	CLEANUP_FREE char *object = NULL;
	struct s3_below below;
	int code = s3_object_name(s3, key, false, &object, error);

	if (code)
		return code;
	code = s3_head(s3, context, object, NULL, found, &missing);
	if (code == STORE_NOT_FOUND) {
		int asked = s3_below(s3, context, key, &below, error);

		if (asked)
			return asked;
		if (below.marker || below.others)
			return store_error_set(error, STORE_IS_DIR, "%s",
					       store_code_text(STORE_IS_DIR));
	}
	if (code && error)
		*error = missing;
	return code;
}

/* ---- folders ---- */

static int stat_marker(struct s3 *s3, struct store_context *context,
		       const char *folder, struct store_info *info,
		       struct store_details *details, struct store_error *error)
{
	struct s3_object found;
	int code = s3_head(s3, context, folder, NULL, &found, error);

	if (code)
		return code;
	if (details)
		code = s3_object_details(&found, details, error);
	if (!code)
		*info = found.info;
	s3_object_release(&found);
	return code;
}

static void implicit_folder(struct store_info *info)
{
	*info = (struct store_info){
		.type = STORE_TYPE_FOLDER,
		.implicit = true,
		.links = 1,
	};
}

static int stat_folder(struct s3 *s3, struct store_context *context,
		       const char *folder, const struct s3_below *below,
		       struct store_info *info, struct store_details *details,
		       struct store_error *error)
{
	struct store_error gone = STORE_ERROR_INIT;
	int code = STORE_NOT_FOUND;

	if (below->marker)
		code = stat_marker(s3, context, folder, info, details, &gone);
	if (code == STORE_NOT_FOUND) {
		implicit_folder(info);
		return STORE_OK;
	}
	if (code && error)
		*error = gone;
	return code;
}

static int stat_root(struct s3 *s3, struct store_context *context,
		     struct store_info *info, struct store_details *details,
		     struct store_error *error)
{
	const struct s3_below below = { .marker = *s3->settings.root };

	return stat_folder(s3, context, s3->settings.root, &below, info,
			   details, error);
}

/* ---- any key ---- */

struct both {
	struct s3_call head;
	struct s3_call below;
	char *object;
	char *folder;
};

static int ask_both(struct s3 *s3, struct store_context *context,
		    struct both *both)
{
	struct s3_call *const calls[] = { &both->head, &both->below };
	bool both_fit = both->folder != NULL;

	ask_head(s3, &both->head, both->object);
	if (both_fit)
		s3_below_ask(&both->below, both->folder);
	s3_send_all(s3, context, calls, both_fit ? 2 : 1);
	return both->head.code;
}

/* The object of a file, for who wants more of it than `info`. */
static int take_file(struct both *both, struct store_info *info,
		     struct store_details *details, struct s3_object *object,
		     struct store_error *error)
{
	struct s3_object found;
	int code = s3_object_take(&found, &both->head, false, error);

	if (code)
		return code;
	if (details)
		code = s3_object_details(&found, details, error);
	if (!code)
		*info = found.info;
	if (!code && object)
		*object = found;
	else
		s3_object_release(&found);
	return code;
}

static int judge_both(struct s3 *s3, struct store_context *context,
		      struct both *both, struct store_info *info,
		      struct store_details *details, struct s3_object *object,
		      struct store_error *error)
{
	struct s3_below below = { .marker = false };
	int code = STORE_OK;

	if (both->folder && !both->below.code)
		code = s3_below_read(&both->below, both->folder, &below, error);
	if (code)
		return code;
	/* Where both are, the folder is what a tree can show. */
	if (below.marker || below.others)
		return stat_folder(s3, context, both->folder, &below, info,
				   details, error);
	if (both->head.code == STORE_NOT_FOUND && both->folder &&
	    both->below.code) {
		*error = both->below.error;
		return both->below.code;
	}
	if (both->head.code) {
		*error = both->head.error;
		return both->head.code;
	}
	return take_file(both, info, details, object, error);
}

static int stat_any(struct s3 *s3, struct store_context *context,
		    const char *key, struct store_info *info,
		    struct store_details *details, struct s3_object *object,
		    struct store_error *error)
{
	struct both both = { .object = NULL };
	int code;

	if (!*key)
		return stat_root(s3, context, info, details, error);
	code = s3_object_name(s3, key, false, &both.object, error);
	if (code)
		return code;
	/* A name of full length cannot be that of a folder. */
	(void)!s3_object_name(s3, key, true, &both.folder, NULL);
	ask_both(s3, context, &both);
	code = judge_both(s3, context, &both, info, details, object, error);
	s3_call_release(&both.head);
	if (both.folder)
		s3_call_release(&both.below);
	free(both.object);
	free(both.folder);
	return code;
}

/* Of the version that `info` tells of. */
static int read_target(struct s3 *s3, struct store_context *context,
		       const char *key, const struct store_info *info,
		       char **target, struct store_error *error)
{
	CLEANUP_FREE char *object = NULL;
	CLEANUP_FREE char *text = malloc((size_t)info->size + 1);
	void *reader = NULL;
	size_t got = 0;
	int code;

	if (!text)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	code = s3_object_name(s3, key, false, &object, error);
	if (!code)
		code = s3_open_object(object, &info->version, info->size,
				      &reader, error);
	if (code)
		return code;
	code = s3_read(s3, context, reader, 0, text, (size_t)info->size, &got,
		       error);
	s3_close_reader(s3, reader);
	if (code)
		return code;
	text[got] = '\0';
	*target = steal_pointer(&text);
	return STORE_OK;
}

static int stat_once(struct s3 *s3, struct store_context *context,
		     const char *key, struct store_info *info,
		     struct store_details *details, struct store_error *error)
{
	int code = stat_any(s3, context, key, info, details, NULL, error);

	if (!code && details && info->type == STORE_TYPE_SYMLINK)
		code = read_target(s3, context, key, info, &details->target,
				   error);
	return code;
}

int s3_stat(void *self, struct store_context *context, const char *key,
	    struct store_info *info, struct store_details *details,
	    struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	struct store_info found;
	int code = stat_once(self, context, key, &found, details, &own);

	for (int i = 1; details && code == STORE_CHANGED && i < TRIES; i++) {
		store_error_clear(&own);
		store_details_release(details);
		code = stat_once(self, context, key, &found, details, &own);
	}
	if (code)
		*error = own;
	else
		*info = found;
	return code;
}

/* Its marker, or else whether anything is below; neither: it has gone. */
static int stat_listed_folder(struct s3 *s3, struct store_context *context,
			      const char *key, const char *folder,
			      struct store_info *info,
			      struct store_details *details,
			      struct store_error *error)
{
	struct store_error gone = STORE_ERROR_INIT;
	struct s3_below below;
	int code = stat_marker(s3, context, folder, info, details, &gone);

	if (code && code != STORE_NOT_FOUND)
		*error = gone;
	if (code != STORE_NOT_FOUND)
		return code;
	code = s3_below(s3, context, key, &below, error);
	if (code)
		return code;
	if (!below.marker && !below.others)
		return s3_stat(s3, context, key, info, details, error);
	implicit_folder(info);
	return STORE_OK;
}

static int stat_listed_file(struct s3 *s3, struct store_context *context,
			    const char *object, struct store_info *info,
			    struct store_details *details,
			    struct store_error *error)
{
	struct s3_object found;
	int code = s3_head(s3, context, object, NULL, &found, error);

	if (code)
		return code;
	/* There is more to tell of a symlink than its headers do. */
	if (details && found.info.type == STORE_TYPE_SYMLINK)
		code = STORE_NOT_FOUND;
	else if (details)
		code = s3_object_details(&found, details, error);
	if (!code)
		*info = found.info;
	s3_object_release(&found);
	return code;
}

int s3_stat_listed(void *self, struct store_context *context, const char *key,
		   enum store_type listed, struct store_info *info,
		   struct store_details *details, struct store_error *error)
{
	struct s3 *s3 = self;
	struct store_error gone = STORE_ERROR_INIT;
	CLEANUP_FREE char *object = NULL;
	bool folder = listed == STORE_TYPE_FOLDER;
	int code = s3_object_name(s3, key, folder, &object, error);

	if (code)
		return code;
	if (folder)
		return stat_listed_folder(s3, context, key, object, info,
					  details, error);
	code = stat_listed_file(s3, context, object, info, details, &gone);
	if (code == STORE_NOT_FOUND)
		return s3_stat(s3, context, key, info, details, error);
	if (code)
		*error = gone;
	return code;
}

int s3_find(struct s3 *s3, struct store_context *context, const char *key,
	    struct s3_object *found, struct store_error *error)
{
	*found = (struct s3_object){ .info = { .links = 1 } };
	return stat_any(s3, context, key, &found->info, NULL, found, error);
}
