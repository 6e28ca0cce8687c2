#!/bin/bash
# SPDX-License-Identifier: MIT
# alone: a mount namespace of this one would keep the drivers of others alive
# timeout: 120
# A driver in a process namespace of its own knows no process outside, and so
# cannot tell whose close is the last: it publishes at every close that comes
# after the first written byte, and never what was only created or truncated.
#
# What is counted: bodies sent for each way of writing, at least one and at
# most as many as there are closes (and exits) with something new written
# before them. What the watcher of the store may see: the old content, the new
# one, and what stood in the file at such a close; at no moment an empty file,
# a missing one, or part of a write.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/mount/publish_cases.sh
. "$SRCDIR/tests/mount/publish_cases.sh"
need_root

printf 'old content' >old
printf 'first second' >new
printf 'first ' >part
printf 'first secon' >mapped

# closes NAME: how many come after something new was written.
closes() {
	case $1 in
	# Each program, or redirected builtin, closes what it wrote to. The
	# opener's own close adds nothing to that.
	case_group | case_exec_loop | case_exec_loop_of_programs | \
		case_popen | case_daemon | case_pipeline_of_two_writers | \
		case_duplicate)
		echo 2
		;;
	# The opener's close may come before, between or after two writes.
	case_popen_and_close) echo 2 ;;
	# A mapping and an append are two changes anyway.
	case_map_after_close) echo 2 ;;
	*) echo 1 ;;
	esac
}

one_case() {
	local name=$1 before puts most
	file=$mnt/$name

	printf 'old content' >"$file"
	wait_settled "$mnt"
	before=$(puts_of "$mnt")
	watch_start "$backing/$name" old part new mapped
	"$name" || wrong "$name fails"
	wait_settled "$mnt"
	watch_end "$name"
	puts=$(($(puts_of "$mnt") - before))
	most=$(closes "$name")
	{ [ "$puts" -ge 1 ] && [ "$puts" -le "$most" ]; } ||
		wrong "$puts puts of $name, not 1 to $most"
	echo "$name: $puts of at most $most"
	is "$(stored "$name")" 'first second' "$name"
}

# A mount made inside shows outside through a shared mount point.
mkdir -p shared
mount --bind shared shared
mount --make-shared shared
mounted+=("$WORK/shared")
mkdir -p shared/mnt
mnt=$WORK/shared/mnt
store_new local
mounted+=("$mnt")
unshare --pid --fork --kill-child --mount-proc --propagation unchanged \
	"$STOREFS" "$url" "$mnt" -f -o "$shared,staging_dir=$WORK/st" \
	2>driver.log &
ends_here $!
wait_until 10 is_mounted "$mnt" || {
	cat driver.log
	fail "no mount"
}
for each in $all_cases; do
	one_case "$each"
done
finish
