// SPDX-License-Identifier: MIT
/*
 * Option tables: see option.h.  Called by the registry, store_open_url(), the
 * backends' configure and the mount; calls option_parse.c.  One slot per row
 * of the table; a slot keeps the text, where it came from, and the number it
 * stands for.  Values belong to one thread until they are only read.
 */
#include "config.h"

#include "src/option.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/secret.h"
#include "src/base/text.h"
#include "src/option_parse.h"

/* More than any sensible value, and a bound on what is copied around. */
enum { VALUE_MAX = 1024 * 1024 };

struct option_slot {
	char *text; /* NULL: unset */
	char *source;
	int64_t number;
	bool percent;
};

struct option_values {
	const struct store_option *table;
	size_t count;
	struct option_slot slots[];
};

/* ---- finding ---- */

/* The next name of "a,b"; false at the end. */
static bool next_alias(const char **aliases, const char **name, size_t *length)
{
	if (!*aliases || !**aliases)
		return false;
	*name = *aliases;
	*length = strcspn(*aliases, ",");
	*aliases += *length;
	if (**aliases)
		++*aliases;
	return true;
}

static bool has_alias(const struct store_option *option, const char *wanted)
{
	const char *rest = option->aliases, *name;
	size_t length;

	while (next_alias(&rest, &name, &length)) {
		if (strlen(wanted) == length && !strncmp(name, wanted, length))
			return true;
	}
	return false;
}

const struct store_option *option_find(const struct store_option *table,
				       const char *name)
{
	for (; table->name; table++) {
		if (!strcmp(table->name, name) || has_alias(table, name))
			return table;
	}
	return NULL;
}

const char *option_nearest(const struct store_option *table, const char *name)
{
	struct text_nearest nearest = { .name = name };

	for (; table->name; table++) {
		const char *rest = table->aliases, *alias;
		char copy[64];
		size_t length;

		if (table->flags & OPTION_HIDDEN)
			continue;
		text_nearest_try(&nearest, table->name);
		while (next_alias(&rest, &alias, &length)) {
			if (length >= sizeof(copy))
				continue;
			memcpy(copy, alias, length);
			copy[length] = '\0';
			text_nearest_try_alias(&nearest, copy, table->name);
		}
	}
	return nearest.found;
}

/* A name outside the table is a bug of the caller. */
static const struct option_slot *slot_of(const struct option_values *values,
					 const char *name)
{
	const struct store_option *option = option_find(values->table, name);

	assert(option);
	return &values->slots[option - values->table];
}

/* ---- parsing ---- */

static int no_memory(const char *name, struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY, "option %s: %s", name,
			       store_code_text(STORE_NO_MEMORY));
}

/* "SOURCE: NAME = 'TEXT': PROBLEM", the text masked where it must be. */
static int refuse(const struct store_option *option, const char *text,
		  const char *source, const char *problem,
		  struct store_error *error)
{
	char *masked CLEANUP_FREE = secret_mask_url(text);
	struct text_shown shown;

	if (option->flags & OPTION_SECRET || !masked)
		text_show(&shown, SECRET_MASK);
	else
		text_show(&shown, masked);
	return store_error_set(error, STORE_INVALID, "%s: %s = '%s': %s",
			       source, option->name, shown.text, problem);
}

static const char *const shapes[] = {
	[OPTION_FLAG] = "expected true or false",
	[OPTION_INTEGER] = "expected a whole number",
	[OPTION_SIZE] = "expected a size such as 4096, 64K, 10M or 2G",
	[OPTION_SHARE] = "expected a size such as 10M or 2G, or 1% to 100%",
	[OPTION_DURATION] = "expected a time such as 10, 1.5, 500ms, 30s or 2m",
	[OPTION_OCTAL] = "expected octal digits such as 022 or 755",
	[OPTION_FRACTION] = "expected a decimal number such as 0.5",
};

static bool parse_number(const struct store_option *option, const char *text,
			 struct option_slot *slot)
{
	switch (option->type) {
	case OPTION_FLAG:
		return parse_flag(text, &slot->number);
	case OPTION_INTEGER:
		return parse_integer(text, &slot->number);
	case OPTION_SHARE:
		slot->percent = parse_percent(text, &slot->number);
		return slot->percent || parse_size(text, &slot->number);
	case OPTION_SIZE:
		return parse_size(text, &slot->number);
	case OPTION_DURATION:
		return parse_duration(text, &slot->number);
	case OPTION_OCTAL:
		return parse_octal(text, &slot->number);
	case OPTION_FRACTION:
		return parse_fraction(text, &slot->number);
	case OPTION_TEXT:
	case OPTION_PATH:
	case OPTION_CHOICE:
		break;
	}
	return true;
}

