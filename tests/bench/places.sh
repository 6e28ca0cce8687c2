# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The places that are measured, for scripts/bench: the bare disk, mounts of
# ours, peers. Sourced by bash; everything stands below $area.
#
# A place is called NAME or NAME+MODE (local+background). For each NAME there
# are start_NAME MODE, which makes it usable at $mnt, finish_NAME, which
# returns when all that was written has arrived, and stop_NAME. A peer is one
# more NAME in `peers`, with a have_NAME that says whether it is there.
: "${area:?}" "${STOREFS:?}" "${STORECTL:?}"

peers=(rclone)
mnt=
driver= # process id of what serves $mnt, if any

is_mounted() {
	awk -v point="$1" '$5 == point { found = 1 } END { exit !found }' \
		/proc/self/mountinfo
}

# wait_until SECONDS COMMAND...
wait_until() {
	local end=$((SECONDS + $1))
	shift

	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.02
	done
}

unmount() {
	if [ "$(id -u)" -eq 0 ]; then
		umount "$1"
	else
		fusermount3 -u "$1"
	fi
}

# place_start NAME[+MODE]
place_start() {
	local mode=${1#"${1%%+*}"}

	served=${1%%+*}
	rm -rf "${area:?}/store" "${area:?}/staging" \
		"${area:?}/mnt"
	mkdir -p "$area/store" "$area/staging" "$area/mnt"
	mnt=$area/mnt
	driver=
	"start_$served" "${mode#+}" || die "$1 does not start"
}
served=

place_finish() {
	"finish_$served"
}

# place_stop: gone when it returns.
place_stop() {
	"stop_$served"
	[ -z "$driver" ] || wait_until 60 gone "$driver" ||
		die "$driver does not end"
	driver=
}

# place_again: as after a new start, with nothing in memory.
place_again() {
	place_stop
	"start_$served" "$1" || die "$served does not start again"
	drop_caches
}

drop_caches() {
	[ ! -w /proc/sys/vm/drop_caches ] || {
		sync
		echo 3 >/proc/sys/vm/drop_caches
	}
}

gone() {
	local line

	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
	[[ ${line##*) } == [ZX]* ]]
}

# place_peak: the most memory its driver ever had, in KiB; 0 without one.
place_peak() {
	[ -n "$driver" ] || {
		echo 0
		return
	}
	sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$driver/status"
}

# ---- the bare disk ----

start_bare() {
	mnt=$area/store
}

finish_bare() {
	sync -f "$mnt"
}

stop_bare() {
	:
}

# ---- storefs ----

# start_storefs URL MODE
start_storefs() {
	"$STOREFS" "$1" "$mnt" \
		-o "commit=$2,staging_dir=$area/staging" ||
		return
	driver=$(status_number pid)
	[ -n "$driver" ]
}

# status_number NAME: of the status of the mount.
status_number() {
	"$STORECTL" status --json "$mnt" |
		sed -n "s/.*\"$1\": *\([0-9]*\).*/\1/p"
}

start_local() {
	start_storefs "file://$area/store" "${1:-close}"
}

start_sqlite() {
	start_storefs "sqlite:///$area/store/store.db" "${1:-close}"
}

finish_local() {
	"$STORECTL" drain "$mnt" >/dev/null || die "$mnt cannot be drained"
}

finish_sqlite() {
	finish_local
}

stop_local() {
	unmount "$mnt"
}

stop_sqlite() {
	unmount "$mnt"
}

# ---- rclone ----

have_rclone() {
	command -v rclone >/dev/null
}

start_rclone() {
	rclone mount "$area/store" "$mnt" --config /dev/null \
		--vfs-cache-mode writes --cache-dir "$area/staging" \
		>"$area/rclone.log" 2>&1 &
	driver=$!
	wait_until 20 is_mounted "$mnt"
}

# It writes back after 5 s, and tells nobody.
finish_rclone() {
	wait_until 600 rclone_is_done || die "rclone does not finish"
}

rclone_is_done() {
	[ "$(find "$area/store" -type f | wc -l)" -eq \
		"$(find "$mnt" -type f | wc -l)" ]
}

stop_rclone() {
	unmount "$mnt"
	wait "$driver"
}
