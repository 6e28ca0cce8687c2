#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
# Programs work unchanged on a mount that an ordinary user made through
# fusermount3, and nobody else gets in (M1).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/mount/programs.sh
. "$SRCDIR/tests/mount/programs.sh"
need_root
user_may_mount "$@"

starter=(as_user)
mount_base=$user_home
staging_base=$user_home

run() {
	as_user "$@" || {
		wrong "$kind: $*"
		return 1
	}
}

# The control socket and the mount are the user's own.
status_of() {
	as_user "$STORECTL" status --json "$1" 2>/dev/null |
		sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p"
}

programs() {
	ls "$mnt" >/dev/null 2>&1 && wrong "$kind: root gets in"
	is "$(as_user stat -c %U "$mnt")" "$user" "$kind: owner of the root"
	programs_run
	as_user diff -r --no-dereference "$there/tree" \
		"$mnt/program_cp/copy" || wrong "$kind: in the end"
}

programs_prepare "$user"
chmod 777 "$WORK"
each_store "local sqlite $far" programs ""
finish
