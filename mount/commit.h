/* SPDX-License-Identifier: MIT */
/*
 * What a mount writes to its staging journal, and when: the acknowledgement
 * of commit=background, and notes from which the next mount goes on.  The
 * order of the steps is in doc/journal.md.
 *
 * Every file with staged changes has an id and one FILE record, written anew
 * whenever key, attributes or base change.  Records of one file are appended
 * under its lock, in the order of what they tell.
 *
 * Without a journal (struct fs.commit is NULL: unit tests) the functions do
 * nothing and succeed.
 */
#ifndef STOREFS_MOUNT_COMMIT_H
#define STOREFS_MOUNT_COMMIT_H

#include "mount/file.h"
#include "mount/journal.h"
#include "mount/record.h"

struct commit;

/* Takes the journal over; ids above `last_id` are free. */
int commit_start(struct fs *fs, struct journal *journal, uint64_t last_id,
		 struct store_error *error) STORE_WARN_UNUSED;
/* Flushes, and removes what is settled; NULL is fine. */
void commit_stop(struct commit *commit);

/*
 * close() and fsync() with commit=background: when it returns STORE_OK the
 * content and attributes of this moment are on the local disk.
 */
int commit_file(struct file *file, const struct store_context *context,
		struct store_error *error) STORE_WARN_UNUSED;
/*
 * What close() and fsync() promise in this mount's mode: in the store, or on
 * the local disk with the upload to follow.
 */
int commit_close(struct file *file, const struct store_context *context,
		 struct store_error *error) STORE_WARN_UNUSED;
/*
 * The same of a file that could be written and has nothing staged: with
 * commit=background what earlier calls have told of names and attributes is
 * durable all the same.
 */
