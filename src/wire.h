/* SPDX-License-Identifier: MIT */
/*
 * The trace of requests: what a backend asked a server over the network, told
 * to the core, which logs it at LOG_LEVEL_DEBUG, one line an attempt, beside
 * the lines of the trace layer (the trace id of the context joins them), and
 * counts it.
 */
#ifndef STOREFS_SRC_WIRE_H
#define STOREFS_SRC_WIRE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One attempt that has ended; times in ns since it was sent, 0: not reached. */
struct wire_request {
	const char *method;
	const char *url;
	int status; /* 0: none came */
	int code;
	int attempt; /* from 1 */
	bool new_connection;
	int64_t name_ns;
	int64_t connect_ns;
	int64_t tls_ns;
	int64_t first_byte_ns;
	int64_t total_ns;
	uint64_t bytes_in;
	uint64_t bytes_out;
	uint64_t trace_id; /* of the context */
};

enum { WIRE_SHOWN_MAX = 512 };

struct wire_shown {
	char text[WIRE_SHOWN_MAX];
};

/*
 * One line without a secret: of the URL the host and the path alone, each cut
 * as text_show() does; user, password, query and fragment are left out.
 * Returns shown->text.
 */
const char *wire_show(struct wire_shown *shown,
		      const struct wire_request *request);

enum wire_verb {
	WIRE_GET,
	WIRE_HEAD,
	WIRE_PUT,
	WIRE_POST,
	WIRE_DELETE,
	WIRE_OTHER,
	WIRE_VERBS,
};
/* "GET", ...; "other". */
const char *wire_verb_name(enum wire_verb verb);

/* Of a verb, since the start. */
enum wire_count {
	WIRE_REQUESTS,	  /* attempts */
	WIRE_AGAIN,	  /* of them, those that were not the first */
	WIRE_FAILED,	  /* without an answer, or the server erred: 5xx, 429 */
	WIRE_SENT,	  /* bytes of bodies */
	WIRE_RECEIVED,	  /* the same */
	WIRE_CONNECTIONS, /* opened for them */
	WIRE_COUNTS,
};
const char *wire_count_name(enum wire_count count);

/* A zeroed one has counted nothing; any thread may add. */
struct wire_counters {
	/* Aligned for the ABIs where 64 bits are not by themselves. */
	_Alignas(8) _Atomic uint64_t values[WIRE_VERBS][WIRE_COUNTS];
};
/* Count it, and log it when anybody wants to know.  Any thread. */
void wire_tell(struct wire_counters *counters,
	       const struct wire_request *request);

#endif
