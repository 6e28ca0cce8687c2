#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# A write beyond what the store can hold is EFBIG; without room in the staging
# directory, by staging_size= or because its disk is full, writing is ENOSPC
# and what is staged already comes to no harm (M5); a full store is ENOSPC at
# close, keeps its old content and takes the new one once there is room.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

# content MIBS LETTER
content() {
	head -c "${1}M" /dev/zero | tr '\0' "$2"
}

small_disk() {
	mkdir "$1"
	mount -t tmpfs -o size="$2" none "$1" || fail "no tmpfs"
	mounted+=("$1")
}

# around LIMIT: each write and truncation that crosses it is refused, then.
around() {
	local limit=$1 said

	said=$("$fileop" open wct "$mnt/f" write abc try truncate "$limit" \
		try truncate $((limit + 1)) seek $((limit - 1)) try write x \
		try write x seek $((limit - 1)) try write yz \
		seek 3000000000 try write x truncate 3 try close)
	is "$said" "$(printf '%s: %s\n' truncate OK truncate EFBIG write OK \
		write EFBIG write EFBIG write EFBIG close OK)" "around $limit"
	is "$(stored f)" abc "after refused writes"
	fallocate -l $((limit + 1)) "$mnt/f" 2>err &&
		wrong "fallocate beyond $limit"
	says err "File too large"
	truncate -s $((limit + 1)) "$mnt/f" 2>err &&
		wrong "truncate beyond $limit"
	is "$(stat -c %s "$mnt/f")" 3 "the size after what was refused"
}

note "larger than a row of SQLite"
store_new sqlite
mnt=$WORK/mnt-big
mount_store "$url" "$mnt" "$shared" || fail "no mount"
# A row is at most 10^9 bytes, with what belongs to it beside the content.
around 999980000
unmount "$mnt"
note "larger than max_blob_size"
mnt=$WORK/mnt-limited
mount_store "$url?max_blob_size=1000000" "$mnt" "$shared" || fail "no mount"
around 1000000
content 2 a 2>err >"$mnt/g" && wrong "2 MiB in 1000000 bytes"
says err "File too large"
head -c 1000000 /dev/zero >"$mnt/g" || wrong "a file as large as allowed"
is "$(stored g | wc -c)" 1000000 "a file as large as allowed"
unmount "$mnt"

# full_staging WHAT: with 8 MiB of room.
full_staging() {
	mount_store "$url" "$mnt" "$2" || fail "no mount"
	note "$1"
	exec 3>"$mnt/first"
	content 4 a >&3 || wrong "$1: writing the first half"
	content 6 b >"$mnt/second" 2>err && wrong "$1: 10 MiB in 8"
	says err "No space left on device"
	"$fileop" open wct "$mnt/third" try fill c 6000000 try close >said
	grep -q 'fill: ENOSPC' said || wrong "$1: $(cat said)"
	# What was there first is whole, and can go on once there is room.
	rm "$mnt/second" "$mnt/third"
	wait_until 5 nothing_else_staged || wrong "$1: $(staged) bytes staged"
	content 2 a >&3 || wrong "$1: no room after a removal"
	exec 3>&-
	content 6 a | cmp - "$mnt/first" || wrong "$1: the first file"
	same "$mnt/first" "$backing/first"
	wait_settled "$mnt"
	is "$(staged)" 0 "$1: bytes staged in the end"
	for _ in 1 2 3; do
		content 7 d >"$mnt/again" || wrong "$1: one after another"
	done
	content 7 d | cmp - "$backing/again" || wrong "$1: one after another"
	# Reading needs no room.
	remount "$2"
	content 7 d | cmp - "$mnt/again" || wrong "$1: read back"
	unmount "$mnt"
}

staged() {
	status_of "$mnt" staged_bytes
}

nothing_else_staged() {
	[ "$(staged)" -le $((4 << 20)) ]
}

store_new local
mnt=$WORK/mnt
full_staging "staging_size=8M" "$shared,staging_size=8M"
# The journal has its place beside the 8 MiB.
small_disk "$WORK/disk" 9500k
staging_base=$WORK/disk
full_staging "a staging directory on a full disk" "$shared"
staging_base=$WORK

note "a store on a full disk"
mnt=$WORK/mnt-small
small_disk "$WORK/small" 8m
store_new local "$WORK/small"
mount_store "$url" "$mnt" "$shared" || fail "no mount"
content 3 o >"$mnt/f" || wrong "the old content"
content 3 x >"$mnt/ballast" || wrong "the rest of the disk"
content 4 n >fuller
said=$(dd if=fuller of="$mnt/f" bs=1M 2>&1) && wrong "4 MiB in 2"
[[ $said == *"No space left on device"* ]] || wrong "dd says $said"
content 3 o | cmp - "$backing/f" || wrong "the old content is harmed"
same fuller "$mnt/f"
is "$(ls -A "$backing")" "$(printf 'ballast\nf')" "the store's folder"
rm "$mnt/ballast"
"$fileop" open rw "$mnt/f" fsync close || wrong "no second try"
same fuller "$backing/f"
unmount "$mnt"
finish
