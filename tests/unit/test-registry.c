// SPDX-License-Identifier: MIT
/*
 * The registry and stores by URL, over a stub backend that counts what is
 * asked of it.  Defines the lists of backends itself.
 */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/sync.h"
#include "src/config/find.h"
#include "src/config/registry.h"

/* ---- the stub ---- */

static struct {
	struct lock lock;
	struct condition changed;
	int alive; /* instances that were configured and not closed */
	int opened;
	bool gate;     /* opening waits until it is lifted */
	int fail_with; /* what opening fails with */
	char bucket[256];
	char password[64];
	struct store_retry_policy retry;
} stub;

static const struct store_option stub_options[] = {
	{ .name = "bucket", .type = OPTION_TEXT, .flags = OPTION_REQUIRED },
	{ .name = "port",
	  .type = OPTION_INTEGER,
	  .fallback = "22",
	  .minimum = 1,
	  .maximum = 65535 },
	{ .name = "password",
	  .type = OPTION_TEXT,
	  .aliases = "pass",
	  .flags = OPTION_SECRET },
	{ .name = "endpoint", .type = OPTION_TEXT },
	{ .name = "hidden", .type = OPTION_TEXT, .flags = OPTION_HIDDEN },
	{ .name = NULL },
};

static int stub_from_url(const struct store_url *url,
			 struct option_values *values, const char *source,
			 struct store_error *error)
{
	int code = STORE_OK;

	if (url->host[0])
		code = option_values_set(values, "bucket", url->host, source,
					 error);
	if (!code && url->password)
		code = option_values_set(values, "password", url->password,
					 source, error);
	return code;
}

static int stub_configure(const struct option_values *values, void **self,
			  struct store_error *error)
{
	const char *bucket = option_text(values, "bucket");
	const char *password = option_text(values, "password");

	if (!strcmp(bucket, "bad"))
		return store_error_set(error, STORE_INVALID,
				       "no bucket is called that");
	lock_take(&stub.lock);
	stub.alive++;
	snprintf(stub.bucket, sizeof(stub.bucket), "%s", bucket);
	snprintf(stub.password, sizeof(stub.password), "%s",
		 password ? password : "");
	lock_drop(&stub.lock);
	*self = &stub;
	return STORE_OK;
}

static int stub_open(void *self, struct store_context *context,
		     struct store_error *error)
{
	int code;

	(void)self;
	(void)context;
	lock_take(&stub.lock);
	stub.opened++;
	condition_broadcast(&stub.changed);
	while (stub.gate)
		condition_wait(&stub.changed, &stub.lock);
	code = stub.fail_with;
	lock_drop(&stub.lock);
	if (code)
		return store_error_set(error, code, "the stub fails");
	return STORE_OK;
}

static void stub_close(void *self)
{
	(void)self;
	lock_take(&stub.lock);
	stub.alive--;
	lock_drop(&stub.lock);
}

static const char *const stub_schemes[] = { "stub", "stubs", NULL };
static const struct store_backend stub_backend = {
	.name = "stubborn",
	.schemes = stub_schemes,
	.options = stub_options,
	.from_url = stub_from_url,
	.configure = stub_configure,
	.open = stub_open,
	.close = stub_close,
};

/* Without options and URL parts. */
static int plain_configure(const struct option_values *values, void **self,
			   struct store_error *error)
{
	(void)values;
	(void)error;
	lock_take(&stub.lock);
	stub.alive++;
	lock_drop(&stub.lock);
	*self = &stub;
	return STORE_OK;
}

static const char *const plain_schemes[] = { "sqlite", NULL };
static const struct store_backend plain_backend = {
	.name = "sqlite",
	.schemes = plain_schemes,
	.configure = plain_configure,
	.open = stub_open,
	.close = stub_close,
};

const struct store_backend *const store_backends[] = { &stub_backend,
						       &plain_backend, NULL };
const char *const store_backends_left_out[] = {
	"sftp: configure with --with-sftp=yes", NULL
};

/* ---- helpers ---- */

static struct store_registry *registry;
static struct store_error error;
static char folder[64];
static char path[128];

static void begin(void)
{
	lock_init(&stub.lock);
	condition_init(&stub.changed);
	snprintf(folder, sizeof(folder), "/tmp/storefs-registry-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/f.ini", folder);
	store_error_clear(&error);
	unsetenv("STOREFS_CONFIG");
}

static void end(void)
{
	store_registry_close(registry);
	registry = NULL;
	unlink(path);
	rmdir(folder);
	ck_assert_int_eq(stub.alive, 0);
}

