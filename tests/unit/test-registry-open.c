// SPDX-License-Identifier: MIT
/* Stores of a registry and by URL: opened once, shared, explained. */
#include "config.h"

#include <pthread.h>
#include <sched.h>

#include "src/base/buf.h"
#include "tests/unit/stub_store.h"
#include "tests/unit/unit.h"

/* ---- opening ---- */

START_TEST(a_backend_is_opened_when_asked_for_and_once)
{
	struct store *a, *b, *c;

	accept("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "[stores.x]\nbackend = main\nroot_path = /x//\\y/\n"
	       "[stores.y]\nbackend = main\nroot_path = y\n"
	       "[stores.root]\nbackend = main\nroot_path = ./\n");
	ck_assert_int_eq(stub.opened, 0);
	a = get("x");
	b = get("y");
	c = get("main");
	ck_assert_int_eq(stub.opened, 1);
	ck_assert_int_eq(stub.alive, 1);
	ck_assert(!store_equal(a, b));
	store_close(a);
	a = get("root");
	ck_assert(store_equal(a, c));
	store_close(b);
	store_close(a);
	store_close(c);
	ck_assert_int_eq(stub.alive, 1);
}
END_TEST

START_TEST(a_store_outlives_its_registry)
{
	struct store *store;

	accept(main_only);
	store = get("main");
	store_registry_close(registry);
	registry = NULL;
	ck_assert_int_eq(stub.alive, 1);
	ck_assert_str_eq(store_backend_name(store), "stubborn");
	store_close(store);
	ck_assert_int_eq(stub.alive, 0);
}
END_TEST

START_TEST(raw_keys_are_an_instance_of_their_own)
{
	const struct store_open_options raw = { .raw_keys = true };
	struct store *a, *b = NULL;

	accept(main_only);
	a = get("main");
	ck_assert_int_eq(store_registry_get(registry, "main", &raw, &b, &error),
			 STORE_OK);
	ck_assert_int_eq(stub.opened, 2);
	store_close(a);
	store_close(b);
}
END_TEST

START_TEST(options_of_one_store_are_not_shared)
{
	static const char *const pairs[] = { "bucket=other", "port=5", NULL };
	static const char *const wrong[] = { "prot=5", NULL };
	static const char *const secret[] = { "password=hunter2", NULL };
	struct store_open_options options = { .options = pairs };
	struct store *store = NULL;

	accept(main_only);
	ck_assert_int_eq(
		store_registry_get(registry, "main", &options, &store, &error),
		STORE_OK);
	ck_assert_str_eq(stub.bucket, "other");
	store_close(store);
	ck_assert_int_eq(stub.alive, 0);
	store_close(get("main"));
	ck_assert_str_eq(stub.bucket, "b");
	store = NULL;
	options.options = wrong;
	ck_assert_int_eq(
		store_registry_get(registry, "main", &options, &store, &error),
		STORE_INVALID);
	says("unknown option 'prot' of a stubborn store, did you mean 'port'?");
	options.options = secret;
	ck_assert_int_eq(
		store_registry_get(registry, "main", &options, &store, &error),
		STORE_INVALID);
	says("set 'password' in a [backends.NAME] section");
	ck_assert_ptr_null(strstr(error.message, "hunter2"));
	ck_assert_ptr_null(store);
}
END_TEST

START_TEST(an_unknown_store_suggests_the_nearest)
{
	accept("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "[stores.reports]\nbackend = main\n");
	get_fails("reprots", STORE_NOT_FOUND, "did you mean 'reports'?");
	get_fails("other", STORE_NOT_FOUND, "no store 'other' in ");
	ck_assert_int_eq(registry_check_name(registry, "reports", &error),
			 STORE_OK);
	ck_assert_int_eq(registry_check_name(registry, "reprots", &error),
			 STORE_NOT_FOUND);
	says("did you mean 'reports'?");
}
END_TEST

START_TEST(opening_may_fail_and_be_tried_again)
{
	accept(main_only);
	stub.fail_with = STORE_DENIED;
	get_fails("main", STORE_DENIED, "store 'main': ");
	says("the stub fails");
	get_fails("main", STORE_DENIED, "the stub fails");
	ck_assert_int_eq(stub.opened, 2);
	stub.fail_with = STORE_OK;
	store_close(get("main"));
}
END_TEST

enum { RACERS = 8 };

static void *race(void *arg)
{
	struct store *store = NULL;
	struct store_error own = STORE_ERROR_INIT;
	int *code = arg;

	*code = store_registry_get(registry, "main", NULL, &store, &own);
	if (*code && *code != own.code)
		*code = STORE_INTERNAL;
	store_close(store);
	return NULL;
}

static unsigned int waiting(void)
{
	struct registry_slot *slot = &registry->backends[0].slots[false];
	unsigned int count;

	lock_take(&slot->lock);
	count = slot->waiting;
	lock_drop(&slot->lock);
	return count;
}

/* One opens, and is let go when all others wait for it. */
static void race_all(int *codes)
{
	pthread_t threads[RACERS];

	stub.gate = true;
	for (int i = 0; i < RACERS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, race, &codes[i]), 0);
	while (waiting() < RACERS - 1)
		sched_yield();
	lock_take(&stub.lock);
	stub.gate = false;
	condition_broadcast(&stub.changed);
	lock_drop(&stub.lock);
	for (int i = 0; i < RACERS; i++)
		pthread_join(threads[i], NULL);
}

