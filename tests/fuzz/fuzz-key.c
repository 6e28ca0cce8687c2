// SPDX-License-Identifier: MIT
/*
 * Keys: whatever is accepted is normal, stays as it is when normalised again,
 * and comes apart and together.  The first byte says whether keys are raw.
 */
#include "config.h"

#include "src/key.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"
#include <storefs/types.h>

static void check_components(const char *key, bool raw)
{
	while (*key) {
		size_t length = strcspn(key, "/");

		CHECK(length > 0 && length <= STORE_NAME_MAX);
		CHECK(!(length == 1 && key[0] == '.'));
		CHECK(!(length == 2 && key[0] == '.' && key[1] == '.'));
		CHECK(raw || !memchr(key, '\\', length));
		key += length;
		if (!*key)
			return;
		key++;
		CHECK(*key);
	}
}

static void check_parts(const char *key)
{
	char *parent = key_parent(key);
	char *joined;

	CHECK(parent);
	CHECK(strlen(parent) == key_parent_length(key));
	joined = key_join(parent, key_name(key));
	CHECK(joined && !strcmp(joined, key));
	CHECK(key_is_root(key) || key_is_below(key, parent));
	CHECK(!key_is_below(parent, key));
	CHECK(!strcmp(key_relative(key, key), ""));
	CHECK(key_is_root(key) == (key_depth(key) == 0));
	CHECK(key_is_root(key) || key_depth(key) == key_depth(parent) + 1);
	free(joined);
	free(parent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_error error = STORE_ERROR_INIT;
	char *text, *key = NULL, *again = NULL;
	bool raw;
	int code;

	if (!size)
		return 0;
	raw = data[0] & 1;
	text = check_text(data + 1, size - 1);
	code = key_normalise(text, raw, &key, &error);
	check_error(code, &error);
	if (code) {
		CHECK(!key);
	} else {
		CHECK(strlen(key) <= STORE_KEY_MAX);
		check_components(key, raw);
		CHECK(key_normalise(key, raw, &again, &error) == STORE_OK);
		CHECK(!strcmp(key, again));
		check_parts(key);
	}
	free(again);
	free(key);
	free(text);
	return 0;
}
