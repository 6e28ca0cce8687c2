// SPDX-License-Identifier: MIT
/*
 * See address.h.  Called by client.c and the driver.  A long path becomes one
 * through the descriptor of its folder.
 */
#include "config.h"

#include "src/control/address.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int too_long(const char *path, struct store_error *error)
{
	return store_error_set(error, STORE_INVALID,
			       "%s: too long for a socket", path);
}

static int address_through(const char *path, struct sockaddr_un *address,
			   int *folder, struct store_error *error)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : PATH_MAX;
	char parent[PATH_MAX];
	int fd;

	/* 32 bytes are more than "/proc/self/fd/N/" has. */
	if (length >= sizeof(parent) ||
	    strlen(slash) + 32 >= sizeof(address->sun_path))
		return too_long(path, error);
	memcpy(parent, path, length);
	parent[length] = '\0';
	fd = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return store_error_errno(error, errno, "%s", parent);
	snprintf(address->sun_path, sizeof(address->sun_path),
		 "/proc/self/fd/%d%s", fd, slash);
	*folder = fd;
	return STORE_OK;
}

int address_make(const char *path, struct sockaddr_un *address, int *folder,
		 struct store_error *error)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	*folder = -1;
	if (strlen(path) >= sizeof(address->sun_path))
		return address_through(path, address, folder, error);
	memcpy(address->sun_path, path, strlen(path) + 1);
	return STORE_OK;
}

socklen_t address_of_device(dev_t device, struct sockaddr_un *address)
{
	int length;

	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	/* A first byte of 0 makes it an abstract one. */
	length = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
			  "storefs/%u:%u", major(device), minor(device));
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)length);
}
