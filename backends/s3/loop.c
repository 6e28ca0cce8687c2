// SPDX-License-Identifier: MIT
/*
 * Lists that come in pages, each of which tells where the next one begins: a
 * server that names a place it has named before would be asked for ever.
 *
 * One place is kept and compared with all that follow; at the 1st, 2nd, 4th,
 * 8th ... page it is replaced.  So a circle is seen within three times its
 * pages and those before it, with the memory of one place.
 *
 * Called by list.c and orphan.c.
 */
#include "config.h"

#include "backends/s3/loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/buf.h"
#include "src/base/cleanup.h"

/* Two places of a server. */
enum { CURSOR_MAX = 1 << 17 };

int s3_loop_step(struct s3_loop *loop, const char *place,
		 struct store_error *error)
{
	char *mark;

	if (loop->mark && strcmp(loop->mark, place) == 0)
		return store_error_set(error, STORE_CORRUPT,
				       "a listing that goes round in circles");
	loop->pages++;
	if (loop->pages & (loop->pages - 1))
		return STORE_OK;
	mark = strdup(place);
	if (!mark)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	free(loop->mark);
	loop->mark = mark;
	return STORE_OK;
}

void s3_loop_release(struct s3_loop *loop)
{
	free(loop->mark);
	loop->mark = NULL;
}

/* ---- as text: "PAGES:BYTES:", the mark of so many bytes, the place ---- */

int s3_loop_read(const char *cursor, struct s3_loop *loop, const char **place,
		 struct store_error *error)
{
	uint64_t pages;
	size_t bytes;
	int head = 0;

	if (sscanf(cursor, "%" SCNu64 ":%zu:%n", &pages, &bytes, &head) != 2 ||
	    !head || bytes > strlen(cursor + head))
		return store_error_set(error, STORE_INVALID,
				       "no cursor of a listing");
	*loop = (struct s3_loop){
		.mark = strndup(cursor + head, bytes),
		.pages = pages,
	};
	*place = cursor + head + bytes;
	return loop->mark ? STORE_OK
			  : store_error_set(error, STORE_NO_MEMORY,
					    "out of memory");
}

int s3_loop_write(const struct s3_loop *loop, const char *place, char **cursor,
		  struct store_error *error)
{
	CLEANUP_BUF struct buf text = BUF_INIT(CURSOR_MAX);
	int code;

	buf_addf(&text, "%" PRIu64 ":%zu:%s%s", loop->pages, strlen(loop->mark),
		 loop->mark, place);
	code = buf_error(&text, "the place in a listing", error);
	if (code)
		return code;
	*cursor = buf_steal(&text);
	return STORE_OK;
}
