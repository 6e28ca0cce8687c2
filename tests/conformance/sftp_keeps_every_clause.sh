#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 300
# The conformance suite on SFTP: OpenSSH's server with all of its extensions,
# then without each that makes a difference, then ProFTPD. The server program
# is started without ssh but for a few clauses: a handshake for each test would
# take longer than the test.
set -eu

servers=$SRCDIR/tests/servers
program=/usr/lib/openssh/sftp-server
export CONF_FULL="${FULL:-0}"

stop_all() {
	"$servers/openssh" stop "$WORK/openssh"
	"$servers/proftpd" stop "$WORK/proftpd"
	"$servers/rclone" stop "$WORK/rclone"
	[ ! -e "$WORK/mux" ] ||
		ssh -F "$WORK/mux" -O exit server 2>/dev/null || :
	[ -z "$sockets" ] || rm -rf "$sockets"
}
sockets= # a folder with a short name: that of a socket is
trap stop_all EXIT

# on NAME [CLAUSE...]: the whole suite, or these clauses of it.
on() {
	echo "# on $1"
	shift
	[ $# -gt 0 ] || "$BUILDDIR/tests/conformance/conf_sftp"
	for clause; do
		CK_RUN_CASE=$clause "$BUILDDIR/tests/conformance/conf_sftp"
	done
}

# directly NAME [ARGUMENT...]: from now on by that program.
directly() {
	printf '#!/bin/sh\nexec %s %s\n' "$program" "$2" >"$WORK/$1"
	chmod +x "$WORK/$1"
	export CONF_SFTP_URL=sftp://me@server
	export CONF_SFTP_OPTIONS="transport=ssh&ssh_command=$WORK/$1"
}

# A sample has every third clause, and those of this store alone.
directly whole ''
if [ "$CONF_FULL" = 1 ]; then
	on 'OpenSSH'
else
	sed -n 's/.*conf_add("\([^"]*\)".*/\1/p' \
		"$SRCDIR"/tests/conformance/[a-eg-z]*.c "$SRCDIR"/tests/conformance/files.c \
		"$SRCDIR"/tests/conformance/folders.c |
		sort -u | awk -v seed="$SEED" '(NR + seed) % 3 == 0' >clauses
	while read -r clause; do
		on 'OpenSSH' "$clause"
	done <clauses
	on 'OpenSSH' 'P sftp'
fi

# Where a sample will do.
some() {
	name=$1
	shift
	[ "$CONF_FULL" = 0 ] || set --
	on "$name" "$@"
}

directly no-rename '-P posix-rename'
some 'OpenSSH without posix-rename' F5 F10
directly bare '-P posix-rename,fsync,copy-data,hardlink,statvfs,lsetstat,limits'
some 'OpenSSH without any extension' 'P sftp' D4 F1
for request in fsync copy-data hardlink lsetstat; do
	[ "$CONF_FULL" = 1 ] || break
	directly "no-$request" "-P $request"
	on "OpenSSH without $request"
done

# A server of our own with nothing but version 3.
program=$BUILDDIR/tests/servers/fake_sftp
directly minimal ''
on 'a minimal server' F1 F5
[ "$CONF_FULL" = 0 ] || on 'a minimal server' F2 F4 F10 D1 D2 D4 'P sftp'

# By SSH, and with a handshake of its own each time.
"$servers/openssh" start "$WORK/openssh"
# shellcheck source=/dev/null
. "$WORK/openssh/env"
export CONF_SFTP_URL="sftp://$SFTP_USER@$SFTP_HOST:$SFTP_PORT"
keys="known_hosts=$SFTP_KNOWN_HOSTS&identity_file=$SFTP_KEY"
export CONF_SFTP_OPTIONS="$keys&ssh_config=none"
on 'OpenSSH by SSH' F4

# It answers before it has done things, if it does them: no more than this.
if [ "$CONF_FULL" = 1 ]; then
	"$servers/rclone" start "$WORK/rclone"
	# shellcheck source=/dev/null
	. "$WORK/rclone/env"
	export CONF_SFTP_URL="sftp://$SFTP_USER@$SFTP_HOST:$SFTP_PORT"
	keys="known_hosts=$SFTP_KNOWN_HOSTS&identity_file=$SFTP_KEY"
	export CONF_SFTP_OPTIONS="$keys&ssh_config=none"
	on 'rclone serve sftp' F2 F5
fi

# One handshake for all: its sessions go over one connection.
sockets=$(mktemp -d /tmp/mux.XXXXXX)
"$servers/proftpd" start "$WORK/proftpd"
{
	cat "$WORK/proftpd/ssh_config"
	printf '\tControlMaster auto\n\tControlPersist yes\n'
	printf '\tControlPath %s/%%C\n' "$sockets"
} >"$WORK/mux"
export CONF_SFTP_URL=sftp://server
export CONF_SFTP_OPTIONS="transport=ssh&ssh_config=$WORK/mux"
some 'ProFTPD' 'P sftp' F5
