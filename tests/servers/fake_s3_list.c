// SPDX-License-Identifier: MIT
/*
 * ListObjectsV2.  A page costs a search per entry, whatever is below a common
 * prefix.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/servers/fake_s3_inside.h"

struct page {
	struct fake_request *request;
	const struct fake_bucket *bucket;
	const char *prefix;
	const char *delimiter; /* NULL: none */
	bool url;
	size_t max;
	size_t count;
	size_t index; /* the next one */
	char *last;   /* key or common prefix told last */
	bool truncated;
	struct buf out;
};

/* Tokens are ours: "1" and the last name in hex. */
static char *token_name(const char *token)
{
	size_t length = strlen(token);
	char *name;

	if (*token != '1' || length % 2 == 0)
		return NULL;
	name = malloc(length);
	if (!name)
		abort();
	for (size_t i = 1; i < length; i += 2) {
		unsigned int byte;

		if (sscanf(token + i, "%2x", &byte) != 1 || !byte) {
			free(name);
			return NULL;
		}
		name[i / 2] = (char)byte;
	}
	name[length / 2] = '\0';
	return name;
}

static void add_token(struct page *page)
{
	buf_add_text(&page->out, "<NextContinuationToken>1");
	for (const char *c = page->last; *c; c++)
		buf_addf(&page->out, "%02x", (unsigned char)*c);
	buf_add_text(&page->out, "</NextContinuationToken>");
}

/* ---- entries ---- */

static void add_name(struct page *page, const char *element, const char *name)
{
	buf_addf(&page->out, "<%s>", element);
	fake_list_name(&page->out, name, page->url);
	buf_addf(&page->out, "</%s>", element);
}

static void add_object(struct page *page, const char *key)
{
	const struct fake_object *object =
		page->bucket->simulated ? NULL
					: page->bucket->objects[page->index];
	char stamp[40];

	fake_stamp(object ? object->modified : 1700000000, stamp);
	buf_add_text(&page->out, "<Contents>");
	add_name(page, "Key",
		 fake_hit(page->request, FAKE_OTHER_NAMES) ? "other/name"
							   : key);
	buf_addf(&page->out,
		 "<LastModified>%s</LastModified><ETag>&quot;%s&quot;</ETag>"
		 "<Size>%zu</Size><StorageClass>STANDARD</StorageClass>"
		 "</Contents>",
		 stamp,
		 object ? object->etag : "d41d8cd98f00b204e9800998ecf8427e",
		 object ? object->blob->size : 0);
}

static void keep_last(struct page *page, const char *name, size_t length)
{
	free(page->last);
	page->last = strndup(name, length);
	if (!page->last)
		abort();
}

/* Past all that begins with it: the last byte one up. */
static size_t past(const struct fake_bucket *bucket, const char *prefix)
{
	CLEANUP_FREE char *next = strdup(prefix);
	size_t length = strlen(next);

	while (length && (unsigned char)next[length - 1] == 255)
		next[--length] = '\0';
	if (!length)
		return fake_bucket_count(bucket);
	next[length - 1]++;
	return fake_bucket_from(bucket, next, false);
}

static void add_entry(struct page *page, const char *key)
{
	const char *rest = key + strlen(page->prefix);
	const char *end =
		page->delimiter ? strstr(rest, page->delimiter) : NULL;

	page->count++;
	if (!end) {
		keep_last(page, key, strlen(key));
		add_object(page, key);
		page->index++;
		return;
	}
	keep_last(page, key, (size_t)(end - key) + strlen(page->delimiter));
	buf_add_text(&page->out, "<CommonPrefixes>");
	add_name(page, "Prefix", page->last);
	buf_add_text(&page->out, "</CommonPrefixes>");
	page->index = past(page->bucket, page->last);
}

static void add_entries(struct page *page)
{
	size_t prefix = strlen(page->prefix);
	char room[64];

	while (page->index < fake_bucket_count(page->bucket)) {
		const char *key =
			fake_bucket_key(page->bucket, page->index, room);

		if (strncmp(key, page->prefix, prefix) != 0)
			break;
		if (page->count == page->max) {
			page->truncated = true;
			break;
		}
		add_entry(page, key);
	}
}

/* ---- the page ---- */

