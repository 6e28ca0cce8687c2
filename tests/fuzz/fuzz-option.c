// SPDX-License-Identifier: MIT
/*
 * Options as in mount's -o: every list comes apart, comes back together, and
 * every value that is accepted lies in its range.
 */
#include "config.h"

#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/option.h"
#include "tests/fuzz/check.h"
#include "tests/fuzz/fuzz.h"

static const struct store_option table[] = {
	{ .name = "text", .type = OPTION_TEXT, .aliases = "txt,words" },
	{ .name = "path", .type = OPTION_PATH },
	{ .name = "flag", .type = OPTION_FLAG },
	{ .name = "integer",
	  .type = OPTION_INTEGER,
	  .minimum = -5,
	  .maximum = 65535 },
	{ .name = "size", .type = OPTION_SIZE, .minimum = 4096 },
	{ .name = "share", .type = OPTION_SHARE, .minimum = 1024 },
	{ .name = "duration",
	  .type = OPTION_DURATION,
	  .maximum = 1000 * NS_PER_SEC },
	{ .name = "octal", .type = OPTION_OCTAL, .maximum = 07777 },
	{ .name = "choice", .type = OPTION_CHOICE, .choices = "a|bb|ccc" },
	{ .name = "fraction", .type = OPTION_FRACTION, .maximum = NS_PER_SEC },
	{ .name = "secret", .type = OPTION_TEXT, .flags = OPTION_SECRET },
	{ .name = "pin", .type = OPTION_INTEGER, .flags = OPTION_SECRET },
	{ .name = NULL },
};

struct state {
	struct option_values *values;
	struct buf again; /* the list, put together anew */
	struct buf seen;  /* names and values, to compare */
};

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == ',' || *text == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, *text);
	}
}

static void check_number(const struct store_option *option,
			 const struct option_values *values)
{
	int64_t number = option_number(values, option->name);

	switch (option->type) {
	case OPTION_TEXT:
	case OPTION_PATH:
		CHECK(option->type == OPTION_TEXT ||
		      *option_text(values, option->name) == '/');
		return;
	case OPTION_FLAG:
		CHECK(number == 0 || number == 1);
		return;
	case OPTION_CHOICE:
		CHECK(number >= 0 && number <= 2);
		return;
	default:
		if (option_is_percent(values, option->name))
			CHECK(number >= 1 && number <= 100);
		else
			CHECK(number >= option->minimum &&
			      (!option->maximum || number <= option->maximum));
	}
}

static void check_value(struct state *state, const char *name,
			const char *value)
{
	struct store_error error = STORE_ERROR_INIT;
	const struct store_option *option = option_find(table, name);
	int code = option_values_set(state->values, name, value, "-o", &error);
	char *shown;

	check_error(code, &error);
	option_nearest(table, name);
	if (!option) {
		CHECK(code == STORE_INVALID);
		return;
	}
	if (option->flags & OPTION_SECRET && value && strlen(value) > 12)
		CHECK(!strstr(error.message, value));
	if (code)
		return;
	check_number(option, state->values);
	shown = option_shown(state->values, name);
	CHECK(shown);
	if (option->flags & OPTION_SECRET && value && *value)
		CHECK(!strcmp(shown, "***"));
	free(shown);
}

static int take(void *arg, const char *name, const char *value,
		struct store_error *error)
{
	struct state *state = arg;

	(void)error;
	CHECK(*name);
	check_value(state, name, value);
	if (state->again.length)
		buf_add_char(&state->again, ',');
	add_escaped(&state->again, name);
	buf_addf(&state->seen, "%s\n", name);
	if (value) {
		buf_add_char(&state->again, '=');
		add_escaped(&state->again, value);
		buf_addf(&state->seen, "=%s\n", value);
	}
	return STORE_OK;
}

static int note(void *arg, const char *name, const char *value,
		struct store_error *error)
{
	(void)error;
	buf_addf(arg, "%s\n", name);
	if (value)
		buf_addf(arg, "=%s\n", value);
	return STORE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store_error error = STORE_ERROR_INIT;
	struct state state = { .again = BUF_INIT(1 << 24),
			       .seen = BUF_INIT(1 << 24) };
	struct buf second CLEANUP_BUF = BUF_INIT(1 << 24);
	char *text = check_text(data, size);
	int code;

	CHECK(option_values_new(table, &state.values, &error) == STORE_OK);
	code = option_split(text, take, &state, &error);
	check_error(code, &error);
	if (!code) {
		CHECK(option_split(buf_text(&state.again), note, &second,
				   &error) == STORE_OK);
		CHECK(!strcmp(buf_text(&second), buf_text(&state.seen)));
	}
	option_values_free(state.values);
	buf_release(&state.again);
	buf_release(&state.seen);
	free(text);
	return 0;
}
