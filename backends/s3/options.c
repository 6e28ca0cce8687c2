// SPDX-License-Identifier: MIT
/*
 * The options of the S3 store, with the names of remote-store where it has
 * them.  Pure; called before open.
 */
#include "config.h"

#include "backends/s3/options.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/base64.h"
#include "src/base/clock.h"
#include "src/base/secret.h"
#include "src/config/environment.h"

const struct store_option s3_options[] = {
	{ .name = "bucket",
	  .type = OPTION_TEXT,
	  .help = "The bucket",
	  .flags = OPTION_REQUIRED },
	{ .name = "root",
	  .type = OPTION_TEXT,
	  .aliases = "prefix",
	  .help = "The folder in the bucket that is the root of the store" },
	{ .name = "endpoint_url",
	  .type = OPTION_TEXT,
	  .aliases = "endpoint",
	  .help = "The server, as https://host[:port]; else "
		  "$AWS_ENDPOINT_URL_S3 or $AWS_ENDPOINT_URL, else AWS" },
	{ .name = "region_name",
	  .type = OPTION_TEXT,
	  .aliases = "region",
	  .help = "The region; else that of environment and profile" },
	{ .name = "key",
	  .type = OPTION_TEXT,
	  .aliases = "access_key_id,aws_access_key_id",
	  .help = "The access key; else from environment and profile",
	  .flags = OPTION_SECRET },
	{ .name = "secret",
	  .type = OPTION_TEXT,
	  .aliases = "secret_access_key,aws_secret_access_key",
	  .help = "The secret that belongs to the access key",
	  .flags = OPTION_SECRET },
	{ .name = "session_token",
	  .type = OPTION_TEXT,
	  .aliases = "token,aws_session_token",
	  .help = "The token of a temporary key",
	  .flags = OPTION_SECRET },
	{ .name = "profile",
	  .type = OPTION_TEXT,
	  .help = "The profile in the shared files of the AWS tools" },
	{ .name = "credentials_file",
	  .type = OPTION_PATH,
	  .help = "Instead of ~/.aws/credentials" },
	{ .name = "config_file",
	  .type = OPTION_PATH,
	  .help = "Instead of ~/.aws/config" },
	{ .name = "anonymous",
	  .type = OPTION_FLAG,
	  .aliases = "anon",
	  .fallback = "false",
	  .help = "Ask without keys" },
	{ .name = "addressing_style",
	  .type = OPTION_CHOICE,
	  .choices = "auto|path|virtual",
	  .fallback = "auto",
	  .help = "Where the bucket stands in addresses" },
	{ .name = "requester_pays",
	  .type = OPTION_FLAG,
	  .fallback = "false",
	  .help = "Pay for reading a bucket that asks for it" },
	{ .name = "storage_class",
	  .type = OPTION_TEXT,
	  .help = "The storage class of new files" },
	{ .name = "sse",
	  .type = OPTION_TEXT,
	  .aliases = "server_side_encryption",
	  .help = "Encrypt new files in the server: AES256, aws:kms ..." },
	{ .name = "sse_kms_key_id",
	  .type = OPTION_TEXT,
	  .help = "The key of aws:kms" },
	{ .name = "sse_customer_key",
	  .type = OPTION_TEXT,
	  .help = "A key of 32 bytes in base64 that the server forgets",
	  .flags = OPTION_SECRET },
	{ .name = "checksum",
	  .type = OPTION_CHOICE,
	  .choices = "auto|md5|crc32c|sha256|none",
	  .fallback = "auto",
	  .help = "What the server verifies uploads by" },
	{ .name = "conditions",
	  .type = OPTION_CHOICE,
	  .choices = "auto|probe|yes|no",
	  .fallback = "auto",
	  .help = "Does the server honour conditions? probe: ask it at once" },
	{ .name = "part_size",
	  .type = OPTION_SIZE,
	  .fallback = "16M",
	  .help = "Size of the parts of a large upload",
	  .minimum = 5 << 20,
	  .maximum = INT64_C(5) << 30 },
	{ .name = "single_max",
	  .type = OPTION_SIZE,
	  .fallback = "32M",
	  .help = "Larger files are uploaded in parts",
	  .minimum = 1,
	  .maximum = INT64_C(5) << 30 },
	{ .name = "copy_max",
	  .type = OPTION_SIZE,
	  .fallback = "5G",
	  .help = "Larger files are copied in parts",
	  .minimum = 20 << 20,
	  .maximum = INT64_C(5) << 30,
	  .flags = OPTION_HIDDEN },
	{ .name = "abort_uploads_after",
	  .type = OPTION_DURATION,
	  .fallback = "0",
	  .help = "Abort unfinished uploads below root that are older; 0: "
		  "none" },
	{ .name = "verify_ssl",
	  .type = OPTION_FLAG,
	  .fallback = "true",
	  .help = "Check the certificate of the server" },
	{ .name = "tls_ca_bundle",
	  .type = OPTION_PATH,
	  .help = "Certificates that are trusted; else $AWS_CA_BUNDLE" },
	{ .name = "tls_client_cert",
	  .type = OPTION_PATH,
	  .help = "A certificate of our own, PEM" },
	{ .name = "tls_client_key",
	  .type = OPTION_PATH,
	  .help = "The key of that certificate" },
	{ .name = "tls_client_key_password",
	  .type = OPTION_TEXT,
	  .help = "The password of that key",
	  .flags = OPTION_SECRET },
	{ .name = "proxy",
	  .type = OPTION_TEXT,
	  .help = "The proxy, as http://host:port; else as the environment "
		  "says",
	  .flags = OPTION_SECRET },
	{ .name = "no_proxy",
	  .type = OPTION_TEXT,
	  .help = "Hosts that are asked without the proxy" },
	{ .name = "ip",
	  .type = OPTION_CHOICE,
	  .choices = "any|4|6",
	  .fallback = "any",
	  .help = "The internet protocol" },
	{ .name = "http_version",
	  .type = OPTION_CHOICE,
	  .choices = "1.1|2",
	  .fallback = "1.1",
	  .help = "2: where the server offers it" },
	{ .name = "connect_timeout",
	  .type = OPTION_DURATION,
	  .fallback = "10",
	  .help = "Longest time to connect",
	  .minimum = NS_PER_MS },
	{ .name = "resend_after",
	  .type = OPTION_DURATION,
	  .fallback = "5",
	  .help = "A read that stalls so long is sent again; 0: never" },
	{ .name = "low_speed_limit",
	  .type = OPTION_SIZE,
	  .fallback = "100",
	  .help = "Bytes a second below which an answer is given up" },
	{ .name = "low_speed_time",
	  .type = OPTION_DURATION,
	  .fallback = "60",
	  .help = "How long it may be so slow",
	  .minimum = NS_PER_SEC },
	{ .name = NULL },
};

