#!/bin/bash
# SPDX-License-Identifier: MIT
# K5, F8: whatever goes in comes out: files of awkward sizes, through pipes,
# within a store and between two, alone and as a tree.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

sizes='0 1 4095 1048576 1048577 5000000'
mkdir -p tree/deep/er tree/empty
for size in $sizes; do
	head -c "$size" /dev/urandom >"tree/file-$size"
done
cp tree/file-4095 'tree/deep/er/ü ?#%&+*"<>'
truncate -s 3M tree/deep/hole
printf 'end' >>tree/deep/hole
long=$(printf 'n%.0s' {1..255})
echo long >"tree/$long"

files() {
	local store=$1 size

	for size in $sizes; do
		expect 0 "$STORECTL" cp "tree/file-$size" "${store}f$size"
		expect 0 "$STORECTL" cat "${store}f$size"
		same out "tree/file-$size"
		expect 0 "$STORECTL" cp "${store}f$size" "${store}again/f"
		expect 0 "$STORECTL" cp "${store}again/f" back
		same back "tree/file-$size"
		"$STORECTL" cp - "${store}piped" <"tree/file-$size" ||
			fail "cp from standard input"
		head -c "$size" "tree/file-$size" |
			"$STORECTL" cp - "${store}piped" ||
			fail "cp from a pipe"
		"$STORECTL" cp "${store}piped" - | cmp - "tree/file-$size" ||
			fail "cp to a pipe"
		expect 0 "$STORECTL" sum "${store}piped"
		is "$(cut -d ' ' -f 1 out)" \
			"$(sha256sum <"tree/file-$size" | cut -d ' ' -f 1)"
	done
}

trees() {
	local store=$1

	rm -rf back other.store
	mkdir other.store
	expect 0 "$STORECTL" cp -r tree "${store}t/tree"
	expect 0 "$STORECTL" cp -r "${store}t/tree" "file://$WORK/other.store/"
	diff -r tree other.store/tree || fail "store to store"
	expect 0 "$STORECTL" cp -r "${store}t/tree" "${store}inside"
	expect 0 "$STORECTL" cp -r "${store}inside" back
	diff -r tree back || fail "store to local"
	expect 0 "$STORECTL" du --json "${store}inside"
	says out '"files":9'
	# Into an existing folder a source goes under its own name.
	expect 0 "$STORECTL" cp tree/file-1 "tree/$long" "${store}inside/"
	expect 0 "$STORECTL" stat "${store}inside/$long"
	# A folder is copied with -r only, and never into itself.
	expect 8 "$STORECTL" cp tree "${store}no"
	expect 5 "$STORECTL" cp -r "${store}inside" "${store}inside/deep/er"
}

each_store files
each_store trees
