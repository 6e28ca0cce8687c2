// SPDX-License-Identifier: MIT
/*
 * What S3 is not simply asked again: a removal whose answer is lost, since the
 * name may be another's by then, and a listing that goes round in circles.
 */
#include "config.h"

#include <pthread.h>
#include <sched.h>

#include "tests/unit/s3_place.h"
#include "tests/unit/unit.h"

static void setup(void)
{
	place_begin();
	fake_told("simulate bucket 0");
}

static void put(struct store *to, const char *key, const char *text)
{
	const struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
	};
	struct store_memory_source source;

	store_memory_source_init(&source, text, strlen(text));
	ck_assert_int_eq(store_write(to, NULL, key, &source.source, &options,
				     NULL, &error),
			 STORE_OK);
}

static void expect(struct store *from, const char *key, const char *text)
{
	size_t got = 0;
	void *data = NULL;
	int code = store_read_all(from, NULL, key, 100, &data, &got, &error);

	if (!text) {
		ck_assert_int_eq(code, STORE_NOT_FOUND);
		return;
	}
	ck_assert_int_eq(code, STORE_OK);
	ck_assert_uint_eq(got, strlen(text));
	ck_assert_mem_eq(data, text, got);
	free(data);
}

/* Past the proxy. */
static struct store *open_beside(void)
{
	char url[256];
	struct store *made = NULL;

	snprintf(url, sizeof(url),
		 "s3://bucket?endpoint_url=http://127.0.0.1:%d",
		 fake_s3_port(place.fake));
	ck_assert_int_eq(store_open_url(url, NULL, &made, &error), STORE_OK);
	return made;
}

/* ---- removals ---- */

struct removing {
	pthread_t thread;
	const struct store_version *version;
	struct store_error error;
	int code;
};

static void *remove_k(void *arg)
{
	struct removing *removing = arg;

	removing->code = removing->version
				 ? store_delete_version(store, NULL, "k",
							removing->version,
							&removing->error)
				 : store_delete(store, NULL, "k", false,
						&removing->error);
	return NULL;
}

/*
 * Removed, and made anew by another, before the one who removes it hears that
 * the connection has gone.
 */
static int lose_and_replace(struct store *beside,
			    const struct store_version *version,
			    const char *text)
{
	struct removing removing = { .version = version };
	struct store_info info;

	proxy_told("fault stall-answer verb=DELETE");
	ck_assert_int_eq(
		pthread_create(&removing.thread, NULL, remove_k, &removing), 0);
	while (store_stat(beside, NULL, "k", &info, NULL) == STORE_OK)
		sched_yield();
	put(beside, "k", text);
	proxy_told("drop");
	pthread_join(removing.thread, NULL);
	proxy_told("clear");
	return removing.code;
}

static void a_lost_removal_spares(const char *options)
{
	struct store *beside = open_beside();
	struct store_info info;

	store = place_open("bucket", options);
	put(store, "k", "ours");
	ck_assert_int_eq(lose_and_replace(beside, NULL, "theirs"), STORE_OK);
	expect(store, "k", "theirs");
	/* Also where it is the same bytes. */
	put(store, "k", "same");
	ck_assert_int_eq(lose_and_replace(beside, NULL, "same"), STORE_OK);
	expect(store, "k", "same");
	ck_assert_int_eq(store_stat(store, NULL, "k", &info, &error), STORE_OK);
	ck_assert_int_eq(lose_and_replace(beside, &info.version, "theirs"),
			 STORE_CHANGED);
	expect(store, "k", "theirs");
	store_close(beside);
}

START_TEST(a_removal_whose_answer_is_lost_spares_what_came_after_it)
{
	a_lost_removal_spares("&conditions=no");
}
END_TEST

START_TEST(so_does_one_with_conditions)
{
	a_lost_removal_spares("&conditions=yes");
}
END_TEST

