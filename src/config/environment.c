// SPDX-License-Identifier: MIT
/*
 * ${VAR} in configuration values: see environment.h.  Called by document.c
 * for every value and by file.c for the places to look.  Reads the
 * environment, which nothing here changes.
 */
#include "config.h"

#include "src/config/environment.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/secret.h"
#include "src/base/text.h"

enum { VALUE_MAX = 1024 * 1024 };

const char *environment_get(const char *name)
{
#ifdef HAVE_SECURE_GETENV
	return secure_getenv(name);
#else
	if (getuid() != geteuid() || getgid() != getegid())
		return NULL;
	return getenv(name);
#endif
}

static bool is_name_byte(char c, bool first)
{
	return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (!first && c >= '0' && c <= '9');
}

struct expansion {
	const char *place;
	struct buf text;
	char *variable;
	bool referenced; /* a ${ was there */
	bool has_default;
};

static int malformed(const struct expansion *expansion,
		     struct store_error *error)
{
	return store_error_set(error, STORE_INVALID,
			       "%s: expected ${NAME} or ${NAME:-default} "
			       "(write $${ for a literal ${)",
			       expansion->place);
}

/* Add what `name` stands for; `fallback` is NULL when there is none. */
static int add_variable(struct expansion *expansion, const char *name,
			const char *fallback, struct store_error *error)
{
	const char *value = environment_get(name);
	struct text_shown shown;

	if (fallback && *fallback)
		expansion->has_default = true;
	if (fallback && (!value || !*value)) {
		buf_add_text(&expansion->text, fallback);
		return STORE_OK;
	}
	if (!value)
		return store_error_set(error, STORE_INVALID,
				       "%s: environment variable %s is not set",
				       expansion->place,
				       text_show(&shown, name));
	buf_add_text(&expansion->text, value);
	if (!expansion->variable)
		expansion->variable = strdup(name);
	if (!expansion->variable)
		expansion->text.failed = STORE_NO_MEMORY;
	return STORE_OK;
}

/* `*text` stands behind "${" and is moved behind "}". */
static int expand_reference(struct expansion *expansion, const char **text,
			    struct store_error *error)
{
	char *inner CLEANUP_FREE = NULL;
	char *fallback = NULL;
	const char *end = strchr(*text, '}');
	size_t length = 0;

	while (is_name_byte((*text)[length], length == 0))
		length++;
	if (!end || !length)
		return malformed(expansion, error);
	inner = strndup(*text, (size_t)(end - *text));
	if (!inner) {
		expansion->text.failed = STORE_NO_MEMORY;
		return STORE_OK;
	}
	*text = end + 1;
	expansion->referenced = true;
	if (!strncmp(inner + length, ":-", 2))
		fallback = inner + length + 2;
	else if (inner[length])
		return malformed(expansion, error);
	inner[length] = '\0';
	return add_variable(expansion, inner, fallback, error);
}

static int expand(struct expansion *expansion, const char *text,
		  struct store_error *error)
{
	int code = STORE_OK;

	while (!code && *text) {
		if (!strncmp(text, "$${", 3)) {
			buf_add_text(&expansion->text, "${");
			text += 3;
		} else if (!strncmp(text, "${", 2)) {
			text += 2;
			code = expand_reference(expansion, &text, error);
		} else {
			buf_add_char(&expansion->text, *text++);
		}
	}
	return code ? code : buf_error(&expansion->text, "value", error);
}

int environment_expand(const char *text, const char *place,
		       struct environment_value *value,
		       struct store_error *error)
{
	struct expansion expansion = {
		.place = place,
		.text = BUF_INIT(VALUE_MAX),
	};
	int code = expand(&expansion, text, error);
	char *result = code ? NULL : buf_steal(&expansion.text);

	if (!result) {
		buf_release(&expansion.text);
		free(expansion.variable);
		return code ? code
			    : store_error_set(error, STORE_NO_MEMORY, "%s: %s",
					      place,
					      store_code_text(STORE_NO_MEMORY));
	}
	value->text = result;
	value->variable = expansion.variable;
	value->written = !expansion.referenced || expansion.has_default;
	return STORE_OK;
}

void environment_value_release(struct environment_value *value)
{
	secret_free(value->text);
	free(value->variable);
	*value = (struct environment_value){ 0 };
}
