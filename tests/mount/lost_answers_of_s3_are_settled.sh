#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A mount of S3 on a line that loses answers: what was stored is known to be,
# nobody is told of a conflict with himself, and nothing is sent that is not
# needed.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/servers/bucket.sh
. "$SRCDIR/tests/servers/bucket.sh"

need_root
bucket_start || fail "no bucket"
url="s3://bucket?endpoint_url=http://127.0.0.1:$proxy_port"
url="$url&conditions=yes&single_max=5M&part_size=5M"
mnt=$WORK/mnt
mount_store "$url" "$mnt" || fail "no mount"

head -c 100000 /dev/urandom >small
head -c 12000000 /dev/urandom >large

note "a put"
proxy "$WORK/proxy" forget
cp small "$mnt/new" || wrong "cp of a new file"
is "$(proxy_count "$WORK/proxy" verb=PUT)" 1 "puts of a new file"
is "$(proxy_sent "$WORK/proxy" verb=PUT)" 100000 "bytes of a new file"

note "puts without an answer"
proxy "$WORK/proxy" fault reset-answer verb=PUT
cp small "$mnt/lost" || wrong "cp without an answer"
same small "$mnt/lost"
proxy "$WORK/proxy" fault reset-answer verb=PUT
cp large "$mnt/lost-part" || wrong "cp with the answer to a part lost"
same large "$mnt/lost-part"

note "a completion without an answer"
proxy "$WORK/proxy" forget
proxy "$WORK/proxy" fault reset-answer verb=POST 'target=*uploadId=*'
cp large "$mnt/lost-large" || wrong "cp with a lost completion"
is "$(proxy_sent "$WORK/proxy" verb=PUT)" 12000000 "bytes of a large file"
same large "$mnt/lost-large"
is "$(fake_s3 "$WORK/s3" uploads)" '' "uploads that are left"

note "a storm"
fake_s3 "$WORK/s3" rule fail count=5
cp small "$mnt/storm" || wrong "cp in a storm"
same small "$mnt/storm"

note "another version"
proxy "$WORK/proxy" fault reset-answer verb=PUT
cp large "$mnt/new" || wrong "overwriting without an answer"
same large "$mnt/new"

# Every fault has struck, and once.
is "$(proxy "$WORK/proxy" faults | grep -c 'hits=1$')" 4 "faults that struck"

unmount "$mnt"
finish
