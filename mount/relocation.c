// SPDX-License-Identifier: MIT
/*
 * Renames by copies: who asks, who waits, what is hidden; see relocation.h.
 * Called by ops_*.c; calls relocation_steps.c from a thread of its own for
 * each, as it may go on when who asked has been answered.
 *
 * Lock: relocations.lock, for the list and for what is told of each; nothing
 * is taken under it.
 */
#include "config.h"

#include "mount/relocation_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/log.h"
#include "src/base/step.h"

/* Cancelling does not signal a condition: look this often. */
#define LOOK_NS (20 * NS_PER_MS)
/* How long an interrupted caller waits for the outcome. */
#define PATIENCE_NS (700 * NS_PER_MS)
/* Between two tries to clear up. */
#define PAUSE_NS NS_PER_SEC
#define PAUSE_MAX_NS (60 * NS_PER_SEC)

/* Refusals that are no passing ones. */
enum { REFUSED_MAX = 5 };

enum { ENDED = 8 };

/* A name that was hidden, and has been emptied. */
struct ended {
	const struct node *parent; /* to compare, no reference */
	char name[STORE_NAME_MAX + 1];
	int64_t ns;
};

struct relocations {
	struct lock lock;
	struct condition changed;
	/* protected by `lock` */
	struct relocation *first;
	unsigned int threads;
	bool stopping;
	struct ended ended[ENDED]; /* the last ones, as a ring */
	size_t ended_count;
};

int relocations_start(struct fs *fs, struct store_error *error)
{
	struct relocations *all = calloc(1, sizeof(*all));

	if (!all)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for renames");
	lock_init(&all->lock);
	condition_init(&all->changed);
	fs->relocations = all;
	return STORE_OK;
}

static size_t count_running(struct relocations *all)
{
	size_t count = 0;

	lock_take(&all->lock);
	for (const struct relocation *one = all->first; one; one = one->next)
		count++;
	lock_drop(&all->lock);
	return count;
}

size_t relocations_count(struct fs *fs)
{
	return fs->relocations ? count_running(fs->relocations) : 0;
}

unsigned int relocations_drain(struct fs *fs, struct store_context *context)
{
	size_t left = relocations_count(fs);

	while (left && !store_context_sleep(context, LOOK_NS, NULL))
		left = relocations_count(fs);
	return (unsigned int)left;
}

bool relocation_is_possible(const struct fs *fs)
{
	const uint64_t needed = STORE_CAP_PUBLISH_ID | STORE_CAP_READ |
				STORE_CAP_WRITE | STORE_CAP_DELETE |
				STORE_CAP_LIST | STORE_CAP_METADATA;

	return fs->relocations && (fs->capabilities & needed) == needed;
}

/* ---- hiding ---- */

static void note_ended_locked(struct relocations *all,
			      const struct relocation *one)
{
	struct ended *ended = &all->ended[all->ended_count++ % ENDED];

	ended->parent = one->hidden_in;
	snprintf(ended->name, sizeof(ended->name), "%s", one->hidden);
	ended->ns = clock_monotonic_ns();
}

void relocation_hide(struct relocation *one, const struct node *parent,
		     const char *name)
{
	struct relocations *all = one->fs->relocations;

	lock_take(&all->lock);
	/* When another is hidden instead, this one holds now. */
	if (one->hidden && !name)
		note_ended_locked(all, one);
	one->hidden_in = parent;
	one->hidden = name;
	condition_broadcast(&all->changed);
	lock_drop(&all->lock);
}

static bool hides_locked(const struct relocations *all,
			 const struct node *parent, const char *name)
{
	for (const struct relocation *one = all->first; one; one = one->next)
		if (one->hidden && one->hidden_in == parent &&
		    strcmp(one->hidden, name) == 0)
			return true;
	return false;
}

bool relocation_hides(struct fs *fs, const struct node *parent,
		      const char *name)
{
	return relocation_hid(fs, parent, name, INT64_MAX);
}

static bool hid_locked(const struct relocations *all, const struct node *parent,
		       const char *name, int64_t since_ns)
{
	for (size_t i = 0; i < ENDED; i++) {
		const struct ended *ended = &all->ended[i];

		if (ended->parent == parent && ended->ns >= since_ns &&
		    strcmp(ended->name, name) == 0)
			return true;
	}
	return false;
}

