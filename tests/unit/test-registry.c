// SPDX-License-Identifier: MIT
/* The registry: what a file may say, whose secrets it may hold. */
#include "config.h"

#include "src/config/find.h"
#include "tests/unit/stub_store.h"
#include "tests/unit/unit.h"

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

int main(void)
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
	return unit_run("registry", test);
}
