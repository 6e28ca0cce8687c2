// SPDX-License-Identifier: MIT
/*
 * The conformance suite on an S3 server that is running: s3.sh starts one
 * and says in the environment where (STOREFS_TEST_S3: endpoint and bucket as
 * an URL of a store, and the keys of the AWS tools).
 */
#include "config.h"

#include "tests/conformance/factory_s3.h"

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "src/base/cleanup.h"

static char s3_url[1024];

/* URL of a folder of the bucket, with further options. */
static void s3_name(char url[1024], const char *folder, const char *options)
{
	const char *text = getenv("STOREFS_TEST_S3");
	size_t bucket = text ? strcspn(text, "?") : 0;

	if (!text) {
		fprintf(stderr, "STOREFS_TEST_S3 names no store\n");
		exit(1);
	}
	snprintf(url, 1024, "%.*s%s%s%s", (int)bucket, text, folder,
		 text + bucket, options);
}

/* A folder of its own in the bucket, named as the scratch folder. */
static void s3_begin(const char *scratch)
{
	/* The last two components: unlike all others, and not too long. */
	scratch = strrchr(scratch, '/');
	while (*--scratch != '/')
		continue;
	s3_name(s3_url, scratch, "");
}

static struct store *s3_open(struct store_error *error)
{
	struct store *store = NULL;

	return store_open_url(s3_url, NULL, &store, error) ? NULL : store;
}

/* Another handle on the same store. */
struct store *conf_s3_open(const char *options)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store *store = NULL;
	char url[2048];

	snprintf(url, sizeof(url), "%s%s", s3_url, options);
	if (store_open_url(url, NULL, &store, &error))
		ck_abort_msg("%s", error.message);
	return store;
}

/* ---- B5: what is particular to S3 ---- */

unsigned char *conf_s3_bytes(uint64_t seed)
{
	unsigned char *data = malloc(BIG);

	ck_assert_ptr_nonnull(data);
	conf_fill(data, BIG, seed);
	return data;
}

void conf_s3_put(struct store *store, const char *key, const void *data,
		 size_t size, const struct store_write_options *options,
		 struct store_info *info)
{
	struct store_memory_source source;

	CONF_OK(store_write(store, NULL, key,
			    store_memory_source_init(&source, data, size),
			    options, info, &conf_error));
}

START_TEST(large_files_go_in_parts)
{
	struct store *parts = conf_s3_open("&single_max=5M&part_size=5M");
	unsigned char *data = conf_s3_bytes(1);
	struct store_info made;
	struct store_info found;

	conf_s3_put(parts, "d/big", data, BIG, NULL, &made);
	conf_expect_bytes("d/big", data, BIG);
	CONF_OK(conf_stat("d/big", &found));
	ck_assert(store_version_equal(&made.version, &found.version));
	/* Made of parts: "<digest>-<number of parts>" */
	ck_assert_ptr_nonnull(strstr(found.version.token, "-5"));
	CONF_FAILS(STORE_EXISTS, conf_put("d/big", "x"));
	free(data);
	store_close(parts);
}
END_TEST

START_TEST(large_files_are_copied_in_parts)
{
	struct store *parts = conf_s3_open("&copy_max=20M&part_size=5M");
	struct store_metadata metadata;
	struct store_write_options options = { .metadata = &metadata };
	struct store_details details;
	unsigned char *data = conf_s3_bytes(2);
	struct store_info info;

	store_metadata_init(&metadata);
	CONF_OK(store_metadata_add(&metadata, "colour", "green"));
	conf_s3_put(parts, "big", data, BIG, &options, NULL);
	CONF_OK(store_copy(parts, NULL, "big", "d/copy", 0, NULL, &conf_error));
	CONF_OK(store_move(parts, NULL, "d/copy", "d/moved", 0, NULL, NULL,
			   &conf_error));
	conf_expect_bytes("d/moved", data, BIG);
	conf_expect_gone("d/copy");
	CONF_OK(store_stat_details(conf_store, NULL, "d/moved", &info, &details,
				   &conf_error));
	ck_assert_str_eq(store_metadata_get(&details.metadata, "colour"),
			 "green");
	store_details_release(&details);
	store_metadata_release(&metadata);
	free(data);
	store_close(parts);
}
END_TEST

