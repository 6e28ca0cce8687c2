#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 90
# A process that dies by a signal while it replaces a file leaves the old
# content; its bytes stay in the staging directory, with a record of what
# they were. New files, appends and edits are kept as they are.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

# list: what is pending, as JSON, also once it is unmounted.
list() {
	if is_mounted "$mnt"; then
		"$STORECTL" pending --json "$mnt"
	else
		"$STORECTL" pending --json --staging-dir "$(staging_of "$mnt")"
	fi
}

# kept COUNT: files that were never finished so far, and nothing else.
kept() {
	is "$(list | grep -c '"state":"unfinished"')" "$1" \
		"$kind: unfinished files"
	is "$(list | wc -l)" "$1" "$kind: pending files"
}

# dies SIGNAL FILE REDIRECTION: writes "part" and is killed.
dies() {
	# shellcheck disable=SC2016
	sh -c 'eval "exec 3'"$3"'\"\$1\""
	printf part >&3
	kill -s "$2" $$' sh "$2" "$1" 2>/dev/null
	wait_settled "$mnt"
}

replacing() {
	local signal=$1 count=$2 f=$mnt/replaced-$1 before

	printf 'old content' >"$f"
	wait_settled "$mnt"
	before=$(puts_of "$mnt")
	dies "$signal" "$f" '>'
	is "$(cat "$f")" 'old content' "$kind: after SIG$signal"
	is "$(stored "replaced-$signal")" 'old content' "$kind: the store"
	is "$(puts_of "$mnt")" "$before" "$kind: puts after SIG$signal"
	kept "$count"
	is "$("$STORECTL" export "$f" -)" part "$kind: what is kept of $f"
	is "$(stat -c %s "$f")" 11 "$kind: size after SIG$signal"
}

# Another process kills it, in the middle of a long write.
from_outside() {
	local f=$mnt/outside pid

	printf 'old content' >"$f"
	rm -f "$WORK/filled"
	"$fileop" open wt "$f" fill x 3000000 mark "$WORK/filled" \
		await "$WORK/never" &
	pid=$!
	wait_until 10 test -e "$WORK/filled"
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	wait_settled "$mnt"
	is "$(cat "$f")" 'old content' "$kind: after a kill from outside"
	kept 4
	is "$("$STORECTL" export "$f" - | tr -d x | wc -c)" 0 \
		"$kind: other bytes than were written"
	is "$("$STORECTL" export "$f" - | wc -c)" 3000000 "$kind: bytes kept"
}

others() {
	dies KILL "$mnt/new" '>'
	is "$(stored new)" part "$kind: a new file"
	printf 'old ' >"$mnt/appended"
	dies KILL "$mnt/appended" '>>'
	is "$(stored appended)" 'old part' "$kind: an append"
	printf 'old content' >"$mnt/edited"
	dies KILL "$mnt/edited" '<>'
	is "$(stored edited)" 'partcontent' "$kind: an edit"
	kept 4
}

# Whoever asks for it gets the part.
forced() {
	expect 5 "$STORECTL" retry "$mnt/replaced-INT"
	is "$(stored replaced-INT)" 'old content' "$kind: without force"
	expect 0 "$STORECTL" retry --force "$mnt/replaced-INT"
	is "$(stored replaced-INT)" part "$kind: by force"
	wait_until 5 shows replaced-INT part || wrong "$kind: the mount"
}

shows() {
	[ "$(cat "$mnt/$1")" = "$2" ]
}

cases() {
	replacing TERM 1
	replacing KILL 2
	replacing INT 3
	from_outside
	others
	printf 'whole' >"$mnt/replaced-KILL"
	is "$(stored replaced-KILL)" whole "$kind: the next writer"
	forced
	unmount "$mnt"
	kept 3
	mount_store "$url" "$mnt" "$shared" || fail "no second mount"
	is "$(cat "$mnt/replaced-TERM")" 'old content' "$kind: remounted"
	kept 3
	# The next kind of store uses a staging directory of its own.
}

each_store "local sqlite $far" cases
finish
