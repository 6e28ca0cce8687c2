/* SPDX-License-Identifier: MIT */
/*
 * The operations of the table in sqlite.c, by file.  Contracts: see
 * src/backend.h.  `self` is a struct sqlite_database.
 */
#ifndef STOREFS_SQLITE_OPERATIONS_H
#define STOREFS_SQLITE_OPERATIONS_H

#include "src/backend.h"

/* Largest body: SQLite's limit of a row, less what else is in it. */
#define SQLITE_BODY_MAX UINT64_C(999980000)

/* stat.c */
int sqlite_stat(void *self, struct store_context *context, const char *key,
		struct store_info *info, struct store_details *details,
		struct store_error *error);
int sqlite_totals(void *self, struct store_context *context, const char *key,
		  struct store_totals *totals, struct store_error *error);
/* list.c */
int sqlite_list(void *self, struct store_context *context,
		const struct backend_list_request *request,
		struct store_page *page, struct store_error *error);

/* reader.c */
int sqlite_open_reader(void *self, struct store_context *context,
		       const char *key, const struct store_version *pin,
		       void **reader, struct store_info *info,
		       struct store_error *error);
int sqlite_read_at(void *self, struct store_context *context, void *reader,
		   uint64_t offset, void *data, size_t length, size_t *got,
		   struct store_error *error);
void sqlite_close_reader(void *self, void *reader);

/* put.c */
struct sqlite_database;
/* Bytes of the largest file. */
uint64_t sqlite_body_max(const struct sqlite_database *database);
int sqlite_put(void *self, struct store_context *context,
	       const struct backend_put_request *request,
	       struct store_info *info, struct store_error *error);

/* make.c */
int sqlite_make_node(void *self, struct store_context *context,
		     const struct backend_node_request *request,
		     struct store_info *info, struct store_error *error);
int sqlite_make_dir(void *self, struct store_context *context, const char *key,
		    const struct store_attributes *attributes,
		    struct store_info *info, struct store_error *error);
int sqlite_link(void *self, struct store_context *context, const char *from,
		const char *to, struct store_info *info,
		struct store_error *error);

/* remove.c */
int sqlite_remove(void *self, struct store_context *context, const char *key,
		  const struct store_precondition *precondition,
		  struct store_error *error);
int sqlite_remove_dir(void *self, struct store_context *context,
		      const char *key, struct store_error *error);
int sqlite_remove_tree(void *self, struct store_context *context,
		       const char *key, struct store_error *error);

/* move.c */
int sqlite_move(void *self, struct store_context *context,
		const struct backend_move_request *request,
		struct store_info *info, struct store_error *error);
int sqlite_copy(void *self, struct store_context *context,
		const struct backend_move_request *request,
		struct store_info *info, struct store_error *error);

/* attribute.c */
int sqlite_set_attributes(void *self, struct store_context *context,
			  const char *key,
			  const struct store_attributes *attributes,
			  struct store_info *info, struct store_error *error);
int sqlite_get_xattr(void *self, struct store_context *context, const char *key,
		     const char *name, void **value, size_t *size,
		     struct store_error *error);
int sqlite_list_xattrs(void *self, struct store_context *context,
		       const char *key, char **names, size_t *size,
		       struct store_error *error);
int sqlite_set_xattr(void *self, struct store_context *context, const char *key,
		     const struct store_xattr *xattr, int xattr_flags,
		     struct store_error *error);
int sqlite_remove_xattr(void *self, struct store_context *context,
			const char *key, const char *name,
			struct store_error *error);

#endif
