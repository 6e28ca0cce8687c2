# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A proxy between a test and a server on 127.0.0.1; sourced by bash. What it
# can be told: proxy_control.c, proxy_fault.c.
: "${BUILDDIR:?}"

# proxy_start PLACE http|tcp PORT: sets proxy_port. It ends with the shell, or
# by proxy_stop PLACE.
proxy_start() {
	mkdir -p "$1" && rm -f "$1/ready" && mkfifo "$1/ready" || return 1
	"$BUILDDIR/tests/servers/proxy" "$@" >"$1/ready" &
	proxy_port=
	read -r proxy_port <"$1/ready" || {
		echo "the proxy of $1 does not start" >&2
		return 1
	}
}
proxy_port=

# proxy PLACE COMMAND...
proxy() {
	"$BUILDDIR/tests/servers/proxy" -c "$@"
}

proxy_stop() {
	local pid

	read -r pid <"$1/pid" || return 0
	rm -f "$1/pid"
	kill "$pid"
	wait "$pid" 2>/dev/null || :
}

# proxy_count PLACE [verb=PATTERN] [target=PATTERN]: how many requests came.
proxy_count() {
	local place=$1 count
	shift

	count=$(proxy "$place" count "$@") || return 1
	echo "${count%% *}"
}

# proxy_sent, proxy_fetched: bytes of their bodies, to the server and back.
proxy_sent() {
	local place=$1
	shift

	proxy "$place" count "$@" | cut -d ' ' -f 2
}

proxy_fetched() {
	local place=$1
	shift

	proxy "$place" count "$@" | cut -d ' ' -f 3
}
