// SPDX-License-Identifier: MIT
/*
 * See known_hosts.h.  Called by libssh2.c; no state but the lines.
 *
 * A line is [marker] names type key [comment].  Names are patterns with
 * commas between them, or a hash: |1|salt|HMAC-SHA1 of the name.  A key that
 * any line revokes is revoked, whatever others say.
 */
#include "config.h"

#include "backends/sftp/known_hosts.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/base64.h"
#include "src/base/buf.h"
#include "src/base/crypto.h"
#include "src/base/fdio.h"

enum { FILE_MAX = 16 << 20, STANDARD_PORT = 22, TYPE_MAX = 64 };

enum marker { MARKER_NONE, MARKER_REVOKED, MARKER_AUTHORITY };

struct known_key {
	enum marker marker;
	char *type;
	unsigned char *blob;
	size_t length;
};

struct known_hosts {
	char *name; /* "host" or "[host]:port", in lower case */
	struct known_key *keys;
	size_t count, room;
};

static int no_memory(struct store_error *error)
{
	return store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

int known_hosts_new(const char *host, uint16_t port, struct known_hosts **known,
		    struct store_error *error)
{
	CLEANUP_BUF struct buf name = BUF_INIT(4096);
	struct known_hosts *made = calloc(1, sizeof(*made));

	if (port == STANDARD_PORT)
		buf_add_text(&name, host);
	else
		buf_addf(&name, "[%s]:%u", host, (unsigned int)port);
	for (size_t i = 0; i < name.length; i++)
		name.data[i] = (char)tolower((unsigned char)name.data[i]);
	if (made)
		made->name = buf_steal(&name);
	if (!made || !made->name) {
		free(made);
		return no_memory(error);
	}
	*known = made;
	return STORE_OK;
}

void known_hosts_free(struct known_hosts *known)
{
	if (!known)
		return;
	for (size_t i = 0; i < known->count; i++) {
		free(known->keys[i].type);
		free(known->keys[i].blob);
	}
	free(known->keys);
	free(known->name);
	free(known);
}

/* ---- names ---- */

/* `*` and `?` alone: brackets belong to names with a port. */
static bool matches(const char *pattern, const char *end, const char *name)
{
	const char *star = NULL, *from = NULL;

	while (*name) {
		if (pattern < end && *pattern == '*') {
			star = pattern++;
			from = name;
		} else if (pattern < end &&
			   (*pattern == '?' ||
			    tolower((unsigned char)*pattern) == *name)) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++from;
		} else {
			return false;
		}
	}
	while (pattern < end && *pattern == '*')
		pattern++;
	return pattern == end;
}

/* A pattern with `!` that matches takes the host out of its line. */
static bool is_listed(const char *names, size_t length, const char *name)
{
	const char *end = names + length;
	bool found = false;

	while (names < end) {
		const char *comma = memchr(names, ',', (size_t)(end - names));
		const char *stop = comma ? comma : end;
		bool without = *names == '!';

		if (matches(names + without, stop, name)) {
			if (without)
				return false;
			found = true;
		}
		names = comma ? comma + 1 : end;
	}
	return found;
}

static unsigned char *decode(const char *text, size_t length, size_t *size)
{
	char *copy = strndup(text, length);
	char *bytes = copy ? base64_decode(copy, size) : NULL;

	free(copy);
	return (unsigned char *)bytes;
}

/* "|1|salt|hash" */
static bool is_hash_of(const char *names, size_t length, const char *name)
{
	const char *salt = names + 3, *bar, *end = names + length;
	unsigned char mac[SHA1_SIZE];
	unsigned char *key, *hash;
	size_t key_length = 0, hash_length = 0;
	bool same;

	if (length < 3 || strncmp(names, "|1|", 3) != 0)
		return false;
	bar = memchr(salt, '|', (size_t)(end - salt));
	if (!bar)
		return false;
	key = decode(salt, (size_t)(bar - salt), &key_length);
	hash = decode(bar + 1, (size_t)(end - bar - 1), &hash_length);
	same = key && hash && hash_length == sizeof(mac) &&
	       !crypto_hmac_sha1(key, key_length, name, strlen(name), mac,
				 NULL) &&
	       !memcmp(mac, hash, sizeof(mac));
	free(key);
	free(hash);
	return same;
}

