/* SPDX-License-Identifier: MIT */
/* What the slots of the layer by hooks share; for layer.c and layer_xattr.c. */
#ifndef STOREFS_SRC_LAYERS_LAYER_INTERNAL_H
#define STOREFS_SRC_LAYERS_LAYER_INTERNAL_H

#include "src/layers/layer.h"

struct layer {
	struct store_backend table; /* what the next one has, too */
	struct backend next;	    /* owned */
	const struct layer_hooks *hooks;
	void *hook;
	uint64_t without; /* capabilities it takes away */
};

#define LAYER_CALL(layer_op, layer_key, layer_context, layer_error) \
	{                                                           \
		.op = (layer_op), .key = (layer_key),               \
		.context = (layer_context), .error = (layer_error), \
	}

int layer_before(struct layer *layer, struct layer_call *call)
	STORE_WARN_UNUSED;
/* Again? */
bool layer_after(struct layer *layer, struct layer_call *call, int *code);

/* Run `expression` between the hooks; the value is the resulting code. */
#define LAYER_RUN(layer, call, expression)                     \
	({                                                     \
		int run_code;                                  \
                                                               \
		do {                                           \
			run_code = layer_before(layer, call);  \
			if (run_code)                          \
				break;                         \
			run_code = (expression);               \
		} while (layer_after(layer, call, &run_code)); \
		run_code;                                      \
	})

#define LAYER_NEXT(layer, slot, ...) \
	((layer)->next.ops->slot((layer)->next.self, __VA_ARGS__))

/* Slots of the table: extended attributes. */
int layer_get_xattr(void *self, struct store_context *context, const char *key,
		    const char *name, void **value, size_t *size,
		    struct store_error *error) STORE_WARN_UNUSED;
int layer_list_xattrs(void *self, struct store_context *context,
		      const char *key, char **names, size_t *size,
		      struct store_error *error) STORE_WARN_UNUSED;
int layer_set_xattr(void *self, struct store_context *context, const char *key,
		    const struct store_xattr *xattr, int xattr_flags,
		    struct store_error *error) STORE_WARN_UNUSED;
int layer_remove_xattr(void *self, struct store_context *context,
		       const char *key, const char *name,
		       struct store_error *error) STORE_WARN_UNUSED;
int layer_check_xattrs(void *self, const struct store_xattr *xattrs,
		       size_t count, struct store_error *error);

#endif
