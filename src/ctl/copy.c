// SPDX-License-Identifier: MIT
/*
 * See copy.h.  Called by cp and mv; calls the Store API and nothing else.
 * A tree is walked with one open listing per level, attributes of a folder
 * are set after its contents, and a moved folder is removed when it is empty:
 * what somebody else put there meanwhile stays.
 */
#include "config.h"

#include "src/ctl/copy.h"

#include <string.h>
#include <sys/stat.h>

#include "src/base/buf.h"
#include "src/ctl/copy_attributes.h"
#include "src/key.h"

/* The bytes of a reader, pinned to its version. */
struct copy_source {
	struct store_source source;
	struct store_reader *reader;
	struct ctl *ctl;
};

static int copy_source_read(struct store_source *source, uint64_t offset,
			    void *data, size_t length,
			    struct store_error *error)
{
	struct copy_source *self = (struct copy_source *)(void *)source;
	char *into = data;

	while (length > 0) {
		size_t got;
		int code = store_read_at(self->reader, ctl_context(self->ctl),
					 offset, into, length, &got, error);

		if (code)
			return code;
		if (got == 0)
			return store_error_set(error, STORE_CHANGED,
					       "the source became shorter");
		into += got;
		offset += got;
		length -= got;
	}
	return STORE_OK;
}

static int copy_source_next(struct store_source *source, uint64_t offset,
			    struct store_range *range,
			    struct store_error *error)
{
	struct copy_source *self = (struct copy_source *)(void *)source;

	return store_reader_data(self->reader, offset, range, error);
}

void copy_init(struct copy *copy, struct ctl *ctl, const struct place *from,
	       const struct place *to)
{
	*copy = (struct copy){
		.ctl = ctl,
		.from = from ? from->store : NULL,
		.from_label = from ? from->label : "",
		.to = to ? to->store : NULL,
		.to_label = to ? to->label : "",
		.recursive = ctl->args.recursive,
		.preserve = ctl->args.preserve,
		.no_clobber = ctl->args.no_clobber,
		.umask = umask(0),
	};
	umask(copy->umask);
}

static int copy_fail_from(struct copy *copy, const char *key,
			  const struct store_error *error)
{
	return ctl_fail(copy->ctl, copy->from_label, key, error);
}

static int copy_fail_to(struct copy *copy, const char *key,
			const struct store_error *error)
{
	return ctl_fail(copy->ctl, copy->to_label, key, error);
}

static char *copy_shown(const char *label, const char *key)
{
	struct buf text CLEANUP_BUF = BUF_INIT(16 * STORE_KEY_MAX);

	buf_add_text(&text, label);
	buf_add_text(&text, key);
	return buf_steal(&text);
}

static void copy_tell(const struct copy *copy, const char *from, const char *to,
		      const struct store_info *info)
{
	CLEANUP_RECORD struct record record;
	CLEANUP_FREE char *left = copy_shown(copy->from_label, from);
	CLEANUP_FREE char *right = copy_shown(copy->to_label, to);

	record_init(&record);
	if (!left || !right)
		record.failed = true;
	record_text(&record, "done",
		    !info	 ? "skipped"
		    : copy->move ? "moved"
				 : "copied");
	record_bytes(&record, "from", left ? left : "");
	record_bytes(&record, "to", right ? right : "");
	if (info)
		record_info(&record, info, true);
	ctl_print(copy->ctl, &record);
}

void copy_done(const struct copy *copy, const char *from, const char *to,
	       const struct store_info *info)
{
	if (copy->ctl->args.json) {
		copy_tell(copy, from, to, info);
	} else if (copy->ctl->args.verbose) {
		out_name(copy->from_label, from);
		fputs(" -> ", stdout);
		out_name(copy->to_label, to);
		putchar('\n');
	}
}

void copy_skipped(const struct copy *copy, const char *from, const char *to)
{
	if (copy->ctl->args.json)
		copy_tell(copy, from, to, NULL);
}

/* Taken names are no failure with -n. */
static int copy_outcome(struct copy *copy, const char *from, const char *to,
			const struct store_info *info,
			const struct store_error *error)
{
	if (error->code == STORE_OK)
		copy_done(copy, from, to, info);
	else if (error->code == STORE_EXISTS && copy->no_clobber)
		copy_skipped(copy, from, to);
	else
		return copy_fail_to(copy, to, error);
	return STORE_OK;
}

