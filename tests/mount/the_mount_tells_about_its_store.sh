#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# statfs has the figures of the disk below a store, and 1 PiB free where there
# is none (M10); user.storefs.* tells about mount and file, is
# not listed and cannot be written (M4); file numbers stay over publishing,
# renaming and remounting.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

xattr() {
	getfattr --only-values -n "user.storefs.$2" "$1" 2>/dev/null
}

figures() {
	local free on=$WORK

	if [ "$kind" != memory ]; then
		is "$(stat -f -c '%b * %S' "$mnt")" \
			"$(stat -f -c '%b * %S' "$on")" \
			"$kind: size of the file system"
		free=$(($(stat -f -c '%a * %S' "$mnt") -
			$(stat -f -c '%a * %S' "$on")))
		# Others write to that disk, too.
		[ "${free#-}" -lt $((1 << 30)) ] ||
			wrong "$kind: free space is off by $free bytes"
	else
		is "$(($(stat -f -c '%a * %S' "$mnt")))" $((1 << 50)) \
			"$kind: free space"
		[ "$(stat -f -c %d "$mnt")" -gt 1000000 ] ||
			wrong "$kind: free file numbers"
	fi
	[ "$(stat -f -c %l "$mnt")" -ge 255 ] || wrong "$kind: length of names"
	df "$mnt" >out || wrong "$kind: df"
	is "$(awk 'NR == 2 { print $1 }' out)" "${url}" "$kind: df's source"
}

xattrs() {
	local word version

	printf old >"$mnt/f"
	for word in READ WRITE ATOMIC_WRITE ATOMIC_MOVE POSIX LINKS XATTR; do
		xattr "$mnt" capabilities | grep -qw "$word" ||
			wrong "$kind: $word is not among the capabilities"
	done
	is "$(xattr "$mnt" commit)" close "$kind: commit"
	[ -S "$(xattr "$mnt" control)" ] || wrong "$kind: no control socket"
	version=$(xattr "$mnt/f" version)
	[ -n "$version" ] || wrong "$kind: no version"
	printf new >"$mnt/f"
	[ "$(xattr "$mnt/f" version)" != "$version" ] ||
		wrong "$kind: the version is that of the old content"
	xattr "$mnt/f" error && wrong "$kind: an error without one"
	xattr "$mnt/f" nonsense && wrong "$kind: user.storefs.nonsense"
	setfattr -n user.mine -v 1 "$mnt/f" || wrong "$kind: setfattr"
	is "$(getfattr -d -m - "$mnt/f" 2>/dev/null | grep -c =)" 1 \
		"$kind: listed attributes"
	setfattr -n user.storefs.error -v 1 "$mnt/f" 2>err &&
		wrong "$kind: user.storefs.error can be written"
	setfattr -x user.storefs.version "$mnt/f" 2>err &&
		wrong "$kind: user.storefs.version can be removed"
}

numbers() {
	local number

	printf old >"$mnt/n"
	number=$(stat -c %i "$mnt/n")
	# number_is WHAT [FILE]
	number_is() {
		is "$(stat -c %i "$mnt/${2-n}")" "$number" \
			"$kind: the number of a file after $1"
	}
	printf new >"$mnt/n"
	number_is "replacing its content"
	printf more >>"$mnt/n"
	number_is "an append"
	"$fileop" open rw "$mnt/n" write x fsync write y close
	number_is "fsync and close"
	# The number must not change when the first close stores the file.
	exec 3>"$mnt/fresh"
	number=$(stat -c %i "$mnt/fresh")
	printf x >&3
	exec 3>&-
	number_is "its first publishing" fresh
	number=$(stat -c %i "$mnt/n")
	mv "$mnt/n" "$mnt/m"
	number_is "mv" m
	ln "$mnt/m" "$mnt/l"
	number_is "ln" l
	rm "$mnt/m"
	mkdir "$mnt/dir"
	mv "$mnt/l" "$mnt/dir/n"
	mv "$mnt/dir" "$mnt/dir.2"
	number_is "mv of its folder" dir.2/n
	[ "$kind" != memory ] || return 0
	remount
	number_is "a remount" dir.2/n
	is "$(stat -c %i "$mnt/dir.2")" \
		"$(find "$mnt" -maxdepth 1 -name dir.2 -printf %i)" \
		"$kind: the number of a folder in a listing"
}

cases() {
	figures
	xattrs
	numbers
}

each_store "local sqlite memory" cases
finish
