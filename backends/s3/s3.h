/* SPDX-License-Identifier: MIT */
/*
 * What the files of the S3 store share: the instance, one request, what is
 * known of an object, and the steps the operations are made of.
 */
#ifndef STOREFS_BACKENDS_S3_H
#define STOREFS_BACKENDS_S3_H

#include <stdatomic.h>

#include "backends/http/http.h"
#include "backends/s3/credentials.h"
#include "src/backend.h"
#include "src/base/buf.h"
#include "src/base/cleanup.h"
#include "src/base/crypto.h"
#include "src/base/sync.h"
#include <storefs/store.h>

/* https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
#define S3_PART_MIN (UINT64_C(5) << 20)
#define S3_PART_MAX (UINT64_C(5) << 30)
#define S3_SIZE_MAX (UINT64_C(5) << 40)
#define S3_PARTS_MAX 10000
#define S3_KEY_MAX 1024
#define S3_PAGE_MAX 1000
/* Objects to try a server out begin so; one that was left is not shown. */
#define S3_PROBE ".storefs-probe-"
#define S3_METADATA_MAX 2048
/* Of them for mode, owner, times, and the id of a put: surely enough. */
#define S3_METADATA_OURS 256

enum s3_style { S3_STYLE_AUTO, S3_STYLE_PATH, S3_STYLE_VIRTUAL };
enum s3_checksum {
	S3_CHECKSUM_AUTO,
	S3_CHECKSUM_MD5,
	S3_CHECKSUM_CRC32C,
	S3_CHECKSUM_SHA256,
	S3_CHECKSUM_NONE,
};

/* What becomes of conditions on a server; bits. */
enum s3_honoured {
	S3_KNOWN = 1 << 0, /* else nothing is known yet */
	S3_PUT_ABSENT = 1 << 1,
	S3_PUT_MATCH = 1 << 2,
	S3_COMPLETE_ABSENT = 1 << 3,
	S3_COMPLETE_MATCH = 1 << 4,
	S3_DELETE_MATCH = 1 << 5,
	S3_COPY_ABSENT = 1 << 6,
	S3_COPY_MATCH = 1 << 7,
	S3_BARE_ETAG = 1 << 8, /* If-Match only holds without the quotes */
	S3_ALL_CONDITIONS = S3_PUT_ABSENT | S3_PUT_MATCH | S3_COMPLETE_ABSENT |
			    S3_COMPLETE_MATCH | S3_DELETE_MATCH |
			    S3_COPY_ABSENT | S3_COPY_MATCH,
};
enum s3_conditions {
	S3_CONDITIONS_AUTO,
	S3_CONDITIONS_PROBE,
	S3_CONDITIONS_YES,
	S3_CONDITIONS_NO,
};

struct s3_settings {
	char *bucket;
	char *root;	/* "" or a folder with its '/' behind */
	char *endpoint; /* "scheme://host[:port]"; NULL: AWS */
	char *region;	/* NULL: as profile and environment say */
	enum s3_style style;
	enum s3_checksum checksum;
	enum s3_conditions conditions;
	bool requester_pays;
	char *storage_class;
	char *sse;	    /* x-amz-server-side-encryption */
	char *sse_kms_key;  /* its id */
	char *sse_customer; /* base64 of the key; a secret */
	char *sse_customer_md5;
	uint64_t part_size;
	uint64_t single_max; /* larger files go in parts */
	int64_t stale_ns;  /* abort uploads older than that at open; 0: none */
	uint64_t copy_max; /* larger ones are copied in parts */
};

struct s3 {
	/* Immutable after configure: */
	struct s3_settings settings;
	struct http_settings http; /* texts owned */
	struct s3_credentials *credentials;
	/* Since open: */
	struct http_engine *engine;
	atomic_int_fast64_t skew; /* seconds the server is ahead */
	atomic_uint honoured;	  /* enum s3_honoured */
	atomic_uint guesses;	  /* conditional changes before probing */
	atomic_uint probes;	  /* that the server failed */
	atomic_size_t heads;	  /* bytes that came with opening */

