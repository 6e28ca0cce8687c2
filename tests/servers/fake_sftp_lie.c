// SPDX-License-Identifier: MIT
/*
 * What a hostile server may answer.  See fake_sftp.h.
 *
 *	die-before	it ends, the request not done
 *	die-after	it ends, the request done
 *	cut		it ends in the middle of the answer
 *	silent		no answer; others are answered
 *	stalls		half of the answer, and nothing more
 *	twice		two answers
 *	stranger	an answer to what nobody asked
 *	huge, empty	a packet of 4 GiB, of no byte
 *	odd		an answer of a type that there is not
 *	ok, failure	a status
 *	short		half of what belongs into the answer
 *	noise		bytes without sense in it
 *	more, nothing	data: more than was asked for, none
 *	ended		the end of the file, or folder
 *	again		the same name for ever
 *	nameless	lists without a name for ever
 *	bomb		new names for ever
 *	names		names that no file has, or leads out of the root
 *	vast		attributes of a file of 16 EiB
 */
#include "config.h"

#include "tests/servers/fake_sftp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fake_lie {
	const char *name;
	/* Changes the answer; NULL when it is told before. */
	void (*tell)(struct fake *fake, uint32_t id, struct buf *answer);
};

enum { HEAD = 4, BODY = 9 }; /* of a packet: its length; up to the id */

static void begin(struct buf *answer, enum sftp_type type, uint32_t id)
{
	buf_clear(answer);
	sftp_request_begin(answer, type, id);
}

static void status(struct buf *answer, uint32_t id, uint32_t code)
{
	begin(answer, SFTP_STATUS, id);
	sftp_add_u32(answer, code);
	sftp_packet_end(answer, 0);
}

/* ---- about any answer ---- */

static void tell_die(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	(void)id;
	(void)answer;
	_exit(0);
}

static void tell_cut(struct fake *fake, uint32_t id, struct buf *answer)
{
	fake_send(answer->data, answer->length / 2);
	tell_die(fake, id, answer);
}

static void tell_silent(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	(void)id;
	buf_clear(answer);
}

static void tell_stalls(struct fake *fake, uint32_t id, struct buf *answer)
{
	char rest[4096];

	(void)fake;
	(void)id;
	fake_send(answer->data, answer->length / 2);
	while (read(STDIN_FILENO, rest, sizeof(rest)) > 0)
		;
	_exit(0);
}

static void tell_twice(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	(void)id;
	fake_send(answer->data, answer->length);
}

static void tell_stranger(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	status(answer, id + 1000, SFTP_STATUS_OK);
}

static void tell_huge(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	(void)id;
	memset(answer->data, 0xff, HEAD);
}

static void tell_empty(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	(void)id;
	memset(answer->data, 0, HEAD);
}

static void tell_odd(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	(void)id;
	answer->data[HEAD] = (char)199;
}

static void tell_ok(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	status(answer, id, SFTP_STATUS_OK);
}

static void tell_failure(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	status(answer, id, SFTP_STATUS_FAILURE);
}

static void tell_short(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	(void)id;
	answer->length = BODY + (answer->length - BODY) / 2;
	sftp_packet_end(answer, 0);
}

static void tell_noise(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	for (size_t i = BODY; i < answer->length; i++)
		answer->data[i] = (char)(i * 151 + id * 31 + 7);
}

/* ---- about data ---- */

static void tell_more(struct fake *fake, uint32_t id, struct buf *answer)
{
	size_t length = fake->asked * (size_t)3 + 1;
	char *data;

	begin(answer, SFTP_DATA, id);
	sftp_add_u32(answer, (uint32_t)length);
	data = buf_extend(answer, length);
	if (data)
		memset(data, 'x', length);
	sftp_packet_end(answer, 0);
}

static void tell_nothing(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	begin(answer, SFTP_DATA, id);
	sftp_add_u32(answer, 0);
	sftp_packet_end(answer, 0);
}

static void tell_ended(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	status(answer, id, SFTP_STATUS_EOF);
}

