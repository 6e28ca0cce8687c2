#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# A staging disk that is full or cannot be written to any more, before a mount
# or under it, is told to whoever needs it (M5). The driver lives on, what was
# acknowledged can be read, is stored once it can be, and shows in the next
# mount; nothing else is lost.
# shellcheck source=tests/crash/lib.sh
. "$SRCDIR/tests/crash/lib.sh"
need_root

image=$WORK/disk.img
disk=$WORK/disk
below=("$disk")
mounted=("$disk")
words=,op_timeout=1,drain_timeout=1
declare -A acknowledged # contents by name

# disk_new: small, and read only from the first error on.
disk_new() {
	disk_gone
	rm -f "$image"
	truncate -s 24M "$image"
	mkfs.ext4 -q "$image" || fail "no ext4"
	mkdir -p "$disk"
	disk_mount
}

# disk_mount [OPTION,...]
disk_mount() {
	mount -o "loop,errors=remount-ro${1:+,$1}" "$image" "$disk" ||
		fail "no loop mount"
}

disk_gone() {
	wait_until 10 disk_gone_now || fail "$disk cannot be unmounted"
}

disk_gone_now() {
	not_mounted "$disk" || umount "$disk" 2>/dev/null
}

# disk_mend: what follows an error.
disk_mend() {
	disk_gone
	fsck.ext4 -p "$image" >"$p/fsck" 2>&1
	[ $? -lt 4 ] || wrong_here "the disk: $(cat "$p/fsck")"
	disk_mount
}

# disk_fill: to the last byte.
disk_fill() {
	local size

	for size in 1M 4k 1k; do
		dd if=/dev/zero bs="$size" conv=notrunc oflag=append \
			of="$disk/filler.$size" 2>/dev/null
	done
}

# disk_fails: an error that makes it read only.
disk_fails() {
	local device

	device=$(findmnt -n -o SOURCE "$disk")
	echo "found by a test" \
		>"/sys/fs/ext4/${device##*/}/trigger_fs_error" ||
		fail "no error of $device"
	! touch "$disk/touched" 2>/dev/null || fail "the disk is not read only"
}

# scene KIND COMMIT
scene() {
	note "$1 $2: $what"
	place_new "$1" "$2"
	disk_new
	staging=$disk/staging
	point="$1 $2, $what"
	acknowledged=()
}

start() {
	driver_start || fail "$point: no mount of $url: $(cat "$p/driver.log")"
	mounted=("$disk" "$mnt")
}

# put NAME FILE: whether it is acknowledged; $p/said has the rest.
put() {
	cp "$2" "$mnt/$1" 2>"$p/said" || return
	acknowledged[$1]=$2
}

# save NAME FILE: as editors do.
save() {
	cp "$2" "$mnt/$1.new" 2>"$p/said" && sync "$mnt/$1.new" 2>"$p/said" &&
		mv "$mnt/$1.new" "$mnt/$1" 2>"$p/said" || return
	acknowledged[$1]=$2
}

# must NAME FILE: is acknowledged.
must() {
	"$@" || wrong_here "$*: $(cat "$p/said")"
}

# fails_with TEXT COMMAND...: it is refused, for that reason.
fails_with() {
	if "${@:2}"; then
		wrong_here "acknowledged: ${*:2}"
	else
		grep -qF -- "$1" "$p/said" ||
			wrong_here "${*:2}: $(cat "$p/said")"
	fi
}

# shown DIR: all that was acknowledged, byte by byte.
shown() {
	local name

	for name in "${!acknowledged[@]}"; do
		cmp "$1/$name" "${acknowledged[$name]}" ||
			wrong_here "$name in $1"
	done
}

# some_work: acknowledged, and for commit=background all of it pending.
some_work() {
	start
	[ "$commit" = close ] || expect 0 "$STORECTL" pause "$mnt"
	must put small "$WORK/small"
	must put large "$WORK/large"
	must put renamed.first "$WORK/small"
	mv "$mnt/renamed.first" "$mnt/renamed" || wrong_here "a rename"
	unset 'acknowledged[renamed.first]'
	acknowledged[renamed]=$WORK/small
	must put gone "$WORK/small"
}

