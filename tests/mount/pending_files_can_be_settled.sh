#!/bin/bash
# SPDX-License-Identifier: MIT
# sanitizers: address
# timeout: 120
# What a running mount could not store is listed with both versions, exported
# whole, stored by retry, by force over whatever is there, or discarded; then
# the mount shows what the store has, also to programs that have it open.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
mnt=$WORK/mnt
data=$(staging_of "$mnt")

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

# member FILE NAME: of the only line of JSON in it, quotes taken off.
member() {
	sed -n "s/.*\"$2\":\(\"\([^\"]*\)\"\|\([^,}]*\)\).*/\2\3/p" "$1"
}

# pending COUNT: so many files are; the list is in out, as JSON in json.
pending() {
	expect 0 "$STORECTL" pending --json "$mnt"
	cp out json
	is "$(wc -l <json)" "$1" "files pending"
	expect 0 "$STORECTL" pending "$mnt"
}

nothing_staged() {
	[ -z "$(find "$data" -name 'data-*')" ]
}

# conflict NAME TEXT OTHER: TEXT is written over it while it becomes OTHER.
conflict() {
	rm -f "$WORK/open" "$WORK/go"
	"$fileop" open wct "$mnt/$1" write "$2" mark "$WORK/open" \
		await "$WORK/go" try close >"$WORK/said" &
	wait_until 10 test -e "$WORK/open"
	printf '%s' "$3" >"$backing/.other"
	mv "$backing/.other" "$backing/$1"
	touch "$WORK/go"
	wait $!
	grep -qx 'close: ESTALE' "$WORK/said" ||
		wrong "no conflict: $(cat "$WORK/said")"
}

both_versions_are_shown() {
	note "both versions are shown"
	printf old >"$mnt/doc"
	conflict doc 'mine, longer' theirs
	pending 1
	is "$(member json state)" failed state
	is "$(member json key)" doc key
	is "$(member json size)" 12 size
	is "$(member json code)" CHANGED code
	is "$(member json store_size)" 6 "size in the store"
	[ "$(member json base_version)" != "$(member json store_version)" ] ||
		wrong "one version: $(cat json)"
	"$STORECTL" stat --json "$url!/doc" >shown
	is "$(member json store_version)" "$(member shown version)" \
		"version in the store"
	says out "$(member json base_version)"
	says out "$(member json store_version)"
	is "$(getfattr --only-values -n user.storefs.pending "$mnt/doc" \
		2>/dev/null)" "$(member json id) failed" "user.storefs.pending"
	expect 0 "$STORECTL" pending --offline --json "$mnt"
	! grep -q store_version out || wrong "--offline asks the store"

	conflict new 'a new file' 'of somebody else'
	pending 2
	grep '"key":"new"' json >new.json
	is "$(member new.json base_exists)" false base
	says out 'made as a new file'
	rm "$backing/new"
	expect 0 "$STORECTL" pending "$mnt"
	says out 'the store has no such file'
}

exports_are_whole() {
	note "exports are whole, and replace nothing"
	expect 0 "$STORECTL" export "$mnt" doc exported
	is "$(cat exported)" 'mine, longer' exported
	expect 3 "$STORECTL" export "$mnt/doc" exported
	expect 0 "$STORECTL" export "$mnt/doc" -
	is "$(cat out)" 'mine, longer' "standard output"
	expect 0 "$STORECTL" export "$mnt" new exported --force
	is "$(cat exported)" 'a new file' "with --force"
	expect 2 "$STORECTL" export "$mnt" missing nothing
	[ ! -e nothing ] || wrong "an export that failed left a file"
	pending 2
}

