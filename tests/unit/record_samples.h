/* SPDX-License-Identifier: MIT */
/* Records of every kind with every field in use, and how they compare. */
#ifndef STOREFS_TESTS_UNIT_RECORD_SAMPLES_H
#define STOREFS_TESTS_UNIT_RECORD_SAMPLES_H

#include <check.h>
#include <string.h>

#include "mount/record.h"
#include "src/base/clock.h"

static struct store_error error;
static struct buf frame;
static struct record back;
static char key_room[STORE_KEY_MAX + 2];

static inline void setup(void)
{
	buf_init(&frame, 1 << 26);
	back = (struct record){ .type = RECORD_DONE };
	store_error_clear(&error);
}

static inline void teardown(void)
{
	record_release(&back);
	buf_release(&frame);
}

/* ---- samples ---- */

static char key[] = "folder/name";
static char other[] = "elsewhere";
static char upload_token[] = "1 5242880 1700000000.000000001 0f2e u.1";
static char reason[] = "the store has another version";
static char name_a[] = "user.a", name_b[] = "user.\xff\x01";
static char value_a[] = "value\0with a zero";
static struct record_xattr xattrs[] = {
	{ .name = name_a, .value = value_a, .size = sizeof(value_a) },
	{ .name = name_b, .value = value_a, .size = 0 },
};
static uint64_t layers[] = { 7, 3, RECORD_ID_MAX };
static struct span present[] = { { 0, 5 }, { 6, 7 }, { 100, 110 } };
static struct span dirty[] = { { 1, 2 }, { 4, 5 }, { 100, 110 } };
static const char bytes[] = "0123456789abcdef";

static inline struct record full_file(void)
{
	struct record record = {
		.type = RECORD_FILE,
		.file = {
			.id = RECORD_ID_MAX,
			.generation = UINT64_MAX,
			.state = RECORD_FAILED,
			.code = STORE_CHANGED,
			.created = true,
			.base_exists = true,
			.base_goes = true,
			.content = true,
			.node = UINT64_MAX,
			.time = INT64_MIN,
			.base = { .weak = true, .token = "etag-1" },
			.attributes = {
				.mask = STORE_ATTR_MODE | STORE_ATTR_UID |
					STORE_ATTR_GID | STORE_ATTR_MTIME |
					STORE_ATTR_ATIME,
				.mode = 07777,
				.uid = UINT32_MAX,
				.gid = 12,
				.mtime = { .tv_sec = -5, .tv_nsec = 999999999 },
				.atime = { .tv_sec = 1 << 30, .tv_nsec = 0 },
			},
			.key = key,
			.reason = reason,
			.xattrs = xattrs,
			.xattr_count = 2,
			.layers = layers,
			.layer_count = 3,
			.sent = { { .generation = UINT64_MAX,
				    .size = INT64_MAX,
				    .mtime = { -5, 999999999 } },
				  { .size = 0, .mtime = { 1700000000, 0 } } },
			.sent_count = 2,
		},
	};

	for (size_t i = 0; i < sizeof(record.file.publish); i++)
		record.file.publish[i] = (uint8_t)(i * 17);
	return record;
}

static inline struct record bare_file(void)
{
	return (struct record){
		.type = RECORD_FILE,
		.file = { .id = 1, .state = RECORD_PENDING, .key = key },
	};
}

static inline struct record some_layer(bool carried)
{
	return (struct record){
		.type = RECORD_LAYER,
		.layer = {
			.file = 5,
			.number = 9,
			.size = 110,
			.lower_limit = 50,
			.present = { .spans = present, .count = 3 },
			.dirty = { .spans = dirty, .count = 3 },
			.data = carried ? bytes : NULL,
			.data_length = 16,
			.checksum = UINT64_C(0x0123456789abcdef),
		},
	};
}

static inline struct record some_move(enum record_type type)
{
	return (struct record){
		.type = type,
		.move = {
			.from = key,
			.to = type == RECORD_REMOVING ? NULL : other,
			.done = type == RECORD_MOVED,
			.told = type != RECORD_MOVED,
			.replaced = type == RECORD_MOVING ? 7 : 0,
			.seen = type == RECORD_MOVING,
			.size = 12345,
			.mtime = { 1700000000, 999999999 },
			.removed = type == RECORD_REMOVING ? 9 : 0,
		},
	};
}

static inline struct record some_copies(enum record_type type)
{
	return (struct record){
		.type = type,
		.copies = {
			.id = UINT64_MAX,
			.folder = true,
			.over = type == RECORD_COPIED,
			.copied = type == RECORD_COPIED,
			.from = key,
			.to = other,
		},
	};
}

