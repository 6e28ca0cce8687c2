/* SPDX-License-Identifier: MIT */
/*
 * The nouns of a store: what a key names, its attributes, its version, user
 * metadata, pages of a listing, sources of bytes.
 *
 * Sizes and offsets are bytes.  Times are UTC.  Structs with an _init and a
 * _release own memory; all others are plain values.
 */
#ifndef STOREFS_TYPES_H
#define STOREFS_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <storefs/context.h>
#include <storefs/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Longest key in bytes, without the terminating NUL. */
#define STORE_KEY_MAX 4095
/* Longest component of a key, in bytes. */
#define STORE_NAME_MAX 255
/* Sum of names and values of user metadata, in bytes. */
#define STORE_METADATA_MAX 2048

enum store_type {
	STORE_TYPE_FILE = 1,
	STORE_TYPE_FOLDER,
	STORE_TYPE_SYMLINK,
	STORE_TYPE_FIFO,
	STORE_TYPE_SOCKET,
	STORE_TYPE_CHAR,
	STORE_TYPE_BLOCK,
};

/*
 * A version token: equal tokens of one key mean the same bytes.  Opaque text
 * without blanks; empty when the store gives none.  `weak` marks tokens made
 * of size and time only, which can miss a change.
 */
#define STORE_VERSION_MAX 80
struct store_version {
	bool weak;
	char token[STORE_VERSION_MAX];
};

bool store_version_equal(const struct store_version *a,
			 const struct store_version *b);

enum store_attribute {
	STORE_ATTR_MODE = 1 << 0,
	STORE_ATTR_UID = 1 << 1,
	STORE_ATTR_GID = 1 << 2,
	STORE_ATTR_MTIME = 1 << 3,
	STORE_ATTR_ATIME = 1 << 4,
};

/* POSIX attributes; `mask` says which members hold a value. */
struct store_attributes {
	uint32_t mask; /* enum store_attribute */
	uint32_t mode; /* permission bits only, 07777 */
	uint32_t uid;
	uint32_t gid;
	struct timespec mtime;
	struct timespec atime;
};

/* What a key names at one moment. */
struct store_info {
	enum store_type type;
	bool implicit;	    /* a folder that exists only by its children */
	uint32_t links;	    /* names of this node, at least 1 */
	uint64_t size;	    /* bytes; of a symlink its target's length */
	uint64_t allocated; /* bytes used in the store, 0 when unknown */
	uint64_t rdev;	    /* device number of CHAR and BLOCK, dev_t */
	/*
	 * `id` shows as st_ino and survives replacing and renaming; 0 when the
	 * store has no identity.  Two keys with the same nonzero `node` are
	 * hard links of one node (only meaningful when links > 1).
	 */
	uint64_t id;
	uint64_t node;
	struct store_attributes attributes; /* those the store keeps */
	struct timespec ctime; /* last change of anything; 0 when unknown */
	/*
	 * The same by the store's own clock, in whole seconds, as its listings
	 * tell it, too; 0 when unknown.  `settled`: no later change will have
	 * the same, so that all else stays while this and the version do.
	 */
	time_t stored;
	bool settled;
	struct store_version version;
};

/* User metadata: text pairs in the order given. */
struct store_metadata_pair {
	char *name;
	char *value;
};
struct store_metadata {
	size_t count;
	struct store_metadata_pair *pairs; /* owned */
};
void store_metadata_init(struct store_metadata *metadata);
void store_metadata_release(struct store_metadata *metadata);
/* Append a copy of the pair; only STORE_NO_MEMORY can fail it. */
int store_metadata_add(struct store_metadata *metadata, const char *name,
		       const char *value) STORE_WARN_UNUSED;
/* The value of a name, NULL when absent; borrowed. */
const char *store_metadata_get(const struct store_metadata *metadata,
			       const char *name);
/*
 * The rules of user metadata: names of printable ASCII, not empty, without a
 * leading '_', not twice; values UTF-8; STORE_METADATA_MAX bytes together.
 */
int store_metadata_check(const struct store_metadata *metadata,
			 struct store_error *error) STORE_WARN_UNUSED;

/*
 * An id that names one put (random bytes of the caller's), kept with the
 * version the put made where the store has STORE_CAP_PUBLISH_ID.  A caller
 * who has lost the answer to a put asks for the id of what is there: its own
 * says that the put arrived, another one or none that something else is
 * there, except that a store may leave it out where the other attributes of
 * a file leave no room, and cannot tell it of a file it may not read: so
 * what has none may be anybody's, and must not be replaced as if it were
 * known.
 *
 * It belongs to the bytes of its put.  Moving, linking, and setting
 * attributes of any kind through the store keep it.  Bytes that somebody has
 * changed since have none: the next put brings its own or leaves none, also
 * when it keeps all else, a copy has none, and where others can write in
 * place the store tells it only while version, size or time show that nobody
 * did.
 */
#define STORE_PUBLISH_SIZE 16

/* What else a store knows of a file.  All members may be NULL or empty. */
struct store_details {
	char *content_type;
	char *digest; /* "sha256:<lower-case hex>" */
	char *target; /* of a symlink */
	struct store_metadata metadata;
	bool has_publish;
	uint8_t publish[STORE_PUBLISH_SIZE]; /* zeros without one */
};
void store_details_init(struct store_details *details);
void store_details_release(struct store_details *details);

/* Extended attributes to set with a put; borrowed. */
struct store_xattr {
	const char *name; /* with its namespace: "user.x" */
	const void *value;
	size_t size;
};

/* One entry of a listing. */
struct store_entry {
	char *name; /* last component; in a recursive listing the whole key */
	struct store_info info;
	/*
	 * Did the listing tell everything of `info`?  Else only type, size,
	 * id and mtime count.
	 */
	bool complete;
};

