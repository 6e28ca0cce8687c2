// SPDX-License-Identifier: MIT
/*
 * The chain of places keys come from: see credentials.h.  Called for every
 * request that is to be signed.
 *
 * Locks: `lock` guards the keys; `fetching` lets one thread fetch while the
 * others wait for it.  Fetching runs without the lock.
 */
#include "config.h"

#include "backends/s3/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "backends/s3/profile.h"
#include "src/base/buf.h"
#include "src/base/clock.h"
#include "src/base/secret.h"
#include "src/base/sync.h"
#include "src/config/environment.h"

/* Keys that end within so many seconds are fetched anew. */
enum { EARLY = 300 };
/* How often who waits for others looks whether it may. */
enum { LOOK_NS = 50000000 };
/* Keys that still do are not asked for again for so long. */
enum { PAUSE = 30 };

struct s3_credentials {
	/* Immutable: */
	bool anonymous;
	struct s3_keys given; /* by options */
	char *profile;
	char *credentials_file; /* NULL: the usual place */
	char *config_file;

	struct lock lock;
	struct condition fetched;
	/* Protected by `lock`: */
	struct s3_keys keys;
	bool fetching;
	bool changeable; /* the keys did not come from options */
	bool doubted;	 /* others may be there already */
	/* On CLOCK_MONOTONIC: */
	int64_t again_ns;  /* when to ask again for keys that last longer */
	int64_t proven_ns; /* until then they are not doubted */
};

void s3_keys_release(struct s3_keys *keys)
{
	secret_free(keys->access);
	secret_free(keys->secret);
	secret_free(keys->token);
	*keys = (struct s3_keys){ .access = NULL };
}

static bool same_text(const char *left, const char *right)
{
	return left && right ? strcmp(left, right) == 0 : left == right;
}

bool s3_keys_equal(const struct s3_keys *left, const struct s3_keys *right)
{
	return same_text(left->access, right->access) &&
	       same_text(left->secret, right->secret) &&
	       same_text(left->token, right->token);
}

static bool copy_text(char **to, const char *text)
{
	*to = text ? strdup(text) : NULL;
	return !text || *to;
}

static int copy_keys(struct s3_keys *to, const struct s3_keys *from,
		     struct store_error *error)
{
	bool all = copy_text(&to->access, from->access);

	all = copy_text(&to->secret, from->secret) && all;
	all = copy_text(&to->token, from->token) && all;
	to->expires = from->expires;
	if (all)
		return STORE_OK;
	s3_keys_release(to);
	return store_error_set(error, STORE_NO_MEMORY, "out of memory");
}

/* ---- life ---- */

static int check_options(const struct s3_credentials_options *options,
			 struct store_error *error)
{
	if (!options->access != !options->secret)
		return store_error_set(error, STORE_INVALID,
				       "give key and secret together");
	if (options->anonymous && options->access)
		return store_error_set(error, STORE_INVALID,
				       "anonymous goes without a key");
	return STORE_OK;
}

int s3_credentials_new(const struct s3_credentials_options *options,
		       struct s3_credentials **credentials,
		       struct store_error *error)
{
	const char *profile = options->profile;
	struct s3_credentials *made;
	int code = check_options(options, error);
	bool all;

	if (code)
		return code;
	made = calloc(1, sizeof(*made));
	if (!made)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	lock_init(&made->lock);
	condition_init(&made->fetched);
	if (!profile)
		profile = environment_get("AWS_PROFILE");
	made->anonymous = options->anonymous;
	all = copy_text(&made->given.access, options->access);
	all = copy_text(&made->given.secret, options->secret) && all;
	all = copy_text(&made->given.token, options->token) && all;
	all = copy_text(&made->profile, profile ? profile : "default") && all;
	all = copy_text(&made->credentials_file, options->credentials_file) &&
	      all;
	all = copy_text(&made->config_file, options->config_file) && all;
	if (!all) {
		s3_credentials_free(made);
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	}
	*credentials = made;
	return STORE_OK;
}

void s3_credentials_free(struct s3_credentials *credentials)
{
	if (!credentials)
		return;
	s3_keys_release(&credentials->given);
	s3_keys_release(&credentials->keys);
	free(credentials->profile);
	free(credentials->credentials_file);
	free(credentials->config_file);
	condition_destroy(&credentials->fetched);
	lock_destroy(&credentials->lock);
	free(credentials);
}

