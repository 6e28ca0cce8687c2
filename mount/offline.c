// SPDX-License-Identifier: MIT
/*
 * See offline.h.  Called by main.c and control.c; calls assemble.c and
 * statedir.c.
 */
#include "config.h"

#include "mount/offline.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mount/assemble.h"
#include "mount/commit.h"
#include "mount/control.h"
#include "mount/mountpoint.h"
#include "mount/pending.h"
#include "mount/relocation.h"
#include "mount/statedir.h"
#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/log.h"

struct offline {
	struct fs fs;
	struct source source;
	struct statedir staging;
	char *store; /* owned: identity of what the directory belongs to */
	/* Why there is nothing to work on, STORE_OK: there is. */
	int failed;
	struct store_error error;
};

/* ---- which directory ---- */

/* Of a mount point that may be gone with the machine's last start. */
static int absolute(const char *given, char **path, struct store_error *error)
{
	CLEANUP_BUF struct buf made = BUF_INIT(PATH_MAX);
	char here[PATH_MAX];
	int code = mountpoint_prepare(given, true, path, error);

	if (code != STORE_NOT_FOUND)
		return code;
	if (*given != '/' && getcwd(here, sizeof(here)))
		buf_addf(&made, "%s/", here);
	buf_add_text(&made, given);
	while (made.length > 1 && made.data[made.length - 1] == '/')
		made.data[--made.length] = '\0';
	code = buf_error(&made, "mount point", error);
	if (!code)
		*path = buf_steal(&made);
	return code;
}

static int find_directory(struct offline *offline, const struct cli *cli,
			  const char *identity, char **path,
			  struct store_error *error)
{
	CLEANUP_FREE char *mountpoint = NULL;
	int code = STORE_OK;

	if (!offline->fs.options->staging_dir && !cli->mountpoint)
		return store_error_set(error, STORE_INVALID,
				       "a staging directory, or source and "
				       "mount point, are needed");
	if (!offline->fs.options->staging_dir)
		code = absolute(cli->mountpoint, &mountpoint, error);
	return code ? code
		    : statedir_path(offline->fs.options, identity, mountpoint,
				    path, error);
}

static int check_identity(const struct offline *offline, const char *identity,
			  struct store_error *error)
{
	if (!identity || !strcmp(identity, offline->store))
		return STORE_OK;
	return store_error_set(error, STORE_INVALID,
			       "staging directory %s belongs to another store "
			       "(%s)",
			       offline->staging.path, offline->store);
}

static int open_source(struct offline *offline, struct cli *cli,
		       char **identity, struct store_error *error)
{
	int code;

	if (!cli->source)
		return STORE_OK;
	code = source_prepare(cli->source, &cli->words, &offline->source,
			      error);
	if (!code)
		code = assemble_store(&offline->fs, &offline->source, error);
	if (code)
		return code;
	*identity = store_identity(offline->fs.store);
	return *identity ? STORE_OK
			 : store_error_set(error, STORE_NO_MEMORY,
					   "no memory for the store's name");
}

static int open_directory(struct offline *offline, const struct cli *cli,
			  const char *identity, struct store_error *error)
{
	struct fs *fs = &offline->fs;
	CLEANUP_FREE char *path = NULL;
	int code;

	fs->options = mount_options_new(&cli->words);
	if (!fs->options)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for options");
	code = find_directory(offline, cli, identity, &path, error);
	if (!code)
		code = statedir_adopt(path, &offline->staging, error);
	if (!code)
		code = statedir_identity(&offline->staging, &offline->store,
					 &fs->mountpoint, error);
	if (!code)
		code = check_identity(offline, identity, error);
	if (code)
		return code;
	fs->staging_fd = offline->staging.fd;
	fs->staging_path = offline->staging.path;
	if (!fs->source)
		fs->source = strdup(offline->store);
	return STORE_OK;
}

/* ---- building up ---- */

struct fs *offline_fs(struct offline *offline)
{
	return &offline->fs;
}

static int open_area(struct fs *fs, struct store_error *error)
{
	int code = staging_area_open(fs->staging_fd, 0, &fs->area, error);

	if (!code)
		staging_area_call(fs->area, fs->staging_path);
	return code;
}

/* For the end of a record the journal is enough. */
static int open_journal(struct fs *fs, struct store_error *error)
{
	struct pending pending;
	struct journal *journal = NULL;
	int code = open_area(fs, error);

	if (!code)
		code = pending_load(fs->staging_fd, 0, &pending, &journal,
				    error);
	if (code)
		return code;
	code = commit_start(fs, journal, pending.last_id, error);
	if (code)
		journal_close(journal);
	pending_release(&pending);
	return code;
}

/* What is below their names can be stored then. */
static void await_renames(struct fs *fs)
{
	struct store_context context;

	store_context_init(&context, 0, NULL);
	context.deadline_ns =
		clock_monotonic_ns() + fs->options->drain_timeout_ns;
	if (relocations_drain(fs, &context))
		log_warn("renames go on with the next mount");
}

static int open_queue(struct fs *fs, struct store_error *error)
{
	int code;

	if (!fs->store)
		return store_error_set(error, STORE_INVALID,
				       "the store has to be named");
	if (fs->area)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "one command at a time");
	code = open_area(fs, error);
	if (!code)
		code = assemble_tree(fs, error);
	if (!code)
		code = assemble_reading(fs, error);
	if (!code)
		code = assemble_queue(fs, true, error);
	if (!code)
		await_renames(fs);
	return code;
}

int offline_prepare(struct offline *offline, enum control_need need,
		    struct store_error *error)
{
	struct fs *fs = &offline->fs;

	if (offline->failed) {
		*error = offline->error;
		return offline->failed;
	}
	if (need == CONTROL_MOUNT)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "this is for running mounts");
	if (need == CONTROL_SETTLES && !fs->commit)
		return open_journal(fs, error);
	if (need == CONTROL_STORES && !fs->publisher)
		return open_queue(fs, error);
	return STORE_OK;
}

/* ---- life ---- */

static void take_down(struct offline *offline)
{
	struct fs *fs = &offline->fs;

	assemble_stop(fs);
	assemble_release(fs);
	mount_options_free(fs->options);
	free(fs->mountpoint);
	free(offline->store);
	statedir_close(&offline->staging);
	source_release(&offline->source);
	free(offline);
}

int offline_run(struct cli *cli)
{
	struct offline *offline = calloc(1, sizeof(*offline));
	CLEANUP_FREE char *identity = NULL;
	struct store_error *error;

	if (!offline)
		return CLI_EXIT_FAILED;
	/* The answers tell; only storectl reads our stderr. */
	log_set_level(LOG_LEVEL_ERROR);
	error = &offline->error;
	offline->staging = (struct statedir){ .fd = -1, .lock_fd = -1 };
	offline->fs.ready_fd = -1;
	offline->failed = open_source(offline, cli, &identity, error);
	if (!offline->failed)
		offline->failed = open_directory(offline, cli, identity, error);
	control_serve_offline(offline, STDIN_FILENO);
	take_down(offline);
	return 0;
}
