// SPDX-License-Identifier: MIT
/*
 * workload: programs at work in a mount, which may go away any time.
 *
 *	workload DIR MANIFEST SEED WORKERS OPERATIONS [FILLERS]
 *
 * The workers do what programs do with files, each on names of its own in
 * one folder: first every kind of operation once, then OPERATIONS of them by
 * chance.  What they are about to do, and what they were told, goes to the
 * manifest (manifest.h).  A worker ends with its first error.  The same seed
 * makes each worker do the same.  With FILLERS each begins with so many
 * contents of one file.
 *
 * Exit status: 0 all was done, 1 some operation failed, 2 trouble.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/manifest.h"
#include "tests/posix/errname.h"
#include "tests/posix/prng.h"

enum {
	WORKERS_MAX = 26,
	SMALL = 9000,
	MEDIUM = 200000,
	BIG = 3 << 20,
	PIECE = 1 << 17, /* of one write() */
	ITEMS_MAX = 60,	 /* then names go away */
	FILLER = 30000,
	MESSAGES = 6,
	MESSAGE = 500,
};

struct worker {
	char letter;
	unsigned int number; /* of the operation */
	unsigned int names;  /* made so far */
	int manifest;
	struct prng prng;
	struct state state; /* as it will be when all is acknowledged */
};

/* ---- the manifest ---- */

static void tell(struct worker *worker, const struct manifest_line *line)
{
	struct manifest_line own = *line;

	own.worker = worker->letter;
	own.number = worker->number;
	if (!manifest_write(worker->manifest, &own)) {
		perror("manifest");
		_exit(2);
	}
}

static void about(struct worker *worker, const struct effect *effect)
{
	worker->number++;
	tell(worker, &(struct manifest_line){ .kind = MANIFEST_ABOUT,
					      .effect = *effect });
}

static void acknowledged(struct worker *worker, const struct effect *effect,
			 enum manifest_kind kind)
{
	tell(worker,
	     &(struct manifest_line){ .kind = kind, .value = manifest_now() });
	state_apply(&worker->state, effect);
}

/* The last that is heard of this worker. */
static void failed(struct worker *worker, const char *what)
{
	int code = errno;

	tell(worker, &(struct manifest_line){ .kind = MANIFEST_FAILED,
					      .value = (uint64_t)code });
	printf("%c %u %s: %s\n", worker->letter, worker->number, what,
	       errname(code));
	fflush(stdout);
	_exit(1);
}