	struct lock lock;
	char *region; /* protected by `lock`; as the server told */
};

/* ---- one request (call.c) ---- */

struct s3_query {
	const char *name;
	char *value; /* encoded; owned */
};

struct s3_call {
	const char *method;
	const char *object; /* native key, NULL: the bucket itself */
	bool idempotent;
	bool unseen; /* as in http_request */
	bool once;
	const struct http_body *body;
	/* Instead of what the settings say; AUTO: as they say. */
	enum s3_checksum checksum;
	bool wants_md5;		      /* whatever else sums it */
	char payload[DIGEST_HEX_MAX]; /* of the body, "": not computed */
	void *data;		      /* as in http_request */
	size_t room;
	size_t body_max;
	/* Private: */
	struct s3_query query[8];
	size_t query_count;
	char **headers; /* "name: value", owned */
	size_t header_count;
	bool failed; /* out of memory, or a value no header can hold */
	struct buf url;
	struct http_exchange exchange;
	bool renewed; /* tried again for the sake of other keys */
	bool doubts;  /* ... if there are any */
	int code;
	struct store_error error;
};

void s3_call_init(struct s3_call *call, const char *method, const char *object);
void s3_call_release(struct s3_call *call);
void s3_call_query(struct s3_call *call, const char *name, const char *value);
/* `name` in lower case. */
void s3_call_header(struct s3_call *call, const char *name, const char *format,
		    ...) STORE_PRINTF(3, 4);
/* Headers every upload of bytes needs: encryption by a key of the user. */
void s3_call_customer_key(const struct s3 *s3, struct s3_call *call,
			  const char *prefix);
/*
 * Send one request, or several beside each other, and read what came back:
 * a status or an error document becomes a code.  Each call has its own code
 * and error; s3_send_all() gives the first failure.
 */
int s3_send(struct s3 *s3, struct store_context *context, struct s3_call *call,
	    struct store_error *error) STORE_WARN_UNUSED;
void s3_send_all(struct s3 *s3, struct store_context *context,
		 struct s3_call *const calls[], size_t count);
/*
 * As s3_send(), for steps of an upload, which is not to begin anew for one of
 * them: sent again, after pauses, while the server says that it has no time
 * or has got other bytes.
 */
int s3_send_patiently(struct s3 *s3, struct store_context *context,
		      struct s3_call *call, struct store_error *error)
	STORE_WARN_UNUSED;
/* No answer came, or that something went wrong: it may have been done. */
bool s3_is_unknown(int code, const struct store_error *error);
const char *s3_call_answer(const struct s3_call *call, const char *header);
int s3_call_status(const struct s3_call *call);

/* ---- errors (error.c) ---- */

struct s3_failure {
	char code[64];
	char message[256];
	char region[64];
};
/* Does this answer tell of a failure, whatever its status? */
bool s3_failure_read(const struct s3_call *call, struct s3_failure *failure);
/* Set the call's error for it. */
int s3_failure_code(const struct s3_call *call,
		    const struct s3_failure *failure, struct store_error *error)
	STORE_WARN_UNUSED;

/* Take a member of an error document; others than these are left. */
void s3_failure_member(struct s3_failure *failure, const char *member,
		       const char *text);
/* The error of one key among many. */
int s3_failure_named(const struct s3_failure *failure,
		     struct store_error *error) STORE_WARN_UNUSED;

/* ---- names (key.c) ---- */

/*
 * The name of an object for a key; `folder` puts a '/' behind it.  INVALID
 * for what is no UTF-8 or too long.  "" for the root as a folder without one.
 */
int s3_object_name(const struct s3 *s3, const char *key, bool folder,
		   char **object, struct store_error *error) STORE_WARN_UNUSED;

