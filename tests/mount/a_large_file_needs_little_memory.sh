#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# timeout-full: 1800
# A file far larger than memory budgets is copied in, read back and edited;
# the driver never has 200 MiB resident (VmHWM, the highest it ever had). 1
# GiB here, 3 GiB in a full run; the bytes are not to be compressed or sparse.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
size=1024 # MiB
[ "$full" = 0 ] || size=3072

free=$(df --output=avail -m "$WORK" | tail -n 1)
[ "$free" -gt $((size * 5)) ] ||
	fail "$free MiB free in $WORK; copies of $size MiB need five of them"

# bytes: MIBs of pseudo-random data, the same each time.
bytes() {
	openssl enc -aes-128-ctr -K 00112233445566778899aabbccddeeff \
		-iv 0 -in /dev/zero 2>/dev/null | head -c "${1}M"
}

resident_most() {
	awk '/^VmHWM:/ { print int($2 / 1024) }' "/proc/$driver/status"
}

check_memory() {
	echo "$1: $(($(milliseconds) - begun)) ms, at most" \
		"$(resident_most) MiB resident"
	[ "$(resident_most)" -lt 200 ] ||
		wrong "$(resident_most) MiB resident after $1"
	begun=$(milliseconds)
}

digest() {
	openssl dgst -sha1 -r | cut -d ' ' -f 1
}

store_new local
mnt=$WORK/mnt
mount_store "$url" "$mnt" "$shared" || fail "no mount"
bytes "$size" >original
wanted=$(digest <original)
begun=$(milliseconds)
cp original "$mnt/large" || wrong "cp into the mount"
check_memory "copied in"
is "$(stat -c %s "$backing/large")" $((size << 20)) "the size in the store"
is "$(digest <"$backing/large")" "$wanted" "the store's bytes"
rm -f original
# Nothing of it in the page cache of the mount.
remount
begun=$(milliseconds)
cp "$mnt/large" copy || wrong "cp out of the mount"
check_memory "copied out"
is "$(digest <copy)" "$wanted" "the bytes that came back"

# An edit in the middle sends, at most, what a new version needs.
printf 'edited' | dd of="$mnt/large" bs=1M seek=$((size / 2)) conv=notrunc \
	2>/dev/null || wrong "an edit"
printf 'edited' | dd of=copy bs=1M seek=$((size / 2)) conv=notrunc 2>/dev/null
check_memory "edited"
printf 'the end' >>"$mnt/large" || wrong "an append"
printf 'the end' >>copy
check_memory "appended"
cmp copy "$backing/large" || wrong "after an edit and an append"
is "$(status_of "$mnt" staged_bytes)" 0 "bytes left in the staging directory"
begun=$(milliseconds)
rm "$mnt/large"
check_memory "removed"
unmount "$mnt"
finish
