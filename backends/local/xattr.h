/* SPDX-License-Identifier: MIT */
/*
 * Extended attributes of nodes, and what this backend keeps in them.
 *
 *	user.storefs.id			the st_ino taken over (node.h)
 *	user.storefs.content_type	as given to a put
 *	user.storefs.meta.NAME		user metadata
 *	user.storefs.publish		the id of the put (stamp.h)
 *
 * All other names pass through to the file system.
 */
#ifndef STOREFS_BACKENDS_LOCAL_XATTR_H
#define STOREFS_BACKENDS_LOCAL_XATTR_H

#include "backends/local/node.h"

#define LOCAL_XATTR_ID LOCAL_XATTR_PREFIX "id"
#define LOCAL_XATTR_TYPE LOCAL_XATTR_PREFIX "content_type"
#define LOCAL_XATTR_META LOCAL_XATTR_PREFIX "meta."

/* A path that leads to a descriptor, also an O_PATH one of a symlink. */
struct local_proc_path {
	char text[64];
};
const char *local_proc_path(struct local_proc_path *path, int fd);

/* getxattr() of a name in a folder, not followed. */
ssize_t local_getxattr_at(struct local *self, int dir, const char *name,
			  const char *attribute, void *value, size_t size);
/* All names; malloc'd, a NUL behind each.  -1 with errno. */
ssize_t local_xattr_names(int fd, char **names) STORE_WARN_UNUSED;

/* Does the file system of this folder keep user attributes? */
bool local_xattrs_work(int dir);

/* What a stat tells beside the attributes. */
int local_fill_details(const struct local *self, int fd,
		       const struct local_stat *st,
		       struct store_details *details, struct store_error *error)
	STORE_WARN_UNUSED;
/* Carry over from one file to another what `request` does not name. */
int local_carry_xattrs(int from, int to,
		       const struct backend_put_request *request)
	STORE_WARN_UNUSED;
/* Metadata, content type and attributes of a request: -1 with errno. */
int local_apply_xattrs(int fd, const struct backend_put_request *request)
	STORE_WARN_UNUSED;
/*
 * Metadata, content type and attributes on a file that had others: its
 * metadata is replaced.
 */
int local_replace_xattrs(int fd, const struct backend_put_request *request)
	STORE_WARN_UNUSED;

/* Slots of the table. */
int local_get_xattr(void *self, struct store_context *context, const char *key,
		    const char *name, void **value, size_t *size,
		    struct store_error *error) STORE_WARN_UNUSED;
int local_list_xattrs(void *self, struct store_context *context,
		      const char *key, char **names, size_t *size,
		      struct store_error *error) STORE_WARN_UNUSED;
int local_set_xattr(void *self, struct store_context *context, const char *key,
		    const struct store_xattr *xattr, int xattr_flags,
		    struct store_error *error) STORE_WARN_UNUSED;
int local_remove_xattr(void *self, struct store_context *context,
		       const char *key, const char *name,
		       struct store_error *error) STORE_WARN_UNUSED;

#endif
