// SPDX-License-Identifier: MIT
/* What a fake S3 server can be told: see fake_s3.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "tests/servers/fake_s3_inside.h"
#include "tests/servers/place.h"

static const char *const kinds[FAKE_KINDS] = {
	[FAKE_NOTHING] = "nothing",	    [FAKE_FAIL] = "fail",
	[FAKE_FAIL_200] = "fail-200",	    [FAKE_LOSE] = "lose",
	[FAKE_LONGER] = "longer",	    [FAKE_SHORTER] = "shorter",
	[FAKE_OTHER_RANGE] = "other-range", [FAKE_OTHER_ETAG] = "other-etag",
	[FAKE_ENDLESS] = "endless",	    [FAKE_CYCLE] = "cycle",
	[FAKE_NO_TOKEN] = "no-token",	    [FAKE_OTHER_NAMES] = "other-names",
	[FAKE_BROKEN_XML] = "broken-xml",   [FAKE_TWISTED] = "twisted",
};

static bool say(struct buf *out, const char *text)
{
	buf_addf(out, "%s\n", text);
	return false;
}

/* ---- rules ---- */

static bool take_text(const char *word, const char *name, char *to, size_t room)
{
	const char *value = place_value(word, name);

	if (!value || strlen(value) >= room)
		return false;
	memcpy(to, value, strlen(value) + 1);
	return true;
}

static bool take_number(const char *word, const char *name, uint64_t *to)
{
	const char *value = place_value(word, name);
	char *end;

	if (!value)
		return false;
	*to = strtoull(value, &end, 10);
	return end != value && !*end;
}

static bool take_word(struct fake_rule *rule, const char *word)
{
	uint64_t status;

	if (take_number(word, "status", &status)) {
		rule->status = (int)status;
		return true;
	}
	return take_text(word, "verb", rule->verb, sizeof(rule->verb)) ||
	       take_text(word, "target", rule->target, sizeof(rule->target)) ||
	       take_text(word, "code", rule->code, sizeof(rule->code)) ||
	       take_number(word, "skip", &rule->skip) ||
	       take_number(word, "count", &rule->count) ||
	       take_number(word, "at", &rule->at);
}

static bool add_rule(struct fake_s3 *fake, char **words, struct buf *out)
{
	struct fake_rule rule = {
		.verb = "*",
		.target = "*",
		.count = 1,
		.status = 503,
		.code = "SlowDown",
		.at = 1,
	};

	for (int kind = 1; *words && kind < FAKE_KINDS; kind++)
		if (strcmp(*words, kinds[kind]) == 0)
			rule.kind = (enum fake_kind)kind;
	if (!rule.kind || fake->rule_count == FAKE_RULES_MAX)
		return say(out, "no such rule, or too many");
	while (*++words)
		if (!take_word(&rule, *words))
			return say(out, *words);
	if (!rule.count)
		rule.count = UINT64_MAX;
	fake->rules[fake->rule_count++] = rule;
	return true;
}

static void show_rules(const struct fake_s3 *fake, struct buf *out)
{
	for (size_t i = 0; i < fake->rule_count; i++)
		buf_addf(out, "%s seen=%llu hits=%llu\n",
			 kinds[fake->rules[i].kind],
			 (unsigned long long)fake->rules[i].seen,
			 (unsigned long long)fake->rules[i].hits);
}

/* ---- keys ---- */

static struct fake_key *find_key(struct fake_s3 *fake, const char *access)
{
	for (size_t i = 0; i < fake->key_count; i++)
		if (strcmp(fake->keys[i].access, access) == 0)
			return &fake->keys[i];
	return NULL;
}

static bool add_key(struct fake_s3 *fake, char **words, struct buf *out)
{
	struct fake_key *key;

	if (!words[0] || !words[1])
		return say(out, "key ACCESS SECRET [TOKEN]");
	key = find_key(fake, words[0]);
	if (!key && fake->key_count == FAKE_KEYS_MAX)
		return say(out, "there are too many keys");
	if (!key)
		key = &fake->keys[fake->key_count++];
	*key = (struct fake_key){ .expired = false };
	snprintf(key->access, sizeof(key->access), "%s", words[0]);
	snprintf(key->secret, sizeof(key->secret), "%s", words[1]);
	snprintf(key->token, sizeof(key->token), "%s",
		 words[2] ? words[2] : "");
	return true;
}

