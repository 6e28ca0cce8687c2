#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# What a store is asked for when reading it costs requests elsewhere: each
# byte once, in long requests for who reads in order, exactly the range for
# who does not, and nothing for what is known. Counted, not timed.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
mnt=$WORK/mnt
mkdir "$mnt"
store_new local

# asked COMMAND...: sets `requests` and `bytes` to what it has cost.
asked() {
	local reads

	reads=$(count read)
	bytes=$(count bytes_read)
	"$@" || wrong "$* fails"
	all_came || wrong "reading ahead does not end"
	requests=$(($(count read) - reads))
	bytes=$(($(count bytes_read) - bytes))
	echo "$*: $requests requests, $bytes bytes"
}

# Zero stands for a counter that is not there yet.
count() {
	local value

	value=$(status_of "$mnt" "$1")
	echo "${value:-0}"
}

# What was asked for ahead has come when the counters stand still.
all_came() {
	local before=

	while [ "$before" != "$(count read) $(count bytes_read)" ]; do
		before="$(count read) $(count bytes_read)"
		sleep 0.2
	done
}


in_order() {
	cmp "$mnt/$1" "$backing/$1"
}

# Without the kernel's pages: a page of $1 for each further argument.
pages() {
	local file=$1 page
	shift

	for page; do
		cmp <(dd if="$mnt/$file" iflag=direct bs=4096 skip="$page" \
			count=1 status=none) \
			<(dd if="$backing/$file" bs=4096 skip="$page" \
				count=1 status=none) || return 1
	done
}

again() {
	cmp <(dd if="$mnt/$1" iflag=direct bs=1M status=none) "$backing/$1"
}

together() {
	local one

	in_order "$1" &
	one=$!
	in_order "$1" && wait "$one"
}

size=$((32 << 20))
for each in order pages both; do
	head -c "$size" /dev/urandom >"$backing/$each"
done
echo 'without NEAR' >fault
mount_store "$url?fault=$WORK/fault" "$mnt" "$shared" || fail "no mount"

asked in_order order
is "$bytes" "$size" "bytes for a file read in order"
# Of 1 MiB, but for those whose reader has caught up with what is on its way.
[ "$requests" -le 96 ] || wrong "$requests requests in order"
asked again order
is "$requests" 0 "requests for what is known"
# shellcheck disable=SC2046
asked pages pages $(seq 8000 -131 0)
is "$bytes" $((62 * 4096)) "bytes for 62 pages"
is "$requests" 62 "requests for 62 pages"
asked together both
is "$bytes" "$size" "bytes for two at once"
unmount "$mnt"

# A put that has to send the old bytes, too, reads them ahead.
edit() {
	printf 'edited' | dd of="$mnt/$1" bs=1M seek=5 conv=notrunc status=none
}

echo 'without NEAR COMPOSE' >fault
DRIVER_LOG=debug
mount_store "$url?fault=$WORK/fault" "$mnt" "$shared" || fail "no mount"
cp "$backing/order" expected
printf 'edited' | dd of=expected bs=1M seek=5 conv=notrunc status=none
asked edit order
same "$backing/order" expected
[ "$requests" -le 64 ] || wrong "$requests requests for the base of an edit"
[ "$bytes" -le "$size" ] || wrong "$bytes bytes for the base of an edit"
says driver.log "order: publish: fill and replace, $size bytes to send"
unmount "$mnt"
finish
