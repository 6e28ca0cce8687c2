/* SPDX-License-Identifier: MIT */
/*
 * Lines of a configuration file: the only user of inih.
 */
#ifndef STOREFS_CONFIG_INI_H
#define STOREFS_CONFIG_INI_H

#include <stddef.h>

#include <storefs/error.h>

/* What the lines say, in order; a code other than STORE_OK ends the reading. */
struct config_lines_sink {
	void *arg;
	/* "[name]" */
	int (*section)(void *arg, const char *name, int line,
		       struct store_error *error);
	/* "name = value", the value whole, without blanks around it. */
	int (*entry)(void *arg, const char *name, const char *value, int line,
		     struct store_error *error);
};

/*
 * Read `size` bytes at `text`.  Comments stand on lines of their own (';' or
 * '#') or behind a section; blanks around names and values, a byte order
 * mark in front and CR LF are left out.  INVALID "PATH:LINE: ..." for what is
 * no such line, for NUL and other control bytes, and for names too long for
 * inih.
 */
int config_lines_read(const char *path, const char *text, size_t size,
		      const struct config_lines_sink *sink,
		      struct store_error *error) STORE_WARN_UNUSED;

#endif
