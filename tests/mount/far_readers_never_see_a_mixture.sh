#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A file that another client replaces again and again, longer and shorter, is
# read through mounts that keep blocks of it: each open file is one version
# from its first byte to its last, or its reader is told ESTALE. So it is under
# an open reader, under a cached block, and between a listing and the reading.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
versions=12
[ "$full" = 0 ] || versions=120
part=100000 # what a reader has before it waits

# content VERSION: lines of eight bytes that say which it is.
length_of() {
	echo $((2000000 + $1 % 5 * 400000))
}

content() {
	yes "$(printf '%07d' "$1")" | head -c "$(length_of "$1")"
}

# By a client that is no mount; readers of local files must not see the rest
# of an older one either.
put() {
	content "$1" >new
	"$STORECTL" cp - "$url!/f" <new || wrong "$kind: storectl cp"
}

# is_one FILE: nothing, or a part of one version only.
is_one() {
	[ "$(uniq "$1" | wc -l)" -le 1 ]
}

# is_whole FILE
is_whole() {
	local version

	is_one "$1" || return 1
	version=$(head -n 1 "$1" | sed 's/^0*//')
	[ "$(stat -c %s "$1")" = "$(length_of "${version:-0}")" ]
}

# judge WHAT STATUS: of what $1 has read into seen-$1, and said to told-$1.
judge() {
	if [ "$2" = 0 ]; then
		is_whole "seen-$1" || echo "$1: a mixture" >>bad
		echo "$1 $(head -n 1 "seen-$1")" >>outcomes
	elif grep -q 'Stale file handle' "told-$1"; then
		is_one "seen-$1" || echo "$1: a mixture before ESTALE" >>bad
		echo "$1 ESTALE" >>outcomes
	else
		echo "$1: $(cat "told-$1")" >>bad
	fi
}

# reader WHAT COMMAND...: until there are no more versions.
reader() {
	local what=$1
	shift

	until [ -e over ]; do
		"$@" >"seen-$what" 2>"told-$what"
		judge "$what" $?
	done
}

in_order() {
	cat "$1/f"
}

past_the_pages() {
	dd if="$1/f" iflag=direct bs=64K status=none
}

listed() {
	ls -l "$1" >/dev/null && cat "$1/f"
}

# Reads a part, waits for another version, goes on.
held() {
	local now

	now=$(cat version)
	rm -f half
	"$fileop" open r "$1/f" read "$part" mark "$WORK/half" \
		await "$WORK/after-$now" try read 4000000 close >held.out &
	wait_until 20 test -e "after-$now"
	wait $!
	case $(tail -c 20 held.out) in
	*"read: OK")
		head -c -9 held.out
		;;
	*"read: ESTALE")
		echo 'Stale file handle' >&2
		head -c "$part" held.out
		return 1
		;;
	*)
		tail -c 40 held.out >&2
		return 1
		;;
	esac
}

converged() {
	cmp -s "$mnt/f" new && cmp -s "$second/f" new &&
		cmp -s "$third/f" new
}

cases() {
	local jobs=()

	rm -f over outcomes bad after-*
	put 0
	echo 0 >version
	reader a-in-order in_order "$mnt" &
	jobs+=($!)
	reader b-listed listed "$second" &
	jobs+=($!)
	reader a-past-the-pages past_the_pages "$mnt" &
	jobs+=($!)
	reader c-held held "$third" &
	jobs+=($!)
	for ((i = 1; i <= versions; i++)); do
		wait_until 20 has_read || wrong "$kind: nobody reads"
		put "$i"
		echo "$i" >version.new
		mv version.new version
		touch "after-$((i - 1))"
	done
	touch over "after-$versions"
	wait "${jobs[@]}"
	[ ! -e bad ] || wrong "$kind: $(sort bad | uniq -c)"
	wait_until 10 converged || wrong "$kind: the last version does not show"
	awk '{ print $1, $2 == "ESTALE" ? $2 : "whole" }' outcomes | sort | uniq -c
	[ "$(grep -vc ESTALE outcomes)" -ge "$versions" ] ||
		wrong "$kind: $(grep -vc ESTALE outcomes) whole versions were read"
	[ "$(awk '{ print $1 }' outcomes | sort -u | wc -l)" = 4 ] ||
		wrong "$kind: not all have read"
	# A store that keeps no old version has to have said so.
	[ "$kind" = local ] || grep -q ESTALE outcomes ||
		wrong "$kind: nobody was told ESTALE"
}

# Something has been read since the last look.
has_read() {
	local now

	now=$(grep -c . outcomes 2>/dev/null)
	[ "${now:-0}" -gt "$looked" ] && looked=$now
}

# shellcheck disable=SC2086 # none or one
for kind in local sqlite $far; do
	note "$kind"
	store_new "$kind"
	echo 'without NEAR' >fault
	printf 'read delay=1ms\n' >>fault
	mnt=$WORK/first-$kind second=$WORK/second-$kind
	third=$WORK/third-$kind looked=0
	mkdir "$mnt" "$second" "$third"
	mount_store "$url?fault=$WORK/fault" "$mnt" "$shared" || fail "no mount"
	mount_store "$url?fault=$WORK/fault" "$second" \
		"$shared,attr_timeout=3" || fail "no second mount"
	mount_store "$url?fault=$WORK/fault" "$third" "$shared" ||
		fail "no third mount"
	cases
	unmount "$mnt"
	unmount "$second"
	unmount "$third"
done
finish
