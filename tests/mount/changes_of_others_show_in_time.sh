#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 90
# What another client changes in the store shows within attr_timeout, whole
# and without the old pages (D6); a reader that has the file open finishes the
# old version or is told ESTALE (F4); of two mounts that change one file at
# the same time the second is told ESTALE, its bytes are kept and shown, and
# those of the first stay (promise 4). Under a name that the kernel still knows,
# and the store no longer has, open(2) with O_CREAT makes a file.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

# More than the kernel reads ahead, and than one request.
size=6000000
# repeat WORD BYTES
repeat() {
	yes "$1" | head -c "$2"
}
repeat 1 "$size" >old
repeat 2 "$size" >new
repeat 3 $((size + 1000)) >newer
printf 'before both, and after' >before

# put FILE NAME: by a client that is no mount.
put() {
	"$STORECTL" cp - "$url!/$2" <"$1" || wrong "$kind: storectl cp"
}

# becomes FILE WANTED FORMER WHAT: every look finds one of the two, and
# within attr_timeout (1 s, and some time for the look) the wanted one.
becomes() {
	local begun

	begun=$(milliseconds)
	until cmp -s "$1" "$2"; do
		# It may have changed between the two.
		cp "$1" seen
		cmp -s seen "$3" || cmp -s seen "$2" || {
			wrong "$kind: neither old nor new after $4"
			return
		}
		[ $(($(milliseconds) - begun)) -lt 3000 ] || {
			wrong "$kind: still the old content after $4"
			return
		}
	done
	echo "$4: seen after $(($(milliseconds) - begun)) ms"
	is "$(stat -c %s "$1")" "$(stat -c %s "$2")" "$kind: size after $4"
}

replaced() {
	put old f
	same old "$mnt/f"
	put new f
	becomes "$mnt/f" new old "a replacement of the same size"
	put newer f
	becomes "$mnt/f" newer new "a longer one"
	put old f
	becomes "$mnt/f" old newer "a shorter one"
	[ -n "$backing" ] || return 0
	cp new "$backing/temporary"
	mv "$backing/temporary" "$backing/f"
	becomes "$mnt/f" new old "mv in the store's folder"
}

exists() {
	[ -e "$mnt/$1" ]
}

is_gone() {
	[ ! -e "$mnt/$1" ]
}

names() {
	exists later && wrong "$kind: what was never made"
	put old later
	wait_until 3 exists later || wrong "$kind: a new file does not show"
	[[ $(ls "$mnt") == *later* ]] || wrong "$kind: a listing without it"
	"$STORECTL" mv "$url!/later" "$url!/moved" || wrong "$kind: storectl mv"
	wait_until 3 is_gone later || wrong "$kind: the old name stays"
	wait_until 3 exists moved || wrong "$kind: the new name is missing"
	"$STORECTL" rm "$url!/moved" || wrong "$kind: storectl rm"
	wait_until 3 is_gone moved || wrong "$kind: a removed file stays"
	"$STORECTL" mkdir "$url!/dir" || wrong "$kind: storectl mkdir"
	wait_until 3 exists dir || wrong "$kind: a new folder does not show"
	rmdir "$mnt/dir" || wrong "$kind: rmdir of another's folder"
}

# A reader in the middle, then `$2` happens, then it goes on.
open_reader() {
	put old r
	rm -f half go
	"$fileop" open r "$mnt/r" read 1000000 mark "$WORK/half" \
		await "$WORK/go" try read $((size - 1000000)) close \
		>read.out 2>&1 &
	wait_until 10 test -e half || fail "no reader"
	"$@" || wrong "$kind: $*"
	# Long enough for the mount to have noticed.
	wait_until 2 cmp -s "$mnt/r" newer
	touch go
	wait $!
	case $(tail -c 20 read.out) in
	*"read: OK")
		head -c "$size" read.out | cmp - old ||
			wrong "$kind: a mixture for an open reader after $*"
		echo "a reader after $*: the old version"
		;;
	*"read: ESTALE") echo "a reader after $*: ESTALE" ;;
	*) wrong "$kind: $(tail -c 20 read.out) for a reader after $*" ;;
	esac
}

