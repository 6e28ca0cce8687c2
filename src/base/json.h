/* SPDX-License-Identifier: MIT */
/*
 * JSON: the only user of jansson.  A thin face, so that the rest of the tree
 * knows neither the library nor its reference counts.
 *
 * Values are owned by their parent once added; free only the root.  Text
 * that is not UTF-8 is refused by json_text(): callers add it as base64
 * under another name.
 */
#ifndef STOREFS_BASE_JSON_H
#define STOREFS_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <storefs/types.h>

struct json;

struct json *json_new_object(void);
struct json *json_new_array(void);
/* jansson exports functions of these names, so ours are called otherwise. */
#define json_object json_new_object
#define json_array json_new_array
struct json *json_text(const char *text); /* NULL: not UTF-8, or no memory */
struct json *json_number(int64_t value);
struct json *json_flag(bool value);
void json_free(struct json *json);
/* Takes ownership of `value` also on failure; a NULL value is a failure. */
int json_set(struct json *object, const char *name, struct json *value)
	STORE_WARN_UNUSED;
int json_append(struct json *array, struct json *value) STORE_WARN_UNUSED;
/* One line, or indented; malloc'd, NULL when out of memory. */
char *json_print(const struct json *json, bool indented);

/* Parse one value of at most `length` bytes; CORRUPT names the position. */
int json_parse(const char *text, size_t length, struct json **json,
	       struct store_error *error) STORE_WARN_UNUSED;
/* NULL or a default when missing or of another type; borrowed. */
const struct json *json_get(const struct json *object, const char *name);
const char *json_get_text(const struct json *object, const char *name);
int64_t json_get_number(const struct json *object, const char *name,
			int64_t fallback);
bool json_get_flag(const struct json *object, const char *name);
/* Elements of an array or members of an object. */
size_t json_count(const struct json *json);
const struct json *json_element(const struct json *array, size_t index);
const char *json_as_text(const struct json *json);
/* Member names by index in insertion order; the value through *value. */
const char *json_member(const struct json *object, size_t index,
			const struct json **value);

/* User metadata as a flat object of texts, both ways. */
struct json *json_from_metadata(const struct store_metadata *metadata);
int json_to_metadata(const struct json *object, struct store_metadata *metadata,
		     struct store_error *error) STORE_WARN_UNUSED;

#endif
