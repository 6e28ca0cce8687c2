// SPDX-License-Identifier: MIT
/* The conformance suite on the local store. */
#include "config.h"

#include "tests/conformance/conf.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char local_root[512];

static void local_begin(const char *scratch)
{
	snprintf(local_root, sizeof(local_root), "%s/root", scratch);
	if (mkdir(local_root, 0755))
		conf_begin_failed(local_root);
}

static struct store *local_open(struct store_error *error)
{
	char url[sizeof(local_root) + 8];
	struct store *store = NULL;

	snprintf(url, sizeof(url), "file://%s", local_root);
	return store_open_url(url, NULL, &store, error) ? NULL : store;
}

static size_t temporaries;

static int count_temporary(const char *path, const struct stat *info, int type,
			   struct FTW *walk)
{
	(void)info;
	(void)type;
	if (strncmp(path + walk->base, ".storefs-", 9) == 0)
		temporaries++;
	return 0;
}

static size_t local_leftovers(void)
{
	temporaries = 0;
	ck_assert_int_eq(nftw(local_root, count_temporary, 16, FTW_PHYS), 0);
	return temporaries;
}

/* "<root>/<name>", in a static buffer. */
static const char *outside(const char *name)
{
	static char path[sizeof(local_root) + 64];

	snprintf(path, sizeof(path), "%s/%s", local_root, name);
	return path;
}

