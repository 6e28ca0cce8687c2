// SPDX-License-Identifier: MIT
/*
 * Who the user is, as libssh2 tells it: a key, those of the agent or the usual
 * ones, a password.  Called by libssh2.c once the host key was found good.
 */
#include "config.h"

#include "backends/sftp/libssh2_internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/base64.h"
#include "src/base/cleanup.h"
#include "src/base/fdio.h"
#include "src/config/environment.h"

struct try_key {
	const char *path;
	const char *passphrase;
};

static int step_key(struct link *link, const void *arg)
{
	const struct try_key *key = arg;

	return libssh2_userauth_publickey_fromfile_ex(
		link->session, link->user, (unsigned int)strlen(link->user),
		NULL, key->path, key->passphrase);
}

static int step_agent(struct link *link, const void *arg)
{
	const union {
		const void *in;
		struct libssh2_agent_publickey *identity;
	} key = { .in = arg };

	return libssh2_agent_userauth(link->agent, link->user, key.identity);
}

static int step_password(struct link *link, const void *arg UNUSED)
{
	const char *password = link->settings->password;

	return libssh2_userauth_password_ex(
		link->session, link->user, (unsigned int)strlen(link->user),
		password, (unsigned int)strlen(password), NULL);
}

/* Every question is taken for that of the password. */
static LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC(answer_questions)
{
	struct link *link = *abstract;

	(void)name;
	(void)name_len;
	(void)instruction;
	(void)instruction_len;
	(void)prompts;
	for (int i = 0; i < num_prompts; i++) {
		responses[i].text = strdup(link->settings->password);
		responses[i].length =
			responses[i].text
				? (unsigned int)strlen(responses[i].text)
				: 0;
	}
}

static int step_questions(struct link *link, const void *arg UNUSED)
{
	return libssh2_userauth_keyboard_interactive_ex(
		link->session, link->user, (unsigned int)strlen(link->user),
		answer_questions);
}

/* Does it end here?  Refusals are left to the next way. */
static bool is_decided(struct link *link, int code, int result)
{
	return code || result == 0 ||
	       libssh2_userauth_authenticated(link->session);
}

/* Keys of RSA are signed for with SHA-1 here, which no server takes today. */
static const char rsa_key[] = "an RSA key";

/* NULL for a key that can be shown here. */
static const char *
beyond_identity(const struct libssh2_agent_publickey *identity)
{
	if (identity->blob_len <= 11)
		return NULL;
	if (memcmp(identity->blob + 4, "ssh-rsa", 7) == 0)
		return rsa_key;
	return memcmp(identity->blob + 4, "sk-", 3) == 0 ? "a FIDO key" : NULL;
}

