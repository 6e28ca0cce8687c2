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
cuts=4
[ "$full" = 0 ] || cuts=100

# The flushes and the scene that comes to each. Without those in `telling` a
# cut loses something; the others are for every_flush_is_in_its_place.sh, and
# a full run shows that no cut misses them.
telling=(
	"work|commit: flush data"
	"work|journal: flush"
	"found|journal: flush found"
	"torn|journal: flush quarantine"
)
silent=(
	"work|commit: flush names"
	"work|commit: flush move"
	"work|journal: flush new file"
	"work|journal: flush directory"
	"torn|journal: flush quarantine name"
	"torn|journal: flush wiped end"
)

# ---- scenes: FILESYSTEM NAME=VALUE...; true when a cut lost something ----

# Nothing gets into the store.
work_loses() {
	local lost=0

	sky='put stall=10m'
	disk_work local "$@"
	sky=
	wait_until 5 quiet
	disk_goes power
	disk_back "$1"
	driver_start || fail "no mount of $url"
	check "$mnt" --power >"$p/lost" && lost=1
	stop
	return "$lost"
}

# A killed driver has told its journal that a file is stored, in memory only.
# The next one acts upon that, and its journal ends before.
found_loses() {
	disk_place local "$1"
	head -c 100000 /dev/urandom >"$p/bytes"
	dies_at 'commit: done:1' one
	dies_at 'commit: names:1' two "${@:2}"
	power_goes "$1"
	driver_start || fail "no mount of $url"
	stop
	only_unfinished >"$p/lost" || return 0
	! cmp "$p/bytes" "$backing/one"
}

# dies_at STEP NAME NAME=VALUE...: copying $p/bytes to that name.
dies_at() {
	driver_start STOREFS_DIE_AT="$1" "${@:3}" || fail "no mount of $url"
	cp "$p/bytes" "$mnt/$2" 2>"$p/cp.err"
	wait_until 10 gone "$driver" || fail "nobody died at '$1'"
	detach
	driver_end
}

# What a torn end had is kept beside the journal, before it goes.
torn_loses() {
	disk_place local "$1"
	pending
	tear
	driver_start STOREFS_DIE_AT='journal: mended:1' "${@:2}"
	wait_until 10 gone "$driver" || fail "nobody died at 'journal: mended'"
	detach
	driver_end
	power_goes "$1"
	! grep -q torntorn "$staging"/journal* 2>/dev/null
}

# ---- leaving out flushes ----

# found_by FILESYSTEM SCENE STEP: the number of the cut that lost something
# without that step, of as many as one may ask for.
found_by() {
	local try

	for ((try = 1; try <= $4; try++)); do
		"$2_loses" "$1" STOREFS_SKIP="$3" || continue
		echo "$1 without '$3': found by cut $try"
		return 0
	done
	echo "$1 without '$3': $4 cuts lose nothing"
	return 1
}

leave_out() {
	local line step scene

	for line in "${telling[@]}"; do
		IFS='|' read -r scene step <<<"$line"
		! "${scene}_loses" "$1" ||
			wrong "$1, $scene: loses something as it is"
		found_by "$1" "$scene" "$step" 8 ||
			wrong "$1 without '$step' loses nothing"
	done
	[ "$full" = 1 ] || return 0
	for line in "${silent[@]}"; do
		IFS='|' read -r scene step <<<"$line"
		found_by "$1" "$scene" "$step" 16
	done
}

echo "seed $seed"
for filesystem in ext4 xfs; do
	for ((i = 0; i < cuts; i++)); do
		for kind in local sqlite; do
			cut "$kind" "$filesystem" power
			survived
		done
	done
	leave_out "$filesystem"
done
disk_gone
echo "$survivals cuts of power survived"
finish
