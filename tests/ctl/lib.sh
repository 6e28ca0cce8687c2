# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests of storectl share; sourced. Each runs in its own $WORK.
: "${STORECTL:?}" "${WORK:?}"
set -u

fail() {
	printf 'FAIL: %s\n' "$*"
	exit 1
}

# expect STATUS COMMAND...: runs it; any other exit status ends the test. What
# it prints is in out and err.
expect() {
	local want=$1 got
	shift

	"$@" >out 2>err </dev/null
	got=$?
	[ "$got" -eq "$want" ] && return 0
	cat out err
	fail "exit status $got instead of $want: $*"
}

# same FILE FILE
same() {
	cmp "$1" "$2" || fail "$1 and $2 differ"
}

# says FILE TEXT: the text stands in the file.
says() {
	grep -qF -- "$2" "$1" && return 0
	cat "$1"
	fail "no '$2' in $1"
}

# silent FILE TEXT: it does not.
silent() {
	! grep -qF -- "$2" "$1" && return 0
	cat "$1"
	fail "'$2' in $1"
}

# is TEXT WANTED
is() {
	[ "$1" = "$2" ] || fail "'$1' instead of '$2'"
}

# each_store FUNCTION: calls it with a fresh store of each kind that outlives
# a process, as prefix: "${prefix}key" is an operand.
each_store() {
	rm -rf "$WORK/store-local" "$WORK/store.db"*
	mkdir "$WORK/store-local"
	echo "-- local"
	"$1" "file://$WORK/store-local!/"
	if "$STORECTL" ping "sqlite:///$WORK/store.db" >/dev/null 2>&1; then
		echo "-- sqlite"
		"$1" "sqlite:///$WORK/store.db!/"
	fi
}

cd "$WORK" || exit 1
