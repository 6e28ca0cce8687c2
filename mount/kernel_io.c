// SPDX-License-Identifier: MIT
/*
 * What goes between the kernel and libfuse; see kernel_io.h.  Called by
 * session.c; the hooks are called by libfuse's threads.
 */
#include "config.h"

#include "mount/kernel_io.h"

#include <errno.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mount/fs.h"
#include "mount/fuse_api.h"

/* One mount per process; the first reply of it is that to FUSE_INIT. */
static atomic_flag init_answered = ATOMIC_FLAG_INIT;

/* libfuse may end a thread that reads, but not one that holds a lock. */
static void tell_unmounted(struct store_cancel *unmounted)
{
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	store_cancel_trigger(unmounted);
	pthread_setcancelstate(state, NULL);
}

static ssize_t io_read(int fd, void *data, size_t size, void *userdata)
{
	struct fs *fs = userdata;
	ssize_t got = read(fd, data, size);

	if (got < 0 && errno == ENODEV) {
		tell_unmounted(fs->unmounted);
		errno = ENODEV;
	}
	return got;
}

/* Is this the reply to FUSE_INIT, and a successful one? */
static bool is_init_reply(const struct iovec *iov, int count)
{
	const struct fuse_out_header *header = iov[0].iov_base;

	return count == 2 && iov[0].iov_len == sizeof(*header) &&
	       header->error == 0 &&
	       iov[1].iov_len >= offsetof(struct fuse_init_out, max_background);
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	(void)userdata;
	if (!atomic_flag_test_and_set(&init_answered) &&
	    is_init_reply(iov, count)) {
		struct fuse_init_out *reply = iov[1].iov_base;

		reply->flags |= FUSE_PARALLEL_DIROPS;
	}
	return writev(fd, iov, count);
}

int kernel_io_install(struct fuse_session *session, struct store_error *error)
{
	static const struct fuse_custom_io io = { .read = io_read,
						  .writev = io_writev };
	int result =
		fuse_session_custom_io(session, &io, fuse_session_fd(session));

	if (result)
		return store_error_errno(error, -result, "custom requests");
	return STORE_OK;
}