/* A bound in the unit people write it in. */
static void add_bound(struct buf *out, const struct store_option *option,
		      int64_t value)
{
	static const char units[] = " KMGT";
	int unit = 0;

	switch (option->type) {
	case OPTION_SIZE:
	case OPTION_SHARE:
		while (value && value % 1024 == 0 && unit < 4) {
			value /= 1024;
			unit++;
		}
		buf_addf(out, "%" PRId64, value);
		if (unit)
			buf_add_char(out, units[unit]);
		return;
	case OPTION_DURATION:
		if (value % NS_PER_SEC == 0)
			buf_addf(out, "%" PRId64 "s", value / NS_PER_SEC);
		else
			buf_addf(out, "%" PRId64 "ms", value / NS_PER_MS);
		return;
	case OPTION_OCTAL:
		buf_addf(out, "%" PRIo64, (uint64_t)value);
		return;
	case OPTION_FRACTION:
		buf_addf(out, "%g", (double)value / (double)NS_PER_SEC);
		return;
	default:
		buf_addf(out, "%" PRId64, value);
	}
}

static int check_range(const struct store_option *option, const char *text,
		       const char *source, const struct option_slot *slot,
		       struct store_error *error)
{
	struct buf problem CLEANUP_BUF = BUF_INIT(256);

	if (slot->percent || option->type == OPTION_FLAG)
		return STORE_OK;
	if (slot->number >= option->minimum &&
	    (!option->maximum || slot->number <= option->maximum))
		return STORE_OK;
	buf_add_text(&problem, "out of range, ");
	if (option->maximum) {
		buf_add_text(&problem, "allowed is ");
		add_bound(&problem, option, option->minimum);
		buf_add_text(&problem, " to ");
		add_bound(&problem, option, option->maximum);
	} else {
		buf_add_text(&problem, "at least ");
		add_bound(&problem, option, option->minimum);
	}
	return refuse(option, text, source, buf_text(&problem), error);
}

static int set_choice(const struct store_option *option, const char *text,
		      const char *source, struct option_slot *slot,
		      struct store_error *error)
{
	struct buf problem CLEANUP_BUF = BUF_INIT(256);

	if (parse_choice(text, option->choices, &slot->number))
		return STORE_OK;
	buf_addf(&problem, "expected one of %s", option->choices);
	return refuse(option, text, source, buf_text(&problem), error);
}

/* Absolute, with "~/" as the home directory; malloc'd into slot->text. */
static int set_path(const struct store_option *option, const char *text,
		    const char *source, struct option_slot *slot,
		    struct store_error *error)
{
	struct buf path CLEANUP_BUF = BUF_INIT(VALUE_MAX);
	char *cwd CLEANUP_FREE = NULL;

	if (!*text)
		return refuse(option, text, source, "expected a path", error);
	if (!strcmp(text, "~") || !strncmp(text, "~/", 2)) {
		const char *home = getenv("HOME");

		if (!home || *home != '/')
			return refuse(option, text, source, "HOME is not set",
				      error);
		buf_add_text(&path, home);
		text++;
	} else if (*text != '/') {
		cwd = getcwd(NULL, 0);
		if (!cwd)
			return store_error_errno(error, errno,
						 "%s: %s: working directory",
						 source, option->name);
		buf_add_text(&path, cwd);
		if (strcmp(cwd, "/") != 0)
			buf_add_char(&path, '/');
	}
	buf_add_text(&path, text);
	slot->text = buf_steal(&path);
	return slot->text ? STORE_OK : no_memory(option->name, error);
}

static void slot_release(struct option_slot *slot)
{
	secret_free(slot->text);
	free(slot->source);
	*slot = (struct option_slot){ 0 };
}

static int slot_fill(const struct store_option *option, const char *text,
		     const char *source, struct option_slot *slot,
		     struct store_error *error)
{
	int code = STORE_OK;

	if (!text && option->type != OPTION_FLAG)
		return store_error_set(error, STORE_INVALID,
				       "%s: %s needs a value", source,
				       option->name);
	if (!text)
		text = "true";
	if (strlen(text) > VALUE_MAX)
		return store_error_set(error, STORE_INVALID,
				       "%s: the value of %s is too long",
				       source, option->name);
	if (option->type == OPTION_PATH)
		code = set_path(option, text, source, slot, error);
	else if (option->type == OPTION_CHOICE)
		code = set_choice(option, text, source, slot, error);
	else if (!parse_number(option, text, slot))
		code = refuse(option, text, source, shapes[option->type],
			      error);
	else if (option->type != OPTION_TEXT)
		code = check_range(option, text, source, slot, error);
	if (code)
		return code;
	if (!slot->text)
		slot->text = strdup(text);
	slot->source = strdup(source);
	return slot->text && slot->source ? STORE_OK
					  : no_memory(option->name, error);
}

/* ---- life ---- */

static int unknown(const struct option_values *values, const char *name,
		   const char *source, struct store_error *error)
{
	const char *nearest = option_nearest(values->table, name);
	struct text_shown shown;

	if (nearest)
		return store_error_set(
			error, STORE_INVALID,
			"%s: unknown option '%s', did you mean '%s'?", source,
			text_show(&shown, name), nearest);
	return store_error_set(error, STORE_INVALID, "%s: unknown option '%s'",
			       source, text_show(&shown, name));
}

