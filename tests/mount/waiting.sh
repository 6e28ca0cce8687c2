# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Processes that wait for a store that does not answer; sourced by bash, after
# lib.sh.
begun=0 # in milliseconds

# in_time LIMIT WHAT: since `begun`, in milliseconds.
in_time() {
	local took=$(($(milliseconds) - begun))

	printf '%s: %s ms\n' "$2" $took
	[ $took -le "$1" ] || wrong "$2 took $took ms, not $1"
}

# ends SIGNAL WHAT COMMAND...: a process in the middle of a call is gone.
ends() {
	local signal=$1 what=$2 pid
	shift 2

	# A background process of a script ignores SIGINT otherwise.
	setsid env --default-signal=INT "$@" >/dev/null 2>&1 &
	pid=$!
	wait_until 10 in_request $pid || wrong "$what does not wait"
	begun=$(milliseconds)
	kill -s "$signal" $pid
	wait_until 5 gone $pid
	in_time 700 "SIG$signal in $what"
	gone $pid || kill -KILL $pid
	wait $pid 2>/dev/null
}

# in_request PID: it waits for the driver.
in_request() {
	grep -qE 'fuse|request_wait|folio_wait|wait_on_page' "/proc/$1/wchan" "/proc/$1/stack" \
		2>/dev/null
}

# fails_by_deadline REQUESTS WHAT COMMAND...: each waits for the deadline.
fails_by_deadline() {
	local requests=$1 what=$2
	shift 2

	begun=$(milliseconds)
	"$@" >"$WORK/out" 2>"$WORK/err" && wrong "$what succeeds"
	in_time $((requests * 2000 + 1000)) "$what"
	grep -q 'timed out' "$WORK/out" "$WORK/err" ||
		wrong "$what: $(cat "$WORK/out" "$WORK/err")"
}
