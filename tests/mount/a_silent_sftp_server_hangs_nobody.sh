#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 90
# The line to an SFTP server goes dark: every call of the mount ends with an
# error in bounded time, unmounting works; when there is light again all goes
# on without another mount, and nothing that was written is lost.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/mount/waiting.sh
. "$SRCDIR/tests/mount/waiting.sh"
# shellcheck source=tests/servers/proxy.sh
. "$SRCDIR/tests/servers/proxy.sh"
need_root
server=$SRCDIR/tests/servers/openssh
at_end "$server" stop "$WORK/server"

"$server" start "$WORK/server" || fail "no server"
# shellcheck source=/dev/null
. "$WORK/server/env"
proxy_start "$WORK/proxy" tcp "$SFTP_PORT" || fail "no proxy"
sed "s/:$SFTP_PORT /:$proxy_port /" "$SFTP_KNOWN_HOSTS" >known_hosts
mnt=$WORK/mnt
url="sftp://$SFTP_USER@127.0.0.1:$proxy_port$SFTP_ROOT"
url="$url?known_hosts=$WORK/known_hosts&identity_file=$SFTP_KEY"
url="$url&ssh_config=none&io_timeout=2&connect_timeout=2"

mount_store "$url" "$mnt" op_timeout=2 || fail "no mount"
mkdir "$mnt/folder"
head -c 3000000 /dev/urandom >large
cp large "$mnt/large"
cp large "$mnt/moved"
exec 5<"$mnt/large" 6>"$mnt/small"
printf x >&6
proxy "$WORK/proxy" dark
fails_by_deadline 1 stat stat "$mnt/missing"
ends INT stat stat "$mnt/absent"
if [ "$full" = 1 ]; then
	fails_by_deadline 2 open cat "$mnt/moved"
	fails_by_deadline 1 mkdir mkdir "$mnt/new"
	fails_by_deadline 3 rename mv "$mnt/moved" "$mnt/elsewhere"
fi
fails_by_deadline 2 fsync sync /proc/self/fd/6
begun=$(milliseconds)
exec 5<&- 6>&-
in_time 5000 close

note "and then"
proxy "$WORK/proxy" light
all_is_there() {
	[ "$(cat "$SFTP_ROOT/small" 2>/dev/null)" = x ]
}
wait_until 20 all_is_there || wrong "what was written does not arrive"
moved=$mnt/moved
[ -e "$moved" ] || moved=$mnt/elsewhere
same large "$moved"
same large "$mnt/large"
mkdir "$mnt/folder/new" || wrong "mkdir afterwards"
unmount "$mnt"

note "unmounting in the dark"
mount_store "$url" "$mnt" op_timeout=2,drain_timeout=3 || fail "no mount"
cat "$mnt/large" >/dev/null
proxy "$WORK/proxy" dark
begun=$(milliseconds)
unmount "$mnt"
in_time 15000 umount
finish
