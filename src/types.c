// SPDX-License-Identifier: MIT
/*
 * The values of <storefs/types.h>: versions, user metadata, details, pages,
 * and the names of types and capabilities.
 *
 * Pure; called from everywhere, calls nobody.
 */
#include "config.h"

#include <storefs/types.h>

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"

bool store_version_equal(const struct store_version *a,
			 const struct store_version *b)
{
	return a->token[0] && strcmp(a->token, b->token) == 0;
}

/* ---- user metadata ---- */

void store_metadata_init(struct store_metadata *metadata)
{
	*metadata = (struct store_metadata){ .count = 0 };
}

void store_metadata_release(struct store_metadata *metadata)
{
	for (size_t i = 0; i < metadata->count; i++) {
		free(metadata->pairs[i].name);
		free(metadata->pairs[i].value);
	}
	free(metadata->pairs);
	store_metadata_init(metadata);
}

int store_metadata_add(struct store_metadata *metadata, const char *name,
		       const char *value)
{
	CLEANUP_FREE char *new_name = strdup(name);
	CLEANUP_FREE char *new_value = strdup(value);
	size_t count = metadata->count;
	struct store_metadata_pair *pairs;

	if (!new_name || !new_value)
		return STORE_NO_MEMORY;
	/* Few and small (STORE_METADATA_MAX), so one by one is fine. */
	pairs = realloc(metadata->pairs, (count + 1) * sizeof(*pairs));
	if (!pairs)
		return STORE_NO_MEMORY;
	pairs[count].name = steal_pointer(&new_name);
	pairs[count].value = steal_pointer(&new_value);
	metadata->pairs = pairs;
	metadata->count = count + 1;
	return STORE_OK;
}

const char *store_metadata_get(const struct store_metadata *metadata,
			       const char *name)
{
	for (size_t i = 0; i < metadata->count; i++)
		if (strcmp(metadata->pairs[i].name, name) == 0)
			return metadata->pairs[i].value;
	return NULL;
}

/* Bytes of the UTF-8 sequence at `text`, 0 when it is none (RFC 3629). */
static size_t utf8_length(const unsigned char *text)
{
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t length;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		length = 2;
	else if ((text[0] & 0xf0) == 0xe0)
		length = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		length = 4;
	else
		return 0;
	if (text[0] == 0xe0)
		low = 0xa0;
	else if (text[0] == 0xed)
		high = 0x9f;
	else if (text[0] == 0xf0)
		low = 0x90;
	else if (text[0] == 0xf4)
		high = 0x8f;
	for (size_t i = 1; i < length; i++) {
		if (text[i] < low || text[i] > high)
			return 0;
		low = 0x80;
		high = 0xbf;
	}
	return length;
}

static bool is_utf8(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		size_t length = utf8_length(at);

		if (!length)
			return false;
		at += length;
	}
	return true;
}

static int metadata_check_name(const char *name, struct store_error *error)
{
	if (!name[0])
		return store_error_set(error, STORE_INVALID,
				       "empty name of user metadata");
	if (name[0] == '_')
		return store_error_set(error, STORE_INVALID,
				       "a name of user metadata may not begin "
				       "with '_'");
	for (const char *c = name; *c; c++)
		if (*c < ' ' || *c > '~')
			return store_error_set(error, STORE_INVALID,
					       "a name of user metadata is not "
					       "printable ASCII");
	return STORE_OK;
}

static int metadata_check_pair(const struct store_metadata *metadata,
			       size_t index, struct store_error *error)
{
	const struct store_metadata_pair *pair = &metadata->pairs[index];
	int code = metadata_check_name(pair->name, error);

	if (code)
		return code;
	for (size_t i = 0; i < index; i++)
		if (strcmp(metadata->pairs[i].name, pair->name) == 0)
			return store_error_set(error, STORE_INVALID,
					       "user metadata %.64s is given "
					       "twice",
					       pair->name);
	if (!is_utf8(pair->value))
		return store_error_set(error, STORE_INVALID,
				       "the value of user metadata %.64s is "
				       "not UTF-8",
				       pair->name);
	return STORE_OK;
}

int store_metadata_check(const struct store_metadata *metadata,
			 struct store_error *error)
{
	size_t total = 0;

	for (size_t i = 0; i < metadata->count; i++) {
		int code = metadata_check_pair(metadata, i, error);

		if (code)
			return code;
		total += strlen(metadata->pairs[i].name) +
			 strlen(metadata->pairs[i].value);
		if (total > STORE_METADATA_MAX)
			return store_error_set(error, STORE_INVALID,
					       "user metadata of more than %d "
					       "bytes",
					       STORE_METADATA_MAX);
	}
	return STORE_OK;
}

