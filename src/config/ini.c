// SPDX-License-Identifier: MIT
/*
 * INI by way of inih: see ini.h.  Called by document.c.
 *
 * How much inih cuts, and what it takes for a comment or a continuation,
 * was decided when it was built (some builds: by process-wide variables that
 * are not ours to change): lines of more than 199 bytes, values behind " ;",
 * sections and names of more than 49 bytes, indented lines.  So every line is
 * checked here first, and inih is handed one that no build of it can cut:
 * unindented, its value replaced by a mark.  When inih reports the mark, the
 * value is taken whole from the line just read.
 */
#include "config.h"

#include "src/config/ini.h"

#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/secret.h"
#include "src/base/text.h"

/* MAX_SECTION and MAX_NAME of inih are 50 with the NUL in all versions. */
enum { NAME_MAX_BYTES = 49 };
#define VALUE_MARK "."
/* inih: "no '=' here". */
#define WRONG_LINE "?"

struct scan {
	const char *path;
	const char *next; /* first byte of the next line */
	const char *end;
	int line;	  /* number of the line just read */
	struct buf value; /* of that line */
	const struct config_lines_sink *sink;
	struct store_error *error;
	int code; /* the first failure; nothing is read after it */
};

/* A line without its blanks: [start, end). */
struct line {
	const char *start;
	const char *end;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct line trim(struct line line)
{
	while (line.start < line.end && is_blank(*line.start))
		line.start++;
	while (line.end > line.start && is_blank(line.end[-1]))
		line.end--;
	return line;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

static void fail(struct scan *scan, const char *problem)
{
	scan->code = store_error_set(scan->error, STORE_INVALID, "%s:%d: %s",
				     scan->path, scan->line, problem);
}

/* The next line without its end; bytes that no text has are refused. */
static struct line take_line(struct scan *scan)
{
	size_t left = (size_t)(scan->end - scan->next);
	const char *end = memchr(scan->next, '\n', left);
	struct line line = { scan->next, end ? end : scan->end };
	char problem[64];

	scan->next = end ? end + 1 : scan->end;
	scan->line++;
	if (scan->line == 1 && line.end - line.start >= 3 &&
	    !memcmp(line.start, "\xef\xbb\xbf", 3))
		line.start += 3;
	if (line.end > line.start && line.end[-1] == '\r')
		line.end--;
	for (const char *p = line.start; p < line.end; p++) {
		unsigned char c = (unsigned char)*p;

		if ((c >= ' ' && c != 0x7f) || c == '\t')
			continue;
		snprintf(problem, sizeof(problem),
			 "a control character (byte 0x%02x)", c);
		fail(scan, problem);
		break;
	}
	return trim(line);
}

/* Copy a checked name for inih and the sink. */
static bool copy_name(struct scan *scan, struct line name,
		      char copy[NAME_MAX_BYTES + 1])
{
	size_t length = (size_t)(name.end - name.start);

	for (const char *p = name.start; p < name.end; p++) {
		if (is_name_byte(*p))
			continue;
		fail(scan, "names are made of letters, digits, '_', '-' and "
			   "'.'");
		return false;
	}
	if (!length) {
		fail(scan, "the name is missing");
		return false;
	}
	if (length > NAME_MAX_BYTES) {
		fail(scan, "names of sections and options have at most 49 "
			   "bytes");
		return false;
	}
	memcpy(copy, name.start, length);
	copy[length] = '\0';
	return true;
}

static void section_line(struct scan *scan, struct line line, char *room,
			 size_t size)
{
	const char *close =
		memchr(line.start, ']', (size_t)(line.end - line.start));
	struct line name, rest;
	char copy[NAME_MAX_BYTES + 1];

	if (line.end - line.start > 1 && line.start[1] == '[') {
		fail(scan, "arrays of tables ([[...]]) are not supported");
		return;
	}
	if (!close) {
		fail(scan, "a section without its ']'");
		return;
	}
	rest = trim((struct line){ close + 1, line.end });
	if (rest.start < rest.end && *rest.start != '#' && *rest.start != ';') {
		fail(scan, "text behind the section's ']'");
		return;
	}
	name = trim((struct line){ line.start + 1, close });
	if (!copy_name(scan, name, copy))
		return;
	scan->code = scan->sink->section(scan->sink->arg, copy, scan->line,
					 scan->error);
	snprintf(room, size, "[%s]\n", copy);
}

/* '=' or ':', whichever is first. */
static const char *find_separator(struct line line)
{
	for (const char *p = line.start; p < line.end; p++) {
		if (*p == '=' || *p == ':')
			return p;
	}
	return NULL;
}

static void entry_line(struct scan *scan, struct line line, char *room,
		       size_t size)
{
	const char *separator = find_separator(line);
	struct line name, value;
	char copy[NAME_MAX_BYTES + 1];

	if (!separator) {
		snprintf(room, size, WRONG_LINE "\n");
		return;
	}
	name = trim((struct line){ line.start, separator });
	value = trim((struct line){ separator + 1, line.end });
	/* A quoted name of TOML. */
	if (name.end - name.start > 2 && name.end[-1] == *name.start &&
	    (*name.start == '"' || *name.start == '\'')) {
		name.start++;
		name.end--;
	}
	if (!copy_name(scan, name, copy))
		return;
	buf_add(&scan->value, value.start, (size_t)(value.end - value.start));
	scan->code = buf_error(&scan->value, "value", scan->error);
	snprintf(room, size, "%s=" VALUE_MARK "\n", copy);
}

/* The reader of inih: one line of the file for one line. */
static char *next_line(char *room, int size, void *stream)
{
	struct scan *scan = stream;
	/* The longest line that is handed over. */
	char text[NAME_MAX_BYTES + 8] = "\n";
	struct line line;

	if (scan->code || scan->next == scan->end)
		return NULL;
	buf_clear(&scan->value);
	line = take_line(scan);
	if (!scan->code && line.start < line.end && *line.start != '#' &&
	    *line.start != ';') {
		if (*line.start == '[')
			section_line(scan, line, text, sizeof(text));
		else
			entry_line(scan, line, text, sizeof(text));
	}
	if (scan->code)
		return NULL;
	if ((size_t)size <= strlen(text)) {
		fail(scan, "the line is too long for this build of inih");
		return NULL;
	}
	memcpy(room, text, strlen(text) + 1);
	return room;
}

#if INI_HANDLER_LINENO
static int handle(void *user, const char *section, const char *name,
		  const char *value, int line)
#else
static int handle(void *user, const char *section, const char *name,
		  const char *value)
#endif
{
	struct scan *scan = user;

	(void)section;
#if INI_HANDLER_LINENO
	(void)line;
#endif
	/* Some builds announce sections this way. */
	if (!name || !value || scan->code)
		return 1;
	if (strcmp(value, VALUE_MARK) != 0) {
		fail(scan, "this build of inih misread the line");
		return 0;
	}
	scan->code =
		scan->sink->entry(scan->sink->arg, name, buf_text(&scan->value),
				  scan->line, scan->error);
	return !scan->code;
}

int config_lines_read(const char *path, const char *text, size_t size,
		      const struct config_lines_sink *sink,
		      struct store_error *error)
{
	struct scan scan = {
		.path = path,
		.next = text,
		.end = text + size,
		.value = BUF_INIT(size),
		.sink = sink,
		.error = error,
	};
	int result = ini_parse_stream(next_line, &scan, handle, &scan);

	if (!scan.code && result > 0) {
		scan.line = result;
		fail(&scan, "expected [section] or name = value");
	} else if (!scan.code && result < 0) {
		scan.code =
			store_error_set(error, STORE_NO_MEMORY, "%s: %s", path,
					store_code_text(STORE_NO_MEMORY));
	}
	if (scan.value.data)
		secret_wipe(scan.value.data, scan.value.room);
	buf_release(&scan.value);
	return scan.code;
}
