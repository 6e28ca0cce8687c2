// SPDX-License-Identifier: MIT
/*
 * The state of a run; see ctl.h.  Called by main.c and the commands; calls
 * the public API of the library only.
 */
#include "config.h"

#include "src/ctl/ctl.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/json.h"
#include "src/ctl/place.h"

struct ctl_store {
	struct ctl_store *next;
	struct store *store;
	char name[]; /* "NAME:" or the URL */
};

struct store_context *ctl_context(struct ctl *ctl)
{
	store_context_progress(&ctl->context);
	return &ctl->context;
}

bool ctl_cancelled(const struct ctl *ctl)
{
	return ctl->cancel && store_cancel_is_set(ctl->cancel);
}

int ctl_registry(struct ctl *ctl, struct store_registry **registry,
		 struct store_error *error)
{
	if (!ctl->registry) {
		int code = store_registry_open(ctl->args.config, &ctl->registry,
					       error);

		if (code)
			return code;
	}
	*registry = ctl->registry;
	return STORE_OK;
}

static struct store *ctl_find(const struct ctl *ctl, const char *name,
			      const char *suffix)
{
	size_t length = strlen(name);
	const struct ctl_store *each;

	for (each = ctl->stores; each; each = each->next)
		if (!strncmp(each->name, name, length) &&
		    !strcmp(each->name + length, suffix))
			return each->store;
	return NULL;
}

/* Takes ownership of the store, also on failure. */
static int ctl_keep(struct ctl *ctl, const char *name, const char *suffix,
		    struct store *store, struct store_error *error)
{
	size_t room = strlen(name) + strlen(suffix) + 1;
	struct ctl_store *kept = malloc(sizeof(*kept) + room);

	if (!kept) {
		store_close(store);
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	}
	snprintf(kept->name, room, "%s%s", name, suffix);
	kept->store = store;
	kept->next = ctl->stores;
	ctl->stores = kept;
	return STORE_OK;
}

/*
 * `\` in an operand is turned into '/' by place.c; keys that come from
 * listings keep theirs, so stores are opened for raw keys.
 */
int ctl_open_name(struct ctl *ctl, const char *name, struct store **store,
		  struct store_error *error)
{
	static const struct store_open_options options = { .raw_keys = true };
	struct store_registry *registry;
	struct store *opened = ctl_find(ctl, name, ":");
	int code;

	if (!opened) {
		code = ctl_registry(ctl, &registry, error);
		if (code)
			return code;
		code = store_registry_get(registry, name, &options, &opened,
					  error);
		if (code)
			return code;
		code = ctl_keep(ctl, name, ":", opened, error);
		if (code)
			return code;
	}
	*store = opened;
	return STORE_OK;
}

int ctl_open_url(struct ctl *ctl, const char *url, struct store **store,
		 struct store_error *error)
{
	static const struct store_open_options options = { .raw_keys = true };
	struct store *opened = ctl_find(ctl, url, "");
	int code;

	if (!opened) {
		code = store_open_url(url, &options, &opened, error);
		if (code)
			return code;
		code = ctl_keep(ctl, url, "", opened, error);
		if (code)
			return code;
	}
	*store = opened;
	return STORE_OK;
}

void ctl_close(struct ctl *ctl)
{
	while (ctl->stores) {
		struct ctl_store *first = ctl->stores;

		ctl->stores = first->next;
		store_close(first->store);
		free(first);
	}
	store_registry_close(ctl->registry);
	ctl->registry = NULL;
}

static void ctl_keep_status(struct ctl *ctl, int status)
{
	if (!ctl->status)
		ctl->status = status;
}

/*
 * The message without a "what 'key': " in front: the caller names the key,
 * with the store.
 */
static const char *ctl_message(const struct store_error *error, const char *key)
{
	const char *message = error->message;
	size_t length = key ? strlen(key) : 0;
	const char *quote = strchr(message, '\'');

	if (!message[0])
		return store_code_text(error->code);
	if (length == 0 || !quote || strncmp(quote + 1, key, length) ||
	    strncmp(quote + 1 + length, "': ", 3))
		return message;
	/* More words in front than the name of an operation: they matter. */
	if (memchr(message, ':', (size_t)(quote - message)))
		return message;
	return quote + 1 + length + 3;
}

static void ctl_fail_json(const char *label, const char *key,
			  const struct store_error *error)
{
	CLEANUP_RECORD struct record record;
	struct store_error ignored = STORE_ERROR_INIT;
	char *path =
		label && key ? malloc(strlen(label) + strlen(key) + 1) : NULL;

	record_init(&record);
	record_text(&record, "error", store_code_name(error->code));
	if (path) {
		snprintf(path, strlen(label) + strlen(key) + 1, "%s%s", label,
			 key);
		record_bytes(&record, "path", path);
	}
	if (key)
		record_bytes(&record, "key", key);
	record_bytes(&record, "message", ctl_message(error, key));
	if (error->detail)
		record_json(&record, "detail", json_number(error->detail));
	if (record_print(&record, stderr, &ignored))
		out_complain("%s", error->message);
	free(path);
}

int ctl_fail(struct ctl *ctl, const char *label, const char *key,
	     const struct store_error *error)
{
	const char *message = ctl_message(error, key);

	ctl_keep_status(ctl, 1 - error->code);
	/* A run that was interrupted says so by ending, not by a message. */
	if (error->code == STORE_CANCELLED && ctl_cancelled(ctl))
		return error->code;
	if (ctl->args.json) {
		fflush(stdout);
		ctl_fail_json(label, key, error);
	} else if (label || key) {
		out_complain("%s%s: %s", label ? label : "", key ? key : "",
			     message);
	} else {
		out_complain("%s", message);
	}
	return error->code;
}

int ctl_fail_place(struct ctl *ctl, const struct place *place,
		   const struct store_error *error)
{
	return ctl_fail(ctl, place->label, place->key, error);
}

void ctl_fail_usage(struct ctl *ctl, const char *format, ...)
{
	struct buf text CLEANUP_BUF = BUF_INIT(4096);
	va_list args;

	va_start(args, format);
	buf_vaddf(&text, format, args);
	va_end(args);
	out_complain("%s", buf_text(&text));
	ctl_keep_status(ctl, CTL_USAGE);
}

void ctl_print(struct ctl *ctl, struct record *record)
{
	struct store_error error = STORE_ERROR_INIT;

	if (record_print(record, stdout, &error))
		ctl_fail(ctl, NULL, NULL, &error);
}