/* ---- places ---- */

/* The path of a shared file; malloc'd, NULL without a home. */
static char *shared_file(const char *given, const char *variable,
			 const char *name)
{
	CLEANUP_BUF struct buf path = BUF_INIT(4096);
	const char *set = given ? given : environment_get(variable);
	const char *home = environment_get("HOME");

	if (set)
		return strdup(set);
	if (!home)
		return NULL;
	buf_addf(&path, "%s/.aws/%s", home, name);
	return buf_steal(&path);
}

static int read_profile(struct s3_credentials *credentials,
			struct s3_profile *profile, struct store_error *error)
{
	CLEANUP_FREE char *first =
		shared_file(credentials->credentials_file,
			    "AWS_SHARED_CREDENTIALS_FILE", "credentials");
	CLEANUP_FREE char *second = shared_file(credentials->config_file,
						"AWS_CONFIG_FILE", "config");
	int code = STORE_OK;

	if (first)
		code = s3_profile_read(profile, first, credentials->profile,
				       false, error);
	if (!code && second)
		code = s3_profile_read(profile, second, credentials->profile,
				       true, error);
	return code;
}

static int from_environment(struct s3_keys *keys, struct store_error *error)
{
	struct s3_keys found = {
		.access =
			(char *)(uintptr_t)environment_get("AWS_ACCESS_KEY_ID"),
		.secret = (char *)(uintptr_t)environment_get(
			"AWS_SECRET_ACCESS_KEY"),
		.token =
			(char *)(uintptr_t)environment_get("AWS_SESSION_TOKEN"),
	};

	if (!found.access || !found.secret)
		return STORE_OK;
	return copy_keys(keys, &found, error);
}

static int from_profile(struct s3_credentials *credentials,
			struct store_context *context, struct s3_keys *keys,
			struct store_error *error)
{
	struct s3_profile profile = { .found = false };
	int code = read_profile(credentials, &profile, error);

	if (!code && profile.keys.access && profile.keys.secret)
		code = copy_keys(keys, &profile.keys, error);
	else if (!code && profile.process)
		code = s3_process_run(profile.process, context, keys, error);
	else if (!code && !profile.found &&
		 strcmp(credentials->profile, "default") != 0)
		code = store_error_set(error, STORE_DENIED,
				       "no profile '%s' in the shared files",
				       credentials->profile);
	s3_profile_release(&profile);
	return code;
}

static int fetch(struct s3_credentials *credentials,
		 struct store_context *context, struct s3_keys *keys,
		 bool *changeable, struct store_error *error)
{
	int code;

	if (credentials->given.access) {
		*changeable = false;
		return copy_keys(keys, &credentials->given, error);
	}
	*changeable = true;
	code = from_environment(keys, error);
	if (!code && !keys->access)
		code = from_profile(credentials, context, keys, error);
	if (!code && !keys->access)
		code = store_error_set(
			error, STORE_DENIED,
			"no credentials: give key and secret, or "
			"$AWS_ACCESS_KEY_ID and $AWS_SECRET_ACCESS_KEY, or a "
			"profile in ~/.aws, or anonymous");
	return code;
}

/* ---- the keys of now ---- */

/* Seconds the keys have left. */
static int64_t seconds_left(const struct s3_keys *keys)
{
	if (!keys->access)
		return 0;
	return keys->expires ? keys->expires - clock_now().tv_sec : INT64_MAX;
}

/*
 * Those that end soon do, too, while somebody fetches others, and for a while
 * after that came to nothing better.
 */
static bool usable_locked(const struct s3_credentials *credentials)
	REQUIRES(credentials->lock)
{
	int64_t seconds = seconds_left(&credentials->keys);

	if (credentials->doubted)
		return false;
	return seconds > EARLY ||
	       (seconds > 0 && (credentials->fetching ||
				clock_monotonic_ns() < credentials->again_ns));
}

/* For a while; also when the caller has no time or is cancelled. */
static int wait_locked(struct s3_credentials *credentials,
		       const struct store_context *context,
		       struct store_error *error) REQUIRES(credentials->lock)
{
	int64_t most = store_context_remaining(context);

