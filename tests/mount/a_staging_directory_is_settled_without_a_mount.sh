#!/bin/bash
# SPDX-License-Identifier: MIT
# sanitizers: address
# timeout: 120
# After the death of the driver its staging directory is worked on without a
# mount: listed, exported, discarded, retried and drained, by the directory or
# by source and mount point; not while a mount has it.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
mnt=$WORK/mnt
data=$(staging_of "$mnt")

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

# offline COMMAND [OPERAND...]: on the staging directory.
offline() {
	local command=$1
	shift

	"$STORECTL" "$command" --staging-dir "$data" "$@"
}

# with_store COMMAND [OPERAND...]: the same, with the store to be asked.
with_store() {
	local command=$1
	shift

	offline "$command" --source "$url" "$@"
}

# state_of KEY: as the list says.
state_of() {
	offline pending --json | grep "\"key\":\"$1\"" |
		sed 's/.*"state":"\([a-z]*\)".*/\1/'
}

pending() {
	is "$(offline pending | wc -l)" "$1" "files pending"
}

start() {
	mount_store "$url?fault=$WORK/fault" "$mnt" \
		"$shared,commit=background,$1" || fail "no mount"
}

# The driver dies, and its mount is taken away.
die() {
	kill -KILL "$driver"
	wait_until 10 gone "$driver" || fail "the driver lives"
	umount -l "$mnt"
}

fill() {
	local i

	printf 'old' >"$mnt/doc"
	head -c 300000 /dev/urandom >expected
	cp expected "$mnt/large"
	expect 0 "$STORECTL" drain "$mnt"
	weather 'put error=UNAVAILABLE'
	for i in 1 2 3 4; do
		printf 'small %s' $i >"$mnt/small$i"
	done
	printf changed | dd of="$mnt/large" bs=1 seek=100000 conv=notrunc \
		status=none
	printf changed | dd of=expected bs=1 seek=100000 conv=notrunc \
		status=none
	head -c 200000 /dev/urandom >whole
	cp whole "$mnt/whole"
	cp whole "$mnt/damaged"
	printf 'mine' >"$mnt/doc"
	weather 'put error=DENIED key=refused' 'put error=UNAVAILABLE'
	printf 'refused' >"$mnt/refused"
	# Never acknowledged: its driver dies first.
	rm -f "$WORK/open"
	"$fileop" open wct "$mnt/unfinished" fill u 100000 \
		mark "$WORK/open" await "$WORK/never" >/dev/null 2>&1 &
	writer=$!
	wait_until 10 test -e "$WORK/open"
	wait_until 10 refused_is_known || wrong "nothing is refused"
}

refused_is_known() {
	"$STORECTL" pending "$mnt" | grep -q '  failed .*refused'
}

