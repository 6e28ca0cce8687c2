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

void wire_tell(const struct wire_request *request)
{
	struct wire_shown shown;

	if (log_get_level() >= LOG_LEVEL_DEBUG)
		log_debug("%s", wire_show(&shown, request));
}
