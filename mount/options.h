/* SPDX-License-Identifier: MIT */
/*
 * Options of a mount: one table (options.c) drives -o, [mounts.NAME], --help
 * and the manual.
 */
#ifndef STOREFS_MOUNT_OPTIONS_H
#define STOREFS_MOUNT_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "src/option.h"

enum commit_mode { COMMIT_CLOSE, COMMIT_BACKGROUND };
enum metadata_mode { METADATA_FULL, METADATA_LIST };
enum conflict_mode { CONFLICT_FAIL, CONFLICT_RENAME, CONFLICT_OVERWRITE };

struct mount_options {
	enum commit_mode commit;
	enum metadata_mode metadata;
	enum conflict_mode conflict;
	bool rename_atomic;  /* rename=atomic: never copy and delete */
	bool exclusive_open; /* exclusive=open: reserve names at open */
	bool read_only;
	bool allow_other;
	bool staging_volatile;
	bool have_uid, have_gid; /* uid= and gid= were given */
	uid_t uid;
	gid_t gid;
	mode_t umask;	  /* bits cleared from every mode */
	mode_t file_mode; /* where none is stored */
	mode_t dir_mode;
	int64_t op_timeout_ns; /* 0: none */
	int64_t drain_timeout_ns;
	int64_t publish_interval_ns;
	int64_t attr_timeout_ns;
	int64_t entry_timeout_ns;
	int64_t negative_timeout_ns;
	uint64_t staging_size; /* bytes or percent, 0: no limit */
	bool staging_percent;
	uint64_t cache_size; /* bytes or percent, 0: no limit */
	bool cache_percent;
	uint64_t memory;
	char *config;	   /* owned, NULL: the usual places */
	char *staging_dir; /* owned, NULL: the default place */
	char *cache_dir;   /* owned, NULL: none */
	char *kernel;	   /* owned: "nosuid,noexec" and so on, "" none */
};

/* The table, ended by a NULL name. */
extern const struct store_option mount_option_table[];

/*
 * What -o strings and a section of the configuration say, in the order of
 * set: option_words() for "a,b=c,d\,e", option_values_set() of `values` for
 * single ones.
 */
struct mount_words {
	struct option_values *values;
	char *kernel; /* words the kernel's mount takes */
};
int mount_words_new(struct mount_words *words, struct store_error *error)
	STORE_WARN_UNUSED;
void mount_words_release(struct mount_words *words);
/* A whole -o string; INVALID names the word and the nearest known one. */
int mount_words_parse(struct mount_words *words, const char *text,
		      struct store_error *error) STORE_WARN_UNUSED;
/* One option; generic words of mount(8) are accepted and dropped. */
int mount_words_set(struct mount_words *words, const char *name,
		    const char *value, const char *source,
		    struct store_error *error) STORE_WARN_UNUSED;
/* Typed options; NULL when out of memory. */
struct mount_options *mount_options_new(const struct mount_words *words);
void mount_options_free(struct mount_options *options);

#endif
