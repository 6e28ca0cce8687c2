// SPDX-License-Identifier: MIT
/* See line.h.  Called by the control commands and events.c. */
#include "config.h"

#include "mount/line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/base/base64.h"
#include "src/control/client.h"

void line_init(struct line *line)
{
	line->json = json_object();
	line->failed = !line->json;
}

void line_json(struct line *line, const char *name, struct json *value)
{
	if (!line->json)
		json_free(value);
	else if (json_set(line->json, name, value))
		line->failed = true;
}

/* For people: what is no text in a message becomes question marks. */
void line_text(struct line *line, const char *name, const char *text)
{
	size_t length = strlen(text), done = 0, step;
	CLEANUP_FREE char *clean = strdup(text);

	while (clean && done < length) {
		step = utf8_character(clean + done, length - done);
		if (!step)
			clean[done] = '?';
		done += step ? step : 1;
	}
	line_json(line, name, clean ? json_text(clean) : NULL);
}

void line_bytes(struct line *line, const char *name, const char *text)
{
	if (line->json && client_set_bytes(line->json, name, text))
		line->failed = true;
}

void line_number(struct line *line, const char *name, uint64_t number)
{
	line_json(
		line, name,
		json_number(number > INT64_MAX ? INT64_MAX : (int64_t)number));
}

void line_flag(struct line *line, const char *name, bool flag)
{
	line_json(line, name, json_flag(flag));
}

void line_time(struct line *line, const char *name, int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	char text[64];

	if (gmtime_r(&when, &parts) &&
	    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts))
		line_text(line, name, text);
}

char *line_print(struct line *line)
{
	char *text = line->failed ? NULL : json_print(line->json, false);

	json_free(line->json);
	line->json = NULL;
	return text;
}
