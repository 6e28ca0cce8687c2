#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# timeout-full: 14400
# Two mounts of one store, each with a staging directory of its own, as on two
# hosts: whatever the order of their steps, no update that was acknowledged is
# overwritten by somebody who had not seen it, in read-change-write through
# one open, truncate-and-write, rename-over and O_EXCL; a loser is told, and
# storectl export has its bytes. An answer that got lost is no conflict. Also
# while each mount believes for a second what it knows.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
rounds=${ROUNDS:-15}
[ "$full" = 0 ] || rounds=${ROUNDS:-500}
interleavings=0
conflicts=0
fresh=attr_timeout=0,entry_timeout=0,negative_timeout=0

# duels WEIGHT TIMEOUTS OPTIONS [WORD...]: a case; words for the program.
duels() {
	local weight=$1 timeouts=$2 options=$3 a=$WORK/a b=$WORK/b lost=
	shift 3

	note "$kind: $timeouts $options $*"
	case " $* " in
	*" --lose "*)
		lost=yes
		: >"$WORK/fault-a"
		: >"$WORK/fault-b"
		;;
	esac
	mount_store "$url${lost:+?fault=$WORK/fault-a}" "$a" \
		"$shared,$timeouts$options" || fail "no mount"
	mount_store "$url${lost:+?fault=$WORK/fault-b}" "$b" \
		"$shared,$timeouts$options" || fail "no mount"
	"$BUILDDIR/tests/mount/duel" --rounds $((rounds * weight)) \
		--seed "$seed" "${pinned[@]}" "$@" ${ONLY:+--only "$ONLY"} \
		"$a" "$b" "$url" "$STORECTL" >"$WORK/told" ||
		wrong "$kind: $timeouts $options $*"
	cat "$WORK/told"
	count $((rounds * weight))
	unmount "$a"
	unmount "$b"
}

# count LEAST: what the program has told last: "N rounds, .. steps, .., N
# conflicts, ..".
count() {
	local last least=$1

	[ -z "${ONLY:-}" ] || least=1
	last=$(tail -n 1 "$WORK/told")
	[[ $last =~ ^([0-9]+)' rounds, '.*' '([0-9]+)' conflicts, ' ]] ||
		fail "no rounds: $last"
	[ "${BASH_REMATCH[1]}" -ge "$least" ] ||
		wrong "only ${BASH_REMATCH[1]} rounds"
	interleavings=$((interleavings + BASH_REMATCH[1]))
	conflicts=$((conflicts + BASH_REMATCH[2]))
}

lose=(--lose "$WORK/fault-a" --lose "$WORK/fault-b")

for each in ${STORES:-local sqlite $far}; do
	pinned=()
	[ "$each" = local ] || pinned=(--unpinned)
	[ "$each" != s3 ] || pinned+=(--by-content)
	run() {
		store_new "$each"
		rm -rf "$WORK"/st-*
		duels "$@"
	}
	run 6 "$fresh" ""
	run 4 attr_timeout=1 "" --stale
	run 4 "$fresh" ,commit=background --background
	run 3 attr_timeout=1 ,commit=background --background --stale
	run 2 "$fresh" ,exclusive=open --exclusive-open
	run 2 "$fresh" "" "${lose[@]}"
	run 2 "$fresh" ,commit=background --background "${lose[@]}"
	run 1 "$fresh" ,conflict=rename --conflict rename
	run 1 "$fresh" ,conflict=rename,commit=background --conflict rename \
		--background
	run 1 "$fresh" ,conflict=overwrite --conflict overwrite
	# What has arrived without an answer is not sent once more, over what
	# the other side is about to replace.
	for _ in 1 2 3 4 5; do
		seed=14 rounds=22 ONLY=14 run 1 "$fresh" "" "${lose[@]}"
	done
done
echo "$interleavings interleavings, $conflicts conflicts were told"
[ "$conflicts" -gt 0 ] || [ -n "${ONLY:-}" ] || wrong "never in conflict"
finish
