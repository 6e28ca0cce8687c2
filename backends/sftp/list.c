// SPDX-License-Identifier: MIT
/*
 * Listing, page by page.
 *
 * Between two pages a listing is parked with its handle, under the number
 * that is the cursor, and with a hash of each name it has told of: when the
 * connection is lost, or a call was cancelled with answers on their way, the
 * folder is read anew and those names are passed over.  What came with the
 * last answer and did not fit into the page waits for the next one.
 *
 * What is the store's own is not shown: temporaries that are too old for
 * anybody to need are removed, and what a crash has left displaced is put
 * right.
 *
 * Locks: sftp->lock for the list of the parked; a listing is one call's
 * while it is not in there.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backends/sftp/seen.h"
#include "backends/sftp/sftp.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/key.h"

/* READDIRs, and questions about entries, on their way at once. */
enum { AHEAD = 4, WINDOW = 32, OWN_MAX = 16 };
/*
 * A folder ends some time, whatever a server says: names in it, and answers
 * that have told of no new one, beside those that were told before the
 * connection was lost.
 */
enum { NAMES_MAX = 1 << 22, STALE_MAX = 4096 };
/* Temporaries removed by one listing; the next one goes on. */
enum { SWEPT_MAX = 1000 };

struct sftp_listing {
	struct sftp_listing *next;
	uint64_t cursor;
	char *key;
	struct sftp_path path;
	struct sftp_session *session; /* of the handle; NULL: none is open */
	struct sftp_handle handle;
	bool ended;
	struct sftp_seen seen;
	size_t stale;		/* answers without a new name that are left */
	struct store_page rest; /* told of by the server, not yet by us */
	size_t checked;	    /* of the rest: known not to be hidden symlinks */
	char *own[OWN_MAX]; /* displaced folders to look into */
	size_t own_count;
	unsigned int swept;
};

/* ---- listings ---- */

static void close_handle(struct sftp_call *call, struct sftp_listing *listing)
{
	struct sftp_ask ask = { .type = SFTP_CLOSE,
				.handle = &listing->handle };
	struct sftp_call other = *call;

	if (!listing->session)
		return;
	other.session = listing->session;
	sftp_call_tell(&other, &ask);
	sftp_session_unref(listing->session);
	listing->session = NULL;
}

static void listing_free(struct sftp_listing *listing)
{
	while (listing->own_count)
		free(listing->own[--listing->own_count]);
	sftp_session_unref(listing->session);
	store_page_release(&listing->rest);
	sftp_seen_release(&listing->seen);
	free(listing->key);
	free(listing);
}

static struct sftp_listing *listing_new(struct sftp *sftp, const char *key)
{
	struct sftp_listing *listing = calloc(1, sizeof(*listing));

	if (!listing)
		return NULL;
	store_page_init(&listing->rest);
	listing->key = strdup(key);
	if (!listing->key) {
		listing_free(listing);
		return NULL;
	}
	lock_take(&sftp->lock);
	listing->cursor = ++sftp->last_cursor;
	lock_drop(&sftp->lock);
	return listing;
}

static void park(struct sftp_call *call, struct sftp_listing *listing)
{
	struct sftp *sftp = call->sftp;
	struct sftp_listing **link, *last = NULL;

	lock_take(&sftp->lock);
	listing->next = sftp->parked;
	sftp->parked = listing;
	if (++sftp->parked_count > SFTP_PARKED_MAX) {
		link = &sftp->parked;
		while ((*link)->next)
			link = &(*link)->next;
		last = *link;
		*link = NULL;
		sftp->parked_count--;
	}
	lock_drop(&sftp->lock);
	if (last) {
		close_handle(call, last);
		listing_free(last);
	}
}

static struct sftp_listing *unpark(struct sftp *sftp, const char *cursor)
{
	uint64_t number = strtoull(cursor, NULL, 16);
	struct sftp_listing **link, *found;

	lock_take(&sftp->lock);
	link = &sftp->parked;
	while (*link && (*link)->cursor != number)
		link = &(*link)->next;
	found = *link;
	if (found) {
		*link = found->next;
		sftp->parked_count--;
	}
	lock_drop(&sftp->lock);
	return found;
}

