// SPDX-License-Identifier: MIT
/*
 * What a running proxy can be told and asked:
 *	delay MS | rate BYTES	of a round trip; a second each way, 0: any
 *	fault KIND WORD... | faults | clear	see proxy_fault.c
 *	dark | light		nothing goes through, everything again
 *	drop			resets all connections
 *	lose			forgets them: what comes is dropped
 *	counts			per verb: requests, bytes up, bytes down;
 *				connections; wire bytes up and down
 *	count [verb=] [target=]	the same of those that match, one line
 *	requests [verb=] [target=]	each: verb target status up down
 *	forget			counts start at 0
 *
 * Called by proxy.c through place_serve().
 */
#include "config.h"

#include "tests/servers/proxy.h"

#include <errno.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "tests/servers/place.h"

struct sum {
	const char *verb;
	uint64_t requests;
	uint64_t up;
	uint64_t down;
};

static void sum_add(struct sum *sum, const struct record *record)
{
	sum->requests++;
	sum->up += record->up;
	sum->down += record->down;
}

static void sum_show(const struct sum *sum, struct buf *out)
{
	buf_addf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", sum->requests,
		 sum->up, sum->down);
}

static bool say(struct buf *out, const char *text)
{
	buf_addf(out, "%s\n", text);
	return false;
}

/* ---- asking ---- */

static void show_counts(const struct records *records, struct buf *out)
{
	struct sum sums[32] = { { .requests = 0 } };
	size_t count = 0;

	for (size_t i = 0; i < records->count; i++) {
		const struct record *record = &records->all[i];
		size_t which = 0;

		while (which < count &&
		       strcmp(sums[which].verb, record->verb) != 0)
			which++;
		if (which == 32)
			continue;
		sums[which].verb = record->verb;
		count = which < count ? count : which + 1;
		sum_add(&sums[which], record);
	}
	for (size_t i = 0; i < count; i++) {
		buf_addf(out, "%s ", sums[i].verb);
		sum_show(&sums[i], out);
	}
	buf_addf(out, "connections %" PRIu64 "\nwire %" PRIu64 " %" PRIu64 "\n",
		 records->connections, records->wire[UP], records->wire[DOWN]);
}

struct filter {
	const char *verb;
	const char *target;
};

static bool filter_read(struct filter *filter, char **words, struct buf *out)
{
	*filter = (struct filter){ "*", "*" };
	for (; *words; words++) {
		const char *verb = place_value(*words, "verb");
		const char *target = place_value(*words, "target");

		if (!verb && !target)
			return say(out, "verb=PATTERN and target=PATTERN");
		if (verb)
			filter->verb = verb;
		else
			filter->target = target;
	}
	return true;
}

static bool show_some(const struct records *records, char **words, bool each,
		      struct buf *out)
{
	struct sum sum = { .requests = 0 };
	struct filter filter;

	if (!filter_read(&filter, words, out))
		return false;
	for (size_t i = 0; i < records->count; i++) {
		const struct record *record = &records->all[i];

		if (fnmatch(filter.verb, record->verb, 0) ||
		    fnmatch(filter.target, record->target, 0))
			continue;
		sum_add(&sum, record);
		if (each)
			buf_addf(out, "%s %s %d %" PRIu64 " %" PRIu64 "\n",
				 record->verb, record->target, record->status,
				 record->up, record->down);
	}
	if (!each)
		sum_show(&sum, out);
	return true;
}

/* ---- telling ---- */

static bool set_number(const char *word, int64_t unit, int64_t *value,
		       struct buf *out)
{
	char *end = NULL;
	double number = word ? strtod(word, &end) : -1;

	if (!word || end == word || *end || number < 0 || number > 1e12)
		return say(out, "a number is missing");
	*value = (int64_t)(number * (double)unit);
	return true;
}

static void drop_all(struct proxy *proxy)
{
	for (struct pair *pair = proxy->pairs; pair; pair = pair->next)
		pair_kill(pair, true);
}

static void lose_all(struct proxy *proxy)
{
	for (struct pair *pair = proxy->pairs; pair; pair = pair->next)
		for (int i = UP; i <= DOWN; i++)
			pair->flows[i].swallows = true;
}

static bool run_simple(struct proxy *proxy, const char *name, struct buf *out)
{
	if (strcmp(name, "clear") == 0)
		proxy->faults.count = 0;
	else if (strcmp(name, "faults") == 0)
		faults_show(&proxy->faults, out);
	else if (strcmp(name, "dark") == 0)
		proxy->dark = true;
	else if (strcmp(name, "light") == 0)
		proxy->dark = false;
	else if (strcmp(name, "drop") == 0)
		drop_all(proxy);
	else if (strcmp(name, "lose") == 0)
		lose_all(proxy);
	else if (strcmp(name, "counts") == 0)
		show_counts(&proxy->records, out);
	else if (strcmp(name, "forget") == 0)
		records_forget(&proxy->records);
	else
		return false;
	return true;
}

bool proxy_command(void *arg, char **words, struct buf *out)
{
	struct proxy *proxy = arg;
	const char *name = *words ? *words : "";
	int64_t rate;

	if (run_simple(proxy, name, out))
		return true;
	if (strcmp(name, "fault") == 0)
		return faults_add(&proxy->faults, words + 1, out);
	if (strcmp(name, "count") == 0)
		return show_some(&proxy->records, words + 1, false, out);
	if (strcmp(name, "requests") == 0)
		return show_some(&proxy->records, words + 1, true, out);
	if (strcmp(name, "delay") == 0)
		return set_number(words[1], NS_PER_MS, &proxy->delay_ns, out);
	if (strcmp(name, "rate") == 0 && set_number(words[1], 1, &rate, out)) {
		proxy->rate = (uint64_t)rate;
		return true;
	}
	return strcmp(name, "rate") != 0 && say(out, "no such command");
}
