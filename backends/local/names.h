/* SPDX-License-Identifier: MIT */
/* Slots of the table that make, remove and move names. */
#ifndef STOREFS_BACKENDS_LOCAL_NAMES_H
#define STOREFS_BACKENDS_LOCAL_NAMES_H

#include "backends/local/local.h"

int local_make_dir(void *self, struct store_context *context, const char *key,
		   const struct store_attributes *attributes,
		   struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
int local_make_node(void *self, struct store_context *context,
		    const struct backend_node_request *request,
		    struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
int local_link(void *self, struct store_context *context, const char *from,
	       const char *to, struct store_info *info,
	       struct store_error *error) STORE_WARN_UNUSED;
int local_remove(void *self, struct store_context *context, const char *key,
		 const struct store_precondition *precondition,
		 struct store_error *error) STORE_WARN_UNUSED;
int local_remove_dir(void *self, struct store_context *context, const char *key,
		     struct store_error *error) STORE_WARN_UNUSED;
int local_move(void *self, struct store_context *context,
	       const struct backend_move_request *request,
	       struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
