// SPDX-License-Identifier: MIT
/*
 * Names in the store and what the journal acknowledges after them; see
 * commit.h.  Called by ops_*.c and acknowledge.c, calls folders.c.
 */
#include "config.h"

#include "mount/commit_internal.h"
#include "mount/op.h"

void commit_name_changed(struct fs *fs, const char *key, int code)
{
	if (fs->commit && (!code || op_is_in_doubt(code)))
		folders_change(&fs->commit->folders, key);
}

void commit_folder_gone(struct fs *fs, const char *key)
{
	if (fs->commit)
		folders_drop(&fs->commit->folders, key);
	commit_name_changed(fs, key, STORE_OK);
}

int commit_sync_names(struct fs *fs, struct store_error *error)
{
	return fs->commit ? folders_sync(&fs->commit->folders, error)
			  : STORE_OK;
}

int commit_sync_names_below(struct fs *fs, const char *key,
			    struct store_error *error)
{
	return fs->commit ? folders_sync_below(&fs->commit->folders, key, error)
			  : STORE_OK;
}

void commit_await_names(struct fs *fs)
{
	struct commit *commit = fs->commit;

	if (commit)
		debts_await(&commit->debts, folders_position(&commit->folders));
}
