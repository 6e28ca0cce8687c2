// SPDX-License-Identifier: MIT
/*
 * See listed.h. Called by ops_dir.c and ops_name.c; calls the store.
 *
 * An entry is TOLD by its listing, then ASKED for by one thread, for which
 * others wait, then ANSWERED. Who asks has a pass of the gate before, so that
 * nobody who has one waits for somebody who wants one.
 */
#include "config.h"

#include "mount/listed.h"

#include <stdlib.h>
#include <string.h>

#include "src/base/clock.h"

enum {
	PAGES = 64,
	ENTRIES_MAX = 4096, /* of all pages, but for the newest */
	THREADS = 64,
	IN_ORDER = 2, /* looks one after the other, before it is a habit */
	SKIPPED = 16, /* entries between two of them, at most */
	AHEAD_MIN = 16,
	AHEAD_MAX = 512,
};
/* That a name is not that of a folder is believed for so long. */
#define TYPE_LASTS_NS (60 * NS_PER_SEC)
/* Cancelling does not signal a condition: look this often. */
#define LOOK_AGAIN_NS (20 * NS_PER_MS)

enum seen_state { SEEN_TOLD, SEEN_ASKED, SEEN_ANSWERED };

struct seen {
	char *name; /* owned */
	struct store_info info;
	enum seen_state state;
	int64_t asked_ns; /* SEEN_ANSWERED: when the store was asked */
};

struct page {
	struct page *next;   /* the newest first */
	struct node *folder; /* a reference */
	int64_t asked_ns;
	unsigned int users; /* threads, and the list it is on */
	size_t last, ahead; /* the last look, and how far is asked for */
	unsigned int in_order;
	size_t window;
	int64_t batch_ns; /* when more was asked for last */
	size_t count;
	size_t *by_name;
	struct seen *entries; /* in the order of the listing */
};

struct question {
	struct question *next;
	struct page *page; /* used */
	size_t at;
};

struct listed {
	struct fs *fs;
	struct store_cancel *cancel;
	struct lock lock;
	struct condition work, answered;
	/* protected by `lock` */
	struct page *pages;
	struct question *first, **last;
	unsigned int queued, idle;
	bool stopping;
	unsigned int thread_count;
	pthread_t threads[THREADS];
};

/* ---- pages ---- */

static void page_free(struct listed *listed, struct page *page)
{
	struct tree *tree = &listed->fs->tree;

	lock_take(&tree->lock);
	node_unref(tree, page->folder);
	lock_drop(&tree->lock);
	for (size_t i = 0; i < page->count; i++)
		free(page->entries[i].name);
	free(page->entries);
	free(page->by_name);
	free(page);
}

/* True: the caller frees it, without the lock. */
static bool page_leave_locked(struct page *page)
{
	return --page->users == 0;
}

static void page_leave(struct listed *listed, struct page *page)
{
	bool unused;

	lock_take(&listed->lock);
	unused = page_leave_locked(page);
	lock_drop(&listed->lock);
	if (unused)
		page_free(listed, page);
}

static int compare_names(const void *left, const void *right, void *arg)
{
	const struct seen *entries = arg;

	return strcmp(entries[*(const size_t *)left].name,
		      entries[*(const size_t *)right].name);
}

static struct page *page_new(const struct store_page *from, int64_t asked_ns)
{
	struct page *page = calloc(1, sizeof(*page));

	if (!page)
		return NULL;
	page->entries = calloc(from->count, sizeof(*page->entries));
	page->by_name = calloc(from->count, sizeof(*page->by_name));
	for (size_t i = 0; page->entries && i < from->count; i++) {
		const struct store_entry *entry = &from->entries[i];

		if (entry->complete)
			continue;
		page->entries[page->count].info = entry->info;
		page->entries[page->count].name = strdup(entry->name);
		if (!page->entries[page->count].name)
			break;
		page->count++;
	}
	page->users = 1;
	page->asked_ns = asked_ns;
	page->window = AHEAD_MIN;
	page->batch_ns = asked_ns;
	if (!page->by_name)
		return page;
	for (size_t i = 0; i < page->count; i++)
		page->by_name[i] = i;
	qsort_r(page->by_name, page->count, sizeof(*page->by_name),
		compare_names, page->entries);
	return page;
}

static const char *name_at(const struct page *page, size_t place)
{
	return page->entries[page->by_name[place]].name;
}

