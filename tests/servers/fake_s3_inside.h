/* SPDX-License-Identifier: MIT */
/* What the files of the fake S3 server share: see fake_s3.h. */
#ifndef STOREFS_TESTS_SERVERS_FAKE_S3_INSIDE_H
#define STOREFS_TESTS_SERVERS_FAKE_S3_INSIDE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "tests/servers/fake_s3.h"

enum {
	FAKE_FIELDS_MAX = 64,
	FAKE_KEY_MAX = 1024,
	FAKE_META_MAX = 2048,
	FAKE_PAGE_MAX = 1000,
	FAKE_PART_MIN = 5 << 20,
	FAKE_PARTS_MAX = 10000,
	FAKE_PARTS_PAGE = 2,
	FAKE_BODY_MAX = 512 << 20,
	FAKE_RULES_MAX = 32,
	FAKE_KEYS_MAX = 8,
	FAKE_DENIED_MAX = 8,
	FAKE_CUSTOMER_MAX = 32,
};

/* ---- what is stored (fake_s3_store.c) ---- */

struct fake_blob {
	unsigned int users;
	size_t size;
	unsigned char data[];
};

/* Headers an object was put with and is given back with. */
struct fake_kept {
	char *lines;			  /* "name: value\r\n"..., or NULL */
	char customer[FAKE_CUSTOMER_MAX]; /* MD5 of his key, "" for none */
	char sha256[64];		  /* base64, "" for none */
	char crc32c[16];
};

struct fake_object {
	char *key;
	char etag[80]; /* without quotes */
	time_t modified;
	struct fake_blob *blob;
	struct fake_kept kept;
};

struct fake_part {
	unsigned int number; /* 0: not there */
	unsigned char md5[16];
	char etag[40];
	char crc32c[16];
	char sha256[64];
	struct fake_blob *blob;
};

struct fake_upload {
	struct fake_upload *next;
	char id[40];
	char *bucket;
	char *key;
	time_t begun;
	struct fake_kept kept;
	char algorithm[16];	 /* of the parts' checksums, "" for none */
	struct fake_part *parts; /* by number - 1 */
	size_t room;
};

struct fake_bucket {
	struct fake_bucket *next;
	char name[64];
	struct fake_object **objects; /* sorted by key, byte by byte */
	size_t count;
	size_t room;
	size_t simulated; /* instead of objects */
	bool public;	  /* anybody may read */
	bool payer;	  /* who asks has to say that he pays */
};

/* ---- the server ---- */

struct fake_rule {
	enum fake_kind kind;
	char verb[16];
	char target[512];
	uint64_t skip;
	uint64_t count;
	uint64_t seen;
	uint64_t hits;
	int status;
	char code[64];
	uint64_t at;
};

struct fake_key {
	char access[64];
	char secret[64];
	char token[128]; /* "" for none */
	bool expired;
};

/* Of a connection. */
struct fake_slot {
	int fd; /* -1: none, or it has ended */
	pthread_t thread;
	bool to_join; /* also when it has ended */
};

struct fake_s3 {
	int listener;
	int port;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	/* All below are protected by `lock`: */
	struct fake_slot *slots;
	struct fake_bucket *buckets;
	struct fake_upload *uploads;
	uint64_t serial; /* of uploads and requests */
	struct fake_rule rules[FAKE_RULES_MAX];
	size_t rule_count;
	struct fake_key keys[FAKE_KEYS_MAX];
	size_t key_count;
	char denied[FAKE_DENIED_MAX][256];
	size_t denied_count;
	char region[32];
	int64_t ahead; /* seconds */
	uint64_t requests;
	uint64_t refused;
};

struct fake_field {
	char *name; /* of a header in lower case */
	char *value;
};

struct fake_fields {
	struct fake_field list[FAKE_FIELDS_MAX];
	size_t count;
};

/* One request; the handler answers it once, under the lock. */
struct fake_request {
	struct fake_s3 *fake;
	int fd;
	char method[16];
	char *target; /* as sent */
	char *path;   /* of that, decoded */
	char *bucket;
	char *key; /* NULL: the bucket itself */
	struct fake_fields headers;
	struct fake_fields query; /* decoded */
	struct fake_blob *body;	  /* NULL: not read */
	unsigned char md5[16];
	unsigned char sha256[32];
	char crc32c_text[16]; /* as sent and verified, base64; "" for none */
	char sha256_text[64];
	struct fake_rule rule; /* that hits it */
	bool keeps;	       /* the connection, afterwards */
	struct buf out;	       /* further headers of the answer */
	struct buf reply;      /* what is sent, without the lock */
};

