/* SPDX-License-Identifier: MIT */
/*
 * What the options of an SFTP store say, and a connection by it.
 */
#ifndef STOREFS_SFTP_SETTINGS_H
#define STOREFS_SFTP_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <storefs/context.h>
#include <storefs/error.h>

struct option_values;
struct sftp_transport;

enum sftp_transport_choice { SFTP_BY_AUTO, SFTP_BY_LIBSSH2, SFTP_BY_SSH };
/* What is done about a host key that nobody knows. */
enum sftp_host_key_policy {
	SFTP_HOST_KEY_STRICT, /* refused */
	SFTP_HOST_KEY_TOFU,   /* kept, and any other refused from then on */
	SFTP_HOST_KEY_AUTO,   /* taken, and forgotten */
};
/* What uid and gid of the server mean here, as sshfs has it. */
enum sftp_idmap { SFTP_IDMAP_NONE, SFTP_IDMAP_USER, SFTP_IDMAP_FILE };

/* Owned texts; NULL where nothing is set. */
struct sftp_settings {
	char *host; /* as the user names it: alias of ssh configuration */
	uint16_t port;
	char *username;
	char *password; /* secret */
	char *key;	/* path of a private key, the only one then */
	/* Of ssh configuration, while connecting; borrowed: */
	const char *host_name; /* where to connect to */
	const char *spare_key; /* tried behind those of the agent */
	/* Instead of ~/.ssh/known_hosts and that of the machine, or "none". */
	const char *user_hosts, *global_hosts;
	char *passphrase; /* secret */
	bool agent;
	char *base_path; /* on the server; "" is where sessions begin */
	enum sftp_host_key_policy host_key_policy;
	char *known_hosts; /* path; NULL: ~/.ssh/known_hosts and the system's */
	char *host_keys;   /* lines as of known_hosts, instead of any file */
	char *ssh_config;  /* path, "none"; NULL: the user's and the system's */
	char *ssh_command; /* program and words, split at blanks */
	enum sftp_transport_choice transport;
	unsigned int connections; /* 1 to 16 */
	int64_t connect_timeout;  /* ns; connect, key exchange, authentication,
				     channel, version: all together */
	int64_t io_timeout;	  /* ns of silence while an answer is due */
	int64_t keepalive;	  /* ns of idling, 0 for none */
	bool follow_symlinks;
	enum sftp_idmap idmap;
	char *uidfile; /* NAME:UID or REMOTE:LOCAL lines */
	char *gidfile;
};

/* Free what is owned. */
void sftp_settings_release(struct sftp_settings *settings);
/*
 * Fill in settings from options.  INVALID names the option; NOT_SUPPORTED what
 * the transport that was asked for cannot do.  Released by the caller, also
 * after a failure.
 */
int sftp_settings_fill(const struct option_values *values,
		       struct sftp_settings *settings,
		       struct store_error *error) STORE_WARN_UNUSED;

/*
 * Connect, check the host key, authenticate and start the SFTP subsystem:
 * a stream that SFTP_INIT can be written to.  Blocks until then, within
 * connect_timeout and the context.  DENIED for an unknown or changed host key
 * (before anything of the user is sent) and for refused authentication;
 * UNAVAILABLE or TIMEOUT when the server cannot be reached.  The ssh program
 * is only started here: what it meets shows when the stream ends, so who
 * waits for SFTP_VERSION does so within connect_timeout, too.
 */
int sftp_connect(const struct sftp_settings *settings,
		 struct store_context *context,
		 struct sftp_transport **transport, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
