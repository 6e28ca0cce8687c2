#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# Who looks for the old name of a file while it is being renamed, when the
# store has done it and memory has not, takes no name from it: what is open is
# read, written and closed as before.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

cases() {
	local moving

	printf 'old bytes\n' >"$mnt/old"
	exec 3<>"$mnt/old"
	# The answer is lost, and that the file has its new name found slowly.
	weather 'move-after error=UNAVAILABLE' 'stat delay=3s key=new'
	mv -T "$mnt/old" "$mnt/new" &
	moving=$!
	wait_until 20 test -e "$backing/new" || wrong "not renamed"
	stat "$mnt/old" >/dev/null 2>&1 && wrong "the old name is there still"
	wait "$moving" || wrong "the rename fails"
	weather
	printf 'new' >&3 || wrong "no write"
	exec 3>&- || wrong "no close"
	wait_settled "$mnt"
	is "$(cat "$mnt/new")" "new bytes" "what was written"
	is "$(cat "$backing/new")" "new bytes" "what is stored"
	is "$(status_of "$mnt" failed_files)" 0 "failed files"
}

store_new local
mnt=$WORK/mnt
weather
mount_store "$url?fault=$WORK/fault" "$mnt" \
	"$shared,entry_timeout=0,attr_timeout=0" || fail "no mount of $url"
cases
unmount "$mnt"
finish
