// SPDX-License-Identifier: MIT
/* Contexts: cancelling and running out of time. */
#include "config.h"

#include "tests/conformance/conf.h"

#include "src/base/clock.h"

static struct store_cancel *cancelled(void)
{
	struct store_cancel *cancel = store_cancel_new();

	ck_assert_ptr_nonnull(cancel);
	store_cancel_trigger(cancel);
	return cancel;
}

/* Every kind of call must give up with this code, and change nothing. */
static void expect_give_up(struct store_context *context, int code)
{
	struct store_memory_source memory;
	struct store_source *source = store_memory_source_init(&memory, "n", 1);
	struct store_listing *listing = NULL;
	struct store_reader *reader = NULL;
	struct store_writer *writer = NULL;
	struct store_info info;

	CONF_FAILS(code,
		   store_stat(conf_store, context, "a", &info, &conf_error));
	CONF_FAILS(code, store_write(conf_store, context, "b", source, NULL,
				     NULL, &conf_error));
	CONF_FAILS(code, store_open_reader(conf_store, context, "a", NULL,
					   &reader, NULL, &conf_error));
	CONF_FAILS(code, store_open_writer(conf_store, context, "b", NULL,
					   &writer, &conf_error));
	CONF_FAILS(code, store_list(conf_store, context, "", NULL, &listing,
				    &conf_error));
	CONF_FAILS(code,
		   store_delete(conf_store, context, "a", false, &conf_error));
	CONF_FAILS(code, store_move(conf_store, context, "a", "b", 0, NULL,
				    NULL, &conf_error));
	CONF_FAILS(code, store_copy(conf_store, context, "a", "b", 0, NULL,
				    &conf_error));
	CONF_FAILS(code, store_ping(conf_store, context, &conf_error));
	CONF_FAILS(code, store_sync(conf_store, context, "", &conf_error));
	conf_expect("a", "1");
	conf_expect_names("", "a");
}

START_TEST(a_cancelled_context_stops_every_call)
{
	struct store_cancel *cancel = cancelled();
	struct store_context context;

	CONF_OK(conf_put("a", "1"));
	store_context_init(&context, 0, cancel);
	expect_give_up(&context, STORE_CANCELLED);
	store_cancel_free(cancel);
}
END_TEST

START_TEST(a_passed_deadline_stops_every_call)
{
	struct store_context context;

	CONF_OK(conf_put("a", "1"));
	store_context_init(&context, 0, NULL);
	context.deadline_ns = clock_monotonic_ns() - 1;
	expect_give_up(&context, STORE_TIMEOUT);
}
END_TEST

/* A source that cancels its own put half way. */
struct cancelling_source {
	struct store_source source;
	struct store_cancel *cancel;
	uint64_t read;
};

static int cancelling_read(struct store_source *source, uint64_t offset,
			   void *data, size_t length, struct store_error *error)
{
	struct cancelling_source *own =
		(struct cancelling_source *)(void *)source;

	(void)offset;
	(void)error;
	memset(data, 'c', length);
	own->read += length;
	if (own->read > 4 << 20)
		store_cancel_trigger(own->cancel);
	return STORE_OK;
}

START_TEST(a_put_stops_in_the_middle_and_leaves_the_old_file)
{
	struct cancelling_source own = {
		.source = { .size = 64 << 20, .read = cancelling_read },
		.cancel = store_cancel_new(),
	};
	struct store_write_options over = {
		.precondition.condition = STORE_IF_ANY,
	};
	struct store_context context;

	ck_assert_ptr_nonnull(own.cancel);
	store_context_init(&context, 0, own.cancel);
	CONF_OK(conf_put("a", "old"));
	CONF_FAILS(STORE_CANCELLED,
		   store_write(conf_store, &context, "a", &own.source, &over,
			       NULL, &conf_error));
	ck_assert_uint_lt(own.read, 48 << 20);
	conf_expect("a", "old");
	conf_expect_names("", "a");
	conf_expect_no_leftovers();
	store_cancel_free(own.cancel);
}
END_TEST

START_TEST(a_reader_stops_and_goes_on_with_another_context)
{
	struct store_cancel *cancel = cancelled();
	struct store_reader *reader = NULL;
	struct store_context context;
	size_t got = 0;
	char byte = 0;

	store_context_init(&context, 0, cancel);
	CONF_OK(conf_put("a", "1"));
	CONF_OK(store_open_reader(conf_store, NULL, "a", NULL, &reader, NULL,
				  &conf_error));
	CONF_FAILS(STORE_CANCELLED, store_read_at(reader, &context, 0, &byte, 1,
						  &got, &conf_error));
	CONF_OK(store_read_at(reader, NULL, 0, &byte, 1, &got, &conf_error));
	ck_assert_int_eq(byte, '1');
	store_close_reader(reader);
	store_cancel_free(cancel);
}
END_TEST

START_TEST(a_cancelled_commit_publishes_nothing)
{
	struct store_cancel *cancel = cancelled();
	struct store_writer *writer = NULL;
	struct store_context context;

	store_context_init(&context, 0, cancel);
	CONF_OK(store_open_writer(conf_store, NULL, "a", NULL, &writer,
				  &conf_error));
	CONF_OK(store_writer_write(writer, NULL, "1", 1, &conf_error));
	CONF_FAILS(STORE_CANCELLED,
		   store_writer_commit(writer, &context, NULL, &conf_error));
	conf_expect_gone("a");
	conf_expect_no_leftovers();
	store_cancel_free(cancel);
}
END_TEST

/* A stall limit counts time without progress, not the whole time. */
START_TEST(a_generous_limit_stops_nothing)
{
	struct store_context context;
	struct store_info info;
	int i;

	store_context_init(&context, 30 * NS_PER_SEC, NULL);
	for (i = 0; i < 50; i++) {
		struct store_memory_source memory;
		struct store_write_options over = {
			.precondition.condition = STORE_IF_ANY,
		};

		CONF_OK(store_write(conf_store, &context, "a",
				    store_memory_source_init(&memory, "n", 1),
				    &over, NULL, &conf_error));
		CONF_OK(store_stat(conf_store, &context, "a", &info,
				   &conf_error));
	}
}
END_TEST

void conf_add_limits(void)
{
	conf_add("P context", 0, a_cancelled_context_stops_every_call);
	conf_add("P context", 0, a_passed_deadline_stops_every_call);
	conf_add("P context", 0,
		 a_put_stops_in_the_middle_and_leaves_the_old_file);
	conf_add("P context", 0,
		 a_reader_stops_and_goes_on_with_another_context);
	conf_add("P context", 0, a_cancelled_commit_publishes_nothing);
	conf_add("P context", 0, a_generous_limit_stops_nothing);
}
