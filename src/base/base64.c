// SPDX-License-Identifier: MIT
/*
 * See base64.h.  Called where JSON holds keys and values that are not UTF-8.
 * Pure functions.
 */
#include "config.h"

#include "src/base/base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char base64_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void base64_group(const unsigned char *in, size_t length, char *out)
{
	uint32_t bits = (uint32_t)in[0] << 16;

	if (length > 1)
		bits |= (uint32_t)in[1] << 8;
	if (length > 2)
		bits |= in[2];
	out[0] = base64_alphabet[bits >> 18 & 63];
	out[1] = base64_alphabet[bits >> 12 & 63];
	out[2] = length > 1 ? base64_alphabet[bits >> 6 & 63] : '=';
	out[3] = length > 2 ? base64_alphabet[bits & 63] : '=';
}

char *base64_encode(const void *data, size_t length)
{
	const unsigned char *in = data;
	size_t groups = length / 3 + (length % 3 != 0);
	char *text;
	size_t i;

	if (groups > (SIZE_MAX - 1) / 4)
		return NULL;
	text = malloc(groups * 4 + 1);
	if (!text)
		return NULL;
	for (i = 0; i < groups; i++)
		base64_group(in + i * 3, length - i * 3, text + i * 4);
	text[groups * 4] = '\0';
	return text;
}

/* The six bits of a character, -1 outside of the alphabet. */
static int base64_bits(char c)
{
	const char *found = c ? strchr(base64_alphabet, c) : NULL;

	return found ? (int)(found - base64_alphabet) : -1;
}

/* How many bytes a group of four holds, 0 when it is none. */
static size_t base64_ungroup(const char *in, bool last, unsigned char out[3])
{
	size_t padding = in[3] != '=' ? 0 : in[2] == '=' ? 2 : 1;
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int six = i < 4 - padding ? base64_bits(in[i]) : 0;

		if (six < 0)
			return 0;
		bits = bits << 6 | (uint32_t)six;
	}
	for (size_t i = 0; i < 3; i++)
		out[i] = (unsigned char)(bits >> (16 - 8 * i));
	/* Bits that no byte has would give one text two forms. */
	if (padding && (!last || out[3 - padding]))
		return 0;
	return 3 - padding;
}

char *base64_decode(const char *text, size_t *length)
{
	size_t size = strlen(text), done = 0;
	char *data;

	if (size % 4)
		return NULL;
	data = malloc(size / 4 * 3 + 1);
	for (size_t i = 0; data && i < size; i += 4) {
		unsigned char group[3];
		size_t count = base64_ungroup(text + i, i + 4 == size, group);

		if (!count) {
			free(data);
			return NULL;
		}
		memcpy(data + done, group, count);
		done += count;
	}
	if (!data)
		return NULL;
	data[done] = '\0';
	*length = done;
	return data;
}

/* Length of the character this byte starts, with the bits it contributes. */
static size_t utf8_lead(unsigned char byte, uint32_t *bits)
{
	if (byte < 0x80) {
		*bits = byte;
		return 1;
	}
	if (byte >= 0xc2 && byte <= 0xdf) {
		*bits = byte & 0x1fu;
		return 2;
	}
	if (byte >= 0xe0 && byte <= 0xef) {
		*bits = byte & 0x0fu;
		return 3;
	}
	if (byte >= 0xf0 && byte <= 0xf4) {
		*bits = byte & 0x07u;
		return 4;
	}
	return 0;
}

size_t utf8_character(const char *text, size_t length)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t code = 0;
	size_t count;
	size_t i;

	if (length == 0)
		return 0;
	count = utf8_lead((unsigned char)text[0], &code);
	if (count == 0 || count > length)
		return 0;
	for (i = 1; i < count; i++) {
		unsigned char byte = (unsigned char)text[i];

		if ((byte & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (byte & 0x3fu);
	}
	/* Overlong forms, surrogates and what lies beyond Unicode. */
	if (code < smallest[count] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return count;
}

bool utf8_is_valid(const char *text, size_t length)
{
	size_t done = 0;

	while (done < length) {
		size_t step = utf8_character(text + done, length - done);

		if (step == 0)
			return false;
		done += step;
	}
	return true;
}