/* A new byte here and there, and an end that is longer. */
static void compose_with(struct store *store, const struct store_range *keep,
			 size_t count)
{
	unsigned char *data = conf_s3_bytes(3);
	struct store_write_options options = {
		.precondition.condition = STORE_IF_VERSION,
		.ranges = keep,
		.range_count = count,
	};
	struct store_info info;
	size_t at = 0;

	conf_s3_put(store, "c", data, BIG - 5, NULL, &info);
	options.precondition.version = info.version;
	for (size_t i = 0; i <= count; i++) {
		size_t until = i < count ? (size_t)keep[i].offset : BIG;

		conf_fill(data + at, until - at, i + 10);
		at = i < count ? until + (size_t)keep[i].length : BIG;
	}
	conf_s3_put(store, "c", data, BIG, &options, NULL);
	conf_expect_bytes("c", data, BIG);
	CONF_OK(store_delete(conf_store, NULL, "c", false, &conf_error));
	free(data);
}

START_TEST(composing_keeps_what_is_named)
{
	static const struct store_range head[] = { { 0, 20 * MIB } };
	static const struct store_range rest[] = { { 1, BIG - 100 } };
	static const struct store_range some[] = {
		{ 10, 100 },
		{ 3 * MIB, 9 * MIB },
		{ 13 * MIB, 5 * MIB - 1 },
		{ 20 * MIB, 3 * MIB },
	};
	struct store *parts = conf_s3_open("&single_max=5M&part_size=5M");

	compose_with(parts, head, 1);
	compose_with(parts, rest, 1);
	compose_with(parts, some, 4);
	store_close(parts);
}
END_TEST

START_TEST(a_key_of_1024_bytes_is_kept_in_a_bare_bucket)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store *bare = NULL;
	char url[1024];
	char key[1026];

	s3_name(url, "", "");
	ck_assert_int_eq(store_open_url(url, NULL, &bare, &error), 0);
	memset(key, 'k', sizeof(key));
	for (size_t i = 100; i < sizeof(key); i += 100)
		key[i] = '/';
	key[1024] = '\0';
	conf_s3_put(bare, key, "1", 1, NULL, NULL);
	CONF_OK(store_delete(bare, NULL, key, false, &conf_error));
	key[1024] = 'x';
	key[1025] = '\0';
	CONF_FAILS(STORE_INVALID,
		   store_delete(bare, NULL, key, false, &conf_error));
	CONF_FAILS(STORE_INVALID,
		   store_delete(conf_store, NULL, "\xff", false, &conf_error));
	store_close(bare);
}
END_TEST

/* ---- conditions ---- */

enum { RACERS = 16 };

struct race {
	struct store *store;
	pthread_barrier_t start;
	int wins;
	pthread_mutex_t lock;
};

static void *race_one(void *arg)
{
	struct store_memory_source source;
	struct race *race = arg;
	int code;

	pthread_barrier_wait(&race->start);
	code = store_write(race->store, NULL, "d/key",
			   store_memory_source_init(&source, "x", 1), NULL,
			   NULL, NULL);
	pthread_mutex_lock(&race->lock);
	if (!code)
		race->wins++;
	else if (code != STORE_EXISTS)
		race->wins = -100;
	pthread_mutex_unlock(&race->lock);
	return NULL;
}

/* Kept by the server for puts, whatever it does with other conditions. */
START_TEST(one_of_sixteen_racers_puts_the_key_where_asked_for)
{
	struct race race = { .store = conf_s3_open("&conditions=probe") };
	pthread_t threads[RACERS];

	pthread_mutex_init(&race.lock, NULL);
	pthread_barrier_init(&race.start, NULL, RACERS);
	for (int round = 0; round < conf_rounds(5, 50); round++) {
		race.wins = 0;
		for (int i = 0; i < RACERS; i++)
			ck_assert_int_eq(pthread_create(&threads[i], NULL,
							race_one, &race),
					 0);
		for (int i = 0; i < RACERS; i++)
			pthread_join(threads[i], NULL);
		ck_assert_int_eq(race.wins, 1);
		CONF_OK(store_delete(conf_store, NULL, "d/key", false,
				     &conf_error));
	}
	pthread_barrier_destroy(&race.start);
	store_close(race.store);
}
END_TEST

