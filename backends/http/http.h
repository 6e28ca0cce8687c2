/* SPDX-License-Identifier: MIT */
/*
 * The HTTP engine: requests of stores that speak HTTP, the only user of
 * libcurl.
 *
 *	struct http_exchange exchange = { .request = { .method = "GET", ... } };
 *	struct http_exchange *all[] = { &exchange };
 *	int code = http_perform(engine, context, all, 1);
 *
 *	if (!code)
 *	...exchange.response.status, http_header(&exchange.response, "etag")
 *	http_exchange_release(&exchange);
 *
 * One engine serves any number of threads: connections are kept alive and
 * handed from call to call, names and TLS sessions are shared by all.  The
 * context rules every phase, from the name to the last byte.  An answer of
 * any status is a success here; what it means is the caller's business.
 * Redirects are not followed, since most have to be signed anew.  What each
 * attempt did is told to the core for its trace (src/wire.h).
 */
#ifndef STOREFS_BACKENDS_HTTP_H
#define STOREFS_BACKENDS_HTTP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include <storefs/context.h>
#include <storefs/error.h>

/* Most bytes of all headers of one response. */
#define HTTP_HEADERS_MAX 65536
/* Most exchanges of one http_perform(). */
#define HTTP_AT_ONCE 4

enum http_family { HTTP_ANY_FAMILY, HTTP_IPV4, HTTP_IPV6 };

/* All texts may be NULL and are copied. */
struct http_settings {
	const char *user_agent;
	const char *proxy;    /* NULL: as the environment says; "": none */
	const char *no_proxy; /* hosts, as in no_proxy */
	const char *ca_bundle;
	const char *client_cert; /* PEM */
	const char *client_key;
	const char *client_key_password;
	bool insecure; /* the server's certificate is not checked */
	bool http2;    /* where TLS negotiates it */
	enum http_family family;
	int64_t connect_timeout_ns; /* 0: 10 s */
	/* A read without a byte for so long is sent again; 0: never. */
	int64_t resend_ns;
	/*
	 * How long a call that is cancelled waits for the answer to a change it
	 * has sent: the server may do it all the same, and nothing that follows
	 * shall be overtaken by it.  One that only gives way has a third of the
	 * context's time without progress, or 10 s.  0: 700 ms.
	 */
	int64_t last_answer_ns;
	/* A body slower than this, over low_speed_ns, is TIMEOUT; 0: off. */
	uint64_t low_speed; /* bytes a second */
	int64_t low_speed_ns;
	size_t idle_max; /* connections' worth of handles kept; 0: 32 */
};

/*
 * A copy with texts of its own; false when out of memory, and then nothing
 * is to be released.
 */
bool http_settings_copy(struct http_settings *to,
			const struct http_settings *from);
void http_settings_release(struct http_settings *settings);

struct http_engine;
struct wire_counters;

int http_engine_new(const struct http_settings *settings,
		    struct http_engine **engine, struct store_error *error)
	STORE_WARN_UNUSED;
/* NULL is fine; no call may be running. */
void http_engine_free(struct http_engine *engine);
/* Of all attempts, by verb; lives as long as the engine. */
const struct wire_counters *http_wire(const struct http_engine *engine);

/* A body to send; readable again from any offset. */
struct http_body {
	uint64_t size;
	int (*read)(void *arg, uint64_t offset, void *data, size_t length,
		    struct store_error *error);
	void *arg;
};

/* Everything borrowed until http_perform() returns. */
struct http_request {
	const char *method;
	const char *url;
	const char *const
		*headers; /* "Name: value"; NULL-terminated, or NULL */
	const struct http_body *body; /* NULL: none */
	/* Twice is as good as once: may be sent again without an answer. */
	bool idempotent;
	/* Nobody sees it before another request: it may as well come late. */
	bool unseen;
	/*
	 * Not even where the connection was kept from before and may have been
	 * closed meanwhile: without an answer it is UNAVAILABLE.
	 */
	bool once;
	/*
	 * Where the body of a 2xx goes, `room` bytes at most: more is CORRUPT.
	 * NULL: to response.body, as that of any other status.
	 */
	void *data;
	size_t room;
	size_t body_max; /* of response.body; 0: 1 MiB */
};

struct http_response {
	int status;
	struct buf headers; /* "name\0value\0"..., names in lower case */
	struct buf body;
	size_t got;		/* bytes in request.data */
	int64_t retry_after_ms; /* the server's hint, 0 for none */
};

struct http_exchange {
	struct http_request request;
	struct http_response response; /* valid when `code` is STORE_OK */
	int code;
	struct store_error error;
};

/*
 * Run `count` exchanges (at most HTTP_AT_ONCE) beside each other until all
 * have ended; each one tells its own code.  Gives the first of these that is
 * not STORE_OK.
 */
int http_perform(struct http_engine *engine, struct store_context *context,
		 struct http_exchange *const exchanges[], size_t count);
void http_exchange_release(struct http_exchange *exchange);

/* A header by its lower-case name, NULL when absent; borrowed. */
const char *http_header(const struct http_response *response, const char *name);
/* Walk all headers: *at starts at 0; NULL at the end. */
const char *http_header_next(const struct http_response *response, size_t *at,
			     const char **value);
/* The code a status stands for by itself; STORE_OK for 2xx and 3xx. */
int http_status_code(int status);
/* Seconds or a date (RFC 9110, 10.2.3), in ms from now; 0: neither. */
int64_t http_retry_after(const char *text);
/* An HTTP date (RFC 9110, 5.6.7) as seconds since 1970; -1: none. */
int64_t http_date(const char *text);

#endif