static int open_mode(const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	fputs(text, file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
	store_registry_close(registry);
	registry = NULL;
	store_error_clear(&error);
	return store_registry_open(path, &registry, &error);
}

static void accept(const char *text)
{
	int code = open_mode(text, 0600);

	ck_assert_msg(code == STORE_OK, "%s\n%s", text, error.message);
}

static void says(const char *part)
{
	ck_assert_msg(strstr(error.message, part) != NULL, "'%s' is not in: %s",
		      part, error.message);
}

static void refuse_mode(const char *text, mode_t mode, int expected,
			const char *part)
{
	int code = open_mode(text, mode);

	ck_assert_msg(code == expected, "%d for:\n%s", code, text);
	ck_assert_ptr_null(registry);
	says(part);
	ck_assert_int_eq(stub.alive, 0);
}

static void refuse(const char *text, const char *part)
{
	refuse_mode(text, 0600, STORE_INVALID, part);
}

static struct store *get(const char *name)
{
	struct store *store = NULL;
	int code = store_registry_get(registry, name, NULL, &store, &error);

	ck_assert_msg(code == STORE_OK, "%s: %s", name, error.message);
	return store;
}

static void get_fails(const char *name, int expected, const char *part)
{
	struct store *store = NULL;

	store_error_clear(&error);
	ck_assert_int_eq(
		store_registry_get(registry, name, NULL, &store, &error),
		expected);
	ck_assert_ptr_null(store);
	says(part);
}

static const char *const main_only = "[backends.main]\n"
				     "type = stubborn\n"
				     "bucket = b\n";

/* ---- loading ---- */

START_TEST(an_empty_file_is_a_registry_without_stores)
{
	size_t count = 7;

	accept("");
	ck_assert_ptr_null(store_registry_names(registry, &count)[0]);
	ck_assert_uint_eq(count, 0);
	ck_assert_str_eq(store_registry_path(registry), path);
	get_fails("x", STORE_NOT_FOUND, "no store 'x' in ");
}
END_TEST

START_TEST(names_are_sorted_and_backends_are_stores)
{
	const char *const *names;
	size_t count;

	accept("[backends.zeta]\ntype = stubborn\nbucket = b\n"
	       "[stores.mid]\nbackend = zeta\nroot_path = a/b\n"
	       "[backends.alpha]\ntype = stubborn\nbucket = c\n"
	       "[stores.alpha]\nbackend = alpha\nroot_path = x\n"
	       "[backends.stub]\ntype = stubborn\nbucket = d\n");
	names = store_registry_names(registry, &count);
	ck_assert_uint_eq(count, 3);
	ck_assert_str_eq(names[0], "alpha");
	ck_assert_str_eq(names[1], "mid");
	ck_assert_str_eq(names[2], "zeta");
	ck_assert_ptr_null(names[3]);
	ck_assert_ptr_eq(store_registry_names(registry, NULL), names);
}
END_TEST

START_TEST(the_form_of_remote_store_is_read)
{
	struct store *store;

	accept("[tool.remote-store.backends.main]\n"
	       "type = \"stubborn\" # comment\n"
	       "options = { bucket = \"data\", port = 2_222 }\n"
	       "retry = { max_attempts = 5, backoff_base = 0.5, "
	       "backoff_max = 60.0, jitter = 1.0, timeout = 10 }\n"
	       "[tool.remote-store.stores.reports]\n"
	       "backend = \"main\"\nroot_path = \"reports\"\noptions = {}\n");
	store = get("reports");
	ck_assert_str_eq(stub.bucket, "data");
	store_close(store);
}
END_TEST

START_TEST(mistakes_in_backends_are_named)
{
	refuse("[backends.main]\n", "f.ini:1: [backends.main]: 'type' is "
				    "missing");
	refuse("[backends.main]\ntype = stubbron\n",
	       "f.ini:2: [backends.main]: unknown type 'stubbron', did you "
	       "mean 'stubborn'?");
	refuse("[backends.main]\ntype = stubborn\n",
	       "f.ini:1: [backends.main]: option bucket is missing");
	refuse("[backends.main]\ntype = stubborn\nbuckte = x\n",
	       "f.ini:3: unknown option 'buckte' of a stubborn store, did you "
	       "mean 'bucket'?");
	refuse("[backends.main]\ntype = stubborn\nbucket = b\nport = x\n",
	       "f.ini:4: port = 'x': expected a whole number");
	refuse("[backends.main]\ntype = stubborn\nbucket = bad\n",
	       "f.ini:1: [backends.main]: no bucket is called that");
	refuse("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "retry = { max_atempts = 1 }\n",
	       "did you mean 'retry_max_attempts'?");
	refuse("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "retry = { max_attempts = 0 }\n",
	       "f.ini:4: retry_max_attempts = '0': out of range");
	refuse("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "retry_jitter = 1.5\n",
	       "f.ini:4: retry_jitter = '1.5': out of range, allowed is 0 to "
	       "1");
}
END_TEST

START_TEST(an_option_set_twice_names_both_lines)
{
	refuse("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "options = { bucket = \"c\" }\n",
	       "f.ini:4: backends.main.bucket was set at ");
	says("f.ini:3 already");
	refuse("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "password = x\npass = y\n",
	       "f.ini:5: backends.main.password was set at ");
	refuse("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "retry_timeout = 1\nretry = { timeout = 2 }\n",
	       "f.ini:5: backends.main.retry_timeout was set at ");
}
END_TEST

START_TEST(mistakes_in_stores_are_named)
{
	struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "[stores.x]\n", "f.ini:4: [stores.x]: 'backend' is missing" },
		{ "[stores.x]\nbackend = mian\n",
		  "f.ini:5: [stores.x]: there is no [backends.mian], did you "
		  "mean 'main'?" },
		{ "[stores.x]\nbackend = main\nroot = x\n",
		  "f.ini:6: unknown option 'root' of a store" },
		{ "[stores.x]\nbackend = main\nrootpath = x\n",
		  "did you mean 'root_path'?" },
		{ "[stores.x]\nbackend = main\nroot_path = a/../b\n",
		  "f.ini:6: stores.x.root_path: " },
		{ "[stores.x]\nbackend = main\noptions = { a = 1 }\n",
		  "f.ini:6: stores.x.options: a store has no options" },
		{ "[stores.sqlite]\nbackend = main\n",
		  "f.ini:4: 'sqlite' is the scheme of URLs" },
		{ "[stores.s3]\nbackend = main\n",
		  "f.ini:4: 's3' is the scheme of URLs" },
		{ "[mounts.mian]\n",
		  "f.ini:4: [mounts.mian]: there is no store of this name, "
		  "did you mean 'main'?" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), "%s%s", main_only, cases[i].text);
		refuse(text, cases[i].message);
	}
}
END_TEST

