// SPDX-License-Identifier: MIT
/*
 * What there is.
 *
 * Version 3 tells size, mode, owner and two times in seconds: nothing of
 * links, and no number of a node.  The version of a file is its size and its
 * mtime, weak, and settled when the second it names is over by the server's
 * clock.
 *
 * ProFTPD answers an LSTAT of a symlink with what it points to.  So every
 * server that does not show to be OpenSSH is asked for a READLINK with it, in
 * the same round trip: one that is answered makes a symlink.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/sftp/sftp.h"
#include "src/base/cleanup.h"

static enum store_type type_of(const struct sftp_attributes *attributes)
{
	if (!(attributes->mask & SFTP_ATTR_MODE))
		return STORE_TYPE_FILE;
	switch (attributes->mode & S_IFMT) {
	case S_IFDIR:
		return STORE_TYPE_FOLDER;
	case S_IFLNK:
		return STORE_TYPE_SYMLINK;
	case S_IFIFO:
		return STORE_TYPE_FIFO;
	case S_IFSOCK:
		return STORE_TYPE_SOCKET;
	case S_IFCHR:
		return STORE_TYPE_CHAR;
	case S_IFBLK:
		return STORE_TYPE_BLOCK;
	default:
		return STORE_TYPE_FILE;
	}
}

void sftp_version_of(const struct sftp_attributes *attributes,
		     struct store_version *version)
{
	*version = (struct store_version){ .weak = true };
	snprintf(version->token, sizeof(version->token), "%" PRIx64 "-%" PRIx32,
		 attributes->size, attributes->mtime);
}

static void fill_attributes(const struct sftp_attributes *from,
			    struct store_attributes *to)
{
	if (from->mask & SFTP_ATTR_MODE) {
		to->mask |= STORE_ATTR_MODE;
		to->mode = from->mode & 07777;
	}
	if (from->mask & SFTP_ATTR_OWNER) {
		to->mask |= STORE_ATTR_UID | STORE_ATTR_GID;
		to->uid = from->uid;
		to->gid = from->gid;
	}
	if (from->mask & SFTP_ATTR_TIMES) {
		to->mask |= STORE_ATTR_MTIME | STORE_ATTR_ATIME;
		to->mtime.tv_sec = from->mtime;
		to->atime.tv_sec = from->atime;
	}
}

void sftp_info_of(const struct sftp *sftp,
		  const struct sftp_attributes *attributes,
		  struct store_info *info)
{
	int64_t there = time(NULL) - atomic_load(&sftp->behind);

	*info = (struct store_info){
		.type = type_of(attributes),
		.links = 1,
		.size = attributes->size,
	};
	fill_attributes(attributes, &info->attributes);
	sftp_idmap_here(&sftp->idmap, &info->attributes);
	if (info->type == STORE_TYPE_FOLDER)
		info->size = 0;
	sftp_version_of(attributes, &info->version);
	/* A second of margin for what was on its way. */
	if ((int64_t)attributes->mtime + 2 < there) {
		info->stored = attributes->mtime;
		info->settled = true;
	}
}

/* ---- looking ---- */

static enum sftp_type stat_type(const struct sftp_call *call)
{
	return call->sftp->settings.follow_symlinks ? SFTP_STAT : SFTP_LSTAT;
}

int sftp_look_send(struct sftp_call *call, const char *path,
		   struct sftp_looking *looking)
{
	struct sftp_ask lstat = { .type = stat_type(call), .path = path };
	struct sftp_ask readlink = { .type = SFTP_READLINK, .path = path };
	int code;

	*looking = (struct sftp_looking){ .lstat = NULL };
	code = sftp_call_send(call, &lstat, &looking->lstat);
	if (code || lstat.type == SFTP_STAT ||
	    !atomic_load(&call->sftp->careful))
		return code;
	code = sftp_call_send(call, &readlink, &looking->readlink);
	if (code)
		sftp_call_forget(call, &looking->lstat);
	return code;
}

void sftp_look_forget(struct sftp_call *call, struct sftp_looking *looking)
{
	sftp_call_forget(call, &looking->lstat);
	sftp_call_forget(call, &looking->readlink);
}

/* The answer to the READLINK decides, whatever LSTAT has told. */
static int settle_link(struct sftp_call *call, struct sftp_looking *looking,
		       int code, struct sftp_attributes *attributes,
		       char **target)
{
	struct store_error told = *call->error;
	char *found = NULL;
	int linked;

	if (!looking->readlink)
		return code;
	store_error_clear(call->error);
	linked = sftp_call_name(call, &looking->readlink, &found);
	if (linked) {
		if (sftp_call_lost(call) || linked == STORE_TIMEOUT ||
		    linked == STORE_CANCELLED || linked == STORE_CORRUPT)
			return linked;
		*call->error = told;
		return code;
	}
	if (code || (attributes->mode & S_IFMT) != S_IFLNK)
		*attributes = (struct sftp_attributes){
			.mask = SFTP_ATTR_MODE | SFTP_ATTR_SIZE,
			.mode = S_IFLNK | 0777,
			.size = strlen(found),
		};
	if (target)
		*target = found;
	else
		free(found);
	return STORE_OK;
}

