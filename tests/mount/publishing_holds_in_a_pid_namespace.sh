#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A driver in a process namespace of its own knows no process outside: it
# publishes what was written at each close. Still no reader of the store sees
# an empty file, and all is there in the end; a file written through one
# descriptor is sent once.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/mount/publish_cases.sh
. "$SRCDIR/tests/mount/publish_cases.sh"
need_root

printf 'old content' >old
printf 'first second' >new
printf 'first ' >part
printf 'first secon' >mapped

# Writers that close more often than once after the first byte; the store
# then sees what a local file system would show at that moment.
publishes_at_most() {
	case $1 in
	case_group | case_exec_loop | case_exec_loop_of_programs | case_popen | \
		case_popen_and_close | case_daemon | \
		case_pipeline_of_two_writers | case_duplicate | \
		case_map_after_close)
		echo 3
		;;
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
	most=$(publishes_at_most "$name")
	{ [ "$puts" -ge 1 ] && [ "$puts" -le "$most" ]; } ||
		wrong "$puts puts of $name, not 1 to $most"
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
drivers+=($!)
wait_until 10 is_mounted "$mnt" || {
	cat driver.log
	fail "no mount"
}
for each in $all_cases; do
	one_case "$each"
done
finish
