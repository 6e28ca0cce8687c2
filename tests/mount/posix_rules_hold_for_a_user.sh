#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# The POSIX suite finds nothing wrong for an ordinary user, neither on a mount
# of root's nor on one of their own (M2).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
user_may_mount "$@"

suite() {
	mkdir -m 777 "$mnt/theirs"
	chown "$user": "$mnt/theirs"
	# shellcheck disable=SC2046 # options or nothing
	as_user "$posix/posix_suite" $(without "$kind" posix_suite) \
		"$mnt/theirs" ||
		wrong "the POSIX suite on root's $kind"
}

own_suite() {
	as_user mkdir "$mnt/mine"
	# shellcheck disable=SC2046 # options or nothing
	as_user "$posix/posix_suite" $(without "$kind" posix_suite) \
		"$mnt/mine" ||
		wrong "the POSIX suite on the user's $kind"
}

chmod 777 "$WORK"
# A sample run leaves one of two stores to posix_rules_hold_for_root, and the
# other mount to the first.
stores="local sqlite $far" own="local sqlite $far"
[ "$full" = 1 ] ||
	{ [ $((SEED % 2)) = 0 ] && stores=sqlite own=local ||
		stores=local own=sqlite; }
each_store "$stores" suite

starter=(as_user)
mount_base=$user_home
staging_base=$user_home
status_of() {
	as_user "$STORECTL" status --json "$1" 2>/dev/null |
		sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p"
}
each_store "$own" own_suite ""
finish