START_TEST(many_ask_and_one_opens)
{
	int codes[RACERS];

	accept(main_only);
	race_all(codes);
	for (int i = 0; i < RACERS; i++)
		ck_assert_int_eq(codes[i], STORE_OK);
	ck_assert_int_eq(stub.opened, 1);
	ck_assert_int_eq(stub.alive, 1);
}
END_TEST

START_TEST(who_waits_for_a_failure_gets_it)
{
	int codes[RACERS];

	accept(main_only);
	stub.fail_with = STORE_DENIED;
	race_all(codes);
	for (int i = 0; i < RACERS; i++)
		ck_assert_int_eq(codes[i], STORE_DENIED);
	ck_assert_int_eq(stub.opened, 1);
	ck_assert_int_eq(stub.alive, 0);
}
END_TEST

/* ---- explaining ---- */

static void note(void *arg, const char *section, const char *key,
		 const char *value, const char *source)
{
	const char *base = strrchr(source, '/');

	buf_addf(arg, "%s.%s=%s (%s)\n", section, key, value,
		 base ? base + 1 : source);
}

START_TEST(effective_values_are_told_with_their_source_and_masked)
{
	struct buf out CLEANUP_BUF = BUF_INIT(65536);

	setenv("STOREFS_T1", "from-outside", 1);
	accept("[backends.main]\ntype = stubborn\nbucket = ${STOREFS_T1}\n"
	       "pass = hunter2\nendpoint = http://me:hunter2@h/\n"
	       "retry = { timeout = 10 }\n"
	       "[backends.cloud]\ntype = s3\nsecret = hunter2\n"
	       "connection = http://me:hunter2@h/\n"
	       "[stores.x]\nbackend = main\nroot_path = a//b\n"
	       "[mounts.x]\ncommit = background\nsas_token = hunter2\n");
	store_registry_explain(registry, note, &out);
	ck_assert_str_eq(
		buf_text(&out),
		"backends.main.type=stubborn (f.ini:2)\n"
		"backends.main.bucket=from-outside (environment STOREFS_T1)\n"
		"backends.main.port=22 (default)\n"
		"backends.main.password=*** (f.ini:4)\n"
		"backends.main.endpoint=http://me:***@h/ (f.ini:5)\n"
		"backends.main.retry_max_attempts=3 (default)\n"
		"backends.main.retry_backoff_base=1 (default)\n"
		"backends.main.retry_backoff_max=60 (default)\n"
		"backends.main.retry_jitter=1 (default)\n"
		"backends.main.retry_timeout=10 (f.ini:6)\n"
		"backends.cloud.type=s3 (f.ini:8)\n"
		"backends.cloud.secret=*** (f.ini:9)\n"
		"backends.cloud.connection=http://me:***@h/ (f.ini:10)\n"
		"stores.cloud.backend=cloud (default)\n"
		"stores.cloud.root_path= (default)\n"
		"stores.main.backend=main (default)\n"
		"stores.main.root_path= (default)\n"
		"stores.x.backend=main (f.ini:12)\n"
		"stores.x.root_path=a/b (f.ini:13)\n"
		"mounts.x.commit=background (f.ini:15)\n"
		"mounts.x.sas_token=*** (f.ini:16)\n");
}
END_TEST

static int note_mount(void *arg, const char *name, const char *value,
		      const char *source, struct store_error *failure)
{
	if (!strcmp(name, "stop"))
		return store_error_set(failure, STORE_INVALID, "%s: stopped",
				       source);
	buf_addf(arg, "%s=%s %s\n", name, value, strrchr(source, '/') + 1);
	return STORE_OK;
}

