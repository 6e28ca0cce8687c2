/* SPDX-License-Identifier: MIT */
/* The tables of all backends; one row here and one in registry.c each. */
#ifndef STOREFS_BACKENDS_REGISTRY_H
#define STOREFS_BACKENDS_REGISTRY_H

#include "src/backend.h"

extern const struct store_backend local_backend;
extern const struct store_backend memory_backend;
extern const struct store_backend s3_backend;
extern const struct store_backend sftp_backend;
extern const struct store_backend sqlite_backend;

#endif
