// SPDX-License-Identifier: MIT
/*
 * JSON over jansson: see json.h.  struct json is never defined: a pointer to
 * it is a json_t pointer in disguise, so that there is nothing to copy.
 * Called by everything that prints --json or speaks on the control socket.
 */
#include "config.h"

#include "src/base/json.h"
#undef json_array
#undef json_object

#include <jansson.h>
#include <string.h>

static json_t *open_up(const struct json *json)
{
	/* jansson takes non-const pointers even where it only looks. */
	union {
		const struct json *ours;
		json_t *theirs;
	} value = { .ours = json };

	return value.theirs;
}

static struct json *wrap(json_t *value)
{
	return (struct json *)value;
}

struct json *json_new_object(void)
{
	return wrap(json_object());
}

struct json *json_new_array(void)
{
	return wrap(json_array());
}

struct json *json_text(const char *text)
{
	return wrap(json_string(text));
}

struct json *json_number(int64_t value)
{
	return wrap(json_integer(value));
}

struct json *json_flag(bool value)
{
	return wrap(json_boolean(value));
}

void json_free(struct json *json)
{
	json_decref(open_up(json));
}

/*
 * jansson tells only that an addition failed: of a missing value it may be
 * text that is not UTF-8, else it is memory.
 */
static int added(int failed, const struct json *value)
{
	if (!failed)
		return STORE_OK;
	return value ? STORE_NO_MEMORY : STORE_INVALID;
}

int json_set(struct json *object, const char *name, struct json *value)
{
	return added(json_object_set_new(open_up(object), name, open_up(value)),
		     value);
}

int json_append(struct json *array, struct json *value)
{
	return added(json_array_append_new(open_up(array), open_up(value)),
		     value);
}

char *json_print(const struct json *json, bool indented)
{
	return json_dumps(open_up(json),
			  JSON_ENCODE_ANY |
				  (indented ? JSON_INDENT(2) : JSON_COMPACT));
}

int json_parse(const char *text, size_t length, struct json **json,
	       struct store_error *error)
{
	json_error_t problem;
	json_t *value =
		json_loadb(text, length,
			   JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &problem);

	if (value) {
		*json = wrap(value);
		return STORE_OK;
	}
	if (json_error_code(&problem) == json_error_out_of_memory)
		return store_error_set(error, STORE_NO_MEMORY, "JSON: %s",
				       store_code_text(STORE_NO_MEMORY));
	/* Not jansson's text: it quotes the input, which may be a secret. */
	return store_error_set(error, STORE_CORRUPT,
			       "not valid JSON at line %d, column %d (byte %d)",
			       problem.line, problem.column, problem.position);
}

const struct json *json_get(const struct json *object, const char *name)
{
	return wrap(json_object_get(open_up(object), name));
}

const char *json_get_text(const struct json *object, const char *name)
{
	return json_as_text(json_get(object, name));
}

int64_t json_get_number(const struct json *object, const char *name,
			int64_t fallback)
{
	const json_t *value = open_up(json_get(object, name));

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_get_flag(const struct json *object, const char *name)
{
	return json_is_true(open_up(json_get(object, name)));
}

size_t json_count(const struct json *json)
{
	const json_t *value = open_up(json);

	return json_is_array(value) ? json_array_size(value)
				    : json_object_size(value);
}

const struct json *json_element(const struct json *array, size_t index)
{
	return wrap(json_array_get(open_up(array), index));
}

const char *json_as_text(const struct json *json)
{
	return json_string_value(open_up(json));
}

const char *json_member(const struct json *object, size_t index,
			const struct json **value)
{
	void *at = json_object_iter(open_up(object));

	while (at && index--)
		at = json_object_iter_next(open_up(object), at);
	if (!at)
		return NULL;
	if (value)
		*value = wrap(json_object_iter_value(at));
	return json_object_iter_key(at);
}

struct json *json_from_metadata(const struct store_metadata *metadata)
{
	struct json *object = json_new_object();

	for (size_t i = 0; object && i < metadata->count; i++) {
		const struct store_metadata_pair *pair = &metadata->pairs[i];

		if (json_set(object, pair->name, json_text(pair->value))) {
			json_free(object);
			return NULL;
		}
	}
	return object;
}

int json_to_metadata(const struct json *object, struct store_metadata *metadata,
		     struct store_error *error)
{
	struct store_metadata result;
	const struct json *value = NULL;
	const char *name;
	int code = STORE_OK;

	if (!json_is_object(open_up(object)))
		return store_error_set(error, STORE_CORRUPT,
				       "metadata is not a JSON object");
	store_metadata_init(&result);
	for (size_t i = 0; !code && (name = json_member(object, i, &value));
	     i++) {
		if (!json_as_text(value))
			code = store_error_set(error, STORE_CORRUPT,
					       "metadata value %zu is no text",
					       i + 1);
		else if (store_metadata_add(&result, name, json_as_text(value)))
			code = store_error_set(
				error, STORE_NO_MEMORY, "metadata: %s",
				store_code_text(STORE_NO_MEMORY));
	}
	if (code) {
		store_metadata_release(&result);
		return code;
	}
	store_metadata_release(metadata);
	*metadata = result;
	return STORE_OK;
}
