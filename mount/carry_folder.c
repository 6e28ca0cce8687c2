// SPDX-License-Identifier: MIT
/*
 * Folders of a rename by copies: made before anything is put into them, and
 * given their mode and times when all is there; see carry.h.  Called by
 * relocation_steps.c, from several threads; calls the store.  No locks.
 */
#include "config.h"

#include "mount/carry_internal.h"

#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/step.h"

static int copy_xattr(struct cargo *cargo, const char *name,
		      struct store_error *error)
{
	struct store *store = cargo->carry->fs->store;
	CLEANUP_FREE void *value = NULL;
	struct store_xattr xattr = { .name = name };
	int code = store_get_xattr(store, &cargo->context, cargo->from, name,
				   &value, &xattr.size, error);

	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		return STORE_OK;
	}
	xattr.value = value;
	return code ? code
		    : store_set_xattr(store, &cargo->context, cargo->to, &xattr,
				      0, error);
}

static int copy_xattrs(struct cargo *cargo, struct store_error *error)
{
	CLEANUP_FREE char *names = NULL;
	size_t size = 0;
	int code;

	if (!fs_can(cargo->carry->fs, STORE_CAP_XATTR))
		return STORE_OK;
	code = store_list_xattrs(cargo->carry->fs->store, &cargo->context,
				 cargo->from, &names, &size, error);
	for (size_t at = 0; !code && at < size; at += strlen(names + at) + 1)
		code = copy_xattr(cargo, names + at, error);
	return code;
}

static int make_folder(struct cargo *cargo, struct store_error *error)
{
	struct store *store = cargo->carry->fs->store;
	struct store_info info;
	int code =
		store_stat(store, &cargo->context, cargo->from, &info, error);

	/* Others may have removed it; an implicit one comes by itself. */
	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		return STORE_OK;
	}
	if (code || info.implicit)
		return code;
	/* Its own mode comes last: things are to be put into it. */
	info.attributes.mode |= 0700;
	STEP("copies: before folder");
	code = store_make_folder(store, &cargo->context, cargo->to,
				 &info.attributes, NULL, error);
	STEP("copies: folder");
	if (code == STORE_EXISTS) {
		store_error_clear(error);
		code = store_stat(store, &cargo->context, cargo->to, &info,
				  error);
		if (!code && info.type != STORE_TYPE_FOLDER)
			code = cargo_in_the_way(cargo, error);
	}
	return code ? code : copy_xattrs(cargo, error);
}

int carry_enter(struct carry *carry, const char *name,
		struct store_error *error)
{
	struct cargo cargo;
	int code = cargo_init(&cargo, carry, name, error);

	return code ? code : cargo_try(&cargo, make_folder, error);
}

static bool attributes_differ(const struct store_attributes *a,
			      const struct store_attributes *b)
{
	return (a->mask & STORE_ATTR_MODE && a->mode != b->mode) ||
	       (a->mask & STORE_ATTR_UID && a->uid != b->uid) ||
	       (a->mask & STORE_ATTR_GID && a->gid != b->gid) ||
	       (a->mask & STORE_ATTR_MTIME &&
		timespec_compare(a->mtime, b->mtime));
}

/* Putting things into it has changed its times. */
static int dress_folder(struct cargo *cargo, struct store_error *error)
{
	struct store *store = cargo->carry->fs->store;
	struct store_info from, to;
	int code =
		store_stat(store, &cargo->context, cargo->from, &from, error);

	if (!code)
		code = store_stat(store, &cargo->context, cargo->to, &to,
				  error);
	if (code == STORE_NOT_FOUND) {
		store_error_clear(error);
		return STORE_OK;
	}
	if (code || from.implicit ||
	    !attributes_differ(&from.attributes, &to.attributes))
		return code;
	code = store_set_attributes(store, &cargo->context, cargo->to,
				    &from.attributes, NULL, error);
	if (code != STORE_DENIED)
		return code;
	/* As with cp -p: an owner that may not be given is left. */
	store_error_clear(error);
	from.attributes.mask &= ~(uint32_t)(STORE_ATTR_UID | STORE_ATTR_GID);
	return store_set_attributes(store, &cargo->context, cargo->to,
				    &from.attributes, NULL, error);
}

int carry_leave(struct carry *carry, const char *name,
		struct store_error *error)
{
	struct cargo cargo;
	int code;

	if (!fs_can(carry->fs, STORE_CAP_POSIX))
		return STORE_OK;
	code = cargo_init(&cargo, carry, name, error);
	return code ? code : cargo_try(&cargo, dress_folder, error);
}
