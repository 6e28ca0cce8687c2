// SPDX-License-Identifier: MIT
/*
 * What the answers of an S3 server mean: the one translation of errors.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
 * Called by call.c for every answer.  No locks.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <stdio.h>
#include <string.h>

#include "src/base/text.h"
#include "src/base/xml.h"

static const struct {
	const char *name;
	int code;
} codes[] = {
	{ "NoSuchKey", STORE_NOT_FOUND },
	{ "NoSuchBucket", STORE_NOT_FOUND },
	{ "NoSuchUpload", STORE_NOT_FOUND },
	{ "NoSuchVersion", STORE_NOT_FOUND },
	{ "NotFound", STORE_NOT_FOUND },
	{ "AccessDenied", STORE_DENIED },
	{ "AllAccessDisabled", STORE_DENIED },
	{ "InvalidAccessKeyId", STORE_DENIED },
	{ "SignatureDoesNotMatch", STORE_DENIED },
	{ "ExpiredToken", STORE_DENIED },
	{ "InvalidToken", STORE_DENIED },
	{ "RequestTimeTooSkewed", STORE_DENIED },
	{ "InvalidObjectState", STORE_DENIED }, /* archived */
	{ "QuotaExceeded", STORE_NO_SPACE },
	{ "XMinioStorageFull", STORE_NO_SPACE },
	{ "InsufficientCapacity", STORE_NO_SPACE },
	{ "PreconditionFailed", STORE_CHANGED },
	{ "ConditionalRequestConflict", STORE_UNAVAILABLE },
	{ "OperationAborted", STORE_UNAVAILABLE },
	{ "SlowDown", STORE_THROTTLED },
	{ "TooManyRequests", STORE_THROTTLED },
	{ "RequestLimitExceeded", STORE_THROTTLED },
	{ "Throttling", STORE_THROTTLED },
	{ "ServiceUnavailable", STORE_UNAVAILABLE },
	{ "Busy", STORE_UNAVAILABLE },
	{ "InternalError", STORE_UNAVAILABLE },
	{ "RequestTimeout", STORE_UNAVAILABLE },
	{ "EntityTooLarge", STORE_TOO_LARGE },
	{ "KeyTooLongError", STORE_INVALID },
	{ "InvalidObjectName", STORE_INVALID },
	{ "InvalidURI", STORE_INVALID },
	{ "MetadataTooLarge", STORE_INVALID },
	{ "NotImplemented", STORE_NOT_SUPPORTED },
	{ "MethodNotAllowed", STORE_NOT_SUPPORTED },
	{ "BadDigest", STORE_CORRUPT },
	{ "InvalidDigest", STORE_CORRUPT },
	{ "XAmzContentSHA256Mismatch", STORE_CORRUPT },
	{ "XAmzContentChecksumMismatch", STORE_CORRUPT },
	{ "IncompleteBody", STORE_UNAVAILABLE },
	{ "EntityTooSmall", STORE_INTERNAL },
	{ "InvalidPart", STORE_INTERNAL },
	{ "InvalidPartOrder", STORE_INTERNAL },
};

static void keep(char *to, size_t room, const char *text)
{
	snprintf(to, room, "%s", text);
}

void s3_failure_member(struct s3_failure *failure, const char *member,
		       const char *text)
{
	if (strcmp(member, "Code") == 0)
		keep(failure->code, sizeof(failure->code), text);
	else if (strcmp(member, "Message") == 0)
		keep(failure->message, sizeof(failure->message), text);
	else if (strcmp(member, "Region") == 0)
		keep(failure->region, sizeof(failure->region), text);
}

static int on_element(void *arg, const char *path, const char *text,
		      struct store_error *error)
{
	struct s3_failure *failure = arg;
	const char *inside = strstr(path, "Error/");

	(void)error;
	/* "Error/..." or, of other services, "ErrorResponse/Error/..." */
	if (!inside || (inside != path && inside[-1] != '/'))
		return STORE_OK;
	s3_failure_member(failure, inside + strlen("Error/"), text);
	return STORE_OK;
}

/* The outermost element: past the declaration and blanks. */
static bool is_error_document(const struct buf *body)
{
	const char *text = buf_text(body);

	text += strspn(text, " \t\r\n");
	if (strncmp(text, "<?xml", 5) == 0) {
		text = strstr(text, "?>");
		if (!text)
			return false;
		text += 2;
		text += strspn(text, " \t\r\n");
	}
	return strncmp(text, "<Error", 6) == 0;
}

bool s3_failure_read(const struct s3_call *call, struct s3_failure *failure)
{
	const struct http_response *answer = &call->exchange.response;
	const char *region = http_header(answer, "x-amz-bucket-region");
	bool failed = answer->status < 200 || answer->status >= 300;

	*failure = (struct s3_failure){ .code = "" };
	/* A long call may begin with 200 and fail afterwards. */
	if (!failed &&
	    (!answer->body.length || !is_error_document(&answer->body)))
		return false;
	if (answer->body.length &&
	    xml_parse(answer->body.data, answer->body.length, on_element,
		      failure, NULL))
		failure->code[0] = '\0';
	if (region)
		keep(failure->region, sizeof(failure->region), region);
	return true;
}

static int code_of(int status, const struct s3_failure *failure)
{
	int code;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(codes[i].name, failure->code) == 0)
			return codes[i].code;
	code = http_status_code(status);
	/* A redirect that could not be followed, a failure with 200. */
	return code ? code : STORE_UNAVAILABLE;
}

int s3_failure_code(const struct s3_call *call,
		    const struct s3_failure *failure, struct store_error *error)
{
	const struct http_response *answer = &call->exchange.response;
	struct text_shown message;
	int code = code_of(answer->status, failure);

	if (failure->code[0])
		store_error_set(error, code, "%s%s%s", failure->code,
				failure->message[0] ? ": " : "",
				text_show(&message, failure->message));
	else
		store_error_set(error, code, "%s %s gives %d", call->method,
				call->object ? "of an object" : "of the bucket",
				answer->status);
	if (error) {
		error->detail = answer->status;
		error->retry_after_ms = answer->retry_after_ms;
	}
	return code;
}

int s3_failure_named(const struct s3_failure *failure,
		     struct store_error *error)
{
	struct text_shown message;

	return store_error_set(error, code_of(0, failure), "%s%s%s",
			       failure->code, failure->message[0] ? ": " : "",
			       text_show(&message, failure->message));
}
