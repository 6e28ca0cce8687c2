#!/bin/bash
# SPDX-License-Identifier: MIT
# The protocol of doc/journal.md, as the model in commit.pml has it, holds in
# every order of its steps and with every crash; and whatever step or rule is
# left out of it, the search finds what that breaks.
# busy: searches all the time
# timeout: 400
# timeout-full: 14400
set -u

model=$SRCDIR/tests/model/commit.pml
failures=0

# What is searched: the bounds in commit.pml.
short='
OPS=2 CRASHES=2 LOST=1 OTHER=1
OPS=3 CRASHES=1'
full='
OPS=4 CRASHES=1
OPS=3 CRASHES=2 LOST=1
OPS=3 CRASHES=2 OTHER=1
OPS=3 CRASHES=1 LOST=1 OTHER=1
OPS=3 CRASHES=2 LOCAL_STORE
OPS=3 CRASHES=2 MOVE_KEEPS
OPS=3 CRASHES=1 LOST=1 REWRITES=1
OPS=3 CRASHES=1 NAMES=3
OPS=2 CRASHES=2 LOST=1 OTHER=1 NAMES=3
OPS=2 CRASHES=2 LOST=1 OTHER=1 REWRITES=1 LOCAL_STORE
OPS=2 CRASHES=2 LOST=1 OTHER=1 MOVE_KEEPS
OPS=3 CRASHES=1 LOST=1 WRITER_KILLED'

# What is left out, and how much it takes to notice.
variants='
C1 OPS=2
C2 OPS=2
C4 OPS=2
C8 OPS=2
N1 OPS=2
LEAVING OPS=3
ID OPS=2
IMMUTABLE OPS=2
GENERATION OPS=2
IDS OPS=2
N0 OPS=2
N0_NAMES OPS=3
N0_MOVED OPS=3
DURABLE_PUT OPS=2
RECOVERY_FLUSH OPS=2 CRASHES=2
PREFIX OPS=3
LOOK OPS=2
INHERIT OPS=3 LOST=1
STAMP OPS=2 LOST=1 OTHER=1
FROM_CHECK OPS=2 OTHER=1
MOVE_VERSIONS OPS=2
MOVE_BUT_PRESENCE OPS=2 LOST=1 OTHER=1
MOVED_BASE OPS=2
RECOVERED_BASE OPS=2
REPLACED OPS=2
REMOVING_IDS OPS=3 LOST=1
SYNC OPS=2 LOCAL_STORE
TIDY OPS=2 REWRITES=1
REWRITTEN_REMOVING OPS=2 REWRITES=1
OWN_RECORD OPS=2 WRITER_KILLED'
# These take longer to find.
variants_full='
RECOVERY_END OPS=3 CRASHES=2
SETTLED_LOOK OPS=3 LOST=1 OTHER=1'

# search NAME CC-OPTION PAN-OPTION DEFINE...: the report is in NAME/report.
search() {
	local dir=$1 cc=$2 pan=$3
	local -a defines
	shift 3

	mkdir "$dir" && cd "$dir" || return
	defines=("${@/#/-D}")
	{
		spin -a "${defines[@]}" "$model" &&
			gcc "$cc" -w -DSAFETY -DNOREDUCE -DCOLLAPSE -DMEMLIM=2000 \
				-o pan pan.c && ./pan -m200000 "$pan"
	} >report 2>&1
	[ ! -f commit.pml.trail ] ||
		spin -T -B "${defines[@]}" -k commit.pml.trail -t "$model" \
			>trace 2>&1
	rm -f pan pan.?
}

number() {
	sed -n "s/$1/\\1/p" "$dir/report" | head -n 1
}

# completed DIR: the search was not cut short.
completed() {
	grep -q '^State-vector' "$1/report" &&
		! grep -qE 'not completed|max search depth|out of memory' \
			"$1/report"
}

# holds DIR DEFINE...: there is no error in all there is to search.
holds() {
	local dir=$1 states depth
	shift

	states=$(number ' *\([0-9]*\) states, stored.*')
	depth=$(number '.*depth reached \([0-9]*\),.*')
	if completed "$dir" && grep -q 'errors: 0' "$dir/report"; then
		printf '%s: %s states, depth %s\n' "$*" "$states" "$depth"
		return
	fi
	printf '%s: does not hold\n' "$*"
	grep -v '^	' "$dir/report" | head -n 20
	cat "$dir/trace" 2>/dev/null
	failures=1
}

# fails DIR NAME: an error was found, and it is one of what is asserted.
fails() {
	local dir=$1

	if grep -q 'errors: 1' "$dir/report" &&
		grep -q 'assertion violated' "$dir/report"; then
		printf 'without %s: found after %s states\n' "$2" \
			"$(number ' *\([0-9]*\) states, stored.*')"
		return
	fi
	printf 'without %s: nothing was found\n' "$2"
	grep -v '^	' "$dir/report" | head -n 20
	failures=1
}

# beside COMMAND...: in the background, as many as there are processors.
beside() {
	while [ "$(jobs -rp | wc -l)" -ge "${STOREFS_JOBS:-$(nproc)}" ]; do
		wait -n
	done
	("$@") &
}

# each FUNCTION LIST: calls it with a number and the words of each line.
each() {
	local call=$1 list=$2 line count=0
	local -a words

	while read -r line; do
		[ -n "$line" ] || continue
		read -ra words <<<"$line"
		count=$((count + 1))
		"$call" "$count" "${words[@]}"
	done <<<"$list"
}

start_bounds() {
	local dir=$WORK/bounds.$1
	shift

	beside search "$dir" -O2 -w24 "$@"
}

start_variant() {
	local dir=$WORK/without.$1 name=$2
	shift 2

	beside search "$dir" -O0 -w20 "$@" "WITHOUT_$name"
}

report_bounds() {
	local dir=$WORK/bounds.$1
	shift

	holds "$dir" "$@"
}

report_variant() {
	fails "$WORK/without.$1" "$2"
}

bounds=$short
if [ "${FULL:-0}" != 0 ]; then
	bounds=$short$full
	variants=$variants$variants_full
fi

each start_bounds "$bounds"
each start_variant "$variants"
wait
each report_bounds "$bounds"
each report_variant "$variants"
exit $failures
