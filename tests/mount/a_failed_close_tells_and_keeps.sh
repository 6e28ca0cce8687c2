#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A store that fails when a file is stored gives its error to close(); the
# mount goes on showing the new bytes, the store keeps the old ones, and once
# it works again the next close, an fsync or the driver's own retry stores
# them (promise 1).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

stored_is() {
	[ "$(stored "$1" 2>/dev/null)" = "$2" ]
}

failed_files_is() {
	[ "$(status_of "$mnt" failed_files)" = "$1" ]
}

# close_fails ERRNO RULE: while the rule holds.
close_fails() {
	local errno=$1 rule=$2 f=$mnt/$1 said

	printf 'old' >"$f"
	weather "$rule"
	said=$("$fileop" open wt "$f" write 'new bytes' try close)
	is "$said" "close: $errno" "$kind: under '$rule'"
	is "$(cat "$f")" 'new bytes' "$kind: the mount after $errno"
	is "$(stat -c %s "$f")" 9 "$kind: the size after $errno"
	is "$(stored "$errno")" old "$kind: the store after $errno"
	failed_files_is 1 || wrong "$kind: $errno is not in the status"
	"$STORECTL" status "$mnt" | grep -q "$errno" ||
		wrong "$kind: status does not name $errno"
	getfattr --only-values -n user.storefs.error "$f" >"$WORK/error" \
		2>/dev/null || wrong "$kind: no user.storefs.error"
	said=$("$fileop" open r "$f" read 9 try close)
	is "$said" 'new bytesclose: OK' "$kind: a reader after $errno"
}

# An error of every sort, and the next close once it is over.
next_close_stores() {
	close_fails "$1" "$2"
	weather
	# An error that was told is told once; what the driver's own attempts
	# met meanwhile may come on top where it makes them.
	"$fileop" open rw "$mnt/$1" fsync close ||
		{ [ "$1" = EIO ] &&
			"$fileop" open rw "$mnt/$1" fsync close; } ||
		wrong "$kind: fsync after $1"
	is "$(stored "$1")" 'new bytes' "$kind: the next fsync after $1"
	failed_files_is 0 || wrong "$kind: $1 stays in the status"
}

retries_by_itself() {
	close_fails EIO 'put error=UNAVAILABLE'
	weather
	wait_until 20 stored_is EIO 'new bytes' ||
		wrong "$kind: nothing is tried again"
}

fsync_tells() {
	local said

	printf 'old' >"$mnt/synced"
	weather 'put error=NO_SPACE'
	said=$("$fileop" open w "$mnt/synced" write new try fsync \
		try fsync try close)
	weather
	is "$said" "$(printf 'fsync: ENOSPC\nfsync: ENOSPC\nclose: ENOSPC')" \
		"$kind: fsync"
	"$fileop" open rw "$mnt/synced" fsync close ||
		wrong "$kind: a writer after a told fsync"
	is "$(stored synced)" new "$kind: after fsync"
}

# What nobody waited for is told to the next writer as EIO, once; readers
# never meet it.
late_errors() {
	local said before

	before=$(status_of "$mnt" failed_files)
	printf 'old content' >"$mnt/late"
	weather 'put error=NO_SPACE'
	"$fileop" open rw "$mnt/late" map 11 close poke 0 new unmap
	wait_until 10 failed_files_is $((before + 1)) || wrong "$kind: no late error"
	is "$(cat "$mnt/late")" 'new content' "$kind: a reader"
	weather
	said=$("$fileop" try open rw "$mnt/late")
	is "$said" 'open: EIO' "$kind: the next writer"
	said=$("$fileop" try open rw "$mnt/late" try fsync try close)
	is "$said" "$(printf 'open: OK\nfsync: OK\nclose: OK')" \
		"$kind: the writer after"
	is "$(stored late)" 'new content' "$kind: in the end"
}

# What waits for a decision is not tried again behind the user's back.
permanent_errors_wait() {
	local before

	weather 'put error=DENIED'
	"$fileop" open wct "$mnt/denied" write new try close >/dev/null
	wait_until 5 is_closed || wrong "$kind: open files"
	before=$(puts_of "$mnt")
	weather
	# The first retry of a transient error would come within a second.
	sleep 3
	is "$(puts_of "$mnt")" "$before" "$kind: puts after DENIED"
	"$fileop" open rw "$mnt/denied" fsync close || wrong "$kind: denied"
	is "$(stored denied)" new "$kind: an fsync tries again"
}

is_closed() {
	[ "$(status_of "$mnt" open_files)" = 0 ]
}

faults() {
	local begun took

	next_close_stores EIO 'put error=UNAVAILABLE'
	next_close_stores ENOSPC 'put error=NO_SPACE'
	next_close_stores EACCES 'put error=DENIED'
	next_close_stores EFBIG 'put error=TOO_LARGE'
	next_close_stores ESTALE 'put error=CHANGED'
	begun=$(milliseconds)
	close_fails ETIMEDOUT 'put stall=1m'
	took=$(($(milliseconds) - begun))
	[ $took -lt 9000 ] || wrong "$kind: told after $took ms"
	weather
	wait_until 20 stored_is ETIMEDOUT 'new bytes' ||
		wrong "$kind: nothing stored after the stall"
	retries_by_itself
	fsync_tells
	late_errors
	permanent_errors_wait
}

# shellcheck disable=SC2086 # none or one
for kind in local sqlite $far; do
	note "$kind"
	weather
	store_new $kind
	mnt=$WORK/mnt-$kind
	mount_store "$url?fault=$WORK/fault" "$mnt" "$shared,op_timeout=2" ||
		fail "no mount"
	faults
	unmount "$mnt"
done
finish
