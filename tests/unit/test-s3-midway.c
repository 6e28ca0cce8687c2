// SPDX-License-Identifier: MIT
/*
 * What changes on an S3 server while the parts of an upload are on their way:
 * keys, clocks, permissions. Some parts are stored already then.
 */
#include "config.h"

#include "tests/unit/s3_place.h"
#include "tests/unit/unit.h"

enum { PART = 5 << 20, SIZE = 23 << 20 };

static unsigned char bytes[SIZE];

/* Something is done when the bytes from `at` on are asked for. */
struct eventful {
	struct store_source source;
	uint64_t at;
	int passes; /* that go by before: bytes are summed up, then sent */
	void (*event)(void);
	bool done;
};

static int eventful_read(struct store_source *source, uint64_t offset,
			 void *data, size_t length, struct store_error *own)
{
	struct eventful *self = (struct eventful *)(void *)source;

	(void)own;
	memcpy(data, bytes + offset, length);
	if (self->done || offset > self->at || offset + length <= self->at)
		return STORE_OK;
	if (self->passes-- > 0)
		return STORE_OK;
	self->done = true;
	self->event();
	return STORE_OK;
}

static int put_while(const char *key, void (*event)(void), int passes)
{
	const struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
	};
	struct eventful eventful = {
		.source = { .size = SIZE, .read = eventful_read },
		.at = 4 * PART + 1000,
		.passes = passes,
		.event = event,
	};
	int code;

	store_error_clear(&error);
	proxy_told("forget");
	code = store_write(store, NULL, key, &eventful.source, &options, NULL,
			   &error);
	ck_assert(eventful.done);
	return code;
}

static void expect_stored(const char *key)
{
	size_t got = 0;
	void *data = NULL;

	ck_assert_int_eq(
		store_read_all(store, NULL, key, SIZE, &data, &got, &error),
		STORE_OK);
	ck_assert_uint_eq(got, SIZE);
	ck_assert_mem_eq(data, bytes, SIZE);
	free(data);
}

static void expect_no_uploads(void)
{
	fake_told("uploads");
	ck_assert_str_eq(buf_text(&place.answer), "");
}

static void setup(void)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (unsigned char)(i * 7 + (i >> 8) * 13 + (i >> 16));
	place_begin();
	fake_told("simulate bucket 0");
}

/* ---- keys ---- */

static char credentials[64];

static void write_keys(const char *name)
{
	FILE *file = fopen(credentials, "we");

	ck_assert_ptr_nonnull(file);
	fprintf(file,
		"[default]\naws_access_key_id=%s\n"
		"aws_secret_access_key=secret-%s\naws_session_token=token-%s\n",
		name, name, name);
	ck_assert_int_eq(fclose(file), 0);
}

static void open_with_keys(void)
{
	char options[256];

	snprintf(credentials, sizeof(credentials), "%s/credentials", place.dir);
	write_keys("one");
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	fake_told("key one secret-one token-one");
	fake_told("key two secret-two token-two");
	snprintf(options, sizeof(options),
		 "&single_max=5M&part_size=5M&credentials_file=%s",
		 credentials);
	store = place_open("bucket", options);
}

static void rotate(void)
{
	write_keys("two");
	fake_told("expire one");
}

static void expire(void)
{
	fake_told("expire one");
	fake_told("expire two");
}

START_TEST(keys_that_are_rotated_cost_one_request)
{
	open_with_keys();
	/*
	 * Before the fifth part is signed, and while it is sent, which the
	 * server has allowed then: the end is what comes with old keys.
	 */
	for (int passes = 0; passes < 2; passes++) {
		write_keys("one");
		fake_told("key one secret-one token-one");
		ck_assert_int_eq(put_while("k", rotate, passes), STORE_OK);
		ck_assert_int_eq(proxy_requests("verb=PUT"), 5 + !passes);
		ck_assert_int_eq(proxy_requests("verb=POST"), 2 + passes);
		expect_stored("k");
		expect_no_uploads();
		store_close(store);
		open_with_keys();
	}
	unlink(credentials);
}
END_TEST

/* Told as that, and all goes on with new ones. */
START_TEST(keys_that_end_for_good_end_the_upload)
{
	open_with_keys();
	ck_assert_int_eq(put_while("k", expire, 0), STORE_DENIED);
	ck_assert_ptr_nonnull(strstr(error.message, "ExpiredToken"));
	write_keys("three");
	fake_told("key three secret-three token-three");
	ck_assert_int_eq(put_while("k", expire, 0), STORE_OK);
	expect_stored("k");
	unlink(credentials);
}
END_TEST

/* ---- clocks ---- */

static void an_hour_ahead(void)
{
	fake_told("clock 3600");
}

static void an_hour_behind(void)
{
	fake_told("clock -3600");
}

START_TEST(a_clock_that_is_set_costs_one_request)
{
	store = place_open("bucket", "&single_max=5M&part_size=5M");
	ck_assert_int_eq(put_while("k", an_hour_ahead, 0), STORE_OK);
	ck_assert_int_eq(proxy_requests("verb=PUT"), 5 + 1);
	expect_stored("k");
	ck_assert_int_eq(put_while("n", an_hour_behind, 1), STORE_OK);
	ck_assert_int_eq(proxy_requests("verb=PUT"), 5);
	ck_assert_int_eq(proxy_requests("verb=POST"), 2 + 1);
	expect_stored("n");
	expect_no_uploads();
}
END_TEST

/* ---- permissions ---- */

static void forbid(void)
{
	fake_told("deny no/*");
}

START_TEST(a_folder_that_is_forbidden_ends_its_uploads_only)
{
	store = place_open("bucket", "&single_max=5M&part_size=5M");
	ck_assert_int_eq(put_while("no/k", forbid, 0), STORE_DENIED);
	fake_told("permit");
	ck_assert_int_eq(put_while("yes/k", forbid, 0), STORE_OK);
	expect_stored("yes/k");
	fake_told("permit");
	ck_assert_int_eq(put_while("no/k", an_hour_ahead, 0), STORE_OK);
	expect_stored("no/k");
}
END_TEST

/* ---- regions ---- */

static void move_region(void)
{
	fake_told("region eu-north-1");
}

START_TEST(a_region_that_changes_costs_one_request)
{
	store = place_open("bucket", "&single_max=5M&part_size=5M");
	ck_assert_int_eq(put_while("k", move_region, 0), STORE_OK);
	ck_assert_int_eq(proxy_requests("verb=PUT"), 5 + 1);
	expect_stored("k");
	expect_no_uploads();
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("s3-midway");

	tcase_add_checked_fixture(tests, setup, place_end);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, keys_that_are_rotated_cost_one_request);
	tcase_add_test(tests, keys_that_end_for_good_end_the_upload);
	tcase_add_test(tests, a_clock_that_is_set_costs_one_request);
	tcase_add_test(tests, a_folder_that_is_forbidden_ends_its_uploads_only);
	tcase_add_test(tests, a_region_that_changes_costs_one_request);
	return unit_run("s3-midway", tests);
}
