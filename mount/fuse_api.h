/* SPDX-License-Identifier: MIT */
/* The one place that chooses the API of libfuse. */
#ifndef STOREFS_MOUNT_FUSE_API_H
#define STOREFS_MOUNT_FUSE_API_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>

#endif
