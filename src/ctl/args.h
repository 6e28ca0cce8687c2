/* SPDX-License-Identifier: MIT */
/*
 * The command line of storectl: one table of options per command, from which
 * the parser and --help work.  Mistakes are told on stderr here and end with
 * exit status 1.
 */
#ifndef STOREFS_CTL_ARGS_H
#define STOREFS_CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <storefs/error.h>

/* What the options of all commands together can say. */
struct args {
	bool help;
	bool json;
	const char *config;
	int64_t timeout_ns;
	bool long_format;
	bool recursive;
	bool human;
	bool sort;
	bool force;
	bool verbose;
	bool preserve;
	bool no_clobber;
	bool parents;
	bool all;
	bool raw;
	bool offline;
	bool follow;
	bool lazy;
	int64_t depth; /* -1: all */
	int64_t mode;  /* -1: not given */
	int64_t offset;
	int64_t length; /* -1: to the end */
	const char *pattern;
	const char *algorithm;
	const char *fstab;
	const char *staging_dir;
	const char *source;
	int64_t wait_ns; /* in all, -1: not given */
};

enum arg_kind {
	ARG_FLAG,	/* bool */
	ARG_TEXT,	/* const char * */
	ARG_COUNT,	/* int64_t, from 0 to INT_MAX */
	ARG_SIZE,	/* int64_t, bytes */
	ARG_DURATION,	/* int64_t, nanoseconds */
	ARG_PERMISSION, /* int64_t, octal up to 07777 */
};

struct arg_option {
	const char *name;
	char letter; /* 0 for none */
	enum arg_kind kind;
	size_t offset;	   /* in struct args */
	const char *value; /* what --help calls the value */
	const char *help;
};

/*
 * Those every command takes, unless its own table has one of that name; ended
 * by a NULL name, as all tables.
 */
extern const struct arg_option args_common[];

void args_init(struct args *args);
/*
 * Parse `argv` (argv[0] is skipped).  Operands end up at argv[*first] and
 * after.  `stop`: end at the first operand, else options may follow it.
 * INVALID after a message on stderr.  `options` may be NULL.
 */
int args_parse(struct args *args, const struct arg_option *options, int argc,
	       char **argv, bool stop, int *first) STORE_WARN_UNUSED;
/*
 * One line per option for --help, the common ones behind those of the
 * command (NULL: only these).
 */
void args_print(const struct arg_option *options);

#endif