static void tell_vast(struct fake *fake, uint32_t id, struct buf *answer)
{
	const struct sftp_attributes vast = {
		.mask = SFTP_ATTR_SIZE | SFTP_ATTR_MODE | SFTP_ATTR_TIMES,
		.size = UINT64_MAX,
		.mode = S_IFREG | 0644,
	};

	(void)fake;
	begin(answer, SFTP_ATTRS, id);
	sftp_add_attributes(answer, &vast);
	sftp_packet_end(answer, 0);
}

/* ---- about names ---- */

static void add_name(struct buf *answer, const char *name, size_t length)
{
	const struct sftp_attributes file = {
		.mask = SFTP_ATTR_SIZE | SFTP_ATTR_OWNER | SFTP_ATTR_MODE |
			SFTP_ATTR_TIMES,
		.size = 1,
		.mode = S_IFREG | 0644,
	};

	sftp_add_string(answer, name, length);
	sftp_add_text(answer, "");
	sftp_add_attributes(answer, &file);
}

static void tell_again(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	begin(answer, SFTP_NAME, id);
	sftp_add_u32(answer, 1);
	add_name(answer, "again", 5);
	sftp_packet_end(answer, 0);
}

static void tell_nameless(struct fake *fake, uint32_t id, struct buf *answer)
{
	(void)fake;
	begin(answer, SFTP_NAME, id);
	sftp_add_u32(answer, 0);
	sftp_packet_end(answer, 0);
}

static void tell_bomb(struct fake *fake, uint32_t id, struct buf *answer)
{
	enum { AT_ONCE = 4000 };
	char name[16];

	begin(answer, SFTP_NAME, id);
	sftp_add_u32(answer, AT_ONCE);
	for (int i = 0; i < AT_ONCE; i++) {
		snprintf(name, sizeof(name), "%010llu",
			 (unsigned long long)fake->told++);
		add_name(answer, name, 10);
	}
	sftp_packet_end(answer, 0);
}

static void tell_names(struct fake *fake, uint32_t id, struct buf *answer)
{
	char wide[300];

	if (fake->told++) {
		tell_ended(fake, id, answer);
		return;
	}
	memset(wide, 'w', sizeof(wide));
	begin(answer, SFTP_NAME, id);
	sftp_add_u32(answer, 10);
	add_name(answer, ".", 1);
	add_name(answer, "..", 2);
	add_name(answer, "", 0);
	add_name(answer, "/", 1);
	add_name(answer, "/etc/passwd", 11);
	add_name(answer, "../up", 5);
	add_name(answer, "a/b", 3);
	add_name(answer, "nul\0byte", 8);
	add_name(answer, wide, sizeof(wide));
	add_name(answer, "good", 4);
	sftp_packet_end(answer, 0);
}

/* ---- all of them ---- */

static const struct fake_lie lies[] = {
	{ "die-before", NULL },
	{ "die-after", tell_die },
	{ "cut", tell_cut },
	{ "silent", tell_silent },
	{ "stalls", tell_stalls },
	{ "twice", tell_twice },
	{ "stranger", tell_stranger },
	{ "huge", tell_huge },
	{ "empty", tell_empty },
	{ "odd", tell_odd },
	{ "ok", tell_ok },
	{ "failure", tell_failure },
	{ "short", tell_short },
	{ "noise", tell_noise },
	{ "more", tell_more },
	{ "nothing", tell_nothing },
	{ "ended", tell_ended },
	{ "again", tell_again },
	{ "nameless", tell_nameless },
	{ "bomb", tell_bomb },
	{ "names", tell_names },
	{ "vast", tell_vast },
};

const struct fake_lie *fake_lie_find(const char *name)
{
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++)
		if (strcmp(lies[i].name, name) == 0)
			return &lies[i];
	return NULL;
}

void fake_lie_before(const struct fake *fake)
{
	if (!fake->lie->tell)
		_exit(0);
}

void fake_lie_after(struct fake *fake, uint32_t id, struct buf *answer)
{
	fake->lie->tell(fake, id, answer);
}
