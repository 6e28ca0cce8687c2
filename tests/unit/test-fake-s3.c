// SPDX-License-Identifier: MIT
/*
 * The S3 server of the tests refuses what S3 refuses, with its codes: raw
 * requests, each wrong in one thing.
 */
#include "config.h"

#include <stdio.h>

#include "backends/http/http.h"
#include "backends/s3/sign.h"
#include "src/base/clock.h"
#include "tests/servers/fake_s3.h"
#include "tests/unit/unit.h"

static struct fake_s3 *fake;
static struct http_engine *engine;

/* What of a request is not as it should be; zeros are fine. */
struct wrong {
	const char *access;
	const char *secret;
	const char *region;
	const char *payload;
	const char *unsigned_header;
	const char *headers[4];
	int64_t late; /* seconds */
	bool anonymous;
};

static void setup(void)
{
	const struct http_settings settings = { .proxy = "" };
	struct buf out = BUF_INIT(4096);
	char words[] = "simulate\0bucket\0"
		       "0";
	char *all[] = { words, words + 9, words + 16, NULL };

	fake = fake_s3_new();
	ck_assert_ptr_nonnull(fake);
	ck_assert(fake_s3_start(fake));
	ck_assert(fake_s3_command(fake, all, &out));
	buf_release(&out);
	ck_assert_int_eq(http_engine_new(&settings, &engine, NULL), 0);
}

static void teardown(void)
{
	http_engine_free(engine);
	fake_s3_free(fake);
}

static int read_text(void *arg, uint64_t offset, void *data, size_t length,
		     struct store_error *error)
{
	(void)error;
	memcpy(data, (const char *)arg + offset, length);
	return STORE_OK;
}

struct sent {
	const char *lines[16];
	size_t count;
	char host[64];
	char date[64];
	char payload[128];
	struct buf authorization;
};

static void add_lines(struct sent *sent, const struct wrong *wrong,
		      const char *method, const char *path, const char *query)
{
	struct s3_signing signing = {
		.method = method,
		.path = path,
		.query = query,
		.payload = wrong->payload ? wrong->payload : S3_UNSIGNED,
		.access = wrong->access ? wrong->access : FAKE_S3_ACCESS,
		.secret = wrong->secret ? wrong->secret : FAKE_S3_SECRET,
		.region = wrong->region ? wrong->region : "us-east-1",
		.service = "s3",
		.time = clock_now().tv_sec + wrong->late,
	};
	char date[17];

	s3_sign_date(signing.time, date);
	snprintf(sent->host, sizeof(sent->host), "host: 127.0.0.1:%d",
		 fake_s3_port(fake));
	snprintf(sent->date, sizeof(sent->date), "x-amz-date: %s", date);
	snprintf(sent->payload, sizeof(sent->payload),
		 "x-amz-content-sha256: %s", signing.payload);
	sent->lines[sent->count++] = sent->host;
	sent->lines[sent->count++] = sent->date;
	sent->lines[sent->count++] = sent->payload;
	for (size_t i = 0; i < 4 && wrong->headers[i]; i++)
		sent->lines[sent->count++] = wrong->headers[i];
	signing.headers = sent->lines;
	signing.header_count = sent->count;
	buf_init(&sent->authorization, 4096);
	buf_add_text(&sent->authorization, "authorization: ");
	ck_assert_int_eq(s3_sign(&signing, &sent->authorization, NULL), 0);
	if (!wrong->anonymous)
		sent->lines[sent->count++] = buf_text(&sent->authorization);
	if (wrong->unsigned_header)
		sent->lines[sent->count++] = wrong->unsigned_header;
}