/* A longer body is no symlink's target: PATH_MAX, with its NUL. */
#define S3_TARGET_MAX 4095
/* Those of s3fs, as all its metadata. */
#define S3_XATTR_HEADER "x-amz-meta-xattr"

/* ---- what is known of an object (meta.c) ---- */

struct s3_object {
	struct store_info info;
	struct http_response headers; /* as they came; owned */
};
void s3_object_release(struct s3_object *object);
/* Take the answer of a HEAD or GET over. */
int s3_object_take(struct s3_object *object, struct s3_call *call, bool folder,
		   struct store_error *error) STORE_WARN_UNUSED;
int s3_object_details(const struct s3_object *object,
		      struct store_details *details, struct store_error *error)
	STORE_WARN_UNUSED;
/* Was it put with this id? */
bool s3_object_is_of(const struct s3_object *object,
		     const uint8_t publish[STORE_PUBLISH_SIZE]);
/* An ETag without its quotes. */
int s3_version_of_etag(const char *etag, struct store_version *version,
		       struct store_error *error) STORE_WARN_UNUSED;

/* Headers of a new version. */
struct s3_meta {
	enum store_type type; /* FILE, FOLDER or SYMLINK */
	const struct s3_object
		*from; /* carry over what is not named; or NULL */
	const struct store_attributes *attributes; /* or NULL */
	const struct store_metadata *metadata;	   /* NULL: as `from` */
	const char *content_type;		   /* NULL: as `from` */
	const uint8_t *publish;			   /* NULL: none, or ... */
	bool keep_publish;			   /* ... that of `from` */
	bool keep_mtime;  /* that of `from`, unless attributes has one */
	bool copies;	  /* its bytes are those of `from` */
	const char *tags; /* as x-amz-tagging has them; or NULL */
	/*
	 * Set over those of `from`, or one taken from them; flags as in
	 * setxattr(2).
	 */
	const struct store_xattr *xattrs;
	size_t xattr_count;
	int xattr_flags;
	const char *xattr_removed; /* NULL: none */
};
#define S3_PUBLISH "x-amz-meta-storefs-publish"
/* Add them, and fill info->attributes and ->ctime with what they say. */
int s3_meta_add(const struct s3 *s3, struct s3_call *call,
		const struct s3_meta *meta, struct store_info *info,
		struct store_error *error) STORE_WARN_UNUSED;

/*
 * The tags of an object that HEAD or GET told of, as x-amz-tagging has them:
 * a copy in parts does not take them along by itself.  NULL: it has none, or
 * the server does not tell (tags.c).  malloc'd.
 */
int s3_tags_read(struct s3 *s3, struct store_context *context, const char *name,
		 const struct s3_object *object, char **tags,
		 struct store_error *error) STORE_WARN_UNUSED;

/* ---- extended attributes (xattr.c) ---- */

/*
 * Add the header of those of `meta`: EXISTS, NOT_FOUND with ENODATA as its
 * flags say.  Nothing when it names none.
 */
int s3_xattrs_add(struct s3_call *call, const struct s3_meta *meta,
		  struct store_error *error) STORE_WARN_UNUSED;

/* ---- steps ---- */

/* HEAD an object by its native name (stat.c). */
int s3_head(struct s3 *s3, struct store_context *context, const char *object,
	    const struct store_version *pin, struct s3_object *found,
	    struct store_error *error) STORE_WARN_UNUSED;
/* HEAD a file: IS_DIR when there is only a folder. */
int s3_head_file(struct s3 *s3, struct store_context *context, const char *key,
		 struct s3_object *found, struct store_error *error)
	STORE_WARN_UNUSED;
/* What a key names, a folder, too; a file's headers come along (stat.c). */
int s3_find(struct s3 *s3, struct store_context *context, const char *key,
	    struct s3_object *found, struct store_error *error)
	STORE_WARN_UNUSED;
