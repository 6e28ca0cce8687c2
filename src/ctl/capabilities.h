/* SPDX-License-Identifier: MIT */
/* Capabilities of a store by name. */
#ifndef STOREFS_CTL_CAPABILITIES_H
#define STOREFS_CTL_CAPABILITIES_H

#include <stdint.h>

struct json;

/* An array of names; NULL when out of memory. */
struct json *capabilities_json(uint64_t capabilities);
/* The names on stdout, `before` in front of each. */
void capabilities_print(uint64_t capabilities, const char *before);

#endif
