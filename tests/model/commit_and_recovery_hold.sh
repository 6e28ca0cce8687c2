#!/bin/bash
# SPDX-License-Identifier: MIT
# The protocol of doc/journal.md, as the models in commit.pml and upload.pml
# have it, holds in every order of its steps and with every crash; and whatever
# step or rule is left out of one, the search finds what that breaks. A sample run
# takes half of the bounds and a quarter of what is left out, by the seed.
# busy: searches all the time
# timeout: 300
# timeout-full: 14400
set -u

models=$SRCDIR/tests/model
failures=0

# What is searched: the model and its bounds.
short='
commit OPS=2 CRASHES=2 LOST=1 OTHER=1
commit OPS=3 CRASHES=1
upload OPS=2 CRASHES=1 LOST=1
upload OPS=1 CRASHES=2 LOST=1'
full='
commit OPS=4 CRASHES=1
commit OPS=3 CRASHES=2 LOST=1
commit OPS=3 CRASHES=2 OTHER=1
commit OPS=3 CRASHES=1 LOST=1 OTHER=1
commit OPS=3 CRASHES=2 LOCAL_STORE
commit OPS=3 CRASHES=2 MOVE_KEEPS
commit OPS=3 CRASHES=1 LOST=1 REWRITES=1
commit OPS=3 CRASHES=1 NAMES=3
commit OPS=2 CRASHES=2 LOST=1 OTHER=1 NAMES=3
commit OPS=2 CRASHES=2 LOST=1 OTHER=1 REWRITES=1 LOCAL_STORE
commit OPS=2 CRASHES=2 LOST=1 OTHER=1 MOVE_KEEPS
commit OPS=3 CRASHES=1 LOST=1 WRITER_KILLED
upload OPS=2 CRASHES=2 LOST=1
upload OPS=2 CRASHES=1 LOST=2
upload OPS=3 CRASHES=1 LOST=1
upload OPS=2 CRASHES=2 LOST=2'

# What is left out, of which model, and how much it takes to notice.
variants='
commit C1 OPS=2
commit C2 OPS=2
commit C4 OPS=2
commit C8 OPS=2
commit N1 OPS=2
commit LEAVING OPS=3
commit ID OPS=2
commit IMMUTABLE OPS=2
commit GENERATION OPS=2
commit IDS OPS=2
commit N0 OPS=2
commit N0_NAMES OPS=3
commit N0_MOVED OPS=3
commit DURABLE_PUT OPS=2
commit RECOVERY_FLUSH OPS=2 CRASHES=2
commit PREFIX OPS=3
commit LOOK OPS=2
commit INHERIT OPS=3 LOST=1
commit STAMP OPS=2 LOST=1 OTHER=1
commit FROM_CHECK OPS=2 OTHER=1
commit MOVE_VERSIONS OPS=2
commit MOVE_BUT_PRESENCE OPS=2 LOST=1 OTHER=1
commit MOVED_BASE OPS=2
commit RECOVERED_BASE OPS=2
commit REPLACED OPS=2
commit REMOVING_IDS OPS=3 LOST=1
commit SYNC OPS=2 LOCAL_STORE
commit TIDY OPS=2 REWRITES=1
commit REWRITTEN_REMOVING OPS=2 REWRITES=1
commit OWN_RECORD OPS=2 WRITER_KILLED
upload U1 OPS=1
upload U1_FLUSH OPS=1
upload U3 OPS=1
upload U3_FLUSH OPS=1
upload U5 OPS=1
upload SWEEP OPS=1
upload UNCLAIMED OPS=1
upload DIGEST OPS=1
upload COMPARE OPS=1
upload KEY OPS=1
upload ID OPS=1'
# These take longer to find.
variants_full='
commit RECOVERY_END OPS=3 CRASHES=2
commit SETTLED_LOOK OPS=3 LOST=1 OTHER=1'

# search DIR CC-OPTION PAN-OPTION MODEL DEFINE...: the report is in DIR/report.
search() {
	local dir=$1 cc=$2 pan=$3 model=$models/$4.pml trail=$4.pml.trail
	local -a defines
	shift 4

	mkdir "$dir" && cd "$dir" || return
	defines=("${@/#/-D}")
	{
		spin -a "${defines[@]}" "$model" &&
			gcc "$cc" -w -DSAFETY -DNOREDUCE -DCOLLAPSE -DMEMLIM=2000 \
				-o pan pan.c && ./pan -m200000 "$pan"
	} >report 2>&1
	[ ! -f "$trail" ] ||
		spin -T -B "${defines[@]}" -k "$trail" -t "$model" >trace 2>&1
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

# fails DIR MODEL NAME: an error was found, and it is one of what is asserted.
fails() {
	local dir=$1

	if grep -q 'errors: 1' "$dir/report" &&
		grep -q 'assertion violated' "$dir/report"; then
		printf '%s without %s: found after %s states\n' "$2" "$3" \
			"$(number ' *\([0-9]*\) states, stored.*')"
		return
	fi
	printf '%s without %s: nothing was found\n' "$2" "$3"
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
	local dir=$WORK/without.$1 model=$2 name=$3
	shift 3

	beside search "$dir" -O0 -w20 "$model" "$@" "WITHOUT_$name"
}

report_bounds() {
	local dir=$WORK/bounds.$1
	shift

	holds "$dir" "$@"
}

report_variant() {
	fails "$WORK/without.$1" "$2" "$3"
}

# every N LIST: a line of N, by the seed.
every() {
	sed '/^$/d' <<<"$2" | awk -v n="$1" -v at=$((SEED % $1)) 'NR % n == at'
}

if [ "${FULL:-0}" != 0 ]; then
	bounds=$short$full
	variants=$variants$variants_full
else
	bounds=$(every 2 "$short")
	variants=$(every 4 "$variants")
fi

each start_bounds "$bounds"
each start_variant "$variants"
wait
each report_bounds "$bounds"
each report_variant "$variants"
exit $failures
