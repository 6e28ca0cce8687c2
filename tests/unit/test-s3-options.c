// SPDX-License-Identifier: MIT
/*
 * Options of the S3 store on a strict server: what goes with new objects, who
 * pays, who need not sign, and what no configuration can mean.
 */
#include "config.h"

#include "tests/unit/s3_place.h"
#include "tests/unit/unit.h"

enum { SIZE = 1000, BIG = 23 << 20 };

static unsigned char bytes[BIG];

static void setup(void)
{
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
	place_begin();
	fake_told("simulate bucket 0");
}

static int put(const char *key, size_t size, struct store_resume *resume)
{
	const struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.resume = resume,
	};
	struct store_memory_source source;

	store_error_clear(&error);
	return store_write(store, NULL, key,
			   store_memory_source_init(&source, bytes, size),
			   &options, NULL, &error);
}

static int get(const char *key, size_t size)
{
	size_t got = 0;
	void *data = NULL;
	int code = store_read_all(store, NULL, key, BIG, &data, &got, &error);

	if (!code) {
		ck_assert_uint_eq(got, size);
		ck_assert_mem_eq(data, bytes, size);
	}
	free(data);
	return code;
}

static int list(size_t *count)
{
	struct store_listing *listing = NULL;
	const struct store_entry *entry = NULL;
	int code = store_list(store, NULL, "", NULL, &listing, &error);

	for (*count = 0; !code; (*count)++) {
		code = store_listing_next(listing, NULL, &entry, &error);
		if (code || !entry)
			break;
	}
	store_listing_close(listing);
	return code;
}

/* ---- what goes with new objects ---- */

static void expect_shown(const char *object, const char *const *lines)
{
	char line[128];

	snprintf(line, sizeof(line), "show bucket/%s", object);
	fake_told(line);
	for (; *lines; lines++)
		ck_assert_msg(strstr(buf_text(&place.answer), *lines),
			      "%s without %s:\n%s", object, *lines,
			      buf_text(&place.answer));
}

static void change_and_copy(void)
{
	const struct store_attributes attributes = {
		.mask = STORE_ATTR_MODE,
		.mode = 0640,
	};

	ck_assert_int_eq(put("small", SIZE, NULL), STORE_OK);
	ck_assert_int_eq(put("large", BIG, NULL), STORE_OK);
	ck_assert_int_eq(
		store_copy(store, NULL, "small", "copied", 0, NULL, &error),
		STORE_OK);
	ck_assert_int_eq(store_copy(store, NULL, "large", "copied-large", 0,
				    NULL, &error),
			 STORE_OK);
	ck_assert_int_eq(store_move(store, NULL, "copied", "moved", 0, NULL,
				    NULL, &error),
			 STORE_OK);
	ck_assert_int_eq(put("changed", SIZE, NULL), STORE_OK);
	ck_assert_int_eq(store_set_attributes(store, NULL, "changed",
					      &attributes, NULL, &error),
			 STORE_OK);
	ck_assert_int_eq(
		store_make_folder(store, NULL, "folder", NULL, NULL, &error),
		STORE_OK);
}

static void expect_all_with(const char *options, const char *const *lines)
{
	static const char *const names[] = { "small",	"large",
					     "moved",	"copied-large",
					     "changed", "folder/" };
	char all[256];

	snprintf(all, sizeof(all), "&single_max=5M&part_size=5M&copy_max=20M%s",
		 options);
	store = place_open("bucket", all);
	change_and_copy();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		expect_shown(names[i], lines);
	ck_assert_int_eq(get("moved", SIZE), STORE_OK);
	ck_assert_int_eq(get("copied-large", BIG), STORE_OK);
	ck_assert_int_eq(get("changed", SIZE), STORE_OK);
	fake_told("uploads");
	ck_assert_str_eq(buf_text(&place.answer), "");
}

START_TEST(every_new_object_has_the_storage_class)
{
	static const char *const lines[] = {
		"x-amz-storage-class: STANDARD_IA\r\n", NULL
	};

	expect_all_with("&storage_class=STANDARD_IA", lines);
}
END_TEST

START_TEST(every_new_object_is_encrypted_by_the_key_of_the_server)
{
	static const char *const lines[] = {
		"x-amz-server-side-encryption: AES256\r\n", NULL
	};

	expect_all_with("&sse=AES256", lines);
}
END_TEST

START_TEST(every_new_object_is_encrypted_by_a_managed_key)
{
	static const char *const lines[] = {
		"x-amz-server-side-encryption: aws:kms\r\n",
		"x-amz-server-side-encryption-aws-kms-key-id: my-key\r\n", NULL
	};

	expect_all_with("&sse=aws:kms&sse_kms_key_id=my-key", lines);
}
END_TEST

START_TEST(what_the_server_does_not_know_is_told)
{
	store = place_open("bucket", "&storage_class=COLD");
	ck_assert_int_eq(put("k", SIZE, NULL), STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, "InvalidStorageClass"));
	store_close(store);
	store = place_open("bucket", "&sse=rot13");
	ck_assert_int_eq(put("k", SIZE, NULL), STORE_INVALID);
}
END_TEST

/* ---- uploads that go on ---- */

static int note_nothing(struct store_resume *resume, struct store_error *own)
{
	(void)resume;
	(void)own;
	return STORE_OK;
}