/* Where it begins; false when answered. */
static bool find_start(struct page *page)
{
	const char *token = fake_query(page->request, "continuation-token");
	const char *after = fake_query(page->request, "start-after");
	CLEANUP_FREE char *name = NULL;
	size_t length;

	page->index = fake_bucket_from(page->bucket, page->prefix, false);
	if (token) {
		name = token_name(token);
		if (!name) {
			fake_fail(page->request, 400, "InvalidArgument",
				  "that is no continuation token");
			return false;
		}
		after = name;
		keep_last(page, name, strlen(name));
	}
	if (!after || strcmp(after, page->prefix) < 0)
		return true;
	length = page->delimiter ? strlen(page->delimiter) : 0;
	if (length && strlen(after) > strlen(page->prefix) &&
	    strlen(after) >= length &&
	    strcmp(after + strlen(after) - length, page->delimiter) == 0)
		page->index = past(page->bucket, after);
	else
		page->index = fake_bucket_from(page->bucket, after, true);
	return true;
}

static bool read_max(struct page *page)
{
	const char *text = fake_query(page->request, "max-keys");
	char *end;
	long max;

	page->max = FAKE_PAGE_MAX;
	if (!text)
		return true;
	max = strtol(text, &end, 10);
	if (end == text || *end || max < 0) {
		fake_fail(page->request, 400, "InvalidArgument", "max-keys");
		return false;
	}
	if ((size_t)max < page->max)
		page->max = (size_t)max;
	return true;
}

static void keep_place_of_cycle(struct page *page)
{
	const struct fake_rule *rule = &page->request->rule;
	CLEANUP_BUF struct buf place = BUF_INIT(FAKE_KEY_MAX + 32);

	buf_addf(&place, "%s%llu", page->prefix,
		 (unsigned long long)(rule->hits % rule->at));
	keep_last(page, buf_text(&place), place.length);
}

static void answer(struct page *page)
{
	bool cycle = fake_hit(page->request, FAKE_CYCLE);
	bool endless = cycle || fake_hit(page->request, FAKE_ENDLESS);
	bool no_token = fake_hit(page->request, FAKE_NO_TOKEN);

	buf_addf(&page->out,
		 "<Name>%s</Name><MaxKeys>%zu</MaxKeys><KeyCount>%zu</KeyCount>"
		 "<IsTruncated>%s</IsTruncated>",
		 page->bucket->name, page->max, page->count,
		 page->truncated || endless || no_token ? "true" : "false");
	add_name(page, "Prefix", page->prefix);
	if (cycle) {
		keep_place_of_cycle(page);
	} else if (endless && page->count) {
		/* As if nothing had been told. */
		CLEANUP_FREE char *name = NULL;
		const char *token =
			fake_query(page->request, "continuation-token");

		name = token ? token_name(token) : strdup(page->prefix);
		keep_last(page, name, strlen(name));
	}
	if ((page->truncated || endless) && !no_token)
		add_token(page);
	if (page->url)
		buf_add_text(&page->out, "<EncodingType>url</EncodingType>");
	buf_add_text(&page->out, "</ListBucketResult>");
	fake_answer_xml(page->request, &page->out);
}

void fake_list(struct fake_request *request, struct fake_bucket *bucket)
{
	const char *type = fake_query(request, "list-type");
	const char *prefix = fake_query(request, "prefix");
	const char *delimiter = fake_query(request, "delimiter");
	const char *encoding = fake_query(request, "encoding-type");
	struct page page = {
		.request = request,
		.bucket = bucket,
		.prefix = prefix ? prefix : "",
		.delimiter = delimiter && *delimiter ? delimiter : NULL,
		.url = encoding != NULL,
	};

	if (!type || strcmp(type, "2") != 0) {
		fake_fail(request, 501, "NotImplemented", "list-type=2 only");
		return;
	}
	if (encoding && strcmp(encoding, "url") != 0) {
		fake_fail(request, 400, "InvalidArgument", "encoding-type");
		return;
	}
	buf_init(&page.out, 16 << 20);
	buf_add_text(&page.out,
		     "<ListBucketResult "
		     "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
	if (read_max(&page) && find_start(&page)) {
		if (page.max)
			add_entries(&page);
		answer(&page);
	}
	free(page.last);
	buf_release(&page.out);
}
