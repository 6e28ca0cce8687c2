/* SPDX-License-Identifier: MIT */
/* Addresses of Unix sockets, also where the path is longer than they hold. */
#ifndef STOREFS_CONTROL_ADDRESS_H
#define STOREFS_CONTROL_ADDRESS_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <storefs/error.h>

/*
 * For bind(2) and connect(2), before *folder (-1: none) is closed.  INVALID
 * for a name that is too long by itself.
 */
int address_make(const char *path, struct sockaddr_un *address, int *folder,
		 struct store_error *error) STORE_WARN_UNUSED;
/*
 * That of the driver of the mount with this device; its length.  It is no
 * file: whoever connects, and whoever is connected to, looks at whose process
 * the other one is.
 */
socklen_t address_of_device(dev_t device, struct sockaddr_un *address);

#endif
