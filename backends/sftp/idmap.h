/* SPDX-License-Identifier: MIT */
/*
 * Owners of the server and of this machine, as sshfs maps them: the user that
 * logs in there is the one who runs this here (idmap=user), or as files say
 * (idmap=file).  Numbers that nothing is said of are the same on both sides.
 */
#ifndef STOREFS_SFTP_IDMAP_H
#define STOREFS_SFTP_IDMAP_H

#include <stddef.h>
#include <stdint.h>

#include <storefs/types.h>

#include "backends/sftp/packet.h"
#include "backends/sftp/settings.h"

struct sftp_id_pair {
	uint32_t here;
	uint32_t there;
};

struct sftp_id_table {
	struct sftp_id_pair *pairs; /* owned */
	size_t count;
};

/* Immutable once it is made; a zeroed one maps nothing. */
struct sftp_idmap_tables {
	struct sftp_id_table users;
	struct sftp_id_table groups;
};

/*
 * From the files of idmap=file, lines `NAME:NUMBER`: what a user, or a group,
 * of this machine is there.  INVALID names the file and the line.
 */
int sftp_idmap_read(const struct sftp_settings *settings,
		    struct sftp_idmap_tables *tables, struct store_error *error)
	STORE_WARN_UNUSED;
/* For idmap=user: `own` are the attributes of the user's folder there. */
int sftp_idmap_learn(struct sftp_idmap_tables *tables,
		     const struct sftp_attributes *own,
		     struct store_error *error) STORE_WARN_UNUSED;
void sftp_idmap_release(struct sftp_idmap_tables *tables);

/* Owner and group, where the mask has them. */
void sftp_idmap_here(const struct sftp_idmap_tables *tables,
		     struct store_attributes *attributes);
void sftp_idmap_there(const struct sftp_idmap_tables *tables,
		      struct store_attributes *attributes);

#endif
