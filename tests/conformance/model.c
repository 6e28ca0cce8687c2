// SPDX-License-Identifier: MIT
/*
 * Random operations on the store and on a memory store, the executable
 * specification: each must answer the same code, and leave the same tree.
 */
#include "config.h"

#include "tests/conformance/conf.h"

#include <stdio.h>

#include "src/base/buf.h"
#include "src/base/cleanup.h"

enum { KEY_ROOM = 32, DATA_MAX = 200000 };

static struct {
	struct store *reference;
	uint64_t random;
	unsigned char data[DATA_MAX];
} model;

/* One operation, the same for both stores. */
struct step {
	int what;
	char from[KEY_ROOM];
	char to[KEY_ROOM];
	unsigned int flags;
	size_t size;
	uint64_t seed;
	bool keep;
	uint32_t mode;
};

static uint64_t choose(uint64_t count)
{
	return conf_random(&model.random) % count;
}

/* One to three components out of three: they meet often. */
static void random_key(char key[KEY_ROOM])
{
	static const char *const parts[] = { "a", "b", "c" };

	switch (choose(3)) {
	case 0:
		snprintf(key, KEY_ROOM, "%s", parts[choose(3)]);
		break;
	case 1:
		snprintf(key, KEY_ROOM, "%s/%s", parts[choose(3)],
			 parts[choose(3)]);
		break;
	default:
		snprintf(key, KEY_ROOM, "%s/%s/%s", parts[choose(3)],
			 parts[choose(3)], parts[choose(3)]);
	}
}

typedef int step_fn(struct store *store, const struct step *step);

static int step_put(struct store *store, const struct step *step)
{
	struct store_write_options options = {
		.precondition.condition =
			step->flags ? STORE_IF_ANY : STORE_IF_ABSENT,
		.keep = step->keep,
	};
	struct store_memory_source source;

	conf_fill(model.data, step->size, step->seed);
	return store_write(
		store, NULL, step->from,
		store_memory_source_init(&source, model.data, step->size),
		&options, NULL, &conf_error);
}

static int step_stream(struct store *store, const struct step *step)
{
	struct store_write_options options = {
		.precondition.condition =
			step->flags ? STORE_IF_ANY : STORE_IF_ABSENT,
	};
	struct store_writer *writer = NULL;
	int code = store_open_writer(store, NULL, step->from, &options, &writer,
				     &conf_error);

	if (code)
		return code;
	conf_fill(model.data, step->size, step->seed);
	code = store_writer_write(writer, NULL, model.data, step->size,
				  &conf_error);
	if (!code && step->keep)
		return store_writer_commit(writer, NULL, NULL, &conf_error);
	store_writer_discard(writer);
	return code;
}

static int step_delete(struct store *store, const struct step *step)
{
	return store_delete(store, NULL, step->from, step->keep, &conf_error);
}

static int step_make_folder(struct store *store, const struct step *step)
{
	return store_make_folder(store, NULL, step->from, NULL, NULL,
				 &conf_error);
}

static int step_delete_folder(struct store *store, const struct step *step)
{
	struct store_delete_folder_options options = {
		.recursive = step->flags == 0,
		.missing_ok = step->keep,
	};

	return store_delete_folder(store, NULL, step->from, &options,
				   &conf_error);
}

static bool is_below(const char *key, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(key, folder, length) == 0 && key[length] == '/';
}

static int step_move(struct store *store, const struct step *step)
{
	int code = store_move(store, NULL, step->from, step->to,
			      step->flags ? STORE_MOVE_OVERWRITE : 0, NULL,
			      NULL, &conf_error);

	/* Taken, or below a file, and inside of what moves: of one rank. */
	if ((code == STORE_EXISTS || code == STORE_NOT_DIR) &&
	    is_below(step->to, step->from))
		return STORE_INVALID;
	return code;
}

