// SPDX-License-Identifier: MIT
/*
 * Backends by type and scheme: see find.h.  Called by open.c and the
 * registry; reads the two lists of backends/registry.c.  No state.
 */
#include "config.h"

#include "src/config/find.h"

#include <string.h>

#include "src/base/text.h"

/*
 * What remote-store has and this version may not: a configuration or a habit
 * brought along gets a better answer than "unknown".
 */
static const char *const known_types[] = {
	"local",      "memory", "sqlite", "sql-blob", "s3",
	"s3-pyarrow", "sftp",	"azure",  "http",     "sql-query",
	"postgresql", "mysql",	"graph",  NULL,
};
static const char *const known_schemes[] = {
	"file",	      "memory",	  "sqlite", "s3",      "az",
	"abfs",	      "sftp",	  "ssh",    "http",    "https",
	"postgresql", "postgres", "mysql",  "mariadb", NULL,
};

static bool in_list(const char *const *list, const char *word, size_t length)
{
	for (; *list; list++) {
		if (strlen(*list) == length && !strncmp(*list, word, length))
			return true;
	}
	return false;
}

static bool has_scheme(const struct store_backend *backend, const char *scheme,
		       size_t length)
{
	return backend->schemes && in_list(backend->schemes, scheme, length);
}

/* The text "NAME: what to do" of a backend that was left out. */
static const char *left_out(const char *word, size_t length)
{
	for (size_t i = 0; store_backends_left_out[i]; i++) {
		const char *row = store_backends_left_out[i];

		if (strcspn(row, ": ") == length && !strncmp(row, word, length))
			return row + length;
	}
	return NULL;
}

static int missing(const char *word, size_t length, struct store_error *error)
{
	const char *how = left_out(word, length);

	if (how)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "'%.*s' was left out of this build%s",
				       (int)length, word, how);
	return store_error_set(error, STORE_NOT_SUPPORTED,
			       "'%.*s' stores are not supported by this "
			       "version",
			       (int)length, word);
}

static int unknown(const char *what, const struct text_nearest *nearest,
		   struct store_error *error)
{
	struct text_shown shown;

	text_show(&shown, nearest->name);
	if (nearest->found)
		return store_error_set(error, STORE_INVALID,
				       "unknown %s '%s', did you mean '%s'?",
				       what, shown.text, nearest->found);
	return store_error_set(error, STORE_INVALID, "unknown %s '%s'", what,
			       shown.text);
}

int backend_find_type(const char *type, const struct store_backend **backend,
		      struct store_error *error)
{
	struct text_nearest nearest = { .name = type };

	for (size_t i = 0; store_backends[i]; i++) {
		if (!strcmp(store_backends[i]->name, type)) {
			*backend = store_backends[i];
			return STORE_OK;
		}
		text_nearest_try(&nearest, store_backends[i]->name);
	}
	if (in_list(known_types, type, strlen(type)) ||
	    left_out(type, strlen(type)))
		return missing(type, strlen(type), error);
	for (size_t i = 0; known_types[i]; i++)
		text_nearest_try(&nearest, known_types[i]);
	return unknown("type", &nearest, error);
}

int backend_find_scheme(const char *scheme,
			const struct store_backend **backend,
			struct store_error *error)
{
	struct text_nearest nearest = { .name = scheme };
	size_t length = strcspn(scheme, "+");

	for (size_t i = 0; store_backends[i]; i++) {
		if (has_scheme(store_backends[i], scheme, length)) {
			*backend = store_backends[i];
			return STORE_OK;
		}
	}
	if (in_list(known_schemes, scheme, length) || left_out(scheme, length))
		return missing(scheme, length, error);
	for (size_t i = 0; store_backends[i]; i++) {
		const char *const *one = store_backends[i]->schemes;

		for (; one && *one; one++)
			text_nearest_try(&nearest, *one);
	}
	for (size_t i = 0; known_schemes[i]; i++)
		text_nearest_try(&nearest, known_schemes[i]);
	return unknown("URL scheme", &nearest, error);
}

bool backend_is_scheme(const char *word)
{
	size_t length = strlen(word);

	for (size_t i = 0; store_backends[i]; i++) {
		if (has_scheme(store_backends[i], word, length))
			return true;
	}
	return in_list(known_schemes, word, length);
}