# One byte of a data file is another one.
damage() {
	local number file

	for file in "$data"/data-*; do
		[ "$(stat -c %s "$file")" = 200000 ] || continue
		number=${file##*-}
		last=${number}
	done
	printf X | dd of="$data/data-$last" bs=1 seek=1000 conv=notrunc \
		status=none
}

it_is_listed() {
	note "it is listed"
	expect 0 offline pending
	grep -q ' pending .* small1$' out || wrong "small1: $(cat out)"
	is "$(state_of refused)" failed refused
	is "$(state_of unfinished)" unfinished unfinished
	is "$(state_of damaged)" damaged "damage is found as a mount finds it"
	expect 0 offline status
	says out "$mnt"
	says out 'driver      none'
	expect 0 offline status --json
	says out '"unfinished_files":1'
	# By the names of the mount, where the directory is the default one.
	HOME=$WORK/elsewhere expect 2 "$STORECTL" pending \
		--source "$url" "$mnt" 2>/dev/null
	expect 2 "$STORECTL" pending --staging-dir "$WORK"
	expect 5 offline pending --source "file://$WORK"
	says err 'belongs to another store'
	expect 2 offline export missing -
}

it_is_exported() {
	note "it is exported"
	expect 0 offline export whole exported
	same exported whole
	# Of what was changed in the middle the store has the rest.
	expect 5 offline export large nothing
	says err 'has to be named'
	expect 0 with_store export large large
	same large expected
	expect 0 offline export small2 -
	is "$(cat out)" 'small 2' "small2"
	expect 18 offline export damaged nothing
	expect 0 offline export --raw damaged raw
	is "$(stat -c %s raw)" 200000 "size of the raw bytes"
	is "$(cmp -l raw whole | wc -l)" 1 "bytes that are damaged"
	expect 18 offline export unfinished nothing
	expect 0 offline export --raw unfinished raw --force
	is "$(tr -d u <raw | wc -c)" 0 "raw bytes of what was unfinished"
	[ -s raw ] || wrong "no raw bytes of what was unfinished"
	[ ! -e nothing ] || wrong "an export that failed left a file"
}

it_is_settled() {
	local before

	note "it is settled one by one"
	before=$(offline pending | wc -l)
	expect 0 offline discard small1
	pending $((before - 1))
	expect 2 offline discard small1
	expect 0 with_store retry small2
	is "$(stored small2)" 'small 2' "small2"
	# One file was meant, and no other.
	[ ! -e "$backing/small3" ] || wrong "retry of one stored another"
	expect 5 offline retry small3
	expect 0 offline discard unfinished
	expect 18 with_store retry damaged
	is "$(state_of damaged)" damaged "after a retry"
	# Somebody else has changed it since.
	printf 'theirs' >"$backing/.other"
	mv "$backing/.other" "$backing/doc"
	expect 11 with_store retry doc
	expect 0 offline pending --source "$url" --json
	grep '"key":"doc"' out >doc.json
	says doc.json '"state":"failed"'
	says doc.json '"store_size":6'
	is "$(stored doc)" theirs "doc"
	expect 0 with_store retry --force doc
	is "$(stored doc)" mine "doc by force"
}

the_rest_is_drained() {
	note "the rest is drained"
	expect 4 with_store drain
	says out '2 files stay'
	says out 'refused: write'
	same "$backing/whole" whole
	same "$backing/large" expected
	is "$(stored small3)" 'small 3' small3
	is "$(stored refused 2>/dev/null)" "" "what was refused waits"
	expect 0 with_store retry refused
	is "$(stored refused)" refused refused
	expect 18 with_store drain
	says out '1 file stays'
	expect 0 offline discard damaged
	expect 0 with_store drain
	is "$(cat out)" "" "a drain of nothing"
	pending 0
	is "$(find "$data" -name 'data-*')" "" "data files"
}

a_mount_keeps_it_to_itself() {
	note "the driver that uses it answers"
	start op_timeout=5
	expect 0 offline status --json
	says out "\"pid\":$driver"
	expect 0 offline pending
	expect 2 offline discard x
	expect 0 with_store drain
	mkdir -p "$WORK/other"
	expect 32 "$STOREFS" "$url" "$WORK/other" -o staging_dir="$data"
	says err "process $driver"
	unmount "$mnt"
	expect 0 offline pending
}

# A data file that no record names, and a journal that cannot be read whole.
what_nobody_knows() {
	note "what no record names"
	printf 'stray bytes' >"$data/data-4711"
	printf 'what it was' >"$data/journal.bad-1"
	expect 0 offline pending
	grep -q '  orphan  .*data-4711$' out || wrong "orphan: $(cat out)"
	grep -q '  orphan  .*journal.bad-1$' out || wrong "bad: $(cat out)"
	expect 5 offline export data-4711 -
	expect 0 offline export --raw data-4711 -
	is "$(cat out)" 'stray bytes' "raw bytes"
	expect 5 with_store retry --force data-4711
	start op_timeout=5
	expect 0 "$STORECTL" pending "$mnt"
	grep -q '  orphan  .*data-4711$' out || wrong "orphan: $(cat out)"
	expect 0 "$STORECTL" discard "$mnt" data-4711
	[ ! -e "$data/data-4711" ] || wrong "a discarded orphan stays"
	is "$(status_of "$mnt" unfinished_files)" 0 "unfinished files"
	unmount "$mnt"
	expect 0 offline discard journal.bad-1
	pending 0
}

weather
store_new local
start op_timeout=5
fill
die
kill "$writer" 2>/dev/null
weather
damage
it_is_listed
it_is_exported
it_is_settled
the_rest_is_drained
a_mount_keeps_it_to_itself
what_nobody_knows
finish
