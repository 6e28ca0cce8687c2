#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# uid= and gid= replace every owner and make chown impossible, umask= clears
# bits from every mode, file_mode= and dir_mode= serve where the store keeps
# none, ro is EROFS, and without allow_other nobody else gets in (M9).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

# refuses ERROR COMMAND...: with the text of that errno.
refuses() {
	local error=$1
	shift

	"$@" 2>err && wrong "$kind: works: $*"
	is "$(sed 's/.*: //' err)" "$error" "$kind: $*"
}

owners() {
	is "$(stat -c '%u %g' "$mnt/f")" "1234 4321" "$kind: a file"
	is "$(stat -c '%u %g' "$mnt")" "1234 4321" "$kind: the root"
	mkdir "$mnt/new.d"
	touch "$mnt/new.d/new"
	is "$(stat -c '%u %g' "$mnt/new.d/new")" "1234 4321" "$kind: a new file"
	refuses "Operation not permitted" chown 1 "$mnt/f"
	refuses "Operation not permitted" chgrp 1 "$mnt/new.d"
	chmod 640 "$mnt/f" || wrong "$kind: chmod"
	is "$(stat -c '%a %u %g' "$mnt/f")" "640 1234 4321" "$kind: after chmod"
	# What the store keeps is not what the option shows.
	remount
	is "$(stat -c '%a %u %g' "$mnt/f")" "640 7 8" "$kind: without options"
}

masks() {
	is "$(stat -c %a "$mnt/f")" 600 "$kind: a file below umask=077"
	is "$(stat -c %a "$mnt")" 700 "$kind: the root below umask=077"
	is "$(stat -c %a "$mnt/d")" 700 "$kind: a folder below umask=077"
	(umask 0 && touch "$mnt/new" && mkdir "$mnt/new.d")
	is "$(stat -c %a "$mnt/new")" 600 "$kind: a new file"
	is "$(stat -c %a "$mnt/new.d")" 700 "$kind: a new folder"
	setpriv --reuid=nobody --clear-groups cat "$mnt/f" 2>err &&
		wrong "$kind: a stranger reads what umask=077 hides"
}

read_only() {
	is "$(cat "$mnt/f")" content "$kind: reading"
	refuses "Read-only file system" touch "$mnt/new"
	refuses "Read-only file system" mkdir "$mnt/new"
	refuses "Read-only file system" rm "$mnt/f"
	refuses "Read-only file system" mv "$mnt/f" "$mnt/g"
	refuses "Read-only file system" chmod 600 "$mnt/f"
	refuses "Read-only file system" ln -s f "$mnt/l"
	refuses "Read-only file system" setfattr -n user.a -v b "$mnt/f"
	is "$("$fileop" try open w "$mnt/f")" "open: EROFS" "$kind: writing"
}

private() {
	setpriv --reuid=nobody --clear-groups ls "$mnt" 2>err >out &&
		wrong "$kind: others get in without allow_other"
	is "$(cat "$mnt/f")" content "$kind: its owner"
}

prepare() {
	mkdir -m 777 "$mnt/d"
	printf content >"$mnt/f"
	chmod 666 "$mnt/f"
	chown 7:8 "$mnt/f"
}

# shellcheck disable=SC2086 # none or one
for kind in local sqlite $far; do
	note "$kind"
	store_new $kind
	mnt=$WORK/mnt-$kind
	mount_store "$url" "$mnt" "$shared" || fail "no mount"
	prepare
	remount "attr_timeout=1"
	private
	remount "$shared,uid=1234,gid=4321"
	owners
	remount "ro,$shared"
	read_only
	remount "$shared"
	chmod 666 "$mnt/f"
	remount "$shared,umask=077"
	masks
	unmount "$mnt"
done

# A row another program has put into the table has neither mode nor owner.
note "file_mode and dir_mode"
store_new sqlite
mnt=$WORK/mnt-modes
"$STORECTL" mkdir "$url!/d" || fail "storectl mkdir"
sqlite3 "$WORK/store.db" "INSERT INTO remote_store_objects
	(key, data, size, modified_at) VALUES ('a/row', 'abc', 3, 1.5)"
mount_store "$url" "$mnt" "$shared,file_mode=640,dir_mode=2710" ||
	fail "no mount"
is "$(stat -c '%a %s %Y' "$mnt/a/row")" "640 3 1" "a foreign row"
is "$(stat -c %a "$mnt/a")" 2710 "the folder above it"
chmod 604 "$mnt/a/row" || wrong "chmod of a foreign row"
(umask 022 && touch "$mnt/made")
is "$(stat -c %a "$mnt/made")" 644 "a file made here has its own"
remount "$shared,file_mode=600,dir_mode=700,umask=4"
is "$(stat -c %a "$mnt/a/row")" 600 "a foreign row after chmod, with umask=4"
is "$(stat -c %a "$mnt/a")" 700 "a folder without a mode"
is "$(stat -c %a "$mnt/made")" 640 "a file with a mode, with umask=4"
remount "$shared,file_mode=600"
is "$(stat -c %a "$mnt/a/row")" 604 "a foreign row after chmod"
unmount "$mnt"
finish
