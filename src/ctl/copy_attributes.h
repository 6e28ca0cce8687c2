/* SPDX-License-Identifier: MIT */
/* What goes along with the bytes of a copy; see copy.h for the rules. */
#ifndef STOREFS_CTL_COPY_ATTRIBUTES_H
#define STOREFS_CTL_COPY_ATTRIBUTES_H

#include "src/ctl/copy.h"

struct copy_attributes {
	struct store_attributes posix;
	const struct store_metadata *metadata; /* borrowed, NULL for none */
	const char *content_type;	       /* borrowed, NULL for none */
	struct store_xattr *xattrs;
	size_t xattr_count;
	char *names; /* of the extended attributes */
};

/*
 * Read what the source has.  Initialises `attributes` also on failure:
 * release it in any case.
 */
int copy_attributes_gather(struct copy_attributes *attributes,
			   const struct copy *copy, const char *from,
			   const struct store_info *info,
			   struct store_error *error) STORE_WARN_UNUSED;
/*
 * Fit them to a file at the destination: a replaced file gives its mode and
 * owner to the new one unless they are preserved.
 */
void copy_attributes_for_file(struct copy_attributes *attributes,
			      const struct copy *copy, const char *to,
			      const struct store_details *details);
/* Set them on what is there already. */
int copy_attributes_set(const struct copy_attributes *attributes,
			const struct copy *copy, const char *to,
			struct store_error *error) STORE_WARN_UNUSED;
void copy_attributes_release(struct copy_attributes *attributes);

#endif
