#!/bin/bash
# SPDX-License-Identifier: MIT
# F5: a writer that is interrupted, killed, or whose source fails midway leaves
# the old content and nothing else. Ctrl-C ends it at once.
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

cut_off() {
	local store=$1 signal pid status

	echo old >old
	expect 0 "$STORECTL" cp old "${store}key"
	for signal in INT TERM HUP KILL; do
		rm -f pipe
		mkfifo pipe
		# Background jobs of a script ignore SIGINT; env resets that.
		env --default-signal=INT "$STORECTL" cp - "${store}key" \
			<pipe &
		pid=$!
		exec 7>pipe
		# More than a pipe holds: it is reading.
		head -c 3000000 /dev/zero >&7 || fail "the reader is gone"
		kill -s "$signal" "$pid"
		wait "$pid"
		status=$?
		exec 7>&-
		is "$status" $((128 + $(kill -l "$signal")))
		expect 0 "$STORECTL" cat "${store}key"
		same out old
		expect 0 "$STORECTL" ls -R "$store"
		is "$(cat out)" key
	done
}

each_store cut_off
# The clean ways out leave no temporary in the folder either; after a kill -9
# the next writer takes it away.
expect 0 "$STORECTL" cp old "file://$WORK/store-local!/key"
is "$(find store-local -name '.storefs-tmp*')" ''