void sftp_list_forget(struct sftp *sftp)
{
	while (sftp->parked) {
		struct sftp_listing *listing = sftp->parked;

		sftp->parked = listing->next;
		listing_free(listing);
	}
}

/* ---- opening ---- */

/* OPENDIR follows a symlink: it is looked at in the same round trip. */
static int open_folder(struct sftp_call *call, struct sftp_listing *listing)
{
	struct sftp_ask ask = { .type = SFTP_OPENDIR,
				.path = listing->path.text };
	struct sftp_looking looking = { .lstat = NULL };
	struct sftp_attributes there = { .mode = S_IFDIR };
	struct sftp_request *open;
	int code = sftp_parent_check(call, listing->key);

	if (!code && *listing->key)
		code = sftp_look_send(call, listing->path.text, &looking);
	if (!code)
		code = sftp_call_send(call, &ask, &open);
	if (code) {
		sftp_look_forget(call, &looking);
		return code;
	}
	if (looking.lstat)
		code = sftp_look_settle(call, &looking, &there, NULL);
	if (!code && !S_ISDIR(there.mode))
		code = store_error_set(call->error, STORE_NOT_DIR,
				       "is no folder");
	if (code) {
		struct store_error kept = *call->error;

		if (!sftp_call_handle(call, &open, &listing->handle)) {
			ask = (struct sftp_ask){ .type = SFTP_CLOSE,
						 .handle = &listing->handle };
			sftp_call_tell(call, &ask);
		}
		*call->error = kept;
		return code;
	}
	listing->stale = listing->seen.count + STALE_MAX;
	code = sftp_call_handle(call, &open, &listing->handle);
	if (!code)
		listing->session = sftp_session_ref(call->session);
	return code;
}

/* ---- reading ---- */

static int child_path(const struct sftp_listing *listing, const char *name,
		      struct sftp_path *path)
{
	const char *slash = strcmp(listing->path.text, "/") == 0 ? "" : "/";

	return snprintf(path->text, sizeof(path->text), "%s%s%s",
			listing->path.text, slash,
			name) < (int)sizeof(path->text)
		       ? STORE_OK
		       : STORE_INVALID;
}

/* Once in a listing: what cannot be mended now is there the next time. */
static void note_displaced(struct sftp_call *call, struct sftp_listing *listing,
			   const char *name)
{
	int64_t begun;
	enum sftp_owner owner = sftp_owner_of(call->sftp, name, &begun);
	bool replaced =
		strncmp(name, SFTP_REPLACED, strlen(SFTP_REPLACED)) == 0;

	/* Its owner may be at it. */
	if (!replaced && (owner == SFTP_OWNER_LIVES ||
			  (owner == SFTP_OWNER_ELSEWHERE &&
			   begun + SFTP_DISPLACED_AGE > time(NULL))))
		return;
	if (listing->own_count < OWN_MAX &&
	    sftp_seen_add(&listing->seen, call->sftp->seed, name) == 1)
		listing->own[listing->own_count++] = strdup(name);
}

/*
 * The time of a temporary says little by itself: its owner may have given it
 * that of the file that it is to become.
 */
static bool is_abandoned(struct sftp *sftp, const char *name,
			 const struct sftp_attributes *attributes)
{
	int64_t now = time(NULL), begun;
	enum sftp_owner owner = sftp_owner_of(sftp, name, &begun);

	if (owner != SFTP_OWNER_ELSEWHERE)
		return owner == SFTP_OWNER_DIED;
	return begun + SFTP_TEMPORARY_AGE < now &&
	       attributes->mask & SFTP_ATTR_TIMES &&
	       attributes->mtime + (int64_t)SFTP_TEMPORARY_AGE <
		       now - atomic_load(&sftp->behind);
}

