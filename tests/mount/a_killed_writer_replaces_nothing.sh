#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 90
# A process that dies by a signal while it replaces a file leaves the old
# content; its bytes stay in the staging directory, with a record of what
# they were. New files, appends and edits are kept as they are.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

# kept COUNT: staged files with records so far.
kept() {
	local records

	records=$(find "$(staging_of "$mnt")" -name 'data-*.json' | wc -l)
	is "$records" "$1" "$kind: records"
	is "$(find "$(staging_of "$mnt")" -name 'data-*' \
		! -name '*.json' | wc -l)" "$1" "$kind: kept files"
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
	grep -l "replaced-$signal" "$(staging_of "$mnt")"/data-*.json \
		>/dev/null || wrong "$kind: no record of $f"
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
	is "$(find "$(staging_of "$mnt")" -name 'data-*' -size +2900k |
		wc -l)" 1 "$kind: the bytes kept"
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

cases() {
	replacing TERM 1
	replacing KILL 2
	replacing INT 3
	from_outside
	others
	printf 'whole' >"$mnt/replaced-KILL"
	is "$(stored replaced-KILL)" whole "$kind: the next writer"
	unmount "$mnt"
	kept 4
	mount_store "$url" "$mnt" "$shared" || fail "no second mount"
	is "$(cat "$mnt/replaced-TERM")" 'old content' "$kind: remounted"
	kept 4
	# The next kind of store uses a staging directory of its own.
}

each_store "local sqlite" cases
finish