/* One page of a listing; owns its entries. */
struct store_page {
	size_t count;
	struct store_entry *entries;
	char *next;  /* opaque cursor of the next page, NULL at the end */
	size_t room; /* private */
};
void store_page_init(struct store_page *page);
/* Empty it and free what it owns; usable again. */
void store_page_release(struct store_page *page);
/* Append an entry with a copy of the name; only STORE_NO_MEMORY can fail. */
int store_page_add(struct store_page *page, const char *name,
		   const struct store_info *info, bool complete)
	STORE_WARN_UNUSED;

/* A range of bytes: [offset, offset + length). */
struct store_range {
	uint64_t offset;
	uint64_t length;
};

/*
 * Bytes to be put: of known size, readable again from any offset, as retries
 * need it.  The provider embeds this struct; it must not change while a put
 * runs.  Calls come from one thread at a time.
 */
struct store_source {
	uint64_t size;
	/*
	 * Fill all of [offset, offset + length), which lies inside size.
	 * A failure fails the put with the same code.
	 */
	int (*read)(struct store_source *source, uint64_t offset, void *data,
		    size_t length, struct store_error *error);
	/*
	 * Optional: the first stretch at or after `offset` that is not a hole
	 * of zeros.  Fills *range; length 0 when only a hole is left.  NULL
	 * means that there are no holes.
	 */
	int (*next_data)(struct store_source *source, uint64_t offset,
			 struct store_range *range, struct store_error *error);
};

/* A source over memory; `data` is borrowed until the put returns. */
struct store_memory_source {
	struct store_source source;
	const unsigned char *data;
};
struct store_source *store_memory_source_init(struct store_memory_source *s,
					      const void *data, uint64_t size);
/* A source over [0, size) of a descriptor, read with pread; borrowed. */
struct store_fd_source {
	struct store_source source;
	int fd;
};
struct store_source *store_fd_source_init(struct store_fd_source *s, int fd,
					  uint64_t size);

/* What must hold for a put, remove, move or copy to go ahead. */
enum store_condition {
	STORE_IF_ANY = 0, /* whatever is there */
	STORE_IF_ABSENT,  /* nothing is there, else STORE_EXISTS */
	STORE_IF_VERSION, /* exactly this version, else STORE_CHANGED */
};
struct store_precondition {
	enum store_condition condition;
	struct store_version version; /* with STORE_IF_VERSION */
};

/* Figures of a whole store; 0 where unknown. */
struct store_usage {
	uint64_t total;	    /* bytes */
	uint64_t free;	    /* bytes free */
	uint64_t available; /* bytes free for an ordinary user */
	uint64_t nodes;
	uint64_t nodes_free;
};

/* Totals of a folder. */
struct store_totals {
	uint64_t files;
	uint64_t folders;
	uint64_t bytes;
	struct timespec newest; /* latest mtime of a file, 0 when none */
};

enum store_capability {
	STORE_CAP_READ = 1 << 0,
	STORE_CAP_WRITE = 1 << 1,
	STORE_CAP_DELETE = 1 << 2,
	STORE_CAP_LIST = 1 << 3,
	STORE_CAP_GLOB = 1 << 4, /* natively */
	STORE_CAP_MOVE = 1 << 5,
	STORE_CAP_COPY = 1 << 6, /* without the bytes passing here */
	STORE_CAP_ATOMIC_WRITE = 1 << 7,
	STORE_CAP_METADATA = 1 << 8, /* stat */
	STORE_CAP_USER_METADATA = 1 << 9,
	STORE_CAP_ATOMIC_MOVE = 1 << 10,
	STORE_CAP_SEEKABLE_READ = 1 << 11, /* a range costs a range */
	STORE_CAP_LAZY_READ = 1 << 12,	   /* reads need not fetch the whole */
	STORE_CAP_WRITE_RESULT = 1 << 13,  /* puts tell version and time */
	STORE_CAP_CONDITIONAL = 1 << 14,   /* preconditions are atomic */
	STORE_CAP_COMPOSE = 1 << 15,	   /* puts can keep ranges */
	STORE_CAP_PINNED_READ = 1 << 16,   /* readers survive unlink, replace */
	STORE_CAP_FOLDERS = 1 << 17,	   /* empty folders are kept */
	STORE_CAP_MOVE_FOLDER = 1 << 18,   /* atomically */
	STORE_CAP_EXCHANGE = 1 << 19,	   /* two names swap atomically */
	STORE_CAP_POSIX = 1 << 20,	   /* mode, owner, times are kept */
	STORE_CAP_LINKS = 1 << 21,	   /* hard links */
	STORE_CAP_SYMLINKS = 1 << 22,
	STORE_CAP_NODES = 1 << 23, /* fifo, socket, devices */
	STORE_CAP_XATTR = 1 << 24,
	STORE_CAP_USAGE = 1 << 25,	/* real figures for statfs */
	STORE_CAP_SPARSE = 1 << 26,	/* holes stay holes */
	STORE_CAP_PUBLISH_ID = 1 << 27, /* keeps the id of a put */
	STORE_CAP_NEAR = 1 << 28,	/* reads cost no request elsewhere */
	/*
	 * Empty folders can be made and stay, others are there by what is
	 * below them; nothing keeps `a` and `a/b` from both being files.
	 */
	STORE_CAP_MARKERS = 1 << 29,
	STORE_CAP_RESUME = 1 << 30, /* puts go on after an interruption */
};

/* "ATOMIC_WRITE" and friends, for one bit; NULL for an unknown one. */
const char *store_capability_name(uint64_t bit);
/* "file", "folder", ...; NULL for an unknown one. */
const char *store_type_name(enum store_type type);

#ifdef __cplusplus
}
#endif
#endif
