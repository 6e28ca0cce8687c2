#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# The line to an object store goes dark: every call of the mount ends with an
# error in bounded time, Ctrl-C ends a process at once, unmounting works; and
# when there is light again, all goes on, and nothing that was written is lost.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/mount/waiting.sh
. "$SRCDIR/tests/mount/waiting.sh"
# shellcheck source=tests/servers/bucket.sh
. "$SRCDIR/tests/servers/bucket.sh"

need_root
bucket_start || fail "no bucket"
url="s3://bucket?endpoint_url=http://127.0.0.1:$proxy_port"
url="$url&conditions=yes&single_max=5M&part_size=5M"
head -c 100000 /dev/urandom >small
head -c 12000000 /dev/urandom >large

# fresh NAME OPTION,...: a mount that has looked at nothing yet.
fresh() {
	mnt=$WORK/$1
	mount_store "$url" "$mnt" "$shared,$2" || fail "no mount"
}

fresh first op_timeout=10
mkdir "$mnt/folder" "$mnt/other"
for name in read removed moved folder/file other/file; do
	cp large "$mnt/$name" || wrong "cp $name"
done
unmount "$mnt"

note "deadlines"
fresh second op_timeout=2
ls "$mnt" >/dev/null
exec 5<"$mnt/read" 6>"$mnt/small"
printf x >&6
proxy "$WORK/proxy" dark
fails_by_deadline 1 stat stat "$mnt/missing"
fails_by_deadline 2 ls ls "$mnt/folder"
fails_by_deadline 2 open cat "$mnt/other/file"
fails_by_deadline 2 read cat <&5
fails_by_deadline 1 mkdir mkdir "$mnt/new"
fails_by_deadline 3 rename mv "$mnt/moved" "$mnt/elsewhere"
fails_by_deadline 3 "rename of a folder" mv "$mnt/folder" "$mnt/elsewhere"
fails_by_deadline 2 unlink rm "$mnt/removed"
fails_by_deadline 2 create cp large "$mnt/large"
fails_by_deadline 2 fsync sync /proc/self/fd/6
begun=$(milliseconds)
exec 5<&- 6>&-
in_time 5000 close
expect 0 "$STORECTL" pending "$mnt"
says "$WORK/out" small

note "and then"
proxy "$WORK/proxy" light
begun=$(milliseconds)
same large "$mnt/read"
in_time 5000 "a read in the light"
expect 0 "$STORECTL" drain --timeout 60 "$mnt"
same large "$mnt/other/file"
unmount "$mnt"
fresh third op_timeout=10
is "$(cat "$mnt/small")" x "what was written in the dark"
for name in removed moved folder/file; do
	# An answer that nobody heard may have been to what was done.
	[ ! -e "$mnt/$name" ] || same large "$mnt/$name"
done
unmount "$mnt"

note "Ctrl-C"
fresh fourth op_timeout=60,drain_timeout=3
ls "$mnt" >/dev/null
proxy "$WORK/proxy" dark
ends INT stat stat "$mnt/missing"
ends INT ls ls "$mnt/other"
ends INT cat cat "$mnt/read"
ends INT mv mv "$mnt/small" "$mnt/elsewhere"
ends INT close "$fileop" open wct "$mnt/read" write x close
ends KILL cp cp large "$mnt/large.2"
begun=$(milliseconds)
umount -l "$mnt"
in_time 1000 "umount -l"
proxy "$WORK/proxy" light
wait_until 60 gone "$driver" || wrong "the driver stays"

note "unmounting"
fresh fifth op_timeout=2,drain_timeout=2
exec 6>"$mnt/late"
echo late >&6
proxy "$WORK/proxy" dark
exec 6>&-
begun=$(milliseconds)
umount "$mnt" || wrong "umount"
in_time 15000 umount
wait_until 20 gone "$driver" || wrong "the driver stays"
proxy "$WORK/proxy" light
fresh fifth op_timeout=10
wait_settled "$mnt"
is "$(cat "$mnt/late")" late "what was written before umount"
unmount "$mnt"
finish
