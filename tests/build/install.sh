#!/bin/sh
# SPDX-License-Identifier: MIT
# `make install` gives a program outside the tree all it needs: headers,
# pkg-config, the shared library with versioned symbols, and mount(8) its
# helpers; `make uninstall` takes all of it away.
# timeout: 120
set -eu

root=$WORK/root

fail() {
	printf '%s\n' "$*"
	exit 1
}

present() {
	[ -e "$root$1" ] || [ -L "$root$1" ] || fail "missing: $1"
}

in_build() {
	make --no-print-directory -s -C "$BUILDDIR" "$@" DESTDIR="$root"
}

in_build install
present /usr/local/bin/storefs
present /usr/local/bin/storectl
present /usr/local/lib/libstorefs.so
present /usr/local/include/storefs/store.h
for helper in mount.storefs mount.fuse.storefs umount.fuse.storefs; do
	present "/sbin/$helper"
	[ "$(readlink "$root/sbin/$helper")" = /usr/local/bin/storefs ] ||
		fail "/sbin/$helper is not the driver"
done

cat >client.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <storefs/store.h>

int main(void)
{
	struct store_error error = STORE_ERROR_INIT;
	struct store_memory_source memory;
	struct store_source *source;
	struct store *store;
	void *data;
	size_t size;

	source = store_memory_source_init(&memory, "hello", 5);
	if (store_open_url("memory:", NULL, &store, &error) ||
	    store_write(store, NULL, "a/b", source, NULL, NULL, &error) ||
	    store_read_all(store, NULL, "a/b", 100, &data, &size, &error)) {
		fprintf(stderr, "%s\n", error.message);
		return 1;
	}
	store_close(store);
	if (size != 5 || memcmp(data, "hello", 5) != 0)
		return 1;
	free(data);
	return 0;
}
END
export PKG_CONFIG_PATH="$root/usr/local/lib/pkgconfig"
export PKG_CONFIG_SYSROOT_DIR="$root"
# shellcheck disable=SC2046 # flags are words
cc -std=c11 -Wall -Wextra -Werror -o client client.c \
	$(pkg-config --cflags --libs storefs)
LD_LIBRARY_PATH=$root/usr/local/lib ./client || fail "the client fails"
nm -D client | grep -q 'store_open_url@STOREFS_0.1' ||
	fail "symbols carry no version"

in_build uninstall
left=$(find "$root" ! -type d)
[ -z "$left" ] || fail "left by uninstall: $left"
