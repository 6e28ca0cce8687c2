// SPDX-License-Identifier: MIT
/*
 * One step of a side of a duel: the system call, or storectl, and what it
 * answered.  Called by duel.c.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/base/cleanup.h"
#include "tests/mount/duel.h"

enum { PATH_ROOM = 1024 };

static void path_of(const struct side *side, char path[PATH_ROOM])
{
	snprintf(path, PATH_ROOM, "%s/%s", side->duel->mounts[side->number],
		 side->name);
}

static void temporary_of(const struct side *side, char path[PATH_ROOM])
{
	snprintf(path, PATH_ROOM, "%s/%s.new-%d-%u",
		 side->duel->mounts[side->number], side->name, side->number,
		 side->made);
}

/* What follows up to the end of the update makes no sense now. */
static void skip_update(struct side *side)
{
	while (side->next < side->plan.count &&
	       !side->plan.steps[side->next - 1].last)
		side->next++;
}

/* ---- system calls ---- */

static int do_open(struct side *side, const struct step *step)
{
	char path[PATH_ROOM];

	if (step->act == ACT_MAKE) {
		side->made++;
		temporary_of(side, path);
	} else {
		path_of(side, path);
	}
	side->fd = open(path, step->flags | O_CLOEXEC, 0644);
	side->append = step->flags & O_APPEND;
	side->read = 0;
	return side->fd < 0 ? errno : 0;
}

static int do_read(struct side *side, const struct step *step,
		   struct content *got)
{
	size_t size = side->slot_size, most = (SLOTS + 1) * size, length = 0;
	size_t from = (size_t)step->at * size;
	CLEANUP_FREE char *bytes = malloc(most);
	ssize_t count = 1;

	if (!bytes)
		duel_trouble("no memory");
	if (!step->at)
		most = SPLIT * size;
	while (length < most && count > 0) {
		count = pread(side->fd, bytes + length, most - length,
			      (off_t)(from + length));
		if (count > 0)
			length += (size_t)count;
	}
	if (count < 0)
		return errno;
	*got = content_parse(bytes, length, size);
	if (got->count > 0)
		side->read = step->at + got->count;
	return 0;
}

static int do_write(struct side *side, const struct step *step, int *at)
{
	struct content one = { .count = 1, .slots = { step->token } };
	CLEANUP_FREE char *bytes = malloc(side->slot_size);
	ssize_t count;

	if (!bytes)
		duel_trouble("no memory");
	content_fill(&one, side->slot_size, bytes);
	*at = step->at;
	if (side->append) {
		count = write(side->fd, bytes, side->slot_size);
		*at = AT_END;
	} else {
		if (*at == AT_END || (*at > side->read && !step->partial))
			*at = side->read;
		count = pwrite(side->fd, bytes, side->slot_size,
			       (off_t)((size_t)*at * side->slot_size));
		if (*at >= side->read)
			side->read = *at + 1;
	}
	if (count >= 0 && (size_t)count != side->slot_size)
		duel_trouble("%s: short write", side->name);
	return count < 0 ? errno : 0;
}

static int do_truncate(struct side *side, struct step *step)
{
	/* To another size: else nothing but a time changes. */
	if (step->at >= side->read)
		step->at = side->read ? side->read - 1 : 1;
	side->read = step->at;
	return ftruncate(side->fd, (off_t)((size_t)step->at * side->slot_size))
		       ? errno
		       : 0;
}

static int do_close(struct side *side)
{
	int error = close(side->fd) ? errno : 0;

	side->fd = -1;
	return error;
}

static int do_rename(const struct side *side)
{
	char from[PATH_ROOM], to[PATH_ROOM];

	temporary_of(side, from);
	path_of(side, to);
	return rename(from, to) ? errno : 0;
}

static int do_unlink(const struct side *side)
{
	char path[PATH_ROOM];

	path_of(side, path);
	return unlink(path) ? errno : 0;
}

/* ---- storectl ---- */

