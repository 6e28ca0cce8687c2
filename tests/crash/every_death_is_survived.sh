#!/bin/bash
# SPDX-License-Identifier: MIT
# build: --enable-steps
# timeout: 240
# timeout-full: 43200
# The driver dies at every named step, around store calls and at any moment,
# while programs work, and again while it recovers. Afterwards what was
# acknowledged is whole and everything else is old or new (M7), in the mount
# and in the store itself. A full run takes every point of the scenes in which
# a step comes once or in the same turn, and some of each step and of all calls
# where three programs come to it hundreds of times; otherwise there is at
# least one for every step, and some by chance. With arguments, points as they
# are printed, it tries these and nothing else.
# shellcheck source=tests/crash/lib.sh
. "$SRCDIR/tests/crash/lib.sh"
need_root

# Steps in the sources that no run here can reach, as "NAME|REASON".
exceptions=(
	'copies: before copied|folder_moves_survive_deaths.sh'
	'copies: before copy|folder_moves_survive_deaths.sh'
	'copies: before copying|folder_moves_survive_deaths.sh'
	'copies: before folder|folder_moves_survive_deaths.sh'
	'copies: before remove|folder_moves_survive_deaths.sh'
	'copies: before settled|folder_moves_survive_deaths.sh'
	'copies: copied|folder_moves_survive_deaths.sh'
	'copies: copy|folder_moves_survive_deaths.sh'
	'copies: copying|folder_moves_survive_deaths.sh'
	'copies: flush copied|folder_moves_survive_deaths.sh'
	'copies: flush copying|folder_moves_survive_deaths.sh'
	'copies: flush settled|folder_moves_survive_deaths.sh'
	'copies: folder|folder_moves_survive_deaths.sh'
	'copies: remove|folder_moves_survive_deaths.sh'
	'copies: settled|folder_moves_survive_deaths.sh'
	'recovery: copies|folder_moves_survive_deaths.sh'
	'upload: before removal|uploads_go_on_after_a_death.sh'
	'upload: begun|uploads_go_on_after_a_death.sh'
	'upload: ended by its put|uploads_go_on_after_a_death.sh'
	'upload: intent noted|uploads_go_on_after_a_death.sh'
	'upload: noted|uploads_go_on_after_a_death.sh'
	'upload: removal noted|uploads_go_on_after_a_death.sh'
	'upload: removed|uploads_go_on_after_a_death.sh'
)

read -ra stores <<<"${STORES-local sqlite $far}"
[ "$full" = 0 ] || lanes=6 # they mostly wait
points=() # "KIND COMMIT PHASE DOOM"
doom=     # step NAME:N, call RULE or moment MS; empty: none

# ---- phases ----

# scenes: "KIND COMMIT PHASE" of all there is.
#	alone		one program does one thing after the other
#	work		three programs work
#	slow		with uploads that last
#	long		with a journal that is rewritten while files are pending
#	recovery	what a driver does that follows one that died
#	torn		and finds a journal that ends in the middle of a frame
scenes() {
	local each

	for each in "${stores[@]}"; do
		printf '%s\n' "$each close "{work,recovery,torn} \
			"$each background "{work,slow,recovery,torn}
		[ "$full" = 0 ] ||
			printf '%s\n' "$each "{close,background}" alone"
	done
	echo "local background long"
}

# doomed_start: the driver, which is to meet its end as $doom says.
doomed_start() {
	case $doom in
	step*) driver_start STOREFS_DIE_AT="${doom#step }" ;;
	call*)
		echo "${doom#call }" >>"$p/fault"
		driver_start
		;;
	moment*)
		driver_start || return
		(
			sleep "$(printf '0.%03d' "${doom#moment }")"
			kill -KILL "$driver" 2>/dev/null
		) &
		killer=$!
		;;
	*) driver_start STOREFS_STEP_LOG="$p/steps" ;;
	esac
}

# scene PHASE: what the driver has to do until its end, or its unmounting.
scene() {
	killer=
	weather
	[ "$1" != slow ] || weather 'put delay=40ms'
	[ "$1" != long ] || weather 'put stall=20s times=3'
	case $1 in
	alone) doomed_start && workers=1 operations=0 work "$seed" ;;
	work | slow) doomed_start && work "$seed" ;;
	long) doomed_start && work "$seed" 800 && wait_until 20 rewritten ;;
	recovery) pending && doomed_start && check_alive ;;
	torn) pending && tear && doomed_start && check_alive ;;
	*) fail "no phase is called '$1'" ;;
	esac
	! is_mounted "$mnt" || calls=$(calls_of)
	detach
	driver_end
	weather
	[ -z "$killer" ] || wait "$killer"
}

