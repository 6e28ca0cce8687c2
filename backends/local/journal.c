// SPDX-License-Identifier: MIT
/*
 * Writing a file in place, journaled; the order is in journal.h.
 *
 * Called by puts with the flocks of folder and file held, and at open.  Once
 * the journal stands the context is not asked any more: half a file must
 * not be left behind for a Ctrl-C.
 */
#include "config.h"

#include "backends/local/journal.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "backends/local/attribute.h"
#include "backends/local/bytes.h"
#include "backends/local/node.h"
#include "backends/local/reader.h"
#include "backends/local/stamp.h"
#include "backends/local/xattr.h"
#include "src/base/cleanup.h"
#include "src/base/clock.h"
#include "src/base/fdio.h"

#define JOURNAL_FOLDER LOCAL_HIDDEN_PREFIX "journal"
#define JOURNAL_KIND "inplace."
#define JOURNAL_MAGIC "storefsJ"

enum { TRAILER_SIZE = 64, TRAILER_CHECKED = 56 };

struct trailer {
	uint64_t target;
	uint64_t size;
	struct store_attributes attributes;
	uint32_t key_length;
};

/* ---- the trailer ---- */

static uint64_t fnv(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *at = data;

	while (length--)
		hash = (hash ^ *at++) * UINT64_C(0x100000001b3);
	return hash;
}

static uint64_t checksum(const unsigned char *raw, const char *key,
			 size_t key_length)
{
	uint64_t hash = fnv(UINT64_C(0xcbf29ce484222325), key, key_length);

	return fnv(hash, raw, TRAILER_CHECKED);
}

static void put_u64(unsigned char *at, uint64_t value)
{
	value = htole64(value);
	memcpy(at, &value, sizeof(value));
}

static void put_u32(unsigned char *at, uint32_t value)
{
	value = htole32(value);
	memcpy(at, &value, sizeof(value));
}

static uint64_t get_u64(const unsigned char *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return le64toh(value);
}

static uint32_t get_u32(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return le32toh(value);
}

static void trailer_encode(const struct trailer *trailer, const char *key,
			   unsigned char raw[TRAILER_SIZE])
{
	const struct store_attributes *attributes = &trailer->attributes;

	memcpy(raw, JOURNAL_MAGIC, 8);
	put_u64(raw + 8, trailer->target);
	put_u64(raw + 16, trailer->size);
	put_u64(raw + 24, (uint64_t)attributes->mtime.tv_sec);
	put_u32(raw + 32, (uint32_t)attributes->mtime.tv_nsec);
	put_u32(raw + 36, attributes->mask);
	put_u32(raw + 40, attributes->mode);
	put_u32(raw + 44, attributes->uid);
	put_u32(raw + 48, attributes->gid);
	put_u32(raw + 52, trailer->key_length);
	put_u64(raw + 56, checksum(raw, key, trailer->key_length));
}

static int trailer_write(int fd, const struct trailer *trailer, const char *key)
{
	unsigned char raw[TRAILER_SIZE];

	trailer_encode(trailer, key, raw);
	if (fd_write_at(fd, key, trailer->key_length, trailer->size))
		return -1;
	return fd_write_at(fd, raw, sizeof(raw),
			   trailer->size + trailer->key_length);
}

static bool trailer_decode(const unsigned char raw[TRAILER_SIZE],
			   struct trailer *trailer)
{
	if (memcmp(raw, JOURNAL_MAGIC, 8) != 0)
		return false;
	*trailer = (struct trailer){
		.target = get_u64(raw + 8),
		.size = get_u64(raw + 16),
		.attributes = {
			.mtime = { .tv_sec = (time_t)get_u64(raw + 24),
				   .tv_nsec = (long)get_u32(raw + 32) },
			.mask = get_u32(raw + 36),
			.mode = get_u32(raw + 40),
			.uid = get_u32(raw + 44),
			.gid = get_u32(raw + 48),
		},
		.key_length = get_u32(raw + 52),
	};
	return trailer->key_length <= STORE_KEY_MAX;
}

/* False: this is no whole journal. */
static bool trailer_read(int fd, struct trailer *trailer,
			 char key[STORE_KEY_MAX + 1])
{
	unsigned char raw[TRAILER_SIZE];
	struct stat st;
	uint64_t end;

	if (fstat(fd, &st) || st.st_size < TRAILER_SIZE)
		return false;
	end = (uint64_t)st.st_size - TRAILER_SIZE;
	if (fd_read_at(fd, raw, sizeof(raw), end) != TRAILER_SIZE ||
	    !trailer_decode(raw, trailer) ||
	    trailer->size + trailer->key_length != end ||
	    fd_read_at(fd, key, trailer->key_length, trailer->size) !=
		    (ssize_t)trailer->key_length)
		return false;
	key[trailer->key_length] = '\0';
	return get_u64(raw + 56) == checksum(raw, key, trailer->key_length);
}

/* ---- over the target ---- */

