/* SPDX-License-Identifier: MIT */
/* Entries of a listing, as they come or sorted by name (--sort). */
#ifndef STOREFS_CTL_ENTRIES_H
#define STOREFS_CTL_ENTRIES_H

#include "src/ctl/ctl.h"

struct entries_sink {
	void (*print)(void *arg, const struct store_entry *entry);
	void *arg;
	uint64_t *count; /* entries printed */
};

/* Hand every entry to the sink; the listing is used up, not closed. */
int entries_each(struct ctl *ctl, struct store_listing *listing,
		 const struct entries_sink *sink, struct store_error *error)
	STORE_WARN_UNUSED;

#endif