replace_in_place() {
	dd if="$WORK/newer" of="$backing/r" bs=1M conv=notrunc 2>/dev/null
}

# both FLAGS: opens one name through both mounts, writes, closes one by one.
both() {
	local flags=$1 said

	rm -f opened go
	# Both know the name before either has changed it.
	stat "$mnt/both" "$second/both" >/dev/null 2>&1
	"$fileop" open "$flags" "$second/both" write 'from the second' \
		mark "$WORK/opened" await "$WORK/go" try close >said &
	wait_until 10 test -e opened || fail "no second writer"
	said=$("$fileop" open "$flags" "$mnt/both" write 'from the first' \
		try close)
	is "$said" "close: OK" "$kind, open $flags: the first writer"
	touch go
	wait $!
	is "$(cat said)" "close: ESTALE" "$kind, open $flags: the second writer"
	stored both | grep -q 'from the first' ||
		wrong "$kind, open $flags: $(stored both) in the store"
	same "$mnt/both" <(stored both)
	# Of an append and an edit the rest is in the old version, which the
	# store may no longer have.
	said=$(cat "$second/both" 2>&1)
	[[ $said == *'from the second'* ]] ||
		[[ $flags == [rw][wa] && $said == *'Stale file handle' ]] ||
		wrong "$kind, open $flags: '$said' in the loser's mount"
	is "$(status_of "$second" failed_files)" 1 \
		"$kind, open $flags: the loser's failed files"
}

two_mounts() {
	local flags

	second=$WORK/mnt-second-$kind
	for flags in wct rw wa wcx; do
		"$STORECTL" rm -f "$url!/both"
		[ "$flags" = wcx ] || put before both
		mount_store "$url" "$second" "$shared,drain_timeout=1" ||
			fail "no second mount"
		both "$flags"
		unmount "$second"
		is "$(find "$(staging_of "$second")" -name 'data-*' \
			! -name '*.json' | wc -l)" 1 \
			"$kind, open $flags: the loser's bytes kept"
		grep -rqF 'from the second' "$(staging_of "$second")" ||
			wrong "$kind, open $flags: the loser's bytes are gone"
		rm -rf "$(staging_of "$second")"
	done
	# Where nothing collides each goes its way.
	mount_store "$url" "$second" "$shared" || fail "no second mount"
	printf one >"$mnt/own" || wrong "$kind: a writer"
	wait_until 3 test -e "$second/own" || wrong "$kind: not seen"
	printf two >"$second/own" || wrong "$kind: one after the other"
	is "$(stored own)" two "$kind: one after the other"
	unmount "$second"
}

# vanish: the kernel still believes in a name that the store no longer has.
vanish() {
	put before "gone-$1"
	same before "$second/gone-$1"
	"$STORECTL" rm "$url!/gone-$1" || wrong "$kind: storectl rm"
}

# What asks by a name finds it missing, and makes it where it is to.
vanished() {
	local flags call name

	second=$WORK/mnt-second-$kind
	mount_store "$url" "$second" \
		"$1,attr_timeout=0,entry_timeout=60,negative_timeout=60" ||
		fail "no second mount"
	for flags in wct wc wac rwc wcx; do
		vanish "$flags"
		is "$("$fileop" try open "$flags" "$second/gone-$flags" \
			write again try close)" $'open: OK\nclose: OK' \
			"$kind, $1: open $flags of a name that is gone"
		is "$(stored "gone-$flags")" again "$kind, $1: open $flags"
	done
	for flags in r w wt wa rw; do
		vanish "$flags"
		is "$("$fileop" try open "$flags" "$second/gone-$flags")" \
			"open: ENOENT" "$kind, $1: open $flags"
	done
	for call in stat 'truncate -cs 1' 'chmod 600' 'touch -c' readlink cat; do
		name=${call%% *}
		vanish "$name"
		$call "$second/gone-$name" 2>&1 | grep -q 'Stale' &&
			wrong "$kind, $1: ESTALE for $call"
	done
	unmount "$second"
}

cases() {
	replaced
	names
	open_reader put newer r
	[ -z "$backing" ] || open_reader replace_in_place
	two_mounts
	vanished "$shared"
	vanished allow_other
}

each_store "local sqlite $far" cases
finish
