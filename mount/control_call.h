/* SPDX-License-Identifier: MIT */
/*
 * Commands of the control socket, as control.c calls them: one function
 * each, in control_status.c, control_queue.c, control_drain.c and
 * control_refresh.c.
 *
 * A command sends its lines with control_send(); a code it returns becomes
 * the answer {"error":TEXT,"code":NAME}.
 */
#ifndef STOREFS_MOUNT_CONTROL_CALL_H
#define STOREFS_MOUNT_CONTROL_CALL_H

#include "mount/fs.h"
#include "mount/line.h"
#include "src/control/wire.h"

struct control_call {
	struct fs *fs;
	struct wire wire;
	struct store_cancel *cancel; /* the driver stops */
	const struct json *command;  /* borrowed */
	bool offline;		     /* without a mount, see offline.h */
	bool gone;		     /* the other side, or the connection */
};

typedef int control_fn(struct control_call *call, struct store_error *error);

/* What a command needs when there is no mount; the same as OFFLINE_*. */
enum control_need {
	CONTROL_LOOKS,	 /* at the staging directory, and at a store if any */
	CONTROL_SETTLES, /* writes to the journal */
	CONTROL_STORES,	 /* runs everything but a mount */
	CONTROL_MOUNT,	 /* is for a running mount only */
};

struct control_command {
	const char *name;
	enum control_need need;
	control_fn *run;
};
/* NULL: there is none of that name. */
const struct control_command *control_find(const char *name);

/* The line goes out, and is released; a slow reader is waited for. */
int control_send(struct control_call *call, struct line *line,
		 struct store_error *error) STORE_WARN_UNUSED;
/* The same for text that is a line already, and for bytes between lines. */
int control_send_bytes(struct control_call *call, const void *data,
		       size_t length, struct store_error *error)
	STORE_WARN_UNUSED;

control_fn control_status, control_events, control_pause, control_resume;
control_fn control_pending, control_export, control_discard, control_retry;
control_fn control_drain, control_refresh;

#endif
