/* SPDX-License-Identifier: MIT */
/*
 * One run of storectl: its options, the stores it has opened, its deadline,
 * and the exit status so far.
 *
 * Commands report failures with ctl_fail() and go on with their next operand;
 * the first failure decides the exit status:
 *
 *	0 fine		1 the command line	N+1 for the code -N of
 *						<storefs/error.h>
 *
 * One thread, beside the one that waits for signals (signals.c).
 */
#ifndef STOREFS_CTL_CTL_H
#define STOREFS_CTL_CTL_H

#include "src/ctl/args.h"
#include "src/ctl/out.h"
#include <storefs/registry.h>
#include <storefs/store.h>

/* Exit status of a command line that makes no sense. */
#define CTL_USAGE 1

struct ctl_store;
struct place;

struct ctl {
	struct args args;
	struct store_context context;
	struct store_cancel *cancel;
	struct store_registry *registry; /* NULL until it is needed */
	struct ctl_store *stores;	 /* opened so far */
	int status;
};

struct ctl_command {
	const char *name;
	const char *operands; /* as --help shows them */
	const char *help;     /* one line */
	const struct arg_option *options;
	int least; /* operands */
	int most;  /* -1: any number */
	/* Interrupted, it cleans up before it ends (signals.c). */
	bool writes;
	void (*run)(struct ctl *ctl, char **operands, int count);
};

extern const struct ctl_command command_ls;
extern const struct ctl_command command_tree;
extern const struct ctl_command command_glob;
extern const struct ctl_command command_cat;
extern const struct ctl_command command_sum;
extern const struct ctl_command command_cp;
extern const struct ctl_command command_mv;
extern const struct ctl_command command_rm;
extern const struct ctl_command command_mkdir;
extern const struct ctl_command command_rmdir;
extern const struct ctl_command command_stat;
extern const struct ctl_command command_du;
extern const struct ctl_command command_ping;
extern const struct ctl_command command_caps;
extern const struct ctl_command command_resolve;
extern const struct ctl_command command_config;
extern const struct ctl_command command_check;
extern const struct ctl_command command_status;
extern const struct ctl_command command_metrics;
extern const struct ctl_command command_pending;
extern const struct ctl_command command_drain;
extern const struct ctl_command command_retry;
extern const struct ctl_command command_pause;
extern const struct ctl_command command_resume;
extern const struct ctl_command command_discard;
extern const struct ctl_command command_export;
extern const struct ctl_command command_umount;
extern const struct ctl_command command_refresh;
extern const struct ctl_command command_warm;

/* The context of the next call: its stall clock starts now. */
struct store_context *ctl_context(struct ctl *ctl);
/* The registry, opened on first use; owned by `ctl`. */
int ctl_registry(struct ctl *ctl, struct store_registry **registry,
		 struct store_error *error) STORE_WARN_UNUSED;
/*
 * A store by the name of the registry or by URL, opened on first use and
 * shared by all operands that name it; owned by `ctl`.
 */
int ctl_open_name(struct ctl *ctl, const char *name, struct store **store,
		  struct store_error *error) STORE_WARN_UNUSED;
int ctl_open_url(struct ctl *ctl, const char *url, struct store **store,
		 struct store_error *error) STORE_WARN_UNUSED;
void ctl_close(struct ctl *ctl);

/*
 * Tell a failure on stderr and keep it as exit status.  `label` and `key`
 * name what failed; both may be NULL.  Returns the code.
 */
int ctl_fail(struct ctl *ctl, const char *label, const char *key,
	     const struct store_error *error);
int ctl_fail_place(struct ctl *ctl, const struct place *place,
		   const struct store_error *error);
/* A failure of the command line that only the command can see. */
void ctl_fail_usage(struct ctl *ctl, const char *format, ...)
	STORE_PRINTF(2, 3);
/* Print a record on stdout; a failure is told. */
void ctl_print(struct ctl *ctl, struct record *record);
/* Was the run cancelled?  Loops over operands and entries ask. */
bool ctl_cancelled(const struct ctl *ctl);

/* Signals: block and wait for them in a thread of their own. */
int signals_start(struct ctl *ctl, struct store_error *error) STORE_WARN_UNUSED;
/* End as the signal that came would have ended us, if one came. */
void signals_finish(void);

#endif
