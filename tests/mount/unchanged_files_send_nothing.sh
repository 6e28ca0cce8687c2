#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# Opening and closing without a change publishes nothing; changes of mode,
# times and owner send no body (M3).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

# sends WANTED NAME COMMAND...
sends() {
	local wanted=$1 name=$2 before
	shift 2

	wait_settled "$mnt"
	before=$(puts_of "$mnt")
	"$@" >/dev/null || wrong "$kind: $name fails"
	wait_settled "$mnt"
	is "$(($(puts_of "$mnt") - before))" "$wanted" "$kind: puts of $name"
}

cases() {
	local f=$mnt/f

	dd if=/dev/zero of="$f" bs=1M count=4 2>/dev/null
	sends 0 "open for both" "$fileop" open rw "$f" close
	sends 0 "open for writing" "$fileop" open w "$f" close
	sends 0 "open for appending" "$fileop" open wa "$f" close
	sends 0 "reading" cat "$f"
	sends 0 "fsync of an unchanged file" "$fileop" open rw "$f" fsync close
	sends 0 "a truncation to its size" "$fileop" open rw "$f" \
		truncate 4194304 close
	sends 0 "a mapping that is only read" "$fileop" open rw "$f" map 4096 \
		unmap close
	sends 0 chmod chmod 600 "$f"
	sends 0 touch touch -d '2001-02-03 04:05:06.789' "$f"
	sends 0 chown chown 1:2 "$f"
	if has XATTR; then
		sends 0 setfattr setfattr -n user.a -v b "$f"
	else
		expect 1 setfattr -n user.a -v b "$f"
		says "$WORK/err" "Operation not supported"
	fi
	sends 0 mv mv "$f" "$f.2"
	if has LINKS; then
		sends 0 ln ln "$f.2" "$f.3"
	else
		expect 1 ln "$f.2" "$f.3"
		says "$WORK/err" "Operation not permitted"
	fi
	sends 1 "one byte" "$fileop" open rw "$f.2" write x close
	sends 1 "two closes of one change" "$fileop" open rw "$f.2" write y \
		fsync close
	is "$(stat -c %a "$mnt/f.2")" 600 "$kind: mode"
	remount
	is "$(stat -c '%a %u %g' "$mnt/f.2")" "600 1 2" \
		"$kind: attributes after a remount"
}

each_store "local sqlite $far" cases
finish
