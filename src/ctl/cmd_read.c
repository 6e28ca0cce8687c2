// SPDX-License-Identifier: MIT
/*
 * cat and sum: files read from front to back at one version each.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/crypto.h"
#include "src/ctl/place.h"
#include "src/key.h"

#define READ_CHUNK ((size_t)1 << 20)

static const struct arg_option cat_options[] = {
	{ "offset", 'o', ARG_SIZE, offsetof(struct args, offset), "BYTES",
	  "Begin there" },
	{ "length", 'n', ARG_SIZE, offsetof(struct args, length), "BYTES",
	  "At most so many bytes" },
	{ .name = NULL },
};

/* What is done with each piece; false ends the reading without an error. */
typedef int read_fn(void *arg, const void *data, size_t length,
		    struct store_error *error);

/* Read [offset, offset + length) piecewise; a negative length is all. */
static int read_range(struct ctl *ctl, struct store_reader *reader,
		      read_fn *each, void *arg, struct store_error *error)
{
	CLEANUP_FREE char *data = malloc(READ_CHUNK);
	int64_t left = ctl->args.length;

	if (!data)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	store_seek(reader, (uint64_t)ctl->args.offset);
	while (left != 0) {
		size_t want = READ_CHUNK;
		size_t got;
		int code;

		if (left > 0 && (uint64_t)left < want)
			want = (size_t)left;
		code = store_read(reader, ctl_context(ctl), data, want, &got,
				  error);
		if (!code && got > 0)
			code = each(arg, data, got, error);
		if (code || got == 0)
			return code;
		if (left > 0)
			left -= (int64_t)got;
	}
	return STORE_OK;
}

static int read_key(struct ctl *ctl, const struct place *place, const char *key,
		    read_fn *each, void *arg)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_reader *reader;
	int code = store_open_reader(place->store, ctl_context(ctl), key, NULL,
				     &reader, NULL, &error);

	if (!code) {
		code = read_range(ctl, reader, each, arg, &error);
		store_close_reader(reader);
	}
	if (code)
		ctl_fail(ctl, place->label, key, &error);
	return code;
}

/* What stdout does not take is told once, at the end of the run. */
static int cat_write(void *arg, const void *data, size_t length,
		     struct store_error *error)
{
	(void)arg;
	(void)error;
	fwrite(data, 1, length, stdout);
	return STORE_OK;
}

static void cat_run(struct ctl *ctl, char **operands, int count)
{
	int i;

	for (i = 0; i < count && !ferror(stdout); i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;

		if (place_want(ctl, operands[i], PLACE_FOLLOW, &place))
			read_key(ctl, &place, place.key, cat_write, NULL);
	}
}

const struct ctl_command command_cat = {
	.name = "cat",
	.operands = "FILE...",
	.help = "Write files, or a range of them, to standard output",
	.options = cat_options,
	.least = 1,
	.most = -1,
	.run = cat_run,
};

static const struct arg_option sum_options[] = {
	{ "algorithm", 'a', ARG_TEXT, offsetof(struct args, algorithm), "NAME",
	  "sha256 (default), sha512, sha1, md5, blake2b512 ..." },
	{ "recursive", 'r', ARG_FLAG, offsetof(struct args, recursive), NULL,
	  "All files below folders" },
	{ .name = NULL },
};

static int sum_update(void *arg, const void *data, size_t length,
		      struct store_error *error)
{
	return digest_update(arg, data, length, error);
}

static void sum_print(struct ctl *ctl, const struct place *place,
		      const char *key, const char *hex)
{
	CLEANUP_RECORD struct record record;

	record_init(&record);
	if (!ctl->args.json) {
		printf("%s  ", hex);
		out_name(place->label, key);
		putchar('\n');
		return;
	}
	record_bytes(&record, "key", key);
	record_text(&record, "algorithm", ctl->args.algorithm);
	record_text(&record, "digest", hex);
	ctl_print(ctl, &record);
}

static void sum_file(struct ctl *ctl, const struct place *place,
		     const char *key)
{
	struct store_error error = STORE_ERROR_INIT;
	struct digest *digest;
	char hex[DIGEST_HEX_MAX];

	if (digest_new(ctl->args.algorithm, &digest, &error)) {
		ctl_fail(ctl, NULL, NULL, &error);
		return;
	}
	if (!read_key(ctl, place, key, sum_update, digest)) {
		if (digest_finish(digest, hex, &error))
			ctl_fail(ctl, place->label, key, &error);
		else
			sum_print(ctl, place, key, hex);
	}
	digest_free(digest);
}

static int sum_below(struct ctl *ctl, const struct place *place,
		     struct store_error *error)
{
	struct store_list_options options = { .flags = STORE_LIST_FILES,
					      .max_depth = -1 };
	struct store_listing *listing;
	int code = store_list(place->store, ctl_context(ctl), place->key,
			      &options, &listing, error);

	if (code)
		return code;
	for (;;) {
		const struct store_entry *entry;

		code = store_listing_next(listing, ctl_context(ctl), &entry,
					  error);
		if (code || !entry)
			break;
		if (entry->info.type == STORE_TYPE_FILE)
			sum_file(ctl, place, entry->name);
	}
	store_listing_close(listing);
	return code;
}

static void sum_place(struct ctl *ctl, const struct place *place)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_info info;
	int code;

	if (!ctl->args.recursive) {
		sum_file(ctl, place, place->key);
		return;
	}
	code = store_stat(place->store, ctl_context(ctl), place->key, &info,
			  &error);
	if (!code && info.type != STORE_TYPE_FOLDER) {
		sum_file(ctl, place, place->key);
		return;
	}
	if (!code)
		code = sum_below(ctl, place, &error);
	if (code)
		ctl_fail_place(ctl, place, &error);
}

static void sum_run(struct ctl *ctl, char **operands, int count)
{
	struct store_error error = STORE_ERROR_INIT;
	struct digest *digest;
	int i;

	if (!ctl->args.algorithm)
		ctl->args.algorithm = "sha256";
	/* A wrong name is told once, before anything is read. */
	if (digest_new(ctl->args.algorithm, &digest, &error)) {
		ctl_fail_usage(ctl, "%s", error.message);
		return;
	}
	digest_free(digest);
	for (i = 0; i < count; i++) {
		CLEANUP_PLACE struct place place = PLACE_INIT;

		if (place_want(ctl, operands[i], PLACE_FOLLOW, &place))
			sum_place(ctl, &place);
	}
}

const struct ctl_command command_sum = {
	.name = "sum",
	.operands = "FILE...",
	.help = "Print digests of files, as sha256sum does",
	.options = sum_options,
	.least = 1,
	.most = -1,
	.run = sum_run,
};
