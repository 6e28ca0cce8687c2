// SPDX-License-Identifier: MIT
/*
 * Setting attributes.  Version 3 sets uid with gid and atime with mtime, so
 * that the other one of a pair is what it is now.  SETSTAT follows symlinks;
 * only lsetstat@openssh.com sets those of one itself.
 */
#include "config.h"

#include <string.h>
#include <sys/stat.h>

#include "backends/sftp/sftp.h"

/* Seconds as version 3 has them: 1970 to 2106. */
static uint32_t seconds(struct timespec time)
{
	if (time.tv_sec < 0)
		return 0;
	return time.tv_sec > UINT32_MAX ? UINT32_MAX : (uint32_t)time.tv_sec;
}

size_t sftp_attributes_of(const struct store_attributes *wanted,
			  const struct sftp_attributes *now,
			  struct sftp_attributes set[2])
{
	struct sftp_attributes rest = *now;
	size_t count = 0;

	rest.mask = 0;
	if (wanted->mask & (STORE_ATTR_UID | STORE_ATTR_GID)) {
		set[count] = *now;
		set[count].mask = SFTP_ATTR_OWNER;
		if (wanted->mask & STORE_ATTR_UID)
			set[count].uid = wanted->uid;
		if (wanted->mask & STORE_ATTR_GID)
			set[count].gid = wanted->gid;
		count++;
	}
	if (wanted->mask & STORE_ATTR_MODE) {
		rest.mask |= SFTP_ATTR_MODE;
		rest.mode = wanted->mode & 07777;
	}
	if (wanted->mask & (STORE_ATTR_MTIME | STORE_ATTR_ATIME)) {
		rest.mask |= SFTP_ATTR_TIMES;
		if (wanted->mask & STORE_ATTR_MTIME)
			rest.mtime = seconds(wanted->mtime);
		if (wanted->mask & STORE_ATTR_ATIME)
			rest.atime = seconds(wanted->atime);
	}
	if (rest.mask)
		set[count++] = rest;
	return count;
}

static int set_some(struct sftp_call *call, const char *path, bool link,
		    const struct sftp_attributes *set)
{
	struct sftp_ask ask = { .type = SFTP_SETSTAT,
				.path = path,
				.attributes = set };

	if (link) {
		if (!sftp_session_has(call->session, SFTP_EXT_LSETSTAT))
			return store_error_set(call->error, STORE_NOT_SUPPORTED,
					       "the server sets no attributes "
					       "of symlinks");
		ask.type = SFTP_EXTENDED;
		ask.extension = SFTP_EXT_LSETSTAT;
	}
	return sftp_call_do(call, &ask);
}

static int set_once(struct sftp_call *call, const char *key,
		    const struct store_attributes *wanted,
		    struct store_info *info)
{
	struct store_attributes mapped = *wanted;
	struct sftp_attributes now, set[2];
	struct sftp_path path;
	size_t count;
	bool link;
	int code = sftp_path_of(call->sftp, key, &path, call->error);

	if (!code)
		code = sftp_parent_check(call, key);
	if (!code)
		code = sftp_look(call, path.text, &now, NULL);
	if (code)
		return code;
	link = S_ISLNK(now.mode) && *key;
	sftp_idmap_there(&call->sftp->idmap, &mapped);
	count = sftp_attributes_of(&mapped, &now, set);
	for (size_t i = 0; !code && i < count; i++) {
		/* Linux has no mode of a symlink to set. */
		if (link)
			set[i].mask &= ~(uint32_t)SFTP_ATTR_MODE;
		if (set[i].mask)
			code = set_some(call, path.text, link, &set[i]);
	}
	if (!code)
		code = sftp_look(call, path.text, &now, NULL);
	if (!code)
		sftp_info_of(call->sftp, &now, info);
	return code;
}

int sftp_set_attributes(void *self, struct store_context *context,
			const char *key,
			const struct store_attributes *attributes,
			struct store_info *info, struct store_error *error)
{
	struct sftp_call call;
	int code;

	sftp_call_init(&call, self, context, error);
	do
		code = set_once(&call, key, attributes, info);
	while (sftp_call_again(&call, &code));
	sftp_call_release(&call);
	return code;
}
