#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
# Programs work unchanged, run by an ordinary user on a mount of root's with
# allow_other,default_permissions (M1, M9).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/mount/programs.sh
. "$SRCDIR/tests/mount/programs.sh"
need_root

run() {
	as_user "$@" || {
		wrong "$kind: $*"
		return 1
	}
}

programs() {
	local top=$mnt

	mkdir "$mnt/private" "$mnt/theirs"
	echo secret >"$mnt/private/file"
	chmod 700 "$mnt/private"
	as_user cat "$mnt/private/file" 2>/dev/null &&
		wrong "$kind: $user reads what is root's"
	as_user touch "$mnt/new" 2>/dev/null &&
		wrong "$kind: $user writes into root's folder"
	chown "$user": "$mnt/theirs"
	mnt=$top/theirs
	programs_run
	mnt=$top
	is "$(find "$mnt/theirs" ! -user "$user")" "" "$kind: owners"
}

user_setup
programs_prepare "$user"
chmod 777 "$WORK"
each_store "local sqlite $far" programs
finish
