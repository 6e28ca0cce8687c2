// SPDX-License-Identifier: MIT
/*
 * Bringing a new version of a file under its name; the rules are in
 * publish.h.
 *
 * Called by puts and copies.  Takes the flock of the folder.
 */
#include "config.h"

#include "backends/local/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/cleanup.h"

static int look(const struct local_publish *publish, struct local_stat *st,
		bool *exists, struct store_error *error)
{
	*exists =
		local_stat_at(publish->place.dir, publish->place.name, st) == 0;
	if (!*exists && errno != ENOENT)
		return local_fail_target(error, errno, "find");
	return STORE_OK;
}

int local_publish_check(struct local_publish *publish, struct local_stat *st,
			bool *exists, struct store_error *error)
{
	int code = look(publish, st, exists, error);

	if (code)
		return code;
	return local_check_condition(publish->self, publish->precondition,
				     *exists ? st : NULL, error);
}

/* What has a version has parents: none are made. */
static int find_place(struct local_publish *publish, struct store_error *error)
{
	int code = local_place_find(publish->self, publish->key,
				    &publish->place, error);

	if (code == STORE_NOT_FOUND && error->detail == ENOTDIR)
		return local_fail_target(error, ENOTDIR, "find");
	return code;
}

int local_publish_begin(struct local_publish *publish, mode_t mode,
			struct store_error *error)
{
	struct local *self = publish->self;
	int code = store_context_check(publish->context, error);

	publish->place = (struct local_place)LOCAL_PLACE_INIT;
	publish->temporary = (struct local_temporary)LOCAL_TEMPORARY_INIT;
	if (code)
		return code;
	if (publish->precondition->condition == STORE_IF_VERSION)
		code = find_place(publish, error);
	else
		code = local_place_make(self, publish->key, &publish->place,
					error);
	if (!code)
		code = local_publish_check(publish, &publish->old,
					   &publish->exists, error);
	if (code)
		return code;
	if (local_temporary_make(self, &publish->place, mode,
				 &publish->temporary))
		return local_fail_target(error, errno, "make");
	return STORE_OK;
}

/* The new version shows the st_ino of the one it replaces. */
static void take_over_id(struct local_publish *publish,
			 const struct local_stat *old)
{
	/* The other names of the old one go on showing it. */
	if (!S_ISREG(old->mode) || old->links != 1)
		return;
	local_take_id(publish->self, publish->temporary.fd,
		      local_id_at(publish->self, publish->place.dir,
				  publish->place.name, old));
}

/* To a reader a new version in the place of an old one is a write. */
static void restore_folder_times(const struct local_publish *publish,
				 const struct stat *before)
{
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT },
					  before->st_mtim };

	/* Not our folder, perhaps: then its times tell of the rename. */
	int failed UNUSED = futimens(publish->place.dir, times);
}

static int rename_over_locked(struct local_publish *publish,
			      struct store_error *error)
{
	struct local_place *place = &publish->place;
	struct local_temporary *temporary = &publish->temporary;
	struct local_stat now;
	struct stat folder;
	bool exists, restore;
	int code = local_publish_check(publish, &now, &exists, error);

	if (code)
		return code;
	if (exists && !publish->id &&
	    !(publish->exists && local_stat_same_node(&now, &publish->old)))
		take_over_id(publish, &now);
	restore = exists && publish->keep_times && !fstat(place->dir, &folder);
	if (local_temporary_name(publish->self, place, temporary) ||
	    renameat(place->dir, temporary->name, place->dir, place->name))
		return local_fail_target(error, errno, "replace");
	temporary->named = false;
	if (restore)
		restore_folder_times(publish, &folder);
	return STORE_OK;
}

static int replace(struct local_publish *publish, struct store_error *error)
{
	int code = STORE_OK;

	if (!publish->place.bare)
		code = local_lock(publish->self, publish->context,
				  publish->place.dir, error);
	if (code)
		return code;
	code = rename_over_locked(publish, error);
	if (!publish->place.bare)
		local_unlock(publish->place.dir);
	return code;
}

static int bring_under_name(struct local_publish *publish,
			    struct store_error *error)
{
	enum store_condition condition = publish->precondition->condition;
	struct local_stat now;
	bool exists;
	int code;

	if (publish->exists || condition == STORE_IF_VERSION)
		return replace(publish, error);
	if (local_temporary_publish(&publish->place, &publish->temporary,
				    publish->place.name) == 0)
		return STORE_OK;
	if (errno != EEXIST)
		return local_fail_target(error, errno, "make");
	if (condition == STORE_IF_ANY)
		return replace(publish, error);
	code = local_publish_check(publish, &now, &exists, error);
	return code ? code : local_fail(error, EEXIST, "make");
}

int local_publish_commit(struct local_publish *publish, struct store_info *info,
			 struct store_error *error)
{
	struct local *self = publish->self;
	int fd = publish->temporary.fd;
	int code;

	if (publish->id)
		local_take_id(self, fd, publish->id);
	else if (publish->exists)
		take_over_id(publish, &publish->old);
	if (self->sync_data && fsync(fd))
		return local_fail(error, errno, "write");
	store_context_progress(publish->context);
	code = store_context_check(publish->context, error);
	if (!code)
		code = bring_under_name(publish, error);
	if (code)
		return code;
	publish->place.made = 0; /* they hold something now */
	if (local_place_sync(self, &publish->place))
		return local_fail(error, errno, "sync the folder");
	if (local_info_fd(self, fd, info))
		return local_fail(error, errno, "look at");
	return STORE_OK;
}

int local_publish_end(struct local_publish *publish, int code)
{
	local_temporary_drop(&publish->place, &publish->temporary);
	local_place_release(&publish->place);
	if (code)
		local_place_undo(publish->self, publish->key, &publish->place);
	return code;
}

bool local_publish_lost_folder(const struct local_publish *publish, int code)
{
	return code == STORE_NOT_FOUND && publish->place.dir >= 0 &&
	       publish->precondition->condition != STORE_IF_VERSION &&
	       local_place_is_gone(&publish->place);
}
