#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
# Bytes that go both ways at once through a small send buffer come back as they
# went, while the server changes the keys of the connection again and again; a
# line that is always full takes any number of bytes; and whoever says nothing,
# or stops saying it, is given up in time.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
server=$SRCDIR/tests/servers/openssh
trap '"$server" stop "$WORK/echo"; "$server" stop "$WORK/sink"' EXIT
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

note "a line that is always full"
SFTP_PROGRAM="head -c 64M | tail -c 1" "$server" start "$WORK/sink" ||
	fail "no server"
# shellcheck source=/dev/null
. "$WORK/sink/env"
mkfifo relayed
python3 - "$SFTP_PORT" >relayed <<-'END' &
	import os, socket, sys, threading

	listener = socket.socket()
	listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
	listener.bind(('127.0.0.1', 0))
	listener.listen(1)
	print(listener.getsockname()[1], flush=True)
	os.close(1)

	def pour(source, to, most):
	    while data := source.recv(most):
	        to.sendall(data)
	    to.shutdown(socket.SHUT_WR)

	near = listener.accept()[0]
	far = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
	threading.Thread(target=pour, args=(far, near, 65536), daemon=True).start()
	pour(near, far, 2048)
END
read -r relay_port <relayed
"$stream" +64 transport=libssh2 host=127.0.0.1 port="$relay_port" \
	username="$SFTP_USER" identity_file="$SFTP_KEY" \
	host_key_policy=auto known_hosts=/dev/null >told ||
	wrong "a full line: $(cat told)"
# shellcheck source=/dev/null
. "$WORK/echo/env"

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

# bounded WHO OPTION...: no connection, and that after a second.
bounded() {
	local who=$1 before=${EPOCHREALTIME/./} took
	shift

	"$stream" 0 transport=libssh2 connect_timeout=1 "$@" >told &&
		wrong "$who: $(cat told)"
	took=$(((${EPOCHREALTIME/./} - before) / 1000))
	echo "$who: given up after $took ms: $(cat told)"
	[ "$took" -lt 3000 ] || wrong "$who: given up after $took ms"
}

# given_up SAYING: the server that says it.
given_up() {
	silent "$1"
	bounded "'$1'" host=127.0.0.1 port="$silent_port" username=x
	grep -q '^\(TIMEOUT\|UNAVAILABLE\|NOT_SUPPORTED\)' told ||
		wrong "'$1': $(cat told)"
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

note "an agent that says nothing"
mkfifo listening
python3 - "$WORK/agent" >listening <<-'END' &
	import os, socket, sys
	listener = socket.socket(socket.AF_UNIX)
	listener.bind(sys.argv[1])
	listener.listen(1)
	print(flush=True)
	os.close(1)
	connection = listener.accept()[0]
	while connection.recv(4096):
	    pass
END
read -r _ <listening
SSH_AUTH_SOCK=$WORK/agent HOME=$WORK bounded "the agent" \
	host="$SFTP_HOST" port="$SFTP_PORT" username="$SFTP_USER" \
	known_hosts="$SFTP_KNOWN_HOSTS"
finish
