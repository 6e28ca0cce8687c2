// SPDX-License-Identifier: MIT
/*
 * Conditions on changes.  S3 servers differ in which they honour: some
 * ignore them in silence, some take If-Match only without the quotes of an
 * ETag.  So what is not known of a server is tried out once, with an object
 * of our own; until then, and where a server ignores a condition, it is
 * checked just before, and STORE_CAP_CONDITIONAL is not claimed.
 *
 * Called by put.c, copy.c, remove.c, and by open with conditions=probe.
 */
#include "config.h"

#include "backends/s3/s3.h"

#include <stdio.h>
#include <string.h>

/* Conditional changes before it is cheaper to know. */
enum { GUESSES = 8 };
/* Tries that may fail before what they told is taken. */
enum { PROBES = 3 };

/* ---- using ---- */

int s3_honoured(struct s3 *s3, struct store_context *context,
		unsigned int *honoured, struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	int code;

	*honoured = atomic_load(&s3->honoured);
	/* One finds out, the others go on guessing. */
	if (*honoured & S3_KNOWN ||
	    atomic_fetch_add(&s3->guesses, 1) != GUESSES)
		return STORE_OK;
	code = s3_probe(s3, context, &own);
	*honoured = atomic_load(&s3->honoured);
	/* A server that errs is asked again, some guesses later. */
	atomic_store(&s3->guesses, code && !own.detail ? GUESSES : 0);
	if (!code || own.detail)
		return STORE_OK;
	*error = own;
	return code;
}

int s3_precondition(const struct store_precondition *precondition,
		    const struct s3_object *found, struct store_error *error)
{
	if (precondition->condition == STORE_IF_ABSENT && found)
		return store_error_set(error, STORE_EXISTS, "%s",
				       store_code_text(STORE_EXISTS));
	if (precondition->condition != STORE_IF_VERSION)
		return STORE_OK;
	if (!found)
		return store_error_set(error, STORE_NOT_FOUND, "%s",
				       store_code_text(STORE_NOT_FOUND));
	if (!store_version_equal(&found->info.version, &precondition->version))
		return store_error_set(error, STORE_CHANGED,
				       "another version is there");
	return STORE_OK;
}

void s3_condition_add(struct s3_call *call,
		      const struct store_precondition *precondition,
		      unsigned int honoured, unsigned int absent,
		      unsigned int match)
{
	const char *quote = honoured & S3_BARE_ETAG ? "" : "\"";

	if (precondition->condition == STORE_IF_ABSENT &&
	    (honoured & absent || !(honoured & S3_KNOWN)))
		s3_call_header(call, "if-none-match", "*");
	if (precondition->condition == STORE_IF_VERSION && honoured & match)
		s3_call_header(call, "if-match", "%s%s%s", quote,
			       precondition->version.token, quote);
}

bool s3_is_mistaken(struct s3 *s3, struct store_context *context,
		    const char *object, const struct store_version *version)
{
	struct store_error own = STORE_ERROR_INIT;
	struct s3_object found;

	if (!strchr(version->token, '-') ||
	    s3_head(s3, context, object, version, &found, &own))
		return false;
	s3_object_release(&found);
	return true;
}

/* ---- trying out ---- */

struct probe {
	struct s3 *s3;
	struct store_context *context;
	char *object;
	struct store_version version; /* of what stands there */
	unsigned int honoured;
	/* The first failure that tells nothing of a condition. */
	int failed;
	struct store_error *error;
};

static void note_failure(struct probe *probe, int code,
			 const struct store_error *error)
{
	bool tells = !store_code_retryable(code) && code != STORE_CANCELLED &&
		     code != STORE_NO_MEMORY;

	if (!code || tells || probe->failed)
		return;
	probe->failed = code;
	*probe->error = *error;
}

static const char wrong_etag[] = "00000000000000000000000000000000";

/*
 * The status of a put or delete with one more header; a negative code when
 * there was no answer.
 */
static int try(struct probe *probe, const char *method, const char *name,
	       const char *value)
{
	struct store_error own = STORE_ERROR_INIT;
	struct s3_text_body body;
	struct s3_call call;
	int result = STORE_OK;

	s3_call_init(&call, method, probe->object);
	call.idempotent = !name;
	if (strcmp(method, "PUT") == 0) {
		s3_text_body_init(&body, "storefs");
		result = s3_body_attach(probe->s3, &call, &body.body, &own);
	}
	s3_call_customer_key(probe->s3, &call, "x-amz-");
	if (name)
		s3_call_header(&call, name, "%s", value);
	if (!result)
		result = s3_send_patiently(probe->s3, probe->context, &call,
					   &own);
	note_failure(probe, result, &own);
	if (!result || s3_call_status(&call)) {
		result = s3_call_status(&call);
		if (s3_call_answer(&call, "etag") &&
		    s3_version_of_etag(s3_call_answer(&call, "etag"),
				       &probe->version, NULL))
			probe->version.token[0] = '\0';
	}
	s3_call_release(&call);
	return result;
}

static bool refused(int status)
{
	return status == 412 || status == 404;
}

