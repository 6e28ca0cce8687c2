#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A mount of OpenStack Swift by its S3 interface, which refuses the conditions
# of a put and compares no version of what was made of parts: files and folders
# are copied, moved, edited and removed, a large one goes in parts, and the next
# mount finds what this one has stored (M1, M2).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
s3_server=$SRCDIR/tests/servers/swift

# listing DIR: types, modes, times and bytes of all below.
listing() {
	(cd "$1" && find . -type d -printf '%P %m %y\n' \
		-o -printf '%P %m %y %T@ %s\n' | sort &&
		find . -type f -print0 | sort -z | xargs -0 cksum)
}

small() {
	mkdir "$WORK/tree" "$WORK/tree/deep"
	cp -p "$SRCDIR"/src/base/b*.[ch] "$WORK/tree/deep"
	echo old >"$WORK/tree/text"
	chmod 640 "$WORK/tree/text"
	cp -a "$WORK/tree" "$mnt/tree" || wrong "cp -a"
	python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' \
		"$mnt/tree" "$mnt/moved" || wrong "rename of a folder"
	[ ! -e "$mnt/tree" ] || wrong "the old name is there"
	echo new >"$mnt/text"
	mv "$mnt/text" "$mnt/moved/text" || wrong "mv over a file"
	echo more >>"$mnt/moved/text"
	printf 'new\nmore\n' >"$WORK/tree/text"
	is "$(stored moved/text)" "$(cat "$WORK/tree/text")" "as it is stored"
	chmod 640 "$mnt/moved/text"
	touch -r "$WORK/tree/text" "$mnt/moved/text"
	listing "$WORK/tree" >"$WORK/wanted"
}

# In parts; then a byte in it and some behind it: the rest the server keeps.
large() {
	head -c 12000000 /dev/urandom >"$WORK/large"
	cp "$WORK/large" "$mnt/first" || wrong "cp of a large file"
	mv "$mnt/first" "$mnt/large" || wrong "mv of a large file"
	for file in "$WORK/large" "$mnt/large"; do
		printf x | dd of="$file" bs=1 seek=7000000 conv=notrunc \
			2>/dev/null
		printf tail >>"$file"
	done
	same "$WORK/large" "$mnt/large"
}

found() {
	listing "$mnt/moved" >"$WORK/got"
	same "$WORK/wanted" "$WORK/got"
	same "$WORK/large" "$mnt/large"
	is "$(status_of "$mnt" failed_files)" 0 "failed files"
}

store_new s3
url="$url?single_max=5M&part_size=5M"
mnt=$WORK/mnt
mount_store "$url" "$mnt" "$shared" || fail "no mount"
small
large
found
remount
found
rm -r "$mnt/moved" || wrong "rm -r"
rm "$mnt/large" || wrong "rm"
is "$(ls -A "$mnt")" '' "left in the mount"
is "$("$STORECTL" ls "$url")" '' "left in the store"
unmount "$mnt"
finish
