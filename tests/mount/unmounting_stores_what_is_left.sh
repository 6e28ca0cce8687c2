#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# SIGTERM and umount store what was not yet stored; a second SIGTERM and
# umount -l do not wait; what cannot be stored is kept (M11).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
printf '' >"$WORK/fault"
store_new local
mnt=$WORK/mnt

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

# left_unstored NAME: a file whose close failed for the moment.
left_unstored() {
	weather 'put error=UNAVAILABLE'
	"$fileop" open wct "$mnt/$1" write "$1" try close >/dev/null
	[ ! -e "$backing/$1" ] || wrong "$1 is stored already"
}

start() {
	mount_store "$url?fault=$WORK/fault" "$mnt" "$shared,drain_timeout=$1" ||
		fail "no mount"
}

# kept WANTED: files that are pending.
kept() {
	"$STORECTL" pending --json --staging-dir "$(staging_of "$mnt")" \
		>"$WORK/kept"
	is "$(wc -l <"$WORK/kept")" "$1" "pending files"
}

note "SIGTERM drains"
start 20
left_unstored one
weather
kill -TERM "$driver"
wait_until 10 gone "$driver" || wrong "the driver does not end"
not_mounted "$mnt" || wrong "SIGTERM leaves it mounted"
is "$(cat "$backing/one")" one "after SIGTERM"
kept 0

note "a plain umount drains"
start 20
left_unstored two
weather
umount "$mnt" || wrong "umount"
wait_until 10 gone "$driver" || wrong "the driver does not end"
is "$(cat "$backing/two")" two "after umount"

note "an open file is stored when its mount goes away"
start 20
"$fileop" open wct "$mnt/three" write three mark "$WORK/open" \
	await "$WORK/go" close >/dev/null &
wait_until 10 test -e "$WORK/open"
umount "$mnt" 2>/dev/null && wrong "umount of a busy mount"
touch "$WORK/go"
wait
unmount "$mnt"
is "$(cat "$backing/three")" three "after the close"

note "SIGTERM twice does not wait"
start 60
left_unstored four
weather 'put stall=10m'
kill -TERM "$driver"
wait_until 2 false
kill -TERM "$driver"
begun=$(milliseconds)
wait_until 10 gone "$driver" || wrong "SIGTERM twice still waits"
echo "SIGTERM twice: $(($(milliseconds) - begun)) ms"
not_mounted "$mnt" || wrong "SIGTERM twice leaves it mounted"
[ ! -e "$backing/four" ] || wrong "four was stored in a stall"
kept 1
says "$WORK/kept" '"key":"four"'

note "the drain has an end"
weather
start 2
wait_until 10 test -e "$backing/four" || wrong "four is not taken up"
is "$(cat "$backing/four")" four "what was left, after the next mount"
left_unstored five
weather 'put error=UNAVAILABLE'
begun=$(milliseconds)
kill -TERM "$driver"
wait_until 15 gone "$driver" || wrong "the drain does not end"
echo "a drain of 2 s: $(($(milliseconds) - begun)) ms"
kept 1

note "umount -l returns at once"
weather
start 5
wait_until 10 test -e "$backing/five" || wrong "five is not taken up"
left_unstored six
weather 'put stall=10m'
begun=$(milliseconds)
umount -l "$mnt"
echo "umount -l: $(($(milliseconds) - begun)) ms"
[ $(($(milliseconds) - begun)) -lt 1000 ] || wrong "umount -l waits"
wait_until 30 gone "$driver" || wrong "the driver stays after umount -l"
kept 1
finish
