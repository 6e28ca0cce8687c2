// SPDX-License-Identifier: MIT
/*
 * Operands become stores and keys; see place.h.  Called by every command
 * that takes operands; calls ctl.c to open stores.
 */
#include "config.h"

#include "src/ctl/place.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/secret.h"
#include "src/base/text.h"
#include "src/config/find.h"
#include "src/key.h"

/* Room for what a command line may hold of one operand. */
#define PLACE_TEXT_MAX 32768

/* Schemes whose path is that of a file: its last component is the key. */
static const char *const place_path_schemes[] = {
	"file", "http", "https", "sftp", "s3", "az", NULL,
};

static int place_no_memory(struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

static bool place_in(const char *const *list, const char *text, size_t length)
{
	for (; *list; list++)
		if (strlen(*list) == length &&
		    !strncasecmp(*list, text, length))
			return true;
	return false;
}

static bool place_is_scheme(const char *text, size_t length)
{
	char word[32];

	if (length >= sizeof(word))
		return false;
	memcpy(word, text, length);
	word[length] = '\0';
	return backend_is_scheme(word);
}

/* "scheme://" of any scheme, or "scheme:" of one we know. */
static bool place_is_url(const char *text)
{
	size_t length = 0;

	if (!isalpha((unsigned char)text[0]))
		return false;
	while (isalnum((unsigned char)text[length]) ||
	       (text[length] && strchr("+-.", text[length])))
		length++;
	if (text[length] != ':')
		return false;
	return !strncmp(text + length, "://", 3) ||
	       place_is_scheme(text, length);
}

/* Length of NAME in "NAME:...", 0 when it is none. */
static size_t place_name_length(const char *text)
{
	size_t length = 0;

	while (isalnum((unsigned char)text[length]) ||
	       (text[length] && strchr("_-", text[length])))
		length++;
	return text[length] == ':' ? length : 0;
}

static int place_decode(const char *text, size_t length, struct buf *out,
			struct store_error *error)
{
	size_t i;

	for (i = 0; i < length; i++) {
		int high = -1;
		int low = -1;

		if (text[i] != '%') {
			buf_add_char(out, text[i]);
			continue;
		}
		if (i + 2 < length) {
			high = text_hex_digit(text[i + 1]);
			low = text_hex_digit(text[i + 2]);
		}
		if (high < 0 || low < 0)
			return store_error_set(
				error, STORE_INVALID,
				"a '%%' in the key of a URL needs two hexadecimal digits");
		if (high == 0 && low == 0)
			return store_error_set(error, STORE_INVALID,
					       "a key cannot hold NUL");
		buf_add_char(out, (char)(high * 16 + low));
		i += 2;
	}
	return buf_error(out, "key", error);
}

static void place_encode(const char *text, struct buf *out)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("/-_.~", *text))
			buf_add_char(out, *text);
		else
			buf_addf(out, "%%%02X", (unsigned char)*text);
	}
}

static bool place_ends_in_slash(const char *text)
{
	size_t length = strlen(text);

	return length > 0 &&
	       (text[length - 1] == '/' || text[length - 1] == '\\');
}

/* Where the parts of a URL end; all inside the same text. */
struct place_parts {
	size_t store; /* length of the store's part */
	size_t key;   /* where the key begins */
	size_t end;   /* where the key ends and "?..." begins, if it does */
};

static void place_split_url(const char *text, struct place_parts *parts)
{
	const char *colon = strchr(text, ':');
	size_t scheme = (size_t)(colon - text);
	size_t path = scheme + (strncmp(colon, "://", 3) ? 1 : 3);
	const char *bang;
	size_t i;

	parts->end = strcspn(text, "?");
	bang = strstr(text, "!/");
	if (bang) {
		parts->store = (size_t)(bang - text);
		parts->key = parts->store + 2;
		/* Options stand before the key or behind it. */
		if (parts->store > parts->end)
			parts->end = strlen(text);
		return;
	}
	parts->store = parts->end;
	parts->key = parts->end;
	if (!place_in(place_path_schemes, text, scheme))
		return;
	while (path < parts->end && text[path] != '/')
		path++;
	for (i = parts->end; i > path; i--)
		if (text[i - 1] == '/')
			break;
	if (i <= path)
		return;
	parts->key = i;
	/* The root of the path keeps its only '/'. */
	parts->store = i - 1 > path ? i - 1 : i;
}