static inline struct record some_upload(void)
{
	return (struct record){
		.type = RECORD_UPLOAD,
		.upload = {
			.id = 31,
			.file = RECORD_ID_MAX,
			.key = key,
			.token = upload_token,
		},
	};
}

enum { SAMPLES = 13 };

static inline struct record sample(int index)
{
	switch (index) {
	case 0:
		return full_file();
	case 1:
		return bare_file();
	case 2:
		return some_layer(true);
	case 3:
		return some_layer(false);
	case 4:
		return some_move(RECORD_MOVING);
	case 5:
		return some_move(RECORD_MOVED);
	case 6:
		return some_move(RECORD_REMOVING);
	case 7:
		return some_copies(RECORD_COPYING);
	case 8:
		return some_copies(RECORD_COPIED);
	case 9:
		return (struct record){ .type = RECORD_COPIES_SETTLED,
					.id = UINT64_MAX };
	case 10:
		return some_upload();
	case 11:
		return (struct record){ .type = RECORD_UPLOAD_ENDED,
					.id = RECORD_ID_MAX };
	default:
		return (struct record){ .type = RECORD_DONE, .id = 77 };
	}
}

/* ---- comparing ---- */

static inline void check_map(const struct rangemap *got,
			     const struct rangemap *want)
{
	ck_assert_uint_eq(got->count, want->count);
	for (size_t i = 0; i < want->count; i++) {
		ck_assert_uint_eq(got->spans[i].start, want->spans[i].start);
		ck_assert_uint_eq(got->spans[i].end, want->spans[i].end);
	}
}

static inline void check_layer(const struct record_layer *got,
			       const struct record_layer *want)
{
	ck_assert_uint_eq(got->file, want->file);
	ck_assert_uint_eq(got->number, want->number);
	ck_assert_uint_eq(got->size, want->size);
	ck_assert_uint_eq(got->lower_limit, want->lower_limit);
	ck_assert_uint_eq(got->checksum, want->checksum);
	ck_assert_uint_eq(got->data_length, want->data_length);
	ck_assert(!got->data == !want->data);
	if (want->data)
		ck_assert_mem_eq(got->data, want->data, want->data_length);
	check_map(&got->present, &want->present);
	check_map(&got->dirty, &want->dirty);
}

static inline void check_attributes(const struct store_attributes *got,
				    const struct store_attributes *want)
{
	ck_assert_uint_eq(got->mask, want->mask);
	ck_assert_uint_eq(got->mode, want->mode);
	ck_assert_uint_eq(got->uid, want->uid);
	ck_assert_uint_eq(got->gid, want->gid);
	ck_assert_int_eq(got->mtime.tv_sec, want->mtime.tv_sec);
	ck_assert_int_eq(got->mtime.tv_nsec, want->mtime.tv_nsec);
	ck_assert_int_eq(got->atime.tv_sec, want->atime.tv_sec);
	ck_assert_int_eq(got->atime.tv_nsec, want->atime.tv_nsec);
}

static inline void check_lists(const struct record_file *got,
			       const struct record_file *want)
{
	ck_assert_uint_eq(got->xattr_count, want->xattr_count);
	for (size_t i = 0; i < want->xattr_count; i++) {
		ck_assert_str_eq(got->xattrs[i].name, want->xattrs[i].name);
		ck_assert_uint_eq(got->xattrs[i].size, want->xattrs[i].size);
		ck_assert_ptr_nonnull(got->xattrs[i].value);
		ck_assert_mem_eq(got->xattrs[i].value, want->xattrs[i].value,
				 want->xattrs[i].size);
	}
	ck_assert_uint_eq(got->layer_count, want->layer_count);
	for (size_t i = 0; i < want->layer_count; i++)
		ck_assert_uint_eq(got->layers[i], want->layers[i]);
}

static inline void check_file(const struct record_file *got,
			      const struct record_file *want)
{
	ck_assert_uint_eq(got->id, want->id);
	ck_assert_uint_eq(got->generation, want->generation);
	ck_assert_int_eq(got->state, want->state);
	ck_assert_int_eq(got->code, want->code);
	ck_assert(got->created == want->created);
	ck_assert(got->base_exists == want->base_exists);
	ck_assert(got->base_goes == want->base_goes);
	ck_assert_uint_eq(got->sent_count, want->sent_count);
	for (size_t i = 0; i < want->sent_count; i++) {
		ck_assert_uint_eq(got->sent[i].generation,
				  want->sent[i].generation);
		ck_assert_uint_eq(got->sent[i].size, want->sent[i].size);
		ck_assert(!timespec_compare(got->sent[i].mtime,
					    want->sent[i].mtime));
	}
	ck_assert(got->content == want->content);
	ck_assert_mem_eq(got->publish, want->publish, sizeof(got->publish));
	ck_assert_uint_eq(got->node, want->node);
	ck_assert_int_eq(got->time, want->time);
	ck_assert(got->base.weak == want->base.weak);
	ck_assert_str_eq(got->base.token, want->base.token);
	check_attributes(&got->attributes, &want->attributes);
	ck_assert_str_eq(got->key, want->key);
	ck_assert(!got->reason == !want->reason);
	if (want->reason)
		ck_assert_str_eq(got->reason, want->reason);
	check_lists(got, want);
}

