// SPDX-License-Identifier: MIT
/*
 * Faults: which requests they hit.  Words: a kind, then name=value:
 *	verb= target=	patterns, default '*'; of the target the path and query
 *	skip=N count=N	leave out the first N, hit N (1; 0: all)
 *	every=N		hit each Nth
 *	at=N		where in the body; without it before the head
 *	ms=N		how long a stall lasts; without it for ever
 *	status=N retry=N	of an answer (503, none)
 *
 * Called by proxy_control.c and proxy_http.c.
 */
#include "config.h"

#include "tests/servers/proxy.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "src/base/clock.h"
#include "tests/servers/place.h"

static const char *const names[FAULT_KINDS] = {
	[FAULT_NONE] = "none",
	[FAULT_REFUSE] = "refuse",
	[FAULT_HOLE] = "hole",
	[FAULT_ANSWER] = "answer",
	[FAULT_RESET_REQUEST] = "reset-request",
	[FAULT_STALL_REQUEST] = "stall-request",
	[FAULT_FLIP_REQUEST] = "flip-request",
	[FAULT_RESET_ANSWER] = "reset-answer",
	[FAULT_CUT_ANSWER] = "cut-answer",
	[FAULT_STALL_ANSWER] = "stall-answer",
	[FAULT_FLIP_ANSWER] = "flip-answer",
};

bool fault_is_of_answer(const struct fault *fault)
{
	return fault->kind >= FAULT_RESET_ANSWER;
}

/* ---- words ---- */

static bool number(const char *text, int64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoll(text, &end, 10);
	return end != text && !*end && !errno && *value >= 0;
}

static bool take_text(struct fault *fault, const char *word)
{
	const char *value = place_value(word, "verb");
	int length;

	if (value) {
		length =
			snprintf(fault->verb, sizeof(fault->verb), "%s", value);
		return length < (int)sizeof(fault->verb);
	}
	value = place_value(word, "target");
	if (!value)
		return false;
	length = snprintf(fault->target, sizeof(fault->target), "%s", value);
	return length < (int)sizeof(fault->target);
}

static bool take_number(struct fault *fault, const char *word)
{
	static const char *const all[] = { "skip", "count",  "every", "at",
					   "ms",   "status", "retry" };
	size_t which = 0;
	int64_t value;

	while (which < 7 && !place_value(word, all[which]))
		which++;
	if (which == 7 || !number(place_value(word, all[which]), &value))
		return false;
	switch (which) {
	case 0:
		fault->skip = (uint64_t)value;
		return true;
	case 1:
		fault->count = value ? (uint64_t)value : UINT64_MAX;
		return true;
	case 2:
		fault->every = (uint64_t)value;
		return value > 0;
	case 3:
		fault->at = value;
		return true;
	case 4:
		fault->wait_ns = value * NS_PER_MS;
		return true;
	case 5:
		fault->status = (int)value;
		return value >= 200 && value <= 599;
	default:
		fault->retry_after = (int)value;
		return true;
	}
}

bool faults_add(struct faults *faults, char **words, struct buf *why)
{
	struct fault fault = {
		.verb = "*",
		.target = "*",
		.count = 1,
		.every = 1,
		.at = -1,
		.status = 503,
	};

	if (faults->count == FAULTS_MAX) {
		buf_add_text(why, "there are too many faults\n");
		return false;
	}
	for (int kind = 1; *words && kind < FAULT_KINDS; kind++)
		if (strcmp(*words, names[kind]) == 0)
			fault.kind = (enum fault_kind)kind;
	if (!fault.kind) {
		buf_addf(why, "no such fault: %s\n", *words ? *words : "");
		return false;
	}
	while (*++words) {
		if (take_text(&fault, *words) || take_number(&fault, *words))
			continue;
		buf_addf(why, "no such word of a fault: %s\n", *words);
		return false;
	}
	faults->all[faults->count++] = fault;
	return true;
}

void faults_show(const struct faults *faults, struct buf *out)
{
	for (size_t i = 0; i < faults->count; i++) {
		const struct fault *fault = &faults->all[i];

		buf_addf(out, "%s verb=%s target=%s seen=%llu hits=%llu\n",
			 names[fault->kind], fault->verb, fault->target,
			 (unsigned long long)fault->seen,
			 (unsigned long long)fault->hits);
	}
}

/* ---- requests ---- */

static bool hits(struct fault *fault, const char *verb, const char *target)
{
	uint64_t after;

	if (fnmatch(fault->verb, verb, 0) || fnmatch(fault->target, target, 0))
		return false;
	fault->seen++;
	if (fault->seen <= fault->skip || fault->hits >= fault->count)
		return false;
	after = fault->seen - fault->skip;
	if (after % fault->every)
		return false;
	fault->hits++;
	return true;
}

struct fault faults_match(struct faults *faults, const char *verb,
			  const char *target)
{
	struct fault found = { .kind = FAULT_NONE };

	for (size_t i = 0; i < faults->count; i++) {
		struct fault *fault = &faults->all[i];

		/* Refusing is a matter of connections. */
		if ((fault->kind == FAULT_REFUSE) != !*verb)
			continue;
		if (hits(fault, *verb ? verb : "", target) && !found.kind)
			found = *fault;
	}
	return found;
}