int s3_from_url(const struct store_url *url, struct option_values *values,
		const char *source, struct store_error *error)
{
	const char *root = url->path;
	int code;

	if (url->user || url->password || url->port >= 0)
		return store_error_set(error, STORE_INVALID,
				       "%s: only a bucket may stand there; "
				       "a server is the option endpoint_url",
				       source);
	code = option_values_set(values, "bucket", url->host, source, error);
	while (*root == '/')
		root++;
	if (!code && *root)
		code = option_values_set(values, "root", root, source, error);
	return code;
}

/* ---- checks ---- */

static int check_bucket(const char *bucket, struct store_error *error)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t length = strlen(bucket);

	if (length < 3 || length > 255 || strspn(bucket, allowed) != length)
		return store_error_set(error, STORE_INVALID,
				       "bucket: letters, digits, '.', '_' and "
				       "'-', at least 3");
	return STORE_OK;
}

/* "scheme://host[:port]" and nothing else; without a '/' at the end. */
static int check_endpoint(const char *text, char **endpoint,
			  struct store_error *error)
{
	struct store_url url;
	size_t length = strlen(text);
	bool fits;
	int code = store_url_parse(text, &url, error);

	if (code)
		return store_error_prefix(error, "endpoint_url");
	fits = (strcmp(url.scheme, "http") == 0 ||
		strcmp(url.scheme, "https") == 0) &&
	       *url.host && !url.user && !url.password && !url.query &&
	       (!*url.path || strcmp(url.path, "/") == 0);
	store_url_release(&url);
	if (!fits)
		return store_error_set(error, STORE_INVALID,
				       "endpoint_url: http://host[:port] or "
				       "https://host[:port]");
	if (text[length - 1] == '/')
		length--;
	*endpoint = strndup(text, length);
	return *endpoint ? STORE_OK
			 : store_error_set(error, STORE_NO_MEMORY,
					   "out of memory");
}