static void try_match(struct probe *probe)
{
	char quoted[STORE_VERSION_MAX + 2];

	if (!refused(try(probe, "PUT", "if-match", "\"00\"")))
		return;
	snprintf(quoted, sizeof(quoted), "\"%s\"", probe->version.token);
	if (try(probe, "PUT", "if-match", quoted) == 200) {
		probe->honoured |= S3_PUT_MATCH;
		return;
	}
	if (try(probe, "PUT", "if-match", probe->version.token) == 200)
		probe->honoured |= S3_PUT_MATCH | S3_BARE_ETAG;
}

/* Onto itself, which is refused without a change: so with other headers. */
static bool copy_refused(struct probe *probe,
			 const struct store_precondition *precondition)
{
	struct s3_object found;
	struct s3_copy copy = {
		.from = probe->object,
		.to = probe->object,
		.source = &found,
		.meta = { .type = STORE_TYPE_FILE, .from = &found },
		.precondition = *precondition,
		.honoured = S3_KNOWN | S3_COPY_ABSENT | S3_COPY_MATCH |
			    (probe->honoured & S3_BARE_ETAG),
	};
	struct store_error error = STORE_ERROR_INIT;
	struct store_info info;
	int code = s3_head(probe->s3, probe->context, probe->object, NULL,
			   &found, &error);

	note_failure(probe, code, &error);
	if (code)
		return false;
	code = s3_copy_object(probe->s3, probe->context, &copy, &info, &error);
	s3_object_release(&found);
	note_failure(probe, code, &error);
	return code == STORE_CHANGED;
}

static bool complete_refused(struct probe *probe,
			     const struct store_precondition *precondition)
{
	struct s3_upload upload = {
		.s3 = probe->s3,
		.context = probe->context,
		.object = probe->object,
	};
	struct s3_meta meta = { .type = STORE_TYPE_FILE };
	struct store_memory_source source;
	struct s3_part all = { .number = 1, .range.length = 7 };
	struct store_info info;
	unsigned int honoured = S3_KNOWN | S3_COMPLETE_ABSENT |
				S3_COMPLETE_MATCH |
				(probe->honoured & S3_BARE_ETAG);
	struct store_error error = STORE_ERROR_INIT;
	int code = s3_upload_begin(&upload, &meta, &info, &error);

	if (!code)
		code = s3_upload_parts(
			&upload,
			store_memory_source_init(&source, "storefs", 7), &all,
			1, &error);
	if (!code)
		code = s3_upload_complete(&upload, precondition, honoured,
					  &info, &error);
	note_failure(probe, code, &error);
	if (code)
		s3_upload_abort(&upload);
	s3_upload_release(&upload);
	return code == STORE_CHANGED;
}

static void try_all(struct probe *probe)
{
	struct store_precondition absent = { .condition = STORE_IF_ABSENT };
	struct store_precondition other = { .condition = STORE_IF_VERSION };

	snprintf(other.version.token, sizeof(other.version.token), "%s",
		 wrong_etag);
	if (try(probe, "PUT", "if-none-match", "*") == 412)
		probe->honoured |= S3_PUT_ABSENT;
	try_match(probe);
	if (complete_refused(probe, &absent))
		probe->honoured |= S3_COMPLETE_ABSENT;
	if (complete_refused(probe, &other))
		probe->honoured |= S3_COMPLETE_MATCH;
	if (copy_refused(probe, &absent))
		probe->honoured |= S3_COPY_ABSENT;
	if (copy_refused(probe, &other))
		probe->honoured |= S3_COPY_MATCH;
	if (refused(try(probe, "DELETE", "if-match", "\"00\"")))
		probe->honoured |= S3_DELETE_MATCH;
}

/* A name nobody else has. */
static int probe_name(struct probe *probe)
{
	CLEANUP_BUF struct buf name = BUF_INIT(128);
	unsigned char random[8];
	int code = crypto_random(random, sizeof(random), probe->error);

	if (code)
		return code;
	buf_add_text(&name, S3_PROBE);
	for (size_t i = 0; i < sizeof(random); i++)
		buf_addf(&name, "%02x", random[i]);
	return s3_object_name(probe->s3, buf_text(&name), false, &probe->object,
			      probe->error);
}

int s3_probe(struct s3 *s3, struct store_context *context,
	     struct store_error *error)
{
	struct store_error own = STORE_ERROR_INIT;
	struct probe probe = {
		.s3 = s3,
		.context = context,
		.honoured = S3_KNOWN,
		.error = &own,
	};
	int code = probe_name(&probe);
	int status = 0;

	if (!code) {
		status = try(&probe, "PUT", NULL, NULL);
		if (status == 200)
			try_all(&probe);
		code = probe.failed;
		if (status == 200)
			(void)try(&probe, "DELETE", NULL, NULL);
	}
	free(probe.object);
	if (code && own.detail &&
	    atomic_fetch_add(&s3->probes, 1) + 1 >= PROBES && status == 200)
		code = STORE_OK;
	if (code)
		*error = own;
	/* Who may not write needs no conditions, unless that changes. */
	else if (status != 403)
		atomic_store(&s3->honoured, probe.honoured);
	return code;
}
