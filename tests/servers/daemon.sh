# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the scripts share that start a server for a test; sourced by sh.

# fail TEXT: under the name of the script.
fail() {
	echo "${0##*/}: $*" >&2
	exit 1
}

# Running, or at least not yet reaped with threads of its own.
alive() {
	[ -d "/proc/$1" ] || return 1
	grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null || return 0
	set -- "/proc/$1/task/"*
	[ $# -gt 1 ]
}

# end PID: at once, with all its descendants: an open connection is a process
# of its own and would outlive the one that listens.
end() {
	# shellcheck disable=SC2013 # one line of words
	for child in $(cat "/proc/$1/task/"*/children 2>/dev/null); do
		(end "$child")
	done
	kill -KILL "$1" 2>/dev/null || :
	n=0
	while alive "$1" && [ "$n" -lt 200 ]; do
		n=$((n + 1))
		sleep 0.02
	done
}

# stop DIR: the server that daemon() has started there.
stop() {
	[ -f "$1/pid" ] || return 0
	end "$(cat "$1/pid")"
	rm -f "$1/pid"
}

# A port that nobody listens on, as far as can be told.
free_port() {
	awk -v seed="$(od -An -N3 -tu4 /dev/urandom)" '
	FNR > 1 && $4 == "0A" {
		split($2, part, ":")
		used[part[2]] = 1
	}
	END {
		srand(seed)
		for (try = 0; try < 200; try++) {
			port = 10000 + int(rand() * 2000)
			if (!(sprintf("%04X", port) in used)) {
				print port
				exit
			}
		}
		exit 1
	}' /proc/net/tcp /proc/net/tcp6
}

# daemon COMMAND...: in the background; its pid is in $dir/pid, and what it
# says in $dir/log.
daemon() {
	setsid "$@" </dev/null >>"$dir/log" 2>&1 8>&- &
	echo $! >"$dir/pid"
}

# greets PORT: it listens, and shows a host key.
greets() {
	n=0
	type=${SFTP_HOST_KEYS:-ed25519}
	until ssh-keyscan -p "$1" -t "${type%% *}" 127.0.0.1 2>/dev/null |
		grep -q '^\['; do
		n=$((n + 1))
		[ "$n" -lt 600 ] && alive "$(cat "$dir/pid")" || return 1
		sleep 0.05
	done
}

# host_keys: one of each type in $dir, unless they are there.
host_keys() {
	for type in ed25519 ecdsa rsa; do
		[ -f "$dir/host_$type" ] ||
			ssh-keygen -q -m PEM -t "$type" -N '' -C '' -f "$dir/host_$type"
	done
}

# client USER PORT: what a client has to know, for ssh and for a test.
client() {
	for type in ed25519 ecdsa rsa; do
		printf '[127.0.0.1]:%s %s\n' "$2" "$(cat "$dir/host_$type.pub")"
	done >"$dir/known_hosts"
	cat >"$dir/ssh_config" <<-END
		Host server
			HostName 127.0.0.1
			Port $2
			User $1
			IdentityFile $dir/user_key
			IdentitiesOnly yes
			UserKnownHostsFile $dir/known_hosts
			GlobalKnownHostsFile /dev/null
			StrictHostKeyChecking yes
			BatchMode yes
	END
	cat >"$dir/env" <<-END
		export SFTP_HOST=127.0.0.1
		export SFTP_PORT=$2
		export SFTP_USER=$1
		export SFTP_KEY=$dir/user_key
		export SFTP_KNOWN_HOSTS=$dir/known_hosts
		export SFTP_ROOT=$dir/data
	END
}

# bring_up DIR [PORT]: configure() and serve() are the script's own. A server
# that was stopped comes back with the keys, and on the port, it had.
bring_up() {
	mkdir -p "$1/data"
	dir=$(cd "$1" && pwd)
	: >"$dir/log"
	# Until it listens others could take the same port.
	exec 8>"/tmp/storefs-sftp-$(id -u).lock"
	flock 8
	port=${2:-$(free_port)}
	if ! configure >>"$dir/log" 2>&1 || ! serve || ! greets "$port"; then
		stop "$dir"
		tail -n 20 "$dir/log" >&2
		fail "it does not come up"
	fi
	exec 8>&-
}

# run start DIR [PORT] | stop DIR
run() {
	case ${1-} in
	start)
		[ $# -ge 2 ] || fail "start DIR [PORT]"
		bring_up "$2" "${3-}"
		;;
	stop)
		[ $# -eq 2 ] || fail "stop DIR"
		stop "$2"
		;;
	*)
		fail "start DIR [PORT], or stop DIR"
		;;
	esac
}
