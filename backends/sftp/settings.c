// SPDX-License-Identifier: MIT
/* From options to settings; see settings.h. */
#include "config.h"

#include "backends/sftp/settings.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/secret.h"
#include "src/option.h"

void sftp_settings_release(struct sftp_settings *settings)
{
	free(settings->host);
	free(settings->username);
	secret_free(settings->password);
	free(settings->key);
	secret_free(settings->passphrase);
	free(settings->base_path);
	free(settings->known_hosts);
	free(settings->host_keys);
	free(settings->ssh_config);
	free(settings->ssh_command);
	free(settings->uidfile);
	free(settings->gidfile);
	*settings = (struct sftp_settings){ .port = 0 };
}

static int copy_texts(const struct option_values *values,
		      struct sftp_settings *settings, struct store_error *error)
{
	const struct {
		const char *name;
		char **to;
	} texts[] = {
		{ "host", &settings->host },
		{ "username", &settings->username },
		{ "password", &settings->password },
		{ "identity_file", &settings->key },
		{ "passphrase", &settings->passphrase },
		{ "known_hosts", &settings->known_hosts },
		{ "known_host_keys", &settings->host_keys },
		{ "ssh_config", &settings->ssh_config },
		{ "ssh_command", &settings->ssh_command },
		{ "uidfile", &settings->uidfile },
		{ "gidfile", &settings->gidfile },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *text = option_text(values, texts[i].name);

		*texts[i].to = text ? strdup(text) : NULL;
		if (text && !*texts[i].to)
			return store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
	}
	return STORE_OK;
}

/* Without a '/' at its end; "/" is that of an empty key. */
static int copy_base(const char *text, char **base, struct store_error *error)
{
	size_t length = text ? strlen(text) : 0;

	while (length > 1 && text[length - 1] == '/')
		length--;
	*base = strndup(text ? text : "", length);
	return *base ? STORE_OK
		     : store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

/* A first character of its own is an option to the ssh program. */
static int check_words(const struct sftp_settings *settings,
		       struct store_error *error)
{
	if (settings->host[0] == '-' ||
	    strpbrk(settings->host, " \t\n/@,*?!\"\\"))
		return store_error_set(error, STORE_INVALID,
				       "host: no name of a host");
	if (settings->username &&
	    (settings->username[0] == '-' || !settings->username[0]))
		return store_error_set(error, STORE_INVALID,
				       "username: no name of a user");
	if (settings->known_hosts && strchr(settings->known_hosts, '"'))
		return store_error_set(error, STORE_INVALID,
				       "known_hosts: ssh takes no path with a "
				       "quote");
	if (settings->ssh_command &&
	    !settings->ssh_command[strspn(settings->ssh_command, " ")])
		return store_error_set(error, STORE_INVALID,
				       "ssh_command: no program");
	return STORE_OK;
}

static int check_idmap(const struct sftp_settings *settings,
		       struct store_error *error)
{
	bool files = settings->uidfile || settings->gidfile;

	if (files == (settings->idmap == SFTP_IDMAP_FILE))
		return STORE_OK;
	return store_error_set(
		error, STORE_INVALID,
		files ? "uidfile, gidfile: only with idmap=file"
		      : "idmap=file: uidfile or gidfile says how");
}

/* What the ssh program cannot be told, or asks a terminal for. */
static const char *beyond_ssh(const struct sftp_settings *settings)
{
	if (settings->password)
		return "password";
	if (settings->passphrase)
		return "passphrase";
	return settings->host_keys ? "known_host_keys" : NULL;
}

static int choose_transport(struct sftp_settings *settings,
			    struct store_error *error)
{
	const char *beyond = beyond_ssh(settings);

#ifdef HAVE_LIBSSH2
	/* Otherwise it is decided when the server has been met. */
	if (settings->transport == SFTP_BY_AUTO && settings->ssh_command)
		settings->transport = SFTP_BY_SSH;
	else if (settings->transport == SFTP_BY_AUTO && beyond)
		settings->transport = SFTP_BY_LIBSSH2;
#else
	if (settings->transport == SFTP_BY_LIBSSH2)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "transport=libssh2: not built in");
	settings->transport = SFTP_BY_SSH;
#endif
	if (settings->transport == SFTP_BY_SSH && beyond)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "%s: the ssh program cannot be told; "
				       "transport=libssh2 can",
				       beyond);
	if (settings->transport == SFTP_BY_LIBSSH2 && settings->ssh_command)
		return store_error_set(error, STORE_INVALID,
				       "ssh_command: not with "
				       "transport=libssh2");
	return STORE_OK;
}

int sftp_settings_fill(const struct option_values *values,
		       struct sftp_settings *settings,
		       struct store_error *error)
{
	int code;

	*settings = (struct sftp_settings){
		.port = (uint16_t)option_number(values, "port"),
		.agent = option_flag(values, "agent"),
		.host_key_policy = (enum sftp_host_key_policy)option_choice(
			values, "host_key_policy"),
		.transport = (enum sftp_transport_choice)option_choice(
			values, "transport"),
		.connections =
			(unsigned int)option_number(values, "connections"),
		.connect_timeout = option_number(values, "connect_timeout"),
		.io_timeout = option_number(values, "io_timeout"),
		.keepalive = option_number(values, "keepalive"),
		.follow_symlinks = option_flag(values, "follow_symlinks"),
		.idmap = (enum sftp_idmap)option_choice(values, "idmap"),
	};
	code = copy_texts(values, settings, error);
	if (!code)
		code = copy_base(option_text(values, "base_path"),
				 &settings->base_path, error);
	if (!code)
		code = check_words(settings, error);
	if (!code)
		code = check_idmap(settings, error);
	return code ? code : choose_transport(settings, error);
}
