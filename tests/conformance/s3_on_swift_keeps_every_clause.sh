#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 900
# timeout-full: 3600
# The conformance suite on S3, as OpenStack Swift speaks it: it refuses the
# conditions of a PUT, so they are checked just before, and it cannot compare
# the version of what was made of parts where it copies or removes.  All of the
# clauses with FULL=1; else those of S3 alone.
set -eu

server=$SRCDIR/tests/servers/swift
dir=$WORK/swift
"$server" start "$dir"
trap '"$server" stop "$dir"' EXIT
# shellcheck source=/dev/null
. "$dir/env"

# A bucket: the library makes none.  An access key of Swift has a colon.
keys=$(printf '%s' "$AWS_ACCESS_KEY_ID" | sed 's/:/%3A/g')
bucket="http://$keys:$AWS_SECRET_ACCESS_KEY@${SWIFT_URL#http://}/conf"
curl -sSf --aws-sigv4 "aws:amz:$AWS_REGION:s3" \
	-H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT "$bucket"

# Where the tests ask for unfinished uploads by themselves.
export STOREFS_TEST_UPLOADS="$bucket"
export STOREFS_TEST_UNCONDITIONAL=1
export CONF_FULL="${FULL:-0}"
export STOREFS_TEST_S3="s3://conf?endpoint_url=$SWIFT_URL"
if [ "$CONF_FULL" = 1 ]; then
	"$BUILDDIR/tests/conformance/conf_s3"
else
	CK_RUN_CASE=B5 "$BUILDDIR/tests/conformance/conf_s3"
fi
export STOREFS_TEST_S3="s3://conf?endpoint_url=http://$SWIFT_HOST&addressing_style=virtual"
CK_RUN_CASE=K5 "$BUILDDIR/tests/conformance/conf_s3"
