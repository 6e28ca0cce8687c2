// SPDX-License-Identifier: MIT
/*
 * Passes: who meets whom, and how waiting ends.  Threads tell each other by
 * flags under a lock; nobody waits for a time to pass but a canceller.
 */
#include "config.h"

#include <check.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "mount/gate.h"
#include "mount/node.h"
#include "src/base/clock.h"
#include "tests/unit/unit.h"

static struct tree tree;
static struct gate gate;
static struct node *folder, *child, *other, *deep;

static struct node *enter(struct node *parent, const char *name,
			  enum store_type type)
{
	struct store_info info = { .type = type, .links = 1 };
	struct node *node;

	lock_take(&tree.lock);
	node = tree_enter(&tree, parent, name, &info, 1);
	ck_assert_ptr_nonnull(node);
	node->lookups++;
	lock_drop(&tree.lock);
	return node;
}

static void setup(void)
{
	struct store_error error = STORE_ERROR_INIT;

	memset(&tree, 0, sizeof(tree));
	ck_assert_int_eq(tree_init(&tree, &error), STORE_OK);
	gate_init(&gate, &tree);
	folder = enter(tree.root, "folder", STORE_TYPE_FOLDER);
	child = enter(folder, "child", STORE_TYPE_FOLDER);
	deep = enter(child, "deep", STORE_TYPE_FILE);
	other = enter(tree.root, "other", STORE_TYPE_FILE);
}

static void teardown(void)
{
	ck_assert_ptr_null(gate.passes);
	gate_release(&gate);
	tree_release(&tree);
}

/* ---- another thread that wants a pass ---- */

struct visitor {
	struct gate_pass pass;
	struct store_context context;
	struct store_error error;
	_Atomic bool inside, leave;
	int code;
	pthread_t thread;
};

static void *visit(void *arg)
{
	struct visitor *visitor = arg;

	visitor->code = gate_enter(&gate, &visitor->pass, &visitor->context,
				   &visitor->error);
	atomic_store(&visitor->inside, !visitor->code);
	while (!visitor->code && !atomic_load(&visitor->leave))
		sched_yield();
	gate_leave(&gate, &visitor->pass);
	return NULL;
}

static void visitor_start(struct visitor *visitor)
{
	ck_assert_int_eq(pthread_create(&visitor->thread, NULL, visit, visitor),
			 0);
}

static void visitor_end(struct visitor *visitor)
{
	atomic_store(&visitor->leave, true);
	ck_assert_int_eq(pthread_join(visitor->thread, NULL), 0);
}

static void wait_inside(struct visitor *visitor)
{
	while (!atomic_load(&visitor->inside))
		sched_yield();
}

/*
 * Can another thread have this pass while we hold ours?  It is given no
 * time: a pass that is free is taken without waiting.
 */
static bool meets(struct node *ours, bool ours_exclusive, struct node *theirs,
		  bool theirs_exclusive)
{
	struct gate_pass pass = { .nodes = { ours },
				  .exclusive = ours_exclusive };
	struct visitor visitor = {
		.pass = { .nodes = { theirs }, .exclusive = theirs_exclusive },
		.leave = true,
	};

	store_context_init(&visitor.context, 0, NULL);
	visitor.context.deadline_ns = 1;
	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	visitor_start(&visitor);
	visitor_end(&visitor);
	gate_leave(&gate, &pass);
	ck_assert(visitor.code == STORE_OK || visitor.code == STORE_TIMEOUT);
	return visitor.code;
}

START_TEST(shared_passes_do_not_meet)
{
	ck_assert(!meets(folder, false, folder, false));
	ck_assert(!meets(folder, false, child, false));
	ck_assert(!meets(deep, false, tree.root, false));
}
END_TEST

START_TEST(an_exclusive_pass_keeps_others_out_of_its_node)
{
	ck_assert(meets(folder, true, folder, false));
	ck_assert(meets(folder, false, folder, true));
	ck_assert(meets(folder, true, folder, true));
}
END_TEST