/* The fourth part does not arrive; then only what is missing is sent. */
static void expect_to_go_on(const char *options)
{
	struct store_resume resume = { .note = note_nothing };
	char all[256];

	snprintf(all, sizeof(all),
		 "&single_max=5M&part_size=5M&retry_max_attempts=1%s", options);
	store = place_open("bucket", all);
	proxy_told("fault reset-request verb=PUT target=*partNumber=4* "
		   "at=1000 count=0");
	ck_assert_int_eq(put("k", BIG, &resume), STORE_UNAVAILABLE);
	proxy_told("clear");
	proxy_told("forget");
	ck_assert_int_eq(put("k", BIG, &resume), STORE_OK);
	ck_assert_int_eq(proxy_requests("verb=PUT target=*partNumber=1*"), 0);
	ck_assert_int_eq(proxy_requests("verb=PUT target=*partNumber=2*"), 0);
	ck_assert_int_eq(proxy_requests("verb=PUT target=*partNumber=3*"), 0);
	ck_assert_int_eq(proxy_requests("verb=PUT target=*partNumber=4*"), 1);
	ck_assert_int_eq(get("k", BIG), STORE_OK);
}

START_TEST(an_upload_goes_on_by_every_kind_of_sum)
{
	static const char *const kinds[] = { "", "&checksum=md5",
					     "&checksum=crc32c",
					     "&checksum=sha256" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (store)
			store_close(store);
		expect_to_go_on(kinds[i]);
	}
}
END_TEST

/* There the ETag of a part is no MD5. */
START_TEST(an_upload_goes_on_where_a_managed_key_encrypts)
{
	expect_to_go_on("&sse=aws:kms");
	store_close(store);
	expect_to_go_on("&sse=aws:kms&checksum=sha256");
}
END_TEST

/* ---- who asks ---- */

START_TEST(who_pays_says_so_with_every_request)
{
	size_t count;

	fake_told("payer bucket");
	store = place_open("bucket", "");
	ck_assert_int_eq(put("k", SIZE, NULL), STORE_DENIED);
	store_close(store);
	store = place_open("bucket", "&requester_pays=true&single_max=5M"
				     "&part_size=5M&copy_max=20M");
	change_and_copy();
	ck_assert_int_eq(get("small", SIZE), STORE_OK);
	ck_assert_int_eq(list(&count), STORE_OK);
	ck_assert_uint_eq(count, 6);
	ck_assert_int_eq(store_delete(store, NULL, "small", false, &error),
			 STORE_OK);
}
END_TEST

START_TEST(what_is_public_is_read_without_keys)
{
	size_t count;

	store = place_open("bucket", "");
	ck_assert_int_eq(put("k", SIZE, NULL), STORE_OK);
	store_close(store);
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	store = place_open("bucket", "&anonymous=true");
	ck_assert_int_eq(get("k", SIZE), STORE_DENIED);
	fake_told("public bucket");
	ck_assert_int_eq(get("k", SIZE), STORE_OK);
	ck_assert_int_eq(list(&count), STORE_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(put("k", SIZE, NULL), STORE_DENIED);
	ck_assert_int_eq(store_delete(store, NULL, "k", false, &error),
			 STORE_DENIED);
	ck_assert_int_eq(get("k", SIZE), STORE_OK);
}
END_TEST

/* ---- what cannot be meant ---- */

START_TEST(what_cannot_be_meant_is_refused)
{
	static const struct {
		const char *options;
		const char *says;
	} cases[] = {
		{ "sse_kms_key_id=k", "sse_kms_key_id" },
		{ "sse=AES256&sse_kms_key_id=k", "sse_kms_key_id" },
		{ "anonymous=true&profile=p", "profile" },
		{ "anonymous=true&requester_pays=true", "requester_pays" },
		{ "tls_client_key=/k", "tls_client_cert" },
		{ "addressing_style=virtual&endpoint_url=http://127.0.0.1:1",
		  "127.0.0.1:1" },
		{ "addressing_style=virtual&endpoint_url=http://[::1]:1",
		  "[::1]:1" },
	};
	struct store *made = NULL;
	char url[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(url, sizeof(url), "s3://bucket?%s", cases[i].options);
		store_error_clear(&error);
		ck_assert_msg(store_open_url(url, NULL, &made, &error) ==
				      STORE_INVALID,
			      "%s", cases[i].options);
		ck_assert_msg(strstr(error.message, cases[i].says), "%s: %s",
			      cases[i].options, error.message);
	}
	snprintf(url, sizeof(url), "s3://my_bucket?addressing_style=virtual");
	ck_assert_int_eq(store_open_url(url, NULL, &made, &error),
			 STORE_INVALID);
	ck_assert_ptr_nonnull(strstr(error.message, "my_bucket"));
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-options");

	tcase_add_checked_fixture(tests, setup, place_end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, every_new_object_has_the_storage_class);
	tcase_add_test(tests,
		       every_new_object_is_encrypted_by_the_key_of_the_server);
	tcase_add_test(tests, every_new_object_is_encrypted_by_a_managed_key);
	tcase_add_test(tests, what_the_server_does_not_know_is_told);
	tcase_add_test(tests, an_upload_goes_on_by_every_kind_of_sum);
	tcase_add_test(tests, an_upload_goes_on_where_a_managed_key_encrypts);
	tcase_add_test(tests, who_pays_says_so_with_every_request);
	tcase_add_test(tests, what_is_public_is_read_without_keys);
	tcase_add_test(tests, what_cannot_be_meant_is_refused);
	return unit_run("s3-options", tests);
}
