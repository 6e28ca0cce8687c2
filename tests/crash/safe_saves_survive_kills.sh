#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# timeout-full: 14400
# vim and programs that save as editors do write documents inside the mount
# again and again while they or the driver are killed. What was saved last can
# be read afterwards: under its name, or, with ways of saving that leave the
# name empty for a moment, from the backup. With an argument, "local close",
# only that store and mode.
# shellcheck source=tests/crash/kills.sh
. "$SRCDIR/tests/crash/kills.sh"


# Names of documents are ways of saving; see save.vim and save.py.
vim_ways="vim-no vim-yes vim-auto"
other_ways="replace replace-sync link-backup rename-backup emacs"
export vim_ways other_ways

work() {
	cd "$mnt/documents" || exit
	# shellcheck disable=SC2154
	if [ $((luck % 2)) = 0 ]; then
		exec vim -Nnesu NONE -S "$SRCDIR/tests/crash/save.vim" \
			</dev/null
	else
		exec /usr/bin/python3 "$SRCDIR/tests/crash/save.py"
	fi
}

prepare() {
	local way

	# It has no links.
	[ "$kind" != s3 ] || other_ways=${other_ways/link-backup /}
	mkdir "$mnt/documents"
	for way in $vim_ways $other_ways; do
		printf '%s\n' "begin 0 1" "line 0" "end 0" \
			>"$mnt/documents/$way" || fail "no $way"
		echo 0 >"$told/$way"
	done
}

# saved_in FILE: the number of the save that it is a whole copy of.
saved_in() {
	awk '
	NR == 1 && $1 == "begin" { n = $2; lines = $3; next }
	ended { exit ended = 0 }
	$1 == "line" && $2 == n { seen++; next }
	$1 == "end" && $2 == n && seen == lines { ended = 1; next }
	{ exit ended = 0 }
	END { print ended ? n : "broken" }' "$1" 2>/dev/null
}

# is_saved FILE NUMBER: it is a whole copy, of that save or a later one.
is_saved() {
	found=$(saved_in "$1")
	[[ -n $found && $found != *[!0-9]* && $found -ge $2 ]]
}

# find_saved DIR WAY: sets saved. vim takes other names for backups when there
# is one already.
find_saved() {
	local file=$1/documents/$2 last
	last=$(tail -n 1 "$told/$2")
	saved=$file

	! is_saved "$file" "$last" || return 0
	what="'$found', not '$last'"
	case $2 in replace*) return 1 ;; esac
	for saved in "${file%?}"?~; do
		! is_saved "$saved" "$last" || return 0
		what+=", ${saved##*/} '$found'"
	done
	return 1
}

# tidy: a user takes the backup where the document is no good.
tidy() {
	local way file=$mnt/documents

	for way in $vim_ways $other_ways; do
		find_saved "$mnt" "$way" || continue
		[ "$saved" = "$file/$way" ] || mv "$saved" "$file/$way" ||
			wrong_here "$saved cannot be moved"
	done
	rm -f "$file/"*.new "$file/".#* "$file/"*~
}

judge() {
	local way

	for way in $vim_ways $other_ways; do
		find_saved "$1" "$way" || wrong_here "$1, $way: $what"
	done
}

told_how_many() {
	cat "$told/"* | wc -l
}

kills_in_turn "$@"
