#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 600
# The connection to an SFTP server is cut at any byte of it: in the handshake,
# while a user is let in, before the subsystem is there, in mid-request, in the
# middle of a file, between a rename and its answer. What follows goes over
# another one: each call succeeds, has happened just once, and leaves nothing
# behind. A plain run cuts at a few places, which the seed moves; a full one at
# every 200 bytes.
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
root=$SFTP_ROOT
url="sftp://$SFTP_USER@127.0.0.1:$proxy_port$root"
url="$url?known_hosts=$WORK/known_hosts&identity_file=$SFTP_KEY"
url="$url&ssh_config=none&transport=libssh2&connections=1"
head -c 20000 /dev/urandom >file

# prepare NAME: what a conversation finds.
prepare() {
	echo "$1" >"$root/old.$1"
	echo "$1" >"$root/doomed.$1"
	mkdir "$root/full.$1"
}

# converse NAME: a new file, a rename, a removal, a folder, one less.
converse() {
	cp file "$mnt/new.$1" || wrong "$1: cp"
	mv "$mnt/old.$1" "$mnt/moved.$1" || wrong "$1: mv"
	rm "$mnt/doomed.$1" || wrong "$1: rm"
	mkdir "$mnt/folder.$1" || wrong "$1: mkdir"
	rmdir "$mnt/full.$1" || wrong "$1: rmdir"
}

# has_happened NAME: all of it, as the server has it.
has_happened() {
	same file "$root/new.$1"
	is "$(cat "$root/moved.$1")" "$1" "$1: what was moved"
	is "$(cd "$root" && echo ./*."$1")" \
		"./folder.$1 ./moved.$1 ./new.$1" "$1: what is there"
}

# cut_at NAME DIRECTION BYTES: a conversation that is cut there.
cut_at() {
	proxy "$WORK/proxy" clear
	proxy "$WORK/proxy" fault "reset-$2" at="$3"
	proxy "$WORK/proxy" drop
	prepare "$1"
	converse "$1"
	has_happened "$1"
}

mount_store "$url" "$mnt" op_timeout=20 || fail "no mount"
prepare whole
proxy "$WORK/proxy" drop
proxy "$WORK/proxy" forget
converse whole
has_happened whole
read -r connections up down <<<"$(proxy "$WORK/proxy" count)"
is "$connections" 1 connections
echo "a conversation: $up bytes up, $down down"

# sweep DIRECTION BYTES PARTS
sweep() {
	local step=200 at

	[ "$full" = 1 ] || step=$(($2 / $3))
	note "every $step bytes of $2 of a $1"
	for ((at = seed * 37 % step; at < $2; at += step)); do
		cut_at "$1-$at" "$1" "$at"
	done
}

sweep request "$up" 4
sweep answer "$down" 7
proxy "$WORK/proxy" clear

note "a server that forgets the connection"
prepare half
proxy "$WORK/proxy" lose
stat "$mnt/old.half" >out 2>&1 &
waits=$!
wait_until 10 in_request $waits || wrong "nobody waits"
begun=$(milliseconds)
proxy "$WORK/proxy" drop
wait $waits || wrong "it does not go on: $(cat out)"
in_time 2000 "another connection"

note "a server killed while it is written to"
head -c 20000000 /dev/urandom >large
proxy "$WORK/proxy" rate 20000000
cp large "$mnt/large" &
writer=$!
begun_there() {
	[ -n "$(find "$root" -name '.storefs-tmp.*' -size +2M)" ]
}
wait_until 10 begun_there || wrong "nothing is written"
"$server" stop "$WORK/server"
proxy "$WORK/proxy" rate 0
"$server" start "$WORK/server" "$SFTP_PORT" || fail "it does not come back"
wait $writer || wrong "cp to a server that was killed"
same large "$root/large"
is "$(cd "$root" && find . -name '.storefs-*')" '' "left behind"
unmount "$mnt"

# Nobody asks for anything: what is idle is found dead, too.
note "an idle line that something on its way forgets"
mount_store "$url&keepalive=0.2&io_timeout=0.5" "$mnt" op_timeout=20 ||
	fail "no mount"
connected() {
	awk -v "to=:$(printf %04X "$proxy_port")" \
		'substr($3, length($3) - 4) == to && $4 == "01" { n++ }
		END { exit !n }' /proc/net/tcp
}
is_closed() {
	! connected
}
connected || wrong "no connection"
proxy "$WORK/proxy" lose
wait_until 10 is_closed || wrong "a dead line is kept"
begun=$(milliseconds)
same file "$mnt/new.whole"
in_time 2000 "a new one"
unmount "$mnt"
finish
