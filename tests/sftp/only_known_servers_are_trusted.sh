#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A server is met with its host key first: unknown, changed and revoked ones
# are refused before anything of the user is sent, whoever speaks SSH; a new one
# is kept under tofu. Every type of key, hashed names and ports are understood,
# and what libssh2 cannot do is left to ssh.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
server=$SRCDIR/tests/servers/openssh
stop_all() {
	local pid

	for pid in "$WORK"/*/pid; do
		"$server" stop "${pid%/pid}"
	done
}
trap stop_all EXIT

# start NAME [VARIABLE=VALUE...]: a server; its keys and names in the
# environment.
start() {
	local name=$1
	shift

	env "$@" "$server" start "$WORK/$name" || fail "no server"
	# shellcheck source=/dev/null
	. "$WORK/$name/env"
	log=$WORK/$name/log
	to=(host="$SFTP_HOST" port="$SFTP_PORT" username="$SFTP_USER"
		identity_file="$SFTP_KEY")
	known=known_hosts=$SFTP_KNOWN_HOSTS
}

# says WORDS ARGUMENT...: of the server that was started last.
says() {
	local words=$1 said
	shift

	said=$("$BUILDDIR/tests/sftp/stream" 0 "${to[@]}" "$@" 2>&1)
	[[ $said == *"$words"* ]] || wrong "$*: '$said' instead of '$words'"
}

# refused ARGUMENT...: and the server has not heard of a user.
refused() {
	local before after

	before=$(grep -c 'userauth\|Accepted\|Failed' "$log")
	says DENIED "$@" transport=libssh2
	after=$(grep -c 'userauth\|Accepted\|Failed' "$log")
	is "$after" "$before" "words about users after $*"
}

start all
note "unknown, under strict"
refused known_hosts="$WORK/none"
refused known_hosts="$WORK/none" host_key_policy=strict
[ ! -e "$WORK/none" ] || wrong "a refused key was kept"

note "known"
says "connected by libssh2" "$known" transport=libssh2
says "connected by libssh2" "$known"
says "connected by command" "$known" transport=ssh
says "connected by libssh2" known_host_keys="$(cat "$SFTP_KNOWN_HOSTS")"
cp "$SFTP_KNOWN_HOSTS" hashed
ssh-keygen -q -H -f hashed 2>/dev/null || fail "ssh-keygen -H"
grep -q '^|1|' hashed || fail "no hashed names"
says "connected by libssh2" known_hosts="$WORK/hashed"
for type in ssh-ed25519 ecdsa-sha2-nistp256; do
	grep " $type " "$SFTP_KNOWN_HOSTS" >"one-$type"
	says "connected by libssh2" known_hosts="$WORK/one-$type"
done

grep ' ssh-rsa ' "$SFTP_KNOWN_HOSTS" >one-ssh-rsa
says "connected by command" known_hosts="$WORK/one-ssh-rsa"

note "by ssh configuration"
config=ssh_config=$WORK/all/ssh_config
as_told=("${to[@]}")
to=(host=server)
says "connected by libssh2" "$config"
says "connected by command" "$config" transport=ssh
says UNAVAILABLE ssh_config=none transport=libssh2 host=nowhere.invalid
sed 's/^Host .*/&\n\tProxyCommand nc %h %p/' "$WORK/all/ssh_config" >by-way
says NOT_SUPPORTED ssh_config="$WORK/by-way" transport=libssh2
# with LINE: the configuration with another line in front.
with() {
	sed "s|^Host .*|&\n\t$1|" "$WORK/all/ssh_config" >other-hosts
}
for word in User Global; do
	with "${word}KnownHostsFile a b"
	says NOT_SUPPORTED ssh_config="$WORK/other-hosts" transport=libssh2
done
with "UserKnownHostsFile none"
says DENIED ssh_config="$WORK/other-hosts" transport=libssh2
with "UserKnownHostsFile none\n\tGlobalKnownHostsFile $SFTP_KNOWN_HOSTS"
says "connected by libssh2" ssh_config="$WORK/other-hosts"
sed 's/^/@revoked /' "$SFTP_KNOWN_HOSTS" >global-revoked
with "GlobalKnownHostsFile $WORK/global-revoked"
says DENIED ssh_config="$WORK/other-hosts" transport=libssh2
to=("${as_told[@]}")

note "kept, and then another one"
says "connected by libssh2" known_hosts="$WORK/kept" host_key_policy=tofu
says "connected by libssh2" known_hosts="$WORK/kept"
# Lines are all that is read, so that no file could hold the server to its key.
says "no file of known hosts" known_host_keys="# none" host_key_policy=tofu \
	known_hosts="$WORK/unread"
[ ! -e "$WORK/unread" ] || wrong "a key was kept where nobody reads it"
cp kept changed
"$server" stop "$WORK/all"
start other
sed -i "s/:[0-9]* /:$SFTP_PORT /" changed
for policy in strict tofu auto; do
	refused known_hosts="$WORK/changed" host_key_policy=$policy
done
cmp -s <(sed 's/.* //' changed) <(sed 's/.* //' kept) ||
	wrong "what contradicts was kept"

note "taken for once"
says "connected by libssh2" known_hosts="$WORK/never" host_key_policy=auto
[ ! -e "$WORK/never" ] || wrong "a key was kept under auto"

note "revoked"
sed 's/^/@revoked /' "$SFTP_KNOWN_HOSTS" >revoked
for policy in strict tofu auto; do
	refused known_hosts="$WORK/revoked" host_key_policy=$policy
done
sed 's/^[^ ]*/@revoked */' "$SFTP_KNOWN_HOSTS" | cat "$SFTP_KNOWN_HOSTS" - \
	>revoked
refused known_hosts="$WORK/revoked"

note "an authority"
sed 's/^/@cert-authority /' "$SFTP_KNOWN_HOSTS" >authority
says NOT_SUPPORTED known_hosts="$WORK/authority" transport=libssh2

note "users"
ssh-keygen -q -t ed25519 -N '' -f stranger
ssh-keygen -q -t rsa -N '' -f rsa_key
ssh-keygen -q -t ecdsa -N 'a secret' -f locked
cat rsa_key.pub locked.pub >>"$WORK/other/authorized_keys"
says "DENIED: 127.0.0.1 port $SFTP_PORT: the server does not let" "$known" \
	identity_file="$WORK/stranger"
says NOT_SUPPORTED "$known" identity_file="$WORK/rsa_key" transport=libssh2
says "connected by command" "$known" identity_file="$WORK/rsa_key"
says "connected by libssh2" "$known" identity_file="$WORK/locked" \
	passphrase='a secret'
says DENIED "$known" identity_file="$WORK/locked" passphrase=wrong
eval "$(ssh-agent)" >agent.log
ssh-add -q stranger "$SFTP_KEY" 2>/dev/null
to=(host="$SFTP_HOST" port="$SFTP_PORT" username="$SFTP_USER")
says "connected by libssh2" "$known" transport=libssh2
HOME=$WORK says DENIED "$known" transport=libssh2 agent=no
ssh-add -q -D 2>/dev/null
ssh-add -q rsa_key 2>/dev/null
says "an RSA key, which libssh2 cannot show" "$known" transport=libssh2
says "connected by command" "$known"
kill "$SSH_AGENT_PID"
sed "s|^Host .*|&\n\tIdentityFile $WORK/rsa_key|" "$WORK/other/ssh_config" |
	grep -v "IdentityFile $SFTP_KEY" >rsa-config
to=(host=server)
says "connected by command" ssh_config="$WORK/rsa-config" agent=no
to=(host="$SFTP_HOST" port="$SFTP_PORT" username="$SFTP_USER")
# Trying again would not help, and a server may take it amiss.
url="sftp://$SFTP_USER@$SFTP_HOST:$SFTP_PORT/?transport=ssh"
"$STORECTL" ls "$url&identity_file=$WORK/stranger&$known!/" \
	2>refused && wrong "a stranger was let in"
grep -qi 'permission denied' refused || wrong "a stranger: $(cat refused)"
is "$(grep -c 'Connection closed by authenticating user' "$log")" 1 \
	"logins of a stranger"

note "what libssh2 does not speak"
start rsa SFTP_HOST_KEYS=rsa
says NOT_SUPPORTED "$known" transport=libssh2
says "connected by command" "$known"
start gcm SSHD_LINES='Ciphers aes256-gcm@openssh.com'
says NOT_SUPPORTED "$known" transport=libssh2
says "connected by command" "$known"
finish
