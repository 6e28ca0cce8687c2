// SPDX-License-Identifier: MIT
/*
 * Passes of movers and publishers; see gate.h.  Called by ops_*.c and
 * publish.c.  The list is short: one pass per running op.
 */
#include "config.h"

#include "mount/gate.h"

#include <stdatomic.h>

#include "mount/node.h"
#include "src/base/clock.h"

/* Cancelling does not signal the condition: look this often. */
#define GATE_LOOK_NS (20 * NS_PER_MS)

/* What is stored within this time is stored; what is not has to give way. */
#define GATE_PATIENCE_NS NS_PER_SEC

void gate_init(struct gate *gate, struct tree *tree)
{
	lock_init(&gate->lock);
	condition_init(&gate->changed);
	gate->passes = gate->waiting = NULL;
	gate->blocked = NULL;
	gate->tree = tree;
	atomic_store(&gate->moved_ns, 0);
}

void gate_release(struct gate *gate)
{
	condition_destroy(&gate->changed);
	lock_destroy(&gate->lock);
}

/* Is this one kept out by the other, if their nodes meet? */
static bool excludes(const struct gate_pass *pass,
		     const struct gate_pass *other)
{
	return pass->exclusive && !(pass->open && other->looks);
}

static bool nodes_meet(const struct gate_pass *a, const struct gate_pass *b)
{
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 2; j++) {
			if (!a->nodes[i] || !b->nodes[j])
				continue;
			if (excludes(a, b) &&
			    node_is_below(b->nodes[j], a->nodes[i]))
				return true;
			if (excludes(b, a) &&
			    node_is_below(a->nodes[i], b->nodes[j]))
				return true;
		}
	}
	return false;
}

/* Does one of them keep the pass out?  Up to `end`, which does not count. */
static bool list_meets(const struct gate_pass *list,
		       const struct gate_pass *end,
		       const struct gate_pass *pass)
{
	for (; list && list != end; list = list->next)
		if (!pthread_equal(list->owner, pass->owner) &&
		    nodes_meet(pass, list))
			return true;
	return false;
}

static bool gate_is_free(struct gate *gate, const struct gate_pass *pass)
	REQUIRES(gate->lock)
{
	const struct gate_pass *mine = gate->passes;
	bool meets;

	while (mine && !pthread_equal(mine->owner, pass->owner))
		mine = mine->next;
	lock_take(&gate->tree->lock);
	meets = list_meets(gate->passes, NULL, pass);
	/* To make a thread wait that is inside already could be for ever. */
	if (!meets && !mine)
		meets = list_meets(gate->waiting, pass, pass);
	lock_drop(&gate->tree->lock);
	return !meets;
}

static void wait_begin(struct gate *gate, struct gate_pass *pass)
	REQUIRES(gate->lock)
{
	struct gate_pass **link = &gate->waiting;

	if (!pass->exclusive)
		return;
	while (*link)
		link = &(*link)->next;
	pass->next = NULL;
	*link = pass;
}

static void wait_end(struct gate *gate, struct gate_pass *pass)
	REQUIRES(gate->lock)
{
	struct gate_pass **link = &gate->waiting;

	if (!pass->exclusive)
		return;
	while (*link != pass)
		link = &(*link)->next;
	*link = pass->next;
}

/* *ask_ns: when those in the way are asked (again). */
static void ask_to_give_way(struct gate *gate, const struct gate_pass *pass,
			    int64_t *ask_ns) REQUIRES(gate->lock)
{
	int64_t now = clock_monotonic_ns();

	if (!gate->blocked || !pass->hurry || now < *ask_ns)
		return;
	*ask_ns = now + GATE_PATIENCE_NS;
	lock_drop(&gate->lock);
	gate->blocked(gate->blocked_arg, pass);
	lock_take(&gate->lock);
}

/* Until the pass fits, or the context ends. */
static int wait_locked(struct gate *gate, struct gate_pass *pass,
		       struct store_context *context, struct store_error *error)
	REQUIRES(gate->lock)
{
	int64_t ask_ns = clock_monotonic_ns() + GATE_PATIENCE_NS;
	int code = STORE_OK;

	wait_begin(gate, pass);
	while (!code && !gate_is_free(gate, pass)) {
		int64_t moved = atomic_load(&gate->moved_ns);

		ask_to_give_way(gate, pass, &ask_ns);

		if (context && moved > context->progress_ns)
			context->progress_ns = moved;
		code = store_context_check(context, error);
		if (!code)
			condition_wait_until(&gate->changed, &gate->lock,
					     clock_monotonic_ns() +
						     GATE_LOOK_NS);
	}
	wait_end(gate, pass);
	/* It kept others out. */
	if (code)
		condition_broadcast(&gate->changed);
	return code;
}

int gate_enter(struct gate *gate, struct gate_pass *pass,
	       struct store_context *context, struct store_error *error)
{
	int code;

	pass->owner = pthread_self();
	lock_take(&gate->lock);
	code = wait_locked(gate, pass, context, error);
	if (!code) {
		pass->next = gate->passes;
		gate->passes = pass;
		pass->held = true;
	}
	lock_drop(&gate->lock);
	return code;
}

static void take_out_locked(struct gate *gate, struct gate_pass *pass)
	REQUIRES(gate->lock)
{
	struct gate_pass **link = &gate->passes;

	while (*link != pass)
		link = &(*link)->next;
	*link = pass->next;
}

int gate_close(struct gate *gate, struct gate_pass *pass,
	       struct store_context *context, struct store_error *error)
{
	/* It waits as a new one would; the one that is held keeps others out. */
	struct gate_pass closing = *pass;
	int code;

	closing.open = false;
	lock_take(&gate->lock);
	code = wait_locked(gate, &closing, context, error);
	pass->open = code;
	lock_drop(&gate->lock);
	return code;
}

void gate_reopen(struct gate *gate, struct gate_pass *pass)
{
	lock_take(&gate->lock);
	pass->open = true;
	condition_broadcast(&gate->changed);
	lock_drop(&gate->lock);
}

void gate_progress(struct gate *gate)
{
	atomic_store(&gate->moved_ns, clock_monotonic_ns());
}

void gate_take_over(struct gate *gate, struct gate_pass *pass)
{
	lock_take(&gate->lock);
	pass->owner = pthread_self();
	condition_broadcast(&gate->changed);
	lock_drop(&gate->lock);
}

bool gate_is_occupied(struct gate *gate, const struct node *node)
{
	const struct gate_pass change = { .nodes = { node } };
	bool occupied = false;

	lock_take(&gate->lock);
	lock_take(&gate->tree->lock);
	for (const struct gate_pass *pass = gate->passes; pass && !occupied;
	     pass = pass->next)
		occupied = pass->open && nodes_meet(&change, pass);
	lock_drop(&gate->tree->lock);
	lock_drop(&gate->lock);
	return occupied;
}

void gate_leave(struct gate *gate, struct gate_pass *pass)
{
	if (!pass->held)
		return;
	lock_take(&gate->lock);
	take_out_locked(gate, pass);
	pass->held = false;
	condition_broadcast(&gate->changed);
	lock_drop(&gate->lock);
}
