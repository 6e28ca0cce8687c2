#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# While the store stalls, Ctrl-C and SIGKILL end a process at once wherever it
# waits, a signal handler sees EINTR within a second, reads and metadata end
# at their deadline, and unmounting works (promise 5).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/mount/waiting.sh
. "$SRCDIR/tests/mount/waiting.sh"
need_root

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

handled_signal() {
	/usr/bin/python3 - "$mnt/handled" <<-'END'
	import os, signal, sys, time
	def handler(number, frame):
	    raise TimeoutError()
	signal.signal(signal.SIGALRM, handler)
	fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
	os.write(fd, b"kept")
	signal.setitimer(signal.ITIMER_REAL, 0.5)
	begun = time.monotonic()
	try:
	    os.close(fd)
	    print("close returned")
	except TimeoutError:
	    print("EINTR after %.2f s" % (time.monotonic() - begun - 0.5))
	    sys.exit(time.monotonic() - begun > 1.5)
	sys.exit(1)
	END
}

weather
store_new local
mkdir "$backing/folder"
dd if=/dev/zero of="$backing/read" bs=1M count=4 2>/dev/null
mnt=$WORK/mnt
mount_store "$url?fault=$WORK/fault" "$mnt" "$shared,op_timeout=10,drain_timeout=3" ||
	fail "no mount"
echo old >"$mnt/f"

weather 'put stall=10m'
ends INT "close of new" "$fileop" open wct "$mnt/new" write x close
ends KILL "close of new.2" "$fileop" open wct "$mnt/new.2" write x close
ends INT "fsync" "$fileop" open rw "$mnt/f" write x fsync
handled_signal || wrong "a signal handler waits"
weather 'read stall=10m'
ends INT "read" cat "$mnt/read"
ends KILL "read" cat "$mnt/read"
weather 'stat stall=10m' 'list stall=10m' 'move stall=10m' 'remove stall=10m'
ends INT "stat" stat "$mnt/missing"
ends KILL "readdir" ls "$mnt/folder"
ends INT "rename" mv "$mnt/read" "$mnt/moved"
ends INT "unlink" rm -f "$mnt/read"
weather 'any stall=10m'
begun=$(milliseconds)
umount -l "$mnt"
in_time 1000 "umount -l"
weather
wait_until 20 gone "$driver" || wrong "the driver stays"

note deadlines
mnt=$WORK/mnt-2
mount_store "$url?fault=$WORK/fault" "$mnt" "$shared,op_timeout=2" ||
	fail "no mount"
weather 'any stall=10m'
fails_by_deadline 1 stat stat "$mnt/missing"
fails_by_deadline 1 open cat "$mnt/read"
fails_by_deadline 2 list ls "$mnt/folder"
fails_by_deadline 1 mkdir mkdir "$mnt/dir"
fails_by_deadline 3 rename mv "$mnt/folder" "$mnt/dir"
fails_by_deadline 2 unlink rm "$mnt/read"
weather 'read stall=10m'
fails_by_deadline 2 read cat "$mnt/read"
weather
begun=$(milliseconds)
cat "$mnt/read" >/dev/null || wrong "no recovery"
in_time 2000 "the read after recovery"
unmount "$mnt"
finish
