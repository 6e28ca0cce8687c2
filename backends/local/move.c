// SPDX-License-Identifier: MIT
/*
 * Moving names: rename(2) with its errors.
 *
 * Called by the table.  Takes the flocks of both folders, in the order of
 * their inode numbers.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "backends/local/names.h"
#include "backends/local/node.h"
#include "backends/local/path.h"
#include "backends/local/temporary.h"
#include "src/base/cleanup.h"

struct move {
	struct local *self;
	const struct backend_move_request *request;
	struct local_place from;
	struct local_place to;
	bool one_folder;
	bool to_first; /* order of the locks */
};

static int compare_folders(struct move *move)
{
	struct local_stat from;
	struct local_stat to;

	if (local_stat_at(move->from.dir, "", &from) ||
	    local_stat_at(move->to.dir, "", &to))
		return -1;
	move->one_folder = local_stat_same_node(&from, &to);
	move->to_first =
		to.dev < from.dev || (to.dev == from.dev && to.ino < from.ino);
	return 0;
}

static int lock_folders(const struct move *move, struct store_context *context,
			struct store_error *error)
{
	const struct local_place *first =
		move->to_first ? &move->to : &move->from;
	const struct local_place *second =
		move->to_first ? &move->from : &move->to;
	int code = STORE_OK;

	if (!first->bare)
		code = local_lock(move->self, context, first->dir, error);
	if (!code && !move->one_folder && !second->bare)
		code = local_lock(move->self, context, second->dir, error);
	return code;
}

static unsigned int rename_flags(const struct backend_move_request *request)
{
	if (request->flags & BACKEND_MOVE_EXCHANGE)
		return LOCAL_RENAME_EXCHANGE;
	if (!(request->flags & BACKEND_MOVE_REPLACE) ||
	    request->precondition.condition == STORE_IF_ABSENT)
		return LOCAL_RENAME_NOREPLACE;
	return 0;
}

/* A file system that does not know RENAME_NOREPLACE: the flock must do. */
static int rename_to_free_name(const struct move *move)
{
	struct local_stat st;

	if (local_stat_at(move->to.dir, move->to.name, &st) == 0) {
		errno = EEXIST;
		return -1;
	}
	return renameat(move->from.dir, move->from.name, move->to.dir,
			move->to.name);
}

/* Clear the folder that is replaced of what a crash left in it. */
static bool sweep_target(const struct move *move)
{
	CLEANUP_FD int inner =
		openat(move->to.dir, move->to.name,
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return inner >= 0 && local_sweep_folder(move->self, inner);
}

static int rename_once(const struct move *move, unsigned int flags)
{
	if (local_rename(move->from.dir, move->from.name, move->to.dir,
			 move->to.name, flags) == 0)
		return 0;
	if (flags == LOCAL_RENAME_NOREPLACE &&
	    (errno == EINVAL || errno == ENOSYS))
		return rename_to_free_name(move);
	if (!flags && errno == EEXIST)
		errno = ENOTEMPTY;
	return -1;
}

static bool file_meets_folder(const struct move *move)
{
	int saved = errno;
	struct local_stat from;
	struct local_stat to;
	bool meets =
		local_stat_at(move->from.dir, move->from.name, &from) == 0 &&
		local_stat_at(move->to.dir, move->to.name, &to) == 0 &&
		!S_ISDIR(from.mode) && S_ISDIR(to.mode);

	errno = saved;
	return meets;
}

static int rename_locked(const struct move *move, struct store_error *error)
{
	const struct backend_move_request *request = move->request;
	unsigned int flags = rename_flags(request);
	struct local_stat st;
	int code = STORE_OK;

	if (request->precondition.condition == STORE_IF_VERSION) {
		bool exists =
			local_stat_at(move->to.dir, move->to.name, &st) == 0;

		code = local_check_condition(move->self, &request->precondition,
					     exists ? &st : NULL, error);
	}
	if (code)
		return code;
	if (rename_once(move, flags) == 0)
		return STORE_OK;
	if (errno == ENOTEMPTY && sweep_target(move) &&
	    rename_once(move, flags) == 0)
		return STORE_OK;
	/* rename(2) looks at what is taken before it looks at types. */
	if ((errno == EEXIST || errno == ENOTEMPTY) &&
	    flags != LOCAL_RENAME_EXCHANGE && file_meets_folder(move))
		errno = EISDIR;
	return local_fail_target(error, errno, "move");
}

static int sync_folders(const struct move *move)
{
	if (!move->self->sync_names)
		return 0;
	if (local_place_sync(move->self, &move->to))
		return -1;
	return move->one_folder ? 0 : local_place_sync(move->self, &move->from);
}

static int tell(const struct move *move, struct store_info *info)
{
	struct local_stat st;
	uint64_t id;

	if (local_stat_at(move->to.dir, move->to.name, &st))
		return -1;
	id = local_id_at(move->self, move->to.dir, move->to.name, &st);
	local_info_of(move->self, &st, id, info);
	return 0;
}

static int move_between(struct move *move, struct store_context *context,
			struct store_info *info, struct store_error *error)
{
	int code;

	if (compare_folders(move))
		return local_fail(error, errno, "move");
	code = lock_folders(move, context, error);
	if (!code)
		code = rename_locked(move, error);
	if (code)
		return code;
	move->to.made = 0; /* they hold something now */
	local_unlock(move->from.dir);
	local_unlock(move->to.dir);
	if (sync_folders(move))
		return local_fail(error, errno, "sync the folder");
	if (tell(move, info))
		return local_fail(error, errno, "look at");
	return STORE_OK;
}

int local_move(void *self, struct store_context *context,
	       const struct backend_move_request *request,
	       struct store_info *info, struct store_error *error)
{
	struct move move = {
		.self = self,
		.request = request,
		.from = LOCAL_PLACE_INIT,
		.to = LOCAL_PLACE_INIT,
	};
	struct local_stat st;
	int code = store_context_check(context, error);

	if (!code)
		code = local_place_find(self, request->from, &move.from, error);
	if (!code && local_stat_at(move.from.dir, move.from.name, &st))
		code = local_fail_source(error, errno, "move");
	if (!code && (request->flags & BACKEND_MOVE_EXCHANGE))
		code = local_place_find(self, request->to, &move.to, error);
	else if (!code)
		code = local_place_make(self, request->to, &move.to, error);
	if (!code)
		code = move_between(&move, context, info, error);
	local_place_release(&move.from);
	local_place_release(&move.to);
	if (code)
		local_place_undo(self, request->to, &move.to);
	return code;
}
