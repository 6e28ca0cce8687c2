// SPDX-License-Identifier: MIT
/*
 * Listing folders, a page at a time.
 *
 * Called by the table.  The cursor of a page is the kernel's position behind
 * its last entry (d_off), as text.  Most file systems keep that position
 * valid whatever is removed meanwhile.  Some count entries instead (tmpfs
 * before Linux 6.6): there only an open descriptor keeps its place.  So the
 * descriptor of an unfinished listing is parked with what was read ahead,
 * and the next page, if it comes while it is still there, goes on with it.
 *
 * Entries are complete: an id needs a stat anyhow.
 */
#include "config.h"

#include "backends/local/list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "backends/local/node.h"
#include "backends/local/path.h"
#include "backends/local/temporary.h"
#include "src/base/cleanup.h"
#include "src/file_type.h"

enum { SCAN_ROOM = 32 * 1024 };

/* What getdents64(2) fills in; readdir() hides d_off on some systems. */
struct local_dirent {
	uint64_t ino;
	int64_t next;
	uint16_t length;
	uint8_t type;
	char name[];
};

struct local_scan {
	int fd;
	uint64_t dev; /* of the folder */
	uint64_t ino;
	int64_t position; /* behind the last entry that was taken */
	size_t at;	  /* in `room` */
	size_t filled;
	_Alignas(struct local_dirent) char room[SCAN_ROOM];
};

static void scan_free(struct local_scan *scan)
{
	if (!scan)
		return;
	close(scan->fd);
	free(scan);
}

static void cleanup_scan(struct local_scan **scan)
{
	scan_free(*scan);
}