/* Are the names in this answer encoded, as they were asked for? */
bool s3_names_are_encoded(const struct s3_call *call);
/* A name of a listing (list.c); malloc'd. */
int s3_name_decode(const char *text, bool encoded, char **name,
		   struct store_error *error) STORE_WARN_UNUSED;
/* What is below a folder; `marker`: its own object is there (list.c). */
struct s3_below {
	bool marker;
	bool others;
};
void s3_below_ask(struct s3_call *call, const char *folder);
int s3_below_read(const struct s3_call *call, const char *folder,
		  struct s3_below *below, struct store_error *error)
	STORE_WARN_UNUSED;
int s3_below(struct s3 *s3, struct store_context *context, const char *key,
	     struct s3_below *below, struct store_error *error)
	STORE_WARN_UNUSED;

/* Bits of enum s3_honoured; asks the server when it is time to. */
int s3_honoured(struct s3 *s3, struct store_context *context,
		unsigned int *honoured, struct store_error *error)
	STORE_WARN_UNUSED;
/* Ask now (conditions.c). */
int s3_probe(struct s3 *s3, struct store_context *context,
	     struct store_error *error) STORE_WARN_UNUSED;
/*
 * Check just before what the server will not check; EXISTS, CHANGED,
 * NOT_FOUND.  `found` is what a HEAD told, NULL when nothing is there.
 */
int s3_precondition(const struct store_precondition *precondition,
		    const struct s3_object *found, struct store_error *error)
	STORE_WARN_UNUSED;
/* The headers of a condition, as far as the server honours them. */
void s3_condition_add(struct s3_call *call,
		      const struct store_precondition *precondition,
		      unsigned int honoured, unsigned int absent,
		      unsigned int match);

/*
 * A condition on a version that was made of parts did not hold: is it there
 * all the same?  Swift compares the ETags of such objects for a GET only.
 */
bool s3_is_mistaken(struct s3 *s3, struct store_context *context,
		    const char *object, const struct store_version *version);
/*
 * DELETE; CHANGED, where the server honours a condition, or when the answer
 * was lost and another version is there afterwards (remove.c).
 */
struct s3_removal {
	const char *object;
	struct store_precondition precondition;
	const struct store_info *seen; /* what is there; NULL: any like it */
};
int s3_remove_object(struct s3 *s3, struct store_context *context,
		     const struct s3_removal *removal,
		     struct store_error *error) STORE_WARN_UNUSED;

/* ---- bodies (body.c) ---- */

struct s3_body {
	struct http_body body; /* first member */
	struct store_source *source;
	uint64_t offset; /* of the source */
};
void s3_body_init(struct s3_body *body, struct store_source *source,
		  uint64_t offset, uint64_t size);
/* A body of text in memory. */
struct s3_text_body {
	struct http_body body; /* first member */
	const char *text;
};
void s3_text_body_init(struct s3_text_body *body, const char *text);
/*
 * Make it the body of the call, with the checksums the server is to verify:
 * reads all of it once.
 */
int s3_body_attach(struct s3 *s3, struct s3_call *call,
		   const struct http_body *body, struct store_error *error)
	STORE_WARN_UNUSED;

/* The kind of checksum for this call: never AUTO. */
enum s3_checksum s3_checksum_of(const struct s3 *s3,
				const struct s3_call *call);

/* ---- parts (multipart.c) ---- */

/* What the server has of one part. */
struct s3_stored {
	bool there;
	uint64_t size;
	char etag[STORE_VERSION_MAX];
	char crc32c[16]; /* base64, "": not told */
	char sha256[64];
};

/* Has it these bytes?  By the best of the sums it tells; false with none. */
int s3_body_is(const struct http_body *body, const struct s3_stored *stored,
	       bool *same, struct store_error *error) STORE_WARN_UNUSED;