/* The status; the answer in `text`. */
static int ask(const struct wrong *wrong, const char *method, const char *path,
	       const char *body, char text[2048])
{
	static const struct wrong nothing = { .access = NULL };
	struct http_body sent_body = { .read = read_text };
	struct sent sent = { .count = 0 };
	struct http_exchange exchange = { .code = 0 };
	struct http_exchange *all[] = { &exchange };
	const char *query = strchr(path, '?');
	struct store_context context;
	char plain[256];
	char url[512];
	int status;

	snprintf(plain, sizeof(plain), "%.*s", (int)strcspn(path, "?"), path);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", fake_s3_port(fake),
		 path);
	add_lines(&sent, wrong ? wrong : &nothing, method, plain,
		  query ? query + 1 : "");
	exchange.request = (struct http_request){ .method = method,
						  .url = url,
						  .headers = sent.lines };
	if (body) {
		sent_body.size = strlen(body);
		sent_body.arg = (void *)(uintptr_t)body;
		exchange.request.body = &sent_body;
	}
	store_context_init(&context, 20 * NS_PER_SEC, NULL);
	ck_assert_int_eq(http_perform(engine, &context, all, 1), STORE_OK);
	status = exchange.response.status;
	snprintf(text, 2048, "%s", buf_text(&exchange.response.body));
	http_exchange_release(&exchange);
	buf_release(&sent.authorization);
	return status;
}

static void refused(const struct wrong *wrong, const char *method,
		    const char *path, const char *body, const char *code)
{
	char wanted[128];
	char text[2048];
	int status = ask(wrong, method, path, body, text);

	snprintf(wanted, sizeof(wanted), "<Code>%s</Code>", code);
	ck_assert_msg(status >= 400 && strstr(text, wanted), "%d %s, not %s",
		      status, text, code);
}

static void fine(const struct wrong *wrong, const char *method,
		 const char *path, const char *body)
{
	char text[2048];
	int status = ask(wrong, method, path, body, text);

	ck_assert_msg(status >= 200 && status < 300, "%d %s", status, text);
}

/* ---- signatures ---- */

START_TEST(only_what_is_signed_rightly_is_done)
{
	static const struct {
		struct wrong wrong;
		const char *code;
	} all[] = {
		{ { .anonymous = true }, "AccessDenied" },
		{ { .access = "nobody" }, "InvalidAccessKeyId" },
		{ { .secret = "wrong" }, "SignatureDoesNotMatch" },
		{ { .region = "eu-west-1" }, "AuthorizationHeaderMalformed" },
		{ { .late = 1000 }, "RequestTimeTooSkewed" },
		{ { .late = -1000 }, "RequestTimeTooSkewed" },
		{ { .unsigned_header = "x-amz-acl: private" }, "AccessDenied" },
		{ { .headers = { "x-amz-security-token: t" } },
		  "InvalidToken" },
	};

	fine(NULL, "PUT", "/bucket/k", "hello");
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		refused(&all[i].wrong, "PUT", "/bucket/k", "hello",
			all[i].code);
}
END_TEST

/* ---- bodies ---- */

