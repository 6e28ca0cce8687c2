// SPDX-License-Identifier: MIT
/*
 * Sources; see source.h.  Called by main.c, assemble.c and offline.c; calls
 * src/config.
 */
#include "config.h"

#include "mount/source.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/config/find.h"
#include "src/config/registry.h"
#include "src/config/target.h"
#include "src/url.h"

/* A relative path means another file once the daemon has left its folder. */
static int check_absolute(const struct store_url *url,
			  struct store_error *error)
{
	if (strcmp(url->scheme, "sqlite") || !strncmp(url->path, "//", 2))
		return STORE_OK;
	return store_error_set(error, STORE_INVALID,
			       "sqlite:///FILE is relative, and a mount needs "
			       "an absolute path: sqlite:////FILE");
}

static int check_url(const char *text, struct store_error *error)
{
	const struct store_backend *backend = NULL;
	struct config_target *target = NULL;
	struct store_url url;
	int code = store_url_parse(text, &url, error);

	if (code)
		return code;
	code = check_absolute(&url, error);
	if (!code)
		code = backend_find_scheme(url.scheme, &backend, error);
	if (!code)
		code = target_new(backend, &target, error);
	if (!code)
		code = target_set_url(target, &url, "SOURCE", false, error);
	if (!code)
		code = target_check(target, error);
	target_free(target);
	store_url_release(&url);
	return code;
}

/* ---- the registry ---- */

static int add_option(void *arg, const char *name, const char *value,
		      const char *source, struct store_error *error)
{
	struct mount_words *words = arg;
	const struct store_option *known =
		option_find(mount_option_table, name);
	const char *from =
		known ? option_source(words->values, known->name) : NULL;

	/* The command line has said it already. */
	if (from && strcmp(from, "default"))
		return STORE_OK;
	return mount_words_set(words, name, value, source, error);
}

int source_prepare(const char *text, struct mount_words *words,
		   struct source *source, struct store_error *error)
{
	int code;

	*source = (struct source){ .text = text, .is_url = store_url_is(text) };
	if (source->is_url)
		return check_url(text, error);
	code = store_registry_open(option_text(words->values, "config"),
				   &source->registry, error);
	if (!code)
		code = registry_check_name(source->registry, text, error);
	if (!code)
		code = registry_each_mount_option(source->registry, text,
						  add_option, words, error);
	return code;
}

void source_release(struct source *source)
{
	store_registry_close(source->registry);
	source->registry = NULL;
}

int source_open(const struct source *source, struct store **store,
		struct store_error *error)
{
	const struct store_open_options options = { .raw_keys = true };

	if (source->is_url)
		return store_open_url(source->text, &options, store, error);
	return store_registry_get(source->registry, source->text, &options,
				  store, error);
}

char *source_masked(const struct source *source)
{
	char *text = strdup(source->text);

	if (text && source->is_url)
		text[strcspn(text, "?")] = '\0';
	return text;
}
