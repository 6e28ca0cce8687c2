/* SPDX-License-Identifier: MIT */
/* CRC32C (Castagnoli; RFC 3720, appendix B.4): what S3 and NVMe check with. */
#ifndef STOREFS_BASE_CRC32C_H
#define STOREFS_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Start with 0; feed the result back in for further bytes. */
uint32_t crc32c(uint32_t crc, const void *data, size_t length);

#endif
