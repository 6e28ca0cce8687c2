#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# commit=background: close() returns before the upload, also while the store
# stalls; what it acknowledged is there after the driver was killed, under the
# names it had by then (M7); a file that is written and renamed before its
# upload costs one put of its last name; a full staging directory makes
# writers wait for uploads and only then fails (M5); a second writer's loss is
# told to the next one who opens the file for writing; what another program
# writes into a file that was just stored is not taken for ours.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
words=$shared,commit=background,drain_timeout=1,op_timeout=2

# kill_driver: as a crash leaves it.
kill_driver() {
	kill -KILL "$driver"
	wait_until 5 gone "$driver" || fail "the driver cannot be killed"
	umount -l "$mnt" || fail "$mnt cannot be unmounted"
}

set_fault() {
	printf '%s\n' "$1" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

mount_faulty() {
	mount_store "$url?fault=$WORK/fault" "$mnt" "${1-$words}" ||
		fail "$kind: no mount"
}

# killed_and_back FAULT: what stands in `made` and the mount before the kill.
kept_over_a_kill() {
	local begun

	set_fault 'put stall=1h'
	mount_faulty
	begun=$(milliseconds)
	echo small >"$mnt/small"
	cp "$WORK/large" "$mnt/large"
	echo one >"$mnt/renamed.tmp"
	mv "$mnt/renamed.tmp" "$mnt/renamed"
	echo gone >"$mnt/gone"
	rm "$mnt/gone"
	echo first >"$mnt/twice"
	echo second >>"$mnt/twice"
	echo mode >"$mnt/mode"
	chmod 640 "$mnt/mode"
	touch -d 2001-02-03T04:05:06Z "$mnt/mode"
	: >"$mnt/empty"
	mkdir "$mnt/folder"
	echo below >"$mnt/folder/file"
	sync -d "$mnt/folder"
	took=$(($(milliseconds) - begun))
	[ "$took" -lt 15000 ] || wrong "$kind: closes took $took ms"
	same "$WORK/large" "$mnt/large"
	kill_driver
	is "$("$STORECTL" ls "$url" | tr '\n' ' ')" "folder/ " "$kind: stored"

	# It shows at once, and is stored once the store takes it.
	mount_faulty
	check_kept mounted
	kill_driver
	set_fault ''
	mount_faulty "$shared,commit=background"
	check_kept "mounted again"
	wait_settled "$mnt"
	unmount "$mnt"
	mount_store "$url" "$mnt" "$shared" || fail "$kind: no mount"
	check_kept stored
	is "$(find "$(staging_of "$mnt")" -name 'data-*')" "" "$kind: left"
	unmount "$mnt"
}

check_kept() {
	is "$(cd "$mnt" && find . | LC_ALL=C sort | tr '\n' ' ')" \
		". ./empty ./folder ./folder/file ./large ./mode ./renamed ./small ./twice " \
		"$kind, $1: names"
	is "$(cat "$mnt/small")" small "$kind, $1"
	same "$WORK/large" "$mnt/large"
	is "$(cat "$mnt/renamed")" one "$kind, $1"
	is "$(cat "$mnt/twice")" "first
second" "$kind, $1"
	is "$(cat "$mnt/mode")" mode "$kind, $1"
	is "$(stat -c '%a %Y' "$mnt/mode")" "640 981173106" "$kind, $1"
	is "$(stat -c %s "$mnt/empty")" 0 "$kind, $1"
	is "$(cat "$mnt/folder/file")" below "$kind, $1"
}

one_put_of_the_last_name() {
	local before

	set_fault 'put stall=1h'
	mount_faulty
	echo old >"$mnt/saved"
	set_fault ''
	kill_driver
	mount_faulty
	wait_settled "$mnt"
	before=$(puts_of "$mnt")
	set_fault 'put error=UNAVAILABLE'
	for i in 1 2 3; do
		echo "version $i" >"$mnt/saved.new"
		mv "$mnt/saved.new" "$mnt/saved"
	done
	set_fault ''
	wait_settled "$mnt"
	is "$(stored saved)" "version 3" "$kind: the last version"
	is "$("$STORECTL" ls "$url" | tr '\n' ' ')" "saved " "$kind: names"
	[ $(($(puts_of "$mnt") - before)) -le 6 ] ||
		wrong "$kind: $(($(puts_of "$mnt") - before)) puts"
	unmount "$mnt"
}

writers_wait_for_room() {
	set_fault 'put delay=100ms'
	mount_faulty "$words,staging_size=8M,op_timeout=3,drain_timeout=60"
	for i in 1 2 3 4 5 6; do
		cp "$WORK/large" "$mnt/many.$i" || wrong "$kind: no room at $i"
	done
	wait_until 60 settled "$mnt" || wrong "$kind: does not settle"
	set_fault 'put stall=1h'
	cp "$WORK/large" "$mnt/more.1"
	if cp "$WORK/large" "$mnt/more.2" 2>err; then
		wrong "$kind: 10 MB in 8 MiB"
	fi
	says err "No space left on device"
	set_fault ''
	wait_settled "$mnt"
	same "$WORK/large" "$mnt/more.1"
	for i in 1 2 3 4 5 6; do
		same "$WORK/large" "$mnt/many.$i"
	done
	unmount "$mnt"
}

the_second_writer_is_told() {
	set_fault ''
	mount_faulty
	echo base >"$mnt/both"
	wait_settled "$mnt"
	set_fault 'put stall=1h'
	echo ours >"$mnt/both"
	echo theirs >"$WORK/theirs"
	"$STORECTL" cp -f "$WORK/theirs" "$url!/both" 2>/dev/null ||
		"$STORECTL" cp "$WORK/theirs" "$url!/both" ||
		wrong "$kind: no second writer"
	set_fault ''
	kill_driver
	mount_faulty
	wait_until 10 has_failed || wrong "$kind: no conflict"
	is "$(cat "$mnt/both")" ours "$kind: what the mount shows"
	is "$(stored both)" theirs "$kind: what the store has"
	"$fileop" try open w "$mnt/both" >said
	says said EIO
	umount "$mnt"
	wait_until 20 gone "$driver" || fail "the driver does not end"
	is "$(stored both)" theirs "$kind: after the end"
}

# The put of the second text arrives, its answer does not; then somebody who
# knows nothing of ids writes in place.
an_edit_of_what_arrived_is_not_replaced() {
	[ "$kind" = local ] || return 0
	set_fault ''
	mount_faulty
	echo base >"$mnt/edited"
	wait_settled "$mnt"
	set_fault $'put delay=2s\nput-after die'
	echo second >"$mnt/edited"
	wait_until 10 put_has_begun || fail "$kind: no upload"
	echo third >>"$mnt/edited"
	wait_until 10 gone "$driver" || fail "$kind: the driver lives"
	umount -l "$mnt" || fail "$mnt cannot be unmounted"
	is "$(stored edited)" second "$kind: what arrived"
	echo theirs >>"$backing/edited"
	set_fault ''
	mount_faulty
	wait_until 10 has_failed || wrong "$kind: no conflict"
	is "$(stored edited)" $'second\ntheirs' "$kind: what the store has"
	is "$(cat "$mnt/edited")" $'second\nthird' "$kind: what the mount shows"
	unmount "$mnt"
}

put_has_begun() {
	"$STORECTL" pending "$mnt" | grep -q uploading
}

has_failed() {
	[ "$(status_of "$mnt" failed_files)" = 1 ]
}

head -c 5000000 /dev/urandom >"$WORK/large"
for each in local sqlite $far; do
	for step in kept_over_a_kill one_put_of_the_last_name \
		writers_wait_for_room the_second_writer_is_told \
		an_edit_of_what_arrived_is_not_replaced; do
		note "$each: $step"
		rm -rf "$WORK"/st-*
		store_new "$each"
		mnt=$WORK/mnt-$each-$step
		$step
	done
done
finish
