/* SPDX-License-Identifier: MIT */
/* Listing folders, a page at a time. */
#ifndef STOREFS_BACKENDS_LOCAL_LIST_H
#define STOREFS_BACKENDS_LOCAL_LIST_H

#include "backends/local/local.h"

int local_list(void *self, struct store_context *context,
	       const struct backend_list_request *request,
	       struct store_page *page, struct store_error *error)
	STORE_WARN_UNUSED;
/* Close the listings that are kept open between two pages. */
void local_list_forget(struct local *self);

#endif