static int step_exchange(struct store *store, const struct step *step)
{
	int code = store_move(store, NULL, step->from, step->to,
			      STORE_MOVE_EXCHANGE, NULL, NULL, &conf_error);

	/* A missing name below a file or below what moves: likewise. */
	if (code == STORE_NOT_DIR ||
	    (code == STORE_INVALID && is_below(step->to, step->from)))
		return STORE_NOT_FOUND;
	return code;
}

static int step_copy(struct store *store, const struct step *step)
{
	struct store_info info;
	int code = store_stat(store, NULL, step->from, &info, &conf_error);

	/* Copying is promised for files alone. */
	if (!code && info.type == STORE_TYPE_SYMLINK)
		return code;
	store_error_clear(&conf_error);
	return store_copy(store, NULL, step->from, step->to,
			  step->flags ? STORE_MOVE_OVERWRITE : 0, NULL,
			  &conf_error);
}

static int step_link(struct store *store, const struct step *step)
{
	return store_link(store, NULL, step->from, step->to, NULL, &conf_error);
}

static int step_symlink(struct store *store, const struct step *step)
{
	struct store_node node = { .type = STORE_TYPE_SYMLINK,
				   .target = step->to };

	return store_make_node(store, NULL, step->from, &node, NULL,
			       &conf_error);
}

static int step_mode(struct store *store, const struct step *step)
{
	struct store_attributes attributes = { .mask = STORE_ATTR_MODE,
					       .mode = step->mode };
	struct store_info info;
	int code = store_stat(store, NULL, step->from, &info, &conf_error);

	/* Not every file system keeps a mode for symlinks. */
	if (code || info.type == STORE_TYPE_SYMLINK)
		return code;
	return store_set_attributes(store, NULL, step->from, &attributes, NULL,
				    &conf_error);
}

static int step_totals(struct store *store, const struct step *step)
{
	struct store_totals totals;

	return store_folder_totals(store, NULL, step->from, -1, &totals,
				   &conf_error);
}

static int step_page(struct store *store, const struct step *step)
{
	struct store_page page;
	int code;

	store_page_init(&page);
	code = store_list_page(store, NULL, step->from, NULL, 100, &page,
			       &conf_error);
	store_page_release(&page);
	return code;
}

static const struct {
	const char *name;
	step_fn *run;
	uint64_t needs;
} steps[] = {
	{ "put", step_put, STORE_CAP_WRITE },
	{ "put", step_put, STORE_CAP_WRITE },
	{ "put", step_put, STORE_CAP_WRITE },
	{ "stream", step_stream, STORE_CAP_WRITE },
	{ "delete", step_delete, STORE_CAP_DELETE },
	{ "make_folder", step_make_folder, STORE_CAP_FOLDERS },
	{ "delete_folder", step_delete_folder, STORE_CAP_DELETE },
	{ "move", step_move, STORE_CAP_MOVE_FOLDER },
	{ "move", step_move, STORE_CAP_MOVE_FOLDER },
	{ "exchange", step_exchange, STORE_CAP_EXCHANGE },
	{ "copy", step_copy, STORE_CAP_COPY },
	{ "link", step_link, STORE_CAP_LINKS },
	{ "link", step_link, STORE_CAP_LINKS },
	{ "symlink", step_symlink, STORE_CAP_SYMLINKS },
	{ "mode", step_mode, STORE_CAP_POSIX },
	{ "totals", step_totals, STORE_CAP_METADATA },
	{ "page", step_page, STORE_CAP_LIST },
};
enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

static void random_step(struct step *step)
{
	do
		step->what = (int)choose(STEPS);
	while (!conf_has(steps[step->what].needs));
	random_key(step->from);
	random_key(step->to);
	step->flags = choose(3) != 0;
	step->size = (size_t)(choose(4) ? choose(100) : choose(DATA_MAX));
	step->seed = choose(1000);
	step->keep = choose(2) != 0;
	step->mode = (uint32_t)choose(01000) | 0700;
}

