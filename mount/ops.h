/* SPDX-License-Identifier: MIT */
/*
 * The kernel's requests, one function each, grouped by the file they are in.
 * Each begins a op, asks memory or the store, and replies last.
 */
#ifndef STOREFS_MOUNT_OPS_H
#define STOREFS_MOUNT_OPS_H

#include "mount/op.h"

/* The table for fuse_session_new(). */
extern const struct fuse_lowlevel_ops fs_ops;

/* ops_name.c: entries of folders */
void fs_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void fs_forget(fuse_req_t request, fuse_ino_t ino, uint64_t count);
void fs_forget_multi(fuse_req_t request, size_t count,
		     struct fuse_forget_data *forgets);
void fs_mknod(fuse_req_t request, fuse_ino_t parent, const char *name,
	      mode_t mode, dev_t rdev);
void fs_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name,
	      mode_t mode);
void fs_symlink(fuse_req_t request, const char *target, fuse_ino_t parent,
		const char *name);
void fs_link(fuse_req_t request, fuse_ino_t ino, fuse_ino_t parent,
	     const char *name);
/* ops_remove.c */
void fs_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);
void fs_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);
/* ops_rename.c */
void fs_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
	       fuse_ino_t new_parent, const char *new_name, unsigned int flags);
/* ops_attr.c: attributes */
void fs_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_setattr(fuse_req_t request, fuse_ino_t ino, struct stat *attr,
		int to_set, struct fuse_file_info *fi);
void fs_readlink(fuse_req_t request, fuse_ino_t ino);
void fs_statfs(fuse_req_t request, fuse_ino_t ino);
/* ops_xattr.c */
void fs_setxattr(fuse_req_t request, fuse_ino_t ino, const char *name,
		 const char *value, size_t size, int flags);
void fs_getxattr(fuse_req_t request, fuse_ino_t ino, const char *name,
		 size_t size);
void fs_listxattr(fuse_req_t request, fuse_ino_t ino, size_t size);
void fs_removexattr(fuse_req_t request, fuse_ino_t ino, const char *name);
/* ops_dir.c: listing */
void fs_opendir(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_readdir(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void fs_readdirplus(fuse_req_t request, fuse_ino_t ino, size_t size,
		    off_t offset, struct fuse_file_info *fi);
void fs_releasedir(fuse_req_t request, fuse_ino_t ino,
		   struct fuse_file_info *fi);
void fs_fsyncdir(fuse_req_t request, fuse_ino_t ino, int datasync,
		 struct fuse_file_info *fi);
/* ops_file.c: content */
void fs_create(fuse_req_t request, fuse_ino_t parent, const char *name,
	       mode_t mode, struct fuse_file_info *fi);
void fs_open(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_read(fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset,
	     struct fuse_file_info *fi);
void fs_write(fuse_req_t request, fuse_ino_t ino, const char *data, size_t size,
	      off_t offset, struct fuse_file_info *fi);
void fs_flush(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_fsync(fuse_req_t request, fuse_ino_t ino, int datasync,
	      struct fuse_file_info *fi);
void fs_release(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_fallocate(fuse_req_t request, fuse_ino_t ino, int mode, off_t offset,
		  off_t length, struct fuse_file_info *fi);
void fs_lseek(fuse_req_t request, fuse_ino_t ino, off_t offset, int whence,
	      struct fuse_file_info *fi);
void fs_copy_file_range(fuse_req_t request, fuse_ino_t ino_in, off_t off_in,
			struct fuse_file_info *fi_in, fuse_ino_t ino_out,
			off_t off_out, struct fuse_file_info *fi_out,
			size_t length, int flags);

/* What was asked so long ago is as good as a look just before a change. */
#define OP_JUST_NS NS_PER_SEC
/*
 * When did the store say last that there is no such name?  0: not since
 * `since_ns`, or there may be one by now.
 */
int64_t op_missing_since(struct op *op, const struct node *parent,
			 const char *text, int64_t since_ns);

/*
 * Attributes of something the caller makes in a folder: mode, owner, times;
 * a set-group-id folder passes its group on.
 */
void op_new_attributes(struct op *op, const struct node *parent, mode_t mode,
		       struct store_attributes *attributes);

#endif
