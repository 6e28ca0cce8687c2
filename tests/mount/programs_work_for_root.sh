#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
# Programs work unchanged, run by root on root's mount (M1).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/mount/programs.sh
. "$SRCDIR/tests/mount/programs.sh"
need_root

run() {
	"$@" || {
		wrong "$kind: $*"
		return 1
	}
}

programs() {
	programs_run
	[ "$kind" != memory ] || return 0
	remount
	run diff -r --no-dereference "$there/tree" "$mnt/program_cp/copy"
	same_times "$mnt/program_tar/tree" "a remount"
}

programs_prepare
each_store "local sqlite memory $far" programs
finish