/* ---- details ---- */

void store_details_init(struct store_details *details)
{
	*details = (struct store_details){ .content_type = NULL };
	store_metadata_init(&details->metadata);
}

void store_details_release(struct store_details *details)
{
	free(details->content_type);
	free(details->digest);
	free(details->target);
	store_metadata_release(&details->metadata);
	store_details_init(details);
}

/* ---- pages ---- */

enum { PAGE_FIRST = 16 };

void store_page_init(struct store_page *page)
{
	*page = (struct store_page){ .count = 0 };
}

void store_page_release(struct store_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		free(page->entries[i].name);
	free(page->entries);
	free(page->next);
	store_page_init(page);
}

static int page_grow(struct store_page *page)
{
	size_t room = page->room ? page->room * 2 : PAGE_FIRST;
	struct store_entry *entries;

	if (room > SIZE_MAX / sizeof(*entries))
		return STORE_NO_MEMORY;
	entries = realloc(page->entries, room * sizeof(*entries));
	if (!entries)
		return STORE_NO_MEMORY;
	page->entries = entries;
	page->room = room;
	return STORE_OK;
}

int store_page_add(struct store_page *page, const char *name,
		   const struct store_info *info, bool complete)
{
	char *copy;

	if (page->count == page->room && page_grow(page))
		return STORE_NO_MEMORY;
	copy = strdup(name);
	if (!copy)
		return STORE_NO_MEMORY;
	page->entries[page->count++] = (struct store_entry){
		.name = copy,
		.info = *info,
		.complete = complete,
	};
	return STORE_OK;
}

/* ---- names ---- */

const char *store_capability_name(uint64_t bit)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {
		{ STORE_CAP_READ, "READ" },
		{ STORE_CAP_WRITE, "WRITE" },
		{ STORE_CAP_DELETE, "DELETE" },
		{ STORE_CAP_LIST, "LIST" },
		{ STORE_CAP_GLOB, "GLOB" },
		{ STORE_CAP_MOVE, "MOVE" },
		{ STORE_CAP_COPY, "COPY" },
		{ STORE_CAP_ATOMIC_WRITE, "ATOMIC_WRITE" },
		{ STORE_CAP_METADATA, "METADATA" },
		{ STORE_CAP_USER_METADATA, "USER_METADATA" },
		{ STORE_CAP_ATOMIC_MOVE, "ATOMIC_MOVE" },
		{ STORE_CAP_SEEKABLE_READ, "SEEKABLE_READ" },
		{ STORE_CAP_LAZY_READ, "LAZY_READ" },
		{ STORE_CAP_WRITE_RESULT, "WRITE_RESULT" },
		{ STORE_CAP_CONDITIONAL, "CONDITIONAL" },
		{ STORE_CAP_COMPOSE, "COMPOSE" },
		{ STORE_CAP_PINNED_READ, "PINNED_READ" },
		{ STORE_CAP_FOLDERS, "FOLDERS" },
		{ STORE_CAP_MOVE_FOLDER, "MOVE_FOLDER" },
		{ STORE_CAP_EXCHANGE, "EXCHANGE" },
		{ STORE_CAP_POSIX, "POSIX" },
		{ STORE_CAP_LINKS, "LINKS" },
		{ STORE_CAP_SYMLINKS, "SYMLINKS" },
		{ STORE_CAP_NODES, "NODES" },
		{ STORE_CAP_XATTR, "XATTR" },
		{ STORE_CAP_USAGE, "USAGE" },
		{ STORE_CAP_SPARSE, "SPARSE" },
		{ STORE_CAP_PUBLISH_ID, "PUBLISH_ID" },
		{ STORE_CAP_NEAR, "NEAR" },
		{ STORE_CAP_MARKERS, "MARKERS" },
		{ STORE_CAP_RESUME, "RESUME" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].bit == bit)
			return names[i].name;
	return NULL;
}

const char *store_type_name(enum store_type type)
{
	switch (type) {
	case STORE_TYPE_FILE:
		return "file";
	case STORE_TYPE_FOLDER:
		return "folder";
	case STORE_TYPE_SYMLINK:
		return "symlink";
	case STORE_TYPE_FIFO:
		return "fifo";
	case STORE_TYPE_SOCKET:
		return "socket";
	case STORE_TYPE_CHAR:
		return "char";
	case STORE_TYPE_BLOCK:
		return "block";
	}
	return NULL;
}