bool relocation_hid(struct fs *fs, const struct node *parent, const char *name,
		    int64_t since_ns)
{
	struct relocations *all = fs->relocations;
	bool hid;

	if (!all)
		return false;
	lock_take(&all->lock);
	hid = hides_locked(all, parent, name) ||
	      hid_locked(all, parent, name, since_ns);
	lock_drop(&all->lock);
	return hid;
}

int relocation_wait(struct op *op, const struct node *parent, const char *name)
{
	struct relocations *all = op->fs->relocations;
	int code = STORE_OK;

	if (!all)
		return STORE_OK;
	lock_take(&all->lock);
	while (!code && hides_locked(all, parent, name)) {
		int64_t moved = atomic_load(&op->fs->gate.moved_ns);

		if (moved > op->context.progress_ns)
			op->context.progress_ns = moved;
		code = store_context_check(&op->context, &op->error);
		if (!code)
			condition_wait_until(&all->changed, &all->lock,
					     clock_monotonic_ns() + LOOK_NS);
	}
	lock_drop(&all->lock);
	return code;
}

/* ---- life ---- */

static void relocation_free(struct relocation *one)
{
	struct tree *tree = &one->fs->tree;

	victim_release(one->fs, &one->source);
	victim_release(one->fs, &one->target);
	lock_take(&tree->lock);
	node_unref(tree, one->parent);
	node_unref(tree, one->new_parent);
	lock_drop(&tree->lock);
	store_cancel_free(one->cancel);
	store_cancel_free(one->stop);
	free(one->record.from);
	free(one->record.to);
	free(one->spare);
	free(one->name);
	free(one->new_name);
	free(one);
}

static void victim_copy(struct fs *fs, struct victim *copy,
			const struct victim *victim)
{
	*copy = *victim;
	if (copy->file)
		file_ref(copy->file);
	lock_take(&fs->tree.lock);
	if (copy->node)
		node_ref(&fs->tree, copy->node);
	lock_drop(&fs->tree.lock);
}

static struct relocation *
relocation_new(struct fs *fs, const struct relocation_request *request)
{
	struct relocation *one = calloc(1, sizeof(*one));

	if (!one)
		return NULL;
	one->fs = fs;
	one->op.fs = fs;
	one->replace = request->replace;
	one->parent = request->parent;
	one->new_parent = request->new_parent;
	lock_take(&fs->tree.lock);
	node_ref(&fs->tree, one->parent);
	node_ref(&fs->tree, one->new_parent);
	lock_drop(&fs->tree.lock);
	victim_copy(fs, &one->source, request->source);
	victim_copy(fs, &one->target, request->target);
	one->name = strdup(request->name);
	one->new_name = strdup(request->new_name);
	one->spare = tree_new_name(request->new_name);
	one->cancel = store_cancel_new();
	one->stop = store_cancel_new();
	one->holders = 2;
	if (one->name && one->new_name && one->spare && one->cancel &&
	    one->stop)
		return one;
	relocation_free(one);
	return NULL;
}

static void relocation_put(struct relocation *one)
{
	struct relocations *all = one->fs->relocations;
	bool last;

	lock_take(&all->lock);
	last = --one->holders == 0;
	lock_drop(&all->lock);
	if (last)
		relocation_free(one);
}

/* ---- its thread ---- */

/* Has it failed, with its one copy perhaps in the store all the same? */
static bool is_in_doubt(const struct relocation *one)
{
	return one->noted && !one->switched && one->record.over &&
	       !one->record.folder;
}

static void decide(struct relocation *one, int code)
{
	struct relocations *all = one->fs->relocations;

	lock_take(&all->lock);
	one->decided = !code || !is_in_doubt(one);
	one->code = code;
	one->error = one->op.error;
	condition_broadcast(&all->changed);
	lock_drop(&all->lock);
}

/* It was undone, or has taken place after all; or nobody can tell. */
static void decide_again(struct relocation *one)
{
	struct relocations *all = one->fs->relocations;

	lock_take(&all->lock);
	if (one->kept)
		one->code = STORE_OK;
	one->decided = true;
	condition_broadcast(&all->changed);
	lock_drop(&all->lock);
}

bool relocation_bind(struct relocation *one)
{
	struct relocations *all = one->fs->relocations;
	bool bound;

	lock_take(&all->lock);
	bound = one->bound = !one->refused;
	lock_drop(&all->lock);
	return bound;
}