rewritten() {
	[ "$(stat -c %s "$staging/journal")" -lt 60000000 ]
}

# calls_of: of the store, so far.
calls_of() {
	"$STORECTL" status --json "$mnt" 2>/dev/null |
		sed -e 's/.*"counters":{//' -e 's/"retries.*//' |
		tr -c '0-9\n' ' ' |
		awk '{ for (i = 1; i <= NF; i++) sum += $i } END { print sum }'
}

# ---- points ----

# enumerate "KIND COMMIT PHASE": its steps, as lines of "COUNT NAME".
enumerate() {
	local phase log=$WORK/steps-${1// /-}
	read -r kind commit phase <<<"$1"

	point="$1 undisturbed"
	place_new "$kind" "$commit"
	calls=
	scene "$phase"
	[ "$driver_status" -eq 0 ] ||
		wrong_here "the driver ends with $driver_status"
	touch "$p/steps"
	sort "$p/steps" | uniq -c | sed 's/^ *//' >"$log"
	echo "${calls:-0}" >"$WORK/calls-${1// /-}"
	printf '%s: %s steps of %s names, %s store calls\n' "$point" \
		"$(wc -l <"$p/steps")" "$(wc -l <"$log")" "${calls:-0}"
	recovered
}

random_below() {
	echo $(((RANDOM * 32768 + RANDOM) % ($1 ? $1 : 1)))
}

# one_of FILE...: a line of them.
one_of() {
	shuf -n 1 --random-source=<(yes "$RANDOM") -- "$@"
}

# spread COUNT MOST: numbers below COUNT, all if these are not more than MOST;
# otherwise one by chance of each of so many equal parts.
spread() {
	local i from to most=$2

	[ "$1" -gt "$most" ] || most=$1
	for ((i = 0; i < most; i++)); do
		from=$(($1 * i / most))
		to=$(($1 * (i + 1) / most))
		echo $((from + $(random_below $((to - from)))))
	done
}

# points_of KIND COMMIT PHASE: in the long scene only those of steps that
# nothing else comes to. Where programs work beside each other the same step
# comes again and again, and at another turn in every run.
points_of() {
	local count name i of_step=1000 of_calls=1000 moments=20

	if [ "$3" = work ] || [ "$3" = slow ]; then
		of_step=8 of_calls=40
	fi
	while read -r count name; do
		[ "$3" != long ] || ! elsewhere "$name" >/dev/null || continue
		for i in $(spread "$count" "$of_step"); do
			points+=("$* step $name:$((i + 1))")
		done
	done <"$WORK/steps-$1-$2-$3"
	[ "$3" != long ] || return 0
	count=$(cat "$WORK/calls-$1-$2-$3")
	for i in $(spread "$count" "$of_calls"); do
		points+=("$* call any die after=$i")
		points+=("$* call any-after die after=$i")
	done
	for i in $(spread 250 "$moments"); do
		points+=("$* moment $i")
	done
}

# elsewhere NAME: in which scenes but the long one this step is reached.
elsewhere() {
	grep -lE "^[0-9]+ $1\$" "$WORK"/steps-*[!g]
}

# one_of_each: a point for every name, wherever it was reached.
one_of_each() {
	local name file count place

	while read -r name; do
		file=$(elsewhere "$name" | one_of)
		[ -n "$file" ] || file=$WORK/steps-local-background-long
		count=$(sed -n "s/^\([0-9]*\) $name\$/\1/p" "$file")
		place=${file##*/steps-}
		points+=("${place//-/ } step $name:$((\
			$(random_below "$count") + 1))")
	done < <(reached)
}

# by_chance: one point of any kind.
by_chance() {
	local place calls line

	place=$(scenes | grep -v long | one_of)
	line=$(one_of "$WORK/steps-${place// /-}")
	calls=$(cat "$WORK/calls-${place// /-}")
	case $((RANDOM % 4)) in
	0) points+=("$place moment $(random_below 250)") ;;
	1) points+=("$place call any die after=$(random_below "$calls")") ;;
	2) points+=("$place call any-after die after=$(\
		random_below "$calls")") ;;
	3) points+=("$place step ${line#* }:$((\
		$(random_below "${line%% *}") + 1))") ;;
	esac
}