static void note_own(struct sftp_call *call, struct sftp_listing *listing,
		     const char *name, const struct sftp_attributes *attributes)
{
	int64_t begun = clock_monotonic_ns();
	struct sftp_path path;
	struct sftp_ask ask = { .type = SFTP_REMOVE, .path = path.text };

	if (strncmp(name, SFTP_TEMPORARY, strlen(SFTP_TEMPORARY)) != 0) {
		note_displaced(call, listing, name);
		return;
	}
	if (!is_abandoned(call->sftp, name, attributes))
		return;
	if (listing->swept >= SWEPT_MAX || child_path(listing, name, &path))
		return;
	sftp_call_settle(call, &ask);
	/* The listing does not wait for a server that is slow at it. */
	if (clock_monotonic_ns() - begun > NS_PER_SEC)
		listing->swept = SWEPT_MAX;
	else
		listing->swept++;
}

bool sftp_is_hidden(const char *name, size_t length)
{
	return !length || length > STORE_NAME_MAX ||
	       memchr(name, '/', length) || memchr(name, '\0', length) ||
	       (length == 1 && name[0] == '.') ||
	       (length == 2 && name[0] == '.' && name[1] == '.');
}

static int add_entry(struct sftp_call *call, struct sftp_listing *listing,
		     const char *bytes, size_t length,
		     const struct sftp_attributes *attributes)
{
	const uint32_t all = SFTP_ATTR_MODE | SFTP_ATTR_SIZE | SFTP_ATTR_TIMES |
			     SFTP_ATTR_OWNER;
	char name[STORE_NAME_MAX + 1];
	struct store_info info;
	int fresh;

	if (sftp_is_hidden(bytes, length))
		return STORE_OK;
	memcpy(name, bytes, length);
	name[length] = '\0';
	if (sftp_is_own_name(name)) {
		note_own(call, listing, name, attributes);
		return STORE_OK;
	}
	fresh = sftp_seen_add(&listing->seen, call->sftp->seed, name);
	if (!fresh)
		return STORE_OK;
	sftp_info_of(call->sftp, attributes, &info);
	if (fresh < 0 || store_page_add(&listing->rest, name, &info,
					(attributes->mask & all) == all))
		return store_error_errno(call->error, ENOMEM, "list");
	return STORE_OK;
}

static int check_end(struct sftp_call *call, struct sftp_listing *listing,
		     size_t before)
{
	if (listing->seen.count > NAMES_MAX)
		return store_error_set(call->error, STORE_CORRUPT,
				       "the folder does not end after %d names",
				       NAMES_MAX);
	if (listing->seen.count > before || listing->stale--)
		return STORE_OK;
	return store_error_set(call->error, STORE_CORRUPT,
			       "the server tells the same names again and "
			       "again");
}

static int take_names(struct sftp_call *call, struct sftp_listing *listing,
		      struct sftp_body *body)
{
	size_t before = listing->seen.count;
	uint32_t count;
	int code = STORE_OK;

	/* The end of the folder comes without a body. */
	if (!body->data) {
		listing->ended = true;
		return STORE_OK;
	}
	count = sftp_take_u32(body);
	while (!code && count-- && !body->bad) {
		struct sftp_attributes attributes;
		size_t length, words;
		const char *name = sftp_take_string(body, &length);

		sftp_take_string(body, &words);
		sftp_take_attributes(body, &attributes);
		if (!body->bad)
			code = add_entry(call, listing, name, length,
					 &attributes);
	}
	if (!code)
		code = sftp_body_check(body, "NAME", call->error);
	return code ? code : check_end(call, listing, before);
}

static size_t waiting(const struct sftp_listing *listing)
{
	return listing->rest.count;
}

