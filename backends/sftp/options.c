// SPDX-License-Identifier: MIT
/*
 * The options of the SFTP store, with the names of remote-store where it has
 * them, and its URLs: sftp://[user@]host[:port]/path, where /~/path is below
 * the folder that sessions begin in.
 */
#include "config.h"

#include "backends/sftp/options.h"

#include <stdio.h>
#include <string.h>

#include "src/base/clock.h"

const struct store_option sftp_options[] = {
	{ .name = "host",
	  .type = OPTION_TEXT,
	  .help = "The server, or a Host of the ssh configuration",
	  .flags = OPTION_REQUIRED },
	{ .name = "port",
	  .type = OPTION_INTEGER,
	  .help = "Its port; else that of the ssh configuration, else 22",
	  .minimum = 1,
	  .maximum = 65535 },
	{ .name = "username",
	  .type = OPTION_TEXT,
	  .aliases = "user",
	  .help = "The user there; else that of the ssh configuration, else "
		  "the one here" },
	{ .name = "password",
	  .type = OPTION_TEXT,
	  .help = "The password of the user",
	  .flags = OPTION_SECRET },
	{ .name = "identity_file",
	  .type = OPTION_PATH,
	  .aliases = "key_filename,pkey",
	  .help = "The private key; else those of the ssh configuration" },
	{ .name = "passphrase",
	  .type = OPTION_TEXT,
	  .help = "What the private key is encrypted with",
	  .flags = OPTION_SECRET },
	{ .name = "agent",
	  .type = OPTION_FLAG,
	  .fallback = "true",
	  .aliases = "allow_agent",
	  .help = "Use keys of the agent at $SSH_AUTH_SOCK" },
	{ .name = "base_path",
	  .type = OPTION_TEXT,
	  .aliases = "root",
	  .help = "The folder there that is the root of the store; without a "
		  "leading / it is below the one sessions begin in" },
	{ .name = "host_key_policy",
	  .type = OPTION_CHOICE,
	  .fallback = "strict",
	  .choices = "strict|tofu|auto",
	  .help = "A host key that nobody knows is refused, kept, or taken "
		  "for this once; one that contradicts is always refused" },
	{ .name = "known_hosts",
	  .type = OPTION_PATH,
	  .aliases = "host_keys_path",
	  .help = "The file of known host keys, instead of "
		  "~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts" },
	{ .name = "known_host_keys",
	  .type = OPTION_TEXT,
	  .help = "Lines as in such a file, instead of any" },
	{ .name = "ssh_config",
	  .type = OPTION_TEXT,
	  .aliases = "ssh_config_file",
	  .help = "The ssh configuration to read, or none; else "
		  "~/.ssh/config and /etc/ssh/ssh_config" },
	{ .name = "transport",
	  .type = OPTION_CHOICE,
	  .fallback = "auto",
	  .choices = "auto|libssh2|ssh",
	  .help = "Who speaks SSH: libssh2 where it can, or the ssh program" },
	{ .name = "ssh_command",
	  .type = OPTION_TEXT,
	  .help = "The ssh program and its first arguments, with blanks "
		  "between them" },
	{ .name = "connections",
	  .type = OPTION_INTEGER,
	  .fallback = "4",
	  .aliases = "max_conns",
	  .help = "How many connections at most",
	  .minimum = 1,
	  .maximum = 16 },
	{ .name = "connect_timeout",
	  .type = OPTION_DURATION,
	  .fallback = "10",
	  .aliases = "timeout",
	  .help = "How long it may take until a connection is usable",
	  .minimum = NS_PER_MS },
	{ .name = "io_timeout",
	  .type = OPTION_DURATION,
	  .fallback = "120",
	  .help = "How long the server may be silent while it owes an answer",
	  .minimum = NS_PER_MS },
	{ .name = "keepalive",
	  .type = OPTION_DURATION,
	  .fallback = "30",
	  .help = "An idle connection shows that it lives this often, 0 for "
		  "never" },
	{ .name = "follow_symlinks",
	  .type = OPTION_FLAG,
	  .fallback = "false",
	  .help = "Symlinks are what they point to, wherever that is" },
	{ .name = "idmap",
	  .type = OPTION_CHOICE,
	  .fallback = "none",
	  .choices = "none|user|file",
	  .help = "Owners are those of the server; the user there is the one "
		  "here; or as uidfile and gidfile have them" },
	{ .name = "uidfile",
	  .type = OPTION_PATH,
	  .help = "Lines NAME:UID, what users of this machine are there" },
	{ .name = "gidfile",
	  .type = OPTION_PATH,
	  .help = "Lines NAME:GID, what groups of this machine are there" },
	{ .name = NULL },
};

int sftp_from_url(const struct store_url *url, struct option_values *values,
		  const char *source, struct store_error *error)
{
	const char *path = url->path;
	char port[16];
	int code;

	if (!*url->host)
		return store_error_set(error, STORE_INVALID,
				       "%s: no host: sftp://host/path", source);
	code = option_values_set(values, "host", url->host, source, error);
	snprintf(port, sizeof(port), "%d", url->port);
	if (!code && url->port >= 0)
		code = option_values_set(values, "port", port, source, error);
	if (!code && url->user)
		code = option_values_set(values, "username", url->user, source,
					 error);
	if (!code && url->password)
		code = option_values_set(values, "password", url->password,
					 source, error);
	if (strncmp(path, "/~/", 3) == 0)
		path += 3;
	else if (strcmp(path, "/~") == 0)
		path += 2;
	if (!code && *path)
		code = option_values_set(values, "base_path", path, source,
					 error);
	return code;
}