START_TEST(bodies_are_what_their_sums_say)
{
	static const struct {
		struct wrong wrong;
		const char *code;
	} all[] = {
		{ { .payload = S3_EMPTY_SHA256 }, "XAmzContentSHA256Mismatch" },
		{ { .headers = { "content-md5: 1B2M2Y8AsgTpgAmY7PhCfg==" } },
		  "BadDigest" },
		{ { .headers = { "content-md5: x" } }, "InvalidDigest" },
		{ { .headers = { "x-amz-checksum-crc32c: AAAAAA==" } },
		  "BadDigest" },
		{ { .headers = { "x-amz-checksum-crc32c: AAAA" } },
		  "InvalidRequest" },
		{ { .headers = { "x-amz-checksum-crc32c: mnG7TA==",
				 "x-amz-checksum-sha256: "
				 "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" } },
		  "InvalidRequest" },
		{ { .payload = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" },
		  "NotImplemented" },
	};
	/* Of "hello". */
	static const struct wrong right[] = {
		{ .headers = { "content-md5: XUFAKrxLKna5cZ2REBfFkg==" } },
		{ .headers = { "x-amz-checksum-crc32c: mnG7TA==" } },
		{ .headers = { "x-amz-checksum-sha256: "
			       "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=" } },
		{ .payload = "2cf24dba5fb0a30e26e83b2ac5b9e29e"
			     "1b161e5c1fa7425e73043362938b9824" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		refused(&all[i].wrong, "PUT", "/bucket/k", "hello",
			all[i].code);
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		fine(&right[i], "PUT", "/bucket/k", "hello");
}
END_TEST

/* ---- conditions ---- */

START_TEST(conditions_are_honoured)
{
	static const struct wrong none = { .headers = { "if-none-match: *" } };
	static const struct wrong right = {
		.headers = { "if-match: \"5d41402abc4b2a76b9719d911017c592\"" }
	};
	static const struct wrong other = { .headers = { "if-match: \"0\"" } };

	refused(&right, "PUT", "/bucket/k", "hello", "NoSuchKey");
	fine(&none, "PUT", "/bucket/k", "hello");
	refused(&none, "PUT", "/bucket/k", "hello", "PreconditionFailed");
	refused(&other, "PUT", "/bucket/k", "hello", "PreconditionFailed");
	fine(&right, "PUT", "/bucket/k", "hello");
	refused(&other, "GET", "/bucket/k", NULL, "PreconditionFailed");
	refused(&other, "DELETE", "/bucket/k", NULL, "PreconditionFailed");
	fine(&right, "DELETE", "/bucket/k", NULL);
	refused(NULL, "GET", "/bucket/k", NULL, "NoSuchKey");
}
END_TEST

/* ---- parts ---- */

#define PART(n, etag)                                               \
	"<Part><PartNumber>" n "</PartNumber><ETag>" etag "</ETag>" \
	"</Part>"
#define ALL(parts) \
	"<CompleteMultipartUpload>" parts "</CompleteMultipartUpload>"
#define HELLO "5d41402abc4b2a76b9719d911017c592"

START_TEST(parts_are_checked_when_they_are_joined)
{
	static const struct wrong none = { .headers = { "if-none-match: *" } };
	static const struct wrong crc = {
		.headers = { "x-amz-checksum-crc32c: mnG7TA==" }
	};
	char text[2048];
	char path[128];
	char part[160];
	char *id;

	ck_assert_int_eq(ask(NULL, "POST", "/bucket/k?uploads=", "", text),
			 200);
	id = strstr(text, "<UploadId>") + strlen("<UploadId>");
	snprintf(path, sizeof(path), "/bucket/k?uploadId=%.*s",
		 (int)strcspn(id, "<"), id);
	for (int i = 1; i < 3; i++) {
		snprintf(part, sizeof(part), "/bucket/k?partNumber=%d&%s", i,
			 strchr(path, '?') + 1);
		/* Nobody had spoken of that sum. */
		refused(&crc, "PUT", part, "hello", "InvalidRequest");
		fine(NULL, "PUT", part, "hello");
	}
	refused(NULL, "POST", path, "", "MalformedXML");
	refused(NULL, "POST", path, ALL(PART("3", HELLO)), "InvalidPart");
	refused(NULL, "POST", path, ALL(PART("1", "0")), "InvalidPart");
	refused(NULL, "POST", path, ALL(PART("2", HELLO) PART("1", HELLO)),
		"InvalidPartOrder");
	refused(NULL, "POST", path, ALL(PART("1", HELLO) PART("2", HELLO)),
		"EntityTooSmall");
	fine(NULL, "PUT", "/bucket/k", "other");
	refused(&none, "POST", path, ALL(PART("1", HELLO)),
		"PreconditionFailed");
	fine(NULL, "POST", path, ALL(PART("1", HELLO)));
	refused(NULL, "POST", path, ALL(PART("1", HELLO)), "NoSuchUpload");
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
	static const struct wrong copy = {
		.headers = { "x-amz-copy-source: bucket/k" }
	};

	fine(NULL, "PUT", "/bucket/k", "hello");
	refused(&copy, "PUT", "/bucket/k", NULL, "InvalidRequest");
	refused(NULL, "GET", "/none/k", NULL, "NoSuchBucket");
	refused(NULL, "GET", "/bucket?continuation-token=x&list-type=2", NULL,
		"InvalidArgument");
	refused(NULL, "GET", "/bucket?prefix=a", NULL, "NotImplemented");
	refused(NULL, "POST", "/bucket?delete=", "<Delete/>", "InvalidRequest");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("fake-s3");

	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, only_what_is_signed_rightly_is_done);
	tcase_add_test(tests, bodies_are_what_their_sums_say);
	tcase_add_test(tests, conditions_are_honoured);
	tcase_add_test(tests, parts_are_checked_when_they_are_joined);
	tcase_add_test(tests, what_makes_no_sense_is_refused);
	return unit_run("fake-s3", tests);
}
