// SPDX-License-Identifier: MIT
/*
 * See args.h.  getopt_long() does the scanning; the tables are turned into
 * its form for each call.  Called by main.c only.
 */
#include "config.h"

#include "src/ctl/args.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/ctl/out.h"
#include "src/option.h"

/* Room for the options of one command with the common ones. */
#define ARGS_MAX 24
/* Values getopt_long() returns for the option of an index. */
#define ARGS_BASE 256

const struct arg_option args_common[] = {
	{ "json", 0, ARG_FLAG, offsetof(struct args, json), NULL,
	  "One JSON object per line, on standard output and for errors" },
	{ "config", 'c', ARG_TEXT, offsetof(struct args, config), "FILE",
	  "Read the stores from this configuration file" },
	{ "timeout", 0, ARG_DURATION, offsetof(struct args, timeout_ns), "TIME",
	  "Longest time without progress, 0 for no limit (30s)" },
	{ "help", 0, ARG_FLAG, offsetof(struct args, help), NULL,
	  "Show this help" },
	{ .name = NULL },
};

void args_init(struct args *args)
{
	*args = (struct args){
		.timeout_ns = 30 * NS_PER_SEC,
		.depth = -1,
		.mode = -1,
		.length = -1,
		.wait_ns = -1,
	};
}

/* A whole number in `base` between 0 and `maximum`, nothing around it. */
static int args_number(const char *text, int base, int64_t maximum,
		       int64_t *number)
{
	char *end;
	long long value;

	if (text[0] < '0' || text[0] > '9')
		return STORE_INVALID;
	errno = 0;
	value = strtoll(text, &end, base);
	if (errno || *end || value > maximum)
		return STORE_INVALID;
	*number = value;
	return STORE_OK;
}

static int args_set(struct args *args, const struct arg_option *option,
		    const char *text)
{
	struct store_error error = STORE_ERROR_INIT;
	char *place = (char *)args + option->offset;
	int code = STORE_OK;

	switch (option->kind) {
	case ARG_FLAG:
		*(bool *)(void *)place = true;
		break;
	case ARG_TEXT:
		*(const char **)(void *)place = text;
		break;
	case ARG_COUNT:
		code = args_number(text, 10, INT_MAX, (int64_t *)(void *)place);
		break;
	case ARG_PERMISSION:
		code = args_number(text, 8, 07777, (int64_t *)(void *)place);
		break;
	case ARG_SIZE:
		code = option_parse_size(text, (int64_t *)(void *)place,
					 &error);
		break;
	case ARG_DURATION:
		code = option_parse_duration(text, (int64_t *)(void *)place,
					     &error);
		break;
	}
	if (code)
		out_complain("--%s: '%s' is no valid %s", option->name, text,
			     option->value);
	return code ? STORE_INVALID : STORE_OK;
}

struct args_scan {
	const struct arg_option *known[ARGS_MAX];
	struct option longs[ARGS_MAX + 1];
	char shorts[2 * ARGS_MAX + 3];
	int count;
};

static bool args_has(const struct arg_option *options, const char *name)
{
	for (; options && options->name; options++)
		if (!strcmp(options->name, name))
			return true;
	return false;
}

static bool args_scan_has(const struct args_scan *scan, const char *name)
{
	for (int i = 0; i < scan->count; i++)
		if (!strcmp(scan->known[i]->name, name))
			return true;
	return false;
}

static void args_scan_add(struct args_scan *scan,
			  const struct arg_option *options, char **letters)
{
	for (; options && options->name; options++) {
		int index = scan->count;

		/* A command may mean something else by a common name. */
		if (args_scan_has(scan, options->name))
			continue;
		if (index == ARGS_MAX)
			abort();
		scan->known[index] = options;
		scan->longs[index] = (struct option){
			.name = options->name,
			.has_arg = options->kind == ARG_FLAG
					   ? no_argument
					   : required_argument,
			.val = ARGS_BASE + index,
		};
		if (options->letter) {
			*(*letters)++ = options->letter;
			if (options->kind != ARG_FLAG)
				*(*letters)++ = ':';
		}
		scan->count++;
	}
}

/* '+' or '-' steers getopt; ':' tells a missing value from a bad option. */
static void args_scan_init(struct args_scan *scan,
			   const struct arg_option *options, bool stop)
{
	char *letters = scan->shorts;

	memset(scan, 0, sizeof(*scan));
	if (stop)
		*letters++ = '+';
	*letters++ = ':';
	args_scan_add(scan, options, &letters);
	args_scan_add(scan, args_common, &letters);
}

static const struct arg_option *args_find(const struct args_scan *scan,
					  int found)
{
	int i;

	if (found >= ARGS_BASE)
		return scan->known[found - ARGS_BASE];
	for (i = 0; i < scan->count; i++)
		if (scan->known[i]->letter == found)
			return scan->known[i];
	return NULL;
}

static int args_complain(int found, char **argv)
{
	const char *text = argv[optind > 1 ? optind - 1 : 1];

	if (found == ':')
		out_complain("%s needs a value", text);
	else if (optopt > 0 && optopt < ARGS_BASE)
		out_complain("unknown option -%c",
			     optopt >= ' ' && optopt < 0x7f ? optopt : '?');
	else
		out_complain("unknown option or value: %s", text);
	return STORE_INVALID;
}

int args_parse(struct args *args, const struct arg_option *options, int argc,
	       char **argv, bool stop, int *first)
{
	struct args_scan scan;

	args_scan_init(&scan, options, stop);
	opterr = 0;
	/* 0 makes glibc and musl start over with their private state. */
	optind = 0;
	for (;;) {
		const struct arg_option *option;
		int found =
			getopt_long(argc, argv, scan.shorts, scan.longs, NULL);

		if (found == -1)
			break;
		option = found == '?' || found == ':' ? NULL
						      : args_find(&scan, found);
		if (!option)
			return args_complain(found, argv);
		if (args_set(args, option, optarg))
			return STORE_INVALID;
	}
	*first = optind;
	return STORE_OK;
}

static void args_print_one(const struct arg_option *option)
{
	const char *value = option->value ? option->value : "";
	char left[64];

	snprintf(left, sizeof(left), "%c%c%s--%s%s%s",
		 option->letter ? '-' : ' ',
		 option->letter ? option->letter : ' ',
		 option->letter ? ", " : "  ", option->name, *value ? " " : "",
		 value);
	printf("  %-24s %s\n", left, option->help);
}

void args_print(const struct arg_option *options)
{
	const struct arg_option *each;

	for (each = options; each && each->name; each++)
		args_print_one(each);
	for (each = args_common; each->name; each++)
		if (!args_has(options, each->name))
			args_print_one(each);
}
