/* SPDX-License-Identifier: MIT */
/*
 * Host keys that are known, as in the files of OpenSSH: sshd(8), section
 * SSH_KNOWN_HOSTS FILE FORMAT.  For one host, whose lines are kept.
 */
#ifndef STOREFS_SFTP_KNOWN_HOSTS_H
#define STOREFS_SFTP_KNOWN_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <storefs/error.h>

struct known_hosts;

enum known_hosts_verdict {
	KNOWN_HOSTS_MATCH,
	KNOWN_HOSTS_UNKNOWN,  /* no key of this host is known */
	KNOWN_HOSTS_MISMATCH, /* others are, of whatever type */
	KNOWN_HOSTS_REVOKED,
};

/* With the standard port, 22, a host is known by its name alone. */
int known_hosts_new(const char *host, uint16_t port, struct known_hosts **known,
		    struct store_error *error) STORE_WARN_UNUSED;
void known_hosts_free(struct known_hosts *known);
/*
 * Take in the lines of a text.  What cannot be understood is passed over, as
 * ssh does.
 */
int known_hosts_add_text(struct known_hosts *known, const char *text,
			 struct store_error *error) STORE_WARN_UNUSED;
/* The same of a file; one that is missing has no lines. */
int known_hosts_add_file(struct known_hosts *known, const char *path,
			 struct store_error *error) STORE_WARN_UNUSED;
/* `key`: the public key as it goes over the wire. */
enum known_hosts_verdict known_hosts_judge(const struct known_hosts *known,
					   const void *key, size_t length);
/* Is a key of this type ("ssh-ed25519") known, and not revoked? */
bool known_hosts_has_type(const struct known_hosts *known, const char *type);
/* Is the host known by a certificate authority, which only ssh can judge? */
bool known_hosts_has_authority(const struct known_hosts *known);
/*
 * Append a key to a file, durably; it is made, with its folder, when it is
 * missing.
 */
int known_hosts_remember(const struct known_hosts *known, const char *path,
			 const void *key, size_t length,
			 struct store_error *error) STORE_WARN_UNUSED;

#endif
