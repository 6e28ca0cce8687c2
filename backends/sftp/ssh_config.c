// SPDX-License-Identifier: MIT
/*
 * See ssh_config.h.  Called by connect.c; no state.
 *
 * Lines are "keyword arguments" or "keyword = arguments", with quotes around
 * what has blanks; `Host` patterns say whether those below count.  What a
 * `Match` asks for only the ssh program knows, and so what stands below one
 * that might match makes the host one for that program.
 */
#include "config.h"

#include "backends/sftp/ssh_config.h"

#include <ctype.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "src/base/fdio.h"
#include "src/config/environment.h"

enum { FILE_MAX = 1 << 20, WORD_MAX = 1024, DEPTH_MAX = 8 };

struct reading {
	struct ssh_config *config;
	const char *name; /* of the file */
	const char *host;
	int line;
	int depth;   /* of files that include each other */
	bool counts; /* what stands here is of this host */
	bool maybe;  /* or may be, below a Match */
};

static int read_file(struct reading *above, const char *path,
		     struct store_error *error);

void ssh_config_release(struct ssh_config *config)
{
	free(config->host_name);
	free(config->user);
	free(config->identity);
	free(config->known_hosts);
	free(config->global_hosts);
	free(config->beyond);
	*config = (struct ssh_config){ .port = 0 };
}

static int bad_line(const struct reading *reading, const char *what,
		    struct store_error *error)
{
	return store_error_set(error, STORE_INVALID, "%s:%d: %s", reading->name,
			       reading->line, what);
}

/* ---- words ---- */

/*
 * The next word of a line, without its quotes.  False at the end of the line,
 * or when the word is too long or its quotes stay open.
 */
static bool take_word(const char **at, char word[WORD_MAX])
{
	const char *next = *at + strspn(*at, " \t");
	size_t length = 0;
	bool quoted = false;

	for (; *next && (quoted || !strchr(" \t", *next)); next++) {
		if (*next == '"')
			quoted = !quoted;
		else if (length < WORD_MAX - 1)
			word[length++] = *next;
		else
			return false;
	}
	word[length] = '\0';
	*at = next;
	return !quoted && length > 0;
}

/* The keyword; what follows it may begin with one `=`. */
static bool take_keyword(const char **at, char word[WORD_MAX])
{
	const char *next = *at + strspn(*at, " \t");
	size_t length = strcspn(next, " \t=");

	if (!length || length >= WORD_MAX)
		return false;
	memcpy(word, next, length);
	word[length] = '\0';
	next += length;
	next += strspn(next, " \t");
	*at = *next == '=' ? next + 1 : next;
	return true;
}

static int set_text(char **to, const char *text, struct store_error *error)
{
	if (*to)
		return STORE_OK;
	*to = strdup(text);
	return *to ? STORE_OK
		   : store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

/* `~/` and %d are the home of the user here, %h the host. */
static int set_path(const struct reading *reading, char **to, const char *text,
		    struct store_error *error)
{
	const char *home = environment_get("HOME");
	char path[2 * WORD_MAX] = "";
	size_t length = 0;

	if (strncmp(text, "~/", 2) == 0) {
		snprintf(path, sizeof(path), "%s", home ? home : "");
		length = strlen(path);
		text++;
	}
	for (; *text && length < sizeof(path) - 1; text++) {
		const char *put = NULL;

		if (*text == '%' && text[1] == 'd')
			put = home ? home : "";
		else if (*text == '%' && text[1] == 'h')
			put = reading->config->host_name
				      ? reading->config->host_name
				      : reading->host;
		if (!put) {
			path[length++] = *text;
			path[length] = '\0';
			continue;
		}
		snprintf(path + length, sizeof(path) - length, "%s", put);
		length = strlen(path);
		text++;
	}
	return set_text(to, path, error);
}

/* ---- keywords ---- */

/* Is this host meant by one of the patterns, and by none with a `!`? */
static bool is_meant(const char *patterns, const char *host)
{
	char word[WORD_MAX];
	bool meant = false;

	while (take_word(&patterns, word)) {
		bool without = word[0] == '!';

		if (fnmatch(word + without, host, 0) != 0)
			continue;
		if (without)
			return false;
		meant = true;
	}
	return meant;
}

/* Those that lead another way to the server, or to another check of it. */
static bool is_beyond(const char *keyword, const char *word)
{
	static const char *const names[] = {
		"ProxyJump",
		"ProxyCommand",
		"HostKeyAlias",
		"KnownHostsCommand",
		"CertificateFile",
		"PKCS11Provider",
		"CanonicalizeHostname",
		"Ciphers",
		"KexAlgorithms",
		"MACs",
		"HostKeyAlgorithms",
		"IdentityAgent",
		"RevokedHostKeys",
		"BindAddress",
		"BindInterface",
		"VerifyHostKeyDNS",
	};

	if (strcasecmp(word, "none") == 0 || strcasecmp(word, "no") == 0)
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(keyword, names[i]) == 0)
			return true;
	return false;
}

static int set_port(struct reading *reading, const char *word,
		    struct store_error *error)
{
	char *end;
	unsigned long port = strtoul(word, &end, 10);

	if (*end || !isdigit((unsigned char)*word) || port < 1 || port > 65535)
		return bad_line(reading, "Port: 1 to 65535", error);
	if (!reading->config->port)
		reading->config->port = (uint16_t)port;
	return STORE_OK;
}

static int include(struct reading *reading, const char *word,
		   struct store_error *error)
{
	const char *home = environment_get("HOME");
	char path[2 * WORD_MAX];
	glob_t found = { .gl_pathc = 0 };
	int code = STORE_OK;

