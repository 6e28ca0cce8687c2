#!/bin/bash
# SPDX-License-Identifier: MIT
# sanitizers: address thread
# timeout: 60
# A file that is being written is renamed over one of two hard links, and the
# other link is written before it is closed: each name has its own bytes
# afterwards, and nobody is told of a conflict that was no conflict.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

# write_and_rename LATER: a new file goes over $mnt/a while it is open; LATER
# runs between the rename and the close.
write_and_rename() {
	local writer

	echo first >"$mnt/a"
	ln "$mnt/a" "$mnt/b"
	rm -f "$WORK/opened" "$WORK/go"
	"$BUILDDIR/tests/mount/fileop" open wcx "$mnt/new" write new \
		mark "$WORK/opened" await "$WORK/go" write er close \
		>"$WORK/said" &
	writer=$!
	wait_until 10 test -e "$WORK/opened" || fail "$kind: no new file"
	mv "$mnt/new" "$mnt/a"
	"$@"
	: >"$WORK/go"
	wait "$writer" || wrong "$kind, $1: $(cat "$WORK/said")"
}

rewritten() {
	echo second >"$mnt/b"
}

removed() {
	rm "$mnt/b"
}

rewritten_and_removed() {
	echo second >"$mnt/b"
	rm "$mnt/b"
}

dated() {
	touch -d 2001-01-01 "$mnt/b"
}

untouched() {
	:
}

cases() {
	local later

	for later in untouched rewritten dated removed rewritten_and_removed; do
		write_and_rename "$later"
		is "$(cat "$mnt/a")" newer "$kind, $later: the renamed file"
		wait_settled "$mnt"
		is "$(stored a)" newer "$kind, $later: in the store"
		case $later in
		rewritten) is "$(stored b)" second "$kind, $later: the other" ;;
		untouched | dated)
			is "$(stored b)" first "$kind, $later: the other"
			;;
		*) [ ! -e "$mnt/b" ] || wrong "$kind, $later: b is back" ;;
		esac
		rm -f "$mnt/a" "$mnt/b"
	done
	is "$(status_of "$mnt" failed_files)" 0 "$kind: failed files"
}

each_store "local sqlite" cases
finish
