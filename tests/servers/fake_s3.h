/* SPDX-License-Identifier: MIT */
/*
 * An S3 server for tests: strict, in memory, and as unkind as it is told.
 * Written against the API reference of S3, not against a client.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
 *
 *	struct fake_s3 *fake = fake_s3_new();
 *	fake_s3_start(fake);		one thread per connection
 *	... fake_s3_port(fake) ...
 *	fake_s3_free(fake);
 *
 * What it is strict about: signatures with their scope, date and token;
 * lengths; payload hashes, Content-MD5 and checksums; conditions of put,
 * copy, complete and delete; ranges; parts; names; continuation tokens;
 * keys of customers, and that they come by TLS (X-Forwarded-Proto).
 * Buckets are made with PUT, or simulated by fake_s3_command().
 *
 * fake_s3_command() is what a test, or the control socket, can tell it:
 *	key ACCESS SECRET [TOKEN]	another key; the same again: replaces
 *	expire ACCESS		its token has ended
 *	revoke ACCESS		nobody knows that key
 *	deny PATTERN | permit	objects nobody may touch; all again
 *	region NAME		of the buckets (us-east-1)
 *	clock SECONDS		how much it is ahead
 *	public BUCKET		anybody may read it, unsigned
 *	payer BUCKET		only for requests that say that they pay
 *	simulate BUCKET COUNT	read only: d000/f000000, 1000 in each folder
 *	rule KIND WORD...	see enum fake_kind; verb= target= skip= count=
 *				status= code= at=
 *	rules | clear		with their hits; forget them
 *	counts			"requests N", "refused N" (4xx but 404, 412, 416)
 *	show BUCKET/KEY		the headers an object was put with
 *	uploads			unfinished ones: bucket/key
 */
#ifndef STOREFS_TESTS_SERVERS_FAKE_S3_H
#define STOREFS_TESTS_SERVERS_FAKE_S3_H

#include <stdbool.h>

#include "src/base/buf.h"

/* The key it knows at first. */
#define FAKE_S3_ACCESS "fakeaccess"
#define FAKE_S3_SECRET "fakesecret0123456789"

/* What a rule does to the requests it hits. */
enum fake_kind {
	FAKE_NOTHING,
	FAKE_FAIL,     /* status= and code=, nothing is done */
	FAKE_FAIL_200, /* the same, but with status 200 and blanks before */
	FAKE_LOSE,     /* done, and the connection closed without a word */
	FAKE_LONGER,   /* the length of the body is told as `at` too long */
	FAKE_SHORTER,
	FAKE_OTHER_RANGE, /* Content-Range of a part `at` bytes further on */
	FAKE_OTHER_ETAG,
	FAKE_ENDLESS,	  /* a page of a listing goes on with itself */
	FAKE_CYCLE,	  /* ... with one of `at` places, in turn */
	FAKE_NO_TOKEN,	  /* is truncated, and tells no continuation */
	FAKE_OTHER_NAMES, /* and lists what was not asked for */
	FAKE_BROKEN_XML,
	FAKE_TWISTED, /* the byte at `at` of the object has another bit */
	FAKE_KINDS,
};

struct fake_s3;

/* NULL when it cannot listen. */
struct fake_s3 *fake_s3_new(void);
int fake_s3_port(const struct fake_s3 *fake);
bool fake_s3_start(struct fake_s3 *fake);
/* Ends all connections, too. */
void fake_s3_free(struct fake_s3 *fake);
/* A place_command_fn. */
bool fake_s3_command(void *fake, char **words, struct buf *out);

#endif
