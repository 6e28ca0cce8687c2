// SPDX-License-Identifier: MIT
/*
 * Connections; see pool.h.  Where there is none, one caller at a time connects,
 * in the context of its own call; when it gives up, the next who waits goes
 * on.  Nobody waits for a further one, and its failure is nobody's: a thread
 * of the pool's makes it.  The lock is not held meanwhile, and ranks above
 * that of a session.
 */
#include "config.h"

#include "backends/sftp/pool.h"

#include "backends/sftp/settings.h"
#include "src/base/clock.h"

/* A further connection is made when all are as busy as that. */
enum { BUSY = 2 * 1024 * 1024 };
/* One by somebody who saw none, while another was being added. */
enum { SFTP_SLOTS = SFTP_CONNECTIONS_MAX + 1 };

static const int64_t FIRST_PAUSE = 100 * NS_PER_MS;
static const int64_t LONGEST_PAUSE = 3 * NS_PER_SEC;
static const int64_t ADD_PAUSE = 60 * NS_PER_SEC;
static const int64_t UNLIMITED_TRIES = 60 * NS_PER_SEC;

void sftp_pool_init(struct sftp_pool *pool,
		    const struct sftp_settings *settings,
		    sftp_connector *connect)
{
	*pool = (struct sftp_pool){ .settings = settings, .connect = connect };
	lock_init(&pool->lock);
	sftp_waiters_init(&pool->waiters);
	pool->cancel = store_cancel_new();
}

static void join_adder(struct sftp_pool *pool)
{
	pthread_t adder;
	bool has_adder;

	lock_take(&pool->lock);
	adder = pool->adder;
	has_adder = pool->has_adder;
	pool->has_adder = false;
	lock_drop(&pool->lock);
	if (has_adder)
		pthread_join(adder, NULL);
}

void sftp_pool_release(struct sftp_pool *pool)
{
	if (pool->cancel)
		store_cancel_trigger(pool->cancel);
	join_adder(pool);
	store_cancel_free(pool->cancel);
	for (size_t i = 0; i < SFTP_SLOTS; i++)
		sftp_session_unref(pool->sessions[i]);
	sftp_waiters_release(&pool->waiters);
	lock_destroy(&pool->lock);
}

/* ---- what there is ---- */

/* Those that have ended make room, into `gone`. */
static size_t sweep_locked(struct sftp_pool *pool, struct sftp_session **gone)
	REQUIRES(pool->lock)
{
	size_t count = 0;

	for (size_t i = 0; i < SFTP_SLOTS; i++)
		if (pool->sessions[i] &&
		    sftp_session_ended(pool->sessions[i])) {
			gone[count++] = pool->sessions[i];
			pool->sessions[i] = NULL;
		}
	return count;
}

static bool is_among(const struct sftp_session *session,
		     struct sftp_session *const *list, size_t count)
{
	while (count)
		if (list[--count] == session)
			return true;
	return false;
}

/* Besides the `used` ones of `besides`; *count is of all. */
static struct sftp_session *
best_locked(struct sftp_pool *pool, struct sftp_session *const *besides,
	    size_t used, size_t *load, unsigned int *count) REQUIRES(pool->lock)
{
	struct sftp_session *best = NULL;

	*count = 0;
	for (size_t i = 0; i < SFTP_SLOTS; i++) {
		struct sftp_session *session = pool->sessions[i];
		size_t own = session ? sftp_session_load(session) : 0;

		*count += session != NULL;
		if (session && !is_among(session, besides, used) &&
		    (!best || own < *load)) {
			best = session;
			*load = own;
		}
	}
	return best;
}

/* The caller is the one to add another, to the `count` that there are. */
static bool adds_locked(struct sftp_pool *pool, unsigned int count)
	REQUIRES(pool->lock)
{
	bool adds = !pool->adding && count < pool->settings->connections &&
		    clock_monotonic_ns() >= pool->add_ns;

	pool->adding |= adds;
	return adds;
}

