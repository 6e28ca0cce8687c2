/* SPDX-License-Identifier: MIT */
/*
 * Option tables: one declaration of an option drives parsing, range checks,
 * --help, the manual page and masking.  Backends and the mount each have a
 * table of struct store_option ended by a NULL name.
 *
 *	values = option_values_new(table, &error)
 *	option_values_set(values, "root", "/srv", "storefs.ini:4", &error)
 *	option_values_check(values, &error)	required ones are there
 *	option_text(values, "root")
 */
#ifndef STOREFS_SRC_OPTION_H
#define STOREFS_SRC_OPTION_H

#include <stdbool.h>
#include <stdint.h>

#include <storefs/error.h>

enum option_type {
	OPTION_TEXT,
	OPTION_PATH,	 /* absolute after parsing */
	OPTION_FLAG,	 /* true/false, yes/no, on/off, 1/0; bare is true */
	OPTION_INTEGER,	 /* decimal, in [minimum, maximum] */
	OPTION_SIZE,	 /* bytes; K M G T are powers of 1024 */
	OPTION_SHARE,	 /* as OPTION_SIZE, or N% of the file system */
	OPTION_DURATION, /* seconds, or 10s 2m 1h 500ms; kept in ns */
	OPTION_OCTAL,	 /* permission bits */
	OPTION_CHOICE,	 /* one of `choices`, "a|b|c" */
	OPTION_FRACTION, /* decimal like 0.5; kept in units of 1e-9 */
};

enum option_flags {
	OPTION_REQUIRED = 1 << 0,
	OPTION_SECRET = 1 << 1, /* masked, refused on command lines */
	OPTION_HIDDEN = 1 << 2, /* for tests; not in --help */
};

struct store_option {
	const char *name;
	enum option_type type;
	const char *fallback; /* default as text, NULL: unset */
	const char *help;     /* one line, starts with a capital */
	const char *choices;  /* of OPTION_CHOICE */
	const char *aliases;  /* "a,b": other accepted names, NULL none */
	int64_t minimum;      /* of numbers, sizes, durations (ns) */
	int64_t maximum;      /* 0: no upper limit */
	unsigned int flags;
};

struct option_values;

/* All unset but for defaults.  `table` must outlive the values. */
int option_values_new(const struct store_option *table,
		      struct option_values **values, struct store_error *error)
	STORE_WARN_UNUSED;
void option_values_free(struct option_values *values);
/*
 * Parse and keep one value.  INVALID names the option, the text (masked when
 * secret) and `source` ("FILE:LINE", "-o", "URL"); an unknown name suggests
 * the nearest known one.  A later value replaces an earlier one.  `text`
 * NULL is a bare name, which only a flag may be.
 */
int option_values_set(struct option_values *values, const char *name,
		      const char *text, const char *source,
		      struct store_error *error) STORE_WARN_UNUSED;
/* Are all required ones set?  INVALID names the first that is not. */
int option_values_check(const struct option_values *values,
			struct store_error *error) STORE_WARN_UNUSED;

/* Asking for a name outside the table is a bug (assert). */
bool option_is_set(const struct option_values *values, const char *name);
/* Text as given (paths absolute), NULL when unset; borrowed. */
const char *option_text(const struct option_values *values, const char *name);
/* Numbers, sizes, durations (ns), octal; 0 when unset. */
int64_t option_number(const struct option_values *values, const char *name);
bool option_flag(const struct option_values *values, const char *name);
/* Was an OPTION_SHARE given in percent?  Then option_number() is that. */
bool option_is_percent(const struct option_values *values, const char *name);
/* Index into `choices`, -1 when unset. */
int option_choice(const struct option_values *values, const char *name);
/* Where the value came from, "default" or NULL when unset; borrowed. */
const char *option_source(const struct option_values *values, const char *name);

/* The entry of a name or alias, NULL when unknown. */
const struct store_option *option_find(const struct store_option *table,
				       const char *name);
/* Nearest known name within a small edit distance, NULL when none. */
const char *option_nearest(const struct store_option *table, const char *name);
/*
 * The value as people may see it: secrets masked, also within a URL, "" when
 * unset.  malloc'd, NULL when out of memory.
 */
char *option_shown(const struct option_values *values, const char *name);

/*
 * Take a list as in mount's -o apart: "a,b=c", where `\,` is a comma and `\\`
 * a backslash of the name or value; empty items are skipped.  `value` is NULL
 * for a bare name.  Stops at the first code of `fn` that is not STORE_OK.
 */
typedef int option_item_fn(void *arg, const char *name, const char *value,
			   struct store_error *error);
int option_split(const char *list, option_item_fn *fn, void *arg,
		 struct store_error *error) STORE_WARN_UNUSED;

/* Parse a size or duration on its own, as above. */
int option_parse_size(const char *text, int64_t *bytes,
		      struct store_error *error) STORE_WARN_UNUSED;
int option_parse_duration(const char *text, int64_t *ns,
			  struct store_error *error) STORE_WARN_UNUSED;

#endif