/* NULL when it is not there. */
const char *fake_header(const struct fake_request *request, const char *name);
const char *fake_query(const struct fake_request *request, const char *name);
/* Is it this kind of rule that hits? */
bool fake_hit(const struct fake_request *request, enum fake_kind kind);
time_t fake_now(struct fake_s3 *fake);

/* ---- answers (fake_s3_answer.c) ---- */

void fake_answer(struct fake_request *request, int status, const void *body,
		 size_t length);
void fake_answer_xml(struct fake_request *request, const struct buf *body);
void fake_fail(struct fake_request *request, int status, const char *code,
	       const char *message);
void fake_add_header(struct fake_request *request, const char *format, ...)
	STORE_PRINTF(2, 3);
void fake_date(time_t when, char text[40]);  /* RFC 9110 */
void fake_stamp(time_t when, char text[40]); /* ISO 8601 */

/* ---- checks: false when they have answered ---- */

/* fake_s3_auth.c */
bool fake_check_signature(struct fake_request *request);
/* fake_s3_sums.c: sum up the body, without the lock; then compare. */
void fake_sum(struct fake_request *request);
bool fake_check_sums(struct fake_request *request);
void fake_md5(const void *data, size_t length, unsigned char md5[16]);
void fake_hex(const unsigned char *data, size_t length, char *hex);
uint32_t fake_crc32c(const void *data, size_t length);

/* fake_s3_sse.c */
bool fake_check_storage(struct fake_request *request);
/* The MD5 of the key that came, "": none; `prefix`: "x-amz-". */
bool fake_customer(struct fake_request *request, const char *prefix,
		   char md5[FAKE_CUSTOMER_MAX]);
bool fake_check_customer(struct fake_request *request, const char *prefix,
			 const char *of);
/* No check: what becomes of an MD5. */
void fake_hide_etag(const struct fake_kept *kept, char *etag);

/* Percent-encoding (fake_s3_name.c); `slash`: '/' stays. */
void fake_encode(struct buf *to, const char *text, bool slash);
/* In place; false for what is no encoding. */
bool fake_decode(char *text, bool plus);
/* A name in a listing, "url" or as XML. */
void fake_list_name(struct buf *to, const char *name, bool url);

/* ---- operations; called with the lock held ---- */

struct fake_bucket *fake_bucket_find(struct fake_s3 *fake, const char *name);
bool fake_bucket_make(struct fake_s3 *fake, const char *name, size_t simulated);
void fake_buckets_free(struct fake_s3 *fake);
/* The first object whose key is not below `key`; `after`: not `key` either. */
size_t fake_bucket_from(const struct fake_bucket *bucket, const char *key,
			bool after);
/* The key at an index; `room` is for simulated ones. */
const char *fake_bucket_key(const struct fake_bucket *bucket, size_t index,
			    char room[64]);
size_t fake_bucket_count(const struct fake_bucket *bucket);
struct fake_object *fake_object_find(const struct fake_bucket *bucket,
				     const char *key);
/* Takes the blob over and copies the rest; NULL when out of memory. */
struct fake_object *fake_object_put(struct fake_bucket *bucket, const char *key,
				    struct fake_blob *blob);
void fake_object_remove(struct fake_bucket *bucket, const char *key);
struct fake_blob *fake_blob_new(size_t size);
struct fake_blob *fake_blob_use(struct fake_blob *blob);
void fake_blob_drop(struct fake_blob *blob);
bool fake_kept_copy(struct fake_kept *to, const struct fake_kept *from);
void fake_kept_free(struct fake_kept *kept);

/* What the headers of a request say; false when it has answered. */
bool fake_kept_read(struct fake_request *request, struct fake_kept *kept);
/* Conditions of a change: false when it has answered. */
bool fake_check_change(struct fake_request *request,
		       const struct fake_object *object);
/* The object and range of x-amz-copy-source; NULL when it has answered. */
struct fake_object *fake_copy_source(struct fake_request *request,
				     struct fake_bucket **bucket);
/* "bytes=a-b" of so many bytes: 1, 0 without a range, -1 unsatisfiable. */
int fake_range(const char *text, size_t size, size_t *first, size_t *length);

void fake_object_get(struct fake_request *request, struct fake_bucket *bucket);
void fake_object_write(struct fake_request *request,
		       struct fake_bucket *bucket);
void fake_object_delete(struct fake_request *request,
			struct fake_bucket *bucket);
void fake_objects_delete(struct fake_request *request,
			 struct fake_bucket *bucket);
void fake_list(struct fake_request *request, struct fake_bucket *bucket);

/* fake_s3_parts.c; true: it was about uploads, and is answered */
bool fake_parts(struct fake_request *request, struct fake_bucket *bucket);
void fake_uploads_free(struct fake_s3 *fake);
void fake_uploads_show(const struct fake_s3 *fake, struct buf *out);

#endif
