// SPDX-License-Identifier: MIT
/* See copy_attributes.h.  Called by copy.c only. */
#include "config.h"

#include "src/ctl/copy_attributes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Owners of local files are for root to give; stores take any. */
static bool copy_may_give(const struct copy *copy)
{
	return geteuid() == 0 || strcmp(store_backend_name(copy->to), "local");
}

static int copy_gather_xattr(struct copy_attributes *attributes,
			     const struct copy *copy, const char *from,
			     const char *name, struct store_error *error)
{
	struct store_xattr *xattr =
		&attributes->xattrs[attributes->xattr_count];
	void *value = NULL;
	size_t size = 0;
	int code = store_get_xattr(copy->from, ctl_context(copy->ctl), from,
				   name, &value, &size, error);

	if (code)
		return code;
	*xattr = (struct store_xattr){ .name = name,
				       .value = value,
				       .size = size };
	attributes->xattr_count++;
	return STORE_OK;
}

/* Only those of the user's namespace mean the same elsewhere. */
static int copy_gather_xattrs(struct copy_attributes *attributes,
			      const struct copy *copy, const char *from,
			      struct store_error *error)
{
	size_t size = 0;
	size_t at;
	size_t count = 0;
	int code = store_list_xattrs(copy->from, ctl_context(copy->ctl), from,
				     &attributes->names, &size, error);

	if (code)
		return code;
	for (at = 0; at < size; at += strlen(attributes->names + at) + 1)
		count++;
	if (count == 0)
		return STORE_OK;
	attributes->xattrs = calloc(count, sizeof(*attributes->xattrs));
	if (!attributes->xattrs)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	for (at = 0; at < size; at += strlen(attributes->names + at) + 1) {
		const char *name = attributes->names + at;

		if (strncmp(name, "user.", 5))
			continue;
		code = copy_gather_xattr(attributes, copy, from, name, error);
		if (code)
			return code;
	}
	return STORE_OK;
}

int copy_attributes_gather(struct copy_attributes *attributes,
			   const struct copy *copy, const char *from,
			   const struct store_info *info,
			   struct store_error *error)
{
	struct store_attributes *posix = &attributes->posix;

	*attributes = (struct copy_attributes){ .xattr_count = 0 };
	if (!store_supports(copy->to, STORE_CAP_POSIX))
		return STORE_OK;
	*posix = info->attributes;
	if (!copy->preserve && !copy->move) {
		posix->mask &= STORE_ATTR_MODE;
		posix->mode &= 0777u & ~(uint32_t)copy->umask;
		return STORE_OK;
	}
	if (!copy_may_give(copy)) {
		/* Without the owner, set-id bits would mean somebody else. */
		posix->mask &= ~(uint32_t)(STORE_ATTR_UID | STORE_ATTR_GID);
		posix->mode &= 01777u;
	}
	if (!store_supports(copy->from, STORE_CAP_XATTR) ||
	    !store_supports(copy->to, STORE_CAP_XATTR) ||
	    info->type == STORE_TYPE_SYMLINK)
		return STORE_OK;
	return copy_gather_xattrs(attributes, copy, from, error);
}

void copy_attributes_for_file(struct copy_attributes *attributes,
			      const struct copy *copy, const char *to,
			      const struct store_details *details)
{
	struct store_error ignored = STORE_ERROR_INIT;
	struct store_info old;
	struct store_attributes *posix = &attributes->posix;
	bool keeps = copy->preserve || copy->move;
	bool takes = store_supports(copy->to, STORE_CAP_USER_METADATA);

	/* Dropped when there is no room for it, refused when it matters. */
	if (details->metadata.count > 0 && (takes || keeps))
		attributes->metadata = &details->metadata;
	attributes->content_type = details->content_type;
	if (keeps || !store_supports(copy->to, STORE_CAP_POSIX))
		return;
	if (store_stat(copy->to, ctl_context(copy->ctl), to, &old, &ignored))
		return;
	*posix = old.attributes;
	posix->mask &= STORE_ATTR_MODE;
	if (copy_may_give(copy))
		posix->mask |=
			old.attributes.mask & (STORE_ATTR_UID | STORE_ATTR_GID);
}

int copy_attributes_set(const struct copy_attributes *attributes,
			const struct copy *copy, const char *to,
			struct store_error *error)
{
	size_t i;

	for (i = 0; i < attributes->xattr_count; i++) {
		int code = store_set_xattr(copy->to, ctl_context(copy->ctl), to,
					   &attributes->xattrs[i], 0, error);

		if (code)
			return code;
	}
	if (!attributes->posix.mask)
		return STORE_OK;
	return store_set_attributes(copy->to, ctl_context(copy->ctl), to,
				    &attributes->posix, NULL, error);
}

void copy_attributes_release(struct copy_attributes *attributes)
{
	size_t i;

	for (i = 0; i < attributes->xattr_count; i++) {
		/* Owned here, const only for those who set it. */
		union {
			const void *seen;
			void *owned;
		} value = { .seen = attributes->xattrs[i].value };

		free(value.owned);
	}
	free(attributes->xattrs);
	free(attributes->names);
}
