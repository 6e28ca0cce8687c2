#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# The ways to an object store: TLS with certificates of both sides, HTTP/2,
# either internet protocol, proxies; and keys of the user's own for encryption,
# which go over TLS only.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/servers/fake_s3.sh
. "$SRCDIR/tests/servers/fake_s3.sh"
# shellcheck source=tests/servers/tls.sh
. "$SRCDIR/tests/servers/tls.sh"

need_root
at_end server_stop "$WORK/tls"
at_end server_stop "$WORK/forward"
fake_s3_start "$WORK/s3" || fail "no server"
fake_s3 "$WORK/s3" simulate bucket 0
tls_start "$WORK/tls" "$fake_s3_port" || fail "no TLS"
forward_start "$WORK/forward" || fail "no proxy"
unset no_proxy
ini=$WORK/ini
head -c 100000 /dev/urandom >small
head -c 12000000 /dev/urandom >large

# store LINE...: the options of the store that is named "there".
store() {
	{
		printf '[backends.b]\ntype = s3\nbucket = bucket\n'
		printf 'retry_max_attempts = 1\n'
		printf '%s\n' "$@"
		printf '[stores.there]\nbackend = b\n'
	} >"$ini"
	chmod 600 "$ini"
}

ctl() {
	"$STORECTL" -c "$ini" "$@"
}

# fine WHAT: bytes go there and back.
fine() {
	expect 0 ctl cp small there:small || wrong "$1: cp"
	ctl cat there:small >back || wrong "$1: cat"
	same small back
}

# refused STATUS WHAT TEXT: with that exit status and word.
refused() {
	expect "$1" ctl ping there: || wrong "$2"
	says "$WORK/err" "$3"
}

tls="endpoint_url = https://localhost:$tls_port"
trusted="tls_ca_bundle = $WORK/tls/ca.pem"

note "certificates of the server"
store "$tls"
refused 4 "nobody is trusted" certificate
store "$tls" "$trusted"
fine "a bundle"
store "$tls"
AWS_CA_BUNDLE=$WORK/tls/ca.pem fine "a bundle of the environment"
store "$tls" 'verify_ssl = false'
fine "not looked at"
store "endpoint_url = https://127.0.0.1:$tls_port" "$trusted"
refused 4 "a certificate of another" "127.0.0.1"
store "$tls" "tls_ca_bundle = $WORK/none"
refused 4 "no bundle" "$WORK/none"

note "certificates of the client"
client="endpoint_url = https://localhost:$tls_client_port"
mine="tls_client_cert = $WORK/tls/client.pem"
store "$client" "$trusted"
refused 5 "no certificate" 400
store "$client" "$trusted" "$mine" "tls_client_key = $WORK/tls/client.key"
fine "a certificate"
store "$client" "$trusted" "$mine" "tls_client_key = $WORK/tls/locked.key" \
	'tls_client_key_password = open'
fine "with a password"
store "$client" "$trusted" "$mine" "tls_client_key = $WORK/tls/locked.key" \
	'tls_client_key_password = shut'
refused 4 "with another password" key

# all_were WORD: what stands in every line of the log since the last time.
all_were() {
	[ -s "$WORK/tls/access" ] || wrong "nothing is logged for $1"
	! grep -vF -- "$1" "$WORK/tls/access" || wrong "not all were $1"
	: >"$WORK/tls/access"
}

note "protocols"
: >"$WORK/tls/access"
store "$tls" "$trusted"
fine "by itself"
all_were HTTP/1.1
store "$tls" "$trusted" 'http_version = 2' 'single_max = 5M' 'part_size = 5M'
fine HTTP/2
expect 0 ctl cp large there:large
ctl cat there:large | cmp - large || wrong "a large file by HTTP/2"
expect 0 ctl mv there:large there:moved
expect 0 ctl rm there:moved
all_were HTTP/2.0
store "$tls" "$trusted" 'ip = 4'
fine "version 4"
all_were ' 127.0.0.1 '
store "$tls" "$trusted" 'ip = 6'
fine "version 6"
all_were ' ::1 '
store "endpoint_url = https://s3.localhost:$tls_port" "$trusted" \
	'addressing_style = virtual'
fine "the bucket in the name"
all_were " bucket.s3.localhost:$tls_port "

# went_through, went_past: the proxy, since the last time.
went_through() {
	grep -q '^CONNECT.*Connect (file' "$WORK/forward/log" ||
		wrong "$1: not through the proxy"
	: >"$WORK/forward/log"
}
went_past() {
	! grep -q '^CONNECT.*Connect (file' "$WORK/forward/log" ||
		wrong "$1: through the proxy"
	: >"$WORK/forward/log"
}

note "proxies"
plain="endpoint_url = http://127.0.0.1:$fake_s3_port"
proxy="proxy = http://me:pass%2dword@127.0.0.1:$forward_port"
: >"$WORK/forward/log"
store "$plain" "$proxy"
fine "plain"
went_through plain
store "$tls" "$trusted" "$proxy"
fine tunnelled
went_through tunnelled
store "$tls" "$trusted" "$proxy" 'no_proxy = other,localhost'
fine "no_proxy"
went_past "no_proxy"
store "$tls" "$trusted"
https_proxy=http://me:pass%2dword@127.0.0.1:$forward_port fine "environment"
went_through "environment"
store "$tls" "$trusted" "proxy = http://me:wrong@127.0.0.1:$forward_port"
refused 4 "another password of the proxy, tunnelled" 'the proxy gives 40'
store "$plain" "proxy = http://127.0.0.1:$forward_port"
refused 4 "no password of the proxy" 407
store "$plain" "proxy = gopher://127.0.0.1:$forward_port"
refused 5 "no proxy" 'proxy: http'
store "$plain" "proxy = http://127.0.0.1:1"
refused 14 "a proxy that is not there" 127.0.0.1

note "a key of the user"
key=$(head -c 32 /dev/urandom | base64 -w 0)
other=$(head -c 32 /dev/urandom | base64 -w 0)
parts='single_max = 5M
part_size = 5M
copy_max = 20M'
store "$plain" "sse_customer_key = $key"
refused 5 "a key without TLS" 'https only'
store "$tls" "$trusted" "sse_customer_key = $key" 'sse = AES256'
refused 5 "two kinds of encryption" 'one way'
store "$tls" "$trusted" 'sse_customer_key = c2hvcnQ='
refused 5 "a short key" '32 bytes'
store "$tls" "$trusted" "sse_customer_key = $key" "$parts"
fine "a key"
expect 0 ctl cp large there:large
expect 0 ctl cp there:large there:copied
ctl cat there:copied | cmp - large || wrong "a copy in the store"
mnt=$WORK/mnt
mount_store there "$mnt" "config=$ini" || fail "no mount"
cp large "$mnt/folder" && same large "$mnt/folder"
printf more | tee -a large >>"$mnt/large" || wrong "an append"
same large "$mnt/large"
mv "$mnt/large" "$mnt/moved" && chmod 600 "$mnt/moved"
unmount "$mnt"
ctl cat there:moved | cmp - large || wrong "what was changed and moved"
is "$(fake_s3 "$WORK/s3" uploads)" '' "uploads that are left"
fake_s3 "$WORK/s3" show bucket/moved >shown
grep -q '^customer: .' shown || wrong "not with the key: $(cat shown)"
store "$tls" "$trusted" "sse_customer_key = $other"
expect 4 ctl cat there:moved
store "$tls" "$trusted"
expect 5 ctl cat there:moved
finish