static int read_names(struct sftp_call *call, struct sftp_listing *listing,
		      size_t wanted)
{
	struct sftp_ask ask = { .type = SFTP_READDIR,
				.handle = &listing->handle };
	struct sftp_request *requests[AHEAD];
	size_t sent = 0, taken = 0;
	int code = STORE_OK;

	while (!code && (sent > taken ||
			 (!listing->ended && waiting(listing) < wanted))) {
		while (!code && sent - taken < AHEAD && !listing->ended &&
		       waiting(listing) < wanted) {
			code = sftp_call_send(call, &ask,
					      &requests[sent % AHEAD]);
			sent += !code;
		}
		if (!code)
			code = sftp_call_wait(call, requests[taken % AHEAD]);
		if (!code)
			code = take_names(
				call, listing,
				sftp_request_body(requests[taken % AHEAD]));
		if (!code)
			sftp_call_forget(call, &requests[taken++ % AHEAD]);
	}
	while (taken < sent)
		sftp_call_forget(call, &requests[taken++ % AHEAD]);
	return code;
}

/* ---- what READDIR did not tell ---- */

static int send_look(struct sftp_call *call, struct sftp_listing *listing,
		     size_t index, struct sftp_looking *looking)
{
	struct sftp_path path;

	if (child_path(listing, listing->rest.entries[index].name, &path))
		return store_error_errno(call->error, ENAMETOOLONG, "list");
	return sftp_look_send(call, path.text, looking);
}

static int settle_look(struct sftp_call *call, struct sftp_listing *listing,
		       size_t index, struct sftp_looking *looking)
{
	struct store_entry *entry = &listing->rest.entries[index];
	struct sftp_attributes attributes;
	int code = sftp_look_settle(call, looking, &attributes, NULL);

	if (code == STORE_NOT_FOUND || code == STORE_DENIED) {
		store_error_clear(call->error);
		return STORE_OK;
	}
	if (code)
		return code;
	sftp_info_of(call->sftp, &attributes, &entry->info);
	entry->complete = true;
	return STORE_OK;
}

/* Each entry of a careful server is looked at, a window of them at once. */
static int check_entries(struct sftp_call *call, struct sftp_listing *listing)
{
	struct sftp_looking window[WINDOW];
	size_t end = listing->rest.count, sent = listing->checked;
	size_t taken = sent;
	int code = STORE_OK;

	if (!atomic_load(&call->sftp->careful) ||
	    call->sftp->settings.follow_symlinks)
		return STORE_OK;
	while (!code && taken < end) {
		while (!code && sent < end && sent - taken < WINDOW) {
			code = send_look(call, listing, sent,
					 &window[sent % WINDOW]);
			sent += !code;
		}
		if (!code)
			code = settle_look(call, listing, taken,
					   &window[taken % WINDOW]);
		if (!code)
			taken++;
	}
	listing->checked = taken;
	for (; taken < sent; taken++)
		sftp_look_forget(call, &window[taken % WINDOW]);
	return code;
}

/* ---- pages ---- */

static int fill_once(struct sftp_call *call, struct sftp_listing *listing,
		     size_t limit)
{
	int code = STORE_OK;

	if (!listing->ended && listing->session) {
		sftp_call_release(call);
		call->session = sftp_session_ref(listing->session);
	}
	if (!listing->ended && !listing->session)
		code = open_folder(call, listing);
	if (!code && !listing->ended)
		code = read_names(call, listing, limit);
	if (!code)
		code = check_entries(call, listing);
	/* Answers that are on their way take names with them. */
	if (code)
		close_handle(call, listing);
	return code;
}

/* However long the folder, no more is kept of it than is still to be told. */
static void drop_told(struct sftp_listing *listing, size_t told)
{
	struct store_page *rest = &listing->rest;

	for (size_t i = 0; i < told; i++)
		free(rest->entries[i].name);
	rest->count -= told;
	if (rest->count)
		memmove(rest->entries, rest->entries + told,
			rest->count * sizeof(*rest->entries));
	listing->checked -= listing->checked < told ? listing->checked : told;
}

/* `limit` entries of what is there, in the order they came. */
static int hand_over(struct sftp_listing *listing, size_t limit,
		     struct store_page *page, struct store_error *error)
{
	size_t end = listing->rest.count;

	if (end > limit)
		end = limit;
	for (size_t i = 0; i < end; i++) {
		const struct store_entry *entry = &listing->rest.entries[i];

		if (store_page_add(page, entry->name, &entry->info,
				   entry->complete))
			return store_error_errno(error, ENOMEM, "list");
	}
	drop_told(listing, end);
	return STORE_OK;
}

