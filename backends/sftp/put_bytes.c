// SPDX-License-Identifier: MIT
/*
 * The bytes of a put: WRITEs and copies of kept ranges, many on their way at
 * once, each answer looked at; see put_internal.h.
 */
#include "config.h"

#include "backends/sftp/put_internal.h"

/*
 * A server answers these when all is done: large files are copied and flushed
 * in pieces, so that no answer takes longer than a call may wait.
 */
enum { COPY_PIECE = 64 << 20, SYNC_PIECE = 256 << 20 };
/* A multiple of all sizes of pages. */
enum { PAGES = 32 << 10 };

/* ---- requests on their way ---- */

/*
 * OpenSSH says OK also when the last 64 KiB of a copy could not be read or
 * written (sftp-server.c, process_extended_copy_data): the size tells.
 */
static int settle_size(struct putting *putting, struct sftp_request **slot,
		       uint64_t least)
{
	struct sftp_attributes now;
	int code = sftp_call_attributes(putting->call, slot, &now);

	if (code || now.size >= least)
		return code;
	return store_error_set(putting->call->error, STORE_NO_SPACE,
			       "the server has copied up to %llu instead of "
			       "%llu",
			       (unsigned long long)now.size,
			       (unsigned long long)least);
}

/*
 * Only root gives files away: where the user there is another, a new file is
 * his, as with any program that he runs.
 */
static int settle_one(struct putting *putting)
{
	struct sftp_request **slot = &putting->sent[putting->first];
	uint64_t least = putting->least[putting->first];
	struct sftp_call *call = putting->call;
	bool owner = *slot == putting->owner;
	int code;

	putting->first = (putting->first + 1) % SFTP_PUT_WINDOW;
	putting->count--;
	if (least)
		return settle_size(putting, slot, least);
	code = sftp_call_done(call, slot);
	if (owner &&
	    (code == STORE_DENIED || sftp_call_says_nothing(call, code))) {
		store_error_clear(call->error);
		code = STORE_OK;
	}
	return code;
}

int sftp_put_settle(struct putting *putting)
{
	int code = STORE_OK;

	while (!code && putting->count)
		code = settle_one(putting);
	return code;
}

static void add_sent(struct putting *putting, struct sftp_request *request,
		     uint64_t least)
{
	size_t at = (putting->first + putting->count++) % SFTP_PUT_WINDOW;

	putting->sent[at] = request;
	putting->least[at] = least;
	putting->order[at] = putting->next_order++;
}

/* It is submitted here, or gone. */
static int send_one(struct putting *putting, struct sftp_request *request)
{
	int code = STORE_OK;

	if (putting->count == SFTP_PUT_WINDOW)
		code = settle_one(putting);
	if (code) {
		sftp_call_forget(putting->call, &request);
		return code;
	}
	code = sftp_call_submit(putting->call, &request);
	if (!code)
		add_sent(putting, request, 0);
	return code;
}

/* With `least` an FSTAT: see settle_size(). */
int sftp_put_ask(struct putting *putting, const struct sftp_ask *ask,
		 uint64_t least)
{
	struct sftp_request *request;
	int code = STORE_OK;

	if (putting->count == SFTP_PUT_WINDOW)
		code = settle_one(putting);
	if (!code)
		code = sftp_call_send(putting->call, ask, &request);
	if (!code)
		add_sent(putting, request, least);
	return code;
}

int sftp_put_flush(struct putting *putting)
{
	struct sftp_ask ask = { .type = SFTP_EXTENDED,
				.extension = SFTP_EXT_FSYNC,
				.handle = &putting->handle };

	putting->unsynced = 0;
	if (!sftp_session_has(putting->call->session, SFTP_EXT_FSYNC))
		return STORE_OK;
	return sftp_put_ask(putting, &ask, 0);
}

static int sync_some(struct putting *putting, uint64_t more)
{
	putting->unsynced += more;
	return putting->unsynced < SYNC_PIECE ? STORE_OK
					      : sftp_put_flush(putting);
}

/* Who takes the WRITE at `offset`, with room for it; NULL: our own. */
static int choose_lane(struct putting *putting, uint64_t offset,
		       struct sftp_lane **lane)
{
	struct sftp_lanes *lanes = &putting->lanes;
	uint64_t order = putting->order[putting->first];
	struct sftp_lane *oldest;

	*lane = sftp_lanes_pick(lanes, putting->count);
	if (*lane || putting->count < SFTP_PUT_WINDOW)
		return STORE_OK;
	sftp_lanes_widen(putting, offset);
	*lane = sftp_lanes_pick(lanes, putting->count);
	if (*lane)
		return STORE_OK;
	oldest = sftp_lanes_oldest(lanes, order);
	*lane = oldest;
	return oldest ? sftp_lane_settle(putting, oldest) : settle_one(putting);
}