void relocation_let_answer(struct relocation *one)
{
	struct relocations *all = one->fs->relocations;

	lock_take(&all->lock);
	one->answerable = true;
	condition_broadcast(&all->changed);
	lock_drop(&all->lock);
}

/* The names are as durable as the record that tells of it. */
static int clear_once(struct relocation *one)
{
	int code = one->switched ? relocation_clear(one) : relocation_undo(one);

	return code ? code : relocation_sync(&one->carry, &one->op.error);
}

/* Room comes back as the store does. */
static bool may_pass(int code)
{
	return store_code_retryable(code) || code == STORE_NO_SPACE ||
	       code == STORE_NO_MEMORY;
}

/* What is passing is tried until it works, anything else a few times. */
static bool clear_up(struct relocation *one)
{
	int64_t pause = PAUSE_NS;

	for (int refused = 0;;) {
		struct store_context context;
		int code;

		store_error_clear(&one->op.error);
		code = clear_once(one);
		decide_again(one);
		if (!code)
			return true;
		if (store_cancel_is_set(one->stop))
			return false;
		log_warn("%s: renaming it to %s: clearing up: %s",
			 one->record.from, one->record.to,
			 one->op.error.message);
		refused += !may_pass(code);
		if (refused == REFUSED_MAX) {
			log_error("%s: renaming it to %s: what is left stays "
				  "under both names",
				  one->record.from, one->record.to);
			return true;
		}
		relocation_let_answer(one);
		store_context_init(&context, 0, one->stop);
		if (store_context_sleep(&context, pause, NULL))
			return false;
		pause = pause < PAUSE_MAX_NS / 2 ? pause * 2 : PAUSE_MAX_NS;
	}
}

static void unlink_locked(struct relocations *all, const struct relocation *one)
{
	struct relocation **link = &all->first;

	while (*link != one)
		link = &(*link)->next;
	*link = one->next;
}

/* The end of its thread. */
static void leave(struct relocation *one)
{
	struct relocations *all = one->fs->relocations;

	relocation_end(one);
	lock_take(&all->lock);
	unlink_locked(all, one);
	one->answerable = true;
	condition_broadcast(&all->changed);
	lock_drop(&all->lock);
	relocation_put(one);
	lock_take(&all->lock);
	all->threads--;
	condition_broadcast(&all->changed);
	lock_drop(&all->lock);
}

static void *relocate(void *arg)
{
	struct relocation *one = arg;
	int code = relocation_begin(one);

	if (!code)
		code = relocation_copy(one);
	if (!code)
		code = relocation_switch(one);
	if (!code && !relocation_keep(one))
		code = STORE_CANCELLED;
	decide(one, code);
	if (one->noted && (!one->switched || !code) && clear_up(one))
		relocation_settle(one);
	leave(one);
	return NULL;
}

/* The same for what an earlier run has begun. */
static void *go_on(void *arg)
{
	struct relocation *one = arg;
	struct relocations *all = one->fs->relocations;

	gate_take_over(&one->fs->gate, &one->movers);
	gate_take_over(&one->fs->gate, &one->folders);
	lock_take(&all->lock);
	one->inside = true;
	condition_broadcast(&all->changed);
	lock_drop(&all->lock);
	if (clear_up(one)) {
		STEP("recovery: copies");
		relocation_settle(one);
	}
	leave(one);
	return NULL;
}

/* ---- who asks ---- */

static int start_thread(struct relocation *one, void *(*run)(void *arg),
			struct store_error *error)
{
	pthread_attr_t detached;
	pthread_t thread;
	int failed;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	failed = pthread_create(&thread, &detached, run, one);
	pthread_attr_destroy(&detached);
	return failed ? store_error_errno(error, failed, "a thread to rename")
		      : STORE_OK;
}

static int start(struct op *op, struct relocation *one)
{
	struct relocations *all = op->fs->relocations;
	bool stopping;
	int code;

	lock_take(&all->lock);
	stopping = all->stopping;
	if (!stopping) {
		one->next = all->first;
		all->first = one;
		all->threads++;
	}
	lock_drop(&all->lock);
	if (stopping)
		return store_error_set(&op->error, STORE_CANCELLED,
				       "the mount ends");
	code = start_thread(one, relocate, &op->error);
	if (!code)
		return STORE_OK;
	lock_take(&all->lock);
	unlink_locked(all, one);
	all->threads--;
	lock_drop(&all->lock);
	return code;
}