static inline void check_move(const struct record_move *got,
			      const struct record_move *want)
{
	ck_assert_str_eq(got->from, want->from);
	ck_assert(!got->to == !want->to);
	if (want->to)
		ck_assert_str_eq(got->to, want->to);
	ck_assert(got->done == want->done);
	ck_assert(got->told == want->told);
	ck_assert_uint_eq(got->removed, want->removed);
	ck_assert_uint_eq(got->replaced, want->replaced);
	ck_assert(got->seen == want->seen);
	if (!want->seen)
		return;
	ck_assert_uint_eq(got->size, want->size);
	ck_assert_int_eq(timespec_compare(got->mtime, want->mtime), 0);
}

static inline void check_copies(const struct record_copies *got,
				const struct record_copies *want)
{
	ck_assert_uint_eq(got->id, want->id);
	ck_assert(got->folder == want->folder);
	ck_assert(got->over == want->over);
	ck_assert(got->copied == want->copied);
	ck_assert_str_eq(got->from, want->from);
	ck_assert_str_eq(got->to, want->to);
}

static inline void check_upload(const struct record_upload *got,
				const struct record_upload *want)
{
	ck_assert_uint_eq(got->id, want->id);
	ck_assert_uint_eq(got->file, want->file);
	ck_assert_str_eq(got->key, want->key);
	ck_assert_str_eq(got->token, want->token);
}

static inline void check_record(const struct record *got,
				const struct record *want)
{
	ck_assert_int_eq(got->type, want->type);
	if (want->type == RECORD_LAYER)
		check_layer(&got->layer, &want->layer);
	else if (want->type == RECORD_FILE)
		check_file(&got->file, &want->file);
	else if (want->type == RECORD_COPYING || want->type == RECORD_COPIED)
		check_copies(&got->copies, &want->copies);
	else if (want->type == RECORD_UPLOAD)
		check_upload(&got->upload, &want->upload);
	else if (want->type == RECORD_DONE ||
		 want->type == RECORD_UPLOAD_ENDED ||
		 want->type == RECORD_COPIES_SETTLED)
		ck_assert_uint_eq(got->id, want->id);
	else
		check_move(&got->move, &want->move);
}

/* ---- coding ---- */

static inline void encode(const struct record *record)
{
	record_encode(&frame, record);
	ck_assert_int_eq(frame.failed, STORE_OK);
}

static inline void check_round_trip(const struct record *record)
{
	size_t at = 0;
	int code = -1;

	buf_clear(&frame);
	encode(record);
	ck_assert(record_decode(frame.data, frame.length, &at, &back, &code,
				&error));
	ck_assert_int_eq(code, STORE_OK);
	ck_assert_uint_eq(at, frame.length);
	check_record(&back, record);
	record_release(&back);
	ck_assert(!record_decode(frame.data, frame.length, &at, &back, &code,
				 &error));
	ck_assert_int_eq(code, STORE_OK);
}

/*
 * Decode a copy of exactly `length` bytes, so that reading behind its end is
 * seen; what is accepted keeps the rules and gives the same bytes again.
 */
static inline int decode_all(const void *data, size_t length)
{
	struct buf again CLEANUP_BUF = BUF_INIT(1 << 26);
	char *copy = malloc(length ? length : 1);
	struct record record;
	size_t at = 0;
	int code;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, data, length);
	store_error_clear(&error);
	while (record_decode(copy, length, &at, &record, &code, &error)) {
		ck_assert_int_eq(record_check(&record, &error), STORE_OK);
		record_encode(&again, &record);
		record_release(&record);
	}
	if (!code) {
		ck_assert_uint_eq(at, length);
		ck_assert_uint_eq(again.length, length);
		ck_assert_mem_eq(again.data ? again.data : "", copy, length);
	} else {
		ck_assert_int_eq(code, STORE_CORRUPT);
		ck_assert_int_eq(error.code, code);
	}
	free(copy);
	return code;
}

/* A key of `length` bytes, of components as long as they may be. */
static inline char *long_key(size_t length)
{
	for (size_t i = 0; i < length; i++)
		key_room[i] = i % 256 == 255 ? '/' : 'k';
	key_room[length] = '\0';
	return key_room;
}

#endif
