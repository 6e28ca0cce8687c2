#!/bin/bash
# SPDX-License-Identifier: MIT
# K4, K5: names that are not UTF-8 or hold control characters are kept, printed
# raw into a pipe, quoted on a terminal, and key_b64 in JSON. Errors are clean.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

bad=$'bad\xff\x1b[31m\nname'

names() {
	local store=$1 name

	rm -rf back
	mkdir -p tree
	echo x >"tree/$bad"
	echo y >'tree/back\slash'
	expect 0 "$STORECTL" cp -r tree "${store}t"
	expect 0 "$STORECTL" ls -s "${store}t"
	is "$(cat out)" "back\\slash"$'\n'"$bad"
	expect 0 "$STORECTL" ls --json "${store}t"
	says out "\"key_b64\":\"$(printf 't/%s' "$bad" | base64)\""
	says out '"key":"t/back\\slash"'
	expect 0 "$STORECTL" cp -r "${store}t" back
	diff -r tree back || fail "names changed"
	for name in ls tree glob; do
		script -qec "$STORECTL $name '${store}t$(
			[ $name = glob ] && printf '/*'
		)'" /dev/null >out
		says out "bad\\xff\\x1b[31m\\nname'"
	done
	# K4: only their own.
	for name in a_b/x axb/y a%/z Up/u up/l data dataset/f; do
		expect 0 "$STORECTL" cp tree/back*slash \
			"${store}k/${name//%/%25}"
	done
	expect 0 "$STORECTL" ls "${store}k/a_b"
	is "$(cat out)" x
	expect 0 "$STORECTL" rm -r "${store}k/a_b" "${store}k/a%25" \
		"${store}k/up" "${store}k/data"
	expect 0 "$STORECTL" glob -s "${store}k/**"
	is "$(sed 's,.*!/,,' out)" $'k/Up/u\nk/axb/y\nk/dataset/f'
}

each_store names
expect 2 "$STORECTL" cat "./$bad"
grep -q '[[:cntrl:]]' err && fail "control characters in an error"
says err 'bad\xff'
expect 2 "$STORECTL" --json cat "./$bad"
says err '"key_b64":'
