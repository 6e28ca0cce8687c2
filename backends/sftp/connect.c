// SPDX-License-Identifier: MIT
/*
 * How a connection comes about; see settings.h.  Called by the session, calls
 * the transports: libssh2 first, and the ssh program for what that cannot do.
 *
 * The ssh program asks nobody anything (BatchMode), and nothing that the ssh
 * configuration says beside the way to the server comes along: no forwarding,
 * no command, no terminal.
 */
#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/sftp/libssh2.h"
#include "backends/sftp/settings.h"
#include "backends/sftp/ssh_config.h"
#include "backends/sftp/transport.h"
#include "src/base/clock.h"
#include "src/config/environment.h"

enum { WORDS_MAX = 64, WORD_MAX = 4400 };

/* The words of a command line. */
struct command_line {
	char *words[WORDS_MAX + 1];
	size_t count;
	bool failed;
};

static void add_word(struct command_line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add_word(struct command_line *line, const char *format, ...)
{
	char word[WORD_MAX];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(word, sizeof(word), format, arguments);
	va_end(arguments);
	if (length < 0 || length >= WORD_MAX || line->count == WORDS_MAX ||
	    !(line->words[line->count] = strdup(word)))
		line->failed = true;
	else
		line->count++;
}

static void add_words(struct command_line *line, const char *text)
{
	while (*(text += strspn(text, " "))) {
		size_t length = strcspn(text, " ");

		add_word(line, "%.*s", (int)length, text);
		text += length;
	}
}

static void release_line(struct command_line *line)
{
	while (line->count)
		free(line->words[--line->count]);
}

/* A path where %h and the like would be something else. */
static void add_file(struct command_line *line, const char *option,
		     const char *path)
{
	char escaped[WORD_MAX - 64];
	size_t length = 0;

	for (; *path && length < sizeof(escaped) - 2; path++) {
		if (*path == '%')
			escaped[length++] = '%';
		escaped[length++] = *path;
	}
	escaped[length] = '\0';
	line->failed = line->failed || *path;
	add_word(line, "%s=\"%s\"", option, escaped);
}

/*
 * Under auto an unknown key is forgotten, so what is known comes as the file
 * that ssh does not write to.
 */
static void add_policy(struct command_line *line,
		       const struct sftp_settings *settings)
{
	const char *file = settings->known_hosts;
	const char *home = environment_get("HOME");

	switch (settings->host_key_policy) {
	case SFTP_HOST_KEY_AUTO:
		add_word(line, "-oStrictHostKeyChecking=accept-new");
		add_word(line, "-oUserKnownHostsFile=/dev/null");
		if (file)
			add_word(line, "-oGlobalKnownHostsFile=\"%s\"", file);
		else
			add_word(line,
				 "-oGlobalKnownHostsFile=\"%s/.ssh/"
				 "known_hosts\" /etc/ssh/ssh_known_hosts",
				 home ? home : "");
		return;
	case SFTP_HOST_KEY_TOFU:
		add_word(line, "-oStrictHostKeyChecking=accept-new");
		break;
	case SFTP_HOST_KEY_STRICT:
	default:
		add_word(line, "-oStrictHostKeyChecking=yes");
		break;
	}
	if (!file)
		return;
	add_file(line, "-oUserKnownHostsFile", file);
	add_word(line, "-oGlobalKnownHostsFile=/dev/null");
}

/* At least one. */
static int64_t seconds(int64_t ns)
{
	return (ns + NS_PER_SEC - 1) / NS_PER_SEC;
}

static void add_options(struct command_line *line,
			const struct sftp_settings *settings)
{
	static const char *const fixed[] = {
		"-oBatchMode=yes",	   "-oClearAllForwardings=yes",
		"-oForwardX11=no",	   "-oForwardAgent=no",
		"-oPermitLocalCommand=no", "-oRemoteCommand=none",
		"-oRequestTTY=no",
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		add_word(line, "%s", fixed[i]);
	add_word(line, "-oConnectTimeout=%" PRId64,
		 seconds(settings->connect_timeout));
	if (settings->keepalive)
		add_word(line, "-oServerAliveInterval=%" PRId64,
			 seconds(settings->keepalive));
	add_policy(line, settings);
	if (settings->ssh_config)
		add_word(line, "-F%s", settings->ssh_config);
	if (settings->port)
		add_word(line, "-p%u", (unsigned int)settings->port);
	if (settings->username)
		add_word(line, "-l%s", settings->username);
	if (settings->key) {
		add_word(line, "-i%s", settings->key);
		add_word(line, "-oIdentitiesOnly=yes");
	}
	if (!settings->agent)
		add_word(line, "-oIdentityAgent=none");
}

static int connect_by_ssh(const struct sftp_settings *settings,
			  struct sftp_transport **transport,
			  struct store_error *error)
{
	struct command_line line = { .count = 0 };
	int code;

	add_words(&line, settings->ssh_command ? settings->ssh_command : "ssh");
	add_options(&line, settings);
	add_word(&line, "-s");
	add_word(&line, "--");
	add_word(&line, "%s", settings->host);
	add_word(&line, "sftp");
	line.words[line.count] = NULL;
	code = line.failed ? store_error_set(error, STORE_INVALID,
					     "a command line of ssh that is "
					     "too long")
			   : sftp_command_start((const char *const *)line.words,
						transport, error);
	release_line(&line);
	return code;
}

#ifdef HAVE_LIBSSH2
/* What options leave open is filled in, for as long as it connects. */
static int connect_by_config(struct sftp_settings *settings,
			     struct ssh_config *config,
			     struct store_context *context,
			     struct sftp_transport **transport,
			     struct store_error *error)
{
	if (config->beyond)
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "the ssh configuration of %s has %s: "
				       "transport=ssh can go by that",
				       settings->host, config->beyond);
	settings->host_name = config->host_name;
	settings->spare_key = config->identity;
	if (!settings->port)
		settings->port = config->port;
	if (!settings->username)
		settings->username = config->user;
	settings->user_hosts = config->known_hosts;
	settings->global_hosts = config->global_hosts;
	return sftp_libssh2_connect(settings, context, transport, error);
}

static int connect_by_libssh2(const struct sftp_settings *settings,
			      struct store_context *context,
			      struct sftp_transport **transport,
			      struct store_error *error)
{
	struct sftp_settings own = *settings; /* texts borrowed */
	struct ssh_config config = { .port = 0 };
	const char *path = settings->ssh_config;
	int code = STORE_OK;

	if (!path)
		code = ssh_config_read_usual(&config, settings->host, error);
	else if (strcmp(path, "none") != 0)
		code = ssh_config_read(&config, path, settings->host, error);
	if (!code)
		code = connect_by_config(&own, &config, context, transport,
					 error);
	ssh_config_release(&config);
	return code;
}
#endif

int sftp_connect(const struct sftp_settings *settings,
		 struct store_context *context,
		 struct sftp_transport **transport, struct store_error *error)
{
	int code = store_context_check(context, error);

	if (code)
		return code;
#ifdef HAVE_LIBSSH2
	if (settings->transport != SFTP_BY_SSH)
		code = connect_by_libssh2(settings, context, transport, error);
	if (settings->transport == SFTP_BY_LIBSSH2 ||
	    (settings->transport == SFTP_BY_AUTO &&
	     code != STORE_NOT_SUPPORTED))
		return code;
	store_error_clear(error);
#endif
	return connect_by_ssh(settings, transport, error);
}
