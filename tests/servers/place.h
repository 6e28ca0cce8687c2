/* SPDX-License-Identifier: MIT */
/*
 * Where a server for tests can be found: a port of 127.0.0.1 that was free,
 * and a folder that holds `port`, `pid` and the socket `control`.
 */
#ifndef STOREFS_TESTS_SERVERS_PLACE_H
#define STOREFS_TESTS_SERVERS_PLACE_H

#include <stdbool.h>

#include "src/base/buf.h"

/* A listening socket on 127.0.0.1, -1 on failure (errno). */
int place_listen(int *port);
/* To a port of 127.0.0.1, without waiting for it; -1 on failure. */
int place_connect(int port);
/* The listening control socket of the folder, -1 on failure. */
int place_control(const char *dir);
/*
 * Everything is there: write `port` and `pid`, tell the port on stdout and
 * close that.  From then on the process ends with its parent.
 */
bool place_ready(const char *dir, int port);

/* ---- the control socket: one line in, a text out ---- */

/* False: `out` says what is wrong with the words. */
typedef bool place_command_fn(void *arg, char **words, struct buf *out);
/* Accept, read, run and answer one command. */
void place_serve(int control, place_command_fn *command, void *arg);
/* Tell a server; false when it says no, or is not there: `answer` says why. */
bool place_tell(const char *dir, char *const words[], struct buf *answer);

/* "name=value": the value when the word has that name, else NULL. */
const char *place_value(const char *word, const char *name);

#endif