	(void)condition_wait_until(&credentials->fetched, &credentials->lock,
				   clock_monotonic_ns() +
					   (most < LOOK_NS ? most : LOOK_NS));
	return store_context_check(context, error);
}

/* *mine: this thread is to fetch. */
static int wait_or_fetch_locked(struct s3_credentials *credentials,
				const struct store_context *context, bool *mine,
				struct store_error *error)
	REQUIRES(credentials->lock)
{
	int code = STORE_OK;

	while (!code && credentials->fetching && !usable_locked(credentials))
		code = wait_locked(credentials, context, error);
	*mine = !code && !usable_locked(credentials);
	credentials->fetching |= *mine;
	return code;
}

static void put_off_locked(struct s3_credentials *credentials)
	REQUIRES(credentials->lock)
{
	int64_t pause = seconds_left(&credentials->keys) / 8;

	if (pause > PAUSE)
		pause = PAUSE;
	credentials->again_ns = clock_monotonic_ns() + pause * NS_PER_SEC;
}

/* Whoever fetched them has them before somebody can refuse them. */
static int refresh(struct s3_credentials *credentials,
		   struct store_context *context, struct s3_keys *keys,
		   struct store_error *error)
{
	struct s3_keys fresh = { .access = NULL };
	struct store_error own = STORE_ERROR_INIT;
	bool changeable = false;
	int code = fetch(credentials, context, &fresh, &changeable, &own);

	lock_take(&credentials->lock);
	if (credentials->doubted &&
	    (code || s3_keys_equal(&fresh, &credentials->keys)))
		credentials->proven_ns =
			clock_monotonic_ns() + PAUSE * NS_PER_SEC;
	credentials->doubted = false;
	if (!code) {
		s3_keys_release(&credentials->keys);
		credentials->keys = fresh;
		credentials->changeable = changeable;
	} else if (seconds_left(&credentials->keys) > 0) {
		/* The old ones still do for a while. */
		code = STORE_OK;
	}
	if (!code)
		code = copy_keys(keys, &credentials->keys, &own);
	put_off_locked(credentials);
	credentials->fetching = false;
	condition_broadcast(&credentials->fetched);
	lock_drop(&credentials->lock);
	if (code && error)
		*error = own;
	return code;
}

int s3_credentials_get(struct s3_credentials *credentials,
		       struct store_context *context, struct s3_keys *keys,
		       struct store_error *error)
{
	bool mine;
	int code;

	*keys = (struct s3_keys){ .access = NULL };
	if (credentials->anonymous)
		return STORE_OK;
	lock_take(&credentials->lock);
	code = wait_or_fetch_locked(credentials, context, &mine, error);
	if (!code && !mine)
		code = copy_keys(keys, &credentials->keys, error);
	lock_drop(&credentials->lock);
	return mine ? refresh(credentials, context, keys, error) : code;
}

/* Some server may refuse much without a word: so not with each answer. */
static bool doubt_locked(struct s3_credentials *credentials)
	REQUIRES(credentials->lock)
{
	if (clock_monotonic_ns() < credentials->proven_ns)
		return false;
	credentials->doubted = true;
	return true;
}

bool s3_credentials_refused(struct s3_credentials *credentials,
			    const char *access, bool sure)
{
	bool others;

	if (!access)
		return false;
	lock_take(&credentials->lock);
	others = credentials->changeable;
	if (others && credentials->keys.access &&
	    strcmp(credentials->keys.access, access) == 0) {
		if (sure)
			s3_keys_release(&credentials->keys);
		else
			others = doubt_locked(credentials);
	}
	lock_drop(&credentials->lock);
	return others;
}

char *s3_credentials_region(struct s3_credentials *credentials)
{
	struct s3_profile profile = { .found = false };
	const char *set = environment_get("AWS_REGION");
	char *region = NULL;

	if (!set)
		set = environment_get("AWS_DEFAULT_REGION");
	if (set)
		return strdup(set);
	if (!read_profile(credentials, &profile, NULL))
		region = steal_pointer(&profile.region);
	s3_profile_release(&profile);
	return region;
}
