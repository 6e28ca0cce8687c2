// SPDX-License-Identifier: MIT
/*
 * config: the effective values of the configuration file and where each came
 * from.  Secrets are masked by the registry.
 */
#include "config.h"

#include <string.h>

#include "src/ctl/ctl.h"

struct config_filter {
	struct ctl *ctl;
	char **sections; /* only these; all when there are none */
	int count;
	const char *last; /* heading that stands already */
	char heading[256];
};

static bool config_wanted(const struct config_filter *filter,
			  const char *section)
{
	int i;

	for (i = 0; i < filter->count; i++)
		if (!strcmp(filter->sections[i], section))
			return true;
	return filter->count == 0;
}

static void config_heading(struct config_filter *filter, const char *section)
{
	if (filter->last && !strcmp(filter->heading, section))
		return;
	printf("%s[", filter->last ? "\n" : "");
	out_name("", section);
	puts("]");
	snprintf(filter->heading, sizeof(filter->heading), "%s", section);
	filter->last = filter->heading;
}

static void config_print(void *arg, const char *section, const char *key,
			 const char *value, const char *source)
{
	struct config_filter *filter = arg;

	if (!config_wanted(filter, section))
		return;
	if (filter->ctl->args.json) {
		CLEANUP_RECORD struct record record;

		record_init(&record);
		record_bytes(&record, "section", section);
		record_bytes(&record, "key", key);
		if (value)
			record_bytes(&record, "value", value);
		record_bytes(&record, "source", source ? source : "unset");
		ctl_print(filter->ctl, &record);
		return;
	}
	config_heading(filter, section);
	out_name("", key);
	out_name(" = ", value ? value : "");
	out_name("\t# ", source ? source : "unset");
	putchar('\n');
}

static void config_run(struct ctl *ctl, char **operands, int count)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_registry *registry;
	struct config_filter filter = { .ctl = ctl,
					.sections = operands,
					.count = count };
	const char *path;

	if (ctl_registry(ctl, &registry, &error)) {
		ctl_fail(ctl, NULL, NULL, &error);
		return;
	}
	path = store_registry_path(registry);
	if (!ctl->args.json) {
		fputs("# ", stdout);
		out_name("", path ? path : "no configuration file");
		putchar('\n');
	}
	store_registry_explain(registry, config_print, &filter);
}

const struct ctl_command command_config = {
	.name = "config",
	.operands = "[SECTION...]",
	.help = "Show effective values and where each came from",
	.least = 0,
	.most = -1,
	.run = config_run,
};