START_TEST(an_exclusive_pass_covers_all_below)
{
	ck_assert(meets(folder, true, child, false));
	ck_assert(meets(folder, true, deep, false));
	ck_assert(meets(folder, true, deep, true));
	ck_assert(meets(deep, false, folder, true));
	ck_assert(meets(deep, true, tree.root, true));
}
END_TEST

START_TEST(an_exclusive_pass_leaves_what_is_above_and_beside_alone)
{
	ck_assert(!meets(child, true, folder, false));
	ck_assert(!meets(folder, false, child, true));
	ck_assert(!meets(folder, true, other, true));
	ck_assert(!meets(folder, true, other, false));
}
END_TEST

static int look_in(struct node *node, bool looks)
{
	struct visitor visitor = {
		.pass = { .nodes = { node }, .looks = looks },
		.leave = true,
	};

	store_context_init(&visitor.context, 0, NULL);
	visitor.context.deadline_ns = 1;
	visitor_start(&visitor);
	visitor_end(&visitor);
	return visitor.code;
}

START_TEST(an_open_pass_lets_in_who_only_looks)
{
	struct gate_pass pass = { .nodes = { folder },
				  .exclusive = true,
				  .open = true };

	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	ck_assert_int_eq(look_in(deep, true), STORE_OK);
	ck_assert_int_eq(look_in(deep, false), STORE_TIMEOUT);
	ck_assert_int_eq(gate_close(&gate, &pass, NULL, NULL), STORE_OK);
	ck_assert_int_eq(look_in(deep, true), STORE_TIMEOUT);
	gate_reopen(&gate, &pass);
	ck_assert_int_eq(look_in(deep, true), STORE_OK);
	gate_leave(&gate, &pass);
}
END_TEST

START_TEST(a_pass_closes_when_nobody_looks_any_more)
{
	struct gate_pass pass = { .nodes = { folder },
				  .exclusive = true,
				  .open = true };
	struct visitor looker = {
		.pass = { .nodes = { deep }, .looks = true },
	};
	struct store_context context;

	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	store_context_init(&looker.context, 0, NULL);
	visitor_start(&looker);
	wait_inside(&looker);
	store_context_init(&context, 0, NULL);
	context.deadline_ns = 1;
	ck_assert_int_eq(gate_close(&gate, &pass, &context, NULL),
			 STORE_TIMEOUT);
	/* It is open still. */
	ck_assert_int_eq(look_in(deep, true), STORE_OK);
	visitor_end(&looker);
	ck_assert_int_eq(gate_close(&gate, &pass, &context, NULL), STORE_OK);
	gate_leave(&gate, &pass);
}
END_TEST

/* As long as a rename gets on, waiting for it is no standstill. */
START_TEST(waiting_for_a_rename_that_gets_on_does_not_time_out)
{
	struct gate_pass pass = { .nodes = { folder }, .exclusive = true };
	struct visitor visitor = { .pass = { .nodes = { deep } } };
	int64_t begun = clock_monotonic_ns();

	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	store_context_init(&visitor.context, NS_PER_SEC / 4, NULL);
	visitor_start(&visitor);
	while (clock_monotonic_ns() - begun < NS_PER_SEC) {
		gate_progress(&gate);
		sched_yield();
	}
	gate_leave(&gate, &pass);
	visitor_end(&visitor);
	ck_assert_int_eq(visitor.code, STORE_OK);
}
END_TEST

START_TEST(both_nodes_of_a_pass_count)
{
	struct gate_pass pass = { .nodes = { other, folder },
				  .exclusive = true };
	struct visitor visitor = { .pass = { .nodes = { NULL, deep } } };

	store_context_init(&visitor.context, 0, NULL);
	visitor.context.deadline_ns = 1;
	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	visitor_start(&visitor);
	visitor_end(&visitor);
	ck_assert_int_eq(visitor.code, STORE_TIMEOUT);
	gate_leave(&gate, &pass);
}
END_TEST

