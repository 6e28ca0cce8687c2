// SPDX-License-Identifier: MIT
/*
 * The life of an engine, and its lanes: see http.h.
 *
 * A lane is a multi handle with a few easy ones.  Its connections stay in
 * the multi handle, so the lane that was given back last is the warmest and
 * is taken first; what falls idle beyond idle_max is closed.
 *
 * Locks: `lock` guards the list of idle lanes; the locks of libcurl's share
 * are taken inside libcurl and never with it.
 */
#include "config.h"

#include "backends/http/engine.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/base/secret.h"

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void curl_begin(void)
{
	curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- the share ---- */

static void share_lock(CURL *easy, curl_lock_data data, curl_lock_access access,
		       void *arg) NO_THREAD_SAFETY
{
	struct http_engine *engine = arg;

	(void)easy;
	(void)access;
	lock_take(&engine->shared[data]);
}

static void share_unlock(CURL *easy, curl_lock_data data, void *arg)
	NO_THREAD_SAFETY
{
	struct http_engine *engine = arg;

	(void)easy;
	lock_drop(&engine->shared[data]);
}

static bool share_begin(struct http_engine *engine)
{
	engine->share = curl_share_init();
	return engine->share &&
	       !curl_share_setopt(engine->share, CURLSHOPT_USERDATA, engine) &&
	       !curl_share_setopt(engine->share, CURLSHOPT_LOCKFUNC,
				  share_lock) &&
	       !curl_share_setopt(engine->share, CURLSHOPT_UNLOCKFUNC,
				  share_unlock) &&
	       !curl_share_setopt(engine->share, CURLSHOPT_SHARE,
				  CURL_LOCK_DATA_DNS) &&
	       !curl_share_setopt(engine->share, CURLSHOPT_SHARE,
				  CURL_LOCK_DATA_SSL_SESSION);
}

/* ---- life ---- */

static bool copy_text(const char **text)
{
	if (!*text)
		return true;
	*text = strdup(*text);
	return *text != NULL;
}

static void free_text(const char *text)
{
	free((void *)(uintptr_t)text);
}

bool http_settings_copy(struct http_settings *to,
			const struct http_settings *from)
{
	const char **texts[] = { &to->user_agent,	  &to->proxy,
				 &to->no_proxy,		  &to->ca_bundle,
				 &to->client_cert,	  &to->client_key,
				 &to->client_key_password };
	bool all = true;

	*to = *from;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		all = copy_text(texts[i]) && all;
	if (!all)
		http_settings_release(to);
	return all;
}

void http_settings_release(struct http_settings *settings)
{
	free_text(settings->user_agent);
	/* A proxy may be given with its password. */
	secret_free((char *)(uintptr_t)settings->proxy);
	free_text(settings->no_proxy);
	free_text(settings->ca_bundle);
	free_text(settings->client_cert);
	free_text(settings->client_key);
	secret_free((char *)(uintptr_t)settings->client_key_password);
	*settings = (struct http_settings){ .user_agent = NULL };
}

int http_engine_new(const struct http_settings *settings,
		    struct http_engine **engine, struct store_error *error)
{
	struct http_engine *made;

	pthread_once(&curl_once, curl_begin);
	if (curl_ready)
		return store_error_set(error, STORE_INTERNAL, "libcurl: %s",
				       curl_easy_strerror(curl_ready));
	made = calloc(1, sizeof(*made));
	if (!made)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	lock_init(&made->lock);
	for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
		lock_init(&made->shared[i]);
	if (!http_settings_copy(&made->settings, settings) ||
	    !share_begin(made)) {
		http_engine_free(made);
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	}
	if (!made->settings.connect_timeout_ns)
		made->settings.connect_timeout_ns = 10 * NS_PER_SEC;
	if (!made->settings.last_answer_ns) /* an interrupt has 1 s in all */
		made->settings.last_answer_ns = 700 * NS_PER_MS;
	if (!made->settings.idle_max)
		made->settings.idle_max = 32;
	*engine = made;
	return STORE_OK;
}

static void lane_free(struct http_lane *lane)
{
	for (size_t i = 0; i < HTTP_AT_ONCE; i++)
		curl_easy_cleanup(lane->easy[i]);
	curl_multi_cleanup(lane->multi);
	free(lane);
}

void http_engine_free(struct http_engine *engine)
{
	if (!engine)
		return;
	while (engine->idle) {
		struct http_lane *lane = engine->idle;

		engine->idle = lane->next;
		lane_free(lane);
	}
	if (engine->share)
		curl_share_cleanup(engine->share);
	for (size_t i = 0; i < CURL_LOCK_DATA_LAST; i++)
		lock_destroy(&engine->shared[i]);
	lock_destroy(&engine->lock);
	http_settings_release(&engine->settings);
	free(engine);
}

/* ---- lanes ---- */

static struct http_lane *idle_pop(struct http_engine *engine)
{
	struct http_lane *lane;

	lock_take(&engine->lock);
	lane = engine->idle;
	if (lane) {
		engine->idle = lane->next;
		engine->idle_count--;
	}
	lock_drop(&engine->lock);
	return lane;
}

struct http_lane *http_lane_take(struct http_engine *engine)
{
	struct http_lane *lane = idle_pop(engine);

	if (lane)
		return lane;
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	lane->multi = curl_multi_init();
	if (!lane->multi) {
		free(lane);
		return NULL;
	}
	return lane;
}

void http_lane_give(struct http_engine *engine, struct http_lane *lane)
{
	bool kept;

	lock_take(&engine->lock);
	kept = engine->idle_count < engine->settings.idle_max;
	if (kept) {
		lane->next = engine->idle;
		engine->idle = lane;
		engine->idle_count++;
	}
	lock_drop(&engine->lock);
	if (!kept)
		lane_free(lane);
}

/* ---- counters ---- */

const struct wire_counters *http_wire(const struct http_engine *engine)
{
	return &engine->wire;
}