/*
 * A label never shows options or passwords.  With "!/" it can be typed again
 * with any key behind it.
 */
static char *place_url_label(const char *text, size_t length)
{
	CLEANUP_FREE char *bare = strndup(text, length);
	CLEANUP_FREE char *masked = NULL;
	struct buf label CLEANUP_BUF = BUF_INIT(PLACE_TEXT_MAX);

	if (!bare)
		return NULL;
	masked = secret_mask_url(bare);
	if (!masked)
		return NULL;
	buf_add_text(&label, masked);
	buf_add_text(&label, "!/");
	return buf_steal(&label);
}

static int place_open_url(struct ctl *ctl, const char *text, unsigned int flags,
			  struct place *place, struct store_error *error)
{
	struct buf url CLEANUP_BUF = BUF_INIT(PLACE_TEXT_MAX);
	struct buf key CLEANUP_BUF = BUF_INIT(PLACE_TEXT_MAX);
	struct place_parts parts;
	int code;

	place_split_url(text, &parts);
	if (flags & PLACE_STORE && !strstr(text, "!/"))
		parts.store = parts.key = parts.end;
	code = place_decode(text + parts.key, parts.end - parts.key, &key,
			    error);
	if (code)
		return code;
	buf_add(&url, text, parts.store);
	buf_add_text(&url, text + parts.end);
	code = buf_error(&url, "URL", error);
	if (!code)
		code = key_normalise(buf_text(&key), false, &place->key, error);
	if (!code)
		code = ctl_open_url(ctl, buf_text(&url), &place->store, error);
	if (code)
		return code;
	place->folder = place_ends_in_slash(buf_text(&key));
	place->label = place_url_label(text, strcspn(buf_text(&url), "?"));
	return place->label ? STORE_OK : place_no_memory(error);
}

static int place_open_name(struct ctl *ctl, const char *text, size_t length,
			   struct place *place, struct store_error *error)
{
	CLEANUP_FREE char *name = strndup(text, length);
	int code;

	place->label = strndup(text, length + 1);
	if (!name || !place->label)
		return place_no_memory(error);
	code = key_normalise(text + length + 1, false, &place->key, error);
	if (code) {
		store_error_prefix(error, "%s", text);
		return code;
	}
	place->folder = place_ends_in_slash(text);
	return ctl_open_name(ctl, name, &place->store, error);
}

/* Open the local store of an absolute folder. */
static int place_open_folder(struct ctl *ctl, const char *folder,
			     struct place *place, struct store_error *error)
{
	struct buf url CLEANUP_BUF = BUF_INIT(4 * PATH_MAX);
	int code;

	buf_add_text(&url, "file://");
	place_encode(folder, &url);
	code = buf_error(&url, "path", error);
	if (code)
		return code;
	return ctl_open_url(ctl, buf_text(&url), &place->store, error);
}

/* A path without symlinks: its folder, and its last component as key. */
static int place_open_resolved(struct ctl *ctl, const char *path,
			       struct place *place, struct store_error *error)
{
	const char *name = strrchr(path, '/') + 1;
	size_t length = (size_t)(name - path);
	CLEANUP_FREE char *folder = strndup(path, length > 1 ? length - 1 : 1);

	place->key = strdup(name);
	if (!place->label)
		place->label = strndup(path, length);
	if (!folder || !place->key || !place->label)
		return place_no_memory(error);
	return place_open_folder(ctl, folder, place, error);
}

/* Folder part of what was typed, "." when there is none; trimmed text. */
static int place_open_parent(struct ctl *ctl, const char *text, size_t base,
			     struct place *place, struct store_error *error)
{
	CLEANUP_FREE char *typed = base ? strndup(text, base) : strdup(".");
	CLEANUP_FREE char *real = NULL;

	place->label = strndup(text, base);
	place->key = strdup(text + base);
	if (!typed || !place->label || !place->key)
		return place_no_memory(error);
	if (strlen(place->key) > STORE_NAME_MAX) {
		store_error_errno(error, ENAMETOOLONG, "%s", text);
		return error ? error->code : STORE_INVALID;
	}
	real = realpath(typed, NULL);
	if (!real)
		return store_error_errno(error, errno, "%s", text);
	return place_open_folder(ctl, real, place, error);
}