START_TEST(passes_of_one_thread_do_not_wait_for_each_other)
{
	struct gate_pass one = { .nodes = { folder }, .exclusive = true };
	struct gate_pass two = { .nodes = { child }, .exclusive = true };
	struct gate_pass three = { .nodes = { folder } };

	ck_assert_int_eq(gate_enter(&gate, &one, NULL, NULL), STORE_OK);
	ck_assert_int_eq(gate_enter(&gate, &two, NULL, NULL), STORE_OK);
	ck_assert_int_eq(gate_enter(&gate, &three, NULL, NULL), STORE_OK);
	gate_leave(&gate, &one);
	gate_leave(&gate, &three);
	gate_leave(&gate, &two);
}
END_TEST

START_TEST(leaving_lets_the_waiting_in)
{
	struct gate_pass pass = { .nodes = { folder }, .exclusive = true };
	struct visitor visitor = { .pass = { .nodes = { deep } } };

	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	visitor_start(&visitor);
	for (int i = 0; i < 100; i++) {
		ck_assert(!atomic_load(&visitor.inside));
		sched_yield();
	}
	gate_leave(&gate, &pass);
	wait_inside(&visitor);
	visitor_end(&visitor);
	ck_assert_int_eq(visitor.code, STORE_OK);
}
END_TEST

START_TEST(a_node_that_moved_away_is_free)
{
	struct gate_pass pass = { .nodes = { folder }, .exclusive = true };
	struct visitor visitor = { .pass = { .nodes = { deep } } };
	struct name *spare = tree_new_name("elsewhere");

	ck_assert_ptr_nonnull(spare);
	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	visitor_start(&visitor);
	lock_take(&tree.lock);
	tree_move_name(&tree, tree_find_name(&tree, child, "deep"), tree.root,
		       spare);
	lock_drop(&tree.lock);
	wait_inside(&visitor);
	visitor_end(&visitor);
	gate_leave(&gate, &pass);
}
END_TEST

START_TEST(waiting_ends_at_the_deadline)
{
	struct gate_pass pass = { .nodes = { folder }, .exclusive = true };
	struct visitor visitor = { .pass = { .nodes = { folder } } };
	int64_t start = clock_monotonic_ns();

	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	store_context_init(&visitor.context, 50 * NS_PER_MS, NULL);
	visitor_start(&visitor);
	visitor_end(&visitor);
	ck_assert_int_eq(visitor.code, STORE_TIMEOUT);
	ck_assert(!visitor.pass.held);
	ck_assert_int_ge(clock_monotonic_ns() - start, 50 * NS_PER_MS);
	gate_leave(&gate, &pass);
}
END_TEST

START_TEST(waiting_ends_when_cancelled)
{
	struct gate_pass pass = { .nodes = { folder }, .exclusive = true };
	struct visitor visitor = { .pass = { .nodes = { folder } } };
	struct store_cancel *cancel = store_cancel_new();
	int64_t cancelled;

	ck_assert_ptr_nonnull(cancel);
	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	store_context_init(&visitor.context, 0, cancel);
	visitor_start(&visitor);
	cancelled = clock_monotonic_ns();
	store_cancel_trigger(cancel);
	visitor_end(&visitor);
	ck_assert_int_eq(visitor.code, STORE_CANCELLED);
	ck_assert_int_lt(clock_monotonic_ns() - cancelled, NS_PER_SEC);
	gate_leave(&gate, &pass);
	store_cancel_free(cancel);
}
END_TEST

START_TEST(leaving_without_a_pass_is_fine)
{
	struct gate_pass pass = { .nodes = { folder } };

	gate_leave(&gate, &pass);
	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	gate_leave(&gate, &pass);
	gate_leave(&gate, &pass);
}
END_TEST

/* ---- turns ---- */

