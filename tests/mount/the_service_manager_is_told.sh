#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A service manager, by the socket of sd_notify(3), is told that the mount is
# usable when it is, which process it is, how many files wait, and at its end
# (SIGTERM, umount) how long that may take; ending waits for the drain, at most
# drain_timeout, and is no failure (M11).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
store_new local
echo there >"$backing/file"
mnt=$WORK/mnt
mkdir "$mnt"
mounted+=("$mnt")
export NOTIFY_SOCKET=$WORK/notify

# The manager notes each message in one line, and with READY=1 whether the
# mount can be used.
cat >manager.py <<'EOF'
import os, socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(os.environ["NOTIFY_SOCKET"])
while True:
    text = server.recv(4096).decode().replace("\n", " ")
    if text.startswith("READY=1"):
        text += " file=%s" % os.path.exists(sys.argv[1])
    with open(sys.argv[2], "a") as told:
        told.write(text + "\n")
EOF
python3 manager.py "$mnt/file" told &
ends_here $!
wait_until 5 test -S "$NOTIFY_SOCKET" || fail "no manager"

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

told() {
	grep -q -- "$1" told
}

# start DRAIN_TIMEOUT [-f]: under the manager's eyes.
start() {
	local line options
	line=$1
	shift
	options=staging_dir=$WORK/st,$shared,commit=background
	weather
	: >told
	"$STOREFS" "$url?fault=$WORK/fault" "$mnt" "$@" \
		-o "$options,drain_timeout=$line" 2>>log &
	driver=$!
	ends_here "$driver"
	wait_until 10 told READY=1 || fail "the manager is not told"
}

# ready PID: the one message that counts.
ready() {
	is "$(grep -c READY=1 told)" 1 "messages of readiness"
	is "$(grep READY=1 told)" "READY=1 MAINPID=$1 file=True" "readiness"
}

# ends PID [SECONDS]: the driver, and with status 0.
ends() {
	wait_until "${2-10}" gone "$1" || wrong "the driver does not end"
	not_mounted "$mnt" || wrong "it is still mounted"
}

stopping() {
	is "$(grep -c STOPPING=1 told)" 1 "messages of the end"
	is "$(grep STOPPING=1 told)" \
		"STOPPING=1 EXTEND_TIMEOUT_USEC=$((($1 + 30) * 1000000))" \
		"the end"
}

note "SIGTERM in the foreground waits for the drain"
start 20 -f
ready "$driver"
told '^STATUS=0 files not in the store yet, 0 unfinished$' ||
	wrong "no status"
weather 'put delay=2s'
echo one >"$mnt/one"
wait_until 5 told '^STATUS=1 file not in the store yet' || wrong "no count"
kill -TERM "$driver"
wait_until 5 told STOPPING=1 || wrong "the end is not told"
gone "$driver" && wrong "it did not wait"
wait "$driver" || wrong "SIGTERM: exit status $?"
ends "$driver"
stopping 20
is "$(cat "$backing/one")" one "what was drained"

note "SIGTERM waits drain_timeout at most"
start 1 -f
weather 'put stall=10m'
echo two >"$mnt/two"
begun=$(milliseconds)
kill -TERM "$driver"
wait "$driver" || wrong "drain_timeout: exit status $?"
took=$(($(milliseconds) - begun))
[ "$took" -ge 1000 ] || wrong "it waited $took ms only"
ends "$driver"
stopping 1
says log "1 file stays in the staging directory $WORK/st"

note "in the background the process that stays is named"
start 20
wait "$driver" || wrong "exit status $?"
driver=$(status_of "$mnt" pid)
ends_here "$driver"
ready "$driver"
expect 0 "$STORECTL" drain "$mnt"
is "$(cat "$backing/two")" two "what an earlier run left"

note "an umount is an end, too"
expect 0 "$STORECTL" umount "$mnt"
ends "$driver"
stopping 20
finish
