// SPDX-License-Identifier: MIT
// The symbolic name of an errno value, for messages of the POSIX tests.
#ifndef STOREFS_TESTS_POSIX_ERRNAME_H
#define STOREFS_TESTS_POSIX_ERRNAME_H

// "ENOENT" for ENOENT, "OK" for 0, "E?" for what the table does not know.
// The string is static; thread-safe.
const char *errname(int err);

#endif
