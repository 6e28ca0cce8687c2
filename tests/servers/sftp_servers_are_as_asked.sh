#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 600
# The SFTP servers of the tests: each announces what it was asked to, refuses
# what it was told to, shows the host keys it was given, comes back as it was
# after it was ended, and leaves no process behind. Judged with OpenSSH's sftp.
set -eu

servers=$SRCDIR/tests/servers
failures=0
stop_all() {
	for pid in "$WORK"/*/pid; do
		[ ! -f "$pid" ] || "$servers/openssh" stop "${pid%/pid}"
	done
}
trap stop_all EXIT

wrong() {
	echo "WRONG: $*"
	failures=$((failures + 1))
}

# sftp_to NAME COMMAND: what it says, and the status of the command. "said" is
# a file.
# shellcheck disable=SC2238
sftp_to() {
	echo "$2" >batch
	sftp -vv -b batch -F "$WORK/$1/ssh_config" server >said 2>&1
}

# announces NAME EXTENSION...: these and no others.
announces() {
	name=$1
	shift
	sftp_to "$name" pwd || wrong "$name: no login: $(tail -n 3 said)"
	printf '%s\n' "$@" | sort >want
	# The client does not know each of them.
	sed -n 's/.*[Ss]erver .*extension "\([^"]*\)".*/\1/p' said | sort >got
	cmp -s want got ||
		wrong "$name announces: $(tr '\n' ' ' <got)"
}

# stores NAME: a file comes back as it went.
stores() {
	sftp_to "$1" "put $0 file" || wrong "$1: put: $(tail -n 3 said)"
	cmp "$0" "$WORK/$1/data/file" || wrong "$1 stores other bytes"
	sftp_to "$1" "get file $WORK/back" || wrong "$1: get"
	cmp "$0" "$WORK/back" || wrong "$1 gives other bytes"
}

# shows NAME TYPE...: these kinds of host keys.
shows() {
	name=$1
	shift
	(
		# shellcheck source=/dev/null
		. "$WORK/$name/env"
		ssh-keyscan -p "$SFTP_PORT" "$SFTP_HOST" 2>/dev/null
	) | cut -d' ' -f2 | sort >got
	printf '%s\n' "$@" | sort >want
	cmp -s want got || wrong "$name shows: $(tr '\n' ' ' <got)"
}

all='copy-data expand-path@openssh.com fstatvfs@openssh.com fsync@openssh.com
	hardlink@openssh.com home-directory limits@openssh.com
	lsetstat@openssh.com posix-rename@openssh.com statvfs@openssh.com
	users-groups-by-id@openssh.com'

"$servers/openssh" start "$WORK/whole"
# shellcheck disable=SC2086
announces whole $all
shows whole ssh-ed25519 ssh-rsa ecdsa-sha2-nistp256
stores whole

# Requests by themselves, as sftp-server(8) calls them: two, or each.
requests='fsync users-groups-by-id'
[ "${FULL:-0}" = 0 ] ||
	requests='copy-data expand-path fstatvfs fsync hardlink home-directory
		limits lsetstat posix-rename statvfs users-groups-by-id'
for request in $requests; do
	SFTP_DENY=$request "$servers/openssh" start "$WORK/less"
	# shellcheck disable=SC2046,SC2086
	announces less $(printf '%s\n' $all | grep -v "^$request\(@.*\)\?\$")
	"$servers/openssh" stop "$WORK/less"
done
SFTP_DENY=posix-rename "$servers/openssh" start "$WORK/less"
sftp_to less "put $0 a
put $0 b
-rename -l a b" || wrong "nothing is stored: $(tail -n 3 said)"
grep -q 'remote rename.*: Failure' said || wrong 'a RENAME replaces a file'

SFTP_HOST_KEYS=rsa SFTP_READ_ONLY=1 "$servers/openssh" start "$WORK/reader"
echo text >"$WORK/reader/data/there"
shows reader ssh-rsa
sftp_to reader 'ls -l there' || wrong "nothing can be read: $(tail -n 3 said)"
! sftp_to reader "put $0 new" || wrong 'a read-only server stores a file'
! sftp_to reader 'rm there' || wrong 'a read-only server removes a file'

SSHD_LINES='RekeyLimit 32M' "$servers/openssh" start "$WORK/rekeys"
head -c 50000000 /dev/zero >"$WORK/rekeys/data/large"
sftp_to rekeys "get large $WORK/large" || wrong "no transfer: $(tail -n 3 said)"
[ "$(grep -c 'SSH2_MSG_NEWKEYS received' said)" -ge 2 ] ||
	wrong 'the server asks for no new keys after 32 MiB'

"$servers/proftpd" start "$WORK/proftpd"
announces proftpd fstatvfs@openssh.com fsync@openssh.com hardlink@openssh.com \
	home-directory posix-rename@openssh.com statvfs@openssh.com versions
stores proftpd
"$servers/proftpd" stop "$WORK/proftpd"
SFTP_DENY='posixRename fsync statvfs hardlink' \
	"$servers/proftpd" start "$WORK/proftpd"
announces proftpd home-directory versions

# Ended with a connection open: nothing of it is left, and it comes back.
port=$(sed -n 's/.*SFTP_PORT=//p' "$WORK/whole/env")
before=$(cat "$WORK/whole/known_hosts")
mkfifo hold
sftp -F "$WORK/whole/ssh_config" server <hold >open 2>&1 &
client=$!
exec 3>hold
echo pwd >&3
until grep -q 'working directory' open; do
	kill -0 "$client" 2>/dev/null || {
		cat open
		wrong 'no second connection'
		break
	}
	sleep 0.02
done
"$servers/openssh" stop "$WORK/whole"
# A client that is gone takes no more commands.
trap '' PIPE
echo 'ls -l' >&3 || :
exec 3>&-
! wait "$client" || wrong 'a connection outlives its server'
"$servers/openssh" start "$WORK/whole" "$port"
[ "$(cat "$WORK/whole/known_hosts")" = "$before" ] || wrong 'it has new keys'
sftp_to whole 'ls -l file' || wrong 'what was stored is lost'

[ "$failures" -eq 0 ]
