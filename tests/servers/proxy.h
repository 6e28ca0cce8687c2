/* SPDX-License-Identifier: MIT */
/*
 * A proxy for tests: passes the bytes of TCP connections on, late, slowly or
 * wrongly as it is told, and counts the requests of HTTP.
 *
 *	proxy PLACE http|tcp PORT	listens on 127.0.0.1 for that PORT
 *	proxy -c PLACE COMMAND...	tells a running one (proxy_control.c)
 *
 * One thread.  Every direction of a connection is a flow: bytes are read,
 * looked at (proxy_http.c), and sent when they are due (proxy_flow.c).
 */
#ifndef STOREFS_TESTS_SERVERS_PROXY_H
#define STOREFS_TESTS_SERVERS_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "src/base/buf.h"
#include "tests/servers/message.h"

/* ---- faults (proxy_fault.c) ---- */

enum fault_kind {
	FAULT_NONE,
	FAULT_REFUSE,	     /* the connection is reset once accepted */
	FAULT_HOLE,	     /* nothing is passed on, nothing is answered */
	FAULT_ANSWER,	     /* an answer of our own, nothing is passed on */
	FAULT_RESET_REQUEST, /* both connections are reset */
	FAULT_STALL_REQUEST,
	FAULT_FLIP_REQUEST,
	FAULT_RESET_ANSWER,
	FAULT_CUT_ANSWER, /* the connection is closed in good order */
	FAULT_STALL_ANSWER,
	FAULT_FLIP_ANSWER,
	FAULT_KINDS,
};

struct fault {
	enum fault_kind kind;
	char verb[16];	  /* patterns of fnmatch() */
	char target[512]; /* path and query */
	uint64_t skip;	  /* requests left alone first */
	uint64_t count;	  /* requests hit at most */
	uint64_t every;	  /* of those that match, after skipping */
	/*
	 * Where in the body, its framing included; negative: before the head.
	 * Flips of an answer without a body do nothing.
	 */
	int64_t at;
	int64_t wait_ns; /* of a stall; 0: until the client goes */
	int status;
	int retry_after; /* seconds, 0: none */
	uint64_t seen;
	uint64_t hits;
};

enum { FAULTS_MAX = 32 };

struct faults {
	struct fault all[FAULTS_MAX];
	size_t count;
};

/* Add one from words; false and why when they mean nothing. */
bool faults_add(struct faults *faults, char **words, struct buf *why);
/* The fault for this request; counts it as seen. */
struct fault faults_match(struct faults *faults, const char *verb,
			  const char *target);
void faults_show(const struct faults *faults, struct buf *out);
bool fault_is_of_answer(const struct fault *fault);

/* ---- what went through (proxy_record.c) ---- */

struct record {
	char verb[16];
	char target[512];
	int status;  /* 0: none was passed on or given */
	uint64_t up; /* bytes of bodies, with their framing */
	uint64_t down;
	enum fault_kind fault;
};

struct records {
	struct record *all;
	size_t count;
	size_t room;
	unsigned int age; /* counts how often they were forgotten */
	uint64_t connections;
	uint64_t wire[2]; /* everything received: from clients, from servers */
};

struct record_id {
	size_t index;
	unsigned int age;
};

struct record_id records_add(struct records *records, const char *verb,
			     const char *target);
/* NULL when it was forgotten. */
struct record *records_get(struct records *records, struct record_id id);
void records_forget(struct records *records);

/* ---- connections ---- */

enum direction { UP, DOWN }; /* to the server, to the client */

enum flow_end {
	FLOW_GOES_ON,
	FLOW_CLOSES,
	FLOW_RESETS,
	FLOW_STALLS,
};

struct chunk {
	struct chunk *next;
	int64_t due_ns;
	size_t length;
	size_t sent;
	char data[];
};

struct flow {
	struct pair *pair;
	enum direction direction;
	int from;
	int to;
	struct chunk *first;
	struct chunk *last;
	size_t queued;
	int64_t hold_ns;   /* nothing is due before */
	bool swallows;	   /* what comes is dropped */
	bool ended;	   /* nothing comes any more */
	bool closed;	   /* and that was told */
	enum flow_end end; /* once all is sent */
	/* HTTP: */
	bool in_body;
	struct buf head;
	struct message message;
	uint64_t passed; /* of this body */
};

struct request {
	struct record_id record;
	struct fault fault;
	bool bare; /* HEAD: no body in the answer */
};

enum { PIPELINE_MAX = 16 };

struct pair {
	struct pair *next;
	struct proxy *proxy;
	struct flow flows[2];
	uint32_t watched[2]; /* events asked for, by flow.from; 0: none */
	int64_t open_ns;     /* when the handshake would be over */
	bool dead;	     /* freed once no event is at hand */
	/* HTTP: requests that wait for their answer, the oldest first. */
	struct request requests[PIPELINE_MAX];
	size_t request_count;
	struct request asking; /* whose body is on its way up */
};

struct proxy {
	bool http;
	int port; /* of the server */
	int listener;
	int control;
	int epoll;
	int timer;
	struct pair *pairs;
	int64_t delay_ns;   /* of a round trip */
	uint64_t rate;	    /* bytes a second, each way; 0: any */
	int64_t free_ns[2]; /* when the line is free again */
	bool dark;	    /* nothing goes through */
	struct faults faults;
	struct records records;
};

/* Serve until the process ends; an exit status. */
int proxy_serve(struct proxy *proxy);
void pair_kill(struct pair *pair, bool reset);

/* Send, or queue until it is due. */
void flow_emit(struct flow *flow, const char *data, size_t length);
/* Send what is due; false when the connection is broken. */
bool flow_pump(struct flow *flow, int64_t now);
void flow_free(struct flow *flow);
/* When there is more to do: INT64_MAX for never. */
int64_t flow_due(const struct flow *flow);

/* Bytes that came in: look at them and emit (proxy_http.c). */
void pair_begin(struct pair *pair);
void flow_take(struct flow *flow, char *data, size_t length);

/* Run a command: see proxy_control.c. */
bool proxy_command(void *arg, char **words, struct buf *out);

#endif
