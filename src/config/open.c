// SPDX-License-Identifier: MIT
/*
 * store_open_url(): see <storefs/store.h>.  Calls url.c, find.c and target.c.
 * Messages say "URL" and never quote it: it may hold a secret.
 */
#include "config.h"

#include "src/config/open.h"

#include <string.h>

#include "src/base/cleanup.h"
#include "src/config/find.h"
#include "src/url.h"

/* One "name=value", or a bare name. */
static int set_pair(struct config_target *target, const char *pair,
		    bool allow_secrets, struct store_error *error)
{
	const char *equals = strchr(pair, '=');
	char *name CLEANUP_FREE =
		equals ? strndup(pair, (size_t)(equals - pair)) : strdup(pair);
	const char *value = equals ? equals + 1 : NULL;

	if (!name)
		return store_error_set(error, STORE_NO_MEMORY, "options: %s",
				       store_code_text(STORE_NO_MEMORY));
	if (allow_secrets)
		return target_set(target, name, value, "option", error);
	return target_set_open(target, name, value, "option", error);
}

int target_set_options(struct config_target *target,
		       const struct store_open_options *options,
		       struct store_error *error)
{
	int code = STORE_OK;

	if (!options || !options->options)
		return STORE_OK;
	for (size_t i = 0; !code && options->options[i]; i++)
		code = set_pair(target, options->options[i],
				options->allow_secrets, error);
	return code;
}

static int fill(struct config_target *target, const struct store_url *url,
		const struct store_open_options *options,
		struct store_error *error)
{
	int code = target_set_url(target, url, "URL",
				  options && options->allow_secrets, error);

	if (!code)
		code = target_set_options(target, options, error);
	return code;
}

int store_open_url(const char *text, const struct store_open_options *options,
		   struct store **store, struct store_error *error)
{
	const struct store_backend *backend = NULL;
	struct config_target *target = NULL;
	struct store_url url;
	int code = store_url_parse(text, &url, error);

	if (code)
		return code;
	code = backend_find_scheme(url.scheme, &backend, error);
	if (!code)
		code = target_new(backend, &target, error);
	if (!code)
		code = fill(target, &url, options, error);
	if (!code)
		code = target_open(target, options && options->raw_keys, store,
				   error);
	target_free(target);
	store_url_release(&url);
	return code;
}