static bool end_key(struct fake_s3 *fake, const char *access, bool expires)
{
	struct fake_key *key = find_key(fake, access);

	if (!key)
		return false;
	if (expires)
		key->expired = true;
	else
		*key = fake->keys[--fake->key_count];
	return true;
}

/* ---- all ---- */

static bool run_bare(struct fake_s3 *fake, const char *name, struct buf *out)
{
	if (strcmp(name, "permit") == 0)
		fake->denied_count = 0;
	else if (strcmp(name, "rules") == 0)
		show_rules(fake, out);
	else if (strcmp(name, "clear") == 0)
		fake->rule_count = 0;
	else if (strcmp(name, "uploads") == 0)
		fake_uploads_show(fake, out);
	else if (strcmp(name, "counts") == 0)
		buf_addf(out, "requests %llu\nrefused %llu\n",
			 (unsigned long long)fake->requests,
			 (unsigned long long)fake->refused);
	else
		return false;
	return true;
}

static bool set_bucket(struct fake_s3 *fake, const char *what, const char *name)
{
	struct fake_bucket *bucket = fake_bucket_find(fake, name);

	if (!bucket)
		return false;
	if (strcmp(what, "public") == 0)
		bucket->public = true;
	else
		bucket->payer = true;
	return true;
}

/* What an object was put with. */
static bool show(struct fake_s3 *fake, const char *path, struct buf *out)
{
	const char *key = strchr(path, '/');
	CLEANUP_FREE char *name =
		strndup(path, key ? (size_t)(key - path) : strlen(path));
	struct fake_bucket *bucket = fake_bucket_find(fake, name);
	struct fake_object *object =
		bucket && key ? fake_object_find(bucket, key + 1) : NULL;

	if (object)
		buf_addf(out, "%scustomer: %s\n", object->kept.lines,
			 object->kept.customer);
	return object != NULL;
}

static bool run_with(struct fake_s3 *fake, char **words, struct buf *out)
{
	const char *name = words[0];
	const char *value = words[1];

	if (strcmp(name, "deny") == 0 && fake->denied_count < FAKE_DENIED_MAX)
		snprintf(fake->denied[fake->denied_count++],
			 sizeof(fake->denied[0]), "%s", value);
	else if (strcmp(name, "region") == 0)
		snprintf(fake->region, sizeof(fake->region), "%s", value);
	else if (strcmp(name, "clock") == 0)
		fake->ahead = strtoll(value, NULL, 10);
	else if (strcmp(name, "expire") == 0 || strcmp(name, "revoke") == 0)
		return end_key(fake, value, *name == 'e') ||
		       say(out, "no such key");
	else if (strcmp(name, "public") == 0 || strcmp(name, "payer") == 0)
		return set_bucket(fake, name, value) ||
		       say(out, "no such bucket");
	else if (strcmp(name, "show") == 0)
		return show(fake, value, out) || say(out, "no such object");
	else if (strcmp(name, "simulate") == 0 && words[2])
		return fake_bucket_make(fake, value,
					strtoull(words[2], NULL, 10)) ||
		       say(out, "that bucket is there");
	else
		return say(out, "no such command");
	return true;
}

bool fake_s3_command(void *arg, char **words, struct buf *out)
{
	struct fake_s3 *fake = arg;
	bool fine;

	pthread_mutex_lock(&fake->lock);
	if (*words && strcmp(*words, "rule") == 0)
		fine = add_rule(fake, words + 1, out);
	else if (*words && strcmp(*words, "key") == 0)
		fine = add_key(fake, words + 1, out);
	else if (*words && words[1])
		fine = run_with(fake, words, out);
	else
		fine = (*words && run_bare(fake, *words, out)) ||
		       say(out, "no such command");
	pthread_mutex_unlock(&fake->lock);
	return fine;
}
