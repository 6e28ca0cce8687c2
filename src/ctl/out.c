// SPDX-License-Identifier: MIT
/*
 * Text for people; see out.h.  Called by every command.  Standard output is
 * buffered by stdio; one thread.
 */
#include "config.h"

#include "src/ctl/out.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "src/base/base64.h"

/* Bytes of the printable character here, 0 when it needs an escape. */
static size_t out_printable(const char *text, size_t length)
{
	unsigned char first = (unsigned char)text[0];
	size_t step;

	if (first < 0x20 || first == 0x7f)
		return 0;
	step = utf8_character(text, length);
	/* C1 control characters, which terminals obey as well. */
	if (step == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0)
		return 0;
	return step;
}

static bool out_is_clean(const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t step = out_printable(text, left);

		if (step == 0)
			return false;
		text += step;
		left -= step;
	}
	return true;
}

static void out_escape(FILE *stream, unsigned char byte)
{
	switch (byte) {
	case '\n':
		fputs("\\n", stream);
		break;
	case '\t':
		fputs("\\t", stream);
		break;
	case '\r':
		fputs("\\r", stream);
		break;
	default:
		fprintf(stream, "\\x%02x", byte);
	}
}

/* `quoting`: inside $'...', where \ and ' need an escape themselves. */
static void out_clean(FILE *stream, const char *text, bool quoting)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t step = out_printable(text, left);

		if (step == 0) {
			out_escape(stream, (unsigned char)*text);
			step = 1;
		} else {
			if (quoting && (*text == '\'' || *text == '\\'))
				fputc('\\', stream);
			fwrite(text, 1, step, stream);
		}
		text += step;
		left -= step;
	}
}

void out_quoted(FILE *stream, const char *prefix, const char *name)
{
	if (out_is_clean(prefix) && out_is_clean(name)) {
		fputs(prefix, stream);
		fputs(name, stream);
		return;
	}
	fputs("$'", stream);
	out_clean(stream, prefix, true);
	out_clean(stream, name, true);
	fputc('\'', stream);
}

void out_name(const char *prefix, const char *name)
{
	static int terminal = -1;

	if (terminal < 0)
		terminal = isatty(STDOUT_FILENO);
	if (terminal) {
		out_quoted(stdout, prefix, name);
		return;
	}
	fputs(prefix, stdout);
	fputs(name, stdout);
}

void out_complain(const char *format, ...)
{
	char line[2 * STORE_KEY_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	/* In the order things happened where both go to one file. */
	fflush(stdout);
	fputs("storectl: ", stderr);
	out_clean(stderr, line, false);
	fputc('\n', stderr);
}

int out_finish(struct store_error *error)
{
	errno = 0;
	if (fflush(stdout) || ferror(stdout))
		return store_error_errno(error, errno ? errno : EIO,
					 "standard output");
	return STORE_OK;
}

const char *out_time(struct timespec when, char text[OUT_TIME_MAX])
{
	struct tm parts;
	size_t length;

	if (!gmtime_r(&when.tv_sec, &parts)) {
		snprintf(text, OUT_TIME_MAX, "@%lld", (long long)when.tv_sec);
		return text;
	}
	length = strftime(text, OUT_TIME_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
	if (when.tv_nsec)
		snprintf(text + length, OUT_TIME_MAX - length, ".%09ldZ",
			 when.tv_nsec);
	else
		snprintf(text + length, OUT_TIME_MAX - length, "Z");
	return text;
}

const char *out_size(uint64_t bytes, bool human, char text[OUT_SIZE_MAX])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	size_t unit = 0;

	if (!human || bytes < 1024) {
		snprintf(text, OUT_SIZE_MAX, "%" PRIu64, bytes);
		return text;
	}
	for (value /= 1024; value >= 1023.95 && unit < 5; value /= 1024)
		unit++;
	snprintf(text, OUT_SIZE_MAX, "%.1f%c", value, units[unit]);
	return text;
}

static char out_type_letter(enum store_type type)
{
	switch (type) {
	case STORE_TYPE_FOLDER:
		return 'd';
	case STORE_TYPE_SYMLINK:
		return 'l';
	case STORE_TYPE_FIFO:
		return 'p';
	case STORE_TYPE_SOCKET:
		return 's';
	case STORE_TYPE_CHAR:
		return 'c';
	case STORE_TYPE_BLOCK:
		return 'b';
	default:
		return '-';
	}
}

/* ls(1)'s letter for one of the set-id and sticky bits. */
static char out_special(bool set, bool executable, char with)
{
	if (!set)
		return executable ? 'x' : '-';
	return executable ? with : (char)toupper((unsigned char)with);
}

const char *out_mode(const struct store_info *info, char text[OUT_MODE_MAX])
{
	uint32_t mode = info->attributes.mode;
	int i;

	memset(text, '-', OUT_MODE_MAX - 1);
	text[OUT_MODE_MAX - 1] = '\0';
	text[0] = out_type_letter(info->type);
	if (!(info->attributes.mask & STORE_ATTR_MODE))
		return text;
	for (i = 0; i < 9; i++)
		if (mode & (0400u >> i))
			text[1 + i] = "rwx"[i % 3];
	text[3] = out_special(mode & 04000, mode & 0100, 's');
	text[6] = out_special(mode & 02000, mode & 0010, 's');
	text[9] = out_special(mode & 01000, mode & 0001, 't');
	return text;
}
