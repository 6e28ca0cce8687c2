#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# commit=background: an upload that fails after its close() is told to the next
# fsync, close or open for writing, once and to one of them, also by the next
# run; never to a reader. It stands in pending, status, user.storefs.error and
# the log meanwhile; storectl settles it without anybody being told (promise 1).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
words=$shared,commit=background,op_timeout=5,drain_timeout=1
DRIVER_LOG=1

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

start() {
	mount_store "$url?fault=$WORK/fault" "$mnt" "$words" || fail "no mount"
}

failed_files_is() {
	[ "$(status_of "$mnt" failed_files)" = "$1" ]
}

error_of() {
	getfattr --only-values -n user.storefs.error "$mnt/$1" 2>/dev/null
}

# fails_late NAME: acknowledged, then refused by the store.
fails_late() {
	local said

	weather "put error=NO_SPACE key=$1"
	said=$("$fileop" open wct "$mnt/$1" write "text of $1" try close)
	is "$said" 'close: OK' "$1: the acknowledgement"
	wait_until 10 failed_files_is 1 || fail "$1: no late error"
	weather
}

# held NAME COMMAND...: by a program that had it open before.
held() {
	local name=$1
	shift

	rm -f "$WORK/open" "$WORK/go"
	"$fileop" open rw "$mnt/$name" mark "$WORK/open" await "$WORK/go" \
		"$@" >"$WORK/said" &
	holder=$!
	wait_until 10 test -e "$WORK/open" || fail "$name cannot be held"
}

released() {
	touch "$WORK/go"
	wait "$holder"
}

# stands NAME: everywhere it can be looked up; readers see no error.
stands() {
	local i said

	for i in 1 2 3; do
		said=$("$fileop" try open r "$mnt/$1" read 99 try close)
		is "$said" "open: OK
text of $1close: OK" "$1: reader $i"
	done
	[[ $(error_of "$1") == *NO_SPACE* ]] ||
		wrong "$1: user.storefs.error is '$(error_of "$1")'"
	expect 0 "$STORECTL" pending --json "$mnt"
	says out "\"key\":\"$1\""
	says out '"state":"failed"'
	says out '"code":"NO_SPACE"'
	expect 0 "$STORECTL" status "$mnt"
	says out 'no space left'
	grep "publish failed: NO_SPACE" driver.log | grep -qF "'$1'" ||
		wrong "$1: not in the log"
}

# settled_in_the_end NAME: it is stored, and nobody is told any more.
settled_in_the_end() {
	expect 0 "$STORECTL" retry "$mnt/$1"
	is "$(stored "$1")" "text of $1" "$1: in the store"
	clear_of_errors "$1"
}

clear_of_errors() {
	failed_files_is 0 || wrong "$1: still failed"
	is "$(error_of "$1")" '' "$1: user.storefs.error"
	is "$("$fileop" try open rw "$mnt/$1" try fsync try close)" \
		'open: OK
fsync: OK
close: OK' "$1: a writer in the end"
}

weather
store_new local
mnt=$WORK/mnt
start

note "told to the next open for writing"
fails_late opened
stands opened
is "$("$fileop" try open rw "$mnt/opened")" 'open: EIO' "the next writer"
is "$("$fileop" try open rw "$mnt/opened" try fsync try close)" \
	'open: OK
fsync: OK
close: OK' "the one after"
settled_in_the_end opened

note "told to the next fsync"
printf 'before' >"$mnt/synced"
expect 0 "$STORECTL" drain "$mnt"
held synced try fsync try fsync try close
fails_late synced
stands synced
released
is "$(cat said)" 'fsync: ENOSPC
fsync: OK
close: OK' "a program that had it open"
is "$("$fileop" try open rw "$mnt/synced" try close)" 'open: OK
close: OK' "a writer after the fsync"
settled_in_the_end synced

note "told to the next close"
printf 'before' >"$mnt/closed"
expect 0 "$STORECTL" drain "$mnt"
held closed try close
fails_late closed
stands closed
released
is "$(cat said)" 'close: ENOSPC' "a program that had it open"
is "$("$fileop" try open rw "$mnt/closed" try close)" 'open: OK
close: OK' "a writer after the close"
settled_in_the_end closed

note "told by the next run"
for how in kill umount; do
	fails_late "$how"
	if [ $how = kill ]; then
		kill -KILL "$driver"
		wait_until 5 gone "$driver" || fail "the driver lives"
		umount -l "$mnt"
	else
		# Unmounting tries once more.
		weather 'put error=NO_SPACE'
		unmount "$mnt"
		weather
	fi
	start
	stands "$how"
	is "$("$fileop" try open rw "$mnt/$how")" 'open: EIO' \
		"$how: the next writer"
	settled_in_the_end "$how"
done

note "settled by retry before anybody is told"
fails_late retried
settled_in_the_end retried

note "settled by discard before anybody is told"
printf 'before' >"$mnt/discarded"
expect 0 "$STORECTL" drain "$mnt"
fails_late discarded
expect 0 "$STORECTL" discard "$mnt/discarded"
is "$(cat "$mnt/discarded")" before "after discard"
clear_of_errors discarded

note "an export settles nothing"
fails_late exported
expect 0 "$STORECTL" export "$mnt/exported" copy
is "$(cat copy)" 'text of exported' "the export"
is "$("$fileop" try open rw "$mnt/exported")" 'open: EIO' "the next writer"
settled_in_the_end exported
unmount "$mnt"
finish