die() {
	kill -KILL "$driver"
	driver_end
	detach
}

# all_is_stored: the next mount shows it, and the store gets it.
all_is_stored() {
	start
	shown "$mnt"
	wait_settled "$mnt"
	stop
	[ "$driver_status" = 0 ] || wrong_here "the driver ends: $driver_status"
	fetch "$p/copy"
	shown "$p/copy"
}

# drop NAME: acknowledged as removed.
drop() {
	rm "$mnt/$1" 2>"$p/said" || return
	unset "acknowledged[$1]"
}

# move NAME TO
move() {
	mv "$mnt/$1" "$mnt/$2" 2>"$p/said"
}

# alive TEXT: the driver, which has told, or does when it flushes next.
alive() {
	! gone "$driver" || wrong_here "the driver has ended"
	wait_until 5 grep -qF "$1" "$p/driver.log"
	says "$p/driver.log" "$1"
}

# mounts_again TEXT: or is refused for that reason, and harms nothing.
mounts_again() {
	if driver_start; then
		shown "$mnt"
		die
	else
		driver_end
		says "$p/driver.log" "$1"
	fi
}

full_under_a_mount() {
	what="a disk that becomes full"
	scene "$@"
	some_work
	disk_fill
	fails_with 'No space left on device' put refused "$WORK/large"
	fails_with 'No space left on device' save large "$WORK/other"
	for ((i = 0; i < 3; i++)); do
		put "small.$i" "$WORK/small" ||
			grep -qF 'No space left on device' "$p/said" ||
			wrong_here "small.$i: $(cat "$p/said")"
	done
	shown "$mnt"
	# What gives room back is never refused.
	must drop gone
	mkdir "$mnt/folder" || wrong_here "no folder"
	alive 'No space left on device'
	die
	disk_fill
	mounts_again 'No space left on device'
	rm "$disk"/filler.*
	all_is_stored
	[ ! -e "$p/copy/gone" ] || wrong_here "what was removed is back"
}

# The kernel does not make a disk read only that a driver writes to; an error
# does.
read_only_under_a_mount() {
	what="a disk that becomes read only"
	scene "$@"
	some_work
	! mount -o remount,ro "$disk" 2>/dev/null ||
		fail "the journal is not open for writing"
	disk_fails
	fails_with 'Read-only file system' put refused "$WORK/large"
	fails_with 'Read-only file system' put refused.small "$WORK/small"
	fails_with 'Read-only file system' save large "$WORK/other"
	if [ "$commit" = close ]; then
		must drop gone
	else
		fails_with 'Read-only file system' drop gone
		fails_with 'Read-only file system' move renamed away
	fi
	mkdir "$mnt/folder" || wrong_here "no folder"
	shown "$mnt"
	alive 'Read-only file system'
	die
	mounts_again "$staging/lock: Read-only file system"
	disk_mend
	all_is_stored
	[ ! -e "$p/copy/away" ] || wrong_here "what was not moved is moved"
}

read_only_before_a_mount() {
	what="a disk that is read only"
	scene "$@"
	some_work
	die
	disk_gone
	disk_mount ro
	refused "$staging/lock: Read-only file system"
	expect 0 "$STORECTL" pending --staging-dir "$staging"
	if [ "$commit" = background ]; then
		expect 0 "$STORECTL" export --staging-dir "$staging" large \
			"$p/exported" --force
		same "$p/exported" "$WORK/large"
	fi
	staging=$disk/other
	refused "$disk/other: Read-only file system"
	staging=$disk/staging
	disk_gone
	disk_mount
	all_is_stored
}

# refused TEXT: there is no mount, for that reason.
refused() {
	if driver_start; then
		wrong_here "mounted"
		die
		return
	fi
	driver_end
	[ "$driver_status" = 32 ] || wrong_here "exit status $driver_status"
	says "$p/driver.log" "$1"
}

head -c 3000 /dev/urandom >"$WORK/small"
head -c 1500000 /dev/urandom >"$WORK/large"
head -c 1500000 /dev/urandom >"$WORK/other"
for trouble in full_under_a_mount read_only_under_a_mount \
	read_only_before_a_mount; do
	$trouble local close
	$trouble local background
	$trouble sqlite background
done
disk_gone
finish
