#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A password lets its user in, as one and as the answer to a question; a wrong
# one does not. The ssh program cannot be told any, and that is said.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
servers=$SRCDIR/tests/servers

# server KIND: its options in `to`; who asks for keys gets none.
server() {
	# shellcheck source=/dev/null
	. "$WORK/$1/env"
	to=(host="$SFTP_HOST" port="$SFTP_PORT" username="$SFTP_USER"
		known_hosts="$SFTP_KNOWN_HOSTS" ssh_config=none agent=no)
}

# says WORDS ARGUMENT...
says() {
	local words=$1 said
	shift

	said=$(HOME=$WORK "$BUILDDIR/tests/sftp/stream" 0 "${to[@]}" "$@" 2>&1)
	[[ $said == *"$words"* ]] || wrong "$*: '$said' instead of '$words'"
}

# passwords: what holds of every server.
passwords() {
	says "connected by libssh2" password=testing
	says "connected by libssh2" password=testing transport=libssh2
	says "DENIED" password=wrong
	says "DENIED" password=
	says "DENIED"
	says "NOT_SUPPORTED: password" password=testing transport=ssh
}

note "ProFTPD, a password"
at_end "$servers/proftpd" stop "$WORK/proftpd"
"$servers/proftpd" start "$WORK/proftpd" || fail "no ProFTPD"
server proftpd
passwords
echo text >"$SFTP_ROOT/file"
(
	umask 077
	printf '[backends.b]\ntype = sftp\n' >ini
	printf '%s\n' "${to[@]}" password=testing base_path="$SFTP_ROOT" |
		sed 's/=/ = /' >>ini
	printf '[stores.there]\nbackend = b\n' >>ini
)
is "$(HOME=$WORK "$STORECTL" -c ini cat there:file)" text "by configuration"

# PAM reads its rules from one folder: the server has one of its own there.
note "OpenSSH, questions"
mkdir pam
cat >judge <<-'END'
	#!/bin/sh
	[ "$PAM_TYPE" != auth ] || [ "$(tr -d '\000')" = testing ]
END
chmod 755 judge
cat >pam/sshd <<-END
	auth required pam_exec.so quiet expose_authtok $WORK/judge
	auth required pam_permit.so
	account required pam_permit.so
	session required pam_permit.so
END
at_end "$servers/openssh" stop "$WORK/openssh"
# shellcheck disable=SC2016
SSHD_LINES='UsePAM yes
KbdInteractiveAuthentication yes
PermitRootLogin yes' unshare --mount sh -c \
	'mount --bind "$1" /etc/pam.d && exec "$2" start "$3"' \
	sh "$WORK/pam" "$servers/openssh" "$WORK/openssh" || fail "no OpenSSH"
server openssh
passwords
says "keyboard-interactive" password=wrong
finish
