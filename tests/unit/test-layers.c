// SPDX-License-Identifier: MIT
/* Retry, trace and serial over a backend that does as it is told. */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"
#include "src/layers/layers.h"
#include "tests/unit/memory_store.h"
#include "tests/unit/unit.h"

/* ---- the backend ---- */

/* Results of the next calls, in turn; STORE_OK when they are used up. */
static struct {
	int codes[8];
	int64_t retry_after_ms;
	atomic_int calls;
	atomic_int inside;
	atomic_int most_inside;
} script;

static int script_next(struct store_error *error)
{
	int call = atomic_fetch_add(&script.calls, 1);
	int code = call < 8 ? script.codes[call] : STORE_OK;

	if (!code)
		return STORE_OK;
	store_error_set(error, code, "call %d", call);
	error->retry_after_ms = script.retry_after_ms;
	return code;
}

static int stub_stat(void *self, struct store_context *context, const char *key,
		     struct store_info *info, struct store_details *details,
		     struct store_error *error)
{
	int inside = atomic_fetch_add(&script.inside, 1) + 1;
	int code;

	(void)self;
	(void)key;
	(void)details;
	if (inside > atomic_load(&script.most_inside))
		atomic_store(&script.most_inside, inside);
	code = store_context_check(context, error);
	if (!code)
		code = script_next(error);
	if (!code)
		*info = (struct store_info){ .type = STORE_TYPE_FILE };
	atomic_fetch_sub(&script.inside, 1);
	return code;
}

static int stub_put(void *self, struct store_context *context,
		    const struct backend_put_request *request,
		    struct store_info *info, struct store_error *error)
{
	int code = script_next(error);

	(void)self;
	(void)context;
	if (!code)
		*info = (struct store_info){
			.type = STORE_TYPE_FILE,
			.size = request->source->size,
		};
	return code;
}

static int stub_remove(void *self, struct store_context *context,
		       const char *key,
		       const struct store_precondition *precondition,
		       struct store_error *error)
{
	(void)self;
	(void)context;
	(void)key;
	(void)precondition;
	return script_next(error);
}

/* Leaves entries behind when it fails, as it should not. */
static int stub_list(void *self, struct store_context *context,
		     const struct backend_list_request *request,
		     struct store_page *page, struct store_error *error)
{
	struct store_info info = { .type = STORE_TYPE_FILE };

	(void)self;
	(void)context;
	(void)request;
	ck_assert_int_eq(store_page_add(page, "entry", &info, true), STORE_OK);
	return script_next(error);
}

static int stub_open(void *self, struct store_context *context,
		     struct store_error *error)
{
	(void)self;
	(void)context;
	(void)error;
	return STORE_OK;
}

static void stub_close(void *self)
{
	free(self);
}

static char *stub_identity(void *self)
{
	(void)self;
	return strdup("stub:");
}

static const struct store_backend stub_parallel = {
	.name = "stub",
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_METADATA,
	.open = stub_open,
	.close = stub_close,
	.stat = stub_stat,
	.list = stub_list,
	.put = stub_put,
	.remove = stub_remove,
	.identity = stub_identity,
};

static struct store_error error;
static struct store_policy policy;

static struct store *stub_store(const struct store_backend *table)
{
	struct store *store = NULL;

	ck_assert_int_eq(
		store_assemble(table, malloc(1), &policy, &store, &error),
		STORE_OK);
	return store;
}

static uint64_t counter(const struct store *store, enum store_counter which)
{
	uint64_t values[STORE_COUNTERS];

	store_counters(store, values);
	return values[which];
}

static void setup(void)
{
	store_error_clear(&error);
	memset(&script, 0, sizeof(script));
	policy = (struct store_policy){
		.retry = {
			.max_attempts = 3,
			.backoff_base_ns = NS_PER_MS,
			.backoff_max_ns = 4 * NS_PER_MS,
			.jitter = 1.0,
		},
	};
}

/* ---- retry ---- */

START_TEST(a_transient_failure_is_tried_again)
{
	struct store *store = stub_store(&stub_parallel);
	struct store_info info;

	script.codes[0] = STORE_UNAVAILABLE;
	script.codes[1] = STORE_THROTTLED;
	ck_assert_int_eq(store_stat(store, NULL, "a", &info, &error), STORE_OK);
	ck_assert_int_eq(error.code, STORE_OK);
	ck_assert_int_eq(script.calls, 3);
	ck_assert_uint_eq(counter(store, STORE_COUNT_RETRIES), 2);
	ck_assert_uint_eq(counter(store, STORE_COUNT_STAT), 3);
	ck_assert_uint_eq(counter(store, STORE_COUNT_FAILURES), 2);
	store_close(store);
}
END_TEST

START_TEST(attempts_are_limited)
{
	struct store *store = stub_store(&stub_parallel);
	struct store_info info;

	for (int i = 0; i < 8; i++)
		script.codes[i] = STORE_UNAVAILABLE;
	ck_assert_int_eq(store_stat(store, NULL, "a", &info, &error),
			 STORE_UNAVAILABLE);
	ck_assert_int_eq(script.calls, 3);
	ck_assert_ptr_nonnull(strstr(error.message, "call 2"));
	store_close(store);
}
END_TEST

