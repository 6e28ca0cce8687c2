// SPDX-License-Identifier: MIT
/*
 * metrics: the figures of status as Prometheus reads them, see
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * Names stay as they are once they are told; a figure that a driver does not
 * tell is left out.
 */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/ctl/driver.h"

struct metric {
	const char *member; /* of the driver's answer */
	const char *name;
	const char *type;
	const char *help;
};

static const struct metric metrics[] = {
	{ "uptime", "storefs_uptime_seconds", "gauge",
	  "Since the driver was started." },
	{ "paused", "storefs_paused", "gauge", "1: no uploads are begun." },
	{ "open_files", "storefs_open_files", "gauge", "Open files." },
	{ "dirty_files", "storefs_queue_files", "gauge",
	  "Files not yet in the store." },
	{ "failed_files", "storefs_failed_files", "gauge",
	  "Files that could not be stored." },
	{ "unfinished_files", "storefs_unfinished_files", "gauge",
	  "Files that were never finished." },
	{ "renames", "storefs_renames", "gauge",
	  "Renames by copies under way." },
	{ "staged_bytes", "storefs_staged_bytes", "gauge", "Bytes staged." },
	{ "journal_bytes", "storefs_journal_bytes", "gauge",
	  "Size of the journal." },
	{ "publishes", "storefs_publishes_total", "counter",
	  "Files that were put into the store." },
	{ "nodes", "storefs_kernel_names", "gauge",
	  "Names that the kernel holds." },
	{ "memory_used", "storefs_memory_used_bytes", "gauge",
	  "In use of the budget." },
	{ "memory_peak", "storefs_memory_peak_bytes", "gauge",
	  "The most that ever were in use." },
	{ "memory_limit", "storefs_memory_limit_bytes", "gauge",
	  "The budget, memory=." },
	{ "memory_found", "storefs_memory_hit_bytes_total", "counter",
	  "Bytes read that were in memory." },
	{ "memory_fetched", "storefs_memory_fetched_bytes_total", "counter",
	  "Bytes asked of the store or the cache directory." },
	{ "memory_evicted", "storefs_memory_evicted_bytes_total", "counter",
	  "Bytes that made room for others." },
	{ "cache_limit", "storefs_cache_limit_bytes", "gauge",
	  "The budget of the cache directory, cache_size=." },
	{ "cache_used", "storefs_cache_used_bytes", "gauge",
	  "In use of the cache directory." },
	{ "cache_found", "storefs_cache_hit_bytes_total", "counter",
	  "Bytes that were in the cache directory." },
	{ "cache_written", "storefs_cache_written_bytes_total", "counter",
	  "Bytes that were kept in the cache directory." },
	{ "cache_evicted", "storefs_cache_evicted_blocks_total", "counter",
	  "Blocks that made room for others." },
	{ "cache_damaged", "storefs_cache_damaged_blocks_total", "counter",
	  "Blocks that were not what was written." },
	{ "cache_failed", "storefs_cache_failed_blocks_total", "counter",
	  "Blocks that could not be written." },
	{ .name = NULL },
};

/* Of counters, which are one family but for these. */
static const struct metric counter_metrics[] = {
	{ "retries", "storefs_store_retries_total", "counter",
	  "Operations of the store that were tried again." },
	{ "failures", "storefs_store_errors_total", "counter",
	  "Operations of the store that failed." },
	{ "bytes_read", "storefs_store_read_bytes_total", "counter",
	  "Bytes read from the store." },
	{ "bytes_written", "storefs_store_written_bytes_total", "counter",
	  "Bytes written to the store." },
	{ .name = NULL },
};

/* Of each verb. */
static const struct metric request_metrics[] = {
	{ "requests", "storefs_requests_total", "counter",
	  "Requests over the network." },
	{ "again", "storefs_requests_again_total", "counter",
	  "Requests that were not the first attempt." },
	{ "failed", "storefs_requests_failed_total", "counter",
	  "Requests without an answer, or with 429 or 5xx." },
	{ "connections", "storefs_connections_total", "counter",
	  "Connections that were opened." },
	{ "sent", "storefs_sent_bytes_total", "counter",
	  "Bytes of bodies sent." },
	{ "received", "storefs_received_bytes_total", "counter",
	  "Bytes of bodies received." },
	{ .name = NULL },
};