int sftp_look_settle(struct sftp_call *call, struct sftp_looking *looking,
		     struct sftp_attributes *attributes, char **target)
{
	struct sftp_attributes found = { .mask = 0 };
	char *linked = NULL;
	int code = sftp_call_attributes(call, &looking->lstat, &found);

	code = settle_link(call, looking, code, &found,
			   target ? &linked : NULL);
	if (code)
		return code;
	*attributes = found;
	if (target)
		*target = linked;
	return STORE_OK;
}

int sftp_look(struct sftp_call *call, const char *path,
	      struct sftp_attributes *attributes, char **target)
{
	struct sftp_looking looking;
	int code = sftp_look_send(call, path, &looking);

	return code ? code
		    : sftp_look_settle(call, &looking, attributes, target);
}

/* ---- stat ---- */

/* A root that is yet to come is an empty folder; one that is a link is followed. */
static int stat_root(struct sftp_call *call, const char *path,
		     struct store_info *info)
{
	struct sftp_ask ask = { .type = SFTP_STAT, .path = path };
	struct sftp_attributes attributes;
	struct sftp_request *request;
	int code = sftp_call_send(call, &ask, &request);

	if (!code)
		code = sftp_call_attributes(call, &request, &attributes);
	if (code == STORE_NOT_FOUND) {
		code = sftp_root_missing(call);
		*info = (struct store_info){
			.type = STORE_TYPE_FOLDER,
			.implicit = true,
			.links = 1,
		};
		return code;
	}
	if (code)
		return code;
	atomic_store(&call->sftp->rooted, true);
	sftp_info_of(call->sftp, &attributes, info);
	return STORE_OK;
}

static int read_target(struct sftp_call *call, const char *path, char **target)
{
	struct sftp_ask ask = { .type = SFTP_READLINK, .path = path };
	struct sftp_request *request;
	int code = sftp_call_send(call, &ask, &request);

	return code ? code : sftp_call_name(call, &request, target);
}

static int stat_once(struct sftp_call *call, const char *key,
		     const struct sftp_path *path, struct store_info *info,
		     struct store_details *details)
{
	struct sftp_attributes attributes;
	struct sftp_looking looking;
	struct sftp_request *parent;
	CLEANUP_FREE char *target = NULL;
	int code;

	if (!*key)
		return stat_root(call, path->text, info);
	code = sftp_parent_send(call, key, &parent);
	if (code)
		return code;
	code = sftp_look_send(call, path->text, &looking);
	if (code) {
		sftp_call_forget(call, &parent);
		return code;
	}
	code = sftp_parent_settle(call, key, &parent);
	if (code) {
		sftp_look_forget(call, &looking);
		return code;
	}
	code = sftp_look_settle(call, &looking, &attributes,
				details ? &target : NULL);
	if (code)
		return code;
	sftp_info_of(call->sftp, &attributes, info);
	if (details && info->type == STORE_TYPE_SYMLINK) {
		if (!target)
			code = read_target(call, path->text, &target);
		details->target = steal_pointer(&target);
		if (details->target)
			info->size = strlen(details->target);
	}
	return code;
}

int sftp_stat(void *self, struct store_context *context, const char *key,
	      struct store_info *info, struct store_details *details,
	      struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct sftp_path path;
	struct sftp_call call;
	int code;

	if (sftp_path_of(self, key, &path, error))
		return store_error_set(error, STORE_NOT_FOUND,
				       "a name of the store's own");
	sftp_call_init(&call, self, context, error);
	do
		code = stat_once(&call, key, &path, &found, details);
	while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	if (!code)
		*info = found;
	return code;
}

/* ---- figures ---- */

int sftp_usage_once(struct sftp_call *call, struct store_usage *usage)
{
	struct sftp_path root;
	struct sftp_ask ask = { .type = SFTP_EXTENDED,
				.extension = SFTP_EXT_STATVFS,
				.path = root.text };
	struct sftp_request *request;
	int code = sftp_path_of(call->sftp, "", &root, call->error);

	if (!code)
		code = sftp_call_connect(call);
	if (!code && !sftp_session_has(call->session, SFTP_EXT_STATVFS))
		code = store_error_set(call->error, STORE_NOT_SUPPORTED,
				       "the server tells no figures");
	if (!code)
		code = sftp_call_send(call, &ask, &request);
	if (code)
		return code;
	code = sftp_call_wait(call, request);
	if (!code) {
		struct sftp_body *body = sftp_request_body(request);
		uint64_t word[8];

		/* bsize frsize blocks bfree bavail files ffree favail */
		for (size_t i = 0; i < 8; i++)
			word[i] = sftp_take_u64(body);
		code = sftp_body_check(body, "statvfs", call->error);
		if (!code)
			*usage = (struct store_usage){
				.total = word[2] * word[1],
				.free = word[3] * word[1],
				.available = word[4] * word[1],
				.nodes = word[5],
				.nodes_free = word[6],
			};
	}
	sftp_call_forget(call, &request);
	return code;
}

int sftp_usage(void *self, struct store_context *context,
	       struct store_usage *usage, struct store_error *error)
{
	struct sftp_call call;
	int code;

	sftp_call_init(&call, self, context, error);
	do
		code = sftp_usage_once(&call, usage);
	while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	return code;
}