/*
 * One to use, or NULL; `*connects`: the caller is to make one.  When neither,
 * somebody else is about to.  `*adds`: one more would be of use.
 */
static struct sftp_session *choose(struct sftp_pool *pool, bool *connects,
				   bool *adds)
{
	struct sftp_session *gone[SFTP_SLOTS];
	struct sftp_session *best;
	unsigned int count;
	size_t load = 0, swept;

	*connects = *adds = false;
	lock_take(&pool->lock);
	swept = sweep_locked(pool, gone);
	best = best_locked(pool, NULL, 0, &load, &count);
	if (best) {
		sftp_session_ref(best);
		*adds = load >= BUSY && adds_locked(pool, count);
	} else if (!pool->connecting) {
		pool->connecting = true;
		*connects = true;
	}
	lock_drop(&pool->lock);
	while (swept)
		sftp_session_unref(gone[--swept]);
	return best;
}

/* ---- connecting ---- */

static int connect_once(struct sftp_pool *pool, struct store_context *context,
			struct sftp_session **session,
			struct store_error *error)
{
	const struct sftp_settings *settings = pool->settings;
	const struct sftp_session_options options = {
		.io_timeout = settings->io_timeout,
		.keepalive = settings->keepalive,
		.waiters = &pool->waiters,
		.counters = &pool->counters,
	};
	int64_t end = clock_monotonic_ns() + settings->connect_timeout;
	struct store_context inner = *context;
	struct sftp_transport *transport = NULL;
	int code;

	/* All of it is one step: what moves meanwhile is no progress. */
	if (!inner.deadline_ns || inner.deadline_ns > end)
		inner.deadline_ns = end;
	code = pool->connect(settings, &inner, &transport, error);
	if (!code)
		code = sftp_session_start(transport, &options, &inner, session,
					  error);
	/* A program or a file that is missing here: no file of the store's. */
	if (code == STORE_NOT_FOUND) {
		error->code = STORE_UNAVAILABLE;
		code = STORE_UNAVAILABLE;
	}
	if (code == STORE_TIMEOUT && store_context_remaining(context))
		code = store_error_set(
			error, STORE_UNAVAILABLE,
			"%s does not answer within %lld s", settings->host,
			(long long)(settings->connect_timeout / NS_PER_SEC));
	return code;
}

static void add_locked(struct sftp_pool *pool, struct sftp_session *session)
	REQUIRES(pool->lock)
{
	size_t i = 0;

	while (pool->sessions[i])
		i++;
	pool->sessions[i] = sftp_session_ref(session);
}

static int64_t pause_after(unsigned int failures)
{
	int64_t pause = FIRST_PAUSE;

	while (failures-- > 1 && pause < LONGEST_PAUSE)
		pause *= 2;
	return pause < LONGEST_PAUSE ? pause : LONGEST_PAUSE;
}

static void connected(struct sftp_pool *pool, struct sftp_session *session)
{
	lock_take(&pool->lock);
	pool->connecting = false;
	if (session) {
		add_locked(pool, session);
		pool->failures = 0;
		pool->patient = true;
		pool->again_ns = 0;
	} else {
		pool->failures++;
		pool->again_ns =
			clock_monotonic_ns() + pause_after(pool->failures);
	}
	sftp_bell_ring(&pool->ready);
	lock_drop(&pool->lock);
}

/* The turn is the caller's: after the pause that the last failure asks for. */
static int take_turn(struct sftp_pool *pool, struct store_context *context,
		     struct sftp_session **session, struct store_error *error)
{
	int64_t pause;
	int code = STORE_OK;

	lock_take(&pool->lock);
	pause = pool->again_ns - clock_monotonic_ns();
	lock_drop(&pool->lock);
	if (pause > 0)
		code = store_context_sleep(context, pause, error);
	if (code) {
		lock_take(&pool->lock);
		pool->connecting = false;
		sftp_bell_ring(&pool->ready);
		lock_drop(&pool->lock);
		return code;
	}
	code = connect_once(pool, context, session, error);
	connected(pool, code ? NULL : *session);
	return code;
}

