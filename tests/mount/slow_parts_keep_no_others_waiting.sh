#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# Parts of an upload, and ranges of a copy, go out as others end: one that
# hangs keeps nothing waiting but the end.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/servers/bucket.sh
. "$SRCDIR/tests/servers/bucket.sh"

bucket_start || fail "no bucket"
query="endpoint_url=http://127.0.0.1:$proxy_port&conditions=yes"
query="$query&single_max=5M&part_size=5M&copy_max=20M"
count=13
head -c $((count * (5 << 20) - 1000)) /dev/urandom >large

# parts [STATUS]: how many were sent, or answered so.
parts() {
	proxy "$WORK/proxy" requests verb=PUT target='*partNumber=*' |
		grep -c " ${1:-.*} [0-9]* [0-9]*\$"
}
# shellcheck disable=SC2317 # called by wait_until
all_answered() {
	[ "$(parts 200)" -ge "$1" ]
}

# hangs COMMAND...: with the first of all parts without an answer.
hangs() {
	local process

	proxy "$WORK/proxy" forget
	proxy "$WORK/proxy" fault stall-answer verb=PUT \
		target='*partNumber=1&*' >fault.log
	"$@" &
	process=$!
	wait_until 30 all_answered $((count - 1)) ||
		wrong "$*: $(parts 200) of $count parts while one hangs"
	is "$(proxy_count "$WORK/proxy" verb=POST target='*uploadId=*')" 0 \
		"completions while one hangs"
	proxy "$WORK/proxy" clear
	proxy "$WORK/proxy" drop
	wait "$process" || wrong "$* fails"
	is "$(parts)" $((count + 1)) "parts, with the one that was sent again"
}

note "sent"
hangs "$STORECTL" cp large "s3://bucket/large?$query"
"$STORECTL" cat "s3://bucket/large?$query" | cmp - large ||
	wrong "other bytes"

note "copied"
hangs "$STORECTL" cp "s3://bucket/large?$query" \
	"s3://bucket/copy?$query"
"$STORECTL" cat "s3://bucket/copy?$query" | cmp - large ||
	wrong "other bytes in the copy"
finish
