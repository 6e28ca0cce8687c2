/* SPDX-License-Identifier: MIT */
/* Slots of the table that store whole files. */
#ifndef STOREFS_BACKENDS_LOCAL_PUT_H
#define STOREFS_BACKENDS_LOCAL_PUT_H

#include "backends/local/local.h"

int local_put(void *self, struct store_context *context,
	      const struct backend_put_request *request,
	      struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
int local_upload_begin(void *self, struct store_context *context,
		       const struct backend_put_request *request, void **upload,
		       struct store_error *error) STORE_WARN_UNUSED;
int local_upload_write(void *self, struct store_context *context, void *upload,
		       const void *data, size_t length,
		       struct store_error *error) STORE_WARN_UNUSED;
int local_upload_commit(void *self, struct store_context *context, void *upload,
			const struct backend_put_request *request,
			struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
void local_upload_abort(void *self, void *upload);
int local_copy(void *self, struct store_context *context,
	       const struct backend_move_request *request,
	       struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
