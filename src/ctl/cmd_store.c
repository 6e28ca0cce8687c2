// SPDX-License-Identifier: MIT
/*
 * ping, caps and resolve: questions about a whole store.
 */
#include "config.h"

#include <stdlib.h>

#include "src/base/json.h"
#include "src/ctl/capabilities.h"
#include "src/ctl/place.h"

struct json *capabilities_json(uint64_t capabilities)
{
	struct json *array = json_array();
	int i;

	for (i = 0; array && i < 64; i++) {
		uint64_t bit = UINT64_C(1) << i;
		const char *name = store_capability_name(bit);

		if (!(capabilities & bit) || !name)
			continue;
		if (json_append(array, json_text(name))) {
			json_free(array);
			return NULL;
		}
	}
	return array;
}

void capabilities_print(uint64_t capabilities, const char *before)
{
	int i;

	for (i = 0; i < 64; i++) {
		uint64_t bit = UINT64_C(1) << i;
		const char *name = store_capability_name(bit);

		if (capabilities & bit && name)
			printf("%s%s", before, name);
	}
}

/* The store as it was named, for people. */
static void print_store(const struct place *place)
{
	out_name(place->label, "");
}

static void ping_place(struct ctl *ctl, const struct place *place)
{
	CLEANUP_RECORD struct record record;
	struct store_error error = STORE_ERROR_INIT;

	record_init(&record);
	if (store_ping(place->store, ctl_context(ctl), &error)) {
		ctl_fail(ctl, place->label, NULL, &error);
	} else if (ctl->args.json) {
		record_bytes(&record, "store", place->label);
		record_flag(&record, "ok", true);
		ctl_print(ctl, &record);
	} else {
		print_store(place);
		puts(" ok");
	}
}

static void ping_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;

		if (place_want(ctl, operands[i], PLACE_STORE, &place))
			ping_place(ctl, &place);
	}
}

const struct ctl_command command_ping = {
	.name = "ping",
	.operands = "STORE...",
	.help = "Ask whether stores are there and usable",
	.least = 1,
	.most = -1,
	.run = ping_run,
};

static void caps_place(struct ctl *ctl, const struct place *place)
{
	CLEANUP_RECORD struct record record;
	uint64_t capabilities = store_capabilities(place->store);

	record_init(&record);
	if (!ctl->args.json) {
		print_store(place);
		printf(" (%s)", store_backend_name(place->store));
		capabilities_print(capabilities, "\n  ");
		putchar('\n');
		return;
	}
	record_bytes(&record, "store", place->label);
	record_text(&record, "backend", store_backend_name(place->store));
	record_json(&record, "capabilities", capabilities_json(capabilities));
	ctl_print(ctl, &record);
}

static void caps_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;

		if (place_want(ctl, operands[i], PLACE_STORE, &place))
			caps_place(ctl, &place);
	}
}

const struct ctl_command command_caps = {
	.name = "caps",
	.operands = "STORE...",
	.help = "List what stores can do",
	.least = 1,
	.most = -1,
	.run = caps_run,
};

static void resolve_print(struct ctl *ctl, const struct place *place,
			  const struct store_resolution *resolution)
{
	CLEANUP_RECORD struct record record;

	record_init(&record);
	if (ctl->args.json) {
		record_bytes(&record, "key", resolution->key);
		record_text(&record, "backend", resolution->backend);
		record_bytes(&record, "native", resolution->native_path);
		record_bytes(&record, "identity", resolution->identity);
		ctl_print(ctl, &record);
		return;
	}
	out_name(place->label, place->key);
	printf("\n  backend   %s\n  key       ", resolution->backend);
	out_name("", resolution->key);
	fputs("\n  native    ", stdout);
	out_name("", resolution->native_path);
	fputs("\n  identity  ", stdout);
	out_name("", resolution->identity);
	putchar('\n');
}

static void resolve_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;
		struct store_error error = STORE_ERROR_INIT;
		struct store_resolution resolution;

		if (!place_want(ctl, operands[i], 0, &place))
			continue;
		if (store_resolve(place.store, place.key, &resolution,
				  &error)) {
			ctl_fail_place(ctl, &place, &error);
			continue;
		}
		resolve_print(ctl, &place, &resolution);
		store_resolution_release(&resolution);
	}
}

const struct ctl_command command_resolve = {
	.name = "resolve",
	.operands = "PLACE...",
	.help = "Show where keys lead, without asking the store",
	.least = 1,
	.most = -1,
	.run = resolve_run,
};
