#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# The kernel gives a new mount the device number of one that has just gone,
# whose driver may still be storing what was left: storectl asks the driver
# of the mount that it names, and the other one by its staging directory.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
store_new local
old=$WORK/old

device_of() {
	mountpoint -d "$1"
}

printf 'put delay=3600s\n' >"$WORK/fault"
mount_store "$url?fault=$WORK/fault" "$old" "$shared,commit=background" ||
	fail "no mount"
old_pid=$driver
echo text >"$old/file"
number=$(device_of "$old")
# Without the helper: nobody waits, and nobody asks the driver to.
umount -i "$old" || fail "cannot be unmounted"

met=
for i in 1 2 3 4; do
	mount_store "$url" "$WORK/new$i" "$shared" || fail "no mount"
	[ "$driver" != "$old_pid" ] || wrong "new$i: the old driver answers"
	[ "$(device_of "$WORK/new$i")" != "$number" ] || met=yes
done
[ -n "$met" ] || wrong "no new mount has the number $number"
kill -0 "$old_pid" || wrong "the old driver has ended already"
"$STORECTL" pending --json --staging-dir "$(staging_of "$old")" >"$WORK/kept"
grep -q '"key":"file"' "$WORK/kept" || wrong "not pending: $(cat "$WORK/kept")"
is "$("$STORECTL" status --json --staging-dir "$(staging_of "$old")" |
	sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')" "$old_pid" "who stores the rest"
kill -KILL "$old_pid"
finish
