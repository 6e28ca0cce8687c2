/* SPDX-License-Identifier: MIT */
/*
 * Reading one version of a file.
 *
 * A reader holds its own descriptor, so a file that is removed or replaced
 * stays readable.  One that is written in place (by other programs, or by a
 * put to a file with several links) is CHANGED from then on: every read
 * looks at size and mtime behind it.  Changes of attributes do not matter;
 * an mtime that was set through this instance is taken over.
 */
#ifndef STOREFS_BACKENDS_LOCAL_READER_H
#define STOREFS_BACKENDS_LOCAL_READER_H

#include "backends/local/node.h"

/* The mtime of a file was set: its readers pin the new one. */
void local_readers_follow_locked(struct local *self,
				 const struct local_stat *before,
				 const struct local_stat *after)
	REQUIRES(self->lock);
/* A file is written in place: its readers are CHANGED. */
void local_readers_break(struct local *self, const struct local_stat *st);

/*
 * Open a regular file for reading: a folder is IS_DIR, another node INVALID.
 */
int local_open_file(struct local *self, const char *key, int *fd,
		    struct local_stat *st, struct store_error *error)
	STORE_WARN_UNUSED;

/* Slots of the table. */
int local_open_reader(void *self, struct store_context *context,
		      const char *key, const struct store_version *pin,
		      void **reader, struct store_info *info,
		      struct store_error *error) STORE_WARN_UNUSED;
int local_read(void *self, struct store_context *context, void *reader,
	       uint64_t offset, void *data, size_t length, size_t *got,
	       struct store_error *error) STORE_WARN_UNUSED;
void local_close_reader(void *self, void *reader);
int local_reader_data(void *self, void *reader, uint64_t offset,
		      struct store_range *range, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
