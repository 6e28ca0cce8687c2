// SPDX-License-Identifier: MIT
/*
 * One exchange on one handle: its options, the bytes both ways, and what the
 * result means.  Called by perform.c, in the thread of the caller.
 */
#include "config.h"

#include "backends/http/engine.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/wire.h"

/* Bodies from here on wait for the server to say that it wants them. */
enum { EXPECT_MIN = 1 << 20 };

static void moved(struct http_transfer *transfer, size_t bytes)
{
	transfer->moved_ns = clock_monotonic_ns();
	transfer->window += bytes;
	store_context_progress(transfer->context);
}

/* ---- callbacks of libcurl ---- */

static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

static size_t on_header(char *line, size_t one, size_t length, void *arg)
{
	struct http_transfer *transfer = arg;
	struct http_response *response = &transfer->exchange->response;

	(void)one;
	moved(transfer, 0);
	/* A further status line: what came before was only an interim one. */
	if (length >= 5 && memcmp(line, "HTTP/", 5) == 0)
		buf_clear(&response->headers);
	else
		http_response_line(response, line, length);
	return buf_error(&response->headers, "the headers of the answer",
			 &transfer->exchange->error)
		       ? 0
		       : length;
}

static int body_add(struct http_transfer *transfer, const char *data,
		    size_t length)
{
	struct http_exchange *exchange = transfer->exchange;
	struct http_response *response = &exchange->response;
	const struct http_request *request = &exchange->request;
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (!request->data || !is_success((int)status)) {
		buf_add(&response->body, data, length);
		return buf_error(&response->body, "the body of the answer",
				 &exchange->error);
	}
	if (length > request->room - response->got)
		return store_error_set(&exchange->error, STORE_CORRUPT,
				       "more than the %zu bytes asked for",
				       request->room);
	memcpy((char *)request->data + response->got, data, length);
	response->got += length;
	return STORE_OK;
}

static size_t on_data(char *data, size_t one, size_t length, void *arg)
{
	struct http_transfer *transfer = arg;

	(void)one;
	moved(transfer, length);
	transfer->received += length;
	return body_add(transfer, data, length) ? 0 : length;
}

static size_t on_read(char *data, size_t one, size_t room, void *arg)
{
	struct http_transfer *transfer = arg;
	const struct http_body *body = transfer->exchange->request.body;
	uint64_t left = body->size - transfer->sent;
	size_t length = one * room;

	if (length > left)
		length = (size_t)left;
	if (!length)
		return 0;
	if (body->read(body->arg, transfer->sent, data, length,
		       &transfer->exchange->error))
		return CURL_READFUNC_ABORT;
	transfer->sent += length;
	moved(transfer, length);
	return length;
}

static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct http_transfer *transfer = arg;

	if (origin != SEEK_SET || offset < 0 ||
	    (uint64_t)offset > transfer->exchange->request.body->size)
		return CURL_SEEKFUNC_CANTSEEK;
	transfer->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/*
 * libcurl sends a request again by itself when a connection it had kept is
 * closed before a byte of the answer came.
 */
static int on_request(void *arg, char *to, char *from, int to_port,
		      int from_port)
{
	struct http_transfer *transfer = arg;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	if (!transfer->sends++ || !transfer->exchange->request.once)
		return CURL_PREREQFUNC_OK;
	(void)store_error_set(&transfer->exchange->error, STORE_UNAVAILABLE,
			      "the connection was closed without an answer");
	return CURL_PREREQFUNC_ABORT;
}

/* ---- options ---- */

static void set_security(CURL *easy, const struct http_settings *settings)
{
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	if (settings->insecure) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (settings->ca_bundle) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_bundle);
		curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO,
				 settings->ca_bundle);
	}
	if (settings->client_cert)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->client_cert);
	if (settings->client_key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, settings->client_key);
	if (settings->client_key_password)
		curl_easy_setopt(easy, CURLOPT_KEYPASSWD,
				 settings->client_key_password);
}

static void set_connection(CURL *easy, const struct http_engine *engine)
{
	const struct http_settings *settings = &engine->settings;
	static const long families[] = { [HTTP_ANY_FAMILY] =
						 CURL_IPRESOLVE_WHATEVER,
					 [HTTP_IPV4] = CURL_IPRESOLVE_V4,
					 [HTTP_IPV6] = CURL_IPRESOLVE_V6 };

	curl_easy_setopt(easy, CURLOPT_SHARE, engine->share);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* Else leaving early waits for a resolver that does not answer. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_IPRESOLVE, families[settings->family]);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(settings->connect_timeout_ns / NS_PER_MS));
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 settings->http2 ? (long)CURL_HTTP_VERSION_2TLS
					 : (long)CURL_HTTP_VERSION_1_1);
	if (settings->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, settings->proxy);
	if (settings->no_proxy)
		curl_easy_setopt(easy, CURLOPT_NOPROXY, settings->no_proxy);
	if (settings->user_agent)
		curl_easy_setopt(easy, CURLOPT_USERAGENT, settings->user_agent);
	/* Keys are names, whatever dots are in them. */
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 131072L);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 131072L);
}

static void set_callbacks(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;

	curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->reason);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_read);
	curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
}

