// SPDX-License-Identifier: MIT
/* CRC32C by table, eight bytes a step.  Any thread. */
#include "config.h"

#include "src/base/crc32c.h"

#include <pthread.h>

static uint32_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void table_make(void)
{
	for (uint32_t n = 0; n < 256; n++) {
		uint32_t crc = n;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ UINT32_C(0x82f63b78)
				      : crc >> 1;
		table[0][n] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t n = 0; n < 256; n++)
			table[k][n] = table[k - 1][n] >> 8 ^
				      table[0][table[k - 1][n] & 255];
}

static uint32_t step(uint32_t crc, const unsigned char *at)
{
	crc ^= (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
	       (uint32_t)at[3] << 24;
	return table[7][crc & 255] ^ table[6][crc >> 8 & 255] ^
	       table[5][crc >> 16 & 255] ^ table[4][crc >> 24] ^
	       table[3][at[4]] ^ table[2][at[5]] ^ table[1][at[6]] ^
	       table[0][at[7]];
}

uint32_t crc32c(uint32_t crc, const void *data, size_t length)
{
	const unsigned char *at = data;

	pthread_once(&table_once, table_make);
	crc = ~crc;
	for (; length >= 8; length -= 8, at += 8)
		crc = step(crc, at);
	for (; length; length--, at++)
		crc = crc >> 8 ^ table[0][(crc ^ *at) & 255];
	return ~crc;
}