/* True: it is not waited for any longer. */
static bool is_answered(struct op *op, struct relocation *one, int64_t *until)
{
	if (one->answerable)
		return true;
	if (!op->cancel || !store_cancel_is_set(op->cancel))
		return false;
	if (!*until) {
		store_cancel_trigger(one->cancel);
		*until = clock_monotonic_ns() + PATIENCE_NS;
	}
	if (one->decided)
		return true;
	one->refused = !one->bound && clock_monotonic_ns() >= *until;
	return one->refused;
}

static int wait_for(struct op *op, struct relocation *one)
{
	struct relocations *all = op->fs->relocations;
	int64_t until = 0;
	int code = STORE_CANCELLED;

	lock_take(&all->lock);
	while (!is_answered(op, one, &until))
		condition_wait_until(&all->changed, &all->lock,
				     clock_monotonic_ns() + LOOK_NS);
	if (one->decided) {
		code = one->code;
		op->error = one->error;
	}
	lock_drop(&all->lock);
	if (code == STORE_CANCELLED)
		code = store_error_set(&op->error, code, "%s",
				       store_code_text(code));
	return code;
}

int relocation_rename(struct op *op, const struct relocation_request *request)
{
	struct relocation *one = relocation_new(op->fs, request);
	int code;

	if (!one)
		return store_error_set(&op->error, STORE_NO_MEMORY,
				       "no memory to rename");
	code = start(op, one);
	if (code) {
		relocation_free(one);
		return code;
	}
	code = wait_for(op, one);
	relocation_put(one);
	return code;
}

/* ---- what an earlier run has left ---- */

int relocation_resume(struct fs *fs, const struct relocation_request *request,
		      const struct record_copies *copies,
		      struct store_error *error)
{
	struct relocations *all = fs->relocations;
	struct relocation *one = relocation_new(fs, request);
	int code;

	if (!one)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory to rename");
	one->holders = 1;
	code = relocation_take_up(one, copies);
	if (code) {
		if (error)
			*error = one->op.error;
		relocation_end(one);
		relocation_free(one);
		return code;
	}
	lock_take(&all->lock);
	one->waits = true;
	one->next = all->first;
	all->first = one;
	lock_drop(&all->lock);
	return STORE_OK;
}

static struct relocation *find_waiting_locked(struct relocations *all)
	REQUIRES(all->lock)
{
	struct relocation *one = all->first;

	while (one && !one->waits)
		one = one->next;
	return one;
}

/* Its passes are its thread's when it returns. */
static int go(struct relocation *one, struct store_error *error)
{
	struct relocations *all = one->fs->relocations;
	int code = start_thread(one, go_on, error);

	lock_take(&all->lock);
	if (code) {
		one->waits = true;
		one->holders--;
		all->threads--;
	}
	while (!code && !one->inside)
		condition_wait(&all->changed, &all->lock);
	lock_drop(&all->lock);
	if (!code)
		relocation_put(one);
	return code;
}

int relocations_go(struct fs *fs, struct store_error *error)
{
	struct relocations *all = fs->relocations;
	struct relocation *one;
	int code = STORE_OK;

	while (all && !code) {
		lock_take(&all->lock);
		one = find_waiting_locked(all);
		if (one) {
			one->waits = false;
			one->holders++;
			all->threads++;
		}
		lock_drop(&all->lock);
		if (!one)
			break;
		code = go(one, error);
	}
	return code;
}

/* They were never started: the next mount does. */
static void drop_waiting(struct relocations *all)
{
	struct relocation *one;

	do {
		lock_take(&all->lock);
		one = find_waiting_locked(all);
		if (one)
			unlink_locked(all, one);
		lock_drop(&all->lock);
		if (one) {
			relocation_end(one);
			relocation_free(one);
		}
	} while (one);
}

void relocations_stop(struct fs *fs)
{
	struct relocations *all = fs->relocations;

	if (!all)
		return;
	lock_take(&all->lock);
	all->stopping = true;
	for (struct relocation *one = all->first; one; one = one->next) {
		store_cancel_trigger(one->cancel);
		store_cancel_trigger(one->stop);
	}
	while (all->threads)
		condition_wait(&all->changed, &all->lock);
	lock_drop(&all->lock);
	drop_waiting(all);
	condition_destroy(&all->changed);
	lock_destroy(&all->lock);
	free(all);
	fs->relocations = NULL;
}
