/* SPDX-License-Identifier: MIT */
/*
 * The tables: what they are called, what of them a database has, and how
 * they are made.
 *
 * The data table is that of remote-store, shared with any client of that
 * layout.  Only regular files have rows there, one per name:
 *
 *	key, data, size, modified_at, content_type, digest, extra,
 *	user_metadata
 *
 * What the layout has no place for lives in tables of ours, whose names start
 * with that of the data table:
 *
 *	T_storefs_nodes	  what a name leads to: type, attributes, version, and
 *			  of a file the id of the put that made the version
 *	T_storefs_names	  key -> node; for a file also what its row in the data
 *			  table looked like when we wrote it (rowid, size,
 *			  modified_at), by which a foreign write is known
 *	T_storefs_xattrs  extended attributes of nodes
 *
 * A row of ours for a file whose row in the data table is gone does not
 * count; it goes with the next write there.  T_storefs_list is an index over
 * (key, size, modified_at), so that asking never touches the bodies.
 */
#ifndef STOREFS_SQLITE_SCHEMA_H
#define STOREFS_SQLITE_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "src/base/buf.h"
#include <storefs/error.h>

struct sqlite_connection;

/* What of the tables a database has. */
struct sqlite_shape {
	bool table; /* the data table */
	/* Its optional columns. */
	bool size;
	bool modified_at;
	bool content_type;
	bool digest;
	bool extra;
	bool user_metadata;
	/*
	 * The body stands last in the row.  Only then a row can be made
	 * without its body in memory, and the other columns be read without
	 * walking along the body.
	 */
	bool data_last;
	bool side;    /* our tables */
	bool publish; /* T_storefs_nodes.publish, which came later */
	bool index;   /* T_storefs_list */
};

/* Is it a name we put into SQL?  Letters, digits, '_', not "sqlite_...". */
bool sqlite_table_name_ok(const char *name);

/* Fill connection->shape. */
int sqlite_schema_detect(struct sqlite_connection *connection,
			 struct store_error *error) STORE_WARN_UNUSED;
/*
 * Make what is missing, inside a write transaction, and detect again.  An
 * index over a table that exists is only made when `index`.
 */
int sqlite_schema_create(struct sqlite_connection *connection, bool index,
			 struct store_error *error) STORE_WARN_UNUSED;

/*
 * SQL from a template:
 *	{T} {N} {D} {X}	    the four tables, quoted
 *	{L} {P} {K}	    indexes: the list, special names, linked names
 *	{I}		    "INDEXED BY {L}" where that exists
 *	{S} {M}		    size and modified_at of the row `o`
 *	{SET}		    what an UPDATE sets beside the body
 *	{COLUMNS} {VALUES}  the same for an INSERT
 *	{SAME}		    values for {COLUMNS} from the row ?1
 *	{DETAILS}	    content_type, digest, user_metadata
 */
void sqlite_schema_expand(const char *table, const struct sqlite_shape *shape,
			  const char *template, struct buf *sql);

#endif
