// SPDX-License-Identifier: MIT
/*
 * Uploads to S3 that outlive the call that began them.
 */
#include "config.h"

#include "src/base/cleanup.h"
#include "tests/conformance/factory_s3.h"

/* ---- F5: puts that go on ---- */

/* Parts of 5 MiB; a source that fails from `until` on, and counts. */
struct broken_source {
	struct store_source source;
	const unsigned char *data;
	uint64_t until;
	uint64_t read;
};

static int broken_read(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *error)
{
	struct broken_source *broken = (struct broken_source *)(void *)source;

	if (offset + length > broken->until)
		return store_error_set(error, STORE_UNAVAILABLE, "broken off");
	memcpy(data, broken->data + offset, length);
	broken->read += length;
	return STORE_OK;
}

/* Whether an upload was begun when it was noted for the first time. */
struct noting {
	struct store_resume resume; /* first */
	int notes;
	int begun_at; /* the note after which it was there, 0: none yet */
	int fail_at;  /* the note that fails */
};

static int note_token(struct store_resume *resume, struct store_error *error)
{
	struct noting *noting = (struct noting *)(void *)resume;

	ck_assert(resume->token[0]);
	noting->notes++;
	if (!noting->begun_at && conf_s3_uploads_open())
		noting->begun_at = noting->notes;
	if (noting->notes == noting->fail_at)
		return store_error_set(error, STORE_NO_SPACE, "no room");
	return STORE_OK;
}

static int put_until(struct store *store, const unsigned char *data,
		     uint64_t until, struct noting *noting, uint64_t *read)
{
	struct broken_source broken = {
		.source = { .size = BIG, .read = broken_read },
		.data = data,
		.until = until,
	};
	struct store_attributes times = {
		.mask = STORE_ATTR_MTIME,
		.mtime = { 1700000000, 5 },
	};
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.attributes = &times,
		.resume = &noting->resume,
	};
	int code;

	noting->resume.note = note_token;
	code = store_write(store, NULL, "d/r", &broken.source, &options, NULL,
			   &conf_error);
	if (read)
		*read = broken.read;
	return code;
}

/* The first four parts go together; the last one is broken. */
START_TEST(a_put_that_was_broken_off_goes_on)
{
	struct store *store = conf_s3_open("&single_max=5M&part_size=5M"
					   "&retry_max_attempts=1");
	CLEANUP_FREE unsigned char *data = conf_s3_bytes(11);
	struct noting noting = { .notes = 0 };
	struct store_info info;
	char *token;

	CONF_FAILS(STORE_UNAVAILABLE,
		   put_until(store, data, BIG - 1, &noting, NULL));
	ck_assert_int_eq(noting.notes, 2);
	ck_assert_int_eq(noting.begun_at, 2);
	ck_assert_int_eq(conf_s3_uploads_open(), 1);
	conf_expect_gone("d/r");
	token = strdup(noting.resume.token);
	/* By another process, with other settings. */
	store_close(store);
	store = conf_s3_open("&single_max=5M&part_size=7M");
	CONF_OK(put_until(store, data, BIG, &noting, NULL));
	ck_assert_int_eq(noting.notes, 2);
	ck_assert_str_eq(noting.resume.token, "");
	conf_expect_bytes("d/r", data, BIG);
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
	CONF_OK(conf_stat("d/r", &info));
	ck_assert_ptr_nonnull(strstr(info.version.token, "-5"));
	ck_assert_int_eq(info.attributes.mtime.tv_sec, 1700000000);
	/* What has ended is as good as removed. */
	CONF_OK(store_drop_upload(store, NULL, "d/r", token, &conf_error));
	conf_expect_bytes("d/r", data, BIG);
	free(token);
	store_close(store);
}
END_TEST

START_TEST(parts_with_other_bytes_are_sent_again)
{
	struct store *store = conf_s3_open("&single_max=5M&part_size=5M"
					   "&retry_max_attempts=1");
	CLEANUP_FREE unsigned char *data = conf_s3_bytes(12);
	struct noting noting = { .notes = 0 };

	CONF_FAILS(STORE_UNAVAILABLE,
		   put_until(store, data, BIG - 1, &noting, NULL));
	data[6 * MIB] ^= 1;
	CONF_OK(put_until(store, data, BIG, &noting, NULL));
	conf_expect_bytes("d/r", data, BIG);
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
	store_close(store);
}
END_TEST

START_TEST(an_upload_of_another_put_is_removed)
{
	static const uint8_t id[STORE_PUBLISH_SIZE] = { 1 };
	struct store *store = conf_s3_open("&single_max=5M&part_size=5M"
					   "&retry_max_attempts=1");
	CLEANUP_FREE unsigned char *data = conf_s3_bytes(13);
	struct noting noting = { .notes = 0 };
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.publish = id,
		.resume = &noting.resume,
	};

	CONF_FAILS(STORE_UNAVAILABLE,
		   put_until(store, data, BIG - 1, &noting, NULL));
	conf_s3_put(store, "d/r", data, BIG, &options, NULL);
	ck_assert_str_eq(noting.resume.token, "");
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
	conf_expect_bytes("d/r", data, BIG);
	store_close(store);
}
END_TEST

/* A server takes no others than those that were spoken of at its begin. */
START_TEST(an_upload_with_other_checksums_is_begun_anew)
{
	struct store *store = conf_s3_open("&single_max=5M&part_size=5M"
					   "&checksum=crc32c"
					   "&retry_max_attempts=1");
	CLEANUP_FREE unsigned char *data = conf_s3_bytes(16);
	struct noting noting = { .notes = 0 };

	CONF_FAILS(STORE_UNAVAILABLE,
		   put_until(store, data, BIG - 1, &noting, NULL));
	ck_assert_int_eq(noting.notes, 2);
	store_close(store);
	store = conf_s3_open("&single_max=5M&part_size=5M&checksum=md5");
	CONF_OK(put_until(store, data, BIG, &noting, NULL));
	ck_assert_int_eq(noting.notes, 4);
	conf_expect_bytes("d/r", data, BIG);
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
	store_close(store);
}
END_TEST