static void put_outside(const char *name, const char *text)
{
	FILE *file = fopen(outside(name), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void local_change(const char *key)
{
	FILE *file = fopen(outside(key), "a");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs("more", file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_file_put_there_by_others_is_read)
{
	put_outside("plain", "from outside");
	conf_expect("plain", "from outside");
	conf_expect_names("", "plain");
}
END_TEST

START_TEST(a_file_is_a_file_for_others)
{
	char text[32] = "";
	FILE *file;

	CONF_OK(conf_put("a/b", "inside"));
	file = fopen(outside("a/b"), "r");
	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(text, sizeof(text), file));
	fclose(file);
	ck_assert_str_eq(text, "inside");
}
END_TEST

START_TEST(a_symlink_out_of_the_root_leads_nowhere)
{
	struct store_reader *reader = NULL;
	struct store_info info;
	int code;

	ck_assert_int_eq(symlink("/etc", outside("out")), 0);
	ck_assert_int_eq(symlink("../../..", outside("up")), 0);
	code = store_open_reader(conf_store, NULL, "out/passwd", NULL, &reader,
				 NULL, &conf_error);
	ck_assert_int_ne(code, STORE_OK);
	store_error_clear(&conf_error);
	ck_assert_int_ne(conf_stat("out/passwd", &info), STORE_OK);
	store_error_clear(&conf_error);
	ck_assert_int_ne(conf_put("up/escaped", "x"), STORE_OK);
	store_error_clear(&conf_error);
	ck_assert_int_ne(conf_put("out/storefs-escaped", "x"), STORE_OK);
	store_error_clear(&conf_error);
	ck_assert_int_ne(access("/etc/storefs-escaped", F_OK), 0);
}
END_TEST

START_TEST(native_path_is_the_path)
{
	char *path = NULL;

	CONF_OK(store_native_path(conf_store, "a/b", &path, &conf_error));
	ck_assert_str_eq(path, outside("a/b"));
	free(path);
}
END_TEST

/* Walk everything; the code it ends with. */
static int walk_all(struct store_listing *listing)
{
	const struct store_entry *entry = NULL;
	int code;

	do
		code = store_listing_next(listing, NULL, &entry, &conf_error);
	while (!code && entry);
	return code;
}

START_TEST(an_unreadable_folder_is_an_error_not_an_omission)
{
	struct store_list_options all = { .max_depth = -1 };
	struct store_listing *listing = NULL;
	uid_t user = geteuid();

	CONF_OK(conf_put("d/e/f", "x"));
	ck_assert_int_eq(chmod(outside("d/e"), 0), 0);
	/* Root reads everything, so be somebody else for a moment. */
	if (user == 0)
		ck_assert_int_eq(seteuid(65534), 0);
	CONF_OK(store_list(conf_store, NULL, "", &all, &listing, &conf_error));
	CONF_FAILS(STORE_DENIED, walk_all(listing));
	store_listing_close(listing);
	if (user == 0)
		ck_assert_int_eq(seteuid(0), 0);
	ck_assert_int_eq(chmod(outside("d/e"), 0755), 0);
}
END_TEST

/* A write that leaves the size, a new size; a chmod alone does not. */
START_TEST(a_change_in_place_of_any_kind_ends_the_id)
{
	static const uint8_t id[STORE_PUBLISH_SIZE] = { 1, 2, 3 };
	struct store_write_options options = { .publish = id };
	struct store_details details;
	struct store_info info;

	for (int kind = 0; kind < 3; kind++) {
		int fd;

		CONF_OK(conf_put_bytes("a", "12345", 5, &options, NULL));
		ck_assert_int_eq(chmod(outside("a"), 0640), 0);
		fd = open(outside("a"), O_WRONLY | O_CLOEXEC);
		ck_assert_int_ge(fd, 0);
		if (kind == 0)
			ck_assert_int_eq(pwrite(fd, "x", 1, 2), 1);
		if (kind == 1)
			ck_assert_int_eq(ftruncate(fd, 4), 0);
		ck_assert_int_eq(close(fd), 0);
		CONF_OK(store_stat_details(conf_store, NULL, "a", &info,
					   &details, &conf_error));
		ck_assert_int_eq(details.has_publish, kind == 2);
		store_details_release(&details);
	}
}
END_TEST

START_TEST(copy_keeps_mode_and_mtime)
{
	struct stat from;
	struct stat to;

	put_outside("a", "x");
	ck_assert_int_eq(chmod(outside("a"), 0751), 0);
	CONF_OK(store_copy(conf_store, NULL, "a", "b", 0, NULL, &conf_error));
	ck_assert_int_eq(stat(outside("a"), &from), 0);
	ck_assert_int_eq(stat(outside("b"), &to), 0);
	ck_assert_uint_eq(from.st_mode, to.st_mode);
	ck_assert_int_eq(from.st_mtim.tv_sec, to.st_mtim.tv_sec);
	ck_assert_int_eq(from.st_mtim.tv_nsec, to.st_mtim.tv_nsec);
}
END_TEST

static void local_extra(void)
{
	conf_add("D6", 0, a_file_put_there_by_others_is_read);
	conf_add("P local", 0, a_file_is_a_file_for_others);
	conf_add("P local", 0, a_symlink_out_of_the_root_leads_nowhere);
	conf_add("P local", 0, native_path_is_the_path);
	conf_add("E2", 0, an_unreadable_folder_is_an_error_not_an_omission);
	conf_add("F9", 0, copy_keeps_mode_and_mtime);
	conf_add("P publish", STORE_CAP_PUBLISH_ID,
		 a_change_in_place_of_any_kind_ends_the_id);
}

const struct conf_backend conf_backend = {
	.name = "local",
	.backend = "local",
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_COPY |
			STORE_CAP_ATOMIC_WRITE | STORE_CAP_METADATA |
			STORE_CAP_ATOMIC_MOVE | STORE_CAP_SEEKABLE_READ |
			STORE_CAP_LAZY_READ | STORE_CAP_WRITE_RESULT |
			STORE_CAP_PINNED_READ | STORE_CAP_FOLDERS |
			STORE_CAP_MOVE_FOLDER | STORE_CAP_POSIX |
			STORE_CAP_LINKS | STORE_CAP_SYMLINKS | STORE_CAP_NODES |
			STORE_CAP_USAGE | STORE_CAP_NEAR,
	.optional = STORE_CAP_GLOB | STORE_CAP_USER_METADATA | STORE_CAP_XATTR |
		    STORE_CAP_EXCHANGE | STORE_CAP_SPARSE | STORE_CAP_COMPOSE |
		    STORE_CAP_CONDITIONAL | STORE_CAP_PUBLISH_ID,
	.keeps_ids = STORE_CAP_XATTR,
	.persistent = true,
	.begin = local_begin,
	.open = local_open,
	.change = local_change,
	.leftovers = local_leftovers,
	.extra = local_extra,
};
