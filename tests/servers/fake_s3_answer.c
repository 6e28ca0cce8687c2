// SPDX-License-Identifier: MIT
/* Answers, and what a rule makes of them.  Called by every operation. */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/servers/fake_s3_inside.h"

void fake_date(time_t when, char text[40])
{
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(text, 40, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

void fake_stamp(time_t when, char text[40])
{
	struct tm tm;

	gmtime_r(&when, &tm);
	strftime(text, 40, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
}

void fake_add_header(struct fake_request *request, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vaddf(&request->out, format, args);
	va_end(args);
	buf_add_text(&request->out, "\r\n");
}

/* What the head says of the length. */
static size_t told_length(struct fake_request *request, size_t length)
{
	size_t at = (size_t)request->rule.at;

	if (fake_hit(request, FAKE_LONGER)) {
		request->keeps = false;
		return length + at;
	}
	if (fake_hit(request, FAKE_SHORTER)) {
		request->keeps = false;
		return length > at ? length - at : 0;
	}
	return length;
}

void fake_answer(struct fake_request *request, int status, const void *body,
		 size_t length)
{
	struct buf *reply = &request->reply;
	char date[40];

	/* Nothing, another version, no such range: may be asked for. */
	request->fake->refused += status >= 400 && status < 500 &&
				  status != 404 && status != 412 &&
				  status != 416;
	buf_clear(reply);
	if (fake_hit(request, FAKE_LOSE)) {
		request->keeps = false;
		return;
	}
	fake_date(fake_now(request->fake), date);
	buf_addf(reply,
		 "HTTP/1.1 %d S3\r\nDate: %s\r\nServer: fake\r\n"
		 "x-amz-request-id: %016llX\r\n%s",
		 status, date, (unsigned long long)request->fake->serial,
		 buf_text(&request->out));
	if (status != 204 && status != 304)
		buf_addf(reply, "Content-Length: %zu\r\n",
			 told_length(request, length));
	if (!request->keeps)
		buf_add_text(reply, "Connection: close\r\n");
	buf_add_text(reply, "\r\n");
	if (strcmp(request->method, "HEAD") != 0)
		buf_add(reply, body, length);
}

void fake_answer_xml(struct fake_request *request, const struct buf *body)
{
	CLEANUP_BUF struct buf text = BUF_INIT(64 << 20);

	buf_addf(&text, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n%s",
		 buf_text(body));
	fake_add_header(request, "Content-Type: application/xml");
	if (fake_hit(request, FAKE_BROKEN_XML))
		text.length -= text.length / 3;
	fake_answer(request, 200, buf_text(&text), text.length);
}

void fake_fail(struct fake_request *request, int status, const char *code,
	       const char *message)
{
	CLEANUP_BUF struct buf text = BUF_INIT(65536);

	buf_addf(&text,
		 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		 "<Error><Code>%s</Code><Message>%s</Message>",
		 code, message);
	if (strcmp(code, "AuthorizationHeaderMalformed") == 0 ||
	    strcmp(code, "PermanentRedirect") == 0)
		buf_addf(&text, "<Region>%s</Region>", request->fake->region);
	buf_addf(&text, "<RequestId>%016llX</RequestId></Error>",
		 (unsigned long long)request->fake->serial);
	fake_add_header(request, "Content-Type: application/xml");
	/* What was not read of the body would be taken for a request. */
	if (!request->body)
		request->keeps = false;
	fake_answer(request, status, buf_text(&text), text.length);
}
