// SPDX-License-Identifier: MIT
/*
 * The conformance suite on the SFTP store: on a server that serves folders of
 * this machine, which the environment names.
 *
 *	CONF_SFTP_URL		sftp://user@host:port, without a path
 *	CONF_SFTP_OPTIONS	behind it, "known_hosts=...&..."
 */
#include "config.h"

#include "tests/conformance/conf.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[512];

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value ? value : "";
}

static void sftp_begin(const char *scratch)
{
	snprintf(root, sizeof(root), "%s/root", scratch);
	if (mkdir(root, 0755))
		conf_begin_failed(root);
}

static struct store *sftp_open(struct store_error *error)
{
	char url[sizeof(root) + 2048];
	struct store *store = NULL;

	snprintf(url, sizeof(url), "%s%s?%s", environment("CONF_SFTP_URL"),
		 root, environment("CONF_SFTP_OPTIONS"));
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

/*
 * Those of a process that has died go when their folder is listed; but its
 * server may still be at work.
 */
static size_t sftp_leftovers(void)
{
	const struct timespec pause = { .tv_nsec = 10000000 };

	for (int i = 0; i < 500; i++) {
		struct store_list_options all = { .max_depth = -1 };

		temporaries = 0;
		ck_assert_int_eq(nftw(root, count_temporary, 16, FTW_PHYS), 0);
		if (!temporaries)
			break;
		free(conf_names(conf_store, "", &all));
		nanosleep(&pause, NULL);
	}
	return temporaries;
}

/* "<root>/<name>", in a static buffer. */
static const char *outside(const char *name)
{
	static char path[sizeof(root) + 64];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

/* For a second path at the same time. */
static const char *outside_too(const char *name)
{
	static char path[sizeof(root) + 64];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void sftp_change(const char *key)
{
	FILE *file = fopen(outside(key), "a");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs("more", file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_symlink_out_of_the_root_leads_nowhere)
{
	struct store_reader *reader = NULL;
	struct store_info info;
	char *names;

	ck_assert_int_eq(symlink("/etc", outside("out")), 0);
	ck_assert_int_eq(symlink("../../..", outside("up")), 0);
	ck_assert_int_eq(symlink("/etc/passwd", outside("file")), 0);
	CONF_FAILS(STORE_NOT_FOUND,
		   store_open_reader(conf_store, NULL, "out/passwd", NULL,
				     &reader, NULL, &conf_error));
	CONF_FAILS(STORE_INVALID,
		   store_open_reader(conf_store, NULL, "file", NULL, &reader,
				     NULL, &conf_error));
	CONF_FAILS(STORE_NOT_FOUND, conf_stat("out/passwd", &info));
	CONF_FAILS(STORE_NOT_DIR, conf_put("up/escaped", "x"));
	CONF_FAILS(STORE_NOT_DIR, conf_put("out/storefs-escaped", "x"));
	CONF_OK(conf_stat("out", &info));
	ck_assert_int_eq(info.type, STORE_TYPE_SYMLINK);
	names = conf_names(conf_store, "", NULL);
	ck_assert_str_eq(names, "file out up");
	free(names);
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

static void put_temporary(const char *name, time_t age)
{
	const struct timespec times[2] = { { .tv_sec = time(NULL) - age },
					   { .tv_sec = time(NULL) - age } };
	int fd = open(outside(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(futimens(fd, times), 0);
	ck_assert_int_eq(close(fd), 0);
}

START_TEST(temporaries_of_the_dead_go_and_those_of_the_living_stay)
{
	static const char old[] = ".storefs-tmp.0123456789abcdef";
	static const char young[] = ".storefs-tmp.fedcba9876543210";
	struct store_info info;

	put_temporary(old, 25 * 3600);
	put_temporary(young, 60);
	conf_expect_names("", "");
	ck_assert_int_ne(access(outside(old), F_OK), 0);
	ck_assert_int_eq(access(outside(young), F_OK), 0);
	CONF_FAILS(STORE_INVALID, conf_put(young, "x"));
	CONF_FAILS(STORE_NOT_FOUND, conf_stat(young, &info));
}
END_TEST

/* What a crash leaves where nothing renames over a file. */
START_TEST(what_was_displaced_comes_back)
{
	CONF_OK(conf_put("sub/whole", "new"));
	ck_assert_int_eq(mkdir(outside(".storefs-old.1"), 0700), 0);
	ck_assert_int_eq(mkdir(outside("sub/.storefs-old.2"), 0700), 0);
	CONF_OK(conf_put("lost", "old"));
	CONF_OK(conf_put("whole", "older"));
	ck_assert_int_eq(
		rename(outside_too("lost"), outside("sub/.storefs-old.2/lost")),
		0);
	ck_assert_int_eq(
		rename(outside_too("whole"), outside(".storefs-old.1/whole")),
		0);
	conf_reopen();
	conf_expect_names("", "sub/ sub/lost sub/whole whole");
	conf_expect("sub/lost", "old");
	conf_expect("whole", "older");
	conf_expect("sub/whole", "new");
	conf_expect_no_leftovers();
}
END_TEST

static void sftp_extra(void)
{
	conf_add("P sftp", 0, a_symlink_out_of_the_root_leads_nowhere);
	conf_add("P sftp", 0, native_path_is_the_path);
	conf_add("P sftp", 0,
		 temporaries_of_the_dead_go_and_those_of_the_living_stay);
	conf_add("P sftp", 0, what_was_displaced_comes_back);
}

const struct conf_backend conf_backend = {
	.name = "sftp",
	.backend = "sftp",
	.capabilities = STORE_CAP_READ | STORE_CAP_WRITE | STORE_CAP_DELETE |
			STORE_CAP_LIST | STORE_CAP_MOVE | STORE_CAP_METADATA |
			STORE_CAP_SEEKABLE_READ | STORE_CAP_LAZY_READ |
			STORE_CAP_WRITE_RESULT | STORE_CAP_PINNED_READ |
			STORE_CAP_FOLDERS | STORE_CAP_MOVE_FOLDER |
			STORE_CAP_POSIX,
	.optional = STORE_CAP_ATOMIC_WRITE | STORE_CAP_ATOMIC_MOVE |
		    STORE_CAP_COMPOSE | STORE_CAP_USAGE | STORE_CAP_SYMLINKS,
	.persistent = true,
	.remote = true,
	.seconds = true,
	.begin = sftp_begin,
	.open = sftp_open,
	.change = sftp_change,
	.leftovers = sftp_leftovers,
	.extra = sftp_extra,
};
