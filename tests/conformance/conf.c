// SPDX-License-Identifier: MIT
/* What the tests of the conformance suite share; see conf.h. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <inttypes.h>
#include <stdio.h>

#include "src/base/buf.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"

struct store *conf_store;
_Thread_local struct store_error conf_error = STORE_ERROR_INIT;

void conf_begin_failed(const char *what)
{
	perror(what);
	exit(1);
}

void conf_check(int wanted, int code, const char *call, const char *file,
		int line)
{
	struct store_error error = conf_error;

	store_error_clear(&conf_error);
	if (code != wanted)
		ck_abort_msg("%s:%d: %s is %s, not %s: %s", file, line, call,
			     store_code_name(code), store_code_name(wanted),
			     error.message);
	if (error.code != wanted)
		ck_abort_msg("%s:%d: %s leaves %s in its error", file, line,
			     call, store_code_name(error.code));
	if (wanted && !error.message[0])
		ck_abort_msg("%s:%d: %s fails without a word", file, line,
			     call);
}

bool conf_has(uint64_t capabilities)
{
	return (store_capabilities(conf_store) & capabilities) == capabilities;
}

int conf_rounds(int few, int many)
{
	const char *full = getenv("CONF_FULL");

	return full && full[0] == '1' ? many : few;
}

uint64_t conf_seed(void)
{
	const char *text = getenv("CONF_SEED");
	uint64_t seed =
		text ? strtoull(text, NULL, 0) : (uint64_t)clock_monotonic_ns();

	if (!seed)
		seed = 1;
	printf("# CONF_SEED=%" PRIu64 "\n", seed);
	fflush(stdout);
	return seed;
}

void conf_next_second(void)
{
	const struct timespec pause = { .tv_nsec = NS_PER_SEC / 100 };
	struct timespec start, now;

	if (!conf_backend.seconds)
		return;
	/* The clock that file systems stamp with. */
	clock_gettime(CLOCK_REALTIME_COARSE, &start);
	do {
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_REALTIME_COARSE, &now);
	} while (now.tv_sec == start.tv_sec);
}

uint64_t conf_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

void conf_fill(void *data, size_t length, uint64_t seed)
{
	unsigned char *at = data;
	size_t i;

	for (i = 0; i < length; i++)
		at[i] = (unsigned char)((i * 31 + i / 251 + seed * 97) | 1);
}

int conf_put_bytes(const char *key, const void *data, size_t size,
		   const struct store_write_options *options,
		   struct store_info *info)
{
	struct store_memory_source source;

	return store_write(conf_store, NULL, key,
			   store_memory_source_init(&source, data, size),
			   options, info, &conf_error);
}

int conf_put(const char *key, const char *text)
{
	return conf_put_bytes(key, text, strlen(text), NULL, NULL);
}

int conf_put_over(const char *key, const char *text)
{
	struct store_write_options over = {
		.precondition.condition = STORE_IF_ANY,
	};

	return conf_put_bytes(key, text, strlen(text), &over, NULL);
}

int conf_stat(const char *key, struct store_info *info)
{
	return store_stat(conf_store, NULL, key, info, &conf_error);
}

void conf_expect_bytes(const char *key, const void *data, size_t size)
{
	struct store_info info;
	void *found = NULL;
	size_t length = 0;

	CONF_OK(store_read_all(conf_store, NULL, key, SIZE_MAX / 2, &found,
			       &length, &conf_error));
	ck_assert_msg(length == size, "%s has %zu bytes, not %zu", key, length,
		      size);
	ck_assert_msg(memcmp(found, data, size) == 0, "%s has other bytes",
		      key);
	free(found);
	CONF_OK(conf_stat(key, &info));
	ck_assert_uint_eq(info.size, size);
	ck_assert_int_eq(info.type, STORE_TYPE_FILE);
}

void conf_expect(const char *key, const char *text)
{
	conf_expect_bytes(key, text, strlen(text));
}

void conf_expect_gone(const char *key)
{
	struct store_info info;

	CONF_FAILS(STORE_NOT_FOUND, conf_stat(key, &info));
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char *join_names(char **names, size_t count)
{
	struct buf all = BUF_INIT(16 << 20);
	char *text;
	size_t i;

	if (count)
		qsort(names, count, sizeof(*names), compare_texts);
	for (i = 0; i < count; i++) {
		if (i)
			buf_add_char(&all, ' ');
		buf_add_text(&all, names[i]);
		free(names[i]);
	}
	text = buf_steal(&all);
	ck_assert_ptr_nonnull(text);
	free(names);
	return text;
}

static char *entry_name(const struct store_entry *entry)
{
	size_t length = strlen(entry->name);
	char *name = malloc(length + 2);

	ck_assert_ptr_nonnull(name);
	memcpy(name, entry->name, length + 1);
	if (entry->info.type == STORE_TYPE_FOLDER)
		memcpy(name + length, "/", 2);
	return name;
}

/* Take all of a listing and close it. */
static char *listing_names(struct store_listing *listing)
{
	char **names = NULL;
	size_t count = 0;

	for (;;) {
		const struct store_entry *entry = NULL;

		CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
		if (!entry)
			break;
		if ((count & (count - 1)) == 0) {
			names = realloc(names,
					2 * (count + 1) * sizeof(*names));
			ck_assert_ptr_nonnull(names);
		}
		names[count++] = entry_name(entry);
	}
	store_listing_close(listing);
	return join_names(names, count);
}

char *conf_names(struct store *store, const char *folder,
		 const struct store_list_options *options)
{
	struct store_listing *listing = NULL;

	CONF_OK(store_list(store, NULL, folder, options, &listing,
			   &conf_error));
	return listing_names(listing);
}

void conf_expect_names(const char *folder, const char *names)
{
	struct store_list_options all = { .max_depth = -1 };
	char *found = conf_names(conf_store, folder, &all);

	ck_assert_str_eq(found, names);
	free(found);
}

size_t conf_count(struct store_listing *listing)
{
	const struct store_entry *entry = NULL;
	size_t count = 0;

	for (;;) {
		CONF_OK(store_listing_next(listing, NULL, &entry, &conf_error));
		if (!entry)
			break;
		count++;
	}
	store_listing_close(listing);
	return count;
}

struct store *conf_open(void)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store *store = conf_backend.open(&error);

	if (!store)
		ck_abort_msg("opening the store: %s", error.message);
	return store;
}

void conf_reopen(void)
{
	store_close(conf_store);
	conf_store = conf_open();
}

void conf_expect_no_leftovers(void)
{
	if (conf_backend.leftovers)
		ck_assert_uint_eq(conf_backend.leftovers(), 0);
}