/* ---- one more ---- */

static void added_locked(struct sftp_pool *pool, struct sftp_session *session)
	REQUIRES(pool->lock)
{
	pool->adding = false;
	if (session)
		add_locked(pool, session);
	else
		pool->add_ns = clock_monotonic_ns() + ADD_PAUSE;
}

static void *adder_thread(void *arg)
{
	struct store_error error = STORE_ERROR_INIT;
	struct sftp_session *session = NULL;
	struct sftp_pool *pool = arg;
	struct store_context context;

	store_context_init(&context, 0, pool->cancel);
	if (connect_once(pool, &context, &session, &error))
		session = NULL;
	lock_take(&pool->lock);
	added_locked(pool, session);
	lock_drop(&pool->lock);
	sftp_session_unref(session);
	return NULL;
}

/* Whoever came first, `adding`, is alone here. */
static void add_one(struct sftp_pool *pool)
{
	join_adder(pool);
	lock_take(&pool->lock);
	if (pthread_create(&pool->adder, NULL, adder_thread, pool))
		added_locked(pool, NULL);
	else
		pool->has_adder = true;
	lock_drop(&pool->lock);
}

static int wait_ready(struct sftp_pool *pool, struct store_context *context,
		      struct store_error *error)
{
	struct sftp_waiter *waiter = sftp_waiter_take(&pool->waiters);
	int code;

	if (!waiter)
		return store_error_errno(error, ENOMEM, "wait to connect");
	lock_take(&pool->lock);
	sftp_bell_join(&pool->ready, waiter);
	if (!pool->connecting)
		sftp_waiter_wake(waiter);
	lock_drop(&pool->lock);
	code = sftp_waiter_wait(waiter, context, INT64_MAX, error);
	lock_take(&pool->lock);
	sftp_bell_leave(&pool->ready, waiter);
	lock_drop(&pool->lock);
	sftp_waiter_give(&pool->waiters, waiter);
	return code;
}

/* A server that was never there is not waited for. */
static bool worth_another(struct sftp_pool *pool,
			  const struct store_context *context, int code,
			  int64_t start)
{
	bool patient;

	lock_take(&pool->lock);
	patient = pool->patient;
	lock_drop(&pool->lock);
	if (code != STORE_UNAVAILABLE || !patient)
		return false;
	if (store_context_remaining(context) == INT64_MAX &&
	    clock_monotonic_ns() - start >= UNLIMITED_TRIES)
		return false;
	return true;
}

int sftp_pool_take(struct sftp_pool *pool, struct store_context *context,
		   struct sftp_session **result, struct store_error *error)
{
	struct store_error last = STORE_ERROR_INIT;
	int64_t start = clock_monotonic_ns();

	for (;;) {
		struct store_error now = STORE_ERROR_INIT;
		struct sftp_session *session;
		bool connects, adds;
		int code;

		session = choose(pool, &connects, &adds);
		if (adds)
			add_one(pool);
		if (!session && connects)
			code = take_turn(pool, context, &session, &now);
		else
			code = session ? STORE_OK
				       : wait_ready(pool, context, &now);
		if (session && !code) {
			*result = session;
			return STORE_OK;
		}
		if (code && !worth_another(pool, context, code, start)) {
			/* Out of time: what kept us is worth more. */
			*error =
				code == STORE_TIMEOUT && last.code ? last : now;
			return error->code;
		}
		if (code)
			last = now;
	}
}

struct sftp_session *sftp_pool_further(struct sftp_pool *pool,
				       struct sftp_session *const *used,
				       size_t count)
{
	struct sftp_session *best;
	unsigned int all;
	bool adds = false;
	size_t load = 0;

	lock_take(&pool->lock);
	best = best_locked(pool, used, count, &load, &all);
	if (best)
		sftp_session_ref(best);
	else
		adds = adds_locked(pool, all);
	lock_drop(&pool->lock);
	if (adds)
		add_one(pool);
	return best;
}
