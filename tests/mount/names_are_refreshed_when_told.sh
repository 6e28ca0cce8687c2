#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# storectl refresh: a mount that believes what it knows for a minute shows what
# others have changed at once, there and below; what it is told nothing about
# it goes on believing.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
mnt=$WORK/mnt
mkdir "$mnt"

# names_known: what the mount is to believe.
names_known() {
	cat "$mnt/dir/file" "$mnt/dir/below/file" "$mnt/file" >/dev/null
	[ -d "$mnt/dir/old" ] || wrong "no folder yet"
	[ -e "$mnt/dir/gone" ] || wrong "no file yet"
	[ -e "$mnt/dir/later" ] && wrong "a name too early"
	[ -e "$mnt/later" ] && wrong "a name too early"
	ls -lR "$mnt" >/dev/null
}

# names_there: how many the mount knows when all are looked up.
names_there() {
	find "$mnt/dir" -printf '%p %s\n' >/dev/null
	"$STORECTL" refresh --json "$mnt/dir" | sed 's/.*"names":\([0-9]*\).*/\1/'
}

put() {
	printf %s "$1" | "$STORECTL" cp - "$url!/$2" || wrong "storectl cp"
}

changes() {
	local name

	for name in dir/file dir/below/file file; do
		put "new $name" "$name"
	done
	put later dir/later
	put later later
	"$STORECTL" rm "$url!/dir/gone" || wrong "storectl rm"
	"$STORECTL" rmdir "$url!/dir/old" || wrong "storectl rmdir"
}

# A file of many names is many names, and no more.
links_are_names() {
	local name names

	names=$(names_there)
	for name in 1 2 3 4 5 6 7; do
		ln "$mnt/dir/file" "$mnt/dir/link-$name" || wrong "$kind: ln"
	done
	is "$(names_there)" $((names + 7)) "$kind: names"
}

cases() {
	local name

	for name in dir/file dir/below/file dir/gone file; do
		put old "$name"
	done
	"$STORECTL" mkdir "$url!/dir/old" || wrong "storectl mkdir"
	unmount "$mnt"
	mount_store "$url" "$mnt" \
		"$shared,attr_timeout=60,entry_timeout=60,negative_timeout=60" ||
		fail "no mount"
	names_known
	exec 5<"$mnt/dir/file"
	changes
	is "$(stat -c %s "$mnt/file" "$mnt/dir/file")" $'3\n3' "$kind: believed"
	[ -e "$mnt/dir/later" ] && wrong "$kind: a name that is not believed missing"
	[ -e "$mnt/dir/gone" ] || wrong "$kind: a name that is not believed"
	expect 0 "$STORECTL" refresh "$mnt/dir"
	is "$(cat out)" '' "$kind: output"
	is "$(cat "$mnt/dir/file")" 'new dir/file' "$kind: content"
	is "$(cat "$mnt/dir/below/file")" 'new dir/below/file' "$kind: below"
	is "$(cat "$mnt/dir/later")" later "$kind: a new name"
	[ -e "$mnt/dir/gone" ] && wrong "$kind: a removed file"
	[ -d "$mnt/dir/old" ] && wrong "$kind: a removed folder"
	(cat <&5) >open 2>/dev/null && is "$(cat open)" old "$kind: an open file"
	exec 5<&-
	is "$(stat -c %s "$mnt/file")" 3 "$kind: beside it"
	expect 0 "$STORECTL" refresh --json "$mnt/file" "$mnt"
	is "$(grep -c '"names":' out)" 2 "$kind: lines"
	is "$(stat -c %s "$mnt/file")" 8 "$kind: a file itself"
	is "$(cat "$mnt/file" "$mnt/later")" 'new filelater' "$kind: the root"
	[ "$kind" = s3 ] || links_are_names
	# What was written here is not lost over it.
	exec 6>"$mnt/dir/mine"
	echo one >&6
	expect 0 "$STORECTL" refresh "$mnt"
	echo two >&6
	exec 6>&-
	is "$(stored dir/mine)" $'one\ntwo' "$kind: what is being written"
}

each_store "local sqlite $far" cases
expect 2 "$STORECTL" refresh "$WORK"
says err "$WORK"
expect 1 "$STORECTL" refresh
finish