static void set_method(struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->exchange->request;
	CURL *easy = transfer->easy;

	if (request->body) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
				 (curl_off_t)request->body->size);
	} else if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static bool add_header(struct http_transfer *transfer, const char *header)
{
	struct curl_slist *more = curl_slist_append(transfer->headers, header);

	if (more)
		transfer->headers = more;
	return more != NULL;
}

static bool set_headers(struct http_transfer *transfer)
{
	const struct http_request *request = &transfer->exchange->request;
	const char *const *header = request->headers;

	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
	for (; header && *header; header++)
		if (!add_header(transfer, *header))
			return false;
	/* Sending is cheaper than asking, and some never say "continue". */
	if (request->body && request->body->size < EXPECT_MIN &&
	    !add_header(transfer, "Expect:"))
		return false;
	curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
	return true;
}

int http_transfer_prepare(struct http_transfer *transfer)
{
	struct http_exchange *exchange = transfer->exchange;
	size_t most = exchange->request.body_max;

	/* Connections stay with the multi handle; only options are reset. */
	curl_easy_reset(transfer->easy);
	http_response_clear(&exchange->response, most ? most : 1 << 20);
	store_error_clear(&exchange->error);
	transfer->reason[0] = '\0';
	transfer->sent = 0;
	transfer->received = 0;
	transfer->sends = 0;
	transfer->window = 0;
	transfer->started_ns = clock_monotonic_ns();
	transfer->moved_ns = transfer->started_ns;
	transfer->window_ns = 0;
	set_security(transfer->easy, &transfer->engine->settings);
	set_connection(transfer->easy, transfer->engine);
	set_callbacks(transfer);
	set_method(transfer);
	/* One that hangs or died is not to be met again. */
	if (transfer->attempt)
		curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
	if (curl_easy_setopt(transfer->easy, CURLOPT_URL,
			     exchange->request.url) ||
	    !set_headers(transfer))
		return store_error_set(&exchange->error, STORE_NO_MEMORY,
				       "out of memory");
	return STORE_OK;
}

void http_transfer_release(struct http_transfer *transfer)
{
	curl_slist_free_all(transfer->headers);
	transfer->headers = NULL;
}

/* ---- results ---- */

static int result_code(CURLcode result)
{
	switch (result) {
	case CURLE_OUT_OF_MEMORY:
		return STORE_NO_MEMORY;
	case CURLE_OPERATION_TIMEDOUT:
		return STORE_TIMEOUT;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_FUNCTION_ARGUMENT:
		return STORE_INVALID;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return STORE_DENIED;
	case CURLE_NOT_BUILT_IN:
		return STORE_NOT_SUPPORTED;
	default:
		/* Names, connections, TLS, answers cut short. */
		return STORE_UNAVAILABLE;
	}
}

/* A proxy that lets nobody through says why. */
static int refused_by_proxy(struct http_transfer *transfer)
{
	long status = 0;
	int code;

	curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
	code = status ? http_status_code((int)status) : STORE_OK;
	if (!code)
		return STORE_OK;
	return store_error_set(&transfer->exchange->error, code,
			       "the proxy gives %ld", status);
}

static void finish_response(struct http_transfer *transfer)
{
	struct http_response *response = &transfer->exchange->response;
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	response->status = (int)status;
	response->retry_after_ms =
		http_retry_after(http_header(response, "retry-after"));
}

static int64_t info_ns(CURL *easy, CURLINFO what)
{
	curl_off_t us = 0;

	curl_easy_getinfo(easy, what, &us);
	return (int64_t)us * 1000;
}

static void trace(struct http_transfer *transfer, bool connected)
{
	struct http_exchange *exchange = transfer->exchange;
	CURL *easy = transfer->easy;
	struct wire_request told = {
		.method = exchange->request.method,
		.url = exchange->request.url,
		.status = exchange->response.status,
		.code = exchange->code,
		.attempt = transfer->attempt + 1,
		.new_connection = connected,
		.name_ns = info_ns(easy, CURLINFO_NAMELOOKUP_TIME_T),
		.connect_ns = info_ns(easy, CURLINFO_CONNECT_TIME_T),
		.tls_ns = info_ns(easy, CURLINFO_APPCONNECT_TIME_T),
		.first_byte_ns = info_ns(easy, CURLINFO_STARTTRANSFER_TIME_T),
		.total_ns = info_ns(easy, CURLINFO_TOTAL_TIME_T),
		.bytes_in = transfer->received,
		.bytes_out = transfer->sent,
		.trace_id = transfer->context->trace_id,
	};

	wire_tell(&transfer->engine->wire, &told);
}

void http_transfer_end(struct http_transfer *transfer, CURLcode result)
{
	struct http_exchange *exchange = transfer->exchange;
	long connects = 0;

	finish_response(transfer);
	if (result == CURLE_OK)
		exchange->code = STORE_OK;
	else if (exchange->error.code) /* a callback of ours said why */
		exchange->code = exchange->error.code;
	else if (refused_by_proxy(transfer))
		exchange->code = exchange->error.code;
	else
		exchange->code = store_error_set(
			&exchange->error, result_code(result), "%s",
			transfer->reason[0] ? transfer->reason
					    : curl_easy_strerror(result));
	curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
	trace(transfer, connects > 0);
}