points_choose() {
	local places place i

	mapfile -t places < <(scenes)
	beside enumerate "${places[@]}"
	if [ "$full" = 1 ]; then
		for place in "${places[@]}"; do
			# shellcheck disable=SC2086
			points_of $place
		done
		# Whatever part of it was seen is a sample of the whole.
		mapfile -t points < <(printf '%s\n' "${points[@]}" |
			shuf --random-source=<(yes "$seed"))
		echo "${#points[@]} points"
		return
	fi
	one_of_each
	for ((i = 0; i < 20; i++)); do
		by_chance
	done
}

# reached: the names of all steps that some run came to.
reached() {
	cat "$WORK"/steps-* | sed 's/^[0-9]* //' | sort -u
}

# ---- deaths ----

# dies PHASE: ends as $doom says; false when it came to its regular end.
dies() {
	place_new "$kind" "$commit"
	scene "$1"
	[ "$driver_status" -ne 137 ] || return 0
	[ "$driver_status" -eq 0 ] ||
		wrong_here "the driver ends with $driver_status"
	return 1
}

# run_point "KIND COMMIT PHASE DOOM"
run_point() {
	local phase n tries=0 again='' how='' before=$failures
	point=$1
	read -r kind commit phase doom <<<"$1"

	until dies "$phase"; do
		# Threads do not take the same turns in every run.
		n=${doom##*[:=]}
		tries=$((tries + 1))
		if [[ $doom == moment* ]] || [ "$tries" -eq 10 ]; then
			echo "$point: did not come to it"
			return
		fi
		doom=${doom%"$n"}$((n > 1 ? n / 2 : n))
	done
	echo "$doom" >>"$WORK/deaths"
	if [ "$commit" = close ]; then
		fetch "$p/now"
		[ "$kind" != s3 ] || how=--copies
		check "$p/now" "$how" || wrong_here "in the store, before recovery"
	fi
	[ $((RANDOM % 3)) -ne 0 ] || die_again
	recovered
	[ "$failures" -eq "$before" ] || return 0
	echo "$point: survived$again"
	echo survived >>"$WORK/deaths"
}

# die_again: wherever the recovery is.
die_again() {
	driver_start STOREFS_DIE_AT="*:$((RANDOM % 20 + 1))" && check_alive
	detach
	driver_end
	[ "$driver_status" -eq 137 ] || return 0
	echo again >>"$WORK/deaths"
	again=", and again while recovering"
}

# ---- what the sources name ----

named() {
	grep -rhoE 'STEP(_WANTED)?\("[^"]*"' "$SRCDIR/mount" "$SRCDIR/src" \
		"$SRCDIR/backends" --include='*.c' | cut -d'"' -f2 | sort -u
}

# missed: the names that were reached and had no death.
missed() {
	local name

	while read -r name; do
		grep -q "^step $name:[0-9]*\$" "$WORK/deaths" || echo "$name"
	done < <(reached)
}

# missed_again: where threads took other turns, somebody dies in another scene
# that came to the step.
missed_again() {
	local name file place more=()

	while read -r name; do
		while read -r file; do
			place=${file##*/steps-}
			more+=("${place//-/ } step $name:1")
		done < <(elsewhere "$name" ||
			echo "$WORK/steps-local-background-long")
	done < <(missed)
	[ ${#more[@]} -gt 0 ] || return 0
	beside run_point "${more[@]}"
	points+=("${more[@]}")
}

# no_step_forgotten: every name in the sources was reached, every name that
# was reached had its death.
no_step_forgotten() {
	local name

	while read -r name; do
		wrong "never reached: '$name'"
	done < <(comm -23 <(named) \
		<({
			reached
			printf '%s\n' "${exceptions[@]%%|*}"
		} | sort -u))
	while read -r name; do
		wrong "nobody died at '$name'"
	done < <(missed)
}

# ---- the run ----

echo "seed $seed"
: >"$WORK/deaths"
points=("$@")
[[ " ${stores[*]} $*" != *" s3"* ]] || s3_start
[[ " ${stores[*]} $*" != *" sftp"* ]] || sftp_start
[ $# -gt 0 ] || points_choose
beside run_point "${points[@]}"
[ $# -gt 0 ] || {
	missed_again
	no_step_forgotten
}
died=$(grep -cE '^(step|call|moment) ' "$WORK/deaths")
printf '%s points, %s deaths, %s more while recovering from one\n' \
	"${#points[@]}" "$died" "$(grep -c '^again' "$WORK/deaths")"
echo "$(grep -c '^survived' "$WORK/deaths") deaths survived"
[ $((died * 10)) -ge $((${#points[@]} * 8)) ] ||
	wrong "too few deaths to mean anything"
finish
