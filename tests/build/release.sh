#!/bin/sh
# SPDX-License-Identifier: MIT
# The release archive holds all that it takes to build, test and install.
# busy: compiles all the time
# timeout: 300
set -eu

make --no-print-directory -s -C "$BUILDDIR" distdir distdir="$WORK/release"
cd "$WORK/release"
./configure --quiet --prefix="$WORK/usr" \
	--with-mount-helper-dir="$WORK/usr/sbin" CFLAGS=-O0
make --no-print-directory -s
make --no-print-directory -s install
"$WORK/usr/bin/storectl" --version
[ -L "$WORK/usr/sbin/mount.storefs" ]
for page in ./doc/*.[158]; do
	[ ! -e "$page" ] ||
		find "$WORK/usr/share/man" -name "${page##*/}" | grep -q . || {
		echo "not installed: $page"
		exit 1
	}
done
