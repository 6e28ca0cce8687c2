#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# timeout-full: 3600
# A folder of 100,000 real objects in S3 (a sample run: 1,100) lists each name
# once, through a mount and by storectl, which removes it, too. storectl needs
# no more memory than for a page, the driver at most 400 bytes for each file (300
# for an entry that the kernel holds, the rest while it lists) and 12 MiB for
# requests beside each other (D4).
#
# What is measured: the highest resident memory (VmHWM) of storectl, above that
# of a listing of one page; how far the driver's has risen over `ls -l`.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
files=1100
[ "$full" = 0 ] || files=100000

# peak_of COMMAND...: in KiB; what it prints is in $WORK/out.
peak_of() {
	python3 - "$@" <<-'END'
		import resource, subprocess, sys
		with open("out", "wb") as out:
		    status = subprocess.call(sys.argv[1:], stdout=out)
		print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
		sys.exit(status)
	END
}

highest() {
	awk '/^VmHWM:/ { print $2 }' "/proc/$driver/status"
}

took() {
	echo "$1: $(($(milliseconds) - begun)) ms"
	begun=$(milliseconds)
}

objects_make() {
	local i

	mkdir "$WORK/page" "$WORK/many"
	seq -f "$WORK/page/file-%06.0f" 900 | xargs touch
	seq -f "$WORK/many/file-%06.0f" "$files" | xargs touch
	"$STORECTL" cp -r "$WORK/page" "$url!/page" || fail "no objects"
	# Beside each other: a request each.
	for i in 0 1 2 3 4 5 6 7; do
		mkdir "$WORK/many.$i"
		seq -f "$WORK/many/file-%06.0f" $((i + 1)) 8 "$files" |
			xargs mv -t "$WORK/many.$i"
		"$STORECTL" cp -r "$WORK/many.$i/." "$url!/many" &
		making[i]=$!
	done
	for i in "${!making[@]}"; do
		wait "${making[i]}" || fail "no objects"
	done
}
making=()

by_storectl() {
	local page peak

	page=$(peak_of "$STORECTL" ls "$url!/page") || wrong "storectl ls"
	is "$(wc -l <"$WORK/out")" 900 "a page"
	begun=$(milliseconds)
	peak=$(peak_of "$STORECTL" ls "$url!/many") || wrong "storectl ls"
	took "storectl ls"
	same "$WORK/wanted" "$WORK/out"
	echo "storectl: $page KiB for a page, $peak KiB for $files"
	[ $((peak - page)) -lt 4096 ] || wrong "$peak KiB for $files objects"
}

through_the_mount() {
	local before grown

	/bin/ls "$mnt/page" >"$WORK/out"
	before=$(highest)
	begun=$(milliseconds)
	/bin/ls "$mnt/many" >"$WORK/out"
	took "ls"
	same "$WORK/wanted" "$WORK/out"
	/bin/ls -l "$mnt/many" >"$WORK/out"
	took "ls -l"
	is "$(grep -c '^-rw' "$WORK/out")" "$files" "ls -l"
	grown=$(($(highest) - before))
	echo "driver: $before KiB, $grown KiB more for $files files"
	[ $((grown * 1024)) -le $((files * 400 + (12 << 20))) ] ||
		wrong "$grown KiB more for $files files"
}

cases() {
	begun=$(milliseconds)
	objects_make
	took "$files objects"
	seq -f 'file-%06.0f' "$files" >"$WORK/wanted"
	by_storectl
	through_the_mount
	begun=$(milliseconds)
	"$STORECTL" rm -r "$url!/many" "$url!/page" || wrong "storectl rm -r"
	took "storectl rm -r"
	is "$("$STORECTL" ls "$url")" '' "left in the store"
}

each_store s3 cases
finish
