// SPDX-License-Identifier: MIT
/* The trace of requests; see wire.h.  Called by backends.  No locks. */
#include "config.h"

#include "src/wire.h"

#include <stdio.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/text.h"
#include <storefs/error.h>

/* `length` bytes of `from`, as much as can be shown of them. */
static void show_part(struct text_shown *shown, const char *from, size_t length)
{
	char part[TEXT_SHOWN_MAX + 1];

	/* One more than fits, so that the cut is seen. */
	if (length > TEXT_SHOWN_MAX)
		length = TEXT_SHOWN_MAX;
	memcpy(part, from, length);
	part[length] = '\0';
	text_show(shown, part);
}

static void show_place(struct text_shown *host, struct text_shown *path,
		       const char *url)
{
	size_t scheme = strcspn(url, ":/?#");
	const char *start =
		strncmp(url + scheme, "://", 3) ? url : url + scheme + 3;
	const char *slash = start + strcspn(start, "/?#");
	const char *end = slash + strcspn(slash, "?#");
	const char *name = start;

	/* A password may hold "@": the last one before the path ends it. */
	for (const char *at = start; at < slash; at++)
		if (*at == '@')
			name = at + 1;
	show_part(host, name, (size_t)(slash - name));
	show_part(path, slash, (size_t)(end - slash));
}

static double ms(int64_t ns)
{
	return (double)ns / NS_PER_MS;
}

const char *wire_show(struct wire_shown *shown,
		      const struct wire_request *request)
{
	struct text_shown host;
	struct text_shown path;

	show_place(&host, &path, request->url);
	snprintf(shown->text, sizeof(shown->text),
		 "request %016llx %s %s%s try %d %s status %d sent %llu "
		 "got %llu %s connection, ms: name %.1f connect %.1f tls %.1f "
		 "first byte %.1f total %.1f",
		 (unsigned long long)request->trace_id, request->method,
		 host.text, path.text, request->attempt,
		 store_code_name(request->code), request->status,
		 (unsigned long long)request->bytes_out,
		 (unsigned long long)request->bytes_in,
		 request->new_connection ? "new" : "kept", ms(request->name_ns),
		 ms(request->connect_ns), ms(request->tls_ns),
		 ms(request->first_byte_ns), ms(request->total_ns));
	return shown->text;
}

/* ---- counts ---- */

static const char *const verb_names[WIRE_VERBS] = {
	[WIRE_GET] = "GET",   [WIRE_HEAD] = "HEAD",	[WIRE_PUT] = "PUT",
	[WIRE_POST] = "POST", [WIRE_DELETE] = "DELETE", [WIRE_OTHER] = "other",
};

const char *wire_verb_name(enum wire_verb verb)
{
	return verb_names[verb];
}

const char *wire_count_name(enum wire_count count)
{
	static const char *const names[WIRE_COUNTS] = {
		[WIRE_REQUESTS] = "requests",
		[WIRE_AGAIN] = "again",
		[WIRE_FAILED] = "failed",
		[WIRE_SENT] = "sent",
		[WIRE_RECEIVED] = "received",
		[WIRE_CONNECTIONS] = "connections",
	};

	return names[count];
}

static enum wire_verb verb_of(const char *method)
{
	enum wire_verb verb = WIRE_GET;

	while (verb < WIRE_OTHER && strcmp(method, verb_names[verb]) != 0)
		verb++;
	return verb;
}

static void count(struct wire_counters *counters,
		  const struct wire_request *request)
{
	_Atomic uint64_t *values = counters->values[verb_of(request->method)];
	int status = request->status;
	const uint64_t more[WIRE_COUNTS] = {
		[WIRE_REQUESTS] = 1,
		[WIRE_AGAIN] = request->attempt > 1,
		[WIRE_FAILED] = !status || status == 429 || status >= 500,
		[WIRE_SENT] = request->bytes_out,
		[WIRE_RECEIVED] = request->bytes_in,
		[WIRE_CONNECTIONS] = request->new_connection,
	};

	for (int i = 0; i < WIRE_COUNTS; i++)
		atomic_fetch_add_explicit(&values[i], more[i],
					  memory_order_relaxed);
}

void wire_tell(struct wire_counters *counters,
	       const struct wire_request *request)
{
	struct wire_shown shown;

	count(counters, request);
	if (log_get_level() >= LOG_LEVEL_DEBUG)
		log_debug("%s", wire_show(&shown, request));
}
