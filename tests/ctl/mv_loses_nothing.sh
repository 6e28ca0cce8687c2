#!/bin/bash
# SPDX-License-Identifier: MIT
# F10, F11: moving inside a store and between stores, files and folders; what
# could not be copied stays, and -n touches neither end.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

moves() {
	local store=$1

	rm -rf tree back
	mkdir -p tree/sub
	echo 1 >tree/one
	echo 2 >tree/sub/two
	ln -s one tree/link
	chmod 700 tree/sub
	cp -a tree want
	expect 0 "$STORECTL" mv tree "${store}t"
	[ -e tree ] && fail "the source is still there"
	expect 0 "$STORECTL" mv "${store}t" "${store}u/v"
	expect 0 "$STORECTL" ls "${store}t"
	is "$(cat out)" ''
	expect 0 "$STORECTL" mv "${store}u/v/one" "${store}u/v/sub"
	expect 0 "$STORECTL" mv "${store}u/v/sub/one" "${store}u/v/one"
	expect 0 "$STORECTL" mv -v "${store}u/v" back
	says out ' -> back/sub/two'
	diff -r want back || fail "contents changed"
	is "$(stat -c %a back/sub)" 700
	expect 0 "$STORECTL" glob "${store}**"
	is "$(cat out)" ''
	expect 0 "$STORECTL" cp want/one "${store}x"
	expect 0 "$STORECTL" mv -n want/sub/two "${store}x"
	expect 0 "$STORECTL" cat "${store}x"
	is "$(cat out)" 1
	is "$(cat want/sub/two)" 2
	# A source that names its own destination in another way.
	expect 0 "$STORECTL" mv "file://$WORK/want!/one" want/one
	is "$(cat want/one)" 1
	ln -sfn want alias
	expect 11 "$STORECTL" mv "file://$WORK/alias!/one" want/one
	is "$(cat want/one)" 1
	rm -rf want
}

each_store moves