START_TEST(an_absent_file_is_an_error_only_when_named)
{
	ck_assert_int_eq(
		store_registry_open("/nonexistent/x", &registry, &error),
		STORE_NOT_FOUND);
	says("/nonexistent/x");
	setenv("HOME", folder, 1);
	unsetenv("XDG_CONFIG_HOME");
	if (access("/etc/storefs/storefs.ini", F_OK) == 0)
		return;
	ck_assert_int_eq(store_registry_open(NULL, &registry, &error),
			 STORE_OK);
	ck_assert_ptr_null(store_registry_path(registry));
	get_fails("x", STORE_NOT_FOUND, "there is no configuration file");
}
END_TEST

/* ---- secrets ---- */

START_TEST(a_secret_in_a_shared_file_is_denied)
{
	static const char *const secrets[] = {
		"password = hunter2\n",
		"pass = hunter2\n",
		"options = { password = \"hunter2\" }\n",
		"password = ${STOREFS_NONE:-hunter2}\n",
		"endpoint = http://me:hunter2@host/\n",
		"endpoint = http://host/?sig=hunter2\n",
	};
	static const mode_t modes[] = { 0640, 0604, 0644 };

	unsetenv("STOREFS_NONE");
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		char text[512];

		snprintf(text, sizeof(text), "%s%s", main_only, secrets[i]);
		refuse_mode(text, modes[i % 3], STORE_DENIED,
			    "f.ini:4: backends.main.");
		says("is a secret");
		ck_assert_ptr_null(strstr(error.message, "hunter2"));
		accept(text);
	}
}
END_TEST

START_TEST(a_shared_file_without_secrets_is_read)
{
	char text[512];

	setenv("STOREFS_PASS", "hunter2", 1);
	snprintf(text, sizeof(text),
		 "%spassword = ${STOREFS_PASS}\nendpoint = http://host/\n",
		 main_only);
	ck_assert_int_eq(open_mode(text, 0644), STORE_OK);
	store_close(get("main"));
	ck_assert_str_eq(stub.password, "hunter2");
	snprintf(text, sizeof(text), "%spassword =\n", main_only);
	ck_assert_int_eq(open_mode(text, 0644), STORE_OK);
}
END_TEST

