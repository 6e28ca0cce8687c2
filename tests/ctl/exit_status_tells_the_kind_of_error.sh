#!/bin/bash
# SPDX-License-Identifier: MIT
# E1, K1-K3, F1, F2, F10, D1-D3: every kind of failure has its exit status and
# its message names the key.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

errors() {
	local store=$1 root

	echo text >local
	expect 0 "$STORECTL" cp local "${store}d/f"
	expect 2 "$STORECTL" cat "${store}d/missing"
	says err 'd/missing: '
	expect 2 "$STORECTL" cat --json "${store}d/missing"
	says err '"error":"NOT_FOUND"'
	says err '"key":"d/missing"'
	expect 2 "$STORECTL" rm "${store}d/missing"
	expect 0 "$STORECTL" rm -f "${store}d/missing"
	expect 8 "$STORECTL" cat "${store}d"
	expect 8 "$STORECTL" rm "${store}d"
	expect 8 "$STORECTL" rm -f "${store}d"
	expect 0 "$STORECTL" cat "${store}d/f"
	expect 9 "$STORECTL" rmdir "${store}d/f"
	expect 10 "$STORECTL" rmdir "${store}d"
	expect 3 "$STORECTL" mkdir "${store}d"
	expect 0 "$STORECTL" mkdir -p "${store}d"
	expect 3 "$STORECTL" mkdir -p "${store}d/f"
	expect 9 "$STORECTL" cp local "${store}d/f/below"
	expect 0 "$STORECTL" cp -n local "${store}d/f"
	expect 2 "$STORECTL" mv "${store}nothing" "${store}d"
	expect 9 "$STORECTL" cp local local "${store}d/f"
	# K2: nothing climbs.
	expect 5 "$STORECTL" cat "${store}d/../f"
	expect 0 "$STORECTL" cp local "${store}a..b"
	# K3: the root is a folder in all its spellings.
	for root in '' . ./ .// ./. /; do
		expect 5 "$STORECTL" cat "${store}$root"
		expect 5 "$STORECTL" rm -rf "${store}$root"
		expect 5 "$STORECTL" rmdir "${store}$root"
		expect 5 "$STORECTL" mv "${store}$root" "$WORK/moved"
		expect 0 "$STORECTL" ls "${store}$root"
		expect 0 "$STORECTL" du "${store}$root"
	done
	# K1: one key, many spellings.
	expect 0 "$STORECTL" cat "${store}d\\f"
	expect 0 "$STORECTL" cat "${store}//d/.//f"
	is "$(cat out)" text
	case $store in
	*!/)
		: >fault
		expect 0 "$STORECTL" cat "${store%!/}?fault=$PWD/fault!/d/f"
		is "$(cat out)" text
		expect 0 "$STORECTL" cat "${store}d/f?fault=$PWD/fault"
		is "$(cat out)" text
		;;
	esac
	# D1: nothing there is nothing listed.
	expect 0 "$STORECTL" ls "${store}nowhere"
	is "$(cat out)" ''
	expect 0 "$STORECTL" ls "${store}d/f/below"
	is "$(cat out)" ''
	# F10: onto itself nothing happens.
	expect 0 "$STORECTL" mv "${store}d/f" "${store}d/f"
	expect 0 "$STORECTL" cp "${store}d/f" "${store}d/f"
	expect 0 "$STORECTL" cat "${store}d/f"
	# The first failure decides, the rest is done.
	expect 2 "$STORECTL" cat "${store}none" "${store}d/f" "${store}d"
	is "$(cat out)" text
}

usage() {
	expect 1 "$STORECTL"
	expect 1 "$STORECTL" lss
	says err "did you mean 'ls'"
	expect 1 "$STORECTL" ls
	expect 1 "$STORECTL" ls --no-such-option .
	expect 1 "$STORECTL" ls -d -1 .
	expect 1 "$STORECTL" ls -d x .
	expect 1 "$STORECTL" ls -d
	expect 1 "$STORECTL" mkdir -m 9 x
	expect 1 "$STORECTL" cp one
	expect 1 "$STORECTL" sum -a rot13 .
	expect 1 "$STORECTL" --timeout soon ls .
	expect 0 "$STORECTL" --help
	expect 0 "$STORECTL" ls --help
	expect 0 "$STORECTL" --version
	expect 5 "$STORECTL" ls nosuch://x
	expect 6 "$STORECTL" ls az://container/key
	expect 2 "$STORECTL" -c /nonexistent ls x:
	expect 2 "$STORECTL" ls nostore:
	expect 5 "$STORECTL" ping "file://$WORK!/key"
	expect 2 "$STORECTL" ping "file://$WORK/none"
	expect 2 "$STORECTL" sum ./no:such
	expect 5 "$STORECTL" cat ''
	# What could not be printed was not done.
	"$STORECTL" ls "$SRCDIR" >/dev/full 2>err
	is $? 12
}

each_store errors
usage
