/* SPDX-License-Identifier: MIT */
/*
 * What ssh configuration says of a host, as far as libssh2 can go by it:
 * ssh_config(5).  The ssh program reads it by itself.
 */
#ifndef STOREFS_SFTP_SSH_CONFIG_H
#define STOREFS_SFTP_SSH_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include <storefs/error.h>

/* Owned texts, NULL where nothing was said; of each the first word counts. */
struct ssh_config {
	char *host_name;
	char *user;
	uint16_t port; /* 0: nothing was said */
	char *identity;
	char *known_hosts;
	char *global_hosts;
	/* A keyword that only the ssh program can go by. */
	char *beyond;
};

void ssh_config_release(struct ssh_config *config);
/*
 * Take in what a file says of `host`, where nothing was said before.  A
 * missing file says nothing.  INVALID names the file and the line.
 */
int ssh_config_read(struct ssh_config *config, const char *path,
		    const char *host, struct store_error *error)
	STORE_WARN_UNUSED;
/* The same of a text, which `name` stands for in messages. */
int ssh_config_parse(struct ssh_config *config, const char *text,
		     const char *name, const char *host,
		     struct store_error *error) STORE_WARN_UNUSED;
/* The user's file and that of the machine. */
int ssh_config_read_usual(struct ssh_config *config, const char *host,
			  struct store_error *error) STORE_WARN_UNUSED;

#endif
