/* SPDX-License-Identifier: MIT */
/*
 * The conformance suite: what every store has to do, through the public API.
 *
 * One program per backend: the suite and a factory file that defines
 * `conf_backend`.  A test that a backend cannot take is left out by the
 * capability bits of the store, never by its name; each test is filed under
 * the clause it checks (K keys, E errors, F files, D folders, B backends,
 * P particular promises of the API: caps, versions, links, attributes).
 *
 * Every test starts with an empty store in `conf_store`, in a process of its
 * own (CK_FORK=no works too).
 */
#ifndef STOREFS_TESTS_CONF_H
#define STOREFS_TESTS_CONF_H

#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <storefs/store.h>

struct conf_backend {
	const char *name;
	const char *backend;   /* store_backend_name() */
	uint64_t capabilities; /* those it must have */
	uint64_t optional;     /* those that depend on the machine below it */
	/* Files keep the id a put asks for if it has these; 0: never. */
	uint64_t keeps_ids;
	/* What it holds outlives the handles; other processes may open it. */
	bool persistent;
	/*
	 * A server does the work: what a process asked for may still be done
	 * after its death.
	 */
	bool remote;
	/*
	 * Times are whole seconds from 1970 on, versions are made of them and
	 * of sizes, and nodes tell no ctime.
	 */
	bool seconds;
	/* Versions are those of the bytes: the same bytes, the same version. */
	bool versions_of_bytes;
	/* Bytes of the longest key, when fewer than 1024; else 0. */
	size_t longest_key;
	/* Bytes of metadata beside the store's own, when fewer than 2048. */
	size_t metadata;
	/* Bytes of the largest file, 0 when nothing but the disk limits it. */
	uint64_t largest;
	/*
	 * Get ready for an empty store; `scratch` is an empty folder.  Not
	 * only called in tests: failures go to conf_begin_failed().
	 */
	void (*begin)(const char *scratch);
	/* A handle on that store, NULL on failure. */
	struct store *(*open)(struct store_error *error);
	/*
	 * Change the bytes of a file in place as other programs do, who know
	 * nothing of us; NULL where nobody can.
	 */
	void (*change)(const char *key);
	/* Things in the store no key leads to, seen from outside; optional. */
	size_t (*leftovers)(void);
	/* Add tests of this backend alone; optional. */
	void (*extra)(void);
};
extern const struct conf_backend conf_backend;

/* Say what errno means here, and exit. */
_Noreturn void conf_begin_failed(const char *what);

/* ---- adding tests ---- */

/* The group for a clause; NULL, and counted, when a capability is missing. */
TCase *conf_case(const char *clause, uint64_t needs, const char *test);
#define conf_add(clause, needs, test)                                    \
	do {                                                             \
		TCase *conf_tcase = conf_case((clause), (needs), #test); \
		if (conf_tcase)                                          \
			tcase_add_test(conf_tcase, test);                \
	} while (0)

void conf_add_keys(void);
void conf_add_identity(void);
void conf_add_files(void);
void conf_add_errors(void);
void conf_add_metadata(void);
void conf_add_streams(void);
void conf_add_versions(void);
void conf_add_compose(void);
void conf_add_folders(void);
void conf_add_listing(void);
void conf_add_glob(void);
void conf_add_moves(void);
void conf_add_links(void);
void conf_add_attributes(void);
void conf_add_xattrs(void);
void conf_add_sparse(void);
void conf_add_publish(void);
void conf_add_limits(void);
void conf_add_threads(void);
void conf_add_processes(void);
void conf_add_model(void);

/* ---- in a test ---- */

extern struct store *conf_store;
/* What the last call said; empty again after CONF_OK and CONF_FAILS. */
extern _Thread_local struct store_error conf_error;

/* The call must succeed, and must not have touched its error. */
#define CONF_OK(call) conf_check(STORE_OK, (call), #call, __FILE__, __LINE__)
/* The call must fail with this code, a message and the code in the error. */
#define CONF_FAILS(code, call) \
	conf_check((code), (call), #call, __FILE__, __LINE__)
void conf_check(int wanted, int code, const char *call, const char *file,
		int line);
bool conf_has(uint64_t capabilities);
/* Long loops: `few` usually, `many` with CONF_FULL=1. */
int conf_rounds(int few, int many);
/* Printed, or taken from CONF_SEED. */
uint64_t conf_seed(void);
/* Where versions are made of seconds: wait for the next one. */
void conf_next_second(void);
/* xorshift64; `*state` must not be 0. */
uint64_t conf_random(uint64_t *state);
/* Fill with bytes that depend on seed and position. */
void conf_fill(void *data, size_t length, uint64_t seed);

/* Put a text; the name must be free. */
int conf_put(const char *key, const char *text);
int conf_put_over(const char *key, const char *text);
int conf_put_bytes(const char *key, const void *data, size_t size,
		   const struct store_write_options *options,
		   struct store_info *info);
int conf_stat(const char *key, struct store_info *info);
/* The file must hold just this. */
void conf_expect(const char *key, const char *text);
void conf_expect_bytes(const char *key, const void *data, size_t size);
/* Nothing must be there. */
void conf_expect_gone(const char *key);
/* Keys below, sorted, folders with a '/' behind, joined by ' '; malloc'd. */
char *conf_names(struct store *store, const char *folder,
		 const struct store_list_options *options);
/* All keys below `folder` must be these, as conf_names() gives them. */
void conf_expect_names(const char *folder, const char *names);
/* Entries of a listing; it is closed. */
size_t conf_count(struct store_listing *listing);
/* A handle of its own on the store; never NULL. */
struct store *conf_open(void);
/* Close and open conf_store, as after a restart. */
void conf_reopen(void);
/* Nothing temporary may be left outside of what keys lead to. */
void conf_expect_no_leftovers(void);

#endif
