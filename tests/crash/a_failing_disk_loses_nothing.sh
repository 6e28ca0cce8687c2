#!/bin/bash
# SPDX-License-Identifier: MIT
# build: --enable-steps
# timeout: 300
# timeout-full: 14400
# The disk below the staging directory fails at any moment of
# commit=background, and the driver lives on for a while. What is acknowledged
# before or after that is whole when the disk is there again.
# shellcheck source=tests/crash/lib.sh
. "$SRCDIR/tests/crash/lib.sh"
# shellcheck source=tests/crash/disk.sh
. "$SRCDIR/tests/crash/disk.sh"
need_root
cuts=3
[ "$full" = 0 ] || cuts=100

echo "seed $seed"
for filesystem in ext4 xfs; do
	for ((i = 0; i < cuts; i++)); do
		for kind in local sqlite; do
			cut "$kind" "$filesystem" disk
			survived
		done
	done
done
disk_gone
echo "$survivals failures of the disk survived"
finish