START_TEST(what_will_not_go_on_is_removed_by_its_token)
{
	struct store *store = conf_s3_open("&single_max=5M&part_size=5M"
					   "&retry_max_attempts=1");
	CLEANUP_FREE unsigned char *data = conf_s3_bytes(14);
	struct noting noting = { .notes = 0 };

	CONF_FAILS(STORE_UNAVAILABLE,
		   put_until(store, data, BIG - 1, &noting, NULL));
	for (int i = 0; i < 2; i++) {
		CONF_OK(store_drop_upload(store, NULL, "d/r",
					  noting.resume.token, &conf_error));
		ck_assert_int_eq(conf_s3_uploads_open(), 0);
	}
	/* And a put that still has it begins anew. */
	CONF_OK(put_until(store, data, BIG, &noting, NULL));
	conf_expect_bytes("d/r", data, BIG);
	CONF_FAILS(STORE_INVALID,
		   store_drop_upload(store, NULL, "d/r", "?", &conf_error));
	store_close(store);
}
END_TEST

/* The note before the beginning, and the one that has its name. */
START_TEST(what_could_not_be_noted_is_found)
{
	struct store *store = conf_s3_open("&single_max=5M&part_size=5M"
					   "&retry_max_attempts=1");
	CLEANUP_FREE unsigned char *data = conf_s3_bytes(15);
	struct noting noting = { .fail_at = 1 };
	char before[STORE_TOKEN_MAX + 1];

	CONF_FAILS(STORE_NO_SPACE, put_until(store, data, BIG, &noting, NULL));
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
	memcpy(before, noting.resume.token, sizeof(before));
	noting = (struct noting){ .fail_at = 2 };
	CONF_FAILS(STORE_NO_SPACE, put_until(store, data, BIG, &noting, NULL));
	ck_assert_int_eq(conf_s3_uploads_open(), 1);
	CONF_OK(store_drop_upload(store, NULL, "d/other", before, &conf_error));
	ck_assert_int_eq(conf_s3_uploads_open(), 1);
	CONF_OK(store_drop_upload(store, NULL, "d/r", before, &conf_error));
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
	/* One that has parts is somebody's: time alone is no proof. */
	noting = (struct noting){ .notes = 0 };
	CONF_FAILS(STORE_UNAVAILABLE,
		   put_until(store, data, BIG - 1, &noting, NULL));
	CONF_OK(store_drop_upload(store, NULL, "d/r", before, &conf_error));
	ck_assert_int_eq(conf_s3_uploads_open(), 1);
	CONF_OK(store_drop_upload(store, NULL, "d/r", noting.resume.token,
				  &conf_error));
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
	store_close(store);
}
END_TEST

/* ---- F5: what goes ahead of a put ---- */

START_TEST(parts_that_go_ahead_become_the_file)
{
	struct store *store = conf_s3_open("&single_max=5M&part_size=5M");
	CLEANUP_FREE unsigned char *data = conf_s3_bytes(17);
	struct noting noting = { .resume.note = note_token };
	struct store_write_options options = {
		.precondition.condition = STORE_IF_ANY,
		.resume = &noting.resume,
	};
	struct store_range range = { 0, 12 * MIB };
	struct store_memory_source source;
	struct store_info made, found;

	store_memory_source_init(&source, data, range.length);
	CONF_OK(store_send_ahead(store, NULL, "d/a", &source.source, &options,
				 &range, &conf_error));
	ck_assert_uint_eq(range.length, 10 * MIB);
	ck_assert_int_eq(noting.begun_at, 2);
	range = (struct store_range){ 10 * MIB, 12 * MIB };
	store_memory_source_init(&source, data, 22 * MIB);
	CONF_OK(store_send_ahead(store, NULL, "d/a", &source.source, &options,
				 &range, &conf_error));
	ck_assert_uint_eq(range.length, 10 * MIB);
	ck_assert_int_eq(conf_s3_uploads_open(), 1);
	conf_expect_gone("d/a");
	data[7 * MIB] ^= 1;
	conf_s3_put(store, "d/a", data, BIG, &options, &made);
	ck_assert_int_eq(noting.notes, 2);
	ck_assert_str_eq(noting.resume.token, "");
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
	conf_expect_bytes("d/a", data, BIG);
	CONF_OK(conf_stat("d/a", &found));
	ck_assert(store_version_equal(&made.version, &found.version));
	ck_assert_int_eq(made.attributes.mtime.tv_sec,
			 found.attributes.mtime.tv_sec);
	store_close(store);
}
END_TEST

void conf_s3_uploads(void)
{
	conf_add("F5", STORE_CAP_RESUME, a_put_that_was_broken_off_goes_on);
	conf_add("F5", STORE_CAP_RESUME, parts_with_other_bytes_are_sent_again);
	conf_add("F5", STORE_CAP_RESUME, an_upload_of_another_put_is_removed);
	conf_add("F5", STORE_CAP_RESUME,
		 an_upload_with_other_checksums_is_begun_anew);
	conf_add("F5", STORE_CAP_RESUME,
		 what_will_not_go_on_is_removed_by_its_token);
	conf_add("F5", STORE_CAP_RESUME, what_could_not_be_noted_is_found);
	conf_add("F5", STORE_CAP_RESUME, parts_that_go_ahead_become_the_file);
}
