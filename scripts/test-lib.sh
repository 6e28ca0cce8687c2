# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The runner of scripts/test: jobs beside each other, each bounded in time, with
# whatever it leaves behind (processes, mounts) taken away. Sourced by bash.
# The caller sets top, patterns, full, seed, logs and scratch.
: "${top:?}" "${logs:?}" "${scratch:?}" "${full:?}" "${seed:?}"
declare -a patterns

passed=0
failed=0
skipped=0
deadline=${deadline:-86400}
work=

# wanted NAME: does the command line ask for it?
wanted() {
	local pattern

	[ ${#patterns[@]} -gt 0 ] || return 0
	for pattern in "${patterns[@]}"; do
		[[ $1 != *$pattern* ]] || return 0
	done
	return 1
}

pass() {
	printf 'ok    %s\n' "$1"
}

# fail NAME [REASON] [LOG]
fail() {
	printf 'FAIL  %s%s\n' "$1" "${2:+: $2}"
	[ -z "${3-}" ] || tail -n 40 "$3" | sed 's/^/      | /'
}

skip() {
	printf 'skip  %s: %s\n' "$1" "$2"
}

# Two queues of jobs: those of the heavy one keep a processor busy, those of
# the light one mostly wait. A job is a command, behind the name of the build
# that it needs or a dash.
heavy=()
light=()
declare -A running=() # where a job's output is, by its process
running_heavy=0
started=0

# queue LANE NEEDS COMMAND...
queue() {
	local -n jobs=$1

	jobs+=("$2 $(printf '%q ' "${@:3}")")
}

# next_in LANE: takes the first job out that can start, into `next`.
next_in() {
	local -n waiting=$1
	local i needs

	for i in "${!waiting[@]}"; do
		needs=${waiting[i]%% *}
		[ "$needs" = - ] || [ -e "$scratch/built.$needs" ] || continue
		next=${waiting[i]#* }
		unset "waiting[i]"
		return 0
	done
	return 1
}

# job_start LANE COMMAND
job_start() {
	started=$((started + 1))
	(
		trap - EXIT INT TERM
		# Its processor is all that a heavy job gets.
		[ "$1" = light ] || export STOREFS_JOBS=1
		eval "$2"
	) >"$scratch/$1.$started" 2>&1 &
	running[$!]=$scratch/$1.$started
	[ "$1" = light ] || running_heavy=$((running_heavy + 1))
}

# job_end PID: what it printed comes out in one piece, and counts.
job_end() {
	local out=${running[$1]}

	unset "running[$1]"
	[[ $out == */light.* ]] || running_heavy=$((running_heavy - 1))
	cat "$out"
	passed=$((passed + $(grep -c '^ok ' "$out")))
	failed=$((failed + $(grep -c '^FAIL ' "$out")))
	skipped=$((skipped + $(grep -c '^skip ' "$out")))
	rm -f "$out"
}

# jobs_run [MOST]: all that is queued; two jobs for each processor, since most
# wait for timers, disks and drivers, and heavy ones on half of the processors.
# What needs a build that failed is not run: the failure has been counted.
jobs_run() {
	local processors most next ended

	processors=$(jobs_here)
	most=${1:-$((2 * processors))}
	while :; do
		while [ "$running_heavy" -lt "$(heavy_slots "$processors")" ] &&
			[ ${#running[@]} -lt "$most" ] && next_in heavy; do
			job_start heavy "$next"
		done
		while [ ${#running[@]} -lt "$most" ] && next_in light; do
			job_start light "$next"
		done
		[ ${#running[@]} -gt 0 ] || break
		wait -n -p ended "${!running[@]}"
		job_end "$ended"
	done
	heavy=()
	light=()
}

# heavy_slots PROCESSORS
heavy_slots() {
	if [ ${#light[@]} -eq 0 ] || [ "$1" -eq 1 ]; then
		echo "$1"
	else
		echo $(($1 / 2))
	fi
}

log_of() {
	printf '%s/%s.log' "$logs" "${1//\//-}"
}

# bounded NAME SECONDS LOG COMMAND...: its status; 124 when time was up. Waiting
# in the background lets Ctrl-C through to us.
bounded() {
	local name=$1 seconds=$2 log=$3 report status=0
	local left=$((deadline - SECONDS))
	shift 3

	if [ "$left" -le 0 ]; then
		echo "not run: the whole run is out of time" >"$log"
		return 124
	fi
	[ "$seconds" -le "$left" ] || seconds=$left
	report=$(report_of "$name")
	"$scratch/job" $$ "$report" "${work:-$scratch/none}" "$seconds" \
		"$@" >"$log" 2>&1 </dev/null &
	wait $! || status=$?
	sed -n "s,^cost,$name,p" "$report" >>"$scratch/costs"
	return $status
}

report_of() {
	printf '%s/report.%s' "$scratch" "${1//\//-}"
}

# left_by NAME: mounts and processes, in one line.
left_by() {
	local left

	left=$(sed -n '/^left /p' "$(report_of "$1")" 2>/dev/null)
	printf '%s' "$left"
}

# The program that runs each job: it is there before anything is built.
job_make() {
	: >"$scratch/config.h"
	cc -std=gnu11 -D_GNU_SOURCE -I"$scratch" -o "$scratch/job" \
		"$top/tests/runner/job.c"
}

# workspace NAME: sets `work`, a directory that any user may enter.
workspace() {
	work=$scratch/${1//\//-}
	rm -rf --one-file-system "$work"
	mkdir -p "$work/home"
	chmod 755 "$work"
}

workspace_end() {
	rm -rf --one-file-system "$work" 2>/dev/null
	work=
}

# header_value FILE NAME DEFAULT: of a `# NAME: VALUE` line in a script.
header_value() {
	local value

	value=$(sed -n "s/^# $2: *//p" "$1" | head -n 1)
	printf '%s' "${value:-$3}"
}

status_text() {
	case $1 in
	124) echo "killed after $2 s" ;;
	*) echo "exit $1" ;;
	esac
}

# run_script NAME FILE BUILD: an executable test script against the programs
# in BUILD.
run_script() {
	local name=$1 file=$2 build=$3 log status seconds left start reason

	wanted "$name" || return 0
	log=$(log_of "$name")
	seconds=$(header_value "$file" timeout 120)
	[ "$full" = 0 ] ||
		seconds=$(header_value "$file" timeout-full $((seconds * 20)))
	# Those are seconds of a machine that does nothing else.
	seconds=$((seconds * 2))
	[ "$build" = "$top/build" ] || seconds=$((seconds * 4))
	workspace "$name"
	rm -f "$log".sanitizer.*
	start=$SECONDS
	status=0
	(
		test_environment "$build" "$log.sanitizer"
		bounded "$name" "$seconds" "$log" "$file"
	) || status=$?
	workspace_end
	left=$(left_by "$name")
	reason=$(sed -n 's/^skip: *//Ip' "$log" | tail -n 1)
	if compgen -G "$log.sanitizer.*" >/dev/null; then
		cat "$log".sanitizer.* >>"$log"
		fail "$name" "a sanitizer spoke" "$log"
	elif [ $status -eq 77 ] && [ -n "$reason" ]; then
		skip "$name" "$reason"
	elif [ $status -ne 0 ]; then
		fail "$name" "$(status_text $status "$seconds")" "$log"
	elif [ -n "$left" ]; then
		fail "$name" "$left"
	else
		pass "$name ($((SECONDS - start)) s)"
	fi
}

# test_environment BUILD SANITIZER-LOG: what a test finds; in a subshell.
test_environment() {
	local common=log_path=$2:exitcode=99

	cd "$work" || exit 1
	trap - EXIT INT TERM
	export STOREFS=$1/storefs STORECTL=$1/storectl BUILDDIR=$1
	export SRCDIR=$top WORK=$work TMPDIR=$work HOME=$work/home
	export FULL=$full SEED=$seed PATH=$1:$PATH LC_ALL=C.UTF-8
	export ASAN_OPTIONS=$common:detect_leaks=1
	export UBSAN_OPTIONS=$common:print_stacktrace=1
	export TSAN_OPTIONS=$common:second_deadlock_stack=1
	export CK_TIMEOUT_MULTIPLIER=10 CONF_FULL=$full CONF_SEED=$seed
	unset STOREFS_CONFIG XDG_CONFIG_HOME XDG_STATE_HOME
}

# check_results NAME LOG: a line per test of a libcheck program, read from its
# verbose output; without it, from its last line of totals.
check_results() {
	awk -v name="$1" '
	/^[^ :]+:[0-9]+:[PFES]:/ {
		split($0, part, ":")
		test = name "/" part[4] "/" part[5]
		gsub(/ /, "-", test)
		if (part[6] > 0)
			test = test "[" part[6] "]"
		text = $0
		sub(/^([^:]*:)+[0-9]+: /, "", text)
		verbose++
		if (part[3] == "P")
			print "ok", test
		else
			print "FAIL", test, part[1] ":" part[2] ": " text
	}
	/^[0-9]+%: Checks: / {
		gsub(/,/, "")
		checks = $3
		bad = $5 + $7
		seen = 1
	}
	END {
		for (i = 1; seen && !verbose && i <= checks; i++)
			print (i <= bad ? "FAIL" : "ok"), name "/" i
		if (!seen)
			print "FAIL", name, "ended without its totals"
	}' "$2"
}

# run_check NAME PROGRAM [WRAPPER...]: a libcheck program.
run_check() {
	local name=$1 program=$2 log status=0 seconds=300 word test text bad=0
	local start=$SECONDS
	shift 2

	wanted "$name" || return 0
	[ "$full" = 0 ] || seconds=3600
	log=$(log_of "$name")
	workspace "$name"
	rm -f "$log".sanitizer.*
	(
		test_environment "$top/build" "$log.sanitizer"
		CK_VERBOSITY=verbose bounded "$name" "$seconds" "$log" \
			"$@" "$program"
	) || status=$?
	workspace_end
	left_by "$name" >>"$log"
	cat "$log".sanitizer.* >>"$log" 2>/dev/null
	while read -r word test text; do
		if [ "$word" = ok ]; then
			pass "$test"
		else
			fail "$test" "$text"
			bad=1
		fi
	done < <(check_results "$name" "$log")
	if [ $status -ne 0 ] && [ $bad -eq 0 ]; then
		fail "$name" "$(status_text $status $seconds)" "$log"
	elif [ $bad -ne 0 ]; then
		grep -v ':[0-9]*: Passed$' "$log" | tail -n 40 |
			sed 's/^/      | /'
	fi
	[ $((SECONDS - start)) -lt 10 ] ||
		printf '      %s took %s s\n' "$name" $((SECONDS - start))
}

# run_gate NAME COMMAND...: a check that prints its findings.
run_gate() {
	local name=$1 log status=0
	shift

	wanted "$name" || return 0
	log=$(log_of "$name")
	bounded "$name" 1800 "$log" "$@" || status=$?
	if [ $status -eq 0 ]; then
		pass "$name"
	else
		fail "$name" "$(status_text $status 1800)" "$log"
	fi
	return $status
}

# abandon: the whole run is interrupted. A job whose report can be locked has
# ended, and taken its mounts away.
abandon() {
	local pid report

	trap - EXIT INT TERM
	for pid in $(jobs -p); do
		kill -TERM "$pid" 2>/dev/null
	done
	for report in "$scratch"/report.*; do
		[ ! -e "$report" ] || flock -n "$report" true ||
			kill -TERM "$(sed -n 's/^job //p' "$report")" \
				2>/dev/null
	done
	for report in "$scratch"/report.*; do
		[ ! -e "$report" ] || flock -w 60 "$report" true
	done
	wait
	rm -rf --one-file-system "$scratch" 2>/dev/null
}

# cost_table: what took longest.
cost_table() {
	printf '%-59s %8s %8s\n' '      the longest, in seconds' passed computing
	cp "$scratch/costs" "$logs/costs"
	sort -k2 -rn "$scratch/costs" | head -n 10 |
		while read -r name wall cpu; do
			printf '      %-53s %8s %8s\n' "$name" "$wall" "$cpu"
		done
	awk -v wall="$SECONDS" -v n="$(jobs_here)" '
		{ cpu += $3 }
		END {
			printf "      %-53s %8d %8d, on %d processors\n",
				"all of it", wall, cpu, n
		}' "$scratch/costs"
}
