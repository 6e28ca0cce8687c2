/* SPDX-License-Identifier: MIT */
/*
 * Asking the driver of a mount through its control socket; the commands are
 * described in mount/control.h.  Used by storectl and by the helper of
 * umount(8).  For one thread.
 *
 * An answer {"error":TEXT,"code":NAME} becomes that error.
 */
#ifndef STOREFS_CONTROL_CLIENT_H
#define STOREFS_CONTROL_CLIENT_H

#include "src/base/json.h"
#include "src/control/wire.h"
#include <storefs/context.h>

/* Longest wait for what a driver answers from memory: slower is stuck. */
#define CLIENT_TIMEOUT_NS INT64_C(5000000000)

struct client;

/* UNAVAILABLE: nobody listens there. */
int client_open(const char *path, struct client **client,
		struct store_error *error) STORE_WARN_UNUSED;
/*
 * The driver of the mount with this device, which `owner` has mounted: does
 * not touch the mount.  UNAVAILABLE also when somebody else listens there.
 */
int client_open_device(dev_t device, uid_t owner, struct client **client,
		       struct store_error *error) STORE_WARN_UNUSED;
/* The same over a connected socket, which it takes also on failure. */
int client_adopt(int fd, struct client **client, struct store_error *error)
	STORE_WARN_UNUSED;
/* NULL is fine. */
void client_close(struct client *client);
/* From now on waits end when this is triggered; borrowed. */
void client_watch(struct client *client, struct store_cancel *cancel);

int client_send(struct client *client, const struct json *command,
		struct store_error *error) STORE_WARN_UNUSED;
/* The next line; the caller frees it.  Waits `timeout_ns`, 0: for ever. */
int client_receive(struct client *client, int64_t timeout_ns,
		   struct json **line, struct store_error *error)
	STORE_WARN_UNUSED;
/* Exactly so many bytes that follow a line. */
int client_bytes(struct client *client, int64_t timeout_ns, void *data,
		 size_t length, struct store_error *error) STORE_WARN_UNUSED;
/* Send, and receive one line. */
int client_ask(struct client *client, const struct json *command,
	       int64_t timeout_ns, struct json **answer,
	       struct store_error *error) STORE_WARN_UNUSED;

/* The code of a name such as "NOT_FOUND"; INTERNAL for any other. */
int client_code(const char *name);
/* {"command":NAME}; NULL when out of memory. */
struct json *client_command(const char *name);
/*
 * Set a text of any bytes: as NAME, or in base64 as NAME_b64 where it is not
 * UTF-8.
 */
int client_set_bytes(struct json *object, const char *name, const char *text)
	STORE_WARN_UNUSED;
/* The reverse: malloc'd into *text, NULL when there is none. */
int client_get_bytes(const struct json *object, const char *name, char **text,
		     struct store_error *error) STORE_WARN_UNUSED;

#endif
