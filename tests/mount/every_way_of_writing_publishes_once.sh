#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# Over existing content, however many processes and closes take part, one body
# is sent, and no reader of the store sees an empty or a partial file (M3).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/mount/publish_cases.sh
. "$SRCDIR/tests/mount/publish_cases.sh"
need_root

printf 'old content' >old
printf 'first second' >new
printf 'first secon' >mapped

one_case() {
	local name=$1 before wanted=1
	file=$mnt/$name

	printf 'old content' >"$file"
	wait_settled "$mnt"
	before=$(puts_of "$mnt")
	[ -z "$backing" ] || watch_start "$backing/$name" old new mapped
	"$name" || wrong "$kind: $name fails"
	wait_settled "$mnt"
	[ -z "$backing" ] || watch_end "$kind: $name"
	# The mapping and the append after it are two changes.
	[ "$name" != case_map_after_close ] || wanted=2
	is "$(($(puts_of "$mnt") - before))" "$wanted" "$kind: puts of $name"
	is "$(cat "$file")" 'first second' "$kind: content after $name"
	[ "$kind" = memory ] ||
		is "$(stored "$name")" 'first second' "$kind: $name stored"
}

cases() {
	local each

	for each in $all_cases; do
		one_case "$each"
	done
}

each_store "local sqlite memory $far" cases
finish