/* A folder with its '/', none for the bucket itself. */
static int check_root(const char *text, char **root, struct store_error *error)
{
	CLEANUP_BUF struct buf buf = BUF_INIT(S3_KEY_MAX);

	while (text && *text == '/')
		text++;
	if (text && *text) {
		buf_add_text(&buf, text);
		while (buf.length && buf.data[buf.length - 1] == '/')
			buf.data[--buf.length] = '\0';
		buf_add_char(&buf, '/');
	}
	*root = buf_steal(&buf);
	return *root ? STORE_OK
		     : store_error_set(error, STORE_INVALID,
				       "root: at most %d bytes", S3_KEY_MAX);
}

static int check_customer_key(const char *text, struct s3_settings *settings,
			      struct store_error *error)
{
	unsigned char raw[DIGEST_RAW_MAX];
	struct digest *digest = NULL;
	size_t length = 0, size;
	char *key = base64_decode(text, &length);
	int code = STORE_OK;

	size = length;
	if (!key || length != 32)
		code = store_error_set(error, STORE_INVALID,
				       "sse_customer_key: 32 bytes in base64");
	if (!code && settings->endpoint &&
	    strncmp(settings->endpoint, "https:", 6) != 0)
		code = store_error_set(error, STORE_INVALID,
				       "sse_customer_key goes over https only");
	if (!code)
		code = digest_new("md5", &digest, error);
	if (!code)
		code = digest_update(digest, key, length, error);
	if (!code)
		code = digest_finish_raw(digest, raw, &length, error);
	if (!code) {
		settings->sse_customer = strdup(text);
		settings->sse_customer_md5 = base64_encode(raw, length);
	}
	digest_free(digest);
	if (key)
		secret_wipe(key, size);
	free(key);
	return code;
}

/* What one of them means is lost, or denied, without the other. */
static int check_pairs(const struct option_values *values,
		       struct store_error *error)
{
	static const struct {
		const char *name;
		const char *needs;
	} pairs[] = {
		{ "session_token", "key" },
		{ "tls_client_key", "tls_client_cert" },
		{ "tls_client_key_password", "tls_client_cert" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (option_text(values, pairs[i].name) &&
		    !option_text(values, pairs[i].needs))
			return store_error_set(error, STORE_INVALID,
					       "%s means nothing without %s",
					       pairs[i].name, pairs[i].needs);
	return STORE_OK;
}

static int check_anonymous(const struct option_values *values,
			   struct store_error *error)
{
	static const char *const keys[] = { "key", "secret", "profile",
					    "session_token",
					    "credentials_file" };

	if (!option_flag(values, "anonymous"))
		return STORE_OK;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (option_text(values, keys[i]))
			return store_error_set(error, STORE_INVALID,
					       "anonymous asks without keys: "
					       "not with %s",
					       keys[i]);
	if (option_flag(values, "requester_pays"))
		return store_error_set(error, STORE_INVALID,
				       "anonymous, nobody pays: not with "
				       "requester_pays");
	return STORE_OK;
}

static int check_encryption(const struct option_values *values,
			    struct store_error *error)
{
	const char *sse = option_text(values, "sse");

	if (sse && option_text(values, "sse_customer_key"))
		return store_error_set(error, STORE_INVALID,
				       "sse and sse_customer_key: a file is "
				       "encrypted in one way");
	if (option_text(values, "sse_kms_key_id") &&
	    (!sse || strncmp(sse, "aws:kms", 7) != 0))
		return store_error_set(error, STORE_INVALID,
				       "sse_kms_key_id is the key of "
				       "sse=aws:kms");
	return STORE_OK;
}

/* "[scheme://][user:password@]host[:port]" as libcurl takes it. */
static int check_proxy(const char *proxy, struct store_error *error)
{
	static const char *const schemes[] = { "http",	  "https",  "socks4",
					       "socks4a", "socks5", "socks5h" };
	const char *end = proxy ? strstr(proxy, "://") : NULL;

	if (!end)
		return STORE_OK;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i]) == (size_t)(end - proxy) &&
		    strncmp(proxy, schemes[i], (size_t)(end - proxy)) == 0 &&
		    end[3])
			return STORE_OK;
	return store_error_set(error, STORE_INVALID,
			       "proxy: http://host:port, or https, socks4, "
			       "socks4a, socks5, socks5h");
}