START_TEST(a_permanent_failure_is_not_tried_again)
{
	struct store *store = stub_store(&stub_parallel);
	struct store_info info;

	script.codes[0] = STORE_DENIED;
	ck_assert_int_eq(store_stat(store, NULL, "a", &info, &error),
			 STORE_DENIED);
	ck_assert_int_eq(script.calls, 1);
	store_close(store);
}
END_TEST

static int put_text(struct store *store, enum store_condition condition)
{
	struct store_write_options options = {
		.precondition = { condition, { .token = "v" } },
	};
	struct store_memory_source source;

	return store_write(store, NULL, "a",
			   store_memory_source_init(&source, "12345", 5),
			   &options, NULL, &error);
}

START_TEST(only_what_can_be_repeated_is_repeated)
{
	struct store *store = stub_store(&stub_parallel);

	script.codes[0] = STORE_TIMEOUT;
	ck_assert_int_eq(put_text(store, STORE_IF_ABSENT), STORE_TIMEOUT);
	ck_assert_int_eq(script.calls, 1);
	script.codes[1] = STORE_UNAVAILABLE;
	ck_assert_int_eq(put_text(store, STORE_IF_VERSION), STORE_UNAVAILABLE);
	ck_assert_int_eq(script.calls, 2);
	script.codes[2] = STORE_UNAVAILABLE;
	ck_assert_int_eq(store_delete(store, NULL, "a", true, &error),
			 STORE_UNAVAILABLE);
	ck_assert_int_eq(script.calls, 3);
	script.codes[3] = STORE_UNAVAILABLE;
	ck_assert_int_eq(put_text(store, STORE_IF_ANY), STORE_OK);
	ck_assert_int_eq(script.calls, 5);
	ck_assert_uint_eq(counter(store, STORE_COUNT_BYTES_WRITTEN), 5);
	store_close(store);
}
END_TEST

START_TEST(a_page_that_failed_leaves_no_entries)
{
	struct store *store = stub_store(&stub_parallel);
	struct store_page page;

	store_page_init(&page);
	script.codes[0] = STORE_UNAVAILABLE;
	ck_assert_int_eq(
		store_list_page(store, NULL, "d", NULL, 9, &page, &error),
		STORE_OK);
	ck_assert_uint_eq(page.count, 1);
	script.codes[2] = STORE_DENIED;
	ck_assert_int_eq(
		store_list_page(store, NULL, "d", NULL, 9, &page, &error),
		STORE_DENIED);
	ck_assert_uint_eq(page.count, 1);
	store_page_release(&page);
	store_close(store);
}
END_TEST

START_TEST(the_hint_of_the_store_is_respected)
{
	struct store *store = stub_store(&stub_parallel);
	int64_t start = clock_monotonic_ns();
	struct store_info info;

	script.codes[0] = STORE_THROTTLED;
	script.retry_after_ms = 50;
	ck_assert_int_eq(store_stat(store, NULL, "a", &info, &error), STORE_OK);
	ck_assert(clock_monotonic_ns() - start >= 50 * NS_PER_MS);
	store_close(store);
}
END_TEST

START_TEST(no_pause_goes_beyond_the_deadline)
{
	struct store *store = stub_store(&stub_parallel);
	int64_t start = clock_monotonic_ns();
	struct store_context context;
	struct store_info info;

	script.codes[0] = STORE_THROTTLED;
	script.retry_after_ms = 600 * 1000;
	store_context_init(&context, 60 * NS_PER_SEC, NULL);
	ck_assert_int_eq(store_stat(store, &context, "a", &info, &error),
			 STORE_THROTTLED);
	ck_assert_int_eq(script.calls, 1);
	ck_assert(clock_monotonic_ns() - start < 30 * NS_PER_SEC);
	store_close(store);
}
END_TEST

START_TEST(the_policy_has_a_limit_of_its_own)
{
	struct store *store;
	struct store_info info;

	policy.retry.timeout_ns = 10 * NS_PER_SEC;
	store = stub_store(&stub_parallel);
	script.codes[0] = STORE_THROTTLED;
	script.retry_after_ms = 600 * 1000;
	ck_assert_int_eq(store_stat(store, NULL, "a", &info, &error),
			 STORE_THROTTLED);
	ck_assert_int_eq(script.calls, 1);
	store_close(store);
}
END_TEST

static void *trigger(void *arg)
{
	store_cancel_trigger(arg);
	return NULL;
}