static int place_open_pattern(struct ctl *ctl, const char *text,
			      struct place *place, struct store_error *error)
{
	bool absolute = text[0] == '/';
	CLEANUP_FREE char *folder = realpath(absolute ? "/" : ".", NULL);
	int code;

	if (!folder)
		return store_error_errno(error, errno, "%s", text);
	place->label = strdup(absolute ? "/" : "");
	if (!place->label)
		return place_no_memory(error);
	code = key_normalise(text, true, &place->key, error);
	if (code)
		return code;
	return place_open_folder(ctl, folder, place, error);
}

static bool place_names_itself(const char *base)
{
	return !strcmp(base, "") || !strcmp(base, ".") || !strcmp(base, "..");
}

static int place_open_local(struct ctl *ctl, const char *text,
			    unsigned int flags, struct place *place,
			    struct store_error *error)
{
	CLEANUP_FREE char *trimmed = strdup(text);
	CLEANUP_FREE char *real = NULL;
	const char *base;
	size_t length = strlen(text);

	if (!trimmed)
		return place_no_memory(error);
	while (length > 1 && trimmed[length - 1] == '/')
		trimmed[--length] = '\0';
	base = strrchr(trimmed, '/');
	base = base ? base + 1 : trimmed;
	place->itself = place_names_itself(base);
	place->folder = text[length] == '/' || place->itself;
	/* "link/" is the link where links are not followed: rm must not. */
	if (flags & (PLACE_FOLLOW | PLACE_STORE) || place->itself)
		real = realpath(text, NULL);
	if (!real && (flags & PLACE_STORE || place->itself))
		return store_error_errno(error, errno, "%s", text);
	if (!real)
		return place_open_parent(ctl, trimmed, (size_t)(base - trimmed),
					 place, error);
	if (flags & PLACE_STORE) {
		place->label = strdup(text);
		place->key = strdup("");
		if (!place->label || !place->key)
			return place_no_memory(error);
		return place_open_folder(ctl, real, place, error);
	}
	if (!strcmp(strrchr(real, '/') + 1, base))
		place->label = strndup(trimmed, (size_t)(base - trimmed));
	return place_open_resolved(ctl, real, place, error);
}

static int place_open_text(struct ctl *ctl, const char *text,
			   unsigned int flags, struct place *place,
			   struct store_error *error)
{
	size_t length = place_name_length(text);
	int code;

	if (!text[0])
		return store_error_set(error, STORE_INVALID,
				       "an empty operand names nothing");
	if (place_is_url(text)) {
		code = place_open_url(ctl, text, flags, place, error);
	} else if (length > 0) {
		code = place_open_name(ctl, text, length, place, error);
	} else {
		place->local = true;
		if (flags & PLACE_PATTERN)
			return place_open_pattern(ctl, text, place, error);
		return place_open_local(ctl, text, flags, place, error);
	}
	if (!code && flags & PLACE_STORE && place->key[0])
		return store_error_set(error, STORE_INVALID,
				       "%s%s: a store is needed, not a key",
				       place->label, place->key);
	return code;
}

int place_open(struct ctl *ctl, const char *text, unsigned int flags,
	       struct place *place, struct store_error *error)
{
	struct place opened = PLACE_INIT;
	int code = place_open_text(ctl, text, flags, &opened, error);

	if (code) {
		place_release(&opened);
		return code;
	}
	if (!opened.key[0])
		opened.folder = true;
	*place = opened;
	return STORE_OK;
}

void place_release(struct place *place)
{
	free(place->label);
	free(place->key);
	*place = (struct place)PLACE_INIT;
}

bool place_want(struct ctl *ctl, const char *text, unsigned int flags,
		struct place *place)
{
	struct store_error error = STORE_ERROR_INIT;

	if (!place_open(ctl, text, flags, place, &error))
		return true;
	ctl_fail(ctl, NULL, NULL, &error);
	return false;
}

bool place_is_root(const struct place *place)
{
	return !place->key[0];
}
