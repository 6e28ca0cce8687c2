#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# What a storectl that was killed had sent to an object store is not kept for
# ever: whoever opens the store later aborts what is old, and nothing else.
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"
# shellcheck source=tests/servers/bucket.sh
. "$SRCDIR/tests/servers/bucket.sh"

bucket_start || fail "no bucket"
url="s3://bucket/root?endpoint_url=http://127.0.0.1:$proxy_port"
url="$url&single_max=5M&part_size=5M"
head -c 12000000 /dev/zero >large

is_sent() {
	[ "$(proxy_count "$WORK/proxy" "target=*partNumber=1*")" -gt 0 ] &&
		[ -n "$(fake_s3 "$WORK/s3" uploads)" ]
}

# killed KEY: a copy to it, in the middle of an upload.
killed() {
	local pid end=$((SECONDS + 20))

	proxy "$WORK/proxy" forget
	proxy "$WORK/proxy" fault stall-request verb=PUT "target=*partNumber=3*"
	"$STORECTL" cp large "$url!/$1" &
	pid=$!
	until is_sent; do
		[ "$SECONDS" -lt "$end" ] || fail "no upload of $1"
		sleep 0.05
	done
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	proxy "$WORK/proxy" clear
}

left() {
	fake_s3 "$WORK/s3" uploads | sort | tr '\n' ' '
}

# Ten minutes ago, and now.
fake_s3 "$WORK/s3" clock -600
killed old
fake_s3 "$WORK/s3" clock 0
killed young
is "$(left)" 'bucket/root/old bucket/root/young '
expect 0 "$STORECTL" ping "$url"
expect 0 "$STORECTL" ping "$url&abort_uploads_after=1h"
is "$(left)" 'bucket/root/old bucket/root/young '
# Those of others, outside of the root, are not ours to end.
other=${url/root/other}
expect 0 "$STORECTL" ping "$other&abort_uploads_after=5m"
is "$(left)" 'bucket/root/old bucket/root/young '
expect 0 "$STORECTL" ping "$url&abort_uploads_after=5m"
is "$(left)" 'bucket/root/young '
# What is there of them is no file.
expect 0 "$STORECTL" ls -R "$url"
is "$(cat out)" ''
