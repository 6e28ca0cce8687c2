# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A staging directory on a disk of its own, which forgets what was not flushed
# when it goes; sourced by bash, after lib.sh.
: "${WORK:?}" "${crash:?}" "${p:?}" "${mnt:?}" "${manifest:?}"
declare url driver worker workers

image=$WORK/disk.img
disk=$WORK/disk
below=("$disk")
mounted=("$disk")

# disk_new FILESYSTEM: a fresh one.
disk_new() {
	disk_gone
	rm -f "$image"
	truncate -s 320M "$image"
	"mkfs.$1" -q "$image" || fail "no $1"
	mkdir -p "$disk"
	mount -o loop "$image" "$disk" || fail "no loop mount"
}

disk_gone() {
	wait_until 10 disk_gone_now || fail "$disk cannot be unmounted"
}

disk_gone_now() {
	not_mounted "$disk" || umount "$disk" 2>/dev/null
}

# cut KIND FILESYSTEM WHAT NAME=VALUE...: work, until the power or the disk
# goes at some moment. Then the disk is there again.
cut() {
	local ms=$((RANDOM % 900 + 50))
	point="$1 on $2, $3 after $ms ms"

	disk_work "$1" "$2" "${@:4}"
	sleep "$(printf '0.%03d' "$ms")"
	disk_goes "$3"
	disk_back "$2"
}

# disk_work KIND FILESYSTEM NAME=VALUE...: on a fresh store and disk, in the
# background.
disk_work() {
	place_new "$1" background
	[ -z "$sky" ] || weather "$sky"
	disk_new "$2"
	staging=$disk/staging
	mkdir "$staging"
	driver_start "${@:3}" || fail "no mount of $url"
	work_on "$RANDOM" &
	worker=$!
}
sky= # the weather of the store

# disk_goes WHAT
disk_goes() {
	# Nothing happens any more in a machine without power.
	[ "$1" != power ] || kill -STOP "$driver"
	printf -- '- 0 cut %s\n' "$(milliseconds)" >>"$manifest"
	xfs_io -x -c shutdown "$disk" || fail "the disk stays"
	[ "$1" != disk ] || sleep 0.2
	kill -KILL "$driver"
	wait "$worker"
	driver_end
	detach
	rm -f "$p/fault"
}

# disk_back FILESYSTEM
disk_back() {
	disk_gone
	mount -o loop "$image" "$disk" || fail "$1 does not come back"
}

# work_on SEED: until something fails.
work_on() {
	"$crash/workload" "$mnt" "$manifest" "$1" "$workers" 1000 \
		>"$p/workload.out" 2>&1
}

# survived: after a cut.
survived() {
	printf '%s: %s operations\n' "$point" \
		"$(grep -cE ' (done|durable) ' "$manifest")"
	recovered --power
}