/*
 * The entry of that name, NULL: not told. A name that is shown twice is that of
 * a file and a folder; what is there the store has to tell.
 */
static struct seen *page_find(const struct page *page, const char *name)
{
	size_t low = 0, high = page->count;

	if (!page->by_name)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(name_at(page, middle), name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == page->count || strcmp(name_at(page, low), name) != 0)
		return NULL;
	if (low + 1 < page->count && !strcmp(name_at(page, low + 1), name))
		return NULL;
	return &page->entries[page->by_name[low]];
}

/* May what was asked for at `asked_ns` still be told? */
static bool is_fresh(const struct fs *fs, int64_t asked_ns, int64_t lasts_ns)
{
	return asked_ns >= atomic_load(&fs->refreshed_ns) &&
	       clock_monotonic_ns() - asked_ns <= lasts_ns;
}

/* The newest page that shows the name. */
static struct page *find_locked(struct listed *listed,
				const struct node *folder, const char *name,
				struct seen **seen) REQUIRES(listed->lock)
{
	for (struct page *page = listed->pages; page; page = page->next) {
		if (page->folder != folder ||
		    !is_fresh(listed->fs, page->asked_ns, TYPE_LASTS_NS))
			continue;
		*seen = page_find(page, name);
		if (*seen)
			return page;
	}
	return NULL;
}

/* Off the list: pages that are too many. */
static struct page *cut_locked(struct listed *listed) REQUIRES(listed->lock)
{
	struct page **link = &listed->pages, *cut = NULL;
	size_t pages = 0, entries = 0;

	while (*link) {
		struct page *page = *link;

		entries += page->count;
		if (!pages++ || (pages <= PAGES && entries <= ENTRIES_MAX)) {
			link = &page->next;
			continue;
		}
		*link = page->next;
		page->next = cut;
		cut = page;
	}
	return cut;
}

static void leave_all(struct listed *listed, struct page *pages)
{
	struct page *next;

	for (; pages; pages = next) {
		next = pages->next;
		page_leave(listed, pages);
	}
}

void listed_note(struct listed *listed, struct node *folder,
		 const struct store_page *from, int64_t asked_ns)
{
	struct tree *tree;
	struct page *page, *cut;

	page = listed && from->count ? page_new(from, asked_ns) : NULL;
	if (!page)
		return;
	tree = &listed->fs->tree;
	lock_take(&tree->lock);
	node_ref(tree, folder);
	lock_drop(&tree->lock);
	page->folder = folder;
	lock_take(&listed->lock);
	page->next = listed->pages;
	listed->pages = page;
	cut = cut_locked(listed);
	lock_drop(&listed->lock);
	leave_all(listed, cut);
}

/* ---- what memory knows ---- */

struct node *listed_known(struct fs *fs, struct node *folder, const char *name,
			  const struct store_info *shown, int64_t asked_ns)
{
	const struct name *known = tree_find_name(&fs->tree, folder, name);

	if (!known || shown->type != STORE_TYPE_FILE ||
	    !is_fresh(fs, asked_ns, fs->options->attr_timeout_ns) ||
	    !node_confirm(known->node, shown, asked_ns))
		return NULL;
	return known->node;
}

/* ---- asking ---- */

/* Only who has a pass of the gate asks. */
static int ask(struct listed *listed, struct store_context *context,
	       const char *key, struct seen *seen, struct store_error *error)
{
	int64_t asked_ns = clock_monotonic_ns();
	struct store_info info;
	int code = store_stat_listed(listed->fs->store, context, key,
				     seen->info.type, &info, error);

	lock_take(&listed->lock);
	seen->state = code ? SEEN_TOLD : SEEN_ANSWERED;
	if (!code) {
		seen->info = info;
		seen->asked_ns = asked_ns;
	}
	condition_broadcast(&listed->answered);
	lock_drop(&listed->lock);
	return code;
}

/* Nobody needs it: memory knows, or somebody has asked. */
static bool begin_asking(struct listed *listed, struct page *page,
			 struct seen *seen)
{
	struct store_info shown;
	bool known, mine;

	lock_take(&listed->lock);
	mine = seen->state == SEEN_TOLD && !listed->stopping;
	shown = seen->info;
	lock_drop(&listed->lock);
	if (!mine)
		return false;
	lock_take(&listed->fs->tree.lock);
	known = listed_known(listed->fs, page->folder, seen->name, &shown,
			     page->asked_ns);
	lock_drop(&listed->fs->tree.lock);
	if (known)
		return false;
	lock_take(&listed->lock);
	mine = seen->state == SEEN_TOLD;
	if (mine)
		seen->state = SEEN_ASKED;
	lock_drop(&listed->lock);
	return mine;
}

