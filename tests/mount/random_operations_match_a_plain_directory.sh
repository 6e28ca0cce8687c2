#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# timeout-full: 14400
# Thousands of random operations with several handles, mappings, renames,
# truncations and remounts leave a mount as they leave a plain directory,
# compared after every step.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
ops=3000
[ "$full" = 0 ] || ops=100000

random() {
	local begun
	local -a remounts=(--remount "$WORK/remount")

	echo "seed $seed"
	[ "$kind" != memory ] || remounts=()
	rm -rf "$WORK/model"
	mkdir "$WORK/model"
	cat >"$WORK/remount" <<-END
		#!/bin/bash
		umount '$mnt' || exit 1
		for ((i = 0; i < 500; i++)); do
			kill -0 "\$(cat '$WORK/driver')" 2>/dev/null || break
			sleep 0.02
		done
		'$STOREFS' '$url' '$mnt' \\
			-o '$shared,staging_dir=$(staging_of "$mnt")' || exit 1
		cat '$(staging_of "$mnt")/lock' >'$WORK/driver'
	END
	chmod +x "$WORK/remount"
	echo "$driver" >"$WORK/driver"
	begun=$(milliseconds)
	"$posix/random_ops" --mount "$mnt" --model "$WORK/model" \
		--seed "$seed" --ops $ops "${remounts[@]}" ||
		wrong "random operations on $kind, seed $seed"
	echo "$ops operations in $(($(milliseconds) - begun)) ms"
	drivers+=("$(cat "$WORK/driver")")
}

each_store "local sqlite memory" random
finish