/* The whole of a change of names: `call` is done between the two lines. */
#define CHANGE(worker, effect, call)                         \
	do {                                                 \
		about(worker, effect);                       \
		if ((call) != 0)                             \
			failed(worker, #call);               \
		acknowledged(worker, effect, MANIFEST_DONE); \
	} while (0)

/* ---- choosing ---- */

/* Any item of that type (and below the root only, if `top`), or NULL. */
static struct item *choose(struct worker *worker, char type, bool top)
{
	struct state *state = &worker->state;
	size_t start = (size_t)prng_below(&worker->prng, state->count);

	for (size_t i = 0; i < state->count; i++) {
		struct item *item = &state->items[(start + i) % state->count];

		if (item->type == type && !(top && strchr(item->name, '/')))
			return item;
	}
	return NULL;
}

/* A name that nothing had so far; a third of them in folders. */
static void new_name(struct worker *worker, char kind, char name[STATE_NAME])
{
	const struct item *folder = NULL;

	if (prng_below(&worker->prng, 3) == 0)
		folder = choose(worker, 'd', true);
	worker->names++;
	if (folder && kind != 'd')
		snprintf(name, STATE_NAME, "%.40s/%c%u", folder->name, kind,
			 worker->names);
	else
		snprintf(name, STATE_NAME, "%c-%c%u", worker->letter, kind,
			 worker->names);
}

/* ---- bytes ---- */

/* An item with room for `size` bytes, which begin like those of `old`. */
static struct item file_item(const char *name, const struct item *old,
			     size_t size)
{
	struct item item = { .type = 'f', .mode = 0644, .size = size };

	snprintf(item.name, sizeof(item.name), "%s", name);
	item.target[0] = '-';
	item.data = calloc(1, size + 1);
	if (!item.data)
		abort();
	if (old) {
		item.mode = old->mode;
		memcpy(item.data, old->data,
		       size < old->size ? size : (size_t)old->size);
	}
	return item;
}

static void seal(struct item *item)
{
	item->sum = sum_add(SUM_START, item->data, (size_t)item->size);
}

struct range {
	size_t from, to;
};

/* New bytes in the range of the item. */
static void scribble(struct worker *worker, struct item *item,
		     struct range range)
{
	prng_fill(&worker->prng, item->data + range.from,
		  range.to - range.from);
	seal(item);
}

static int write_range(int fd, const struct item *item, struct range range)
{
	for (size_t at = range.from; at < range.to;) {
		size_t length = range.to - at < PIECE ? range.to - at : PIECE;
		ssize_t put = pwrite(fd, item->data + at, length, (off_t)at);

		if (put < 0)
			return -1;
		at += (size_t)put;
	}
	return 0;
}

/* ---- operations on files ---- */

/* Open, write the range (of the new content) and close. */
static void commit(struct worker *worker, struct item *item, int flags,
		   struct range range)
{
	struct effect effect = { EFFECT_PUT, *item };
	int fd;

	about(worker, &effect);
	fd = open(item->name, O_WRONLY | flags, 0644);
	if (fd < 0)
		failed(worker, "open");
	if (write_range(fd, item, range) != 0)
		failed(worker, "write");
	if (close(fd) != 0)
		failed(worker, "close");
	acknowledged(worker, &effect, MANIFEST_DURABLE);
}

static void create_of(struct worker *worker, size_t size)
{
	char name[STATE_NAME];
	struct item item;

	new_name(worker, 'f', name);
	item = file_item(name, NULL, size);
	scribble(worker, &item, (struct range){ 0, size });
	commit(worker, &item, O_CREAT | O_EXCL, (struct range){ 0, size });
}

/* Most files are small. */
static size_t any_size(struct worker *worker)
{
	bool small = prng_below(&worker->prng, 5) != 0;

	return (size_t)prng_below(&worker->prng, small ? SMALL : MEDIUM);
}

static void create(struct worker *worker)
{
	create_of(worker, any_size(worker));
}

static void create_big(struct worker *worker)
{
	create_of(worker, BIG + (size_t)prng_below(&worker->prng, SMALL));
}

/* There is one, if need be since now. */
static struct item *a_file(struct worker *worker)
{
	struct item *item = choose(worker, 'f', false);

	if (item)
		return item;
	create(worker);
	return choose(worker, 'f', false);
}

static void replace_by(struct worker *worker, size_t size)
{
	struct item *old = a_file(worker);
	struct item item = file_item(old->name, NULL, size);

	item.mode = old->mode;
	scribble(worker, &item, (struct range){ 0, size });
	commit(worker, &item, O_TRUNC, (struct range){ 0, size });
}

static void replace(struct worker *worker)
{
	replace_by(worker, any_size(worker));
}

static void append(struct worker *worker)
{
	struct item *old = a_file(worker);
	size_t from = (size_t)old->size;
	struct range range = {
		from, from + 1 + (size_t)prng_below(&worker->prng, SMALL)
	};
	struct item item = file_item(old->name, old, range.to);

	scribble(worker, &item, range);
	commit(worker, &item, O_APPEND, range);
}

static struct range middle_of(struct worker *worker, size_t size)
{
	size_t from = (size_t)prng_below(&worker->prng, size);
	size_t room = size - from < SMALL ? size - from : SMALL;

	return (struct range){ from, from + (size_t)prng_below(&worker->prng,
							       room + 1) };
}

static void edit(struct worker *worker)
{
	struct item *old = a_file(worker);
	struct item item = file_item(old->name, old, (size_t)old->size);
	struct range range = middle_of(worker, (size_t)old->size);

	scribble(worker, &item, range);
	commit(worker, &item, 0, range);
}

static void cut(struct worker *worker)
{
	struct item *old = a_file(worker);
	size_t size = (size_t)prng_below(&worker->prng, old->size + 1);
	struct effect put = { EFFECT_PUT, file_item(old->name, old, size) };
	int fd;

	seal(&put.item);
	about(worker, &put);
	fd = open(put.item.name, O_WRONLY);
	if (fd < 0 || ftruncate(fd, (off_t)size) != 0 || close(fd) != 0)
		failed(worker, "ftruncate");
	acknowledged(worker, &put, MANIFEST_DURABLE);
}

/* Opened for writing; there is nothing to write. */
static void look(struct worker *worker)
{
	struct item *old = a_file(worker);
	struct item item = file_item(old->name, old, (size_t)old->size);

	seal(&item);
	commit(worker, &item, 0, (struct range){ 0, 0 });
}

/* fsync() in the middle: two contents, the second without a close between. */
static void sync_twice(struct worker *worker)
{
	struct item *old = a_file(worker);
	struct item first = file_item(old->name, old, (size_t)old->size + 100);
	struct range range = { (size_t)old->size, (size_t)old->size + 100 };
	struct effect effect;
	struct item second;
	int fd = open(old->name, O_WRONLY);

	scribble(worker, &first, range);
	effect = (struct effect){ EFFECT_PUT, first };
	about(worker, &effect);
	if (fd < 0 || write_range(fd, &first, range) != 0 || fsync(fd) != 0)
		failed(worker, "fsync");
	acknowledged(worker, &effect, MANIFEST_DURABLE);

	second = file_item(first.name, &first, (size_t)first.size);
	range = middle_of(worker, (size_t)first.size);
	scribble(worker, &second, range);
	effect = (struct effect){ EFFECT_PUT, second };
	about(worker, &effect);
	if (write_range(fd, &second, range) != 0 || close(fd) != 0)
		failed(worker, "close");
	acknowledged(worker, &effect, MANIFEST_DURABLE);
}

/* As editors save: a temporary, fsync, rename over the old file. */
static void save_as(struct worker *worker, char saved[STATE_NAME])
{
	struct effect put = { EFFECT_PUT, *a_file(worker) };
	struct effect move = { .kind = EFFECT_MOVE };
	size_t size = any_size(worker);
	int fd;

	move.item = put.item;
	memcpy(move.item.target, put.item.name, STATE_NAME);
	memcpy(saved, put.item.name, STATE_NAME);
	new_name(worker, 'f', move.item.name);
	put.item = file_item(move.item.name, NULL, size);
	scribble(worker, &put.item, (struct range){ 0, size });
	about(worker, &put);
	fd = open(put.item.name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0 || write_range(fd, &put.item, (struct range){ 0, size }) ||
	    fsync(fd) != 0)
		failed(worker, "fsync");
	acknowledged(worker, &put, MANIFEST_DURABLE);
	if (close(fd) != 0)
		failed(worker, "close");
	CHANGE(worker, &move, rename(move.item.name, move.item.target));
}

static void safe_save(struct worker *worker)
{
	char saved[STATE_NAME];

	save_as(worker, saved);
}

/* What was saved goes elsewhere before it has replaced the old file. */
static void save_and_move(struct worker *worker)
{
	struct effect move = { .kind = EFFECT_MOVE };

	save_as(worker, move.item.name);
	new_name(worker, 'f', move.item.target);
	CHANGE(worker, &move, rename(move.item.name, move.item.target));
}

/* Written, renamed before the close. */
static void rename_open(struct worker *worker)
{
	struct item *old = a_file(worker);
	struct effect move = { .kind = EFFECT_MOVE, .item = *old };
	struct effect put = { .kind = EFFECT_PUT };
	struct range range = middle_of(worker, (size_t)old->size);
	int fd = open(old->name, O_WRONLY);

	new_name(worker, 'f', move.item.target);
	put.item = file_item(move.item.target, old, (size_t)old->size);
	scribble(worker, &put.item, range);
	if (fd < 0 || write_range(fd, &put.item, range) != 0)
		failed(worker, "write");
	CHANGE(worker, &move, rename(move.item.name, move.item.target));
	about(worker, &put);
	if (close(fd) != 0)
		failed(worker, "close");
	acknowledged(worker, &put, MANIFEST_DURABLE);
}

/* What is written to a file without a name comes back under none. */
static void unlink_open(struct worker *worker)
{
	struct item *old = a_file(worker);
	struct effect gone = { .kind = EFFECT_GONE, .item = *old };
	struct item item = file_item(old->name, old, (size_t)old->size + 10);
	struct range range = { (size_t)old->size, (size_t)old->size + 10 };
	int fd = open(old->name, O_WRONLY);

	if (fd < 0 || write_range(fd, &item, range) != 0)
		failed(worker, "write");
	CHANGE(worker, &gone, unlink(gone.item.name));
	if (close(fd) != 0)
		failed(worker, "close");
	free(item.data);
}

/* ---- operations on names ---- */

static void make_folder(struct worker *worker)
{
	struct effect put = { EFFECT_PUT, { .type = 'd', .mode = 0755 } };

	new_name(worker, 'd', put.item.name);
	put.item.target[0] = '-';
	CHANGE(worker, &put, mkdir(put.item.name, 0755));
}

static void make_link(struct worker *worker)
{
	struct effect put = { EFFECT_PUT, { .type = 'l' } };

	new_name(worker, 'l', put.item.name);
	snprintf(put.item.target, STATE_NAME, "to/%u", worker->names);
	CHANGE(worker, &put, symlink(put.item.target, put.item.name));
}

static void rename_over(struct worker *worker)
{
	struct effect move = { EFFECT_MOVE, *a_file(worker) };
	const struct item *to = choose(worker, 'f', false);

	if (strcmp(to->name, move.item.name) == 0)
		new_name(worker, 'f', move.item.target);
	else
		memcpy(move.item.target, to->name, STATE_NAME);
	CHANGE(worker, &move, rename(move.item.name, move.item.target));
}

/* As mail is delivered: each message gets its name when it is complete. */
static void deliver(struct worker *worker)
{
	for (int i = 0; i < MESSAGES; i++) {
		struct effect move = { .kind = EFFECT_MOVE };
		struct item item;

		new_name(worker, 'f', move.item.name);
		item = file_item(move.item.name, NULL, MESSAGE);
		scribble(worker, &item, (struct range){ 0, MESSAGE });
		commit(worker, &item, O_CREAT | O_EXCL,
		       (struct range){ 0, MESSAGE });
		new_name(worker, 'f', move.item.target);
		CHANGE(worker, &move, rename(move.item.name, move.item.target));
	}
}

static void rename_folder(struct worker *worker)
{
	struct effect move = { .kind = EFFECT_MOVE };

	if (!choose(worker, 'd', true))
		make_folder(worker);
	move.item = *choose(worker, 'd', true);
	worker->names++;
	snprintf(move.item.target, STATE_NAME, "%c-d%u", worker->letter,
		 worker->names);
	CHANGE(worker, &move, rename(move.item.name, move.item.target));
}

static void remove_file(struct worker *worker)
{
	struct effect gone = { EFFECT_GONE, *a_file(worker) };

	CHANGE(worker, &gone, unlink(gone.item.name));
}

static void change_mode(struct worker *worker)
{
	static const mode_t modes[] = { 0600, 0640, 0755, 0644 };
	struct item *old = a_file(worker);
	struct effect put = { EFFECT_PUT,
			      file_item(old->name, old, (size_t)old->size) };

	put.item.sum = old->sum;
	put.item.mode = modes[prng_below(&worker->prng, 4)];
	CHANGE(worker, &put, chmod(put.item.name, put.item.mode));
}

/* ---- the workers ---- */

/* In this order the first round meets every kind of file. */
static void (*const operations[])(struct worker *worker) = {
	create,	     make_folder,   create,	   create_big,	append,
	edit,	     change_mode,   replace,	   create,	rename_over,
	safe_save,   save_and_move, rename_folder, cut,		sync_twice,
	make_link,   rename_open,   create,	   unlink_open, edit,
	remove_file, deliver,	    look,
};
enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static void act(struct worker *worker)
{
	size_t kind = (size_t)prng_below(&worker->prng, OPERATIONS);

	if (operations[kind] == create_big && prng_below(&worker->prng, 4))
		kind = 0;
	if (worker->state.count > ITEMS_MAX)
		remove_file(worker);
	else
		operations[kind](worker);
}

struct order {
	uint64_t seed;
	unsigned long workers, fillers, count;
};

static void work(char letter, int fd, const struct order *order)
{
	struct worker worker = { .letter = letter, .manifest = fd };

	prng_init(&worker.prng, order->seed * WORKERS_MAX + (uint64_t)letter);
	if (order->fillers)
		create_of(&worker, FILLER);
	for (unsigned long i = 1; i < order->fillers; i++)
		replace_by(&worker, FILLER);
	for (size_t i = 0; i < OPERATIONS; i++)
		operations[i](&worker);
	for (unsigned long i = 0; i < order->count; i++)
		act(&worker);
	state_release(&worker.state);
	_exit(0);
}

static int wait_all(void)
{
	int worst = 0, status;

	while (wait(&status) > 0) {
		int code = WIFEXITED(status) ? WEXITSTATUS(status) : 2;

		if (code > worst)
			worst = code;
	}
	return worst;
}

static bool order_read(int argc, char **argv, struct order *order)
{
	if (argc < 6 || argc > 7)
		return false;
	*order = (struct order){
		.seed = strtoull(argv[3], NULL, 10),
		.workers = strtoul(argv[4], NULL, 10),
		.count = strtoul(argv[5], NULL, 10),
		.fillers = argc > 6 ? strtoul(argv[6], NULL, 10) : 0,
	};
	return order->workers > 0 && order->workers <= WORKERS_MAX;
}

int main(int argc, char **argv)
{
	struct order order;
	int fd;

	if (!order_read(argc, argv, &order)) {
		fprintf(stderr, "usage: workload DIR MANIFEST SEED WORKERS "
				"OPERATIONS [FILLERS]\n");
		return 2;
	}
	umask(022);
	fd = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0 || chdir(argv[1]) != 0) {
		perror(argv[1]);
		return 2;
	}
	for (unsigned long i = 0; i < order.workers; i++) {
		pid_t child = fork();

		if (child < 0)
			return 2;
		if (!child)
			work((char)('a' + (int)i), fd, &order);
	}
	/* Nothing of ours keeps the mount busy. */
	return chdir("/") == 0 ? wait_all() : 2;
}
