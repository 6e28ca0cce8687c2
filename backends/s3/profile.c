// SPDX-License-Identifier: MIT
/*
 * Profiles: see profile.h.  Called by credentials.c.  Lines are taken apart
 * here: the format knows indented blocks, which inih takes for continued
 * values.  No locks.
 */
#include "config.h"

#include "backends/s3/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/cleanup.h"
#include "src/base/secret.h"

enum { LINE_MAX_BYTES = 16384 };

void s3_profile_release(struct s3_profile *profile)
{
	s3_keys_release(&profile->keys);
	free(profile->process);
	free(profile->region);
	*profile = (struct s3_profile){ .found = false };
}

/* Cut blanks at both ends; in place. */
static char *trim(char *text)
{
	size_t length;

	while (isspace((unsigned char)*text))
		text++;
	length = strlen(text);
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	text[length] = '\0';
	return text;
}

/* "[name]" or "[profile name]" in `line`: is it the one? */
static bool is_section(char *line, const char *name, bool prefixed)
{
	char *end = strchr(line, ']');
	char *found;

	if (!end)
		return false;
	*end = '\0';
	found = trim(line + 1);
	if (prefixed && strcmp(found, "default") != 0) {
		if (strncmp(found, "profile", 7) != 0 ||
		    !isspace((unsigned char)found[7]))
			return false;
		found = trim(found + 7);
	}
	return strcmp(found, name) == 0;
}

static char **member(struct s3_profile *profile, const char *name)
{
	if (strcmp(name, "aws_access_key_id") == 0)
		return &profile->keys.access;
	if (strcmp(name, "aws_secret_access_key") == 0)
		return &profile->keys.secret;
	if (strcmp(name, "aws_session_token") == 0)
		return &profile->keys.token;
	if (strcmp(name, "credential_process") == 0)
		return &profile->process;
	if (strcmp(name, "region") == 0)
		return &profile->region;
	return NULL;
}

static int take_line(struct s3_profile *profile, char *line,
		     struct store_error *error)
{
	char *equals = strchr(line, '=');
	char **to;

	/* An indented line belongs to a block under the name above it. */
	if (!equals || isspace((unsigned char)*line) || *line == '#' ||
	    *line == ';')
		return STORE_OK;
	*equals = '\0';
	to = member(profile, trim(line));
	if (!to || *to)
		return STORE_OK;
	*to = strdup(trim(equals + 1));
	return *to ? STORE_OK
		   : store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

static int read_lines(struct s3_profile *profile, FILE *file, const char *name,
		      bool prefixed, struct store_error *error)
{
	char line[LINE_MAX_BYTES];
	bool here = false;
	int code = STORE_OK;

	while (!code && fgets(line, sizeof(line), file)) {
		if (*line == '[') {
			here = is_section(line, name, prefixed);
			profile->found = profile->found || here;
		} else if (here) {
			code = take_line(profile, line, error);
		}
	}
	secret_wipe(line, sizeof(line));
	return code;
}

int s3_profile_read(struct s3_profile *profile, const char *path,
		    const char *name, bool prefixed, struct store_error *error)
{
	FILE *file = fopen(path, "re");
	int code;

	if (!file && (errno == ENOENT || errno == ENOTDIR))
		return STORE_OK;
	if (!file)
		return store_error_errno(error, errno, "%s", path);
	code = read_lines(profile, file, name, prefixed, error);
	if (!code && ferror(file))
		code = store_error_errno(error, errno, "%s", path);
	fclose(file);
	return code;
}