static void wait_waiting(void)
{
	bool waiting = false;

	while (!waiting) {
		lock_take(&gate.lock);
		waiting = gate.waiting;
		lock_drop(&gate.lock);
		sched_yield();
	}
}

/* Does a thread without a pass get a shared one, now? */
static bool newcomer_enters(struct node *node)
{
	struct visitor visitor = { .pass = { .nodes = { node } },
				   .leave = true };

	store_context_init(&visitor.context, 0, NULL);
	visitor.context.deadline_ns = 1;
	visitor_start(&visitor);
	visitor_end(&visitor);
	return !visitor.code;
}

START_TEST(who_waits_for_an_exclusive_pass_keeps_newcomers_out)
{
	struct gate_pass pass = { .nodes = { deep } };
	struct visitor mover = { .pass = { .nodes = { folder },
					   .exclusive = true } };

	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	ck_assert(newcomer_enters(child));
	visitor_start(&mover);
	wait_waiting();
	ck_assert(!newcomer_enters(child));
	ck_assert(newcomer_enters(other));
	gate_leave(&gate, &pass);
	wait_inside(&mover);
	visitor_end(&mover);
	ck_assert(newcomer_enters(child));
}
END_TEST

START_TEST(who_has_a_pass_goes_before_who_waits)
{
	struct gate_pass one = { .nodes = { deep } };
	struct gate_pass two = { .nodes = { folder } };
	struct visitor mover = { .pass = { .nodes = { folder },
					   .exclusive = true } };

	ck_assert_int_eq(gate_enter(&gate, &one, NULL, NULL), STORE_OK);
	visitor_start(&mover);
	wait_waiting();
	ck_assert_int_eq(gate_enter(&gate, &two, NULL, NULL), STORE_OK);
	gate_leave(&gate, &two);
	gate_leave(&gate, &one);
	visitor_end(&mover);
	ck_assert_int_eq(mover.code, STORE_OK);
}
END_TEST

START_TEST(who_gives_up_waiting_keeps_nobody_out)
{
	struct gate_pass pass = { .nodes = { deep } };
	struct visitor mover = { .pass = { .nodes = { folder },
					   .exclusive = true } };

	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	store_context_init(&mover.context, 50 * NS_PER_MS, NULL);
	visitor_start(&mover);
	visitor_end(&mover);
	ck_assert_int_eq(mover.code, STORE_TIMEOUT);
	ck_assert(newcomer_enters(child));
	gate_leave(&gate, &pass);
}
END_TEST

/* ---- closing ---- */

/* Opens a pass on the folder, and closes it when told to. */
struct closer {
	_Atomic bool inside, close, closed;
	pthread_t thread;
};

static void *close_later(void *arg)
{
	struct closer *closer = arg;
	struct gate_pass pass = { .nodes = { folder },
				  .exclusive = true,
				  .open = true };

	ck_assert_int_eq(gate_enter(&gate, &pass, NULL, NULL), STORE_OK);
	atomic_store(&closer->inside, true);
	while (!atomic_load(&closer->close))
		sched_yield();
	ck_assert_int_eq(gate_close(&gate, &pass, NULL, NULL), STORE_OK);
	atomic_store(&closer->closed, true);
	gate_leave(&gate, &pass);
	return NULL;
}

static void wait_true(const _Atomic bool *flag)
{
	while (!atomic_load(flag))
		sched_yield();
}

/* Of a thread that may have others, without waiting. */
static int try_enter(struct gate_pass *pass)
{
	struct store_context context;

	store_context_init(&context, 0, NULL);
	context.deadline_ns = 1;
	return gate_enter(&gate, pass, &context, NULL);
}

