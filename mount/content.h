/* SPDX-License-Identifier: MIT */
/*
 * The whole content of a file of the journal, as a publish would send it:
 * its layers over the base, of which the store is asked for what is not
 * staged.  Needs no mount; for one thread.
 */
#ifndef STOREFS_MOUNT_CONTENT_H
#define STOREFS_MOUNT_CONTENT_H

#include "mount/pending.h"
#include <storefs/store.h>

struct content;

enum content_flags {
	/*
	 * Whatever bytes are there, at their places, as they are: zeros where
	 * something is missing, and no question asked of the store.
	 */
	CONTENT_RAW = 1 << 0,
};

struct content_request {
	int dir_fd;
	const struct pending_file *file; /* borrowed until closed */
	struct store *store; /* of the base, NULL: there is none to ask */
	struct store_context *context;
	unsigned int flags;
};

/*
 * CORRUPT when bytes cannot be read back, CHANGED when the base version is
 * gone, INVALID when it is needed and there is no store.
 */
int content_open(const struct content_request *request,
		 struct content **content, struct store_error *error)
	STORE_WARN_UNUSED;
/* A file of the staging directory by its name, as it is. */
int content_open_file(int dir_fd, const char *name, struct content **content,
		      struct store_error *error) STORE_WARN_UNUSED;
/* NULL is fine. */
void content_close(struct content *content);

uint64_t content_size(const struct content *content);
/*
 * What stands at `offset`: *length is cut to what is of one kind; *zeros:
 * nothing but zeros.
 */
void content_piece(const struct content *content, uint64_t offset,
		   uint64_t *length, bool *zeros);
/* All of these bytes, which are inside the file. */
int content_read(struct content *content, struct store_context *context,
		 uint64_t offset, void *data, size_t length,
		 struct store_error *error) STORE_WARN_UNUSED;
/* For store_write(); valid as long as content and context. */
struct store_source *content_source(struct content *content,
				    struct store_context *context);

#endif
