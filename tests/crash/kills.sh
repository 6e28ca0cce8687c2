# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests share in which a program and the driver below it are killed
# in turn, and the program goes on afterwards; sourced by bash. A test defines
#
#	prepare		makes in $mnt what the program works on
#	work		the program, in a process group of its own; endless
#	tidy		what its user does after a crash, if anything
#	judge DIR	looks at everything below a mount, or a copy of it
#	told_how_many	prints how often the program was told so far
#
# and calls kills_in_turn. What the program was told to be safe it notes below
# $told, outside the mount. $number counts the kills; $luck is there for what
# the program chooses.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

mnt=$WORK/mnt
told=$WORK/told
kills=4
[ "$full" = 0 ] || kills=200
RANDOM=$((seed % 32768))
round= # what is tried, for messages

# wrong_here TEXT: a finding, with what tells of its cause.
wrong_here() {
	wrong "$round: $*"
	tail -n 5 "$WORK/driver.log" "$WORK/program.log"
}

# ---- the driver ----

# driver_start: over whatever is left of the last one.
driver_start() {
	local source="$url?fault=$WORK/fault"

	# Half of them find their uploads slow.
	: >"$WORK/fault"
	[ $((RANDOM % 2)) = 0 ] || echo 'put delay=30ms' >"$WORK/fault"
	mounted=("$mnt")
	"$STOREFS" "$source" "$mnt" -f \
		-o "staging_dir=$WORK/staging,commit=$commit,$shared" \
		>>"$WORK/driver.log" 2>&1 &
	driver=$!
	drivers=()
	ends_here "$driver"
	wait_until 20 answers || {
		cat "$WORK/driver.log"
		fail "$round: no mount"
	}
}

answers() {
	gone "$driver" || [ "$(status_of "$mnt" pid)" = "$driver" ]
}

driver_kill() {
	kill -KILL "$driver"
	wait "$driver" 2>/dev/null
}

# ---- the program ----

program_start() {
	luck=$RANDOM
	setsid bash -c 'work' >>"$WORK/program.log" 2>&1 &
	program=$!
	disown
	drivers=()
	ends_here "$driver" "$program"
}

program_kill() {
	kill -KILL -- "-$program" || wrong_here "it has ended by itself"
	wait_until 20 group_gone || fail "$round: the program hangs"
}

# program_end: without its files it cannot go on, unless it is said of it that
# it may; then no request of it hangs at least.
program_end() {
	wait_until "$((goes_on ? 2 : 20))" group_gone || {
		[ -n "$goes_on" ] || fail "$round: the program goes on"
		kill -KILL -- "-$program" 2>/dev/null
	}
	wait_until 20 group_gone || fail "$round: the program hangs"
}
goes_on=

# group_gone: bash has taken note of the first of them, and init of the others.
group_gone() {
	! kill -0 -- "-$program" 2>/dev/null
}

# ---- the test ----

told() {
	[ "$(told_how_many)" -ge "$1" ]
}

# one_kill NUMBER: 0 and all even ones are the driver's.
one_kill() {
	local more=$((RANDOM % 4)) ms=$((RANDOM % 300)) before

	before=$(told_how_many)
	program_start
	# Slow machines shall get somewhere as well.
	wait_until 60 told $((before + more)) || wrong_here "no progress"
	sleep "$(printf '0.%03d' "$ms")"
	if [ $(($1 % 2)) = 0 ]; then
		round="$kind $commit, kill $1 (driver) after $more and $ms ms"
		driver_kill
		program_end
		[ "$commit$(($1 % 8))" != close0 ] || judge_store
		driver_start
	else
		round="$kind $commit, kill $1 (program) after $more and $ms ms"
		program_kill
	fi
	tidy
	judge "$mnt"
	[ "$failures" -lt 5 ] || finish
}

# judge_store: without a mount.
judge_store() {
	rm -rf "$WORK/copy"
	mkdir "$WORK/copy"
	expect 0 "$STORECTL" cp -r -p "$url!/" "$WORK/copy"
	judge "$WORK/copy"
}

# stored_all: what the store has in the end is what the mount showed.
stored_all() {
	round="$kind $commit, in the end"
	driver_start
	judge "$mnt"
	: >"$WORK/fault"
	wait_until 60 settled "$mnt" || wrong_here "does not settle"
	is "$(status_of "$mnt" failed_files)" 0 "$round: failed files"
	unmount "$mnt"
	judge_store
	[ "$kind" != local ] ||
		is "$(find "$backing" -name '.storefs-tmp*')" "" "$round: left"
}

# kills_in STORE COMMIT
kills_in() {
	commit=$2
	rm -rf "$WORK/staging" "$told"
	mkdir -p "$told" "$mnt"
	store_new "$1"
	round="$kind $commit, in the beginning"
	driver_start
	prepare
	for ((number = 0; number < kills; number++)); do
		one_kill "$number"
	done
	driver_kill
	stored_all
	note "$kind $commit: $kills kills, $(told_how_many) acknowledged"
}

# kills_in_turn: for every store and mode, or as "STORE COMMIT" says; where a
# server is needed only then, and in a full run.
kills_in_turn() {
	local store commit

	[ -z "${1-}" ] || far=${1% *}
	[[ " local sqlite " != *" $far "* ]] || far=
	echo "seed $seed"
	export mnt told number luck
	export -f work
	for store in local sqlite $far; do
		for commit in close background; do
			[ "${1:-$store $commit}" != "$store $commit" ] ||
				kills_in "$store" "$commit"
		done
	done
	finish
}
