// SPDX-License-Identifier: MIT
/*
 * Making and removing names.
 *
 * Called by the table.  Removing takes the flock of the folder, as every
 * change of what a name means does (publish.h); making needs none, the
 * kernel refuses a taken name.
 */
#include "config.h"

#include "backends/local/names.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "backends/local/attribute.h"
#include "backends/local/node.h"
#include "backends/local/path.h"
#include "backends/local/temporary.h"
#include "src/base/cleanup.h"
#include "src/file_type.h"

/* ---- making ---- */

/* Begin to make a name: its place, parents included. */
static int make_begin(struct local *self, struct store_context *context,
		      const char *key, struct local_place *place,
		      struct store_error *error)
{
	int code = store_context_check(context, error);

	return code ? code : local_place_make(self, key, place, error);
}

static int make_end(struct local *self, const char *key,
		    struct local_place *place, int code)
{
	local_place_release(place);
	if (code)
		local_place_undo(self, key, place);
	return code;
}

/* A fresh node gets what mkdir and mknod did not give it: -1 with errno. */
static int dress_node(struct local *self, const struct local_place *place,
		      const struct store_attributes *attributes,
		      struct store_info *info)
{
	CLEANUP_FD int fd = openat(place->dir, place->name,
				   O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct local_stat st;

	if (fd < 0 || local_stat_at(fd, "", &st))
		return -1;
	if (attributes && local_apply_attributes(fd, &st, attributes))
		return -1;
	if (self->sync_names && local_place_sync(self, place))
		return -1;
	return local_info_fd(self, fd, info);
}

static int finish_node(struct local *self, const struct local_place *place,
		       const struct store_attributes *attributes,
		       struct store_info *info, bool is_folder)
{
	int saved;

	if (dress_node(self, place, attributes, info) == 0)
		return 0;
	saved = errno;
	unlinkat(place->dir, place->name, is_folder ? AT_REMOVEDIR : 0);
	errno = saved;
	return -1;
}

static mode_t mode_of(const struct store_attributes *attributes,
		      mode_t fallback)
{
	if (attributes && (attributes->mask & STORE_ATTR_MODE))
		return attributes->mode & 0777;
	return fallback;
}

int local_make_dir(void *self, struct store_context *context, const char *key,
		   const struct store_attributes *attributes,
		   struct store_info *info, struct store_error *error)
{
	struct local_place place = LOCAL_PLACE_INIT;
	int code = make_begin(self, context, key, &place, error);

	if (!code &&
	    (mkdirat(place.dir, place.name, mode_of(attributes, 0777)) ||
	     finish_node(self, &place, attributes, info, true)))
		code = local_fail_target(error, errno, "make");
	return make_end(self, key, &place, code);
}

static int make_one(const struct local_place *place,
		    const struct backend_node_request *request)
{
	if (request->type == STORE_TYPE_SYMLINK)
		return symlinkat(request->target, place->dir, place->name);
	return mknodat(place->dir, place->name,
		       file_type_bits(request->type) |
			       mode_of(request->attributes, 0666),
		       (dev_t)request->rdev);
}

int local_make_node(void *self, struct store_context *context,
		    const struct backend_node_request *request,
		    struct store_info *info, struct store_error *error)
{
	struct local_place place = LOCAL_PLACE_INIT;
	int code = make_begin(self, context, request->key, &place, error);

	if (!code &&
	    (make_one(&place, request) ||
	     finish_node(self, &place, request->attributes, info, false)))
		code = local_fail_target(error, errno, "make");
	return make_end(self, request->key, &place, code);
}

static int link_to(struct local *self, const struct local_place *from,
		   const char *to, struct store_info *info,
		   struct store_error *error)
{
	struct local_place place = LOCAL_PLACE_INIT;
	int code = local_place_make(self, to, &place, error);

	if (!code && (linkat(from->dir, from->name, place.dir, place.name, 0) ||
		      dress_node(self, &place, NULL, info)))
		code = local_fail_target(error, errno, "link");
	return make_end(self, to, &place, code);
}

int local_link(void *self, struct store_context *context, const char *from,
	       const char *to, struct store_info *info,
	       struct store_error *error)
{
	struct local_place place = LOCAL_PLACE_INIT;
	struct local_stat st;
	int code = store_context_check(context, error);

	if (!code)
		code = local_place_find(self, from, &place, error);
	if (code)
		return code;
	if (local_stat_at(place.dir, place.name, &st)) {
		code = local_fail_source(error, errno, "link");
	} else if (S_ISDIR(st.mode)) {
		code = local_fail(error, EISDIR, "link");
		error->detail = EPERM; /* what link(2) says */
	} else {
		code = link_to(self, &place, to, info, error);
	}
	local_place_release(&place);
	return code;
}

/* ---- removing ---- */

static int remove_locked(struct local *self, const struct local_place *place,
			 const struct store_precondition *precondition,
			 struct store_error *error)
{
	struct local_stat st;
	int code = STORE_OK;

	if (precondition->condition == STORE_IF_VERSION) {
		if (local_stat_at(place->dir, place->name, &st))
			return local_fail_source(error, errno, "remove");
		code = local_check_condition(self, precondition, &st, error);
	}
	if (code)
		return code;
	if (unlinkat(place->dir, place->name, 0) == 0)
		return STORE_OK;
	/* POSIX lets unlink() of a folder be EPERM. */
	if (errno == EPERM &&
	    local_stat_at(place->dir, place->name, &st) == 0 &&
	    S_ISDIR(st.mode))
		errno = EISDIR;
	return local_fail_source(error, errno, "remove");
}

int local_remove(void *self, struct store_context *context, const char *key,
		 const struct store_precondition *precondition,
		 struct store_error *error)
{
	struct local *local = self;
	struct local_place place = LOCAL_PLACE_INIT;
	int code = store_context_check(context, error);

	if (!code)
		code = local_place_find(self, key, &place, error);
	if (!code && !place.bare)
		code = local_lock(self, context, place.dir, error);
	if (!code) {
		code = remove_locked(self, &place, precondition, error);
		if (!place.bare)
			local_unlock(place.dir);
	}
	if (!code && local->sync_names && local_place_sync(self, &place))
		code = local_fail(error, errno, "sync the folder");
	local_place_release(&place);
	return code;
}

/* rmdir; what a crashed writer left in the folder is no content. */
static int remove_empty(struct local *self, const struct local_place *place)
{
	CLEANUP_FD int inner = -1;

	if (unlinkat(place->dir, place->name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return -1;
	inner = openat(place->dir, place->name,
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (inner >= 0 && local_sweep_folder(self, inner) &&
	    unlinkat(place->dir, place->name, AT_REMOVEDIR) == 0)
		return 0;
	errno = ENOTEMPTY;
	return -1;
}

int local_remove_dir(void *self, struct store_context *context, const char *key,
		     struct store_error *error)
{
	struct local *local = self;
	struct local_place place = LOCAL_PLACE_INIT;
	struct local_stat st;
	int code = store_context_check(context, error);

	if (!code)
		code = local_place_find(self, key, &place, error);
	if (code)
		return code;
	if (remove_empty(self, &place) == 0) {
		if (local->sync_names && local_place_sync(self, &place))
			code = local_fail(error, errno, "sync the folder");
	} else if (errno == ENOTDIR &&
		   local_stat_at(place.dir, place.name, &st) == 0) {
		code = local_fail(error, ENOTDIR, "remove");
	} else {
		code = local_fail_source(error, errno, "remove");
	}
	local_place_release(&place);
	return code;
}