static void label(const char *name, const char *value)
{
	printf("%s=\"", name);
	for (; *value; value++) {
		if (*value == '\n') {
			fputs("\\n", stdout);
			continue;
		}
		if (*value == '"' || *value == '\\')
			putchar('\\');
		putchar(*value);
	}
	putchar('"');
}

static void head(const struct metric *metric)
{
	printf("# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help,
	       metric->name, metric->type);
}

/* `name` NULL: no label but the mount point. */
static void sample(const char *metric, const char *mount, const char *name,
		   const char *value, int64_t number)
{
	printf("%s{", metric);
	label("mountpoint", mount);
	if (name) {
		putchar(',');
		label(name, value);
	}
	printf("} %" PRId64 "\n", number);
}

static int64_t number_of(const struct json *from, const char *member)
{
	return json_get_number(from, member, json_get_flag(from, member));
}

static void print_plain(const struct metric *each, const char *mount,
			const struct json *from)
{
	for (; each->name; each++) {
		if (!json_get(from, each->member))
			continue;
		head(each);
		sample(each->name, mount, NULL, NULL,
		       number_of(from, each->member));
	}
}

static bool is_apart(const char *counter)
{
	const struct metric *each = counter_metrics;

	while (each->name && strcmp(each->member, counter) != 0)
		each++;
	return each->name;
}

static void print_counters(const char *mount, const struct json *counters)
{
	static const struct metric family = {
		.name = "storefs_store_operations_total",
		.type = "counter",
		.help = "Operations of the store.",
	};
	size_t count = json_count(counters);

	head(&family);
	for (size_t i = 0; i < count; i++) {
		const struct json *value;
		const char *name = json_member(counters, i, &value);

		if (name && !is_apart(name))
			sample(family.name, mount, "operation", name,
			       json_get_number(counters, name, 0));
	}
	print_plain(counter_metrics, mount, counters);
}

static void print_requests(const char *mount, const struct json *requests)
{
	const struct metric *each = request_metrics;
	size_t count = json_count(requests);

	for (; count && each->name; each++) {
		head(each);
		for (size_t i = 0; i < count; i++) {
			const struct json *verb;
			const char *name = json_member(requests, i, &verb);

			if (name)
				sample(each->name, mount, "verb", name,
				       json_get_number(verb, each->member, 0));
		}
	}
}

static void print_all(const char *name, const struct json *answer)
{
	const char *mount = json_get_text(answer, "mountpoint");
	const struct json *counters = json_get(answer, "counters");
	const struct json *requests = json_get(answer, "requests");

	if (!mount)
		mount = name;
	print_plain(metrics, mount, answer);
	if (counters)
		print_counters(mount, counters);
	if (requests)
		print_requests(mount, requests);
}

static void metrics_tell(struct ctl *ctl, struct driver *driver)
{
	struct json *command = client_command("status"), *answer = NULL;
	struct store_error error = STORE_ERROR_INIT;

	if (!command)
		store_error_set(&error, STORE_NO_MEMORY, "out of memory");
	if (!command || client_ask(driver->client, command, CLIENT_TIMEOUT_NS,
				   &answer, &error))
		ctl_fail(ctl, driver->name, NULL, &error);
	else
		print_all(driver->name, answer);
	json_free(command);
	json_free(answer);
}

/* One, as samples of one name must stand together. */
static void metrics_run(struct ctl *ctl, char **operands, int count)
{
	if (count != 1 && !driver_is_named(ctl))
		ctl_fail_usage(ctl, "metrics takes one mount point");
	else
		driver_each(ctl, operands, count, metrics_tell);
}

static const struct arg_option metrics_options[] = {
	DRIVER_OPTION_STAGING,
	DRIVER_OPTION_SOURCE,
	{ .name = NULL },
};

const struct ctl_command command_metrics = {
	.name = "metrics",
	.operands = "MOUNTPOINT",
	.help = "Show the figures of a mount as Prometheus reads them",
	.options = metrics_options,
	.least = 0,
	.most = 1,
	.run = metrics_run,
};
