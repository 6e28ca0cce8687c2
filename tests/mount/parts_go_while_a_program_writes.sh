#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# A large file that is written slowly from front to back is on its way before
# it is closed: close() sends what is left and what has changed since, and what
# the file is at its end (times, mode, owner) is what everybody sees. With
# FULL=1 on a Ceph gateway, too.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/servers/fake_s3.sh
. "$SRCDIR/tests/servers/fake_s3.sh"
# shellcheck source=tests/servers/proxy.sh
. "$SRCDIR/tests/servers/proxy.sh"

need_root
mnt=$WORK/mnt
size=$((23 * (1 << 20) + 1000))
head -c $size /dev/urandom >first
head -c 1000 /dev/urandom >block
cp first changed
dd if=block of=changed bs=1000 seek=3 conv=notrunc status=none
head -c 12000000 first >shorter

# server_start fake|rgw
server_start() {
	local port

	if [ "$1" = fake ]; then
		fake_s3_start "$WORK/s3" || fail "no server"
		port=$fake_s3_port
		s3_curl PUT "http://127.0.0.1:$port/mount" || fail "no bucket"
	else
		s3_start
		port=${RGW_URL##*:}
		port=${port%%/*}
		unset AWS_ENDPOINT_URL
	fi
	proxy=$WORK/proxy-$1
	proxy_start "$proxy" http "$port" || fail "no proxy"
	bucket=http://127.0.0.1:$port/mount
	options=endpoint_url=http://127.0.0.1:$proxy_port
	options="$options&conditions=yes&single_max=5M&part_size=5M"
}

# count VERB NAME [QUERY]: requests for one file.
count() {
	proxy_count "$proxy" verb="$1" target="*/$2${3:+[?]*$3*}"
}
parts() {
	count PUT "$1" partNumber=
}
# shellcheck disable=SC2317 # called by wait_until
went() {
	[ "$(parts "$1")" -ge 3 ]
}
# It is complete, and says what it is at its end.
# shellcheck disable=SC2317 # called by wait_until
stamped() {
	[ "$(count PUT "$1")" = 1 ] && [ "$(count POST "$1" uploadId)" = 1 ]
}
# shellcheck disable=SC2317 # called by wait_until
complete() {
	[ "$(count POST "$1" uploadId)" = 1 ]
}
no_uploads() {
	! s3_curl GET "$bucket?uploads=" | grep -q '<UploadId>'
}
seen() {
	stat -c '%s %y %a %u %g' "$mnt/$1"
}

# written NAME...: all but the end of them is written and on its way.
written() {
	local name fd

	declare -gA fds=()
	for name; do
		exec {fd}>"$mnt/$name"
		fds[$name]=$fd
		head -c $((17 << 20)) first >&"$fd" || wrong "$name: write"
	done
	# What is written faster gains nothing by it.
	sleep 1
	for name; do
		tail -c +$(((17 << 20) + 1)) first >&"${fds[$name]}" ||
			wrong "$name: write"
	done
	for name; do
		wait_until 20 went "$name" ||
			wrong "$name: $(parts "$name") parts before close()"
		is "$(count POST "$name" uploadId)" 0 "$name: completions"
	done
}

closes_fd() {
	local fd=${fds[$1]}

	exec {fd}>&-
}

# closed NAME FILE: it is that file, for everybody.
closed() {
	closes_fd "$1"
	wait_until 60 stamped "$1" || wrong "$1: $(count PUT "$1") copies"
	same "$2" "$mnt/$1"
	"$STORECTL" cat "s3://mount/$1?$options" | cmp - "$2" ||
		wrong "$1: other bytes in the store"
}

# sent NAME PARTS: nothing but these, and one change of what it is.
sent() {
	is "$(parts "$1")" "$2" "$1: parts"
	is "$(count POST "$1" uploads)" 1 "$1: uploads"
	is "$(count POST "$1" uploadId)" 1 "$1: completions"
	is "$(count PUT "$1")" 1 "$1: copies over itself"
}

closes() {
	note "$server: commit=close"
	mount_store "s3://mount?$options" "$mnt" commit=close || fail "no mount"
	# A part that does not get on is in nobody's way but the next file's.
	proxy "$proxy" fault stall-request verb=PUT \
		'target=*/removed[?]*partNumber=2&*' at=1000 count=0
	written new again timed removed
	seen new >new.seen
	dd if=block of="$mnt/again" bs=1000 seek=3 conv=notrunc status=none ||
		wrong "no second write"
	seen again >again.seen
	chmod 4751 "$mnt/timed"
	chown 12:34 "$mnt/timed"
	touch -d '2020-02-03 04:05:06.123456789' "$mnt/timed"
	seen timed >timed.seen
	closed new first
	sent new 5
	is "$(proxy_sent "$proxy" verb=PUT target='*/new*')" "$size" \
		"bytes of a new file"
	closed again changed
	sent again 6
	closed timed first
	sent timed 5
	rm "$mnt/removed"
	closes_fd removed
	wait_until 20 no_uploads || wrong "an upload of a removed file is left"
	proxy "$proxy" clear
	for name in new again timed; do
		is "$(seen $name)" "$(cat $name.seen)" "$name: closed"
	done
	unmount "$mnt"
}

acknowledges() {
	note "$server: commit=background"
	mount_store "s3://mount?$options" "$mnt" commit=background ||
		fail "no mount"
	for name in new again timed; do
		is "$(seen $name)" "$(cat $name.seen)" "$name: mounted again"
		same "$mnt/$name" "$([ $name = again ] && echo changed ||
			echo first)"
	done
	cp block "$mnt/replaced"
	timeout 60 "$STORECTL" drain "$mnt" || wrong "not drained"
	proxy "$proxy" forget
	written replaced cut killed
	seen replaced >replaced.seen
	truncate -s 12000000 "$mnt/cut"
	seen cut >cut.seen
	closed replaced first
	is "$(parts replaced)" 5 "replaced: parts"
	closes_fd cut
	wait_until 60 complete cut || wrong "cut: not complete"
	same shorter "$mnt/cut"
	killed
	for name in replaced cut; do
		is "$(seen $name)" "$(cat $name.seen)" "$name: mounted again"
	done
	unmount "$mnt"
	rm -rf "$(staging_of "$mnt")"
}

# What nobody has acknowledged is nobody's.
killed() {
	kill -KILL "$driver"
	closes_fd killed || :
	wait_until 10 gone "$driver" || fail "not killed"
	umount -l "$mnt"
	no_uploads && wrong "nothing was on its way"
	mount_store "s3://mount?$options" "$mnt" commit=background ||
		fail "no mount"
	wait_until 20 no_uploads || wrong "an upload of the dead is left"
	[ ! -e "$mnt/killed" ] || wrong "what was never finished is there"
}

# The last request fails, and the driver dies: the next one makes up for it.
dies_before_the_stamp() {
	note "$server: killed before the file is what it was"
	mount_store "s3://mount?$options" "$mnt" commit=background ||
		fail "no mount"
	written stamped
	proxy "$proxy" fault stall-request verb=PUT 'target=*/stamped' count=0
	chmod 640 "$mnt/stamped"
	seen stamped >stamped.seen
	closes_fd stamped
	# shellcheck disable=SC2317 # called by wait_until
	stalls() { [ "$(count PUT stamped)" -ge 1 ]; }
	wait_until 30 stalls || wrong "no copy"
	kill -KILL "$driver"
	wait_until 10 gone "$driver" || fail "not killed"
	umount -l "$mnt"
	proxy "$proxy" clear
	mount_store "s3://mount?$options" "$mnt" commit=background ||
		fail "no mount"
	timeout 60 "$STORECTL" drain "$mnt" || wrong "not drained"
	is "$(parts stamped)" 5 "parts"
	unmount "$mnt"
	rm -rf "$(staging_of "$mnt")"
	mount_store "s3://mount?$options" "$mnt" commit=background ||
		fail "no mount"
	same first "$mnt/stamped"
	is "$(seen stamped)" "$(cat stamped.seen)" "mounted again"
	unmount "$mnt"
}

servers=(fake)
[ "$FULL" = 1 ] && servers+=(rgw)
for server in "${servers[@]}"; do
	server_start "$server"
	rm -rf "$(staging_of "$mnt")"
	closes
	acknowledges
	proxy "$proxy" forget
	dies_before_the_stamp
done
finish