static void ask_ahead(struct listed *listed, struct page *page,
		      struct seen *seen)
{
	struct fs *fs = listed->fs;
	struct gate_pass pass = { .nodes = { page->folder }, .looks = true };
	struct store_error error = STORE_ERROR_INIT;
	struct store_context context;
	char key[STORE_KEY_MAX + 1];
	int code;

	store_context_init(&context, fs->options->op_timeout_ns,
			   listed->cancel);
	code = gate_enter(&fs->gate, &pass, &context, &error);
	if (!code) {
		lock_take(&fs->tree.lock);
		code = node_key(&fs->tree, page->folder, seen->name, key,
				&error);
		lock_drop(&fs->tree.lock);
	}
	/* Who wants to know hears of a failure when he asks himself. */
	if (!code && begin_asking(listed, page, seen))
		(void)!ask(listed, &context, key, seen, &error);
	gate_leave(&fs->gate, &pass);
	store_error_clear(&error);
}

static struct question *take_locked(struct listed *listed)
	REQUIRES(listed->lock)
{
	struct question *question = listed->first;

	if (!question)
		return NULL;
	listed->first = question->next;
	if (!listed->first)
		listed->last = &listed->first;
	listed->queued--;
	return question;
}

static void *worker(void *arg)
{
	struct listed *listed = arg;

	lock_take(&listed->lock);
	while (!listed->stopping) {
		struct question *question = take_locked(listed);

		if (!question) {
			listed->idle++;
			condition_wait(&listed->work, &listed->lock);
			listed->idle--;
			continue;
		}
		lock_drop(&listed->lock);
		ask_ahead(listed, question->page,
			  &question->page->entries[question->at]);
		page_leave(listed, question->page);
		free(question);
		lock_take(&listed->lock);
	}
	lock_drop(&listed->lock);
	return NULL;
}

static void queue_locked(struct listed *listed, struct page *page, size_t at)
	REQUIRES(listed->lock)
{
	struct question *question = malloc(sizeof(*question));
	pthread_t *thread = &listed->threads[listed->thread_count];

	if (!question)
		return;
	*question = (struct question){ .page = page, .at = at };
	page->users++;
	*listed->last = question;
	listed->last = &question->next;
	if (++listed->queued > listed->idle && listed->thread_count < THREADS &&
	    !pthread_create(thread, NULL, worker, listed))
		listed->thread_count++;
	condition_signal(&listed->work);
}

/* An answer is of use for a while: what half of that is enough for is asked. */
static void fit_window_locked(const struct listed *listed, struct page *page)
	REQUIRES(listed->lock)
{
	int64_t now = clock_monotonic_ns(), took = now - page->batch_ns;
	int64_t lasts = listed->fs->options->attr_timeout_ns;

	if (took > lasts / 2 && page->window > AHEAD_MIN)
		page->window /= 2;
	else if (took < lasts / 4 && page->window < AHEAD_MAX)
		page->window *= 2;
	page->batch_ns = now;
}

/* Somebody looks at this entry: at one after the other, as they were listed? */
static void note_look_locked(struct listed *listed, struct page *page,
			     const struct seen *seen) REQUIRES(listed->lock)
{
	size_t at = (size_t)(seen - page->entries), until;

	if (at >= page->last && at <= page->last + SKIPPED)
		page->in_order++;
	else
		page->in_order = 0;
	page->last = at;
	if (page->in_order < IN_ORDER || listed->stopping)
		return;
	if (page->ahead <= at)
		page->ahead = at + 1;
	/* In batches: half a window is consumed before more is asked for. */
	if (page->ahead - at > page->window / 2)
		return;
	fit_window_locked(listed, page);
	until = at + 1 + page->window;
	if (until > page->count)
		until = page->count;
	for (; page->ahead < until; page->ahead++)
		if (page->entries[page->ahead].state == SEEN_TOLD)
			queue_locked(listed, page, page->ahead);
}

static int await_locked(struct listed *listed, const struct seen *seen,
			struct store_context *context,
			struct store_error *error) REQUIRES(listed->lock)
{
	int code = STORE_OK;

	while (!code && seen->state == SEEN_ASKED) {
		condition_wait_until(&listed->answered, &listed->lock,
				     clock_monotonic_ns() + LOOK_AGAIN_NS);
		if (seen->state == SEEN_ASKED)
			code = store_context_check(context, error);
	}
	return code;
}