/* Find out about a full disk while the target is still whole. */
static int reserve(int from, int target, uint64_t size)
{
#ifdef HAVE_FALLOCATE
	for (uint64_t at = 0; at < size;) {
		struct store_range data;

		local_next_data(from, at, size, &data);
		if (!data.length)
			return 0;
		if (fallocate(target, 1 /* FALLOC_FL_KEEP_SIZE */,
			      (off_t)data.offset, (off_t)data.length) &&
		    (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
			return -1;
		at = data.offset + data.length;
	}
#else
	(void)from;
	(void)target;
	(void)size;
#endif
	return 0;
}

static int overwrite(const struct local *self, int from, int target,
		     const struct trailer *trailer, struct store_error *error)
{
	const struct local_copy copy = {
		.self = self,
		.from = from,
		.to = target,
		.punch = true,
	};
	const struct store_range all = { .length = trailer->size };
	struct store_attributes left = trailer->attributes;
	struct local_stat now;
	int code;

	if (ftruncate(target, (off_t)trailer->size))
		return store_error_errno(error, errno, "write in place");
	code = local_copy_range(&copy, NULL, &all, error);
	if (code)
		return code;
	/* The id before the mode, which may take the right to set it. */
	left.mask &= ~(uint32_t)(STORE_ATTR_MTIME | STORE_ATTR_ATIME);
	if (local_apply_times(target, &trailer->attributes) ||
	    local_stat_at(target, "", &now) ||
	    local_stamp_carry(self, from, target, &now) ||
	    local_apply_attributes(target, &now, &left) ||
	    (self->sync_data && fsync(target)))
		return store_error_errno(error, errno, "write in place");
	return STORE_OK;
}

/* ---- where journals stand ---- */

/* The root's folder of journals, -1 where it cannot be had. */
static int folder_open(struct local *self)
{
	CLEANUP_FD int root = local_open_path(self, "", O_RDONLY | O_DIRECTORY);
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	bool fresh;
	int fd;

	if (root < 0)
		return -1;
	fresh = mkdirat(root, JOURNAL_FOLDER, 0700) == 0;
	fd = openat(root, JOURNAL_FOLDER, flags);
	if (fd >= 0 && fresh && self->sync_data && fsync(root)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void folder_close(struct local *self, int fd)
{
	CLEANUP_FD int root = local_open_path(self, "", O_RDONLY | O_DIRECTORY);

	close(fd);
	/* Another journal may stand in it: then it stays. */
	if (root >= 0)
		unlinkat(root, JOURNAL_FOLDER, AT_REMOVEDIR);
}

static int give_name(const struct local_in_place *job, int dir,
		     const char *name)
{
	struct local_temporary *temporary = job->temporary;

	if (!temporary->named)
		return local_link_fd(temporary->fd, dir, name);
	if (local_rename(job->place->dir, temporary->name, dir, name, 0))
		return -1;
	temporary->named = false;
	return 0;
}

struct standing {
	int dir;
	bool in_folder;
	char name[48];
};

static int stand_in_folder(struct local *self, const struct local_in_place *job,
			   struct standing *standing)
{
	standing->in_folder = true;
	for (int tries = 0; tries < 3; tries++) {
		standing->dir = folder_open(self);
		if (standing->dir < 0)
			return -1;
		if (give_name(job, standing->dir, standing->name) == 0)
			return 0;
		folder_close(self, standing->dir);
		if (errno != ENOENT) /* the folder was removed meanwhile */
			return -1;
	}
	return -1;
}

static int stand_beside(const struct local_in_place *job,
			struct standing *standing)
{
	standing->in_folder = false;
	standing->dir = dup(job->place->dir);
	if (standing->dir < 0)
		return -1;
	if (give_name(job, standing->dir, standing->name) == 0)
		return 0;
	close(standing->dir);
	return -1;
}

static void stand_down(struct local *self, struct standing *standing,
		       bool remove)
{
	int saved = errno;

	/* A journal that stays does no harm: it is finished once more. */
	if (remove)
		unlinkat(standing->dir, standing->name, 0);
	if (standing->in_folder)
		folder_close(self, standing->dir);
	else
		close(standing->dir);
	errno = saved;
}

/* The temporary becomes a journal: -1 with errno, and nothing stands. */
static int stand(struct local *self, const struct local_in_place *job,
		 struct standing *standing)
{
	local_hidden_name(self, JOURNAL_KIND, standing->name);
	if (stand_in_folder(self, job, standing) && stand_beside(job, standing))
		return -1;
	if (self->sync_data && fsync(standing->dir) && errno != EBADF) {
		stand_down(self, standing, true);
		return -1;
	}
	return 0;
}

/* ---- writing ---- */

/* An mtime the file never had, so that no token of it comes back. */
static void choose_mtime(const struct local_stat *old,
			 struct store_attributes *attributes)
{
	if (!(attributes->mask & STORE_ATTR_MTIME)) {
		attributes->mask |= STORE_ATTR_MTIME;
		attributes->mtime = clock_now();
	}
	if (timespec_compare(attributes->mtime, old->mtime) != 0)
		return;
	attributes->mtime.tv_nsec++;
	if (attributes->mtime.tv_nsec == NS_PER_SEC) {
		attributes->mtime.tv_nsec = 0;
		attributes->mtime.tv_sec++;
	}
}

static void trailer_fill(const struct local *self,
			 const struct local_in_place *job,
			 const struct local_stat *old, struct trailer *trailer)
{
	*trailer = (struct trailer){
		.target = local_own_id(self, old),
		.size = job->size,
		.key_length = (uint32_t)strlen(job->key),
	};
	if (job->request->attributes)
		trailer->attributes = *job->request->attributes;
	choose_mtime(old, &trailer->attributes);
}

int local_write_in_place(struct local *self, struct store_context *context,
			 const struct local_in_place *job, int target,
			 const struct local_stat *old,
			 struct store_error *error)
{
	struct standing standing;
	struct trailer trailer;
	struct local_stat now;
	int code = store_context_check(context, error);
	int from = job->temporary->fd;

	if (code)
		return code;
	trailer_fill(self, job, old, &trailer);
	if (reserve(from, target, job->size) || local_stat_at(from, "", &now) ||
	    local_stamp_set(self, from, &now, job->request->publish) ||
	    trailer_write(from, &trailer, job->key) ||
	    (self->sync_data && fsync(from)) || stand(self, job, &standing))
		return local_fail(error, errno, "write");
	if (local_replace_xattrs(target, job->request)) {
		stand_down(self, &standing, true);
		return local_fail(error, errno, "write");
	}
	local_readers_break(self, old);
	code = overwrite(self, from, target, &trailer, error);
	stand_down(self, &standing, !code);
	return code;
}

/* ---- after a crash ---- */

bool local_journal_is_name(const char *name)
{
	const char prefix[] = LOCAL_HIDDEN_PREFIX JOURNAL_KIND;

	return strncmp(name, prefix, sizeof(prefix) - 1) == 0;
}

static int open_journal(int dir, const char *name)
{
	return openat(dir, name,
		      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

void local_journal_recover(struct local *self, int dir, const char *name)
{
	CLEANUP_FD int fd = open_journal(dir, name);
	CLEANUP_FD int target = -1;
	char key[STORE_KEY_MAX + 1];
	struct trailer trailer;
	struct local_stat st;
	bool locks = !atomic_load(&self->lacks_locks);

	if (fd < 0 || !trailer_read(fd, &trailer, key))
		return;
	target = local_open_path(self, key, O_RDWR | O_NONBLOCK | O_NOCTTY);
	if (target < 0 || local_stat_at(target, "", &st) || !S_ISREG(st.mode) ||
	    local_own_id(self, &st) != trailer.target)
		return;
	if (locks ? flock(target, LOCK_EX | LOCK_NB) != 0
		  : !local_is_forgotten(fd))
		return; /* its writer lives */
	if (faccessat(dir, name, F_OK, 0))
		return; /* and was done before the flock was ours */
	if (overwrite(self, fd, target, &trailer, NULL) == STORE_OK)
		unlinkat(dir, name, 0);
}

/* Finish the journals of this target in a folder. */
static void settle_in(struct local *self, int dir, int target, uint64_t id)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!stream && copy >= 0)
		close(copy);
	while (stream && (entry = readdir(stream))) {
		char key[STORE_KEY_MAX + 1];
		struct trailer trailer;
		int fd;

		if (!local_journal_is_name(entry->d_name))
			continue;
		fd = open_journal(dir, entry->d_name);
		if (fd >= 0 && trailer_read(fd, &trailer, key) &&
		    trailer.target == id &&
		    overwrite(self, fd, target, &trailer, NULL) == STORE_OK)
			unlinkat(dir, entry->d_name, 0);
		if (fd >= 0)
			close(fd);
	}
	if (stream)
		closedir(stream);
}

void local_journal_settle(struct local *self, const struct local_place *place,
			  int target)
{
	int root = atomic_load(&self->root_fd);
	struct local_stat st;
	int fd;

	if (local_stat_at(target, "", &st))
		return;
	fd = local_open_path(self, JOURNAL_FOLDER, O_RDONLY | O_DIRECTORY);
	if (fd >= 0) {
		settle_in(self, fd, target, local_own_id(self, &st));
		folder_close(self, fd);
	} else if (faccessat(root, ".", W_OK, AT_EACCESS)) {
		settle_in(self, place->dir, target, local_own_id(self, &st));
	}
}

void local_journal_recover_all(struct local *self)
{
	int fd = local_open_path(self, JOURNAL_FOLDER, O_RDONLY | O_DIRECTORY);

	if (fd < 0)
		return;
	local_sweep_folder(self, fd);
	folder_close(self, fd);
}