int commit_close_clean(struct file *file, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * Keep what is staged in this state whatever becomes of the process: bytes
 * and record are flushed.
 */
int commit_keep(struct file *file, enum record_state state, const char *reason,
		struct store_error *error) STORE_WARN_UNUSED;
/* What was noted is durable when it returns. */
int commit_sync(struct fs *fs, struct store_error *error) STORE_WARN_UNUSED;
/* What was noted of acknowledged files is; cheap when there is nothing. */
int commit_sync_notes(struct fs *fs, struct store_error *error)
	STORE_WARN_UNUSED;
/* What was noted up to this position is. */
int commit_sync_to(struct fs *fs, uint64_t position, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * The same for this node, whose name the store is about to change: a record
 * whose end is lost would be taken for pending under that name.  A folder
 * (or NULL) stands for all that is below.
 */
int commit_sync_node(struct fs *fs, const struct node *node,
		     struct store_error *error) STORE_WARN_UNUSED;

/*
 * For a change in the store of anything else: calls keep their order, also
 * those that so far only the journal tells of.  Cheap when there are none.
 */
int commit_sync_calls(struct fs *fs, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * For an acknowledgement: up to `position`, and those calls with it, whatever
 * file they were of.
 */
int commit_sync_promised(struct fs *fs, uint64_t position,
			 struct store_error *error) STORE_WARN_UNUSED;

/*
 * The store was told to make, to move away or here, or to remove what has
 * this key, and answered `code`: unless that tells that it did not, it is
 * durable before what is acknowledged from now on.  With the pass of the
 * change.
 */
void commit_name_changed(struct fs *fs, const char *key, int code);
/* A folder was removed. */
void commit_folder_gone(struct fs *fs, const char *key);
/* What was changed so is durable when it returns; cheap without any. */
int commit_sync_names(struct fs *fs, struct store_error *error)
	STORE_WARN_UNUSED;
/* The same for names in a folder, and below it, which gets another name. */
int commit_sync_names_below(struct fs *fs, const char *key,
			    struct store_error *error) STORE_WARN_UNUSED;
/*
 * They could not be made durable: what is noted from now on is owed until
 * they are.
 */
void commit_await_names(struct fs *fs);

/*
 * Files of layers that the store has are removed once the journal has been
 * flushed, within a second; have it done now.
 */
void commit_make_room(struct fs *fs);

/*
 * Of the record that a put of this moment must not overtake: its own, or, of
 * bytes that nobody has acknowledged, the last about what it replaces, or
 * about a name or an attribute of anything.
 */
uint64_t commit_put_position_locked(const struct file *file)
	REQUIRES(file->lock);
/* Set file->publish for the next put. */
void commit_name_put_locked(struct file *file) REQUIRES(file->lock);
/* Note the present key, attributes and base, without a flush. */
void commit_note_locked(struct file *file) REQUIRES(file->lock);
/* The same for attributes that a call has changed. */
void commit_note_attributes_locked(struct file *file) REQUIRES(file->lock);
/* The same when there is staged content the journal does not know of. */
void commit_note_content_locked(struct file *file) REQUIRES(file->lock);
/*
 * A file that the store does not know is about to get the name `key`, and to
 * take it from the pending file with the id `replaced` (0: from none): one
 * frame tells of both.  What was acknowledged keeps its name on an error.
 */
int commit_renamed_locked(struct file *file, const char *key, uint64_t replaced,
			  struct store_error *error) REQUIRES(file->lock)
	STORE_WARN_UNUSED;
/*
 * A file that replaces one of the store, which is about to be removed there
 * while this one goes elsewhere: that its absence is no conflict is durable
 * when it returns.
 */
int commit_leaving(struct file *file, struct store_error *error)
	STORE_WARN_UNUSED;
/*
 * A file that the store does not know (NULL: none) is about to lose its name:
 * if it was acknowledged its end is noted, or the name has to stay.
 */
int commit_drop(struct file *file, struct store_error *error) STORE_WARN_UNUSED;
/* Is there an acknowledged generation that the store has not? */
bool commit_is_acknowledged(struct file *file);
/* The id of an acknowledged file, else (or of NULL) 0. */
uint64_t commit_id(struct file *file);
/*
 * The same for one that is about to be replaced: from now on its record is
 * the caller's to end.
 */
uint64_t commit_take_id(struct file *file);
/* Nothing of it is staged any more. */
void commit_done_locked(struct file *file) REQUIRES(file->lock);

/*
 * A name is about to be removed or moved in the store: flushed before it
 * returns.  To be used for what is, or lies above, a file with a record of
 * acknowledged changes, and (moved) for the name of one that is replaced.
 */
int commit_removing(struct fs *fs, const char *key, uint64_t id,
		    struct store_error *error) STORE_WARN_UNUSED;
struct commit_move {
	const char *from, *to;
	const struct store_info *seen; /* what is moved, NULL: a folder, or not
					  what is known here */
	uint64_t replaced; /* id of the file at `to`, 0: none is noted */
	bool done;	   /* it took place, or else failed and did not */
	/* What was moved, under its new name, if it may have a record: */
	struct file *file;		  /* in memory, or NULL */
	const struct record_file *record; /* of an earlier run, or NULL */
};
int commit_moving(struct fs *fs, const struct commit_move *move,
		  struct store_error *error) STORE_WARN_UNUSED;
/*
 * It was, or was not: with the new base of the file and the end of the one it
 * has replaced, which count together.
 */
void commit_moved(struct fs *fs, const struct commit_move *move);
/* The record with this id, of an earlier run, is settled. */
void commit_settle(struct fs *fs, uint64_t id);
/* The same, durably: its bytes may go when it returns STORE_OK. */
int commit_discard(struct fs *fs, uint64_t id, struct store_error *error)
	STORE_WARN_UNUSED;

/*
 * A rename by copies, in three records: begun, flushed before the first copy;
 * complete, flushed before the first source is removed; and settled, flushed
 * before the old name may be used again.
 */
int commit_copying(struct fs *fs, const struct record_copies *copies,
		   struct store_error *error) STORE_WARN_UNUSED;
/* A file whose base is another version now, as its name is. */
struct commit_rebased {
	struct file *file;		   /* in use, or NULL: */
	const struct record_file *pending; /* of an earlier run */
};
/*
 * `rebased`, which still have their old names, `replaced` and the record
 * count together or not at all.  Without a flush: *position is what to give
 * to commit_sync_to().
 */
int commit_copied(struct fs *fs, const struct record_copies *copies,
		  const struct commit_rebased *rebased, size_t count,
		  uint64_t replaced, uint64_t *position,
		  struct store_error *error) STORE_WARN_UNUSED;
/* A failure leaves it to commit_sync(). */
int commit_copies_settled(struct fs *fs, uint64_t id, struct store_error *error)
	STORE_WARN_UNUSED;

/*
 * An upload that outlives its put, with what its token leads to (uploads.h):
 * durable when it returns.  *id is that of its record, 0 before the first.
 */
int commit_upload(struct fs *fs, uint64_t *id,
		  const struct record_upload *upload, struct store_error *error)
	STORE_WARN_UNUSED;
/* The store has nothing of it any more; without a flush. */
void commit_upload_ended(struct fs *fs, uint64_t id);

/* For status. */
uint64_t commit_flushes(const struct fs *fs);
uint64_t commit_journal_size(const struct fs *fs);

#endif
