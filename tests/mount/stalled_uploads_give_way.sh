#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# rm and mv do not wait for an upload of the file that does not get on: it
# gives way, and the file is stored under the name it has then, or not at all.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

is_uploaded() {
	"$STORECTL" pending --json "$mnt" | grep -q '"state":"uploading"'
}

# uploading FILE: acknowledged, and its upload stands still.
uploading() {
	weather "put stall=10m key=$1"
	echo "$1" >"$mnt/$1"
	wait_until 10 is_uploaded || wrong "$kind: $1: no upload"
}

# at_once COMMAND...: long before op_timeout.
at_once() {
	timeout 20 "$@" || wrong "$kind: $*: $?"
}

# stored_is NAME TEXT
stored_is() {
	is "$(stored "$1")" "$2" "$kind: $1 in the store"
}

not_stored() {
	! stored "$1" >out 2>&1 || wrong "$kind: $1 is in the store"
}

give_way() {
	mkdir "$mnt/folder"
	echo old >"$mnt/replaced"
	expect 0 "$STORECTL" drain "$mnt"
	uploading removed
	at_once rm "$mnt/removed"
	uploading moved
	at_once mv "$mnt/moved" "$mnt/elsewhere"
	uploading save
	at_once mv "$mnt/save" "$mnt/replaced"
	uploading folder/below
	at_once mv "$mnt/folder" "$mnt/other"
	is "$(ls "$mnt")" "$(printf 'elsewhere\nother\nreplaced')" "$kind: shown"
	weather
	expect 0 "$STORECTL" drain --timeout 30 "$mnt"
	stored_is elsewhere moved
	stored_is replaced save
	stored_is other/below folder/below
	not_stored removed
	not_stored moved
	not_stored save
}

# shellcheck disable=SC2086 # none or one
for kind in local sqlite $far; do
	note "$kind"
	weather
	store_new $kind
	mnt=$WORK/mnt-$kind
	mount_store "$url?fault=$WORK/fault" "$mnt" \
		"$shared,commit=background,op_timeout=60" || fail "no mount"
	give_way
	unmount "$mnt"
done
finish
