#!/bin/bash
# SPDX-License-Identifier: MIT
# sanitizers: thread
# timeout: 120
# timeout-full: 7200
# Processes that do random operations on the same few names meet no error
# their situation cannot cause and leave whole records; one file under random
# reads, writes, mappings, truncations and holes through several descriptors
# always reads as it was written.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
ops=2000 file_ops=4000
[ "$full" = 0 ] || ops=20000 file_ops=50000

cases() {
	local handles

	echo "seed $seed"
	"$posix/stress" --seed "$seed" --ops "$ops" "$mnt" ||
		wrong "stress on $kind, seed $seed"
	is "$(ls -A "$mnt")" "" "$kind: left behind"
	for handles in 1 4; do
		"$posix/fsx" --seed "$seed" --ops "$file_ops" \
			--handles "$handles" "$mnt/f" ||
			wrong "fsx on $kind with $handles handles, seed $seed"
	done
	cp "$mnt/f" "$WORK/before"
	[ "$kind" = memory ] || remount
	same "$WORK/before" "$mnt/f"
	is "$(status_of "$mnt" failed_files)" 0 "$kind: failed files"
}

each_store "local sqlite memory" cases
finish
