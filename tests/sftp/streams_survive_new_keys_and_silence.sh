#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
# Bytes that go both ways at once through a small send buffer come back as they
# went, while the server changes the keys of the connection again and again;
# and whoever says nothing, or stops saying it, is given up in time.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
server=$SRCDIR/tests/servers/openssh
trap '"$server" stop "$WORK/echo"' EXIT
stream=$BUILDDIR/tests/sftp/stream
size=96 limit=8M
[ "$full" = 0 ] || size=1024 limit=32M

SFTP_PROGRAM=/bin/cat SSHD_LINES="RekeyLimit $limit
LogLevel DEBUG1" "$server" start "$WORK/echo" || fail "no server"
# shellcheck source=/dev/null
. "$WORK/echo/env"
to=(host="$SFTP_HOST" port="$SFTP_PORT" username="$SFTP_USER"
	identity_file="$SFTP_KEY" known_hosts="$SFTP_KNOWN_HOSTS")
for transport in libssh2 ssh; do
	note "$transport"
	before=$(grep -c 'SSH2_MSG_NEWKEYS received' "$WORK/echo/log")
	"$stream" $size "${to[@]}" transport=$transport >told ||
		wrong "$transport: $(cat told)"
	keys=$(($(grep -c 'SSH2_MSG_NEWKEYS received' "$WORK/echo/log") - before))
	echo "$keys exchanges of keys"
	[ "$keys" -ge 5 ] || wrong "$transport: only $keys exchanges of keys"
done

# A server that says WORDS and then nothing. Ends with its shell.
silent() {
	rm -f port
	mkfifo port
	python3 - "$1" >port <<-'END' &
		import os, socket, sys
		listener = socket.socket()
		listener.bind(('127.0.0.1', 0))
		listener.listen(1)
		print(listener.getsockname()[1], flush=True)
		os.close(1)
		connection = listener.accept()[0]
		connection.sendall(sys.argv[1].encode().decode('unicode_escape').encode('latin1'))
		while connection.recv(4096):
		    pass
	END
	silent_pid=$!
	read -r silent_port <port
}

# given_up SAYING: within its two seconds.
given_up() {
	local before

	silent "$1"
	before=${EPOCHREALTIME/./}
	"$stream" 0 host=127.0.0.1 port="$silent_port" username=x \
		transport=libssh2 connect_timeout=1 >told &&
		wrong "'$1': $(cat told)"
	took=$(((${EPOCHREALTIME/./} - before) / 1000))
	echo "'$1': given up after $took ms: $(cat told)"
	grep -q '^\(TIMEOUT\|UNAVAILABLE\|NOT_SUPPORTED\)' told ||
		wrong "'$1': $(cat told)"
	[ "$took" -lt 3000 ] || wrong "'$1': given up after $took ms"
	kill "$silent_pid" 2>/dev/null
	wait "$silent_pid" 2>/dev/null
}

note "silence"
given_up ''
given_up 'SSH-2.0-x'
given_up 'SSH-2.0-x\r\n'
given_up 'SSH-2.0-x\r\n\0\0\x40\0'
given_up 'SSH-2.0-x\r\n\xff\xff\xff\xff\x01\x14aaaaaaaaaaaaaaaa'
given_up 'HTTP/1.0 400 Bad Request\r\n\r\n'
finish
