// SPDX-License-Identifier: MIT
/*
 * Copying a file inside the store: bytes, holes, attributes, metadata.
 *
 * Called by the table; goes through publish.c as a put does.  The bytes are
 * copied inside the kernel, or shared where the file system can.
 */
#include "config.h"

#include "backends/local/put.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backends/local/attribute.h"
#include "backends/local/bytes.h"
#include "backends/local/publish.h"
#include "backends/local/stamp.h"
#include "backends/local/reader.h"
#include "backends/local/xattr.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

struct copy {
	struct local_publish publish;
	const uint8_t *id; /* of the put it counts as, NULL for none */
	int from;
	struct local_stat st; /* of `from` */
};

static int copy_attributes(const struct copy *copy)
{
	const struct local_stat *st = &copy->st;
	int fd = copy->publish.temporary.fd;
	struct store_attributes attributes = {
		.mask = STORE_ATTR_UID | STORE_ATTR_GID,
		.uid = st->uid,
		.gid = st->gid,
		.mode = st->mode & 07777,
		.mtime = st->mtime,
		.atime = st->atime,
	};
	struct local_stat now;

	if (local_carry_xattrs(copy->from, fd, NULL) ||
	    local_stat_at(fd, "", &now))
		return -1;
	/* As cp -p: an owner that may not be given is left. */
	if (local_apply_attributes(fd, &now, &attributes)) {
		if (errno != EPERM)
			return -1;
		attributes.mode &= 01777;
	}
	attributes.mask = STORE_ATTR_MODE | STORE_ATTR_MTIME | STORE_ATTR_ATIME;
	if (local_apply_times(fd, &attributes) || local_stat_at(fd, "", &now))
		return -1;
	if (copy->id && local_stamp_set(copy->publish.self, fd, &now, copy->id))
		return -1;
	attributes.mask = STORE_ATTR_MODE;
	return local_apply_attributes(fd, &now, &attributes);
}

static int copy_bytes(const struct copy *copy, struct store_error *error)
{
	const struct local_copy range_copy = {
		.self = copy->publish.self,
		.from = copy->from,
		.to = copy->publish.temporary.fd,
	};
	const struct store_range all = { .length = copy->st.size };
	struct local_stat after;
	int code;

	if (ftruncate(range_copy.to, (off_t)all.length))
		return store_error_errno(error, errno, "copy");
	code = local_copy_range(&range_copy, copy->publish.context, &all,
				error);
	if (code)
		return code;
	if (local_stat_at(copy->from, "", &after))
		return store_error_errno(error, errno, "copy");
	if (after.size != copy->st.size ||
	    timespec_compare(after.mtime, copy->st.mtime) != 0)
		return store_error_set(error, STORE_CHANGED,
				       "written while it was copied");
	return STORE_OK;
}

static int copy_steps(struct copy *copy, struct store_info *info,
		      struct store_error *error)
{
	struct local_publish *publish = &copy->publish;
	int code = local_publish_begin(publish, 0600, error);

	if (!code)
		code = copy_bytes(copy, error);
	if (code)
		return code;
	if (copy_attributes(copy))
		return local_fail(error, errno, "copy to");
	return local_publish_commit(publish, info, error);
}

/* The target is another name of the very file: `*info` is that of both. */
static int look_at_target(const struct copy *copy,
			  const struct backend_move_request *request,
			  bool *same, struct store_info *info,
			  struct store_error *error)
{
	struct local *self = copy->publish.self;
	struct local_place place = LOCAL_PLACE_INIT;
	struct local_stat st;
	int code = local_place_find(self, request->to, &place, error);

	*same = !code && local_stat_at(place.dir, place.name, &st) == 0 &&
		local_stat_same_node(&st, &copy->st);
	if (*same) {
		code = local_check_condition(self, &request->precondition, &st,
					     error);
		local_info_of(self, &st, local_id_of(self, copy->from, &st),
			      info);
	} else if (code) {
		/* What is wrong with it is told by who makes it. */
		store_error_clear(error);
		code = STORE_OK;
	}
	local_place_release(&place);
	return code;
}

int local_copy(void *self, struct store_context *context,
	       const struct backend_move_request *request,
	       struct store_info *info, struct store_error *error)
{
	const struct store_precondition absent = {
		.condition = STORE_IF_ABSENT,
	};
	bool replaces = request->flags & BACKEND_MOVE_REPLACE;
	struct copy copy = {
		.publish = {
			.self = self,
			.context = context,
			.key = request->to,
			.precondition = replaces ? &request->precondition :
						   &absent,
		},
	};
	CLEANUP_FD int from = -1;
	bool again = true;
	bool same = false;
	int code = store_context_check(context, error);

	if (!code)
		code = local_open_file(self, request->from, &from, &copy.st,
				       error);
	if (!code)
		code = local_check_condition(self, &request->source, &copy.st,
					     error);
	if (code)
		return code;
	copy.from = from;
	copy.id = request->publish;
	code = look_at_target(&copy, request, &same, info, error);
	if (code || same)
		return code;
	for (int tries = 0; tries < 3 && again; tries++) {
		code = copy_steps(&copy, info, error);
		again = local_publish_lost_folder(&copy.publish, code);
		code = local_publish_end(&copy.publish, code);
	}
	return code;
}