struct s3_upload {
	struct s3 *s3;
	struct store_context *context;
	const char *object; /* borrowed */
	/*
	 * Some parts are copied: the server would want their checksums from
	 * us, so none but Content-MD5 is used.
	 */
	bool copies;
	/*
	 * What is copied from, when the server cannot compare its version:
	 * looked at before the end.  Borrowed; NULL: each copy compares.
	 */
	const char *unpinned;
	struct store_version pin;
	char *id;
	/* Parts by number - 1; owned. */
	struct s3_stored *parts;
	size_t room;
	unsigned int count; /* of those that make up the file, so far */
	/* The completion may have been heard although no answer came. */
	bool uncertain;
	/* Of one that goes on after the call (resume.c); NULL: it does not. */
	struct store_resume *resume;
	uint64_t part_size;
	/*
	 * It was begun before the end was known: parts grow with their number,
	 * and what is said of the file is set once it is complete.
	 */
	bool open;
	bool fresh; /* begun by this call: the server has no part of it */
	/* It has ended, perhaps by being completed: there is no such upload. */
	bool gone;
};
/* One part to be sent, or to be copied from an object in a version. */
struct s3_part {
	unsigned int number; /* from 1 */
	struct store_range range;
	const char *from; /* NULL: sent */
	const struct store_version *version;
};
/*
 * The request that begins it, with all that is fixed then; fills info as
 * s3_meta_add().  To be released, also when it fails.
 */
int s3_upload_prepare(const struct s3_upload *upload, struct s3_call *call,
		      const struct s3_meta *meta, struct store_info *info,
		      struct store_error *error) STORE_WARN_UNUSED;
/* Begin with the headers of `meta`; fills info as s3_upload_prepare(). */
int s3_upload_begin(struct s3_upload *upload, const struct s3_meta *meta,
		    struct store_info *info, struct store_error *error)
	STORE_WARN_UNUSED;
/* One part; *gone: there is no such upload.  Nothing of `upload` changes. */
int s3_upload_part(const struct s3_upload *upload, struct store_source *source,
		   const struct s3_part *part, struct s3_stored *stored,
		   bool *gone, struct store_error *error) STORE_WARN_UNUSED;
/* The server has this part; false: no memory, or no such part. */
bool s3_upload_note(struct s3_upload *upload, unsigned int number,
		    const struct s3_stored *part) STORE_WARN_UNUSED;
/*
 * The id of a put while its object says of the file what was known when the
 * upload was begun: that of no put, and of one generation (stamp.c).
 */
void s3_publish_early(const uint8_t publish[STORE_PUBLISH_SIZE],
		      uint8_t early[STORE_PUBLISH_SIZE]);
bool s3_object_is_early(const struct s3_object *object,
			const uint8_t publish[STORE_PUBLISH_SIZE]);
/* Make such an object, of which `info` tells, what `meta` says. */
int s3_stamp(struct s3 *s3, struct store_context *context, const char *object,
	     const struct s3_meta *meta, struct store_info *info,
	     struct store_error *error) STORE_WARN_UNUSED;
/* Does the token lead to an upload that was begun before the end was known? */
bool s3_resume_is_open(const struct store_resume *resume);
/* The next part; false: there is none.  Called by one thread at a time. */
typedef bool s3_next_part_fn(void *arg, struct s3_part *part);
/*
 * Send all parts that the server has not, HTTP_AT_ONCE at a time; `count` or
 * less of them.  The ranges are those of `source` (beside.c).
 */
int s3_upload_beside(struct s3_upload *upload, struct store_source *source,
		     size_t count, s3_next_part_fn *next, void *arg,
		     struct store_error *error) STORE_WARN_UNUSED;
/* The same of an array. */
int s3_upload_parts(struct s3_upload *upload, struct store_source *source,
		    const struct s3_part *parts, size_t count,
		    struct store_error *error) STORE_WARN_UNUSED;
