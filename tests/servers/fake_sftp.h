/* SPDX-License-Identifier: MIT */
/*
 * A small SFTP server on standard input and output: version 3, no extension,
 * the whole machine as it is.  For ssh_command of a store.  It lies when told:
 *
 *	fake_sftp [LIE TYPE [FILE]]
 *
 * about requests of that TYPE (a name as of the draft, in small letters, or
 * "any"), each of them, or the one for which FILE can be removed.  See
 * fake_sftp_lie.c for the lies.
 */
#ifndef STOREFS_TESTS_SERVERS_FAKE_SFTP_H
#define STOREFS_TESTS_SERVERS_FAKE_SFTP_H

#include "backends/sftp/packet.h"
#include "src/base/buf.h"

struct fake_lie;

/* NULL for no such lie, or no such type. */
const struct fake_lie *fake_lie_find(const char *name);
/* Number of a type by its name, 0 for "any", -1 for none. */
int fake_type(const char *name);

struct fake {
	const struct fake_lie *lie; /* NULL: none */
	int type;		    /* of requests it is about; 0: any */
	const char *once;	    /* the file to remove, or NULL */
	uint32_t asked;		    /* bytes the READ at hand asks for */
	uint64_t told; /* names, or lists of them, of this folder */
};

/* Before it is done; may not return. */
void fake_lie_before(const struct fake *fake);
/* Its answer, a whole packet, is about to be sent; may not return. */
void fake_lie_after(struct fake *fake, uint32_t id, struct buf *answer);
/* Send all of it, or end the process. */
void fake_send(const void *data, size_t length);

#endif
