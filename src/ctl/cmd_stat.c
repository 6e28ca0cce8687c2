// SPDX-License-Identifier: MIT
/*
 * stat and du: what is known of a key, and what is below it.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/types.h>

#include "src/base/base64.h"
#include "src/base/json.h"
#include "src/ctl/capabilities.h"
#include "src/ctl/place.h"

/* Extended attributes longer than this are shown by their size only. */
#define STAT_VALUE_MAX ((size_t)65536)

struct stat_xattr {
	const char *name;
	void *value;
	size_t size;
};

typedef void stat_xattr_fn(void *arg, const struct stat_xattr *xattr);

/* Hand every extended attribute to `each`. */
static int stat_xattrs(struct ctl *ctl, const struct place *place,
		       stat_xattr_fn *each, void *arg,
		       struct store_error *error)
{
	CLEANUP_FREE char *names = NULL;
	size_t size = 0;
	size_t at;
	int code;

	if (!store_supports(place->store, STORE_CAP_XATTR))
		return STORE_OK;
	code = store_list_xattrs(place->store, ctl_context(ctl), place->key,
				 &names, &size, error);
	for (at = 0; !code && at < size; at += strlen(names + at) + 1) {
		struct stat_xattr xattr = { .name = names + at };

		code = store_get_xattr(place->store, ctl_context(ctl),
				       place->key, xattr.name, &xattr.value,
				       &xattr.size, error);
		if (!code)
			each(arg, &xattr);
		free(xattr.value);
	}
	return code;
}

static bool stat_is_text(const struct stat_xattr *xattr)
{
	if (xattr->size == 0)
		return true;
	return xattr->size <= STAT_VALUE_MAX &&
	       utf8_is_valid(xattr->value, xattr->size) &&
	       !memchr(xattr->value, '\0', xattr->size);
}

/* The records of all of them. */
struct stat_list {
	struct json *array;
	bool failed;
};

static void stat_json_xattr(void *arg, const struct stat_xattr *xattr)
{
	struct stat_list *list = arg;
	CLEANUP_RECORD struct record record;
	CLEANUP_FREE char *text = NULL;
	bool plain = stat_is_text(xattr);

	record_init(&record);
	text = plain ? strndup(xattr->size ? xattr->value : "", xattr->size)
		     : base64_encode(xattr->value, xattr->size);
	record_bytes(&record, "name", xattr->name);
	record_text(&record, plain ? "value" : "value_b64", text ? text : "");
	if (!text || record.failed || !list->array) {
		list->failed = true;
		return;
	}
	if (json_append(list->array, record.json))
		list->failed = true;
	record.json = NULL;
}

/* Room for the id of a put in hex, with its NUL. */
#define STAT_PUBLISH_MAX (2 * STORE_PUBLISH_SIZE + 1)

