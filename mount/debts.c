// SPDX-License-Identifier: MIT
/*
 * See debts.h.  Called by commit.c and commit_note.c, calls journal.c.
 */
#include "config.h"

#include "mount/debts.h"

#include <stdlib.h>
#include <string.h>

struct debt {
	struct debt *next;
	uint64_t id; /* of the file whose state it is, 0: something else */
	unsigned int flags;
	uint64_t folders; /* to be durable before it */
	size_t length;	  /* 0: that is all there is to it */
	unsigned char frame[];
};

void debts_init(struct debts *debts, struct journal *journal,
		const struct folders *folders)
{
	*debts = (struct debts){ .journal = journal, .folders = folders };
	debts->end = debts->states = &debts->first;
	lock_init(&debts->lock);
}

void debts_release(struct debts *debts)
{
	while (debts->first) {
		struct debt *debt = debts->first;

		debts->first = debt->next;
		free(debt);
	}
	lock_destroy(&debts->lock);
}

static struct debt *debt_new(const struct buf *frame, unsigned int flags,
			     uint64_t id)
{
	struct debt *debt = malloc(sizeof(*debt) + frame->length);

	if (!debt)
		return NULL;
	*debt = (struct debt){
		.id = id,
		.flags = flags,
		.length = frame->length,
	};
	memcpy(debt->frame, frame->data, frame->length);
	return debt;
}

/* Only one that is no state keeps those before it in their place; NULL: lost. */
static void add_locked(struct debts *debts, struct debt *debt)
	REQUIRES(debts->lock)
{
	atomic_store(&debts->any, true);
	if (!debt) {
		atomic_store(&debts->lost, true);
		return;
	}
	*debts->end = debt;
	debts->end = &debt->next;
	debts->bytes += debt->length;
	if (!debt->id)
		debts->states = debts->end;
}

static void drop_state_locked(struct debts *debts, uint64_t id)
	REQUIRES(debts->lock)
{
	struct debt **link = debts->states, *debt;

	while (*link && (*link)->id != id)
		link = &(*link)->next;
	debt = *link;
	if (!debt)
		return;
	*link = debt->next;
	if (!*link)
		debts->end = link;
	debts->bytes -= debt->length;
	free(debt);
}

static void owe(struct debts *debts, const struct buf *frame,
		unsigned int flags, uint64_t id)
{
	struct debt *debt = NULL;

	lock_take(&debts->lock);
	if (!frame->failed && frame->length <= DEBTS_MAX - debts->bytes)
		debt = debt_new(frame, flags, id);
	if (debt && id)
		drop_state_locked(debts, id);
	add_locked(debts, debt);
	lock_drop(&debts->lock);
}

void debts_owe(struct debts *debts, const struct buf *frame, unsigned int flags)
{
	owe(debts, frame, flags, 0);
}

void debts_owe_state(struct debts *debts, const struct buf *frame, uint64_t id)
{
	owe(debts, frame, 0, id);
}

void debts_await(struct debts *debts, uint64_t folders)
{
	struct debt *debt = malloc(sizeof(*debt));

	if (debt)
		*debt = (struct debt){ .folders = folders };
	lock_take(&debts->lock);
	add_locked(debts, debt);
	lock_drop(&debts->lock);
}

static int append_first_locked(struct debts *debts, struct store_error *error)
	REQUIRES(debts->lock)
{
	const struct debt *debt = debts->first;
	uint64_t position;
	int code;

	if (!folders_are_durable(debts->folders, debt->folders))
		return store_error_set(error, STORE_UNAVAILABLE,
				       "a name that was changed in the store "
				       "could not be flushed there yet");
	if (!debt->length)
		return STORE_OK;
	code = journal_append(debts->journal, debt->frame, debt->length,
			      debt->flags, &position, error);
	if (!code)
		atomic_store(&debts->paid, position);
	return code;
}

static int pay_first_locked(struct debts *debts, struct store_error *error)
	REQUIRES(debts->lock)
{
	struct debt *debt = debts->first;
	int code = append_first_locked(debts, error);

	if (code)
		return code;
	debts->bytes -= debt->length;
	debts->first = debt->next;
	if (debts->states == &debt->next)
		debts->states = &debts->first;
	if (!debts->first)
		debts->end = &debts->first;
	free(debt);
	return STORE_OK;
}

static int pay_locked(struct debts *debts, struct store_error *error)
	REQUIRES(debts->lock)
{
	int code = STORE_OK;

	while (debts->first && !code)
		code = pay_first_locked(debts, error);
	if (!code && atomic_load(&debts->lost))
		return store_error_set(error, STORE_UNAVAILABLE,
				       "journal: a record was lost; the next "
				       "mount asks the store what it missed");
	if (!code)
		atomic_store(&debts->any, false);
	return code;
}

int debts_pay(struct debts *debts, struct store_error *error)
{
	int code;

	if (!atomic_load(&debts->any))
		return STORE_OK;
	lock_take(&debts->lock);
	code = pay_locked(debts, error);
	lock_drop(&debts->lock);
	return code;
}

int debts_append(struct debts *debts, const struct buf *frame,
		 unsigned int flags, uint64_t *position,
		 struct store_error *error)
{
	int code = debts_pay(debts, error);

	return code ? code
		    : journal_append(debts->journal, frame->data, frame->length,
				     flags, position, error);
}
