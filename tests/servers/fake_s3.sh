# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A strict S3 server for a test; sourced by bash. What it can be told:
# fake_s3.h.
: "${BUILDDIR:?}"

# fake_s3_start PLACE: sets fake_s3_port, and the keys of the AWS tools. It
# ends with the shell, or by fake_s3_stop PLACE.
fake_s3_start() {
	mkdir -p "$1" && rm -f "$1/ready" && mkfifo "$1/ready" || return 1
	"$BUILDDIR/tests/servers/fake_s3" "$1" >"$1/ready" &
	fake_s3_port=
	read -r fake_s3_port <"$1/ready" || {
		echo "the server of $1 does not start" >&2
		return 1
	}
	export AWS_ACCESS_KEY_ID=fakeaccess
	export AWS_SECRET_ACCESS_KEY=fakesecret0123456789
	export AWS_REGION=us-east-1
	export no_proxy='*'
}
fake_s3_port=

# fake_s3 PLACE COMMAND...
fake_s3() {
	"$BUILDDIR/tests/servers/fake_s3" -c "$@"
}

fake_s3_stop() {
	local pid

	read -r pid <"$1/pid" || return 0
	rm -f "$1/pid"
	kill "$pid"
	wait "$pid" 2>/dev/null || :
}

# s3_curl METHOD URL [ARGUMENT...]
s3_curl() {
	local method=$1 url=$2
	shift 2

	curl -sSf --aws-sigv4 "aws:amz:$AWS_REGION:s3" \
		--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
		-H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
		-X "$method" "$url" "$@"
}