static int look(struct op *op, struct seen *seen, const char *key,
		struct store_info *info)
{
	struct listed *listed = op->fs->listed;
	bool answered, mine;
	int code;

	lock_take(&listed->lock);
	code = await_locked(listed, seen, &op->context, &op->error);
	answered = !code && seen->state == SEEN_ANSWERED &&
		   is_fresh(op->fs, seen->asked_ns,
			    op->fs->options->attr_timeout_ns);
	mine = !code && !answered && seen->state != SEEN_ASKED;
	if (mine)
		seen->state = SEEN_ASKED;
	lock_drop(&listed->lock);
	if (mine)
		code = ask(listed, &op->context, key, seen, &op->error);
	if (code)
		return code;
	lock_take(&listed->lock);
	*info = seen->info;
	op->started_ns = seen->asked_ns;
	lock_drop(&listed->lock);
	return STORE_OK;
}

int listed_stat(struct op *op, struct node *folder, const char *name,
		const char *key, struct store_info *info)
{
	struct listed *listed = op->fs->listed;
	struct page *page = NULL;
	struct seen *seen;
	int code;

	if (listed) {
		lock_take(&listed->lock);
		page = find_locked(listed, folder, name, &seen);
		if (page)
			page->users++;
		lock_drop(&listed->lock);
	}
	if (!page) {
		op->started_ns = clock_monotonic_ns();
		return store_stat(op->fs->store, &op->context, key, info,
				  &op->error);
	}
	code = look(op, seen, key, info);
	page_leave(listed, page);
	return code;
}

/* ---- telling ---- */

bool listed_shows(struct listed *listed, const struct node *folder,
		  const char *name)
{
	struct seen *seen;
	bool shown;

	if (!listed)
		return false;
	lock_take(&listed->lock);
	shown = find_locked(listed, folder, name, &seen);
	lock_drop(&listed->lock);
	return shown;
}

bool listed_lookup(struct op *op, struct node *folder, const char *name,
		   struct fuse_entry_param *entry)
{
	struct listed *listed = op->fs->listed;
	struct store_info shown;
	int64_t asked_ns = 0;
	struct seen *seen;
	struct page *page;
	struct node *node;

	if (!listed)
		return false;
	lock_take(&listed->lock);
	page = find_locked(listed, folder, name, &seen);
	if (page) {
		note_look_locked(listed, page, seen);
		shown = seen->info;
		asked_ns = page->asked_ns;
	}
	lock_drop(&listed->lock);
	if (!page)
		return false;
	lock_take(&op->fs->tree.lock);
	node = listed_known(op->fs, folder, name, &shown, asked_ns);
	if (node)
		fs_fill_entry(op->fs, node, entry);
	lock_drop(&op->fs->tree.lock);
	return node;
}

/* ---- life ---- */

struct listed *listed_new(struct fs *fs)
{
	struct listed *listed = calloc(1, sizeof(*listed));

	if (!listed)
		return NULL;
	listed->cancel = store_cancel_new();
	if (!listed->cancel) {
		free(listed);
		return NULL;
	}
	listed->fs = fs;
	listed->last = &listed->first;
	lock_init(&listed->lock);
	condition_init(&listed->work);
	condition_init(&listed->answered);
	return listed;
}

void listed_stop(struct listed *listed)
{
	struct question *question;
	struct page *pages;

	if (!listed)
		return;
	store_cancel_trigger(listed->cancel);
	lock_take(&listed->lock);
	listed->stopping = true;
	condition_broadcast(&listed->work);
	lock_drop(&listed->lock);
	for (unsigned int i = 0; i < listed->thread_count; i++)
		pthread_join(listed->threads[i], NULL);
	listed->thread_count = 0;
	lock_take(&listed->lock);
	question = listed->first;
	listed->first = NULL;
	pages = listed->pages;
	listed->pages = NULL;
	lock_drop(&listed->lock);
	while (question) {
		struct question *next = question->next;

		page_leave(listed, question->page);
		free(question);
		question = next;
	}
	leave_all(listed, pages);
}

void listed_free(struct listed *listed)
{
	if (!listed)
		return;
	condition_destroy(&listed->answered);
	condition_destroy(&listed->work);
	lock_destroy(&listed->lock);
	store_cancel_free(listed->cancel);
	free(listed);
}
