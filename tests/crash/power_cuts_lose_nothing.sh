#!/bin/bash
# SPDX-License-Identifier: MIT
# build: --enable-steps
# timeout: 300
# timeout-full: 14400
# The power goes at any moment of commit=background, and the disk below the
# staging directory forgets what was not flushed. What close() and fsync()
# acknowledged is whole afterwards (M7). That this can fail is shown by leaving
# out flushes.
# shellcheck source=tests/crash/lib.sh
. "$SRCDIR/tests/crash/lib.sh"
# shellcheck source=tests/crash/disk.sh
. "$SRCDIR/tests/crash/disk.sh"
need_root
cuts=3
[ "$full" = 0 ] || cuts=100

# Flushes without which a cut loses something; the others are for
# every_flush_is_in_its_place.sh.
telling=("commit: flush data" "journal: flush")

# loses FILESYSTEM STEP: some cut does, without that step, while nothing gets
# into the store.
loses() {
	local try

	sky='put stall=10m'
	for ((try = 1; try <= 8; try++)); do
		disk_work local "$1" STOREFS_SKIP="$2"
		wait_until 5 quiet
		disk_goes power
		disk_back "$1"
		driver_start || fail "no mount of $url"
		check "$mnt" --power >"$p/lost" || break
		stop
	done
	stop
	sky=
	if [ $try -le 8 ]; then
		echo "$1 without '$2': found by cut $try"
	else
		wrong "$1 without '$2' loses nothing"
	fi
}

echo "seed $seed"
for filesystem in ext4 xfs; do
	for ((i = 0; i < cuts; i++)); do
		for kind in local sqlite; do
			cut "$kind" "$filesystem" power
			survived
		done
	done
	for step in "${telling[@]}"; do
		loses "$filesystem" "$step"
	done
done
disk_gone
finish