int side_export(const struct side *side, bool raw, struct content *got)
{
	char out[64];
	const char *arguments[] = { side->duel->storectl,
				    "export",
				    raw ? "-fr" : "-f",
				    side->duel->mounts[side->number],
				    side->name,
				    out,
				    NULL };
	size_t room = SLOTS * side->slot_size + 1, length;
	CLEANUP_FREE char *bytes = malloc(room);
	FILE *file;
	int status;

	got->count = ABSENT;
	snprintf(out, sizeof(out), "exported-%d", side->number);
	status = helper_storectl(side->number, arguments);
	if (status)
		return status;
	file = fopen(out, "re");
	if (!file || !bytes)
		duel_trouble("%s: %s", out, "no such file");
	length = fread(bytes, 1, room, file);
	fclose(file);
	*got = content_parse(bytes, length, side->slot_size);
	return 0;
}

int side_settle(const struct side *side, bool force)
{
	const char *discard[] = { side->duel->storectl, "discard",
				  side->duel->mounts[side->number], side->name,
				  NULL };
	const char *retry[] = { side->duel->storectl,
				"retry",
				"--force",
				side->duel->mounts[side->number],
				side->name,
				NULL };

	return helper_storectl(side->number, force ? retry : discard);
}

/* ---- the next one ---- */

bool side_is_done(const struct side *side)
{
	return side->next >= side->plan.count;
}

/* Told of a conflict: look at the bytes, then decide which version stays. */
static void plan_settling(struct side *side)
{
	struct plan *plan = &side->plan;
	size_t rest = plan->count - side->next;
	struct step added[] = {
		{ .act = ACT_EXPORT },
		{ .act = prng_below(&side->prng, 2) ? ACT_FORCE : ACT_DISCARD,
		  .last = true },
	};

	if (plan->count + 2 > STEPS || !side->settle) {
		/* Or leave it as it is, and go on writing, or not. */
		if (prng_below(&side->prng, 2))
			plan->count = side->next;
		return;
	}
	memmove(plan->steps + side->next + 2, plan->steps + side->next,
		rest * sizeof(plan->steps[0]));
	memcpy(plan->steps + side->next, added, sizeof(added));
	plan->count += 2;
}

/* What was written over bytes that have gone: as it is. */
static int do_export(const struct side *side, struct answer *answer)
{
	int status = side_export(side, false, &answer->got);

	answer->raw = status == EXIT_CHANGED;
	return answer->raw ? side_export(side, true, &answer->got) : status;
}

static int carry_out(struct side *side, struct step *step,
		     struct answer *answer)
{
	switch (step->act) {
	case ACT_OPEN:
	case ACT_MAKE:
		return do_open(side, step);
	case ACT_READ:
		return do_read(side, step, &answer->got);
	case ACT_WRITE:
		return do_write(side, step, &answer->at);
	case ACT_TRUNCATE:
		return do_truncate(side, step);
	case ACT_FSYNC:
		return fsync(side->fd) ? errno : 0;
	case ACT_CLOSE:
		return do_close(side);
	case ACT_RENAME:
		return do_rename(side);
	case ACT_UNLINK:
		return do_unlink(side);
	case ACT_EXPORT:
		return do_export(side, answer);
	case ACT_DISCARD:
	case ACT_FORCE:
		return side_settle(side, step->act == ACT_FORCE);
	}
	return EINVAL;
}

static bool tells_of_conflict(const struct step *step, int error)
{
	return (step->act == ACT_CLOSE && error == ESTALE) ||
	       (step->act == ACT_OPEN && error == EIO);
}

void side_step(struct side *side, struct step *step, struct answer *answer)
{
	*step = side->plan.steps[side->next++];
	*answer = (struct answer){ .at = step->at };
	answer->error = carry_out(side, step, answer);
	if (answer->error && (step->act == ACT_OPEN || step->act == ACT_MAKE))
		skip_update(side);
	/* Who cannot read does not write. */
	while (answer->error && step->act == ACT_READ &&
	       side->plan.steps[side->next].act != ACT_CLOSE)
		side->next++;
	if (tells_of_conflict(step, answer->error) && !side->duel->conflict)
		plan_settling(side);
	/* Parts of it stand only in a version that has gone. */
	if (step->act == ACT_FORCE && answer->error && side->next < STEPS)
		side->plan.steps[--side->next] =
			(struct step){ .act = ACT_DISCARD, .last = true };
}
