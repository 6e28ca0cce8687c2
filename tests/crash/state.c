// SPDX-License-Identifier: MIT
/* What stands in a tree; see state.h.  Out of memory ends the program. */
#include "config.h"

#include "tests/crash/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void state_release(struct state *state)
{
	for (size_t i = 0; i < state->count; i++)
		free(state->items[i].data);
	free(state->items);
	*state = (struct state){ .count = 0 };
}

struct item *state_find(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state->count; i++)
		if (strcmp(state->items[i].name, name) == 0)
			return &state->items[i];
	return NULL;
}

static struct item *state_add(struct state *state)
{
	state->items = realloc(state->items,
			       (state->count + 1) * sizeof(*state->items));
	if (!state->items)
		abort();
	return &state->items[state->count++];
}

static void state_remove(struct state *state, const char *name)
{
	struct item *item = state_find(state, name);

	if (!item)
		return;
	free(item->data);
	*item = state->items[--state->count];
}

static void state_put(struct state *state, const struct item *item)
{
	state_remove(state, item->name);
	*state_add(state) = *item;
}

/* What is behind `from` in a name at or below it; NULL for another name. */
static const char *name_below(const char *name, const char *from)
{
	size_t length = strlen(from);

	if (strncmp(name, from, length) != 0)
		return NULL;
	return name[length] == '\0' || name[length] == '/' ? name + length
							   : NULL;
}

static void state_move(struct state *state, const char *from, const char *to)
{
	state_remove(state, to);
	for (size_t i = 0; i < state->count; i++) {
		struct item *item = &state->items[i];
		const char *rest = name_below(item->name, from);
		char name[2 * STATE_NAME];

		if (!rest)
			continue;
		if (snprintf(name, sizeof(name), "%s%s", to, rest) >=
		    STATE_NAME)
			abort();
		memcpy(item->name, name, STATE_NAME);
	}
}

void state_apply(struct state *state, const struct effect *effect)
{
	switch (effect->kind) {
	case EFFECT_PUT:
		state_put(state, &effect->item);
		break;
	case EFFECT_GONE:
		state_remove(state, effect->item.name);
		break;
	case EFFECT_MOVE:
		state_move(state, effect->item.name, effect->item.target);
		break;
	}
}

void state_copy(struct state *to, const struct state *from)
{
	state_copy_of(to, from, '\0');
}

void state_copy_of(struct state *to, const struct state *from, char letter)
{
	*to = (struct state){ .count = 0 };
	for (size_t i = 0; i < from->count; i++) {
		struct item item = from->items[i];

		item.data = NULL;
		if (!letter || item.name[0] == letter)
			*state_add(to) = item;
	}
}

bool item_equal(const struct item *a, const struct item *b)
{
	return strcmp(a->name, b->name) == 0 && a->type == b->type &&
	       a->mode == b->mode && a->size == b->size && a->sum == b->sum &&
	       strcmp(a->target, b->target) == 0;
}

bool state_equal(const struct state *a, const struct state *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct item *other = state_find(b, a->items[i].name);

		if (!other || !item_equal(&a->items[i], other))
			return false;
	}
	return true;
}

uint64_t sum_add(uint64_t sum, const void *data, size_t length)
{
	const unsigned char *byte = data;

	for (size_t i = 0; i < length; i++)
		sum = (sum ^ byte[i]) * UINT64_C(0x100000001b3);
	return sum;
}