/* After a copy to another store: remove the version that was copied. */
static int copy_remove_source(struct copy *copy, const char *from,
			      const struct store_version *version)
{
	struct store_error error = STORE_ERROR_INIT;

	if (store_delete_version(copy->from, ctl_context(copy->ctl), from,
				 version, &error)) {
		store_error_prefix(&error, "copied, but not removed");
		return copy_fail_from(copy, from, &error);
	}
	return STORE_OK;
}

static int copy_put(struct copy *copy, struct store_reader *reader,
		    const char *to, const struct copy_attributes *attributes,
		    struct store_info *info, struct store_error *error)
{
	struct copy_source source = {
		.source = { .size = store_reader_size(reader),
			    .read = copy_source_read,
			    .next_data = copy_source_next },
		.reader = reader,
		.ctl = copy->ctl,
	};
	struct store_write_options options = {
		.precondition = { .condition = copy->no_clobber
						       ? STORE_IF_ABSENT
						       : STORE_IF_ANY },
		.attributes = &attributes->posix,
		.metadata = attributes->metadata,
		.content_type = attributes->content_type,
		.xattrs = attributes->xattrs,
		.xattr_count = attributes->xattr_count,
	};

	return store_write(copy->to, ctl_context(copy->ctl), to, &source.source,
			   &options, info, error);
}

/* A file between two stores; `details` may hold nothing. */
static int copy_file(struct copy *copy, const char *from, const char *to,
		     const struct store_info *info,
		     const struct store_details *details)
{
	struct store_error error = STORE_ERROR_INIT;
	struct copy_attributes attributes;
	struct store_reader *reader;
	struct store_info opened;
	struct store_info put;
	bool copied;
	const struct store_version *pin =
		info->version.token[0] ? &info->version : NULL;
	int code = store_open_reader(copy->from, ctl_context(copy->ctl), from,
				     pin, &reader, &opened, &error);

	if (code)
		return copy_fail_from(copy, from, &error);
	code = copy_attributes_gather(&attributes, copy, from, info, &error);
	if (code) {
		copy_fail_from(copy, from, &error);
	} else {
		copy_attributes_for_file(&attributes, copy, to, details);
		copied = !copy_put(copy, reader, to, &attributes, &put, &error);
		code = copy_outcome(copy, from, to, &put, &error);
		/* With -n and a taken name there was no copy to rely on. */
		if (copied && copy->move)
			code = copy_remove_source(copy, from, &opened.version);
	}
	copy_attributes_release(&attributes);
	store_close_reader(reader);
	return code;
}

/* Symlinks and special files: what they are, not what they lead to. */
static int copy_node(struct copy *copy, const char *from, const char *to,
		     const struct store_info *info,
		     const struct store_details *details)
{
	struct store_error error = STORE_ERROR_INIT;
	struct copy_attributes attributes;
	struct store_info made;
	struct store_node node = {
		.type = info->type,
		.target = details->target,
		.rdev = info->rdev,
		.attributes = &attributes.posix,
	};
	int code =
		copy_attributes_gather(&attributes, copy, from, info, &error);

	/* They have none, but some stores write one down. */
	if (info->type == STORE_TYPE_SYMLINK)
		attributes.posix.mask &= ~(uint32_t)STORE_ATTR_MODE;
	if (!code) {
		code = store_make_node(copy->to, ctl_context(copy->ctl), to,
				       &node, &made, &error);
		if (code == STORE_EXISTS && !copy->no_clobber) {
			/* make_node never replaces; as cp, make room. */
			store_error_clear(&error);
			code = store_delete(copy->to, ctl_context(copy->ctl),
					    to, true, &error);
			if (!code)
				code = store_make_node(
					copy->to, ctl_context(copy->ctl), to,
					&node, &made, &error);
		}
	}
	copy_attributes_release(&attributes);
	code = copy_outcome(copy, from, to, &made, &error);
	if (copy->move && error.code == STORE_OK)
		code = copy_remove_source(copy, from, &info->version);
	return code;
}

/* Inside one store.  NOT_SUPPORTED: the bytes have to come through here. */
static int copy_inside(struct copy *copy, const char *from, const char *to)
{
	struct store_error error = STORE_ERROR_INIT;
	unsigned int flags = copy->no_clobber ? 0 : STORE_MOVE_OVERWRITE;
	struct store_info info = { .links = 0 };
	int code;

	if (copy->move)
		code = store_move(copy->from, ctl_context(copy->ctl), from, to,
				  flags, NULL, &info, &error);
	else
		code = store_copy(copy->from, ctl_context(copy->ctl), from, to,
				  flags, &info, &error);
	if (code == STORE_NOT_SUPPORTED)
		return code;
	if (code == STORE_NOT_FOUND)
		return copy_fail_from(copy, from, &error);
	return copy_outcome(copy, from, to, &info, &error);
}