static const char *stat_publish(const struct store_details *details,
				char text[STAT_PUBLISH_MAX])
{
	for (size_t i = 0; i < STORE_PUBLISH_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", details->publish[i]);
	return text;
}

static void stat_json_details(struct record *record,
			      const struct store_details *details)
{
	char publish[STAT_PUBLISH_MAX];

	if (details->target)
		record_bytes(record, "target", details->target);
	if (details->content_type)
		record_bytes(record, "content_type", details->content_type);
	if (details->digest)
		record_bytes(record, "digest", details->digest);
	if (details->has_publish)
		record_text(record, "publish", stat_publish(details, publish));
	if (details->metadata.count > 0)
		record_json(record, "metadata",
			    json_from_metadata(&details->metadata));
}

static int stat_json(struct ctl *ctl, const struct place *place,
		     const struct store_info *info,
		     const struct store_details *details,
		     struct store_error *error)
{
	CLEANUP_RECORD struct record record;
	struct stat_list list = { .array = json_array() };
	int code;

	record_init(&record);
	code = stat_xattrs(ctl, place, stat_json_xattr, &list, error);
	record_bytes(&record, "key", place->key);
	record_info(&record, info, true);
	if (info->allocated)
		record_number(&record, "allocated", info->allocated);
	if (info->type == STORE_TYPE_CHAR || info->type == STORE_TYPE_BLOCK)
		record_number(&record, "rdev", info->rdev);
	if (info->attributes.mask & STORE_ATTR_ATIME)
		record_time(&record, "atime", info->attributes.atime);
	stat_json_details(&record, details);
	record.failed |= list.failed;
	if (!list.array || json_count(list.array) > 0)
		record_json(&record, "xattrs", list.array);
	else
		json_free(list.array);
	record_text(&record, "backend", store_backend_name(place->store));
	record_json(&record, "capabilities",
		    capabilities_json(store_capabilities(place->store)));
	if (!code)
		ctl_print(ctl, &record);
	return code;
}

static void stat_line(const char *name, const char *value)
{
	printf("  %-13s ", name);
	out_name("", value);
	putchar('\n');
}

static void stat_print_xattr(void *arg, const struct stat_xattr *xattr)
{
	CLEANUP_FREE char *text = NULL;

	(void)arg;
	printf("  xattr         ");
	out_name("", xattr->name);
	if (stat_is_text(xattr))
		text = strndup(xattr->size ? xattr->value : "", xattr->size);
	if (text)
		out_name(" = ", text);
	else
		printf(" (%zu bytes)", xattr->size);
	putchar('\n');
}

static void stat_print_times(const struct store_info *info)
{
	const struct store_attributes *attributes = &info->attributes;
	char when[OUT_TIME_MAX];

	if (attributes->mask & STORE_ATTR_MTIME)
		stat_line("modified", out_time(attributes->mtime, when));
	if (attributes->mask & STORE_ATTR_ATIME)
		stat_line("read", out_time(attributes->atime, when));
	if (info->ctime.tv_sec || info->ctime.tv_nsec)
		stat_line("changed", out_time(info->ctime, when));
}

static void stat_print_info(const struct store_info *info)
{
	const struct store_attributes *attributes = &info->attributes;
	const char *type = store_type_name(info->type);
	char mode[OUT_MODE_MAX];

	stat_line("type", type ? type : "unknown");
	if (info->implicit)
		stat_line("implicit", "yes, by what is below");
	if (info->type != STORE_TYPE_FOLDER)
		printf("  size          %" PRIu64 "\n", info->size);
	if (info->allocated)
		printf("  allocated     %" PRIu64 "\n", info->allocated);
	if (attributes->mask & STORE_ATTR_MODE)
		printf("  mode          %04o (%s)\n", attributes->mode & 07777,
		       out_mode(info, mode));
	if (attributes->mask & (STORE_ATTR_UID | STORE_ATTR_GID))
		printf("  owner         %" PRIu32 ":%" PRIu32 "\n",
		       attributes->uid, attributes->gid);
	printf("  links         %" PRIu32 "\n", info->links);
	if (info->type == STORE_TYPE_CHAR || info->type == STORE_TYPE_BLOCK)
		printf("  device        %u:%u\n", major((dev_t)info->rdev),
		       minor((dev_t)info->rdev));
	stat_print_times(info);
	if (info->version.token[0])
		printf("  version       %s%s\n", info->version.token,
		       info->version.weak ? " (weak)" : "");
}

static void stat_print_details(const struct store_details *details)
{
	char publish[STAT_PUBLISH_MAX];

	if (details->target)
		stat_line("target", details->target);
	if (details->content_type)
		stat_line("content type", details->content_type);
	if (details->digest)
		stat_line("digest", details->digest);
	if (details->has_publish)
		stat_line("put id", stat_publish(details, publish));
	for (size_t i = 0; i < details->metadata.count; i++) {
		printf("  metadata      ");
		out_name("", details->metadata.pairs[i].name);
		out_name(" = ", details->metadata.pairs[i].value);
		putchar('\n');
	}
}

static int stat_text(struct ctl *ctl, const struct place *place,
		     const struct store_info *info,
		     const struct store_details *details,
		     struct store_error *error)
{
	int code;

	out_name(place->label, place->key);
	putchar('\n');
	stat_print_info(info);
	stat_print_details(details);
	code = stat_xattrs(ctl, place, stat_print_xattr, NULL, error);
	stat_line("backend", store_backend_name(place->store));
	printf("  capabilities ");
	capabilities_print(store_capabilities(place->store), " ");
	putchar('\n');
	return code;
}

static void stat_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;
		struct store_error error = STORE_ERROR_INIT;
		struct store_details details;
		struct store_info info;
		int code;

		if (!place_want(ctl, operands[i], 0, &place))
			continue;
		code = store_stat_details(place.store, ctl_context(ctl),
					  place.key, &info, &details, &error);
		if (!code) {
			code = ctl->args.json ? stat_json(ctl, &place, &info,
							  &details, &error)
					      : stat_text(ctl, &place, &info,
							  &details, &error);
			store_details_release(&details);
		}
		if (code)
			ctl_fail_place(ctl, &place, &error);
	}
}