/* A bucket before an address, or one that can be no part of a name. */
static int check_style(const struct s3_settings *settings,
		       struct store_error *error)
{
	const char *host =
		settings->endpoint ? strstr(settings->endpoint, "://") + 3 : "";

	if (settings->style != S3_STYLE_VIRTUAL)
		return STORE_OK;
	if (*host == '[' || (*host && !host[strspn(host, "0123456789.:")]))
		return store_error_set(error, STORE_INVALID,
				       "addressing_style=virtual: no bucket "
				       "can stand before the address %s",
				       host);
	if (settings->bucket[strspn(settings->bucket,
				    "abcdefghijklmnopqrstuvwxyz0123456789.-")])
		return store_error_set(error, STORE_INVALID,
				       "addressing_style=virtual: the bucket "
				       "%s cannot be part of a host name",
				       settings->bucket);
	return STORE_OK;
}

static int check_meaning(const struct option_values *values,
			 const struct s3_settings *settings,
			 struct store_error *error)
{
	int code = check_pairs(values, error);

	if (!code)
		code = check_anonymous(values, error);
	if (!code)
		code = check_encryption(values, error);
	if (!code)
		code = check_proxy(option_text(values, "proxy"), error);
	return code ? code : check_style(settings, error);
}

/* ---- the instance ---- */

static bool copy_option(const struct option_values *values, const char *name,
			char **to)
{
	const char *text = option_text(values, name);

	*to = text ? strdup(text) : NULL;
	return !text || *to;
}

/* Of services that take their endpoint from where the AWS tools do. */
static const char *endpoint_url(const struct option_values *values)
{
	static const char *const names[] = { "AWS_ENDPOINT_URL_S3",
					     "AWS_ENDPOINT_URL" };
	const char *text = option_text(values, "endpoint_url");

	for (size_t i = 0; !text && i < sizeof(names) / sizeof(names[0]); i++)
		text = environment_get(names[i]);
	return text && *text ? text : NULL;
}

static int fill_settings(const struct option_values *values,
			 struct s3_settings *settings,
			 struct store_error *error)
{
	const char *endpoint = endpoint_url(values);
	const char *customer = option_text(values, "sse_customer_key");
	int code = check_bucket(option_text(values, "bucket"), error);
	bool all;