	if (word[0] == '/')
		snprintf(path, sizeof(path), "%s", word);
	else if (strncmp(word, "~/", 2) == 0)
		snprintf(path, sizeof(path), "%s%s", home ? home : "",
			 word + 1);
	else if (strncmp(reading->name, "/etc/", 5) == 0)
		snprintf(path, sizeof(path), "/etc/ssh/%s", word);
	else
		snprintf(path, sizeof(path), "%s/.ssh/%s", home ? home : "",
			 word);
	if (glob(path, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc && !code; i++)
			code = read_file(reading, found.gl_pathv[i], error);
	globfree(&found);
	return code;
}

static int take_value(struct reading *reading, const char *keyword,
		      const char *word, struct store_error *error)
{
	struct ssh_config *config = reading->config;

	if (strcasecmp(keyword, "HostName") == 0)
		return set_path(reading, &config->host_name, word, error);
	if (strcasecmp(keyword, "User") == 0)
		return set_text(&config->user, word, error);
	if (strcasecmp(keyword, "Port") == 0)
		return set_port(reading, word, error);
	if (strcasecmp(keyword, "IdentityFile") == 0)
		return set_path(reading, &config->identity, word, error);
	if (strcasecmp(keyword, "UserKnownHostsFile") == 0)
		return set_path(reading, &config->known_hosts, word, error);
	if (strcasecmp(keyword, "GlobalKnownHostsFile") == 0)
		return set_path(reading, &config->global_hosts, word, error);
	return is_beyond(keyword, word)
		       ? set_text(&config->beyond, keyword, error)
		       : STORE_OK;
}

static int take_line(struct reading *reading, const char *line,
		     struct store_error *error)
{
	char keyword[WORD_MAX], word[WORD_MAX];
	const char *rest;

	line += strspn(line, " \t");
	if (!*line || *line == '#')
		return STORE_OK;
	if (!take_keyword(&line, keyword))
		return bad_line(reading, "no keyword", error);
	rest = line;
	if (!take_word(&line, word))
		return bad_line(reading, "a keyword without its arguments",
				error);
	line += strspn(line, " \t");
	if (strcasecmp(keyword, "Host") == 0) {
		reading->counts = is_meant(rest, reading->host);
		reading->maybe = false;
		return STORE_OK;
	}
	if (strcasecmp(keyword, "Match") == 0) {
		reading->counts = strcasecmp(word, "all") == 0;
		reading->maybe = !reading->counts;
		return STORE_OK;
	}
	if (reading->maybe)
		return set_text(&reading->config->beyond, "Match", error);
	if (!reading->counts)
		return STORE_OK;
	/* One is all that is read here. */
	if (*line && (strcasecmp(keyword, "UserKnownHostsFile") == 0 ||
		      strcasecmp(keyword, "GlobalKnownHostsFile") == 0))
		return set_text(&reading->config->beyond,
				"several files of known hosts", error);
	if (strcasecmp(keyword, "Include") != 0)
		return take_value(reading, keyword, word, error);
	do {
		int code = include(reading, word, error);

		if (code)
			return code;
	} while (take_word(&line, word));
	return STORE_OK;
}

/* ---- files ---- */

static int parse(struct reading *reading, const char *text,
		 struct store_error *error)
{
	int code = STORE_OK;

	while (!code && *text) {
		size_t length = strcspn(text, "\n");
		CLEANUP_FREE char *line = strndup(text, length);

		if (!line)
			return store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
		reading->line++;
		line[strcspn(line, "\r")] = '\0';
		code = take_line(reading, line, error);
		text += length + (text[length] == '\n');
	}
	return code;
}

int ssh_config_parse(struct ssh_config *config, const char *text,
		     const char *name, const char *host,
		     struct store_error *error)
{
	struct reading reading = {
		.config = config, .name = name, .host = host, .counts = true
	};

	return parse(&reading, text, error);
}

static int read_file(struct reading *above, const char *path,
		     struct store_error *error)
{
	struct reading reading = *above;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP_FREE char *text = NULL;
	struct stat found;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return STORE_OK;
	if (fd < 0 || fstat(fd, &found))
		return store_error_errno(error, errno, "%s", path);
	if (!S_ISREG(found.st_mode))
		return STORE_OK;
	if (found.st_size > FILE_MAX || reading.depth == DEPTH_MAX)
		return store_error_set(error, STORE_INVALID,
				       "%s: too long, or included too deep",
				       path);
	text = calloc(1, (size_t)found.st_size + 1);
	if (!text)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	if (fd_read_at(fd, text, (size_t)found.st_size, 0) < 0)
		return store_error_errno(error, errno, "%s", path);
	reading.name = path;
	reading.line = 0;
	reading.depth++;
	return parse(&reading, text, error);
}

int ssh_config_read(struct ssh_config *config, const char *path,
		    const char *host, struct store_error *error)
{
	struct reading reading = {
		.config = config, .name = path, .host = host, .counts = true
	};

	return read_file(&reading, path, error);
}

int ssh_config_read_usual(struct ssh_config *config, const char *host,
			  struct store_error *error)
{
	const char *home = environment_get("HOME");
	char path[2 * WORD_MAX];
	int code = STORE_OK;

	if (home) {
		snprintf(path, sizeof(path), "%s/.ssh/config", home);
		code = ssh_config_read(config, path, host, error);
	}
	return code ? code
		    : ssh_config_read(config, "/etc/ssh/ssh_config", host,
				      error);
}
