// SPDX-License-Identifier: MIT
/*
 * Steps C1 of doc/journal.md; see layer_keep.h.  Called by
 * acknowledge.c.
 */
#include "config.h"

#include "mount/layer_keep.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/base/checksum.h"
#include "src/base/cleanup.h"
#include "src/base/step.h"

enum { CHUNK = 1 << 20 };

/* All present bytes, one range after the other. */
static int read_inline(const struct staging_layer *layer, char *data,
		       struct store_error *error)
{
	int code = STORE_OK;

	for (size_t i = 0; i < layer->present.count && !code; i++) {
		const struct span *span = &layer->present.spans[i];

		code = layer_read(layer, data, span->start,
				  (size_t)(span->end - span->start), error);
		data += span->end - span->start;
	}
	return code;
}

static int add_span(const struct staging_layer *layer, struct span span,
		    char *chunk, struct checksum *sum,
		    struct store_error *error)
{
	int code = STORE_OK;

	while (span.start < span.end && !code) {
		uint64_t left = span.end - span.start;
		size_t step = left < CHUNK ? (size_t)left : CHUNK;

		code = layer_read(layer, chunk, span.start, step, error);
		if (!code)
			checksum_add(sum, chunk, step);
		span.start += step;
	}
	return code;
}

static int sum_file(const struct staging_layer *layer, uint64_t *value,
		    struct store_error *error)
{
	CLEANUP_FREE char *chunk = malloc(CHUNK);
	struct checksum *sum = checksum_begin();
	int code = STORE_OK;

	if (!chunk || !sum)
		code = store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a checksum");
	for (size_t i = 0; i < layer->present.count && !code; i++)
		code = add_span(layer, layer->present.spans[i], chunk, sum,
				error);
	if (code) {
		checksum_free(sum);
		return code;
	}
	*value = checksum_end(sum);
	return STORE_OK;
}

static int keep_file(const struct staging_layer *layer,
		     struct record_layer *record, struct store_error *error)
{
	const struct rangemap *present = &record->present;
	uint64_t end = present->spans[present->count - 1].end;
	struct stat found;
	int code = sum_file(layer, &record->checksum, error);

	if (code)
		return code;
	/* A hole at the end: the file is as long as the record says. */
	if (fstat(layer->fd, &found) ||
	    ((uint64_t)found.st_size < end && ftruncate(layer->fd, (off_t)end)))
		return layer_error(layer, errno, error);
	STEP("commit: before data");
	if (STEP_WANTED("commit: flush data") && fdatasync(layer->fd))
		return layer_error(layer, errno, error);
	STEP("commit: data");
	return STORE_OK;
}

int layer_keep(const struct staging_layer *layer, uint64_t file,
	       struct record_layer *record, void **data, bool *named,
	       struct store_error *error)
{
	uint64_t length = rangemap_total(&layer->present);
	CLEANUP_FREE char *bytes = NULL;
	int code;

	*record = (struct record_layer){
		.file = file,
		.number = layer->number,
		.size = layer->size,
		.lower_limit = layer->lower_limit,
		.present = layer->present,
		.dirty = layer->dirty,
		.data_length = length,
	};
	*data = NULL;
	if (length > LAYER_INLINE_MAX) {
		*named = true;
		return keep_file(layer, record, error);
	}
	bytes = malloc((size_t)length + 1);
	if (!bytes)
		return store_error_set(error, STORE_NO_MEMORY,
				       "no memory for a record");
	code = read_inline(layer, bytes, error);
	if (code)
		return code;
	record->checksum = checksum64(bytes, (size_t)length);
	record->data = *data = steal_pointer(&bytes);
	return STORE_OK;
}
