// SPDX-License-Identifier: MIT
// Names of errno values: messages read the same under glibc and musl, whose
// texts differ. Called by every program of this folder; calls nothing.
#include "config.h"

#include <errno.h>
#include <stddef.h>

#include "tests/posix/errname.h"

#define ROW(e)        \
	{             \
		e, #e \
	}

static const struct {
	int err;
	const char *name;
} names[] = {
	{ 0, "OK" },	 ROW(E2BIG),	 ROW(EACCES),	    ROW(EAGAIN),
	ROW(EBADF),	 ROW(EBUSY),	 ROW(EDEADLK),	    ROW(EDQUOT),
	ROW(EEXIST),	 ROW(EFAULT),	 ROW(EFBIG),	    ROW(EINTR),
	ROW(EINVAL),	 ROW(EIO),	 ROW(EISDIR),	    ROW(ELOOP),
	ROW(EMFILE),	 ROW(EMLINK),	 ROW(ENAMETOOLONG), ROW(ENFILE),
	ROW(ENODATA),	 ROW(ENODEV),	 ROW(ENOENT),	    ROW(ENOLCK),
	ROW(ENOMEM),	 ROW(ENOSPC),	 ROW(ENOSYS),	    ROW(ENOTCONN),
	ROW(ENOTDIR),	 ROW(ENOTEMPTY), ROW(ENOTTY),	    ROW(ENXIO),
	ROW(EOPNOTSUPP), ROW(EOVERFLOW), ROW(EPERM),	    ROW(EPIPE),
	ROW(ERANGE),	 ROW(EROFS),	 ROW(ESPIPE),	    ROW(ESTALE),
	ROW(ETIMEDOUT),	 ROW(ETXTBSY),	 ROW(EXDEV),
};

const char *errname(int err)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].err == err)
			return names[i].name;
	return "E?";
}