START_TEST(secrets_of_backends_not_in_the_build_are_guarded)
{
	static const char text[] = "[backends.b]\ntype = s3\n"
				   "options = { secret = \"hunter2\" }\n";

	refuse_mode(text, 0644, STORE_DENIED, "f.ini:3: backends.b.secret");
	accept(text);
}
END_TEST

/* ---- types and schemes ---- */

START_TEST(backends_not_in_the_build_may_stand_in_the_file)
{
	accept("[backends.main]\ntype = stubborn\nbucket = b\n"
	       "[backends.cloud]\ntype = s3\nbucket = x\n"
	       "[backends.far]\ntype = sftp\nhost = h\n"
	       "[backends.db]\ntype = sql-blob\n"
	       "url = postgresql://h/db\n");
	store_close(get("main"));
	get_fails("cloud", STORE_NOT_SUPPORTED,
		  "f.ini:5: [backends.cloud]: 's3' stores are not supported "
		  "by this version");
	get_fails("far", STORE_NOT_SUPPORTED,
		  "'sftp' was left out of this build: configure with "
		  "--with-sftp=yes");
	get_fails("db", STORE_NOT_SUPPORTED, "'postgresql' stores");
}
END_TEST

START_TEST(a_type_may_come_from_the_url)
{
	accept("[backends.a]\nurl = stub://data?port=99\n"
	       "[backends.b]\ntype = sql-blob\n"
	       "options = { url = \"sqlite://\" }\n");
	store_close(get("a"));
	ck_assert_str_eq(stub.bucket, "data");
	refuse("[backends.b]\ntype = sql-blob\n",
	       "f.ini:2: [backends.b]: 'url' is missing");
	refuse("[backends.b]\ntype = stubborn\nurl = sqlite:///x\n",
	       "f.ini:3: url: a stubborn store has no URLs of this scheme");
	refuse("[backends.b]\ntype = stubborn\nurl = stub://d?prt=1\n",
	       "f.ini:3: unknown option 'prt'");
}
END_TEST

START_TEST(words_for_backends_are_found)
{
	const struct store_backend *backend = NULL;

	ck_assert_int_eq(backend_find_scheme("stubs", &backend, &error),
			 STORE_OK);
	ck_assert_ptr_eq(backend, &stub_backend);
	ck_assert_int_eq(
		backend_find_scheme("sqlite+pysqlite", &backend, &error),
		STORE_OK);
	ck_assert_ptr_eq(backend, &plain_backend);
	ck_assert_int_eq(backend_find_scheme("stuv", &backend, &error),
			 STORE_INVALID);
	says("unknown URL scheme 'stuv', did you mean 'stub'?");
	ck_assert_int_eq(backend_find_scheme("s3", &backend, &error),
			 STORE_NOT_SUPPORTED);
	ck_assert_int_eq(backend_find_type("sftp", &backend, &error),
			 STORE_NOT_SUPPORTED);
	ck_assert(backend_is_scheme("stub"));
	ck_assert(backend_is_scheme("https"));
	ck_assert(!backend_is_scheme("reports"));
}
END_TEST

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

static TCase *registry_tests(void)
{
	TCase *test = tcase_create("registry");

	tcase_add_checked_fixture(test, begin, end);
	tcase_add_test(test, an_empty_file_is_a_registry_without_stores);
	tcase_add_test(test, names_are_sorted_and_backends_are_stores);
	tcase_add_test(test, the_form_of_remote_store_is_read);
	tcase_add_test(test, mistakes_in_backends_are_named);
	tcase_add_test(test, an_option_set_twice_names_both_lines);
	tcase_add_test(test, mistakes_in_stores_are_named);
	tcase_add_test(test, an_absent_file_is_an_error_only_when_named);
	tcase_add_test(test, a_secret_in_a_shared_file_is_denied);
	tcase_add_test(test, a_shared_file_without_secrets_is_read);
	tcase_add_test(test, secrets_of_backends_not_in_the_build_are_guarded);
	tcase_add_test(test, backends_not_in_the_build_may_stand_in_the_file);
	tcase_add_test(test, a_type_may_come_from_the_url);
	tcase_add_test(test, words_for_backends_are_found);
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
	return test;
}

static TCase *url_tests(void)
{
	TCase *test = tcase_create("url");

	tcase_add_checked_fixture(test, begin, end);
	tcase_add_test(test, a_url_opens_a_store);
	tcase_add_test(test, mistakes_in_urls_are_named);
	tcase_add_test(test, secrets_in_urls_need_permission);
	tcase_add_test(test, pairs_come_after_the_url);
	return test;
}

int main(void)
{
	Suite *suite = suite_create("registry");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, registry_tests());
	suite_add_tcase(suite, url_tests());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
