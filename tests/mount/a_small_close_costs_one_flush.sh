#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# With commit=background a close of a small new file costs one flush of the
# journal, at most one when several close at the same time (that they share
# some is shown in tests/unit/test-mount-commit-cost.c); uploads share the
# flushes of the store. Counted in a trace of the driver and by what the store
# was asked for, never in time.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
closes=$BUILDDIR/tests/bench/closes
files=80
tracer=

is_traced() {
	grep -q '^TracerPid:[^0-9]*[1-9]' "/proc/$driver/status"
}

trace_begin() {
	strace -f -qq -y -e signal=none -e trace=fsync,fdatasync \
		-o "$WORK/trace" -p "$driver" 2>"$WORK/strace.log" &
	tracer=$!
	wait_until 10 is_traced || fail "no trace"
}

trace_end() {
	kill -INT "$tracer"
	wait "$tracer"
}

# flushes PATTERN: of files whose path ends so.
flushes() {
	grep -cE "(fsync|fdatasync)\([0-9]+<[^>]*$1>" "$WORK/trace"
}

# between LEAST NUMBER MOST WHAT
between() {
	note "$kind: $4: $2"
	if [ "$2" -lt "$1" ] || [ "$2" -gt "$3" ]; then
		wrong "$kind: $2 $4 instead of $1 to $3"
	fi
}

# What is noted without anybody waiting is flushed once a second.
rounds() {
	echo $((SECONDS - begun + 2))
}

write_files() {
	begun=$SECONDS
	trace_begin
	"$closes" "$mnt/$2" "$files" 4096 "$1" none >/dev/null ||
		wrong "closes with $1 writers"
}

# asked NAME: requests of this kind since the last time.
asked() {
	local now

	now=$(status_of "$mnt" "$1")
	echo $((now - ${seen[$1]:-0}))
	seen[$1]=$now
}
declare -A seen=()

cases() {
	seen=()
	"$STORECTL" pause "$mnt"
	# The first close would have these names flushed.
	mkdir "$mnt/alone" "$mnt/together"
	sync "$mnt"
	for name in stat list open_reader put other; do
		asked "$name" >/dev/null
	done

	write_files 1 alone
	trace_end
	between "$files" "$(flushes /journal)" $((files + $(rounds))) \
		"flushes of the journal by one writer"
	between 0 "$(flushes '/data-[0-9]*')" 0 "flushes of staging files"
	# The name, and the folder whose times have changed.
	between 1 "$(asked stat)" $((2 * files + 4)) "stats"
	is "$(asked list) $(asked open_reader) $(asked put) $(asked other)" \
		"0 0 0 0" "$kind: other requests"

	write_files 8 together
	trace_end
	between $((files / 8)) "$(flushes /journal)" $((files + $(rounds))) \
		"flushes of the journal by eight writers"

	trace_begin
	"$STORECTL" resume "$mnt"
	expect 0 "$STORECTL" drain "$mnt"
	trace_end
	is "$(asked put)" $((2 * files)) "$kind: puts"
	is "$(find "$mnt" -type f -size 4096c | wc -l)" $((2 * files)) \
		"$kind: files"
	case $kind in
	sqlite)
		between 1 "$(flushes /store.db-wal)" $((files / 2)) \
			"flushes of the log for $((2 * files)) puts"
		;;
	esac
	wait_until 10 nothing_staged || wrong "$kind: staged data stays"
}

nothing_staged() {
	! compgen -G "$(staging_of "$mnt")/data-*" >/dev/null
}

each_store "local sqlite memory" cases "$shared,commit=background"
# Those that were kept to be used again are gone with the mount.
is "$(find "$WORK" -name 'spare-*')" "" "spare staging files"
finish