static int write_some(struct putting *putting, uint64_t offset, size_t length)
{
	struct store_source *source = putting->request->source;
	struct sftp_request *request;
	const struct sftp_handle *handle;
	struct sftp_lane *lane;
	struct buf *packet;
	char *data;
	int code = choose_lane(putting, offset, &lane);

	if (code)
		return code;
	request = sftp_request_new(SFTP_WRITE);
	if (!request)
		return store_error_errno(putting->call->error, ENOMEM, "write");
	packet = sftp_request_packet(request);
	handle = lane ? &lane->handle : &putting->handle;
	sftp_add_string(packet, handle->bytes, handle->length);
	sftp_add_u64(packet, offset);
	sftp_add_u32(packet, (uint32_t)length);
	data = buf_extend(packet, length);
	code = data ? source->read(source, offset, data, length,
				   putting->call->error)
		    : buf_error(packet, "write", putting->call->error);
	if (code) {
		sftp_call_forget(putting->call, &request);
		return code;
	}
	return lane ? sftp_lane_send(putting, lane, request,
				     putting->next_order++)
		    : send_one(putting, request);
}

/*
 * In whole pages of any server's cache: two lanes that end in different hosts
 * of one network file system would overwrite each other's part of a page.
 */
static int write_range(struct putting *putting, uint64_t offset, uint64_t end)
{
	size_t most = sftp_session_server(putting->call->session)->write_max;
	int code = STORE_OK;

	while (!code && offset < end) {
		uint64_t stop = end - offset < most ? end : offset + most;
		size_t length;

		if (stop < end && most >= PAGES)
			stop -= stop % PAGES;
		length = (size_t)(stop - offset);
		code = write_some(putting, offset, length);
		if (!code)
			code = sync_some(putting, length);
		offset += length;
	}
	return code;
}

/* Holes of the source are holes of the file: nothing is sent of them. */
static int write_data(struct putting *putting, uint64_t offset, uint64_t end)
{
	struct store_source *source = putting->request->source;
	int code = STORE_OK;

	if (!source->next_data)
		return write_range(putting, offset, end);
	while (!code && offset < end) {
		struct store_range data = { .offset = offset };

		code = source->next_data(source, offset, &data,
					 putting->call->error);
		if (code || !data.length || data.offset >= end)
			break;
		offset = data.offset + data.length;
		if (offset > end)
			offset = end;
		code = write_range(putting, data.offset, offset);
	}
	return code;
}

/* ---- ranges of the old version ---- */

static int open_old(struct putting *putting)
{
	struct sftp_call *call = putting->call;
	struct sftp_ask ask = { .type = SFTP_OPEN,
				.path = putting->path.text,
				.flags = SFTP_OPEN_READ };
	struct sftp_ask fstat = { .type = SFTP_FSTAT, .handle = &putting->old };
	struct sftp_attributes opened;
	struct sftp_request *request;
	int code = sftp_call_send(call, &ask, &request);

	if (!code)
		code = sftp_call_handle(call, &request, &putting->old);
	if (code)
		return code;
	putting->old_opened = true;
	code = sftp_call_send(call, &fstat, &request);
	if (!code)
		code = sftp_call_attributes(call, &request, &opened);
	return code ? code : sftp_put_check(putting, &opened);
}

static int copy_piece(struct putting *putting, uint64_t offset, uint64_t length)
{
	struct sftp_request *request =
		sftp_request_extended(SFTP_EXT_COPY_DATA);
	struct sftp_ask fstat = { .type = SFTP_FSTAT,
				  .handle = &putting->handle };
	struct buf *packet;
	int code;

	if (!request)
		return store_error_errno(putting->call->error, ENOMEM, "copy");
	packet = sftp_request_packet(request);
	sftp_add_string(packet, putting->old.bytes, putting->old.length);
	sftp_add_u64(packet, offset);
	sftp_add_u64(packet, length);
	sftp_add_string(packet, putting->handle.bytes, putting->handle.length);
	sftp_add_u64(packet, offset);
	code = send_one(putting, request);
	return code ? code : sftp_put_ask(putting, &fstat, offset + length);
}

static int keep_range(struct putting *putting, const struct store_range *range)
{
	uint64_t end = range->offset + range->length;
	int code = STORE_OK;

	for (uint64_t at = range->offset; !code && at < end; at += COPY_PIECE) {
		uint64_t length = end - at < COPY_PIECE ? end - at : COPY_PIECE;

		code = copy_piece(putting, at, length);
		if (!code)
			code = sync_some(putting, length);
	}
	return code;
}

int sftp_put_bytes(struct putting *putting)
{
	const struct backend_put_request *request = putting->request;
	uint64_t at = 0;
	int code = request->keep_count ? open_old(putting) : STORE_OK;

	for (size_t i = 0; !code && i < request->keep_count; i++) {
		const struct store_range *range = &request->keep[i];

		code = write_data(putting, at, range->offset);
		if (!code)
			code = keep_range(putting, range);
		at = range->offset + range->length;
	}
	if (!code)
		code = write_data(putting, at, request->source->size);
	return code ? code : sftp_lanes_finish(putting);
}

struct sftp_request *sftp_put_last(const struct putting *putting)
{
	size_t last = putting->first + putting->count - 1;

	return putting->sent[last % SFTP_PUT_WINDOW];
}
