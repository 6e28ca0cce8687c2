# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A strict S3 server behind a proxy that counts and harms; sourced by bash.
: "${SRCDIR:?}" "${WORK:?}"
# shellcheck source=tests/servers/fake_s3.sh
. "$SRCDIR/tests/servers/fake_s3.sh"
# shellcheck source=tests/servers/proxy.sh
. "$SRCDIR/tests/servers/proxy.sh"

# bucket_start: the server in $WORK/s3, with an empty bucket called `bucket`,
# and the proxy in $WORK/proxy; sets fake_s3_port and proxy_port.
bucket_start() {
	fake_s3_start "$WORK/s3" &&
		proxy_start "$WORK/proxy" http "$fake_s3_port" &&
		fake_s3 "$WORK/s3" simulate bucket 0
}
