#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# timeout-full: 7200
# A folder of 100,000 files (a sample run: 40,000) lists each name once and is
# removed by rm -rf; the driver needs at most 300 bytes for each entry the
# kernel holds, and gives them back as entries that can be used again (D4).
#
# What is measured: the growth of the driver's resident memory (VmRSS) over
# `ls -l`, which makes the kernel hold every entry, divided by the number of
# entries that came (`nodes` of the status). A listing of names alone comes
# first, so that the buffers of a page of a listing are there already.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
files=40000 others=3000
[ "$full" = 0 ] || files=100000 others=100000

# once_each DIR COUNT: file-000001 to file-COUNT.
once_each() {
	seq -f 'file-%06.0f' "$2" >wanted
	/bin/ls "$1" >got || wrong "$kind: ls $1"
	# Sorted by ls, each name as often as it was listed.
	same wanted got
}

resident() {
	awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$driver/status"
}

nodes() {
	status_of "$mnt" nodes
}

took() {
	echo "$1: $(($(milliseconds) - begun)) ms"
	begun=$(milliseconds)
}

memory_per_entry() {
	local bytes entries before

	before=$(nodes)
	bytes=$(resident)
	begun=$(milliseconds)
	/bin/ls -l "$mnt/big" >listed
	took "ls -l"
	is "$(grep -c '^-rw' listed)" "$files" "ls -l"
	entries=$(($(nodes) - before))
	[ "$entries" -gt $((files / 2)) ] ||
		fail "the kernel holds only $entries entries more"
	bytes=$(($(resident) - bytes))
	echo "$bytes bytes for $entries entries: $((bytes / entries)) each"
	[ $((bytes / entries)) -le 300 ] ||
		wrong "$((bytes / entries)) bytes for each entry"
}

# Underneath, as they may have been there for long.
local_store() {
	local highest

	kind=local
	note "$kind, $files files"
	store_new local
	mkdir "$backing/big"
	(cd "$backing/big" && seq -f 'file-%06.0f' "$files" | xargs touch)
	mnt=$WORK/mnt
	mount_store "$url" "$mnt" "$shared" || fail "no mount"
	begun=$(milliseconds)
	once_each "$mnt/big" "$files"
	took "ls"
	memory_per_entry
	highest=$(resident)
	once_each "$mnt/big" "$files"
	begun=$(milliseconds)
	rm -rf "$mnt/big" || wrong "rm -rf"
	took "rm -rf"
	[ ! -e "$backing/big" ] || wrong "the store still has the folder"
	is "$(ls -A "$mnt")" "" "the mount"
	wait_until 10 forgotten || wrong "$(nodes) nodes are left"
	# What was given back serves the next folder.
	mkdir "$backing/big"
	(cd "$backing/big" && seq -f 'file-%06.0f' "$files" | xargs touch)
	/bin/ls -l "$mnt/big" >listed
	is "$(grep -c '^-rw' listed)" "$files" "the second ls -l"
	echo "resident: $highest, then $(resident)"
	[ "$(resident)" -lt $((highest * 5 / 4)) ] ||
		wrong "the second folder takes it from $highest to $(resident)"
	unmount "$mnt"
}

forgotten() {
	[ "$(nodes)" -lt 100 ]
}

# Created, listed, looked at, and removed while the listing is read.
through_the_mount() {
	"$posix/bigdir" --files "$others" "$mnt" ||
		wrong "bigdir on $kind"
	is "$(ls -A "$mnt")" "" "$kind: left behind"
}

local_store
each_store "local sqlite memory" through_the_mount
finish
