// SPDX-License-Identifier: MIT
/*
 * A backend with its options: see target.h.  Called by open.c and the
 * registry; calls the option tables, the backend's from_url and configure,
 * and store_assemble().
 */
#include "config.h"

#include "src/config/target.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/text.h"

struct config_target {
	const struct store_backend *backend;
	const struct store_option *table;
	struct option_values *own;
	struct option_values *common;
};

/* remote-store's RetryPolicy, and the switch of the fault layer. */
static const struct store_option common_options[] = {
	{ .name = "retry_max_attempts",
	  .type = OPTION_INTEGER,
	  .fallback = "3",
	  .minimum = 1,
	  .maximum = 1000,
	  .help = "Attempts in all; 1 turns retrying off" },
	{ .name = "retry_backoff_base",
	  .type = OPTION_DURATION,
	  .fallback = "1",
	  .help = "Longest pause before the second attempt; it doubles then" },
	{ .name = "retry_backoff_max",
	  .type = OPTION_DURATION,
	  .fallback = "60",
	  .help = "Longest pause between two attempts" },
	{ .name = "retry_jitter",
	  .type = OPTION_FRACTION,
	  .fallback = "1",
	  .maximum = NS_PER_SEC,
	  .help = "Share of each pause that is random, 0 to 1" },
	{ .name = "retry_timeout",
	  .type = OPTION_DURATION,
	  .fallback = "0",
	  .help = "Time after which no further attempt is made, 0 for none" },
	{ .name = "fault",
	  .type = OPTION_PATH,
	  .help = "File of faults to inject",
	  .flags = OPTION_HIDDEN },
	{ .name = NULL },
};
static const struct store_option no_options[] = { { .name = NULL } };

int target_new(const struct store_backend *backend,
	       struct config_target **result, struct store_error *error)
{
	struct config_target *target = calloc(1, sizeof(*target));
	int code;

	if (!target)
		return store_error_set(error, STORE_NO_MEMORY, "%s: %s",
				       backend->name,
				       store_code_text(STORE_NO_MEMORY));
	target->backend = backend;
	target->table = backend->options ? backend->options : no_options;
	code = option_values_new(target->table, &target->own, error);
	if (!code)
		code = option_values_new(common_options, &target->common,
					 error);
	if (code) {
		target_free(target);
		return code;
	}
	*result = target;
	return STORE_OK;
}

void target_free(struct config_target *target)
{
	if (!target)
		return;
	option_values_free(target->own);
	option_values_free(target->common);
	free(target);
}

const struct store_backend *target_backend(const struct config_target *target)
{
	return target->backend;
}

const struct store_option *target_find(const struct config_target *target,
				       const char *name)
{
	const struct store_option *option = option_find(target->table, name);

	return option ? option : option_find(common_options, name);
}

const struct option_values *target_values(const struct config_target *target,
					  const char *name)
{
	return option_find(target->table, name) ? target->own : target->common;
}

const struct store_option *target_option(const struct config_target *target,
					 size_t index)
{
	const struct store_option *option = target->table;

	while (option->name && index) {
		option++;
		index--;
	}
	if (option->name)
		return option;
	for (option = common_options; option->name && index; index--)
		option++;
	return option->name ? option : NULL;
}

/* ---- filling ---- */

static int unknown(const struct config_target *target, const char *name,
		   const char *source, struct store_error *error)
{
	const char *nearest = option_nearest(target->table, name);
	struct text_shown shown;

	if (!nearest)
		nearest = option_nearest(common_options, name);
	return store_error_set(error, STORE_INVALID,
			       "%s: unknown option '%s' of a %s store%s%s%s",
			       source, text_show(&shown, name),
			       target->backend->name,
			       nearest ? ", did you mean '" : "",
			       nearest ? nearest : "", nearest ? "'?" : "");
}

int target_set(struct config_target *target, const char *name, const char *text,
	       const char *source, struct store_error *error)
{
	if (option_find(target->table, name))
		return option_values_set(target->own, name, text, source,
					 error);
	if (option_find(common_options, name))
		return option_values_set(target->common, name, text, source,
					 error);
	return unknown(target, name, source, error);
}

static int refuse_secret(const char *source, const char *what, const char *key,
			 struct store_error *error)
{
	return store_error_set(error, STORE_INVALID,
			       "%s: %s must not stand on a command line, where "
			       "others can read it; set '%s' in a "
			       "[backends.NAME] section of the configuration "
			       "file",
			       source, what, key);
}

int target_set_open(struct config_target *target, const char *name,
		    const char *text, const char *source,
		    struct store_error *error)
{
	const struct store_option *option = target_find(target, name);

	if (option && option->flags & OPTION_SECRET)
		return refuse_secret(source, "a secret", option->name, error);
	return target_set(target, name, text, source, error);
}

struct url_options {
	struct config_target *target;
	const char *source;
	bool allow_secrets;
};

static int set_url_option(void *arg, const char *name, const char *value,
			  struct store_error *error)
{
	const struct url_options *options = arg;

	if (options->allow_secrets)
		return target_set(options->target, name, value, options->source,
				  error);
	return target_set_open(options->target, name, value, options->source,
			       error);
}

/* For backends that have nothing but options. */
static int no_parts(const struct config_target *target,
		    const struct store_url *url, const char *source,
		    struct store_error *error)
{
	if (!url->user && !url->host[0] && url->port < 0 &&
	    (!url->path[0] || !strcmp(url->path, "/")))
		return STORE_OK;
	return store_error_set(error, STORE_INVALID,
			       "%s: %s: takes neither host nor path", source,
			       target->backend->name);
}

int target_set_url(struct config_target *target, const struct store_url *url,
		   const char *source, bool allow_secrets,
		   struct store_error *error)
{
	struct url_options options = { target, source, allow_secrets };
	int code;

	if (url->password && url->password[0] && !allow_secrets)
		return refuse_secret(
			source, "a password",
			target_find(target, "password") ? "password" : "url",
			error);
	code = target->backend->from_url
		       ? target->backend->from_url(url, target->own, source,
						   error)
		       : no_parts(target, url, source, error);
	if (code)
		return code;
	return store_url_each_option(url, set_url_option, &options, error);
}

/* ---- opening ---- */

int target_check(const struct config_target *target, struct store_error *error)
{
	void *self = NULL;
	int code = option_values_check(target->own, error);

	if (!code)
		code = target->backend->configure(target->own, &self, error);
	if (code)
		return code;
	target->backend->close(self);
	return STORE_OK;
}

static struct store_policy make_policy(const struct config_target *target,
				       bool raw_keys)
{
	const struct option_values *values = target->common;

	return (struct store_policy){
		.retry = {
			.max_attempts = (int)option_number(
				values, "retry_max_attempts"),
			.backoff_base_ns =
				option_number(values, "retry_backoff_base"),
			.backoff_max_ns =
				option_number(values, "retry_backoff_max"),
			.jitter = (double)option_number(values,
							"retry_jitter") /
				  (double)NS_PER_SEC,
			.timeout_ns = option_number(values, "retry_timeout"),
		},
		.fault_file = option_text(values, "fault"),
		.raw_keys = raw_keys,
	};
}

int target_open(const struct config_target *target, bool raw_keys,
		struct store **store, struct store_error *error)
{
	struct store_policy policy = make_policy(target, raw_keys);
	void *self = NULL;
	int code = option_values_check(target->own, error);

	if (!code)
		code = target->backend->configure(target->own, &self, error);
	if (code)
		return code;
	return store_assemble(target->backend, self, &policy, store, error);
}