START_TEST(versions_are_demanded_with_every_kind_of_condition)
{
	static const char *const ways[] = { "&conditions=probe",
					    "&conditions=no",
					    "&conditions=auto" };
	struct store_write_options exact = {
		.precondition.condition = STORE_IF_VERSION,
	};
	struct store_memory_source source;
	struct store_info one;
	struct store_info two;

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct store *store = conf_s3_open(ways[i]);

		conf_s3_put(store, "v", "1", 1, NULL, &one);
		exact.precondition.version = one.version;
		conf_s3_put(store, "v", "2", 1, &exact, &two);
		CONF_FAILS(
			STORE_CHANGED,
			store_write(store, NULL, "v",
				    store_memory_source_init(&source, "3", 1),
				    &exact, NULL, &conf_error));
		conf_expect("v", "2");
		CONF_FAILS(STORE_CHANGED,
			   store_delete_version(store, NULL, "v", &one.version,
						&conf_error));
		CONF_OK(store_delete_version(store, NULL, "v", &two.version,
					     &conf_error));
		CONF_FAILS(
			STORE_NOT_FOUND,
			store_write(store, NULL, "v",
				    store_memory_source_init(&source, "3", 1),
				    &exact, NULL, &conf_error));
		store_close(store);
	}
}
END_TEST

/* The answer to a put was lost; the put is made again. */
START_TEST(a_put_that_had_arrived_is_settled_by_its_id)
{
	static const uint8_t id[STORE_PUBLISH_SIZE] = { 1, 2, 3 };
	static const uint8_t other[STORE_PUBLISH_SIZE] = { 4 };
	struct store *store = conf_s3_open("&conditions=probe");
	struct store_write_options options = { .publish = id };
	struct store_memory_source source;
	struct store_info first;
	struct store_info second;

	options.precondition.condition = STORE_IF_ABSENT;
	conf_s3_put(store, "p", "1", 1, &options, &first);
	conf_s3_put(store, "p", "1", 1, &options, &second);
	ck_assert(store_version_equal(&first.version, &second.version));
	options.publish = other;
	CONF_FAILS(STORE_EXISTS,
		   store_write(store, NULL, "p",
			       store_memory_source_init(&source, "1", 1),
			       &options, NULL, &conf_error));
	store_close(store);
}
END_TEST

/* ---- what the killed leave ---- */

/* Uploads that were begun below the root and did not end. */
int conf_s3_uploads_open(void)
{
	const char *folder = strchr(s3_url + 5, '/') + 1;
	char wanted[1100];
	char line[4096];
	int count = 0;
	FILE *out;

	snprintf(wanted, sizeof(wanted), "<Key>%.*s/",
		 (int)strcspn(folder, "?"), folder);
	out = popen("all=$(curl -sSfk --aws-sigv4 aws:amz:us-east-1:s3 "
		    "-H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "
		    "\"$STOREFS_TEST_UPLOADS?uploads=\") || exit 1; "
		    "printf '%s\\n' \"$all\" | sed 's/<Upload>/\\n&/g'",
		    "r");
	ck_assert_ptr_nonnull(out);
	while (fgets(line, sizeof(line), out))
		count += strstr(line, wanted) != NULL;
	ck_assert_int_eq(pclose(out), 0);
	return count;
}

static int read_or_fail(struct store_source *source, uint64_t offset,
			void *data, size_t length, struct store_error *error)
{
	(void)source;
	if (offset >= 6 * MIB)
		return store_error_set(error, STORE_CORRUPT, "a bad source");
	memset(data, 'x', length);
	return STORE_OK;
}

static int read_or_die(struct store_source *source, uint64_t offset, void *data,
		       size_t length, struct store_error *error)
{
	(void)source;
	(void)error;
	/* The upload is there; the next part is read to be summed. */
	if (offset >= 6 * MIB)
		_exit(0);
	memset(data, 'x', length);
	return STORE_OK;
}

