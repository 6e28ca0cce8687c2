/* SPDX-License-Identifier: MIT */
#ifndef STOREFS_VERSION_H
#define STOREFS_VERSION_H

#define STOREFS_VERSION "0.1.0"

#endif
