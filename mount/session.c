// SPDX-License-Identifier: MIT
/*
 * The life of a mount; see session.h.  Called by main.c.
 *
 * Order of building up: store, staging directory (locked), node tree, FUSE
 * session, mount, publisher, control socket.  Taking down is the reverse,
 * after what is closed and dirty has been published.
 */
#include "config.h"

#include "mount/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mount/assemble.h"
#include "mount/control.h"
#include "mount/holders.h"
#include "mount/kernel_io.h"
#include "mount/mountpoint.h"
#include "mount/notify.h"
#include "mount/ops.h"
#include "mount/statedir.h"
#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/log.h"

enum {
	REQUEST_THREADS = 512, /* a stuck store must not use them all up */
	IDLE_THREADS = 8,
	ARGUMENT_MAX = 65536,
	READAHEAD_KIB = 1024,
};

struct session {
	struct fs fs;
	struct statedir staging;
	struct control *control;
	struct ending *ending;
	struct notify *notify;
	bool debug, mounted;
};

/* ---- readiness ---- */

/*
 * Requests of 1 MiB need a read-ahead of that size; root may ask for it.  What
 * the kernel reads beyond the end of a column costs nothing on a disk, and
 * traffic elsewhere, where prefetch.c does this work.
 */
static void raise_readahead(const struct fs *fs)
{
	char path[96], text[16];
	int fd, length;

	if (!(fs->capabilities & STORE_CAP_NEAR))
		return;
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb",
		 major(fs->device), minor(fs->device));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	length = snprintf(text, sizeof(text), "%d", READAHEAD_KIB);
	if (write(fd, text, (size_t)length) != length)
		log_debug("%s: %s", path, "could not be set");
	close(fd);
}

/* From here on nobody reads our stderr. */
static void leave_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_to_syslog("storefs");
	for (int target = 0; fd >= 0 && target < 3; target++)
		dup2(fd, target);
	if (fd > 2)
		close(fd);
}

void session_ready(struct fs *fs)
{
	static const char ready = 0;

	notify_ready();
	if (fs->ready_fd < 0)
		return;
	if (write(fs->ready_fd, &ready, 1) != 1)
		log_warn("nobody waits for the mount");
	close(fs->ready_fd);
	fs->ready_fd = -1;
	leave_terminal();
}

/* ---- building up ---- */

static int open_store(struct session *session, const struct source *source,
		      char **identity, struct store_error *error)
{
	int code = assemble_store(&session->fs, source, error);

	if (code)
		return code;
	*identity = store_identity(session->fs.store);
	if (*identity)
		return STORE_OK;
	return store_error_set(error, STORE_NO_MEMORY,
			       "no memory for the store's name");
}

/* A store whose files are below the mount point would wait for itself. */
static int check_places(struct fs *fs, const char *staging,
			struct store_error *error)
{
	CLEANUP_FREE char *place = store_local_path(fs->store);
	int code = STORE_OK;

	if (place)
		code = mountpoint_check_apart(fs->mountpoint, place, "source",
					      error);
	if (!code)
		code = mountpoint_check_apart(fs->mountpoint, staging,
					      "staging directory", error);
	if (!code && fs->options->cache_dir)
		code = mountpoint_check_apart(fs->mountpoint,
					      fs->options->cache_dir,
					      "cache directory", error);
	return code;
}

static int open_staging(struct session *session, const char *identity,
			struct store_error *error)
{
	struct fs *fs = &session->fs;
	CLEANUP_FREE char *path = NULL;
	int code = statedir_path(fs->options, identity, fs->mountpoint, &path,
				 error);

	if (!code)
		code = check_places(fs, path, error);
	if (!code)
		code = statedir_open(fs->options, identity, fs->mountpoint,
				     &session->staging, error);
	if (!code)
		code = staging_area_open(session->staging.fd,
					 session->staging.size_limit, &fs->area,
					 error);
	if (code)
		return code;
	staging_area_call(fs->area, session->staging.path);
	staging_area_limit_files(fs->area, session->staging.file_limit);
	fs->staging_fd = session->staging.fd;
	fs->staging_path = session->staging.path;
	return STORE_OK;
}

static void add_escaped(struct buf *text, const char *value)
{
	for (; *value; value++) {
		if (*value == ',' || *value == '\\')
			buf_add_char(text, '\\');
		buf_add_char(text, *value);
	}
}

static int mount_arguments(const struct fs *fs, char **text,
			   struct store_error *error)
{
	struct buf made = BUF_INIT(ARGUMENT_MAX);
	int code;

	buf_add_text(&made, "-osubtype=storefs,default_permissions,fsname=");
	add_escaped(&made, fs->source);
	if (fs->options->allow_other)
		buf_add_text(&made, ",allow_other");
	if (fs->options->read_only)
		buf_add_text(&made, ",ro");
	if (*fs->options->kernel)
		buf_addf(&made, ",%s", fs->options->kernel);
	code = buf_error(&made, "mount options", error);
	if (!code)
		*text = buf_steal(&made);
	buf_release(&made);
	return code;
}

