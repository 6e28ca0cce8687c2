// SPDX-License-Identifier: MIT
/*
 * What every fuzz target defines; libFuzzer and tests/fuzz/main.c call it.
 * Returns 0. The bytes are the target's until it returns.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