/* In today's form the public key stands in front, in the clear. */
static bool is_rsa_file(const char *path)
{
	static const char now[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
	static const char before[] = "-----BEGIN RSA PRIVATE KEY-----";
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP_FREE char *head = NULL;
	char text[sizeof(now) + 280] = "";
	char joined[200 + 1];
	size_t length = 0;

	if (fd < 0 || fd_read_at(fd, text, sizeof(text) - 1, 0) <= 0)
		return false;
	if (strncmp(text, before, strlen(before)) == 0)
		return true;
	if (strncmp(text, now, strlen(now)) != 0)
		return false;
	for (const char *at = text + strlen(now); *at && length < 200; at++)
		if (*at != '\n')
			joined[length++] = *at;
	joined[length / 4 * 4] = '\0';
	head = base64_decode(joined, &length);
	return head && memmem(head, length, "ssh-rsa", 7);
}

static int try_agent(struct link *link, bool *let_in, struct store_error *error)
{
	struct libssh2_agent_publickey *identity, *previous = NULL;
	int code = STORE_OK, result = -1;

	link->agent = libssh2_agent_init(link->session);
	if (!link->agent || libssh2_agent_connect(link->agent) ||
	    libssh2_agent_list_identities(link->agent))
		return STORE_OK;
	while (!code && !*let_in &&
	       !libssh2_agent_get_identity(link->agent, &identity, previous)) {
		const char *beyond = beyond_identity(identity);

		previous = identity;
		if (beyond) {
			link->skipped = beyond;
			continue;
		}
		code = link_take_step(link, step_agent, identity, &result,
				      error);
		*let_in = !code && result == 0;
	}
	libssh2_agent_disconnect(link->agent);
	return code;
}

static int try_key(struct link *link, const char *path, bool *let_in,
		   struct store_error *error)
{
	const struct try_key key = { path, link->settings->passphrase };
	int result = -1;
	int code = link_take_step(link, step_key, &key, &result, error);

	*let_in = !code && result == 0;
	/* A file that cannot be read, or decrypted, is no refusal. */
	if (!code && (result == LIBSSH2_ERROR_FILE ||
		      result == LIBSSH2_ERROR_METHOD_NONE))
		code = link_error(link, STORE_DENIED, error);
	return code;
}

/* What ssh would try that has its usual place. */
static void note_others(struct link *link)
{
	static const struct {
		const char *path, *what;
	} keys[] = {
		{ ".ssh/id_rsa", rsa_key },
		{ ".ssh/id_ed25519_sk", "a FIDO key" },
		{ ".ssh/id_ecdsa_sk", "a FIDO key" },
	};
	char path[LINK_PATH_ROOM];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (link_home_path(keys[i].path, path) &&
		    access(path, R_OK) == 0)
			link->skipped = keys[i].what;
	snprintf(path, sizeof(path), "/tmp/krb5cc_%lu",
		 (unsigned long)geteuid());
	if (strstr(link->methods, "gssapi-with-mic") &&
	    (environment_get("KRB5CCNAME") || access(path, R_OK) == 0))
		link->skipped = "a Kerberos ticket";
}

static int try_own_keys(struct link *link, bool *let_in,
			struct store_error *error)
{
	static const char *const names[] = { ".ssh/id_ed25519",
					     ".ssh/id_ecdsa" };
	const char *spare = link->settings->spare_key;
	char path[LINK_PATH_ROOM];
	int code = STORE_OK;

	if (spare && is_rsa_file(spare))
		link->skipped = rsa_key;
	else if (spare && access(spare, R_OK) == 0)
		code = try_key(link, spare, let_in, error);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if ((code && code != STORE_DENIED) || *let_in ||
		    !link_home_path(names[i], path) || access(path, R_OK))
			continue;
		store_error_clear(error);
		code = try_key(link, path, let_in, error);
	}
	note_others(link);
	/* Nobody has asked for these. */
	return code == STORE_DENIED ? STORE_OK : code;
}

static int try_password(struct link *link, bool *let_in,
			struct store_error *error)
{
	const char *methods = link->methods;
	int code = STORE_OK, result = -1;

	if (strstr(methods, "password"))
		code = link_take_step(link, step_password, NULL, &result,
				      error);
	if (!is_decided(link, code, result) &&
	    strstr(methods, "keyboard-interactive"))
		code = link_take_step(link, step_questions, NULL, &result,
				      error);
	*let_in = !code && result == 0;
	return code;
}

static int step_list(struct link *link, const void *arg UNUSED)
{
	link->methods = libssh2_userauth_list(link->session, link->user,
					      (unsigned int)strlen(link->user));
	if (link->methods || libssh2_userauth_authenticated(link->session))
		return 0;
	return libssh2_session_last_errno(link->session);
}

int link_authenticate(struct link *link, struct store_error *error)
{
	const struct sftp_settings *settings = link->settings;
	bool let_in = false;
	int result = -1;
	int code = link_take_step(link, step_list, NULL, &result, error);

	if (code)
		return code;
	if (libssh2_userauth_authenticated(link->session))
		return STORE_OK;
	if (!link->methods)
		return link_error(link, STORE_DENIED, error);
	if (settings->key && is_rsa_file(settings->key))
		return store_error_set(error, STORE_NOT_SUPPORTED,
				       "%s: libssh2 signs for RSA keys with "
				       "SHA-1, which servers refuse",
				       settings->key);
	if (settings->key)
		code = try_key(link, settings->key, &let_in, error);
	if (!code && !let_in && !settings->key && settings->agent)
		code = try_agent(link, &let_in, error);
	if (!code && !let_in && !settings->key)
		code = try_own_keys(link, &let_in, error);
	if (!code && !let_in && settings->password)
		code = try_password(link, &let_in, error);
	if (code || let_in)
		return code;
	if (link->skipped)
		return store_error_set(
			error,
			settings->transport == SFTP_BY_AUTO
				? STORE_NOT_SUPPORTED
				: STORE_DENIED,
			"the server does not let %s in; it takes: %s; there is "
			"%s, which libssh2 cannot show",
			link->user, link->methods, link->skipped);
	return store_error_set(error, STORE_DENIED,
			       "the server does not let %s in; it takes: %s",
			       link->user, link->methods);
}
