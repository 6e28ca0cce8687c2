// SPDX-License-Identifier: MIT
/*
 * The conformance suite through every layer: prefix, retry, trace and a fault
 * layer without faults, over the memory store.  Layers must change nothing.
 */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdio.h>

#include "backends/registry.h"
#include "src/option.h"
#include "src/store_internal.h"

static char name[512];
static char fault_file[512];

static void layers_begin(const char *scratch)
{
	FILE *file;

	snprintf(name, sizeof(name), "%s", scratch);
	snprintf(fault_file, sizeof(fault_file), "%s/faults", scratch);
	file = fopen(fault_file, "w");
	if (!file || fclose(file))
		conf_begin_failed(fault_file);
}

static int configured_memory(void **self, struct store_error *error)
{
	struct option_values *values = NULL;
	int code = option_values_new(memory_backend.options, &values, error);

	if (!code)
		code = option_values_set(values, "name", name, "test", error);
	if (!code)
		code = option_values_set(values, "limit", "16G", "test", error);
	if (!code)
		code = memory_backend.configure(values, self, error);
	option_values_free(values);
	return code;
}

static struct store *layers_open(struct store_error *error)
{
	struct store_policy policy = { .retry = STORE_RETRY_DEFAULT,
				       .fault_file = fault_file };
	struct store *whole = NULL;
	struct store *child = NULL;
	void *self = NULL;

	if (configured_memory(&self, error) ||
	    store_assemble(&memory_backend, self, &policy, &whole, error))
		return NULL;
	if (store_child(whole, "below/here", &child, error))
		child = NULL;
	store_close(whole);
	return child;
}

const struct conf_backend conf_backend = {
	.name = "layers",
	.backend = "memory",
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_COPY |
			STORE_CAP_ATOMIC_WRITE | STORE_CAP_METADATA |
			STORE_CAP_USER_METADATA | STORE_CAP_ATOMIC_MOVE |
			STORE_CAP_SEEKABLE_READ | STORE_CAP_LAZY_READ |
			STORE_CAP_WRITE_RESULT | STORE_CAP_CONDITIONAL |
			STORE_CAP_COMPOSE | STORE_CAP_PINNED_READ |
			STORE_CAP_FOLDERS | STORE_CAP_MOVE_FOLDER |
			STORE_CAP_EXCHANGE | STORE_CAP_POSIX | STORE_CAP_LINKS |
			STORE_CAP_SYMLINKS | STORE_CAP_NODES | STORE_CAP_XATTR |
			STORE_CAP_USAGE | STORE_CAP_SPARSE |
			STORE_CAP_PUBLISH_ID | STORE_CAP_NEAR,
	.keeps_ids = STORE_CAP_POSIX,
	.begin = layers_begin,
	.open = layers_open,
};
