#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 900
# The conformance suite on S3, as a server speaks it that checks everything
# and honours every condition.
set -eu
# shellcheck source=tests/servers/fake_s3.sh
. "$SRCDIR/tests/servers/fake_s3.sh"

fake_s3_start "$WORK/s3"
endpoint=http://127.0.0.1:$fake_s3_port
s3_curl PUT "$endpoint/conf"

keys=$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY
export STOREFS_TEST_UPLOADS=http://$keys@${endpoint#http://}/conf
export CONF_FULL="${FULL:-0}"
export STOREFS_TEST_S3="s3://conf?endpoint_url=$endpoint&conditions=yes"
"$BUILDDIR/tests/conformance/conf_s3"

# Every kind of checksum.
for kind in md5 crc32c sha256; do
	export STOREFS_TEST_S3="s3://conf?endpoint_url=$endpoint&checksum=$kind"
	CK_RUN_CASE=B5 "$BUILDDIR/tests/conformance/conf_s3"
done
named=http://s3.localhost:$fake_s3_port
export STOREFS_TEST_S3="s3://conf?endpoint_url=$named&addressing_style=virtual"
CK_RUN_CASE=K5 "$BUILDDIR/tests/conformance/conf_s3"

# Nothing was malformed, unsigned, or damaged.
counts=$(fake_s3 "$WORK/s3" counts)
echo "$counts"
[ "${counts##* }" = 0 ]
