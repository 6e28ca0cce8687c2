#!/bin/bash
# SPDX-License-Identifier: MIT
# sanitizers: address
# timeout: 240
# timeout-full: 14400
# Thousands of random operations with several handles, mappings, renames,
# truncations and remounts leave a mount as they leave a plain directory,
# compared after every step.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
ops=3000
[ "$full" = 0 ] || ops=20000

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
		# Its staging directory is locked until the driver has ended.
		flock --timeout 10 '$(staging_of "$mnt")/lock' true || exit 1
		'$STOREFS' '$url' '$mnt' \\
			-o '$shared,staging_dir=$(staging_of "$mnt")' || exit 1
	END
	chmod +x "$WORK/remount"
	begun=$(milliseconds)
	# shellcheck disable=SC2046 # options or nothing
	"$posix/random_ops" --mount "$mnt" --model "$WORK/model" \
		--seed "$seed" --ops "$ops" "${remounts[@]}" \
		$(without "$kind" random_ops) ||
		wrong "random operations on $kind, seed $seed"
	echo "$ops operations in $(($(milliseconds) - begun)) ms"
	ends_here "$(status_of "$mnt" pid)"
}

# A name that came and went before it was stored has moved its folder's time
# all the same, for the next mount too.
folder_time() {
	local told

	mkdir "$mnt/d"
	exec 3>"$mnt/d/never-stored"
	touch -d 2001-01-01 "$mnt/d"
	rm "$mnt/d/never-stored"
	exec 3>&-
	told=$(stat -c %y "$mnt/d")
	case $told in 2001-*) wrong "$kind: the time did not move" ;; esac
	unmount "$mnt"
	mount_store "$url" "$mnt" "$shared" || fail "no mount"
	is "$(stat -c %y "$mnt/d")" "$told" "$kind: the folder's time"
}

each_store "local sqlite memory $far" random
rm -rf "$WORK"/st-* # of other stores at the same places
each_store "local sqlite $far" folder_time
finish