/* Has a name come back? */
static bool mend_all(struct sftp_call *call, struct sftp_listing *listing)
{
	bool back = false;

	while (listing->own_count) {
		char *name = listing->own[--listing->own_count];

		if (name)
			back |= sftp_mend(call, listing->path.text, name);
		free(name);
	}
	return back;
}

static int set_cursor(const struct sftp_listing *listing,
		      struct store_page *page, struct store_error *error)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIx64, listing->cursor);
	page->next = strdup(text);
	return page->next ? STORE_OK : store_error_errno(error, ENOMEM, "list");
}

static int list_page(struct sftp_call *call, struct sftp_listing *listing,
		     const struct backend_list_request *request,
		     struct store_page *page)
{
	bool back;
	int code;

	do {
		do
			code = fill_once(call, listing, request->limit);
		while (sftp_call_again(call, &code));
		/* What came back has to be seen. */
		back = !code && mend_all(call, listing);
		if (back) {
			close_handle(call, listing);
			listing->ended = false;
		}
	} while (back);
	if (!code)
		code = hand_over(listing, request->limit, page, call->error);
	if (!code && (waiting(listing) || !listing->ended))
		code = set_cursor(listing, page, call->error);
	return code;
}

static int begin_listing(struct sftp *sftp,
			 const struct backend_list_request *request,
			 struct sftp_listing **result,
			 struct store_error *error)
{
	struct sftp_listing *listing;
	int code;

	if (request->cursor) {
		*result = unpark(sftp, request->cursor);
		return *result ? STORE_OK
			       : store_error_set(error, STORE_CHANGED,
						 "the listing is no longer "
						 "held");
	}
	listing = listing_new(sftp, request->prefix);
	if (!listing)
		return store_error_errno(error, ENOMEM, "list");
	code = sftp_path_of(sftp, request->prefix, &listing->path, error);
	if (code) {
		listing_free(listing);
		return store_error_set(error, STORE_NOT_FOUND,
				       "a name of the store's own");
	}
	*result = listing;
	return STORE_OK;
}

/* A root that is yet to come is an empty folder; a file is none. */
static int explain(struct sftp_call *call,
		   const struct backend_list_request *request,
		   const struct sftp_listing *listing, int code)
{
	struct store_error kept = *call->error;
	struct sftp_attributes there;

	if (code == STORE_NOT_FOUND && !*request->prefix)
		return sftp_root_missing(call);
	if (!sftp_call_says_nothing(call, code) ||
	    sftp_look(call, listing->path.text, &there, NULL) ||
	    S_ISDIR(there.mode)) {
		*call->error = kept;
		return code;
	}
	return store_error_set(call->error, STORE_NOT_DIR, "is no folder");
}

int sftp_list(void *self, struct store_context *context,
	      const struct backend_list_request *request,
	      struct store_page *page, struct store_error *error)
{
	struct sftp_listing *listing;
	struct sftp_call call;
	int code = begin_listing(self, request, &listing, error);

	if (code)
		return code;
	sftp_call_init(&call, self, context, error);
	code = list_page(&call, listing, request, page);
	if (code && !request->cursor)
		code = explain(&call, request, listing, code);
	if (page->next || (code && request->cursor)) {
		park(&call, listing);
	} else {
		close_handle(&call, listing);
		listing_free(listing);
	}
	sftp_call_release(&call);
	return code;
}

/* ---- what is the store's own ---- */

bool sftp_clear_own(struct sftp_call *call, const char *path)
{
	struct sftp_listing *listing = listing_new(call->sftp, "");
	struct store_error kept = *call->error;
	bool clear = false;

	if (!listing)
		return false;
	snprintf(listing->path.text, sizeof(listing->path.text), "%s", path);
	if (!open_folder(call, listing) && !read_names(call, listing, 1)) {
		clear = listing->ended && !listing->rest.count;
		mend_all(call, listing);
	}
	close_handle(call, listing);
	listing_free(listing);
	*call->error = kept;
	return clear;
}
