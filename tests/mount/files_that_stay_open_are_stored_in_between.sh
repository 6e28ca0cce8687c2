#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# publish_interval=: a file that is held open and written, such as a log, is
# stored again and again as it was at one moment, at most once per interval;
# without new bytes nothing is sent, a file that was only created or truncated
# is not stored before its close, and an error meets the next fsync.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

set_fault() {
	printf '%s\n' "$1" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

stored_is() {
	[ "$(stored "$1" 2>/dev/null)" = "$2" ]
}

puts_above() {
	[ "$(puts_of "$mnt")" -gt "$1" ]
}

# lines N: what the log holds after so many.
lines() {
	seq "$1"
}

failed_at_least_once() {
	"$STORECTL" pending --json "$mnt" | grep -q DENIED
}

interval() {
	local puts begun i

	note "$1: a log"
	mnt=$WORK/mnt-$1
	store_new local
	set_fault ''
	mount_store "$url?fault=$WORK/fault" "$mnt" \
		"$shared,commit=$1,publish_interval=200ms" || fail "no mount"
	exec 3>"$mnt/empty" 4>>"$mnt/log"
	for i in 1 2 3; do
		printf '%s\n' $i >&4
		wait_until 5 stored_is log "$(lines $i)" ||
			wrong "$1: line $i is not stored while open"
	done
	puts=$(puts_of "$mnt")
	[ "$puts" -le 3 ] || wrong "$1: $puts puts for 3 lines"

	note "$1: many small writes"
	begun=$(milliseconds)
	for ((i = 4; i <= 2000; i++)); do
		printf '%s\n' $i >&4
	done
	wait_until 5 stored_is log "$(lines 2000)" || wrong "$1: the last line"
	puts=$(($(puts_of "$mnt") - puts))
	[ "$puts" -le $((($(milliseconds) - begun) / 200 + 1)) ] ||
		wrong "$1: $puts puts in $(($(milliseconds) - begun)) ms"

	note "$1: nothing to send"
	puts=$(puts_of "$mnt")
	wait_until 1 puts_above "$puts" && wrong "$1: sent without a change"
	[ -e "$backing/empty" ] && wrong "$1: an empty file is stored"
	exec 3>&-
	wait_until 5 test -e "$backing/empty" || wrong "$1: after the close"

	note "$1: an error in between"
	set_fault 'put error=DENIED'
	printf 'more\n' >&4
	wait_until 5 failed_at_least_once || wrong "$1: no error in the list"
	sync -d "$mnt/log" 2>err && wrong "$1: fsync hides an error"
	says err "Permission denied"
	set_fault ''
	printf 'again\n' >&4
	wait_until 5 stored_is log "$(lines 2000 && printf 'more\nagain\n')" ||
		wrong "$1: the next image"
	sync -d "$mnt/log" || wrong "$1: a second fsync"
	exec 4>&-
	wait_settled "$mnt"
	unmount "$mnt"
}

interval close
interval background
finish