/* Room for what is known of a part; NULL: no memory, or no such part. */
struct s3_stored *s3_upload_stored(struct s3_upload *upload,
				   unsigned int number);
/* The text of one element of an answer, by its path; malloc'd. */
int s3_call_text(const struct s3_call *call, const char *path, char **text,
		 struct store_error *error) STORE_WARN_UNUSED;
/* Fills info->version. */
int s3_upload_complete(struct s3_upload *upload,
		       const struct store_precondition *precondition,
		       unsigned int honoured, struct store_info *info,
		       struct store_error *error) STORE_WARN_UNUSED;
/* One that is not there is as good as removed. */
int s3_upload_drop(struct s3_upload *upload, struct store_error *error)
	STORE_WARN_UNUSED;
/* The same behind a failure, in time of its own; the upload is over. */
void s3_upload_abort(struct s3_upload *upload);
void s3_upload_release(struct s3_upload *upload);
/* Size of each part so that no more than S3_PARTS_MAX are needed. */
uint64_t s3_part_size(const struct s3 *s3, uint64_t size);
/* That of one part; the last one may be smaller. */
uint64_t s3_upload_part_size(const struct s3_upload *upload,
			     unsigned int number);

/* ---- uploads that go on after an interruption (resume.c) ---- */

/*
 * As s3_upload_begin(), but with upload->resume: what its token leads to goes
 * on if it is of this request, with upload->parts as the server has them; else
 * it is aborted, and another begun; or it is `gone`, and the next call begins.
 * `plan`: what the parts are made of besides the headers.
 */
struct s3_plan {
	bool open;   /* more will come: begin one without a size */
	bool onward; /* what the server has of it is not asked for */
	uint64_t size;
	const struct store_precondition *precondition;
	const struct store_range *keep;
	size_t keep_count;
};
int s3_upload_resume(struct s3_upload *upload, const struct s3_meta *meta,
		     const struct s3_plan *plan, struct store_info *info,
		     struct store_error *error) STORE_WARN_UNUSED;
/*
 * Send the parts of a range that are whole, into what `resume` leads to or a new
 * upload without a size; see store_send_ahead() (ahead.c).
 */
int s3_upload_ahead(struct s3_upload *upload, const struct s3_meta *meta,
		    struct store_source *source, struct store_range *range,
		    struct store_error *error) STORE_WARN_UNUSED;
/* Has the server this part already, with these bytes? */
int s3_upload_has(struct s3_upload *upload, struct store_source *source,
		  const struct s3_part *part, bool *has,
		  struct store_error *error) STORE_WARN_UNUSED;
int s3_put_ahead(void *self, struct store_context *context,
		 const struct backend_put_request *request,
		 struct store_range *range, struct store_error *error);
int s3_drop_upload(void *self, struct store_context *context, const char *key,
		   const char *token, struct store_error *error);

/* Copy an object with new headers, in one request or in parts (copy.c). */
struct s3_copy {
	const char *from; /* native names */
	const char *to;
	const struct s3_object *source; /* as a HEAD told */
	struct s3_meta meta;
	struct store_precondition precondition; /* of `to` */
	unsigned int honoured;
};
int s3_copy_object(struct s3 *s3, struct store_context *context,
		   const struct s3_copy *copy, struct store_info *info,
		   struct store_error *error) STORE_WARN_UNUSED;

/*
 * Abort uploads of this object that were begun at `since` (seconds since 1970,
 * the server's clock) or later and have no part (orphan.c).
 */
int s3_abort_empty(struct s3 *s3, struct store_context *context,
		   const char *object, int64_t since, struct store_error *error)
	STORE_WARN_UNUSED;
/* Abort uploads that are too old to be in use (orphan.c). */
int s3_abort_stale(struct s3 *s3, struct store_context *context,
		   struct store_error *error) STORE_WARN_UNUSED;