const struct ctl_command command_stat = {
	.name = "stat",
	.operands = "PLACE...",
	.help = "Show all that is known of files and folders",
	.least = 1,
	.most = -1,
	.run = stat_run,
};

static const struct arg_option du_options[] = {
	{ "depth", 'd', ARG_COUNT, offsetof(struct args, depth), "N",
	  "Count N levels of folders below, 0 for none" },
	{ "human", 'h', ARG_FLAG, offsetof(struct args, human), NULL,
	  "Show sizes as 1.5K, 3.0G" },
	{ .name = NULL },
};

static int du_totals(struct ctl *ctl, const struct place *place,
		     struct store_totals *totals, struct store_error *error)
{
	struct store_info info;
	int code =
		store_folder_totals(place->store, ctl_context(ctl), place->key,
				    (int)ctl->args.depth, totals, error);

	if (code != STORE_NOT_DIR)
		return code;
	/* A file totals to itself. */
	store_error_clear(error);
	code = store_stat(place->store, ctl_context(ctl), place->key, &info,
			  error);
	if (code)
		return code;
	*totals = (struct store_totals){ .files = 1, .bytes = info.size };
	if (info.attributes.mask & STORE_ATTR_MTIME)
		totals->newest = info.attributes.mtime;
	return STORE_OK;
}

static void du_print(struct ctl *ctl, const struct place *place,
		     const struct store_totals *totals)
{
	CLEANUP_RECORD struct record record;
	char size[OUT_SIZE_MAX];

	record_init(&record);
	if (!ctl->args.json) {
		printf("%s\t%" PRIu64 " files\t%" PRIu64 " folders\t",
		       out_size(totals->bytes, ctl->args.human, size),
		       totals->files, totals->folders);
		out_name(place->label, place->key);
		putchar('\n');
		return;
	}
	record_bytes(&record, "key", place->key);
	record_number(&record, "bytes", totals->bytes);
	record_number(&record, "files", totals->files);
	record_number(&record, "folders", totals->folders);
	if (totals->newest.tv_sec || totals->newest.tv_nsec)
		record_time(&record, "newest", totals->newest);
	ctl_print(ctl, &record);
}

static void du_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;
		struct store_error error = STORE_ERROR_INIT;
		struct store_totals totals;

		if (!place_want(ctl, operands[i], PLACE_FOLLOW, &place))
			continue;
		if (du_totals(ctl, &place, &totals, &error))
			ctl_fail_place(ctl, &place, &error);
		else
			du_print(ctl, &place, &totals);
	}
}

const struct ctl_command command_du = {
	.name = "du",
	.operands = "PLACE...",
	.help = "Count files, folders and bytes below folders",
	.options = du_options,
	.least = 1,
	.most = -1,
	.run = du_run,
};
