#!/bin/bash
# SPDX-License-Identifier: MIT
# D3, D4: depth is inclusive, patterns filter names, ** crosses folders, and
# thousands of names are listed once each.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

mkdir -p tree/a/b/c
for dir in tree tree/a tree/a/b tree/a/b/c; do
	: >$dir/x.txt
	: >$dir/y.csv
done

listed() {
	sort out | tr '\n' ' '
}

depths() {
	local store=$1

	expect 0 "$STORECTL" cp -r tree "${store}t"
	expect 0 "$STORECTL" ls "${store}t"
	is "$(listed)" 'a/ x.txt y.csv '
	expect 0 "$STORECTL" ls -d 0 "${store}t"
	is "$(listed)" 'a/ x.txt y.csv '
	expect 0 "$STORECTL" ls -d 1 -p '*.txt' "${store}t"
	is "$(listed)" 'a/x.txt x.txt '
	expect 0 "$STORECTL" ls -R -p '*.csv' "${store}t"
	is "$(listed)" 'a/b/c/y.csv a/b/y.csv a/y.csv y.csv '
	expect 0 "$STORECTL" ls -l "${store}t/x.txt"
	says out 'x.txt'
	expect 0 "$STORECTL" tree -s "${store}t"
	says out "3 folders, 8 files"
	says out '|   `-- y.csv'
	expect 0 "$STORECTL" glob "${store}t/*.txt"
	is "$(sed 's,.*!/,,' out | tr '\n' ' ')" 't/x.txt '
	expect 0 "$STORECTL" glob -s "${store}**/*.txt"
	is "$(sed 's,.*!/,,' out | tr '\n' ' ')" \
		't/a/b/c/x.txt t/a/b/x.txt t/a/x.txt t/x.txt '
	expect 5 "$STORECTL" glob "${store}t/**x"
	expect 0 "$STORECTL" du -d 1 "${store}t"
	says out '4 files'
}

many() {
	local store=$1 i

	rm -rf many
	mkdir many
	for ((i = 0; i < 2500; i++)); do
		: >"many/name-$i"
	done
	expect 0 "$STORECTL" cp -r many "${store}many"
	expect 0 "$STORECTL" ls "${store}many"
	is "$(sort -u out | wc -l)" 2500
	is "$(wc -l <out)" 2500
	expect 0 "$STORECTL" ls --json "${store}many"
	is "$(grep -c '^{"key":"many/name-[0-9]*",.*}$' out)" 2500
	expect 0 "$STORECTL" rm -r "${store}many"
	expect 0 "$STORECTL" ls -R "$store"
	is "$(cat out)" ''
}

each_store depths
each_store many
# Local patterns look where we are.
expect 0 "$STORECTL" glob 'tree/**/y.csv'
is "$(wc -l <out)" 4
