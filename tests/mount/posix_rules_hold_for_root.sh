#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# timeout-full: 3600
# The POSIX suite finds nothing wrong with a mount made by root for everybody:
# permissions, times, renames, links, locks, special files, limits (M2).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

suite() {
	# shellcheck disable=SC2046 # options or nothing
	"$posix/posix_suite" $(without "$kind" posix_suite) "$mnt" ||
		wrong "the POSIX suite on $kind"
}

# A sample run leaves one of two stores to posix_rules_hold_for_a_user.
stores="local sqlite memory $far"
[ "$full" = 1 ] ||
	{ [ $((SEED % 2)) = 0 ] && stores="local memory" ||
		stores="sqlite memory"; }
each_store "$stores" suite
finish
