#!/bin/bash
# SPDX-License-Identifier: MIT
# F9: cp -p keeps mode, times and extended attributes, on the way in and out;
# without it the umask rules and a replaced file keeps its mode. Symlinks and
# fifos are copied as such. The id of a put stays behind: a copy is another put.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"
umask 022

# Made through a mount, whose puts bring an id.
mkdir -p tree/dir mnt staging
"$STOREFS" "file://$WORK/tree" "$WORK/mnt" -o "staging_dir=$WORK/staging" ||
	fail "mount"
echo one >mnt/script
chmod 750 mnt/script
touch -d '2001-02-03 04:05:06.123456789Z' mnt/script
setfattr -n user.colour -v blue mnt/script 2>/dev/null
umount mnt || fusermount3 -u mnt || fail "umount"
chmod 750 tree/dir
ln -s script tree/link
mkfifo tree/pipe
touch -d '2002-02-03 04:05:06Z' tree/dir
id=$("$STORECTL" stat --json tree/script |
	sed -n 's/.*"publish":"\([0-9a-f]*\)".*/\1/p')

tell() {
	stat -c '%n %A %Y %y %F' "$1"
}

preserved() {
	local store=$1 path

	rm -rf back
	expect 0 "$STORECTL" cp -rp tree "${store}t"
	expect 0 "$STORECTL" cp -rp "${store}t" back
	for path in script dir link pipe; do
		is "$(cd back && stat -c '%n %A %F' $path)" \
			"$(cd tree && stat -c '%n %A %F' $path)"
	done
	for path in script dir; do
		is "$(cd back && tell $path)" "$(cd tree && tell $path)"
	done
	is "$(readlink back/link)" script
	if getfattr -n user.colour tree/script >/dev/null 2>&1; then
		[ ${#id} -eq 32 ] || fail "no id of 16 bytes: '$id'"
		is "$(getfattr --only-values -n user.colour back/script)" blue
		expect 0 "$STORECTL" stat "${store}t/script"
		says out 'user.colour = blue'
		silent out 'put id'
		expect 0 "$STORECTL" stat tree/script
		says out "put id        $id"
		expect 0 "$STORECTL" stat --json tree/script
		says out "\"publish\":\"$id\""
		silent out 'user.storefs'
		says out '"PUBLISH_ID"'
		expect 0 "$STORECTL" caps "${store%!/}"
		says out PUBLISH_ID
	fi
	expect 0 "$STORECTL" stat --json "${store}t/script"
	silent out '"publish":'
	says out '"mode":"0750"'
	says out '"mtime":"2001-02-03T04:05:06.123456789Z"'
}

plain() {
	local store=$1

	rm -rf back
	expect 0 "$STORECTL" cp tree/script "${store}s"
	expect 0 "$STORECTL" stat --json "${store}s"
	says out '"mode":"0750"'
	silent out '2001-02-03'
	(umask 077 && "$STORECTL" cp "${store}s" back) || fail cp
	is "$(stat -c %a back)" 700
	chmod 604 back
	expect 0 "$STORECTL" cp "${store}s" back
	is "$(stat -c %a back)" 604
}

each_store preserved
each_store plain
