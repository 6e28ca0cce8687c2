// SPDX-License-Identifier: MIT
/*
 * See events.h.  Called by publish.c and the control commands.
 *
 * A ring of lines with numbers that rise; every reader has the number it
 * wants next, and an eventfd that is written to when there is a new one.
 */
#include "config.h"

#include "mount/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "mount/line.h"
#include "src/base/sync.h"

/* Lines of some KiB at most, as keys are. */
enum { EVENTS_ROOM = 256 };

struct events {
	struct lock lock;
	/* protected by `lock` */
	struct events_reader *readers;
	uint64_t next; /* number of the next line */
	char *lines[EVENTS_ROOM];
};

struct events_reader {
	struct events *events;
	struct events_reader *other; /* protected by the lock of `events` */
	uint64_t next;		     /* the same */
	int fd;
};

int events_start(struct fs *fs, struct store_error *error)
{
	struct events *events = calloc(1, sizeof(*events));

	if (!events)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for events");
	lock_init(&events->lock);
	fs->events = events;
	return STORE_OK;
}

void events_stop(struct fs *fs)
{
	struct events *events = fs->events;

	if (!events)
		return;
	fs->events = NULL;
	for (int i = 0; i < EVENTS_ROOM; i++)
		free(events->lines[i]);
	lock_destroy(&events->lock);
	free(events);
}

/* ---- writing ---- */

static bool followed(struct events *events)
{
	bool any;

	if (!events)
		return false;
	lock_take(&events->lock);
	any = events->readers;
	lock_drop(&events->lock);
	return any;
}

/* Takes what was built over. */
static void emit(struct events *events, struct line *made)
{
	static const uint64_t one = 1;
	char *line = line_print(made), **place;

	lock_take(&events->lock);
	place = &events->lines[events->next++ % EVENTS_ROOM];
	free(*place);
	/* Without memory for it the line counts as lost. */
	*place = line;
	for (struct events_reader *reader = events->readers; reader;
	     reader = reader->other)
		if (write(reader->fd, &one, sizeof(one)) < 0)
			continue; /* the counter is full: readable anyway */
	lock_drop(&events->lock);
}

static void begin(struct fs *fs, struct line *made, const char *event,
		  const char *key)
{
	line_init(made);
	line_text(made, "event", event);
	if (key)
		line_bytes(made, "key", key);
	line_number(made, "pending", atomic_load(&fs->counters.dirty_files));
}

void events_stored(struct fs *fs, const char *key, uint64_t size)
{
	struct line made;

	if (!followed(fs->events))
		return;
	begin(fs, &made, "stored", key);
	line_number(&made, "size", size);
	emit(fs->events, &made);
}

void events_failed(struct fs *fs, const char *key,
		   const struct store_error *failure)
{
	bool conflict = failure->code == STORE_CHANGED;
	struct line made;

	if (!followed(fs->events))
		return;
	begin(fs, &made, conflict ? "conflict" : "failed", key);
	line_text(&made, "code", store_code_name(failure->code));
	line_text(&made, "error", failure->message);
	line_flag(&made, "retries", store_code_retryable(failure->code));
	emit(fs->events, &made);
}

void events_discarded(struct fs *fs, const char *key)
{
	struct line made;

	if (!followed(fs->events))
		return;
	begin(fs, &made, "discarded", key);
	emit(fs->events, &made);
}

void events_paused(struct fs *fs, bool paused)
{
	struct line made;

	if (!followed(fs->events))
		return;
	begin(fs, &made, paused ? "paused" : "resumed", NULL);
	emit(fs->events, &made);
}

/* ---- reading ---- */

int events_follow(struct events *events, struct events_reader **out,
		  struct store_error *error)
{
	struct events_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for events");
	reader->events = events;
	reader->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (reader->fd < 0) {
		int saved = errno;

		free(reader);
		return store_error_errno(error, saved, "eventfd");
	}
	lock_take(&events->lock);
	reader->next = events->next;
	reader->other = events->readers;
	events->readers = reader;
	lock_drop(&events->lock);
	*out = reader;
	return STORE_OK;
}

void events_leave(struct events_reader *reader)
{
	struct events *events;
	struct events_reader **link;

	if (!reader)
		return;
	events = reader->events;
	lock_take(&events->lock);
	for (link = &events->readers; *link != reader;)
		link = &(*link)->other;
	*link = reader->other;
	lock_drop(&events->lock);
	close(reader->fd);
	free(reader);
}

int events_fd(const struct events_reader *reader)
{
	return reader->fd;
}

char *events_take(struct events_reader *reader, uint64_t *lost)
{
	struct events *events = reader->events;
	uint64_t count, oldest;
	char *line = NULL;

	*lost = 0;
	lock_take(&events->lock);
	oldest = events->next > EVENTS_ROOM ? events->next - EVENTS_ROOM : 0;
	if (reader->next < oldest) {
		*lost = oldest - reader->next;
		reader->next = oldest;
	}
	while (!line && reader->next < events->next) {
		const char *kept = events->lines[reader->next % EVENTS_ROOM];

		line = kept ? strdup(kept) : NULL;
		*lost += !line;
		reader->next++;
	}
	/* All taken: not readable until the next one comes. */
	if (reader->next == events->next &&
	    read(reader->fd, &count, sizeof(count)) < 0)
		count = 0;
	lock_drop(&events->lock);
	return line;
}