/* ---- lines ---- */

/* The next word of [*at, end), empty at the end of the line. */
static const char *take_word(const char **at, const char *end, size_t *length)
{
	const char *word = *at;

	while (word < end && (*word == ' ' || *word == '\t'))
		word++;
	*at = word;
	while (*at < end && **at != ' ' && **at != '\t' && **at != '\r')
		(*at)++;
	*length = (size_t)(*at - word);
	return word;
}

static bool word_is(const char *word, size_t length, const char *text)
{
	return strlen(text) == length && memcmp(word, text, length) == 0;
}

static bool take_marker(const char **at, const char *end, enum marker *marker)
{
	const char *next = *at;
	size_t length;
	const char *word = take_word(&next, end, &length);

	*marker = MARKER_NONE;
	if (!length || *word != '@')
		return true;
	*at = next;
	if (word_is(word, length, "@revoked"))
		*marker = MARKER_REVOKED;
	else if (word_is(word, length, "@cert-authority"))
		*marker = MARKER_AUTHORITY;
	return *marker != MARKER_NONE;
}

static int keep_key(struct known_hosts *known, struct known_key *key,
		    struct store_error *error)
{
	if (known->count == known->room) {
		size_t room = known->room ? 2 * known->room : 8;
		struct known_key *grown =
			reallocarray(known->keys, room, sizeof(*grown));

		if (!grown) {
			free(key->type);
			free(key->blob);
			return no_memory(error);
		}
		known->keys = grown;
		known->room = room;
	}
	known->keys[known->count++] = *key;
	return STORE_OK;
}

static int add_line(struct known_hosts *known, const char *line,
		    const char *end, struct store_error *error)
{
	struct known_key key = { .length = 0 };
	const char *names, *type, *blob;
	size_t names_length, type_length, blob_length;

	if (!take_marker(&line, end, &key.marker))
		return STORE_OK;
	names = take_word(&line, end, &names_length);
	type = take_word(&line, end, &type_length);
	blob = take_word(&line, end, &blob_length);
	if (!blob_length || *names == '#' || type_length > TYPE_MAX ||
	    !(is_listed(names, names_length, known->name) ||
	      is_hash_of(names, names_length, known->name)))
		return STORE_OK;
	key.blob = decode(blob, blob_length, &key.length);
	if (!key.blob)
		return STORE_OK;
	key.type = strndup(type, type_length);
	if (!key.type) {
		free(key.blob);
		return no_memory(error);
	}
	return keep_key(known, &key, error);
}

int known_hosts_add_text(struct known_hosts *known, const char *text,
			 struct store_error *error)
{
	int code = STORE_OK;

	while (!code && *text) {
		const char *end = strchrnul(text, '\n');

		code = add_line(known, text, end, error);
		text = *end ? end + 1 : end;
	}
	return code;
}

int known_hosts_add_file(struct known_hosts *known, const char *path,
			 struct store_error *error)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	CLEANUP_FREE char *text = NULL;
	struct stat found;
	ssize_t got;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return STORE_OK;
	if (fd < 0 || fstat(fd, &found))
		return store_error_errno(error, errno, "%s", path);
	if (!S_ISREG(found.st_mode)) /* /dev/null */
		return STORE_OK;
	if (found.st_size > FILE_MAX)
		return store_error_set(error, STORE_TOO_LARGE,
				       "%s: more than %d bytes of known hosts",
				       path, FILE_MAX);
	text = calloc(1, (size_t)found.st_size + 1);
	if (!text)
		return no_memory(error);
	got = fd_read_at(fd, text, (size_t)found.st_size, 0);
	if (got < 0)
		return store_error_errno(error, errno, "%s", path);
	/* A NUL ends it: no line has one. */
	return known_hosts_add_text(known, text, error);
}

