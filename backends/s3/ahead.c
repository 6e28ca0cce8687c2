// SPDX-License-Identifier: MIT
/*
 * Parts that go ahead of their put, while nobody knows yet how large the file
 * will be.  The upload is the one the put goes on with by its token; it looks
 * at all parts again, so nothing is remembered here from call to call.
 *
 * Called by put.c; calls resume.c and beside.c.
 */
#include "config.h"

#include "backends/s3/s3.h"

struct ahead {
	const struct s3_upload *upload;
	uint64_t at;
	uint64_t until;
	unsigned int number;
};

/* The next part that is whole. */
static bool next_whole(void *arg, struct s3_part *part)
{
	struct ahead *ahead = arg;
	uint64_t size = s3_upload_part_size(ahead->upload, ahead->number + 1);

	if (size > ahead->until - ahead->at)
		return false;
	*part = (struct s3_part){ .number = ++ahead->number,
				  .range = { ahead->at, size } };
	ahead->at += size;
	return true;
}

/* Parts that earlier calls have sent are not even asked for. */
static int go_on(struct s3_upload *upload, const struct s3_meta *meta,
		 const struct store_range *range, struct store_error *error)
{
	const struct s3_plan plan = { .open = true, .onward = range->offset };
	struct store_info info = { .links = 1 };
	int code = s3_upload_resume(upload, meta, &plan, &info, error);

	if (!code && upload->gone)
		code = s3_upload_resume(upload, meta, &plan, &info, error);
	return code;
}

int s3_upload_ahead(struct s3_upload *upload, const struct s3_meta *meta,
		    struct store_source *source, struct store_range *range,
		    struct store_error *error)
{
	struct ahead ahead = { .upload = upload,
			       .until = range->offset + range->length };
	struct s3_part part;
	int code = go_on(upload, meta, range, error);

	/* One that had to be begun anew has none of them. */
	while (!code && !upload->fresh && ahead.at < range->offset &&
	       next_whole(&ahead, &part))
		continue;
	if (!code)
		code = s3_upload_beside(upload, source, HTTP_AT_ONCE,
					next_whole, &ahead, error);
	if (!code)
		range->length =
			ahead.at > range->offset ? ahead.at - range->offset : 0;
	return code;
}
