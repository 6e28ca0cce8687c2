#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# Without inodes in the staging directory, because its file system has none
# left or by a share of them in staging_size=, creating and truncating wait
# for uploads that give some back and are then ENOSPC; what was acknowledged
# before comes to no harm, also when the driver is killed then (M5, M7).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
words=$shared,commit=background,op_timeout=1,drain_timeout=5
staging_base=$WORK/disk

# inodes_disk COUNT: an ext4 with so many of them; some are its own.
inodes_disk() {
	mkdir "$staging_base" || fail "no $staging_base"
	truncate -s 16M "$WORK/image"
	mkfs.ext4 -q -F -N "$1" "$WORK/image" || fail "no file system"
	mount -o loop "$WORK/image" "$staging_base" || fail "no loop device"
	mounted+=("$staging_base")
}

inodes_free() {
	stat -f -c %d "$staging_base"
}

# fill_up PREFIX: files until one is refused, in count.
fill_up() {
	count=0
	while [ "$count" -lt 200 ] &&
		{ printf '%s %s' "$1" $count >"$mnt/$1$count"; } 2>err; do
		count=$((count + 1))
	done
	says err "No space left on device"
	[ -e "$mnt/$1$count" ] && wrong "the name of a refused file"
	[ "$count" -gt 5 ] || wrong "only $count files of $1"
}

# whole DIR PREFIX COUNT
whole() {
	local i

	for ((i = 0; i < $3; i++)); do
		is "$(cat "$1/$2$i")" "$2 $i" "$1/$2$i"
	done
}

kill_driver() {
	kill -KILL "$driver"
	wait_until 5 gone "$driver" || fail "the driver cannot be killed"
	umount -l "$mnt" || fail "$mnt cannot be unmounted"
}

# stored_in_the_end PREFIX COUNT
stored_in_the_end() {
	expect 0 "$STORECTL" resume "$mnt"
	expect 0 "$STORECTL" drain "$mnt"
	whole "$backing" "$1" "$2"
	[ -e "$backing/$1$2" ] && wrong "a refused file is stored"
	is "$(cat "$backing/there")" before "what was to be truncated"
}

inodes_disk 64
mnt=$WORK/mnt
store_new local
printf before >"$backing/there"
mount_store "$url" "$mnt" "$words" || fail "no mount"

note "none left while uploads are paused"
expect 0 "$STORECTL" pause "$mnt"
fill_up a
left=$(inodes_free)
[ "$left" -ge 8 ] || wrong "$left inodes left for the journal"
{ : >"$mnt/there"; } 2>err && wrong "truncated without an inode"
says err "No space left on device"
is "$(cat "$mnt/there")" before "a refused truncation"
whole "$mnt" a "$count"
printf ' and more' >>"$mnt/a0" 2>/dev/null && wrong "a new layer"

note "the driver is killed when even the last are gone"
for ((i = 0; i < left; i++)); do
	: >"$staging_base/other$i"
done
is "$(inodes_free)" 0 "inodes in the end"
kill_driver
mount_store "$url" "$mnt" "$words" || fail "no mount without inodes"
expect 0 "$STORECTL" drain "$mnt"
whole "$mnt" a "$count"
stored_in_the_end a "$count"
rm "$staging_base"/other*

note "writers wait for uploads that give some back"
for ((i = 0; i < 150; i++)); do
	printf 'b %s' $i >"$mnt/b$i" || wrong "b$i while uploads run"
done
stored_in_the_end b 150
unmount "$mnt"

note "a share of the inodes"
mount_store "$url" "$mnt" "$words,staging_size=25%" || fail "no mount"
expect 0 "$STORECTL" pause "$mnt"
fill_up c
[ "$count" -le 16 ] || wrong "$count files of 64 inodes are more than 25%"
whole "$mnt" c "$count"
stored_in_the_end c "$count"
unmount "$mnt"
finish
