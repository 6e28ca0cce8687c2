#!/bin/bash
# SPDX-License-Identifier: MIT
# status shows each mount, by any path in it, tells a dead mount from a live
# one, and never waits for a driver that does not answer.
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

[ -e /dev/fuse ] || fail "no /dev/fuse"
mkdir data 'm nt' staging
mounted=$WORK/m\ nt
leave() {
	[ -z "${pid:-}" ] || kill -CONT "$pid" 2>/dev/null
	fusermount3 -uz "$mounted" 2>/dev/null || umount -l "$mounted"
}
trap leave EXIT

# alone COMMAND...: where no other mount of storefs is to be seen, since any of
# the machine may be dead.
alone() {
	unshare --mount "$SRCDIR/tests/own-mounts" "$mounted" "$@"
}

expect 2 "$STORECTL" status data
expect 2 "$STORECTL" status nowhere
"$STOREFS" "file://$WORK/data" "$mounted" -o "staging_dir=$WORK/staging" ||
	fail "mount"
echo text >"$mounted/file"
mkdir "$mounted/dir"

expect 0 "$STORECTL" status "$mounted"
says out "$mounted"
says out "file://$WORK/data"
expect 0 "$STORECTL" status --json "m nt/dir/../dir"
says out '"version":1'
says out '"open_files":0'
says out '"dirty_files":0'
says out '"counters":{'
pid=$(sed -n 's/.*"pid":\([0-9]*\).*/\1/p' out)
kill -0 "$pid" || fail "no such process: $pid"
grep -qz storefs "/proc/$pid/cmdline" || fail "process $pid is no driver"
ln -s "$mounted" link
expect 0 "$STORECTL" status link
expect 0 alone "$STORECTL" status
says out "$mounted"
exec 5>"$mounted/open"
expect 0 "$STORECTL" status --json "$mounted"
says out '"open_files":1'
exec 5>&-

kill -STOP "$pid"
SECONDS=0
expect 16 "$STORECTL" status "$mounted"
[ $SECONDS -le 15 ] || fail "it took $SECONDS s"
kill -CONT "$pid"
expect 0 "$STORECTL" status "$mounted"
kill -KILL "$pid"
while kill -0 "$pid" 2>/dev/null; do
	sleep 0.05
done
pid=
expect 14 "$STORECTL" status "$mounted"
says err dead
expect 14 "$STORECTL" status --json "$mounted"
says err '"error":"UNAVAILABLE"'
