#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A drain waits until everything, or what is below a path, is in the store. It
# does not wait for what was refused or is being written, ends with its time,
# and tells in one line what is left, and why; so does storectl umount.
# Whoever follows the mount is told meanwhile.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
mnt=$WORK/mnt

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

start() {
	mount_store "$url?fault=$WORK/fault" "$mnt" \
		"$shared,commit=background,op_timeout=20,drain_timeout=2" ||
		fail "no mount"
}

# took_less MILLISECONDS: since `begun`.
took_less() {
	local took=$(($(milliseconds) - begun))

	[ $took -lt "$1" ] || wrong "it took $took ms"
}

one_line() {
	is "$(wc -l <out)" 1 "lines"
}

everything_is_waited_for() {
	note "everything is waited for"
	expect 0 "$STORECTL" drain "$mnt"
	is "$(cat out)" '' "a drain of nothing"
	weather 'put delay=1s'
	printf one >"$mnt/one"
	printf two >"$mnt/two"
	begun=$(milliseconds)
	expect 0 "$STORECTL" drain "$mnt"
	took_less 8000
	is "$(cat "$backing/one")$(cat "$backing/two")" onetwo stored
}

a_store_comes_back() {
	note "a store that comes back"
	weather 'put error=UNAVAILABLE'
	printf later >"$mnt/later"
	"$STORECTL" drain "$mnt" >"$WORK/said" 2>&1 &
	wait_until 2 gone $! && wrong "a drain without a store ends"
	weather
	begun=$(milliseconds)
	wait $! || wrong "exit status $?"
	took_less 5000
	is "$(cat "$backing/later")" later stored
	is "$(cat "$WORK/said")" '' "what it said"
}

time_ends() {
	note "its time ends"
	weather 'put error=UNAVAILABLE'
	printf waits >"$mnt/waits"
	begun=$(milliseconds)
	expect 14 "$STORECTL" drain --timeout 1 "$mnt"
	took_less 4000
	one_line
	says out '1 not stored in time (waits: '
	expect 14 "$STORECTL" drain --timeout 500ms --json "$mnt"
	says out '"waiting":1'
	says out '"code":"UNAVAILABLE"'
	# Ended with those who wait for it.
	timeout -s INT 1 "$STORECTL" drain "$mnt"
	expect 0 "$STORECTL" status "$mnt"
	weather
	expect 0 "$STORECTL" drain "$mnt"
}

what_is_not_waited_for() {
	note "what is not waited for"
	weather 'put error=DENIED'
	printf refused >"$mnt/refused"
	rm -f "$WORK/open" "$WORK/go"
	"$fileop" open wct "$mnt/written" write written mark "$WORK/open" \
		await "$WORK/go" try close >/dev/null &
	wait_until 10 test -e "$WORK/open"
	begun=$(milliseconds)
	expect 4 "$STORECTL" drain "$mnt"
	took_less 5000
	one_line
	says out '2 files stay in the staging directory'
	says out '1 could not be stored'
	says out '1 still open for writing'
	says out 'refused: '
	weather
	expect 4 "$STORECTL" drain "$mnt"
	expect 0 "$STORECTL" retry "$mnt/refused"
	touch "$WORK/go"
	wait $!
	expect 0 "$STORECTL" drain "$mnt"
	is "$(cat "$backing/refused")" refused refused
	is "$(cat "$backing/written")" written written
}

below_a_path() {
	note "below a path"
	mkdir -p "$mnt/a/b" "$mnt/ab"
	weather 'put error=DENIED key=ab/x'
	printf x >"$mnt/ab/x"
	printf y >"$mnt/a/b/y"
	expect 0 "$STORECTL" drain "$mnt/a"
	is "$(cat "$backing/a/b/y")" y y
	expect 4 "$STORECTL" drain "$mnt/ab"
	expect 4 "$STORECTL" drain "$mnt/ab/x"
	expect 0 "$STORECTL" drain "$mnt/a/b/y"
	expect 4 "$STORECTL" drain "$mnt"
	weather
	expect 0 "$STORECTL" retry --all "$mnt"
	says out '1 file stored'
}

progress_on_a_terminal() {
	note "progress on a terminal"
	weather 'put stall=3s'
	printf slow >"$mnt/slow"
	script -qefc "'$STORECTL' drain '$mnt'" /dev/null >"$WORK/typescript" \
		</dev/null || wrong "exit status $?"
	says "$WORK/typescript" 'storing: 1 file, '
	weather
}

followers_are_told() {
	local follower

	note "followers are told"
	"$STORECTL" status --follow "$mnt" >"$WORK/events" &
	follower=$!
	wait_until 10 grep -q following "$WORK/events" || wrong "no following"
	printf new >"$mnt/new"
	expect 0 "$STORECTL" drain "$mnt"
	weather 'put error=NO_SPACE'
	printf full >"$mnt/full"
	"$STORECTL" drain "$mnt" >/dev/null
	weather
	printf older >"$backing/.other"
	rm -f "$WORK/open" "$WORK/go"
	"$fileop" open wct "$mnt/new" write mine mark "$WORK/open" \
		await "$WORK/go" try close >/dev/null &
	wait_until 10 test -e "$WORK/open"
	mv "$backing/.other" "$backing/new"
	touch "$WORK/go"
	wait $!
	"$STORECTL" drain "$mnt" >/dev/null
	"$STORECTL" pause "$mnt"
	"$STORECTL" resume "$mnt"
	"$STORECTL" discard "$mnt/new"
	wait_until 5 grep -q discarded "$WORK/events" || wrong "no discarded"
	kill "$follower"
	wait "$follower" 2>/dev/null
	is "$(sed 's/.*"event":"\([a-z]*\)".*/\1/' "$WORK/events" | uniq |
		tr '\n' ' ')" \
		'following stored failed conflict paused resumed discarded ' \
		"events"
	grep '"event":"failed"' "$WORK/events" >failed
	says failed '"key":"full"'
	says failed '"code":"NO_SPACE"'
	says failed '"retries":false'
	expect 0 "$STORECTL" retry "$mnt/full"
}

umount_tells() {
	note "umount tells what stays"
	weather 'put error=UNAVAILABLE'
	printf stays >"$mnt/stays"
	expect 5 "$STORECTL" umount "$mnt/stays"
	is_mounted "$mnt" || fail "a file was unmounted"
	begun=$(milliseconds)
	expect 0 "$STORECTL" umount "$mnt"
	took_less 10000
	one_line
	says out '1 file stays in the staging directory'
	says out 'stays: '
	not_mounted "$mnt" || wrong "still mounted"
	wait_until 10 gone "$driver" || wrong "the driver stays"
	start
	weather
	expect 0 "$STORECTL" umount --json "$mnt"
	says out '"undone":0'
	wait_until 10 gone "$driver" || wrong "the driver stays"
	is "$(cat "$backing/stays")" stays "after the second umount"
	start
	expect 0 "$STORECTL" umount -l "$mnt"
	not_mounted "$mnt" || wrong "umount -l leaves it mounted"
	expect 2 "$STORECTL" umount "$mnt"
	# Also one whose driver has died.
	start
	kill -KILL "$driver"
	wait_until 10 gone "$driver"
	expect 0 "$STORECTL" umount "$mnt"
	says err 'not drained: dead'
	not_mounted "$mnt" || wrong "a dead mount stays"
}

weather
store_new local
start
everything_is_waited_for
a_store_comes_back
time_ends
what_is_not_waited_for
below_a_path
progress_on_a_terminal
followers_are_told
umount_tells
finish