static void die_in_an_upload(void)
{
	struct store *store = conf_s3_open("&single_max=5M&part_size=5M");
	struct store_source source = { .size = BIG, .read = read_or_die };

	if (store_write(store, NULL, "d/never", &source, NULL, NULL, NULL))
		_exit(1);
	_exit(2);
}

START_TEST(an_upload_of_the_dead_is_aborted_when_it_is_old)
{
	struct timespec pause = { 0, 100000000 };
	int status = -1;
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child)
		die_in_an_upload();
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	conf_expect_gone("d/never");
	ck_assert_int_eq(conf_s3_uploads_open(), 1);
	store_close(conf_s3_open("&abort_uploads_after=1h"));
	ck_assert_int_eq(conf_s3_uploads_open(), 1);
	/* Its age counts in whole seconds, and has to come first. */
	for (int i = 0; i < 100 && conf_s3_uploads_open(); i++) {
		nanosleep(&pause, NULL);
		store_close(conf_s3_open("&abort_uploads_after=1"));
	}
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
}
END_TEST

START_TEST(a_source_that_fails_leaves_no_upload)
{
	struct store *store = conf_s3_open("&single_max=5M&part_size=5M");
	struct store_source source = { .size = BIG, .read = read_or_fail };

	CONF_FAILS(STORE_CORRUPT, store_write(store, NULL, "d/never", &source,
					      NULL, NULL, &conf_error));
	conf_expect_gone("d/never");
	ck_assert_int_eq(conf_s3_uploads_open(), 0);
	store_close(store);
}
END_TEST

/* It was killed before it could remove its object. */
START_TEST(what_a_probe_has_left_is_not_shown)
{
	CONF_OK(conf_put(".storefs-probe-0123456789abcdef", "x"));
	CONF_OK(conf_put("a", "1"));
	conf_expect_names("", "a");
}
END_TEST

static void s3_extra(void)
{
	conf_add("B5", 0, what_a_probe_has_left_is_not_shown);
	conf_add("B5", 0, large_files_go_in_parts);
	conf_add("B5", 0, large_files_are_copied_in_parts);
	conf_add("B5", 0, composing_keeps_what_is_named);
	conf_add("B5", 0, a_key_of_1024_bytes_is_kept_in_a_bare_bucket);
	/* Set where the server knows no condition on a put. */
	if (!getenv("STOREFS_TEST_UNCONDITIONAL"))
		conf_add("B5", 0,
			 one_of_sixteen_racers_puts_the_key_where_asked_for);
	conf_add("B5", 0, versions_are_demanded_with_every_kind_of_condition);
	conf_add("F5", 0, an_upload_of_the_dead_is_aborted_when_it_is_old);
	conf_add("F5", 0, a_source_that_fails_leaves_no_upload);
	conf_s3_uploads();
	conf_add("B5", 0, a_put_that_had_arrived_is_settled_by_its_id);
}

const struct conf_backend conf_backend = {
	.name = "s3",
	.backend = "s3",
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_COPY |
			STORE_CAP_ATOMIC_WRITE | STORE_CAP_METADATA |
			STORE_CAP_USER_METADATA | STORE_CAP_SEEKABLE_READ |
			STORE_CAP_LAZY_READ | STORE_CAP_WRITE_RESULT |
			STORE_CAP_COMPOSE | STORE_CAP_MARKERS |
			STORE_CAP_POSIX | STORE_CAP_PUBLISH_ID |
			STORE_CAP_RESUME | STORE_CAP_SYMLINKS | STORE_CAP_XATTR,
	/* Servers differ in what they make of conditions. */
	.optional = STORE_CAP_CONDITIONAL,
	.persistent = true,
	.remote = true,
	.versions_of_bytes = true,
	.longest_key = 1024 - sizeof("tmp/storefs-conf-XXXXXX/XXXXXX"),
	/* Names, modes, owners, times and the id of a put count, too. */
	.metadata = 2048 - 256,
	.largest = UINT64_C(5) << 40,
	.begin = s3_begin,
	.open = s3_open,
	.extra = s3_extra,
};