int option_values_set(struct option_values *values, const char *name,
		      const char *text, const char *source,
		      struct store_error *error)
{
	const struct store_option *option = option_find(values->table, name);
	struct option_slot fresh = { 0 };
	struct option_slot *slot;
	int code;

	if (!option)
		return unknown(values, name, source, error);
	slot = &values->slots[option - values->table];
	code = slot_fill(option, text, source, &fresh, error);
	if (code) {
		slot_release(&fresh);
		return code;
	}
	slot_release(slot);
	*slot = fresh;
	return STORE_OK;
}

int option_values_new(const struct store_option *table,
		      struct option_values **result, struct store_error *error)
{
	struct option_values *values;
	size_t count = 0;
	int code = STORE_OK;

	while (table[count].name)
		count++;
	values = calloc(1, sizeof(*values) + count * sizeof(values->slots[0]));
	if (!values)
		return no_memory("table", error);
	values->table = table;
	values->count = count;
	for (size_t i = 0; !code && i < count; i++) {
		if (table[i].fallback)
			code = option_values_set(values, table[i].name,
						 table[i].fallback, "default",
						 error);
	}
	if (code) {
		option_values_free(values);
		return code;
	}
	*result = values;
	return STORE_OK;
}

void option_values_free(struct option_values *values)
{
	if (!values)
		return;
	for (size_t i = 0; i < values->count; i++)
		slot_release(&values->slots[i]);
	free(values);
}

int option_values_check(const struct option_values *values,
			struct store_error *error)
{
	for (size_t i = 0; i < values->count; i++) {
		if (values->table[i].flags & OPTION_REQUIRED &&
		    !values->slots[i].text)
			return store_error_set(error, STORE_INVALID,
					       "option %s is missing",
					       values->table[i].name);
	}
	return STORE_OK;
}

/* ---- asking ---- */

bool option_is_set(const struct option_values *values, const char *name)
{
	return slot_of(values, name)->text != NULL;
}

const char *option_text(const struct option_values *values, const char *name)
{
	return slot_of(values, name)->text;
}

int64_t option_number(const struct option_values *values, const char *name)
{
	return slot_of(values, name)->number;
}

bool option_flag(const struct option_values *values, const char *name)
{
	return slot_of(values, name)->number != 0;
}

bool option_is_percent(const struct option_values *values, const char *name)
{
	return slot_of(values, name)->percent;
}

int option_choice(const struct option_values *values, const char *name)
{
	const struct option_slot *slot = slot_of(values, name);

	return slot->text ? (int)slot->number : -1;
}

const char *option_source(const struct option_values *values, const char *name)
{
	return slot_of(values, name)->source;
}

char *option_shown(const struct option_values *values, const char *name)
{
	const struct store_option *option = option_find(values->table, name);
	const char *text = slot_of(values, name)->text;

	if (!text || !*text)
		return strdup("");
	if (option->flags & OPTION_SECRET)
		return strdup(SECRET_MASK);
	return secret_mask_url(text);
}

/* ---- lists and single values ---- */

static int split_item(struct buf *item, bool has_value, size_t name_length,
		      option_item_fn *fn, void *arg, struct store_error *error)
{
	char *name = item->data;

	if (!name || (!item->length && !has_value))
		return STORE_OK;
	if (!has_value)
		return fn(arg, name, NULL, error);
	if (!name_length)
		return store_error_set(error, STORE_INVALID,
				       "an option without a name: '='");
	name[name_length] = '\0';
	return fn(arg, name, name + name_length + 1, error);
}

int option_split(const char *list, option_item_fn *fn, void *arg,
		 struct store_error *error)
{
	struct buf item CLEANUP_BUF = BUF_INIT(VALUE_MAX);

	for (;; list++) {
		bool has_value = false;
		size_t name_length = 0;
		int code;

		buf_clear(&item);
		for (; *list && *list != ','; list++) {
			if (*list == '\\' &&
			    (list[1] == ',' || list[1] == '\\'))
				list++;
			else if (*list == '=' && !has_value) {
				has_value = true;
				name_length = item.length;
			}
			buf_add_char(&item, *list);
		}
		code = buf_error(&item, "option list", error);
		if (!code)
			code = split_item(&item, has_value, name_length, fn,
					  arg, error);
		if (code || !*list)
			return code;
	}
}

int option_parse_size(const char *text, int64_t *bytes,
		      struct store_error *error)
{
	struct text_shown shown;

	if (parse_size(text, bytes))
		return STORE_OK;
	return store_error_set(error, STORE_INVALID, "'%s': %s",
			       text_show(&shown, text), shapes[OPTION_SIZE]);
}

int option_parse_duration(const char *text, int64_t *ns,
			  struct store_error *error)
{
	struct text_shown shown;

	if (parse_duration(text, ns))
		return STORE_OK;
	return store_error_set(error, STORE_INVALID, "'%s': %s",
			       text_show(&shown, text),
			       shapes[OPTION_DURATION]);
}