START_TEST(a_pause_ends_when_cancelled)
{
	struct store *store = stub_store(&stub_parallel);
	struct store_cancel *cancel = store_cancel_new();
	int64_t start = clock_monotonic_ns();
	struct store_context context;
	struct store_info info;
	pthread_t thread;

	script.codes[0] = STORE_THROTTLED;
	script.retry_after_ms = 600 * 1000;
	store_context_init(&context, 0, cancel);
	ck_assert_int_eq(pthread_create(&thread, NULL, trigger, cancel), 0);
	ck_assert_int_eq(store_stat(store, &context, "a", &info, &error),
			 STORE_CANCELLED);
	ck_assert(clock_monotonic_ns() - start < 300 * NS_PER_SEC);
	pthread_join(thread, NULL);
	store_cancel_free(cancel);
	store_close(store);
}
END_TEST

/* ---- serial ---- */

static void *stat_often(void *arg)
{
	struct store_info info;

	for (int i = 0; i < 200; i++)
		if (store_stat(arg, NULL, "a", &info, NULL))
			return arg;
	return NULL;
}

static int most_at_once(const struct store_backend *table)
{
	struct store *store = stub_store(table);
	pthread_t threads[4];
	void *failed;

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, stat_often, store),
			0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	ck_assert_int_eq(script.calls, 800);
	store_close(store);
	return script.most_inside;
}

START_TEST(a_serial_backend_gets_one_call_at_a_time)
{
	static struct store_backend serial;

	serial = stub_parallel;
	serial.concurrency = STORE_SERIAL;
	ck_assert_int_eq(most_at_once(&serial), 1);
}
END_TEST

/* Holds the turn until it is told to go on. */
static atomic_bool hold;
static atomic_bool holding;

static int holding_stat(void *self, struct store_context *context,
			const char *key, struct store_info *info,
			struct store_details *details,
			struct store_error *failure)
{
	atomic_store(&holding, true);
	while (atomic_load(&hold))
		if (store_context_sleep(NULL, NS_PER_MS, failure))
			break;
	return stub_stat(self, context, key, info, details, failure);
}

static void *stat_once(void *arg)
{
	struct store_info info;

	return store_stat(arg, NULL, "a", &info, NULL) ? arg : NULL;
}

START_TEST(waiting_for_a_turn_has_a_deadline)
{
	static struct store_backend serial;
	struct store_context context;
	struct store_info info;
	struct store *store;
	pthread_t thread;

	serial = stub_parallel;
	serial.concurrency = STORE_SERIAL;
	serial.stat = holding_stat;
	policy.retry.max_attempts = 1;
	store = stub_store(&serial);
	atomic_store(&hold, true);
	ck_assert_int_eq(pthread_create(&thread, NULL, stat_once, store), 0);
	while (!atomic_load(&holding))
		ck_assert_int_eq(store_context_sleep(NULL, NS_PER_MS, NULL),
				 STORE_OK);
	store_context_init(&context, 30 * NS_PER_MS, NULL);
	ck_assert_int_eq(store_stat(store, &context, "a", &info, &error),
			 STORE_TIMEOUT);
	atomic_store(&hold, false);
	pthread_join(thread, NULL);
	ck_assert_int_eq(store_stat(store, NULL, "a", &info, &error), STORE_OK);
	store_close(store);
}
END_TEST

/* ---- all together ---- */

START_TEST(a_slot_that_is_missing_below_is_missing_above)
{
	struct store *store = stub_store(&stub_parallel);
	struct store *child = NULL;
	struct backend backend = { &stub_parallel, NULL };

	ck_assert_int_eq(store_child(store, "d", &child, &error), STORE_OK);
	ck_assert_uint_eq(store_capabilities(child),
			  stub_parallel.capabilities);
	ck_assert_int_eq(layer_prefix("d", &backend, &error), STORE_OK);
	ck_assert_ptr_null(backend.ops->move);
	ck_assert_ptr_null(backend.ops->upload_begin);
	ck_assert_ptr_null(backend.ops->usage);
	ck_assert_ptr_nonnull(backend.ops->stat);
	backend.ops->close(backend.self);
	ck_assert_int_eq(
		store_move(child, NULL, "a", "b", 0, NULL, NULL, &error),
		STORE_NOT_SUPPORTED);
	store_close(child);
	store_close(store);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("layers");

	tcase_add_checked_fixture(tests, setup, NULL);
	tcase_add_test(tests, a_transient_failure_is_tried_again);
	tcase_add_test(tests, attempts_are_limited);
	tcase_add_test(tests, a_permanent_failure_is_not_tried_again);
	tcase_add_test(tests, only_what_can_be_repeated_is_repeated);
	tcase_add_test(tests, a_page_that_failed_leaves_no_entries);
	tcase_add_test(tests, the_hint_of_the_store_is_respected);
	tcase_add_test(tests, no_pause_goes_beyond_the_deadline);
	tcase_add_test(tests, the_policy_has_a_limit_of_its_own);
	tcase_add_test(tests, a_pause_ends_when_cancelled);
	tcase_add_test(tests, a_serial_backend_gets_one_call_at_a_time);
	tcase_add_test(tests, waiting_for_a_turn_has_a_deadline);
	tcase_add_test(tests, a_slot_that_is_missing_below_is_missing_above);
	return unit_run("layers", tests);
}