# Layers over a base that is not staged: holes, and more than one piece.
exports_read_the_base() {
	note "exports read the base"
	head -c 3000000 /dev/urandom >expected
	cp expected "$mnt/large"
	weather 'put error=DENIED'
	printf changed | dd of="$mnt/large" bs=1 seek=1500000 conv=notrunc \
		status=none
	truncate -s 4000000 "$mnt/large"
	weather
	printf changed | dd of=expected bs=1 seek=1500000 conv=notrunc \
		status=none
	truncate -s 4000000 expected
	expect 0 "$STORECTL" export "$mnt/large" large
	same large expected
	# Its base is gone: the version is named.
	cp "$backing/large" "$backing/.other"
	mv "$backing/.other" "$backing/large"
	expect 11 "$STORECTL" export "$mnt/large" large --force
	says err "$("$STORECTL" pending --json "$mnt" | grep '"key":"large"' |
		sed 's/.*"base_version":"\([^"]*\)".*/\1/')"
	same large expected
	expect 0 "$STORECTL" discard "$mnt/large"
	cmp -n 1500000 expected "$mnt/large" || wrong "large after discard"
	is "$(stat -c %s "$mnt/large")" 3000000 "size after discard"
}

retry_stores() {
	note "retry stores what can be stored"
	weather 'put error=DENIED'
	"$fileop" open wct "$mnt/denied" write later try close >/dev/null
	expect 4 "$STORECTL" retry "$mnt" denied
	weather
	pending 3
	expect 0 "$STORECTL" retry "$mnt" denied
	is "$(stored denied)" later "after retry"
	expect 2 "$STORECTL" retry "$mnt" denied
	expect 1 "$STORECTL" retry "$mnt"
	# All that can go: the file whose name is free again, and not the other.
	expect 11 "$STORECTL" retry --all "$mnt"
	says err 'doc: '
	is "$(stored new)" 'a new file' "after retry --all"
	pending 1
}

force_replaces() {
	note "retry --force replaces what the store has"
	expect 11 "$STORECTL" retry "$mnt" doc
	is "$(stored doc)" theirs "without force"
	expect 0 "$STORECTL" retry --force "$mnt" doc
	is "$(stored doc)" 'mine, longer' "by force"
	is "$(cat "$mnt/doc")" 'mine, longer' "the mount"
	pending 0
}

discard_goes_back() {
	note "discard goes back to what the store has"
	conflict doc 'mine again' 'theirs again'
	pending 1
	is "$(cat "$mnt/doc")" 'mine again' "before"
	expect 0 "$STORECTL" discard "$mnt" "$(member json id)"
	is "$(cat "$mnt/doc")" 'theirs again' "the mount"
	is "$(stat -c %s "$mnt/doc")" 12 "the size"
	is "$(stored doc)" 'theirs again' "the store"
	pending 0
	expect 2 "$STORECTL" discard "$mnt" doc
	wait_until 5 nothing_staged || wrong "bytes stay after discard"

	weather 'put error=NO_SPACE'
	"$fileop" open wct "$mnt/gone" write 'never stored' try close >/dev/null
	[ -e "$mnt/gone" ] || wrong "no file before discard"
	expect 0 "$STORECTL" discard "$mnt/gone"
	[ ! -e "$mnt/gone" ] || wrong "a file that no store has stays"
	weather
	printf anew >"$mnt/gone"
	is "$(stored gone)" anew "the name is free"
}

# A writer that has told fsync() may still have the file open.
open_handles_survive() {
	local said

	note "open handles survive a discard"
	printf 'in the store' >"$mnt/held"
	weather 'put error=NO_SPACE'
	rm -f "$WORK/open" "$WORK/go"
	"$fileop" open rw "$mnt/held" write 'IN' try fsync write ' THE' \
		mark "$WORK/open" await "$WORK/go" seek 0 cat seek 0 write xy try fsync \
		try close >"$WORK/said" &
	wait_until 10 test -e "$WORK/open"
	# What was written since has no record yet, and is no orphan.
	pending 1
	expect 0 "$STORECTL" discard "$mnt/held"
	weather
	touch "$WORK/go"
	wait $!
	said=$(tr '\n' ' ' <"$WORK/said")
	is "$said" 'fsync: ENOSPC in the storefsync: OK close: OK ' "the writer"
	is "$(stored held)" 'xy the store' "what it wrote later"
	# What is still being written is nobody else's to give up.
	rm -f "$WORK/open" "$WORK/go"
	"$fileop" open wct "$mnt/busy" write 'busy' mark "$WORK/open" \
		await "$WORK/go" try close >"$WORK/said" &
	wait_until 10 test -e "$WORK/open"
	pending 1
	is "$(member json state)" open state
	expect 19 "$STORECTL" discard "$mnt/busy"
	expect 19 "$STORECTL" retry --force "$mnt/busy"
	touch "$WORK/go"
	wait $!
	is "$(stored busy)" busy "in the end"
}

