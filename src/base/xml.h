/* SPDX-License-Identifier: MIT */
/*
 * XML answers of servers, told element by element: the only user of expat.
 *
 * Bounded in depth, in the length of names and texts, and in what entities
 * may expand to (there are none: a document type is refused).
 */
#ifndef STOREFS_BASE_XML_H
#define STOREFS_BASE_XML_H

#include <stdbool.h>
#include <stddef.h>

#include <storefs/error.h>

/*
 * An element has ended.  `path` are its names from the outermost on, without
 * name spaces, "ListBucketResult/Contents/Key"; `text` is what stood directly
 * in it.  A code other than STORE_OK ends the parsing with it.
 */
typedef int xml_element_fn(void *arg, const char *path, const char *text,
			   struct store_error *error);

/* CORRUPT for what is no well-formed document. */
int xml_parse(const char *text, size_t length, xml_element_fn *element,
	      void *arg, struct store_error *error) STORE_WARN_UNUSED;

/*
 * Append text as it stands between tags; false, and nothing appended, for
 * control bytes, which no XML can hold.
 */
struct buf;
bool xml_escape(struct buf *buf, const char *text) STORE_WARN_UNUSED;

#endif
