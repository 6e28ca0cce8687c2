// SPDX-License-Identifier: MIT
/*
 * URLs: parts have the form their header promises, and neither a message nor
 * the masked URL shows the password.
 */
#include "config.h"

#include "src/base/secret.h"
#include "src/url.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

static int check_option(void *arg, const char *name, const char *value,
			struct store_error *error)
{
	const char *query = arg;

	(void)error;
	CHECK(*name);
	CHECK(strlen(name) + (value ? strlen(value) : 0) <= strlen(query));
	return STORE_OK;
}

static void check_parts(const char *text, const struct store_url *url)
{
	CHECK(store_url_is(text));
	CHECK(url->scheme[0] && url->host && url->path);
	for (const char *p = url->scheme; *p; p++)
		CHECK(*p < 'A' || *p > 'Z');
	CHECK(url->port == -1 || (url->port > 0 && url->port < 65536));
	CHECK(!url->path[0] || url->path[0] == '/' || strchr(text, '%'));
	CHECK(!url->password || url->user);
	CHECK(!url->query || strstr(text, url->query));
}

/* Looked for with what surrounds it: the same bytes may stand elsewhere. */
static void check_masked(const char *text, const struct store_url *url)
{
	char *masked = secret_mask_url(text);
	char *around;
	size_t length;

	CHECK(masked);
	CHECK(secret_in_url(text) == (strcmp(masked, text) != 0) ||
	      strstr(text, SECRET_MASK));
	if (url->password && url->password[0]) {
		CHECK(secret_in_url(text));
		length = strlen(url->password);
		around = malloc(length + 3);
		CHECK(around);
		snprintf(around, length + 3, ":%s@", url->password);
		/* An escape in the text is not the bytes it stands for. */
		if (!strchr(url->password, '*') && !strchr(text, '%') &&
		    !strstr(url->path, around) &&
		    !(url->query && strstr(url->query, around)))
			CHECK(!strstr(masked, around));
		free(around);
	}
	free(masked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_error error = STORE_ERROR_INIT;
	char *text = check_text(data, size);
	struct store_url url = { .port = -1 };
	int code = store_url_parse(text, &url, &error);

	check_error(code, &error);
	if (code) {
		CHECK(!url.scheme);
	} else {
		check_parts(text, &url);
		check_masked(text, &url);
		code = store_url_each_option(&url, check_option, url.query,
					     &error);
		check_error(code, &error);
	}
	secret_in_url(text);
	store_url_release(&url);
	free(text);
	return 0;
}
