// SPDX-License-Identifier: MIT
/*
 * Attributes and extended attributes of what a key names.
 *
 * Called through <storefs/store.h>; one backend call each.
 */
#include "config.h"

#include "src/store_core.h"

int store_sync(struct store *store, struct store_context *context,
	       const char *folder, struct store_error *error)
{
	struct call call;
	int code = call_begin(&call, store, "sync", context);

	if (!code)
		code = call_key(&call, folder, CALL_ROOT_TOO);
	if (!code && call.ops->sync)
		code = call.ops->sync(call.self, call.context, call.key,
				      &call.error);
	return call_end(&call, code, error);
}

int store_set_attributes(struct store *store, struct store_context *context,
			 const char *key,
			 const struct store_attributes *attributes,
			 struct store_info *info, struct store_error *error)
{
	struct store_info found = { .links = 1 };
	struct call call;
	int code = call_begin(&call, store, "set attributes of", context);

	if (!code)
		code = call_key(&call, key, CALL_ROOT_TOO);
	if (!code)
		code = call_needs(&call, STORE_CAP_WRITE | STORE_CAP_POSIX);
	if (!code)
		code = call.ops->set_attributes(call.self, call.context,
						call.key, attributes, &found,
						&call.error);
	if (!code)
		call_info(&call, &found, info);
	return call_end(&call, code, error);
}

/* A call on extended attributes; the root has some, too. */
static int xattr_begin(struct call *call, struct store *store, const char *what,
		       struct store_context *context, const char *key)
{
	int code = call_begin(call, store, what, context);

	if (!code)
		code = call_key(call, key, CALL_ROOT_TOO);
	if (!code)
		code = call_needs(call, STORE_CAP_XATTR);
	return code;
}

int store_get_xattr(struct store *store, struct store_context *context,
		    const char *key, const char *name, void **value,
		    size_t *size, struct store_error *error)
{
	struct call call;
	int code = xattr_begin(&call, store, "get attribute of", context, key);

	if (!code)
		code = call.ops->get_xattr(call.self, call.context, call.key,
					   name, value, size, &call.error);
	return call_end(&call, code, error);
}

int store_list_xattrs(struct store *store, struct store_context *context,
		      const char *key, char **names, size_t *size,
		      struct store_error *error)
{
	struct call call;
	int code =
		xattr_begin(&call, store, "list attributes of", context, key);

	if (!code)
		code = call.ops->list_xattrs(call.self, call.context, call.key,
					     names, size, &call.error);
	return call_end(&call, code, error);
}

int store_set_xattr(struct store *store, struct store_context *context,
		    const char *key, const struct store_xattr *xattr,
		    int xattr_flags, struct store_error *error)
{
	struct call call;
	int code = xattr_begin(&call, store, "set attribute of", context, key);

	if (!code)
		code = call_needs(&call, STORE_CAP_WRITE);
	if (!code)
		code = call.ops->set_xattr(call.self, call.context, call.key,
					   xattr, xattr_flags, &call.error);
	return call_end(&call, code, error);
}

int store_remove_xattr(struct store *store, struct store_context *context,
		       const char *key, const char *name,
		       struct store_error *error)
{
	struct call call;
	int code =
		xattr_begin(&call, store, "remove attribute of", context, key);

	if (!code)
		code = call_needs(&call, STORE_CAP_WRITE);
	if (!code)
		code = call.ops->remove_xattr(call.self, call.context, call.key,
					      name, &call.error);
	return call_end(&call, code, error);
}

int store_check_xattrs(struct store *store, const struct store_xattr *xattrs,
		       size_t count, struct store_error *error)
{
	struct call call;
	int code = xattr_begin(&call, store, "check attributes of", NULL, "");

	if (!code && call.ops->check_xattrs)
		code = call.ops->check_xattrs(call.self, xattrs, count,
					      &call.error);
	return call_end(&call, code, error);
}
