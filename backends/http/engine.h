/* SPDX-License-Identifier: MIT */
/* Inside the HTTP engine: what its files share. */
#ifndef STOREFS_BACKENDS_HTTP_ENGINE_H
#define STOREFS_BACKENDS_HTTP_ENGINE_H

#include "backends/http/http.h"

#include <curl/curl.h>

#include "src/base/sync.h"
#include "src/wire.h"

/* Handles of one call at a time, with the connections they left open. */
struct http_lane {
	struct http_lane *next;
	CURLM *multi;
	CURL *easy[HTTP_AT_ONCE]; /* made when needed */
};

struct http_engine {
	/* Immutable: */
	struct http_settings settings; /* texts owned */
	CURLSH *share;
	struct lock shared[CURL_LOCK_DATA_LAST]; /* taken by libcurl */
	struct wire_counters wire;

	struct lock lock;
	/* Protected by `lock`: */
	struct http_lane *idle; /* the last used first */
	size_t idle_count;
};

/* NULL when out of memory. */
struct http_lane *http_lane_take(struct http_engine *engine);
void http_lane_give(struct http_engine *engine, struct http_lane *lane);

/* One exchange on the wire. */
struct http_transfer {
	struct http_engine *engine;
	struct store_context *context;
	struct http_exchange *exchange;
	CURL *easy;
	struct curl_slist *headers;
	uint64_t sent;	    /* offset of the body to be read next */
	uint64_t received;  /* bytes of the body */
	int64_t started_ns; /* this attempt */
	int64_t moved_ns;   /* last byte of this attempt */
	int64_t window_ns;  /* start of the stretch speed is measured in */
	uint64_t window;    /* bytes in it */
	int attempt;
	int sends; /* of this attempt: libcurl has its own */
	bool running;
	char reason[CURL_ERROR_SIZE];
};

/* Set the handle up for the next attempt. */
int http_transfer_prepare(struct http_transfer *transfer) STORE_WARN_UNUSED;
void http_transfer_release(struct http_transfer *transfer);
/* What curl's result means; fills exchange->code and ->error. */
void http_transfer_end(struct http_transfer *transfer, CURLcode result);

/* Append a header line as it came. */
void http_response_line(struct http_response *response, const char *line,
			size_t length);
void http_response_clear(struct http_response *response, size_t body_max);

#endif