START_TEST(a_removal_whose_answer_is_lost_is_settled)
{
	store = place_open("bucket", "");
	put(store, "k", "ours");
	proxy_told("fault reset-answer verb=DELETE");
	proxy_told("forget");
	ck_assert_int_eq(store_delete(store, NULL, "k", false, &error),
			 STORE_OK);
	expect(store, "k", NULL);
	ck_assert_int_eq(proxy_requests("verb=DELETE"), 1);
	/* One that never arrived is sent again, after a look. */
	put(store, "k", "ours");
	proxy_told("forget");
	proxy_told("fault reset-request verb=DELETE");
	ck_assert_int_eq(store_delete(store, NULL, "k", false, &error),
			 STORE_OK);
	expect(store, "k", NULL);
	ck_assert_int_eq(proxy_requests("verb=DELETE"), 2);
	/* One that never does arrive is told as that. */
	put(store, "k", "ours");
	proxy_told("fault reset-request verb=DELETE count=0");
	ck_assert_int_eq(store_delete(store, NULL, "k", false, &error),
			 STORE_UNAVAILABLE);
	proxy_told("clear");
	expect(store, "k", "ours");
}
END_TEST

/* The server says so when something else is done at the same moment. */
START_TEST(a_removal_that_met_another_change_is_tried_again)
{
	store = place_open("bucket", "");
	put(store, "k", "ours");
	fake_told("rule fail verb=DELETE status=409 "
		  "code=ConditionalRequestConflict");
	ck_assert_int_eq(store_delete(store, NULL, "k", false, &error),
			 STORE_OK);
	expect(store, "k", NULL);
}
END_TEST

START_TEST(a_folder_whose_removal_is_lost_is_removed)
{
	store = place_open("bucket", "");
	ck_assert_int_eq(
		store_make_folder(store, NULL, "d", NULL, NULL, &error),
		STORE_OK);
	proxy_told("fault reset-answer verb=DELETE");
	ck_assert_int_eq(store_delete_folder(store, NULL, "d", NULL, &error),
			 STORE_OK);
}
END_TEST

/* ---- circles ---- */

static int list_all(const char *folder, size_t *count)
{
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	int code = store_list(store, NULL, folder, NULL, &listing, &error);

	for (*count = 0; !code; (*count)++) {
		code = store_listing_next(listing, NULL, &entry, &error);
		if (code || !entry)
			break;
	}
	store_listing_close(listing);
	return code;
}

START_TEST(a_listing_in_circles_ends_with_an_error)
{
	static const int lengths[] = { 1, 2, 3, 7, 50 };
	char line[128];
	size_t count;

	store = place_open("bucket", "&retry_max_attempts=1");
	put(store, "d/k", "x");
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		fake_told("clear");
		snprintf(line, sizeof(line),
			 "rule cycle target=*list-type* at=%d count=0",
			 lengths[i]);
		fake_told(line);
		proxy_told("forget");
		ck_assert_int_eq(list_all("d", &count), STORE_CORRUPT);
		ck_assert_ptr_nonnull(strstr(error.message, "circles"));
		ck_assert_int_le(proxy_requests("verb=GET"),
				 3 * lengths[i] + 2);
	}
	fake_told("clear");
	ck_assert_int_eq(list_all("d", &count), STORE_OK);
	ck_assert_uint_eq(count, 1);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-again");

	tcase_add_checked_fixture(tests, setup, place_end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(
		tests,
		a_removal_whose_answer_is_lost_spares_what_came_after_it);
	tcase_add_test(tests, so_does_one_with_conditions);
	tcase_add_test(tests, a_removal_whose_answer_is_lost_is_settled);
	tcase_add_test(tests, a_removal_that_met_another_change_is_tried_again);
	tcase_add_test(tests, a_folder_whose_removal_is_lost_is_removed);
	tcase_add_test(tests, a_listing_in_circles_ends_with_an_error);
	return unit_run("s3-again", tests);
}
