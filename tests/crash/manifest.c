// SPDX-License-Identifier: MIT
/* Lines of the manifest; see manifest.h. */
#include "config.h"

#include "tests/crash/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const words[] = {
	[MANIFEST_DONE] = "done",
	[MANIFEST_DURABLE] = "durable",
	[MANIFEST_FAILED] = "failed",
	[MANIFEST_CUT] = "cut",
};

uint64_t manifest_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int effect_print(char *text, size_t size, const struct effect *effect)
{
	const struct item *item = &effect->item;

	switch (effect->kind) {
	case EFFECT_GONE:
		return snprintf(text, size, "gone %s", item->name);
	case EFFECT_MOVE:
		return snprintf(text, size, "move %s %s", item->name,
				item->target);
	default:
		return snprintf(text, size,
				"put %s %c %o %" PRIu64 " %" PRIx64 " %s",
				item->name, item->type, item->mode, item->size,
				item->sum, item->target);
	}
}

bool manifest_write(int fd, const struct manifest_line *line)
{
	char text[512];
	int length = snprintf(text, sizeof(text), "%c %u ", line->worker,
			      line->number);
	char *rest = text + length;
	size_t room = sizeof(text) - (size_t)length;

	if (line->kind == MANIFEST_ABOUT)
		length += effect_print(rest, room, &line->effect);
	else
		length += snprintf(rest, room, "%s %" PRIu64, words[line->kind],
				   line->value);
	text[length++] = '\n';
	return write(fd, text, (size_t)length) == length;
}

static bool effect_parse(const char *text, struct effect *effect)
{
	struct item *item = &effect->item;

	*effect = (struct effect){ .kind = EFFECT_PUT };
	item->target[0] = '-';
	if (sscanf(text, "put %63s %c %o %" SCNu64 " %" SCNx64 " %63s",
		   item->name, &item->type, &item->mode, &item->size,
		   &item->sum, item->target) == 6)
		return true;
	effect->kind = EFFECT_MOVE;
	if (sscanf(text, "move %63s %63s", item->name, item->target) == 2)
		return true;
	effect->kind = EFFECT_GONE;
	return sscanf(text, "gone %63s", item->name) == 1;
}

bool manifest_parse(const char *text, struct manifest_line *line)
{
	char word[16];
	int at = 0;

	*line = (struct manifest_line){ .kind = MANIFEST_ABOUT };
	if (sscanf(text, "%c %u %n", &line->worker, &line->number, &at) != 2 ||
	    !at)
		return false;
	if (effect_parse(text + at, &line->effect))
		return true;
	if (sscanf(text + at, "%15s %" SCNu64, word, &line->value) != 2)
		return false;
	for (int kind = MANIFEST_DONE; kind <= MANIFEST_CUT; kind++) {
		line->kind = (enum manifest_kind)kind;
		if (strcmp(words[kind], word) == 0)
			return true;
	}
	return false;
}