/* Everything that must agree, as one line per key. */
static char *tree_of(struct store *store)
{
	struct store_list_options all = {
		.flags = STORE_LIST_FILES | STORE_LIST_FOLDERS, .max_depth = -1
	};
	CLEANUP_FREE char *names = conf_names(store, "", &all);
	struct buf text = BUF_INIT(1 << 20);
	char *name;
	char *rest = NULL;

	for (name = strtok_r(names, " ", &rest); name;
	     name = strtok_r(NULL, " ", &rest)) {
		struct store_info info;

		CONF_OK(store_stat(store, NULL, name, &info, &conf_error));
		buf_addf(&text, "%s %s", name, store_type_name(info.type));
		if (info.type != STORE_TYPE_FOLDER)
			buf_addf(&text, " %llu links %u",
				 (unsigned long long)info.size, info.links);
		buf_add_char(&text, '\n');
	}
	name = buf_steal(&text);
	ck_assert_ptr_nonnull(name);
	return name;
}

static void compare_content(const char *tree)
{
	char key[STORE_KEY_MAX + 1];

	while (*tree) {
		size_t length = strcspn(tree, " ");
		struct store_info info;
		void *data = NULL;
		size_t size = 0;

		ck_assert_uint_lt(length, sizeof(key));
		memcpy(key, tree, length);
		key[length] = '\0';
		tree += strcspn(tree, "\n") + 1;
		CONF_OK(store_stat(model.reference, NULL, key, &info,
				   &conf_error));
		if (info.type != STORE_TYPE_FILE)
			continue;
		CONF_OK(store_read_all(model.reference, NULL, key, DATA_MAX,
				       &data, &size, &conf_error));
		conf_expect_bytes(key, data, size);
		free(data);
	}
}

static void compare_trees(int round)
{
	CLEANUP_FREE char *wanted = tree_of(model.reference);
	CLEANUP_FREE char *found = tree_of(conf_store);

	ck_assert_msg(strcmp(wanted, found) == 0,
		      "after step %d\n--- memory\n%s--- %s\n%s", round, wanted,
		      conf_backend.name, found);
}

static void run_step(int round)
{
	char wanted[STORE_ERROR_MESSAGE_MAX];
	struct step step;
	int reference;
	int code;

	random_step(&step);
	store_error_clear(&conf_error);
	reference = steps[step.what].run(model.reference, &step);
	snprintf(wanted, sizeof(wanted), "%s", conf_error.message);
	store_error_clear(&conf_error);
	code = steps[step.what].run(conf_store, &step);
	ck_assert_msg(code == reference,
		      "step %d: %s %s %s flags %u keep %d: %s (%s), "
		      "not %s (%s)",
		      round, steps[step.what].name, step.from, step.to,
		      step.flags, step.keep, store_code_name(code),
		      conf_error.message, store_code_name(reference), wanted);
	store_error_clear(&conf_error);
}

/* The matrix of errors, and what follows from a long life. */
START_TEST(random_operations_agree_with_the_memory_store)
{
	/* Where each step is a round trip or two, fewer of them. */
	int rounds = conf_rounds(conf_backend.seconds ? 400 : 1500, 30000);
	int i;

	model.random = conf_seed();
	CONF_OK(store_open_url("memory:", NULL, &model.reference, &conf_error));
	for (i = 0; i < rounds; i++) {
		run_step(i);
		compare_trees(i);
		if (i % 50 == 49) {
			CLEANUP_FREE char *tree = tree_of(model.reference);

			compare_content(tree);
		}
		if (i % 500 == 499 && conf_backend.persistent)
			conf_reopen();
	}
	store_close(model.reference);
	conf_expect_no_leftovers();
}
END_TEST

void conf_add_model(void)
{
	conf_add("P model", STORE_CAP_FOLDERS,
		 random_operations_agree_with_the_memory_store);
}