START_TEST(options_of_a_mount_come_raw_and_in_order)
{
	struct buf out CLEANUP_BUF = BUF_INIT(65536);

	accept("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "[mounts.main]\nuid = 5\ncommit = \"close\"\n");
	ck_assert_int_eq(registry_each_mount_option(registry, "main",
						    note_mount, &out, &error),
			 STORE_OK);
	ck_assert_str_eq(buf_text(&out), "uid=5 f.ini:5\n"
					 "commit=close f.ini:6\n");
	buf_clear(&out);
	ck_assert_int_eq(registry_each_mount_option(registry, "other",
						    note_mount, &out, &error),
			 STORE_OK);
	ck_assert_str_eq(buf_text(&out), "");
	accept("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "[mounts.main]\nstop = 5\nb = 1\n");
	ck_assert_int_eq(registry_each_mount_option(registry, "main",
						    note_mount, &out, &error),
			 STORE_INVALID);
	says("f.ini:5: stopped");
}
END_TEST

/* ---- URLs ---- */

static int open_url(const char *url, const struct store_open_options *options)
{
	struct store *store = NULL;
	int code;

	store_error_clear(&error);
	code = store_open_url(url, options, &store, &error);
	ck_assert_int_eq(!code, !!store);
	store_close(store);
	return code;
}

START_TEST(a_url_opens_a_store)
{
	ck_assert_int_eq(
		open_url("stub://data?port=7&retry_max_attempts=1", NULL),
		STORE_OK);
	ck_assert_str_eq(stub.bucket, "data");
	ck_assert_int_eq(open_url("STUBS://da%74b", NULL), STORE_OK);
	ck_assert_str_eq(stub.bucket, "datb");
	ck_assert_int_eq(open_url("sqlite:", NULL), STORE_OK);
	ck_assert_int_eq(open_url("sqlite:///", NULL), STORE_OK);
	ck_assert_int_eq(stub.opened, 4);
}
END_TEST

START_TEST(mistakes_in_urls_are_named)
{
	ck_assert_int_eq(open_url("plain", NULL), STORE_INVALID);
	ck_assert_int_eq(open_url("stbu://x", NULL), STORE_INVALID);
	says("unknown URL scheme 'stbu', did you mean 'stub'?");
	ck_assert_int_eq(open_url("s3://bucket", NULL), STORE_NOT_SUPPORTED);
	ck_assert_int_eq(open_url("stub://d?prt=1", NULL), STORE_INVALID);
	says("URL: unknown option 'prt' of a stubborn store, did you mean "
	     "'port'?");
	ck_assert_int_eq(open_url("stub://d?port=0", NULL), STORE_INVALID);
	says("URL: port = '0': out of range");
	ck_assert_int_eq(open_url("stub://", NULL), STORE_INVALID);
	says("option bucket is missing");
	ck_assert_int_eq(open_url("sqlite:///x", NULL), STORE_INVALID);
	says("takes neither host nor path");
	ck_assert_int_eq(stub.opened, 0);
}
END_TEST

START_TEST(secrets_in_urls_need_permission)
{
	const struct store_open_options allow = { .allow_secrets = true };

	ck_assert_int_eq(open_url("stub://me:hunter2@d", NULL), STORE_INVALID);
	says("set 'password' in a [backends.NAME] section");
	ck_assert_ptr_null(strstr(error.message, "hunter2"));
	ck_assert_int_eq(open_url("stub://d?password=hunter2", NULL),
			 STORE_INVALID);
	says("set 'password' in a [backends.NAME] section");
	ck_assert_ptr_null(strstr(error.message, "hunter2"));
	ck_assert_int_eq(open_url("stub://d?p%61ss=hunter2", NULL),
			 STORE_INVALID);
	ck_assert_int_eq(stub.opened, 0);
	ck_assert_int_eq(open_url("stub://me:hunter2@d", &allow), STORE_OK);
	ck_assert_str_eq(stub.password, "hunter2");
	ck_assert_int_eq(open_url("stub://d?pass=hunter3", &allow), STORE_OK);
	ck_assert_str_eq(stub.password, "hunter3");
}
END_TEST

START_TEST(pairs_come_after_the_url)
{
	static const char *const pairs[] = { "bucket=x=y", "port=5", NULL };
	static const char *const bare[] = { "bucket", NULL };
	struct store_open_options options = { .options = pairs };

	ck_assert_int_eq(open_url("stub://d?port=7", &options), STORE_OK);
	ck_assert_str_eq(stub.bucket, "x=y");
	options.options = bare;
	ck_assert_int_eq(open_url("stub://d", &options), STORE_INVALID);
	says("bucket needs a value");
}
END_TEST

int main(void)
{
	TCase *test = tcase_create("registry-open");

	tcase_add_checked_fixture(test, begin, end);
	tcase_add_test(test, a_backend_is_opened_when_asked_for_and_once);
	tcase_add_test(test, a_store_outlives_its_registry);
	tcase_add_test(test, raw_keys_are_an_instance_of_their_own);
	tcase_add_test(test, options_of_one_store_are_not_shared);
	tcase_add_test(test, an_unknown_store_suggests_the_nearest);
	tcase_add_test(test, opening_may_fail_and_be_tried_again);
	tcase_add_test(test, many_ask_and_one_opens);
	tcase_add_test(test, who_waits_for_a_failure_gets_it);
	tcase_add_test(test,
		       effective_values_are_told_with_their_source_and_masked);
	tcase_add_test(test, options_of_a_mount_come_raw_and_in_order);
	tcase_add_test(test, a_url_opens_a_store);
	tcase_add_test(test, mistakes_in_urls_are_named);
	tcase_add_test(test, secrets_in_urls_need_permission);
	tcase_add_test(test, pairs_come_after_the_url);
	return unit_run("registry-open", test);
}
