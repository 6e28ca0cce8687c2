#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 900
# The conformance suite on S3, as a Ceph gateway speaks it.
set -eu

server=$SRCDIR/tests/servers/rgw
dir=$WORK/rgw
# Short pages, so that few keys are several of them.
[ "${FULL:-0}" = 1 ] || export RGW_EXTRA='rgw max listing results = 100'
"$server" start "$dir"
trap '"$server" stop "$dir"' EXIT
# shellcheck source=/dev/null
. "$dir/env"

# A bucket: the library makes none.
curl -sSf --aws-sigv4 "aws:amz:$AWS_REGION:s3" \
	--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
	-H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' -X PUT "$RGW_URL/conf"

# Where the tests ask for unfinished uploads by themselves.
keys=$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY
export STOREFS_TEST_UPLOADS="http://$keys@${RGW_URL#http://}/conf"
export CONF_FULL="${FULL:-0}"
export STOREFS_TEST_S3="s3://conf?endpoint_url=$RGW_URL"
"$BUILDDIR/tests/conformance/conf_s3"

# Over TLS payloads are not signed but summed; the names of objects and the
# name of the bucket come by another way.
export STOREFS_TEST_S3="s3://conf?endpoint_url=$RGW_TLS_URL&tls_ca_bundle=$dir/tls.crt"
CK_RUN_CASE=B5 "$BUILDDIR/tests/conformance/conf_s3"
CK_RUN_CASE=K5 "$BUILDDIR/tests/conformance/conf_s3"
CK_RUN_CASE=F9 "$BUILDDIR/tests/conformance/conf_s3"
export STOREFS_TEST_S3="s3://conf?endpoint_url=http://$RGW_HOST&addressing_style=virtual"
CK_RUN_CASE=K5 "$BUILDDIR/tests/conformance/conf_s3"