static bool is_dot(const char *name)
{
	return name[0] == '.' &&
	       (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* The next entry; NULL at the end (errno 0) or for an error. */
static const struct local_dirent *scan_next(struct local_scan *scan)
{
	const struct local_dirent *entry;
	long got;

	do {
		if (scan->at >= scan->filled) {
			errno = 0;
			got = syscall(SYS_getdents64, scan->fd, scan->room,
				      sizeof(scan->room));
			if (got <= 0)
				return NULL;
			scan->at = 0;
			scan->filled = (size_t)got;
		}
		entry = (const struct local_dirent *)(const void *)(scan->room +
								    scan->at);
		scan->at += entry->length;
		scan->position = entry->next;
	} while (is_dot(entry->name));
	return entry;
}

/* ---- parking ---- */

/* The oldest makes room: entries move towards the end as they age. */
static void scan_park(struct local *self, struct local_scan *scan)
{
	struct local_scan *oldest;

	lock_take(&self->lock);
	oldest = self->parked[LOCAL_PARKED_MAX - 1];
	memmove(self->parked + 1, self->parked,
		(LOCAL_PARKED_MAX - 1) * sizeof(self->parked[0]));
	self->parked[0] = scan;
	lock_drop(&self->lock);
	scan_free(oldest);
}

static struct local_scan *scan_fetch(struct local *self,
				     const struct local_stat *folder,
				     int64_t position)
{
	struct local_scan *found = NULL;

	lock_take(&self->lock);
	for (size_t i = 0; i < LOCAL_PARKED_MAX && !found; i++) {
		struct local_scan *scan = self->parked[i];

		if (!scan || scan->position != position ||
		    scan->ino != folder->ino || scan->dev != folder->dev)
			continue;
		found = scan;
		self->parked[i] = NULL;
	}
	lock_drop(&self->lock);
	return found;
}

void local_list_forget(struct local *self)
{
	for (size_t i = 0; i < LOCAL_PARKED_MAX; i++) {
		scan_free(self->parked[i]);
		self->parked[i] = NULL;
	}
}

/* ---- pages ---- */

static int parse_cursor(const char *cursor, int64_t *position,
			struct store_error *error)
{
	char *end;

	errno = 0;
	*position = strtoll(cursor, &end, 10);
	if (errno || end == cursor || *end)
		return store_error_set(error, STORE_INVALID,
				       "this is no cursor of a listing");
	return STORE_OK;
}

static int open_folder(struct local *self, const char *prefix, int *fd,
		       struct local_stat *st, struct store_error *error)
{
	CLEANUP_FD int node = -1;
	int code;

	if (!*prefix && local_root_check(self) && errno == ENOENT)
		return STORE_OK; /* a root that is missing is empty */
	code = local_open_key(self, prefix, O_PATH, &node, error);
	if (code)
		return code;
	if (local_stat_at(node, "", st))
		return local_fail(error, errno, "list");
	if (!S_ISDIR(st->mode))
		return local_fail(error, ENOTDIR, "list");
	*fd = openat(node, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
		return local_fail(error, errno, "list");
	return STORE_OK;
}

/* *scan stays NULL for a root that is missing. */
static int scan_open(struct local *self,
		     const struct backend_list_request *request,
		     struct local_scan **scan, struct store_error *error)
{
	CLEANUP_FD int fd = -1;
	struct local_scan *fresh = NULL;
	struct local_stat st;
	int64_t position = 0;
	int code = STORE_OK;

	if (request->cursor)
		code = parse_cursor(request->cursor, &position, error);
	if (!code)
		code = open_folder(self, request->prefix, &fd, &st, error);
	if (code || fd < 0)
		return code;
	if (request->cursor)
		fresh = scan_fetch(self, &st, position);
	if (fresh) {
		*scan = fresh;
		return STORE_OK;
	}
	if (request->cursor && lseek(fd, (off_t)position, SEEK_SET) < 0)
		return local_fail(error, errno, "list");
	fresh = malloc(sizeof(*fresh));
	if (!fresh)
		return local_fail(error, ENOMEM, "list");
	fresh->fd = steal_fd(&fd);
	fresh->dev = st.dev;
	fresh->ino = st.ino;
	fresh->position = position;
	fresh->at = 0;
	fresh->filled = 0;
	*scan = fresh;
	return STORE_OK;
}

/* All that readdir(3) tells, for an entry that lets nothing else be known. */
static bool info_of_dirent(const struct local_dirent *entry,
			   struct store_info *info)
{
	if (entry->type == DT_UNKNOWN)
		return false;
	*info = (struct store_info){
		.type = file_type_of(DTTOIF(entry->type)),
		.links = 1,
		.id = entry->ino,
	};
	return true;
}

/* -1 with errno. */
static int add_entry(struct local *self, const struct local_scan *scan,
		     const struct local_dirent *entry, struct store_page *page)
{
	struct store_info info;
	struct local_stat st;
	bool complete = true;

	if (local_name_is_hidden(entry->name)) {
		local_sweep_name(self, scan->fd, entry->name);
		return 0;
	}
	if (local_stat_at(scan->fd, entry->name, &st) == 0) {
		local_info_of(self, &st,
			      local_id_at(self, scan->fd, entry->name, &st),
			      &info);
	} else {
		if (errno == ENOENT) /* removed meanwhile */
			return 0;
		/* A dead mount point, or a folder that may not be searched. */
		if (!info_of_dirent(entry, &info))
			return -1;
		complete = false;
	}
	if (store_page_add(page, entry->name, &info, complete)) {
		errno = ENOMEM;
		return -1;
	}
	return 0;
}

static int set_cursor(struct store_page *page, int64_t position)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, position);
	page->next = strdup(text);
	return page->next ? STORE_OK : STORE_NO_MEMORY;
}

/* Fill a page; *more tells whether the scan goes on behind it. */
static int fill_page(struct local *self, struct store_context *context,
		     const struct backend_list_request *request,
		     struct local_scan *scan, struct store_page *page,
		     bool *more, struct store_error *error)
{
	const struct local_dirent *entry;
	size_t end = page->count + request->limit;
	size_t seen = 0;

	*more = false;
	while (page->count < end && (entry = scan_next(scan))) {
		int code = STORE_OK;

		if (seen++ % 1024 == 0) {
			code = store_context_check(context, error);
			store_context_progress(context);
		}
		if (code)
			return code;
		if (add_entry(self, scan, entry, page))
			return local_fail(error, errno, "list");
	}
	if (page->count < end) {
		if (errno)
			return local_fail(error, errno, "list");
		return STORE_OK;
	}
	*more = true;
	if (set_cursor(page, scan->position))
		return local_fail(error, ENOMEM, "list");
	return STORE_OK;
}

int local_list(void *self, struct store_context *context,
	       const struct backend_list_request *request,
	       struct store_page *page, struct store_error *error)
{
	CLEANUP(cleanup_scan) struct local_scan *scan = NULL;
	bool more;
	int code = store_context_check(context, error);

	if (!code)
		code = scan_open(self, request, &scan, error);
	if (code || !scan)
		return code;
	code = fill_page(self, context, request, scan, page, &more, error);
	if (!code && more)
		scan_park(self, steal_pointer(&scan));
	return code;
}