# Opened, and another file gets its name before the first byte is written.
the_name_is_lost() {
	note "a file that has lost its name"
	printf old >"$mnt/lost"
	rm -f "$WORK/open" "$WORK/go"
	"$fileop" open rw "$mnt/lost" mark "$WORK/open" await "$WORK/go" \
		write mine try close >"$WORK/said" &
	wait_until 10 test -e "$WORK/open"
	printf theirs >"$backing/.other"
	mv "$backing/.other" "$backing/lost"
	wait_until 5 shows lost theirs || wrong "the mount does not see it"
	touch "$WORK/go"
	wait $!
	grep -qx 'close: ESTALE' "$WORK/said" || wrong "no conflict"
	pending 1
	expect 0 "$STORECTL" export "$mnt" lost -
	is "$(cat out)" mine exported
	expect 11 "$STORECTL" retry --force "$mnt" lost
	is "$(stored lost)" theirs "the store"
	expect 0 "$STORECTL" discard "$mnt" lost
	is "$(cat "$mnt/lost")" theirs "the mount"
	pending 0
}

shows() {
	[ "$(cat "$mnt/$1")" = "$2" ]
}

names_of_any_byte() {
	local name=$'b\xffad\n"name'

	note "names of any byte"
	weather 'put error=DENIED'
	"$fileop" open wct "$mnt/$name" write bytes try close >/dev/null
	weather
	expect 0 "$STORECTL" pending --json "$mnt"
	says out '"key_b64":"Yv9hZAoibmFtZQ=="'
	expect 0 "$STORECTL" export "$mnt/$name" -
	is "$(cat out)" bytes exported
	expect 0 "$STORECTL" retry "$mnt" "$name"
	is "$(cat "$backing/$name")" bytes stored
	# A name that looks like an id.
	weather 'put error=DENIED'
	"$fileop" open wct "$mnt/1" write one try close >/dev/null
	weather
	expect 0 "$STORECTL" discard "$mnt" ./1
	pending 0
}

# within MILLISECONDS STATUS COMMAND...
within() {
	local limit=$1 begun took
	shift

	begun=$(milliseconds)
	expect "$@"
	took=$(($(milliseconds) - begun))
	[ $took -lt "$limit" ] || wrong "it took $took ms: $*"
}

the_store_is_not_needed() {
	local rule

	note "the store is not needed"
	conflict doc 'mine once more' 'theirs once more'
	printf here >"$mnt/here"
	for rule in error=UNAVAILABLE stall=10m; do
		weather "any $rule"
		# Longer than attributes are believed.
		wait_until 2 false
		within 2000 0 "$STORECTL" status "$mnt"
		within 2000 0 "$STORECTL" pending --offline "$mnt"
		within 9000 0 "$STORECTL" pending --json "$mnt"
		says out '"store_error":"'
		within 2000 0 "$STORECTL" export --force "$mnt/doc" exported
		is "$(cat exported)" 'mine once more' exported
	done
	within 2000 0 "$STORECTL" discard "$mnt/doc"
	weather
	is "$(cat "$mnt/doc")" 'theirs once more' "after discard"
	pending 0
}

weather
store_new local
mount_store "$url?fault=$WORK/fault" "$mnt" "$shared,op_timeout=5" ||
	fail "no mount"
both_versions_are_shown
exports_are_whole
exports_read_the_base
retry_stores
force_replaces
discard_goes_back
open_handles_survive
the_name_is_lost
names_of_any_byte
the_store_is_not_needed
wait_settled "$mnt"
unmount "$mnt"
finish
