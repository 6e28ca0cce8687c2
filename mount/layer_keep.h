/* SPDX-License-Identifier: MIT */
/*
 * Making a layer durable, for a record of the journal that names it.
 */
#ifndef STOREFS_MOUNT_LAYER_KEEP_H
#define STOREFS_MOUNT_LAYER_KEEP_H

#include "mount/layer.h"
#include "mount/record.h"

/* Up to this many bytes travel in the record itself. */
enum { LAYER_INLINE_MAX = 32768 };

/*
 * The record of a layer that is `kept` and no longer changes: checksum, and
 * either its bytes (owned by *data, freed by the caller after the record was
 * encoded) or the promise that its file is flushed; *named tells that the
 * directory still has to be.  The maps are the layer's: borrowed.
 */
int layer_keep(const struct staging_layer *layer, uint64_t file,
	       struct record_layer *record, void **data, bool *named,
	       struct store_error *error) STORE_WARN_UNUSED;

#endif