static int copy_make_folder(struct copy *copy, const char *to,
			    struct store_error *error)
{
	struct store_info info;
	int code;

	if (key_is_root(to))
		return STORE_OK;
	code = store_make_folder(copy->to, ctl_context(copy->ctl), to, NULL,
				 &info, error);
	if (code != STORE_EXISTS)
		return code;
	store_error_clear(error);
	code = store_stat(copy->to, ctl_context(copy->ctl), to, &info, error);
	if (!code && info.type != STORE_TYPE_FOLDER)
		return store_error_set(error, STORE_NOT_DIR,
				       "a file has the name of a folder");
	return code;
}

static int copy_children(struct copy *copy, const char *from, const char *to)
{
	struct store_list_options options = { .flags = STORE_LIST_COMPLETE };
	struct store_error error = STORE_ERROR_INIT;
	struct store_listing *listing;
	int first = STORE_OK;
	int code = store_list(copy->from, ctl_context(copy->ctl), from,
			      &options, &listing, &error);

	if (code)
		return copy_fail_from(copy, from, &error);
	while (!ctl_cancelled(copy->ctl)) {
		const struct store_entry *entry;
		CLEANUP_FREE char *child = NULL;

		code = store_listing_next(listing, ctl_context(copy->ctl),
					  &entry, &error);
		if (code)
			first = copy_fail_from(copy, from, &error);
		if (code || !entry)
			break;
		child = key_join(to, key_name(entry->name));
		if (!child) {
			store_error_set(&error, STORE_NO_MEMORY,
					"out of memory");
			first = copy_fail_from(copy, from, &error);
			break;
		}
		code = copy_tree(copy, entry->name, child);
		if (!first)
			first = code;
	}
	store_listing_close(listing);
	return first;
}

/* What is done to a folder once its contents are there. */
static int copy_finish_folder(struct copy *copy, const char *from,
			      const char *to, const struct store_info *info)
{
	struct store_error error = STORE_ERROR_INIT;
	struct copy_attributes attributes;

	if ((copy->preserve || copy->move) && !key_is_root(to)) {
		int code = copy_attributes_gather(&attributes, copy, from, info,
						  &error);

		if (!code)
			code = copy_attributes_set(&attributes, copy, to,
						   &error);
		copy_attributes_release(&attributes);
		if (code)
			return copy_fail_to(copy, to, &error);
	}
	if (copy->move && !key_is_root(from) &&
	    store_delete_folder(copy->from, ctl_context(copy->ctl), from, NULL,
				&error))
		return copy_fail_from(copy, from, &error);
	return STORE_OK;
}

static int copy_folder(struct copy *copy, const char *from, const char *to,
		       const struct store_info *info)
{
	struct store_error error = STORE_ERROR_INIT;
	int code;

	if (!copy->recursive) {
		store_error_set(&error, STORE_IS_DIR,
				"is a folder; use -r to copy it");
		return copy_fail_from(copy, from, &error);
	}
	if (store_equal(copy->from, copy->to) && key_relative(to, from)) {
		store_error_set(&error, STORE_INVALID,
				"a folder cannot go into itself");
		return copy_fail_to(copy, to, &error);
	}
	if (copy_make_folder(copy, to, &error))
		return copy_fail_to(copy, to, &error);
	code = copy_children(copy, from, to);
	if (code || ctl_cancelled(copy->ctl))
		return code;
	return copy_finish_folder(copy, from, to, info);
}

int copy_tree(struct copy *copy, const char *from, const char *to)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_details details;
	struct store_info info;
	int code;

	/* A move inside a store is one step, also of a folder. */
	if (copy->move && store_equal(copy->from, copy->to)) {
		code = copy_inside(copy, from, to);
		if (code != STORE_NOT_SUPPORTED)
			return code;
	}
	code = store_stat_details(copy->from, ctl_context(copy->ctl), from,
				  &info, &details, &error);
	if (code)
		return copy_fail_from(copy, from, &error);
	if (info.type == STORE_TYPE_FOLDER) {
		code = copy_folder(copy, from, to, &info);
	} else if (info.type != STORE_TYPE_FILE) {
		code = copy_node(copy, from, to, &info, &details);
	} else {
		code = STORE_NOT_SUPPORTED;
		if (!copy->move && store_equal(copy->from, copy->to))
			code = copy_inside(copy, from, to);
		if (code == STORE_NOT_SUPPORTED)
			code = copy_file(copy, from, to, &info, &details);
	}
	store_details_release(&details);
	return code;
}
