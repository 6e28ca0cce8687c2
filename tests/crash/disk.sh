# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A staging directory on a disk of its own, which forgets what was not flushed
# when it goes; sourced by bash, after lib.sh.
: "${WORK:?}" "${crash:?}" "${p:?}" "${mnt:?}" "${manifest:?}"
declare url driver worker workers failures
need_root

# A test beside that copies the table of mounts would keep a disk that was shut
# down alive: the next mount would find it as it is.
[ -n "${OWN_DISKS-}" ] || OWN_DISKS=1 exec unshare --mount \
	"$SRCDIR/tests/own-mounts" '' "$0" "$@"

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
	not_mounted "$disk" || umount "$disk" 2>/dev/null || return 1
	[ -z "$(losetup -j "$image")" ]
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

# disk_place KIND FILESYSTEM: a fresh store and disk.
disk_place() {
	place_new "$1" background
	disk_new "$2"
	staging=$disk/staging
	mkdir "$staging"
}

# power_goes FILESYSTEM: with no driver, and the disk is there again.
power_goes() {
	xfs_io -x -c shutdown "$disk" || fail "the disk stays"
	disk_back "$1"
}

# disk_work KIND FILESYSTEM NAME=VALUE...: on a fresh store and disk, in the
# background.
disk_work() {
	disk_place "$1" "$2"
	[ -z "$sky" ] || weather "$sky"
	driver_start "${@:3}" || fail "no mount of $url"
	# In a shell of its own it would not follow from the seed.
	local chance=$RANDOM
	work_on "$chance" &
	worker=$!
}
sky= # the weather of the store

# disk_goes WHAT
disk_goes() {
	# Nothing happens any more in a machine without power. A disk goes
	# between two calls: in the middle of a flush that ext4 has to give up
	# it may answer that all is well.
	kill -STOP "$driver"
	wait_until 10 stands_still || fail "the driver does not stop"
	printf -- '- 0 cut %s\n' "$(milliseconds)" >>"$manifest"
	xfs_io -x -c shutdown "$disk" || fail "the disk stays"
	if [ "$1" = disk ]; then
		kill -CONT "$driver"
		sleep 0.2
	fi
	kill -KILL "$driver"
	wait "$worker"
	driver_end
	detach
	rm -f "$p/fault"
}

# stands_still: the driver, with all its threads.
stands_still() {
	! cat "/proc/$driver/task"/*/stat | sed 's/.*) //' | grep -qv '^T'
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
	local before=$failures
	recovered --power
	survivals=$((survivals + (failures == before)))
	printf '%s: %s operations\n' "$point" \
		"$(grep -cE ' (done|durable) ' "$manifest")"
}
survivals=0