static int mount_session(struct session *session, struct store_error *error)
{
	struct fs *fs = &session->fs;
	CLEANUP_FREE char *options = NULL;
	char program[] = "storefs", debug[] = "-d";
	char *argv[] = { program, NULL, debug, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(session->debug ? 3 : 2, argv);
	int code = mount_arguments(fs, &options, error);

	if (code)
		return code;
	argv[1] = options;
	fs->session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
	/* It has made a copy of its own. */
	fuse_opt_free_args(&args);
	if (!fs->session)
		return store_error_set(error, STORE_INVALID,
				       "libfuse refuses the options %s",
				       options);
	if (fuse_session_mount(fs->session, fs->mountpoint))
		return store_error_set(error, STORE_UNAVAILABLE,
				       "%s: could not be mounted",
				       fs->mountpoint);
	session->mounted = true;
	fs->device = mountpoint_device(fs->mountpoint);
	raise_readahead(fs);
	return kernel_io_install(fs->session, error);
}

/* Without it the mount works, and only tools miss something. */
static void start_control(struct session *session)
{
	struct buf path = BUF_INIT(4096);
	struct store_error error = STORE_ERROR_INIT;

	buf_addf(&path, "%s/control", session->staging.path);
	if (control_start(&session->fs, buf_text(&path), &session->control,
			  &error))
		log_warn("no control socket: %s", error.message);
	buf_release(&path);
}

static int build_up(struct session *session, const struct source *source,
		    struct store_error *error)
{
	struct fs *fs = &session->fs;
	CLEANUP_FREE char *identity = NULL;
	int code = open_store(session, source, &identity, error);

	if (!code)
		code = open_staging(session, identity, error);
	if (!code)
		code = assemble_tree(fs, error);
	if (!code)
		code = assemble_reading(fs, error);
	if (!code)
		assemble_cache(fs);
	if (!code)
		code = ending_start(fs, &session->ending, error);
	if (!code)
		code = mount_session(session, error);
	if (!code)
		code = assemble_queue(fs, false, error);
	if (code)
		return code;
	start_control(session);
	session->notify = notify_start(fs);
	return STORE_OK;
}

/* ---- serving ---- */

static int serve(struct session *session)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	const struct fs *fs = &session->fs;
	pid_t note;
	int result;

	if (!config)
		return ENOMEM;
	fuse_loop_cfg_set_clone_fd(config, 0);
	fuse_loop_cfg_set_max_threads(config, REQUEST_THREADS);
	fuse_loop_cfg_set_idle_threads(config, IDLE_THREADS);
	note = mountpoint_note_helper(fs->source, fs->mountpoint);
	result = fuse_session_loop_mt(fs->session, config);
	mountpoint_note_wait(note);
	fuse_loop_cfg_destroy(config);
	return result < 0 ? -result : 0;
}

/* ---- taking down ---- */

static void take_down(struct session *session, bool drain)
{
	struct fs *fs = &session->fs;

	if (fs->publisher && drain)
		ending_drain(session->ending);
	/* Whatever is mounted there by now is not ours. */
	if (session->ending && ending_detached(session->ending))
		session->mounted = false;
	ending_stop(session->ending);
	notify_stop(session->notify);
	control_stop(session->control);
	assemble_stop(fs);
	if (session->mounted)
		fuse_session_unmount(fs->session);
	if (fs->session)
		fuse_session_destroy(fs->session);
	assemble_release(fs);
	statedir_close(&session->staging);
}

int session_run(const struct cli *cli, const struct source *source,
		const char *mountpoint, int ready_fd)
{
	struct session *session = calloc(1, sizeof(*session));
	struct store_error error = STORE_ERROR_INIT;
	int code = STORE_NO_MEMORY, result = 0;

	if (!session)
		return CLI_EXIT_FAILED;
	session->debug = cli->debug;
	session->staging = (struct statedir){ .fd = -1, .lock_fd = -1 };
	session->fs.ready_fd = ready_fd;
	session->fs.started_ns = clock_monotonic_ns();
	session->fs.proc_usable = holders_usable();
	session->fs.options = mount_options_new(&cli->words);
	session->fs.mountpoint = strdup(mountpoint);
	session->fs.unmounted = store_cancel_new();
	if (session->fs.options && session->fs.mountpoint &&
	    session->fs.unmounted)
		code = build_up(session, source, &error);
	if (code)
		log_error("%s", error.message);
	else
		result = serve(session);
	take_down(session, !code);
	mount_options_free(session->fs.options);
	free(session->fs.mountpoint);
	store_cancel_free(session->fs.unmounted);
	free(session);
	return code || result ? CLI_EXIT_FAILED : 0;
}