/* A reader of a version that is known (read.c). */
int s3_open_object(const char *object, const struct store_version *version,
		   uint64_t size, void **reader, struct store_error *error)
	STORE_WARN_UNUSED;

/* ---- the table ---- */

int s3_ping(void *self, struct store_context *context,
	    struct store_error *error);
int s3_stat(void *self, struct store_context *context, const char *key,
	    struct store_info *info, struct store_details *details,
	    struct store_error *error);
int s3_stat_listed(void *self, struct store_context *context, const char *key,
		   enum store_type listed, struct store_info *info,
		   struct store_details *details, struct store_error *error)
	STORE_WARN_UNUSED;
int s3_list(void *self, struct store_context *context,
	    const struct backend_list_request *request, struct store_page *page,
	    struct store_error *error);
int s3_open_reader(void *self, struct store_context *context, const char *key,
		   const struct store_version *pin, void **reader,
		   struct store_info *info, struct store_error *error);
int s3_open_small(void *self, struct store_context *context, const char *key,
		  const struct store_version *pin, size_t expected,
		  void **reader, struct store_info *info,
		  struct store_error *error) STORE_WARN_UNUSED;
int s3_read(void *self, struct store_context *context, void *reader,
	    uint64_t offset, void *data, size_t length, size_t *got,
	    struct store_error *error);
void s3_close_reader(void *self, void *reader);
int s3_put(void *self, struct store_context *context,
	   const struct backend_put_request *request, struct store_info *info,
	   struct store_error *error);
/* A put of what is not a plain file, but has bytes as one. */
int s3_put_typed(struct s3 *s3, struct store_context *context,
		 const struct backend_put_request *request,
		 enum store_type type, struct store_info *info,
		 struct store_error *error) STORE_WARN_UNUSED;
int s3_make_node(void *self, struct store_context *context,
		 const struct backend_node_request *request,
		 struct store_info *info, struct store_error *error);
int s3_remove(void *self, struct store_context *context, const char *key,
	      const struct store_precondition *precondition,
	      struct store_error *error);
int s3_remove_many(void *self, struct store_context *context,
		   const char *folder, const struct backend_removals *removals,
		   struct store_error *error);
int s3_make_dir(void *self, struct store_context *context, const char *key,
		const struct store_attributes *attributes,
		struct store_info *info, struct store_error *error);
int s3_make_missing_dir(void *self, struct store_context *context,
			const char *key,
			const struct store_attributes *attributes,
			struct store_info *info, struct store_error *error);
int s3_remove_dir(void *self, struct store_context *context, const char *key,
		  struct store_error *error);
int s3_move(void *self, struct store_context *context,
	    const struct backend_move_request *request, struct store_info *info,
	    struct store_error *error);
int s3_copy_file(void *self, struct store_context *context,
		 const struct backend_move_request *request,
		 struct store_info *info, struct store_error *error);
int s3_set_attributes(void *self, struct store_context *context,
		      const char *key,
		      const struct store_attributes *attributes,
		      struct store_info *info, struct store_error *error);
/* The same of all that headers hold: what `change` names is set (copy.c). */
int s3_change(struct s3 *s3, struct store_context *context, const char *key,
	      const struct s3_meta *change, struct store_info *info,
	      struct store_error *error) STORE_WARN_UNUSED;
int s3_get_xattr(void *self, struct store_context *context, const char *key,
		 const char *name, void **value, size_t *size,
		 struct store_error *error);
int s3_list_xattrs(void *self, struct store_context *context, const char *key,
		   char **names, size_t *size, struct store_error *error);
int s3_set_xattr(void *self, struct store_context *context, const char *key,
		 const struct store_xattr *xattr, int xattr_flags,
		 struct store_error *error);
int s3_check_xattrs(void *self, const struct store_xattr *xattrs, size_t count,
		    struct store_error *error);
int s3_remove_xattr(void *self, struct store_context *context, const char *key,
		    const char *name, struct store_error *error);

#endif
