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

# The old mount goes; sets old_pid, and number, which a new mount is to have.
# Without the helper nobody waits, and nobody asks the driver to.
leave_old() {
	rm -f "$WORK/fault"
	mount_store "$url?fault=$WORK/fault" "$old" \
		"$shared,commit=background" || fail "no mount"
	printf 'put delay=3600s\n' >"$WORK/fault"
	old_pid=$driver
	echo text >"$old/file"
	number=$(device_of "$old")
	umount -i "$old" || fail "cannot be unmounted"
}

# meets_it: has a new mount that number? Mounts of others may be faster.
meets_it() {
	local i met=1

	for i in 1 2 3 4; do
		mount_store "$url" "$WORK/new$i" "$shared" || fail "no mount"
		[ "$driver" != "$old_pid" ] ||
			wrong "new$i: the old driver answers"
		[ "$(device_of "$WORK/new$i")" != "$number" ] || met=0
	done
	return $met
}

leave_old
for round in 1 2 3 4 5 6; do
	! meets_it || break
	[ "$round" -lt 6 ] || fail "no new mount has the number $number"
	for i in 1 2 3 4; do
		unmount "$WORK/new$i"
	done
	kill -KILL "$old_pid"
	wait_until 10 gone "$old_pid" || fail "the old driver does not end"
	leave_old
done
kill -0 "$old_pid" || wrong "the old driver has ended already"
"$STORECTL" pending --json --staging-dir "$(staging_of "$old")" >"$WORK/kept"
grep -q '"key":"file"' "$WORK/kept" || wrong "not pending: $(cat "$WORK/kept")"
is "$("$STORECTL" status --json --staging-dir "$(staging_of "$old")" |
	sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')" "$old_pid" "who stores the rest"
kill -KILL "$old_pid"
finish
