#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A large file is written over several connections, of which one stays free for
# whoever asks for little; over one alone where the user or the server wants it
# so. When one of them is lost, or leads to another place, the file is whole all
# the same.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root # for a place of one connection's own
root=$WORK/root
mkdir "$root" "$WORK/elsewhere"
head -c 64M /dev/urandom >body

# serve DENIED SECOND: a server program without ssh, which keeps what each
# connection sends in n.NUMBER; the second one goes through SECOND.
serve() {
	cat >"$WORK/ssh" <<-END
		#!/bin/sh
		i=1
		while ! mkdir "$WORK/n.\$i" 2>/dev/null; do
			i=\$((i + 1))
		done
		second() {
			if [ "\$i" = 2 ]; then $2; else "\$@"; fi
		}
		tee "$WORK/n.\$i/sent" |
			second /usr/lib/openssh/sftp-server $1
	END
	chmod +x "$WORK/ssh"
	rm -rf n.*
}

# sent NUMBER: what that connection has taken, in MiB.
sent() {
	local bytes=0

	[ ! -e "n.$1/sent" ] || bytes=$(stat -c %s "n.$1/sent")
	echo $((bytes >> 20))
}

# puts CONNECTIONS: the file is there, alone.
puts() {
	local url="sftp://me@server$root?transport=ssh&ssh_command=$WORK/ssh"

	timeout 60 "$STORECTL" cp body "$url&connections=$1!/file" ||
		wrong "the file is not stored"
	cmp body "$root/file" || wrong "other bytes"
	[ "$(ls -A "$root")" = file ] || wrong "left: $(ls -A "$root")"
	rm -f "$root/file"
	echo "MiB: $(sent 1) $(sent 2) $(sent 3) $(sent 4)"
}

note "all but one"
serve '' '"$@"'
puts 4
for i in 1 2 3; do
	[ "$(sent $i)" -ge 4 ] || wrong "connection $i has taken $(sent $i) MiB"
done
[ "$(sent 4)" = 0 ] || wrong "no connection was left to others"

# one_alone
one_alone() {
	[ "$(sent 1)" = 64 ] || wrong "it has taken $(sent 1) MiB"
	[ ! -e n.2 ] || wrong "there was another"
}

note "one, as the user wants"
serve '' '"$@"'
puts 1
one_alone

note "one, to a server that does not flush files"
serve '-P fsync' '"$@"'
puts 4
one_alone

note "one that ends in mid-file"
serve '' 'dd bs=64k count=60 status=none | "$@"'
puts 4
[ "$(sent 2)" -ge 2 ] || wrong "it has taken nothing"
[ "$(($(sent 1) + $(sent 3)))" -gt 64 ] || wrong "nothing was sent again"

note "one that leads to another place"
serve '' "unshare -m sh -c 'mount --bind $WORK/elsewhere $root && exec \"\$@\"' sh \"\$@\""
puts 4
[ -e n.2 ] || wrong "there was no second connection"
[ "$(sent 1)" = 64 ] || wrong "some of it went elsewhere"
[ -z "$(ls -A "$WORK/elsewhere")" ] || wrong "something is elsewhere"

finish
