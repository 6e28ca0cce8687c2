# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The runner of scripts/test: one test at a time, bounded in time, with
# whatever it leaves behind (processes, mounts) taken away. Sourced by bash.
# The caller sets top, patterns, full, seed, logs and scratch.
: "${top:?}" "${logs:?}" "${scratch:?}" "${full:?}" "${seed:?}"
declare -a patterns

passed=0
failed=0
skipped=0
deadline=${deadline:-0}
test_id=
pooled=0

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
	passed=$((passed + 1))
	printf 'ok    %s\n' "$1"
}

# fail NAME [REASON] [LOG]
fail() {
	failed=$((failed + 1))
	printf 'FAIL  %s%s\n' "$1" "${2:+: $2}"
	[ -z "${3-}" ] || tail -n 40 "$3" | sed 's/^/      | /'
}

skip() {
	skipped=$((skipped + 1))
	printf 'skip  %s: %s\n' "$1" "$2"
}

# pool COMMAND...: a test that may run beside others, as many as there are
# processors. What it prints comes out in one piece when it ends.
pool() {
	local out

	while [ "$(jobs -rp | wc -l)" -ge "$(jobs_here)" ]; do
		wait -n
	done
	pooled=$((pooled + 1))
	out=$scratch/pool.$pooled
	(
		trap - EXIT INT TERM
		"$@" >"$out" 2>&1
		flock "$scratch" cat "$out"
	) &
}

# pool_end: waits for them all and counts.
pool_end() {
	wait
	for ((; pooled > 0; pooled--)); do
		passed=$((passed + $(grep -c '^ok ' "$scratch/pool.$pooled")))
		failed=$((failed + $(grep -c '^FAIL ' "$scratch/pool.$pooled")))
		skipped=$((skipped + $(grep -c '^skip ' \
			"$scratch/pool.$pooled")))
		rm -f "$scratch/pool.$pooled"
	done
}

log_of() {
	printf '%s/%s.log' "$logs" "${1//\//-}"
}

# bounded SECONDS LOG COMMAND...: its status; 124 or 137 when time was up. The
# command gets a process group of its own, which is killed as a whole; waiting
# in the background lets Ctrl-C through to us.
bounded() {
	local seconds=$1 log=$2
	shift 2

	if [ "$deadline" -gt 0 ] && [ "$SECONDS" -ge "$deadline" ]; then
		echo "not run: the whole run is out of time" >"$log"
		return 124
	fi
	STOREFS_TEST_RUN=$test_id timeout --kill-after=10 "$seconds" \
		"$@" >"$log" 2>&1 </dev/null &
	wait $!
}

# processes_of ID: those that inherited the mark of that test (or, of an ID
# that ends in a dot, of all tests), wherever they daemonised to.
processes_of() {
	local environ

	[ -n "$1" ] || return 0
	for environ in /proc/[0-9]*/environ; do
		if grep -qszF "STOREFS_TEST_RUN=$1" "$environ"; then
			environ=${environ#/proc/}
			printf '%s\n' "${environ%/environ}"
		fi
	done 2>/dev/null
}

# mounts_below DIR: "MINOR PATH" of each mount there, the deepest first.
mounts_below() {
	awk -v dir="$1/" 'index($5 "/", dir) == 1 {
		split($3, device, ":")
		print device[2], $5
	}' /proc/self/mountinfo | sort -k2 -r
}

# sweep DIR: detaches what is mounted there and kills what the test started.
# Prints what it found. A daemon may need a moment after its unmount.
sweep() {
	local minor path pid try

	while read -r minor path; do
		printf 'left mounted: %s\n' "$path"
		echo 1 2>/dev/null >"/sys/fs/fuse/connections/$minor/abort"
		path=$(printf '%b' "${path//\\/\\0}")
		umount -l "$path" 2>/dev/null ||
			fusermount3 -uz "$path" 2>/dev/null
	done < <(mounts_below "$1")
	for ((try = 0; try < 50; try++)); do
		[ -n "$(processes_of "$test_id")" ] || return 0
		sleep 0.1
	done
	for pid in $(processes_of "$test_id"); do
		printf 'left running: %s\n' \
			"$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
		kill -KILL "$pid" 2>/dev/null
	done
}

# workspace NAME: sets `work`, a directory that any user may enter.
workspace() {
	test_id=$$.${1//\//-}.end
	work=$scratch/${1//\//-}
	rm -rf --one-file-system "$work"
	mkdir -p "$work/home"
	chmod 755 "$work"
}

workspace_end() {
	sweep "$work"
	rm -rf --one-file-system "$work" 2>/dev/null
	test_id=
}

# header_value FILE NAME DEFAULT: of a `# NAME: VALUE` line in a script.
header_value() {
	local value

	value=$(sed -n "s/^# $2: *//p" "$1" | head -n 1)
	printf '%s' "${value:-$3}"
}

status_text() {
	case $1 in
	124 | 137) echo "killed after $2 s" ;;
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
	[ "$build" = "$top/build" ] || seconds=$((seconds * 4))
	workspace "$name"
	rm -f "$log".sanitizer.*
	start=$SECONDS
	status=0
	(
		test_environment "$build" "$log.sanitizer"
		bounded "$seconds" "$log" "$file"
	) || status=$?
	left=$(workspace_end)
	reason=$(sed -n 's/^skip: *//Ip' "$log" | tail -n 1)
	if compgen -G "$log.sanitizer.*" >/dev/null; then
		cat "$log".sanitizer.* >>"$log"
		fail "$name" "a sanitizer spoke" "$log"
	elif [ $status -eq 77 ] && [ -n "$reason" ]; then
		skip "$name" "$reason"
	elif [ $status -ne 0 ]; then
		fail "$name" "$(status_text $status "$seconds")" "$log"
	elif [ -n "$left" ]; then
		fail "$name" "${left//$'\n'/, }"
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
	export CK_TIMEOUT_MULTIPLIER=10
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
		CK_VERBOSITY=verbose bounded "$seconds" "$log" \
			"$@" "$program"
	) || status=$?
	workspace_end >>"$log"
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
	bounded 900 "$log" "$@" || status=$?
	if [ $status -eq 0 ]; then
		pass "$name"
	else
		fail "$name" "$(status_text $status 900)" "$log"
	fi
	return $status
}

# abandon: what a test in progress has, when the whole run is interrupted.
abandon() {
	local pid

	trap - EXIT INT TERM
	for pid in $(jobs -p); do
		kill -TERM "$pid" 2>/dev/null
	done
	test_id=$$.
	sweep "$scratch" >/dev/null 2>&1
	wait
	rm -rf --one-file-system "$scratch" 2>/dev/null
}