	if (!code)
		code = check_root(option_text(values, "root"), &settings->root,
				  error);
	if (!code && endpoint)
		code = check_endpoint(endpoint, &settings->endpoint, error);
	if (!code && customer)
		code = check_customer_key(customer, settings, error);
	if (code)
		return code;
	all = copy_option(values, "bucket", &settings->bucket);
	all = copy_option(values, "region_name", &settings->region) && all;
	all = copy_option(values, "storage_class", &settings->storage_class) &&
	      all;
	all = copy_option(values, "sse", &settings->sse) && all;
	all = copy_option(values, "sse_kms_key_id", &settings->sse_kms_key) &&
	      all;
	settings->style =
		(enum s3_style)option_choice(values, "addressing_style");
	settings->checksum =
		(enum s3_checksum)option_choice(values, "checksum");
	settings->conditions =
		(enum s3_conditions)option_choice(values, "conditions");
	settings->requester_pays = option_flag(values, "requester_pays");
	settings->part_size = (uint64_t)option_number(values, "part_size");
	settings->single_max = (uint64_t)option_number(values, "single_max");
	settings->stale_ns = option_number(values, "abort_uploads_after");
	settings->copy_max = (uint64_t)option_number(values, "copy_max");
	return all ? STORE_OK
		   : store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

static const char *ca_bundle(const struct option_values *values)
{
	static const char *const names[] = { "AWS_CA_BUNDLE",
					     "REQUESTS_CA_BUNDLE",
					     "SSL_CERT_FILE" };
	const char *text = option_text(values, "tls_ca_bundle");

	for (size_t i = 0; !text && i < sizeof(names) / sizeof(names[0]); i++)
		text = environment_get(names[i]);
	return text;
}

/* Texts of its own: options do not outlive configure. */
static int fill_http(const struct option_values *values,
		     struct http_settings *http, struct store_error *error)
{
	const struct http_settings given = {
		.user_agent = "storefs",
		.proxy = option_text(values, "proxy"),
		.no_proxy = option_text(values, "no_proxy"),
		.ca_bundle = ca_bundle(values),
		.client_cert = option_text(values, "tls_client_cert"),
		.client_key = option_text(values, "tls_client_key"),
		.client_key_password =
			option_text(values, "tls_client_key_password"),
		.insecure = !option_flag(values, "verify_ssl"),
		.http2 = option_choice(values, "http_version") == 1,
		.family = (enum http_family)option_choice(values, "ip"),
		.connect_timeout_ns = option_number(values, "connect_timeout"),
		.resend_ns = option_number(values, "resend_after"),
		.low_speed = (uint64_t)option_number(values, "low_speed_limit"),
		.low_speed_ns = option_number(values, "low_speed_time"),
	};

	if (http_settings_copy(http, &given))
		return STORE_OK;
	return store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

static unsigned int trusted(const struct s3_settings *settings)
{
	switch (settings->conditions) {
	case S3_CONDITIONS_YES:
		return S3_KNOWN | S3_ALL_CONDITIONS;
	case S3_CONDITIONS_NO:
		return S3_KNOWN;
	case S3_CONDITIONS_AUTO:
		/* Of AWS: userguide/conditional-requests.html */
		return settings->endpoint ? 0 : S3_KNOWN | S3_ALL_CONDITIONS;
	default:
		return 0;
	}
}

int s3_configure(const struct option_values *values, void **self,
		 struct store_error *error)
{
	const struct s3_credentials_options credentials = {
		.anonymous = option_flag(values, "anonymous"),
		.access = option_text(values, "key"),
		.secret = option_text(values, "secret"),
		.token = option_text(values, "session_token"),
		.profile = option_text(values, "profile"),
		.credentials_file = option_text(values, "credentials_file"),
		.config_file = option_text(values, "config_file"),
	};
	struct s3 *s3 = calloc(1, sizeof(*s3));
	int code;

	if (!s3)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	lock_init(&s3->lock);
	code = fill_settings(values, &s3->settings, error);
	if (!code)
		code = check_meaning(values, &s3->settings, error);
	if (!code)
		code = fill_http(values, &s3->http, error);
	if (!code)
		code = s3_credentials_new(&credentials, &s3->credentials,
					  error);
	atomic_init(&s3->skew, 0);
	atomic_init(&s3->guesses, 0);
	atomic_init(&s3->probes, 0);
	atomic_init(&s3->honoured, trusted(&s3->settings));
	if (!code) {
		*self = s3;
		return STORE_OK;
	}
	s3_options_release(s3);
	lock_destroy(&s3->lock);
	free(s3);
	return code;
}

void s3_options_release(struct s3 *s3)
{
	struct s3_settings *settings = &s3->settings;

	free(settings->bucket);
	free(settings->root);
	free(settings->endpoint);
	free(settings->region);
	free(settings->storage_class);
	free(settings->sse);
	free(settings->sse_kms_key);
	secret_free(settings->sse_customer);
	free(settings->sse_customer_md5);
	http_settings_release(&s3->http);
	s3_credentials_free(s3->credentials);
}