/* ---- questions ---- */

static bool is_key(const struct known_key *known, const void *key,
		   size_t length)
{
	return known->length == length && !memcmp(known->blob, key, length);
}

enum known_hosts_verdict known_hosts_judge(const struct known_hosts *known,
					   const void *key, size_t length)
{
	enum known_hosts_verdict verdict = KNOWN_HOSTS_UNKNOWN;

	for (size_t i = 0; i < known->count; i++) {
		const struct known_key *one = &known->keys[i];

		if (one->marker == MARKER_AUTHORITY)
			continue;
		if (one->marker == MARKER_REVOKED) {
			if (is_key(one, key, length))
				return KNOWN_HOSTS_REVOKED;
			continue;
		}
		if (is_key(one, key, length))
			verdict = KNOWN_HOSTS_MATCH;
		else if (verdict == KNOWN_HOSTS_UNKNOWN)
			verdict = KNOWN_HOSTS_MISMATCH;
	}
	return verdict;
}

bool known_hosts_has_type(const struct known_hosts *known, const char *type)
{
	for (size_t i = 0; i < known->count; i++)
		if (known->keys[i].marker == MARKER_NONE &&
		    strcmp(known->keys[i].type, type) == 0)
			return true;
	return false;
}

bool known_hosts_has_authority(const struct known_hosts *known)
{
	for (size_t i = 0; i < known->count; i++)
		if (known->keys[i].marker == MARKER_AUTHORITY)
			return true;
	return false;
}

/* ---- a new one ---- */

/* The type is the first string of the key itself. */
static bool type_of(const unsigned char *key, size_t length, char *type)
{
	size_t size;

	if (length < 4)
		return false;
	size = (size_t)key[0] << 24 | (size_t)key[1] << 16 |
	       (size_t)key[2] << 8 | key[3];
	if (size == 0 || size > TYPE_MAX || size > length - 4)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!isgraph(key[4 + i]))
			return false;
	memcpy(type, key + 4, size);
	type[size] = '\0';
	return true;
}

/* ~/.ssh, for who has never used ssh. */
static void make_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash && slash != path
			       ? strndup(path, (size_t)(slash - path))
			       : NULL;

	if (folder)
		(void)!mkdir(folder, 0700);
	free(folder);
}

/* Does the last line of the file lack its end? */
static bool is_cut(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char last = '\n';

	if (end > 0 && fd_read_at(fd, &last, 1, (uint64_t)end - 1) != 1)
		return true;
	return last != '\n';
}

int known_hosts_remember(const struct known_hosts *known, const char *path,
			 const void *key, size_t length,
			 struct store_error *error)
{
	CLEANUP_BUF struct buf line = BUF_INIT(65536);
	CLEANUP_FREE char *text = base64_encode(key, length);
	CLEANUP_FD int fd = -1;
	char type[TYPE_MAX + 1];
	ssize_t written;
	int code;

	if (!type_of(key, length, type))
		return store_error_set(error, STORE_CORRUPT,
				       "a host key without a type");
	make_folder_of(path);
	fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return store_error_errno(error, errno, "%s", path);
	if (text)
		buf_addf(&line, "%s%s %s %s\n", is_cut(fd) ? "\n" : "",
			 known->name, type, text);
	code = text ? buf_error(&line, "a host key", error) : no_memory(error);
	if (code)
		return code;
	written = write(fd, line.data, line.length);
	if (written >= 0 && (size_t)written < line.length)
		errno = ENOSPC;
	if (written < 0 || (size_t)written < line.length || fsync(fd))
		return store_error_errno(error, errno, "%s", path);
	return STORE_OK;
}