/* It may be waited for: it goes on looking, and changes nothing. */
START_TEST(who_is_inside_when_a_pass_closes_may_look_and_not_change)
{
	struct gate_pass inside = { .nodes = { deep }, .looks = true };
	struct gate_pass looks = { .nodes = { child }, .looks = true };
	struct gate_pass changes = { .nodes = { child } };
	struct closer closer = { .inside = false };

	ck_assert_int_eq(
		pthread_create(&closer.thread, NULL, close_later, &closer), 0);
	wait_true(&closer.inside);
	ck_assert_int_eq(gate_enter(&gate, &inside, NULL, NULL), STORE_OK);
	atomic_store(&closer.close, true);
	wait_waiting();
	ck_assert_int_eq(try_enter(&looks), STORE_OK);
	ck_assert_int_eq(try_enter(&changes), STORE_TIMEOUT);
	ck_assert_int_eq(look_in(child, true), STORE_TIMEOUT);
	gate_leave(&gate, &looks);
	ck_assert(!atomic_load(&closer.closed));
	gate_leave(&gate, &inside);
	ck_assert_int_eq(pthread_join(closer.thread, NULL), 0);
}
END_TEST

/* ---- many ---- */

enum { THREADS = 6, ROUNDS = 3000 };

struct worker {
	int number;
	pthread_t thread;
};
static _Atomic int holders_shared, holders_exclusive, violations;

static void *work(void *arg)
{
	const struct worker *worker = arg;
	struct node *nodes[] = { folder, child, deep };

	for (int i = 0; i < ROUNDS; i++) {
		bool exclusive = (i + worker->number) % 5 == 0;
		struct gate_pass pass = {
			.nodes = { exclusive ? folder : nodes[i % 3] },
			.exclusive = exclusive,
		};
		_Atomic int *mine =
			exclusive ? &holders_exclusive : &holders_shared;

		if (gate_enter(&gate, &pass, NULL, NULL))
			atomic_fetch_add(&violations, 1);
		if (atomic_fetch_add(mine, 1) && exclusive)
			atomic_fetch_add(&violations, 1);
		if (exclusive ? atomic_load(&holders_shared)
			      : atomic_load(&holders_exclusive))
			atomic_fetch_add(&violations, 1);
		atomic_fetch_sub(mine, 1);
		gate_leave(&gate, &pass);
	}
	return NULL;
}

START_TEST(threads_keep_each_other_out)
{
	struct worker workers[THREADS];

	for (int i = 0; i < THREADS; i++) {
		workers[i].number = i;
		ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work,
						&workers[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	ck_assert_int_eq(atomic_load(&violations), 0);
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("gate");

	tcase_set_timeout(tests, 60);
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, shared_passes_do_not_meet);
	tcase_add_test(tests, an_exclusive_pass_keeps_others_out_of_its_node);
	tcase_add_test(tests, an_exclusive_pass_covers_all_below);
	tcase_add_test(tests,
		       an_exclusive_pass_leaves_what_is_above_and_beside_alone);
	tcase_add_test(tests, an_open_pass_lets_in_who_only_looks);
	tcase_add_test(tests, a_pass_closes_when_nobody_looks_any_more);
	tcase_add_test(tests,
		       waiting_for_a_rename_that_gets_on_does_not_time_out);
	tcase_add_test(tests, both_nodes_of_a_pass_count);
	tcase_add_test(tests, passes_of_one_thread_do_not_wait_for_each_other);
	tcase_add_test(tests, leaving_lets_the_waiting_in);
	tcase_add_test(tests, a_node_that_moved_away_is_free);
	tcase_add_test(tests, waiting_ends_at_the_deadline);
	tcase_add_test(tests, waiting_ends_when_cancelled);
	tcase_add_test(tests, leaving_without_a_pass_is_fine);
	tcase_add_test(tests,
		       who_waits_for_an_exclusive_pass_keeps_newcomers_out);
	tcase_add_test(tests, who_has_a_pass_goes_before_who_waits);
	tcase_add_test(tests, who_gives_up_waiting_keeps_nobody_out);
	tcase_add_test(
		tests,
		who_is_inside_when_a_pass_closes_may_look_and_not_change);
	tcase_add_test(tests, threads_keep_each_other_out);
	return unit_run("mount gate", tests);
}
