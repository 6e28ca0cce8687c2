// SPDX-License-Identifier: MIT
/* See entries.h.  Called by ls, glob and tree. */
#include "config.h"

#include "src/ctl/entries.h"

#include <stdlib.h>
#include <string.h>

static int entries_compare(const void *a, const void *b)
{
	const struct store_entry *left = a;
	const struct store_entry *right = b;

	return strcmp(left->name, right->name);
}

static int entries_stream(struct ctl *ctl, struct store_listing *listing,
			  const struct entries_sink *sink,
			  struct store_error *error)
{
	for (;;) {
		const struct store_entry *entry;
		int code = store_listing_next(listing, ctl_context(ctl), &entry,
					      error);

		if (code || !entry)
			return code;
		sink->print(sink->arg, entry);
		++*sink->count;
	}
}

static int entries_collect(struct ctl *ctl, struct store_listing *listing,
			   struct store_page *page, struct store_error *error)
{
	for (;;) {
		const struct store_entry *entry;
		int code = store_listing_next(listing, ctl_context(ctl), &entry,
					      error);

		if (code || !entry)
			return code;
		if (store_page_add(page, entry->name, &entry->info,
				   entry->complete))
			return store_error_set(error, STORE_NO_MEMORY,
					       "out of memory");
	}
}

int entries_each(struct ctl *ctl, struct store_listing *listing,
		 const struct entries_sink *sink, struct store_error *error)
{
	struct store_page page;
	size_t i;
	int code;

	if (!ctl->args.sort)
		return entries_stream(ctl, listing, sink, error);
	store_page_init(&page);
	code = entries_collect(ctl, listing, &page, error);
	if (page.count > 0)
		qsort(page.entries, page.count, sizeof(*page.entries),
		      entries_compare);
	for (i = 0; i < page.count; i++)
		sink->print(sink->arg, &page.entries[i]);
	*sink->count += page.count;
	store_page_release(&page);
	return code;
}
