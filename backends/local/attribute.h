/* SPDX-License-Identifier: MIT */
/* Mode, owner and times of nodes. */
#ifndef STOREFS_BACKENDS_LOCAL_ATTRIBUTE_H
#define STOREFS_BACKENDS_LOCAL_ATTRIBUTE_H

#include "backends/local/node.h"

/*
 * Set the masked attributes of the node behind a descriptor (O_PATH is
 * fine) which looks like `now`: -1 with errno.  What is already so is not
 * set again: an owner may be named by those who could not change it.
 */
int local_apply_attributes(int fd, const struct local_stat *now,
			   const struct store_attributes *attributes)
	STORE_WARN_UNUSED;

/* The times alone. */
int local_apply_times(int fd, const struct store_attributes *attributes)
	STORE_WARN_UNUSED;

/* Slot of the table. */
int local_set_attributes(void *self, struct store_context *context,
			 const char *key,
			 const struct store_attributes *attributes,
			 struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
