#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# timeout-full: 3600
# Of 16 processes that create one name exactly one wins (F3), and whoever
# reads a file while it is replaced sees the whole old or the whole new
# content (F4): through the mount where it is replaced by rename; in the store
# below also where the writer opens it with O_TRUNC, which a local file system
# does not hide. A file that loses its name while it is being opened is there
# for who opens it.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
rounds=20 writes=200
[ "$full" = 0 ] || rounds=200 writes=2000

# A reader may be told that its version is gone (status 11), and looks again.
cat >look <<-END
	#!/bin/sh
	while :; do
		'$STORECTL' cat "\$1" >'$WORK/seen' 2>'$WORK/look.err'
		status=\$?
		[ \$status -eq 11 ] || break
	done
	cat '$WORK/look.err' >&2
	[ \$status -eq 0 ] && exec cat '$WORK/seen'
	exit \$status
END
chmod +x look

racers() {
	note "$kind: racers $*"
	"$posix/racers" "$@" "$mnt" || wrong "$kind: racers $*"
}

cases() {
	local links='' stale='' writes=$writes

	has LINKS || links=--without-links
	# Where a version that is replaced is gone its reader is told.
	has PINNED_READ || stale=--may-be-stale
	[ "$kind" != s3 ] || writes=$((writes / 5))
	# shellcheck disable=SC2086
	racers create --rounds "$rounds" $links
	# shellcheck disable=SC2086
	racers poll --writes "$writes" $stale
	# shellcheck disable=SC2086
	racers poll --writes $((writes / 4)) --size 3000000 $stale
	racers open --writes $((writes * 5))
	case $kind in
	local)
		racers poll --writes "$writes" --poll-path "$backing/polled"
		racers poll --writes "$writes" --atomic-overwrite \
			--poll-path "$backing/polled"
		;;
	sqlite)
		racers poll --writes "$writes" --atomic-overwrite \
			--poll-cmd "$WORK/look '$url!/polled'"
		;;
	esac
	is "$(ls -A "$mnt")" "" "$kind: left behind"
}

each_store "local sqlite memory $far" cases
finish
