/* SPDX-License-Identifier: MIT */
/*
 * A store on a fake S3 server behind a proxy that does to its answers what a
 * test says.
 */
#ifndef STOREFS_TESTS_UNIT_S3_PLACE_H
#define STOREFS_TESTS_UNIT_S3_PLACE_H

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "src/base/buf.h"
#include "tests/servers/fake_s3.h"
#include "tests/servers/place.h"
#include "tests/servers/proxy.h"

#include <storefs/store.h>

static struct {
	struct fake_s3 *fake;
	struct proxy proxy;
	char dir[32];
	int port;
	pid_t child;
	struct buf answer;
} place;
static struct store *store;
static struct store_error error;

/* Words that are separated by blanks. */
static inline void place_words(const char *line, char *room, char **words)
{
	size_t count = 0;

	snprintf(room, 512, "%s", line);
	while (room)
		words[count++] = strsep(&room, " ");
	words[count] = NULL;
}

static inline void fake_told(const char *line)
{
	char room[512];
	char *words[32];

	place_words(line, room, words);
	buf_clear(&place.answer);
	if (!fake_s3_command(place.fake, words, &place.answer))
		ck_abort_msg("%s: %s", line, buf_text(&place.answer));
}

static inline void proxy_told(const char *line)
{
	char room[512];
	char *words[32];

	place_words(line, room, words);
	buf_clear(&place.answer);
	if (!place_tell(place.dir, words, &place.answer))
		ck_abort_msg("%s: %s", line, buf_text(&place.answer));
}

/* Requests that came, of the kind: "verb=PUT target=*key*". */
static inline int proxy_requests(const char *filter)
{
	char line[256];

	snprintf(line, sizeof(line), "count %s", filter);
	proxy_told(line);
	return (int)strtol(buf_text(&place.answer), NULL, 10);
}

/* The proxy is a process of its own, made before there are threads. */
static inline void place_begin(void)
{
	snprintf(place.dir, sizeof(place.dir), "/tmp/storefs-s3-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(place.dir));
	place.fake = fake_s3_new();
	ck_assert_ptr_nonnull(place.fake);
	place.proxy = (struct proxy){ .http = true };
	place.proxy.port = fake_s3_port(place.fake);
	place.proxy.listener = place_listen(&place.port);
	place.proxy.control = place_control(place.dir);
	ck_assert_int_ge(place.proxy.listener, 0);
	ck_assert_int_ge(place.proxy.control, 0);
	buf_init(&place.answer, 1 << 20);
	place.child = fork();
	ck_assert_int_ge(place.child, 0);
	if (!place.child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(proxy_serve(&place.proxy));
	}
	ck_assert(fake_s3_start(place.fake));
	setenv("AWS_ACCESS_KEY_ID", FAKE_S3_ACCESS, 1);
	setenv("AWS_SECRET_ACCESS_KEY", FAKE_S3_SECRET, 1);
	setenv("AWS_REGION", "us-east-1", 1);
	setenv("no_proxy", "*", 1);
	store = NULL;
}

static inline void place_end(void)
{
	char path[64];

	store_close(store);
	kill(place.child, SIGKILL);
	waitpid(place.child, NULL, 0);
	close(place.proxy.listener);
	close(place.proxy.control);
	fake_s3_free(place.fake);
	buf_release(&place.answer);
	snprintf(path, sizeof(path), "%s/control", place.dir);
	unlink(path);
	rmdir(place.dir);
}

/* Through the proxy; the bucket is made when it is not there. */
static inline struct store *place_open(const char *bucket, const char *options)
{
	char url[512];
	struct store *made = NULL;

	snprintf(url, sizeof(url),
		 "s3://%s?endpoint_url=http://127.0.0.1:%d&"
		 "retry_backoff_base=10ms%s",
		 bucket, place.port, options);
	store_error_clear(&error);
	if (store_open_url(url, NULL, &made, &error))
		ck_abort_msg("%s", error.message);
	return made;
}

#endif
