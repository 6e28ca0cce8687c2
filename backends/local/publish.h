/* SPDX-License-Identifier: MIT */
/*
 * Bringing a new version of a file under its name.
 *
 *	begin	find or make the folder, look at what is there, make a
 *		temporary; then the caller fills it and sets its attributes
 *	commit	fsync, link or rename, fsync the folder
 *	end	drop what was not published
 *
 * A name that has to be free is linked, which is exclusive by itself.  Every
 * replacement takes the flock of the folder around check and rename, also an
 * unconditional one, and so do removals and moves: so what IF_VERSION
 * checked is what it replaces, against all users of this library.  Other
 * programs that rename over the file are seen up to the check.
 */
#ifndef STOREFS_BACKENDS_LOCAL_PUBLISH_H
#define STOREFS_BACKENDS_LOCAL_PUBLISH_H

#include "backends/local/node.h"
#include "backends/local/temporary.h"

struct local_publish {
	/* set by the caller */
	struct local *self;
	struct store_context *context;
	const char *key;
	const struct store_precondition *precondition;
	uint64_t id;	 /* st_ino to show, 0: that of the one replaced */
	bool keep_times; /* replacing does not touch the folder's times */
	/* set by begin */
	struct local_place place;
	struct local_temporary temporary;
	bool exists;
	struct local_stat old; /* when it exists */
};

/* `mode` of the temporary, subject to the umask. */
int local_publish_begin(struct local_publish *publish, mode_t mode,
			struct store_error *error) STORE_WARN_UNUSED;
int local_publish_commit(struct local_publish *publish, struct store_info *info,
			 struct store_error *error) STORE_WARN_UNUSED;
/*
 * Under the folder's lock: look again at what stands there, into `st`, and
 * check the precondition.  *exists tells whether anything does.
 */
int local_publish_check(struct local_publish *publish, struct local_stat *st,
			bool *exists, struct store_error *error)
	STORE_WARN_UNUSED;
/* Returns `code`; with STORE_OK nothing is undone. */
int local_publish_end(struct local_publish *publish, int code)
	STORE_WARN_UNUSED;
/*
 * Did it fail because its folder was removed meanwhile, so that it is worth
 * another try?  To be asked before the end.
 */
bool local_publish_lost_folder(const struct local_publish *publish, int code);

#endif
