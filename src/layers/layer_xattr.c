// SPDX-License-Identifier: MIT
/* The slots of layer.c for extended attributes. */
#include "config.h"

#include "src/layers/layer_internal.h"

int layer_get_xattr(void *self, struct store_context *context, const char *key,
		    const char *name, void **value, size_t *size,
		    struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_GET_XATTR, key, context, error);

	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, get_xattr, context, key, name, value,
				    size, error));
}

int layer_list_xattrs(void *self, struct store_context *context,
		      const char *key, char **names, size_t *size,
		      struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_LIST_XATTRS, key, context, error);

	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, list_xattrs, context, key, names,
				    size, error));
}

int layer_set_xattr(void *self, struct store_context *context, const char *key,
		    const struct store_xattr *xattr, int xattr_flags,
		    struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_SET_XATTR, key, context, error);

	call.conditional = xattr_flags != 0;
	return LAYER_RUN(layer, &call,
			 LAYER_NEXT(layer, set_xattr, context, key, xattr,
				    xattr_flags, error));
}

int layer_remove_xattr(void *self, struct store_context *context,
		       const char *key, const char *name,
		       struct store_error *error)
{
	struct layer *layer = self;
	struct layer_call call =
		LAYER_CALL(LAYER_REMOVE_XATTR, key, context, error);

	return LAYER_RUN(
		layer, &call,
		LAYER_NEXT(layer, remove_xattr, context, key, name, error));
}

int layer_check_xattrs(void *self, const struct store_xattr *xattrs,
		       size_t count, struct store_error *error)
{
	struct layer *layer = self;

	return layer->next.ops->check_xattrs(layer->next.self, xattrs, count,
					     error);
}
