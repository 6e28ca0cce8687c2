// SPDX-License-Identifier: MIT
/*
 * The fault layer: see layers.h and fault_rules.h.  It exists only in stores
 * that were opened with a fault file.
 *
 * The file is looked at before every call, so that a test changes the
 * weather by writing a file, also under a running mount.
 *
 * Lock: `lock` protects the rules and their counters; sleeping happens
 * without it.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/buf.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/sync.h"
#include "src/layers/fault_rules.h"
#include "src/layers/layer.h"
#include "src/layers/layers.h"

enum { FAULT_FILE_MAX = 1 << 20 };

/* When two of these differ, the file was changed. */
struct file_state {
	bool exists;
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
};

struct fault {
	/* immutable */
	char *path;
	uint64_t without; /* as the file said at first */
	struct lock lock;
	/* Protected by lock: */
	struct file_state state;
	struct fault_rules rules;
	struct store_error broken; /* code unset while the file is good */
};

static void file_look(const char *path, struct file_state *state)
{
	struct stat st;

	*state = (struct file_state){ .exists = false };
	if (stat(path, &st))
		return;
	state->exists = true;
	state->dev = st.st_dev;
	state->ino = st.st_ino;
	state->size = st.st_size;
	state->mtime = st.st_mtim;
}

static bool state_equal(const struct file_state *a, const struct file_state *b)
{
	return a->exists == b->exists && a->dev == b->dev && a->ino == b->ino &&
	       a->size == b->size && timespec_compare(a->mtime, b->mtime) == 0;
}

static int file_read(const char *path, struct buf *text,
		     struct store_error *error)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char piece[4096];

	if (fd < 0 && errno == ENOENT)
		return STORE_OK;
	if (fd < 0)
		return store_error_errno(error, errno, "%s", path);
	for (;;) {
		ssize_t got = read(fd, piece, sizeof(piece));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return store_error_errno(error, errno, "%s", path);
		if (got == 0)
			return buf_error(text, path, error);
		buf_add(text, piece, (size_t)got);
	}
}

static void fault_load_locked(struct fault *fault) REQUIRES(fault->lock)
{
	CLEANUP_BUF struct buf text = BUF_INIT(FAULT_FILE_MAX);
	int code;

	fault_rules_release(&fault->rules);
	store_error_clear(&fault->broken);
	code = file_read(fault->path, &text, &fault->broken);
	if (!code)
		code = fault_rules_parse(buf_text(&text), fault->path,
					 &fault->rules, &fault->broken);
	if (code)
		fault->broken.code = code;
}

static int fault_judge_locked(struct fault *fault, struct layer_call *call,
			      enum fault_moment moment,
			      struct fault_verdict *verdict)
	REQUIRES(fault->lock)
{
	struct file_state now;

	file_look(fault->path, &now);
	if (!state_equal(&now, &fault->state)) {
		fault->state = now;
		fault_load_locked(fault);
	}
	/* What has been done stays done: the next call tells. */
	if (fault->broken.code && moment == FAULT_BEFORE) {
		*call->error = fault->broken;
		return fault->broken.code;
	}
	*verdict = fault_rules_judge(&fault->rules, call, moment);
	return STORE_OK;
}

/* Slow, but moving: only deadline and cancel end it early. */
static int fault_delay(struct layer_call *call, int64_t ns)
{
	while (ns > 0) {
		int64_t slice = ns < 10 * NS_PER_MS ? ns : 10 * NS_PER_MS;
		int code;

		store_context_progress(call->context);
		code = store_context_sleep(call->context, slice, call->error);
		if (code)
			return code;
		ns -= slice;
	}
	store_context_progress(call->context);
	return STORE_OK;
}

static int fault_apply(struct fault *fault, struct layer_call *call,
		       enum fault_moment moment)
{
	struct fault_verdict verdict = { .code = STORE_OK };
	int code;

	if (call->ending)
		return STORE_OK;
	lock_take(&fault->lock);
	code = fault_judge_locked(fault, call, moment, &verdict);
	lock_drop(&fault->lock);
	if (verdict.die)
		raise(SIGKILL);
	if (!code && verdict.stall_ns)
		code = store_context_sleep(call->context, verdict.stall_ns,
					   call->error);
	if (!code && verdict.delay_ns)
		code = fault_delay(call, verdict.delay_ns);
	if (!code && verdict.code)
		code = store_error_set(
			call->error, verdict.code, "%s (fault of line %d)",
			store_code_text(verdict.code), verdict.line);
	return code;
}

static int fault_before(void *hook, struct layer_call *call)
{
	if (call->op == LAYER_OPEN)
		return STORE_OK;
	return fault_apply(hook, call, FAULT_BEFORE);
}

static bool fault_after(void *hook, struct layer_call *call, int *code)
{
	if (call->op == LAYER_OPEN)
		return false;
	if (*code)
		(void)fault_apply(hook, call, FAULT_FAILED);
	else
		*code = fault_apply(hook, call, FAULT_DONE);
	return false;
}

static void fault_free(void *hook)
{
	struct fault *fault = hook;

	fault_rules_release(&fault->rules);
	lock_destroy(&fault->lock);
	free(fault->path);
	free(fault);
}

static uint64_t fault_without(void *hook)
{
	const struct fault *fault = hook;

	return fault->without;
}

/* A file that cannot be understood is told of by the first call. */
static void fault_begin(struct fault *fault)
{
	lock_take(&fault->lock);
	file_look(fault->path, &fault->state);
	fault_load_locked(fault);
	fault->without = fault->rules.without;
	lock_drop(&fault->lock);
}

static const struct layer_hooks fault_hooks = {
	.before = fault_before,
	.after = fault_after,
	.free = fault_free,
	.without = fault_without,
};

int layer_fault(const char *path, struct backend *backend,
		struct store_error *error)
{
	struct fault *fault = calloc(1, sizeof(*fault));
	int code;

	if (!fault)
		return store_error_set(error, STORE_NO_MEMORY, "out of memory");
	lock_init(&fault->lock);
	fault->path = strdup(path);
	if (fault->path) {
		fault_begin(fault);
		code = layer_wrap(&fault_hooks, fault, backend, error);
	} else {
		code = store_error_set(error, STORE_NO_MEMORY, "out of memory");
	}
	if (code)
		fault_free(fault);
	return code;
}
