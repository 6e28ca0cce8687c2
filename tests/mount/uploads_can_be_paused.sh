#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# While uploads are paused none is begun: commit=background acknowledges all
# the same, commit=close waits for op_timeout and keeps the bytes; one file
# can still be stored by name, and unmounting does not wait.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

start() {
	mnt=$WORK/mnt-$1
	store_new local
	mount_store "$url" "$mnt" "$shared,commit=$1,op_timeout=2" ||
		fail "no mount"
}

stored_is() {
	[ "$(stored "$1" 2>/dev/null)" = "$2" ]
}

waiting() {
	"$STORECTL" pending --json "$mnt" | grep -c '"state":"pending"'
}

note "commit=background acknowledges"
start background
printf before >"$mnt/before"
expect 0 "$STORECTL" drain "$mnt"
expect 0 "$STORECTL" pause "$mnt"
expect 0 "$STORECTL" pause "$mnt"
expect 0 "$STORECTL" status "$mnt"
says out 'paused'
for i in 1 2 3; do
	printf 'text %s' $i >"$mnt/file$i" || wrong "a close while paused"
done
is "$(waiting)" 3 "files waiting"
expect 0 "$STORECTL" pending "$mnt"
says err 'uploads are paused'
# Longer than any retry would take.
wait_until 3 stored_is file1 'text 1' && wrong "stored while paused"
is "$(cat "$mnt/file2")" 'text 2' "the mount"
begun=$(milliseconds)
expect 19 "$STORECTL" drain "$mnt"
[ $(($(milliseconds) - begun)) -lt 2000 ] || wrong "a drain waits for a pause"
says out 'uploads are paused'
note "one file is stored by name"
expect 0 "$STORECTL" retry "$mnt" file2
stored_is file2 'text 2' || wrong "retry while paused"
is "$(waiting)" 2 "files waiting"
expect 0 "$STORECTL" resume "$mnt"
expect 0 "$STORECTL" drain "$mnt"
stored_is file1 'text 1' || wrong "file1 after resume"
stored_is file3 'text 3' || wrong "file3 after resume"
expect 0 "$STORECTL" status --json "$mnt"
says out '"paused":false'

note "unmounting does not wait"
"$STORECTL" pause "$mnt"
printf kept >"$mnt/kept"
begun=$(milliseconds)
expect 0 "$STORECTL" umount "$mnt"
[ $(($(milliseconds) - begun)) -lt 5000 ] || wrong "umount waits for a pause"
says out '1 file stays in the staging directory'
not_mounted "$mnt" || wrong "still mounted"
wait_until 10 gone "$driver" || wrong "the driver stays"
mount_store "$url" "$mnt" "$shared,commit=background" || fail "no mount"
wait_until 10 stored_is kept kept || wrong "not taken up"
unmount "$mnt"

note "commit=close waits, and keeps the bytes"
start close
"$STORECTL" pause "$mnt"
begun=$(milliseconds)
said=$("$fileop" open wct "$mnt/file" write text try close)
took=$(($(milliseconds) - begun))
is "$said" 'close: ETIMEDOUT' "close while paused"
[ $took -ge 1900 ] || wrong "close waited $took ms only"
[ $took -lt 8000 ] || wrong "close took $took ms"
is "$(waiting)" 1 "files waiting"
# A pause that ends in time is only a delay.
"$fileop" open wct "$mnt/patient" write text mark "$WORK/open" \
	await "$WORK/go" try close >said &
wait_until 10 test -e "$WORK/open"
touch "$WORK/go"
wait_until 1 false
"$STORECTL" resume "$mnt"
wait $!
is "$(cat said)" 'close: OK' "close in a short pause"
wait_until 10 stored_is file text || wrong "file after resume"
stored_is patient text || wrong "patient after resume"
note "what is kept survives the driver"
"$STORECTL" pause "$mnt"
"$fileop" open wct "$mnt/survivor" write text try close >/dev/null
kill -KILL "$driver"
wait_until 10 gone "$driver"
umount -l "$mnt"
expect 0 "$STORECTL" export --staging-dir "$(staging_of "$mnt")" survivor -
is "$(cat out)" text "the survivor"
finish
