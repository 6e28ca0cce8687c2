#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# What each operation on objects asks the server for, exactly: it
# cannot creep up, and what is known is not asked for again.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/servers/bucket.sh
. "$SRCDIR/tests/servers/bucket.sh"

need_root
bucket_start || fail "no bucket"
url="s3://bucket?endpoint_url=http://127.0.0.1:$proxy_port"
url="$url&conditions=yes&single_max=5M&part_size=5M"
direct="endpoint_url=http://127.0.0.1:$fake_s3_port&conditions=yes"
mnt=$WORK/mnt
pins_PID=
# The whole test is one moment to the kernel.
options=$shared,attr_timeout=600,entry_timeout=600,negative_timeout=600
DRIVER_LOG=debug
mount_store "$url" "$mnt" "$options" || fail "no mount"

# kinds: a letter for each request, sorted: [H]EAD, [L]IST, [G]ET, [P]UT,
# [D]ELETE, P[O]ST.
kinds() {
	proxy "$WORK/proxy" requests |
		sed -E 's/^GET [^ ]*list-type=2.*/L/; s/^POST.*/O/
			s/^([HGPD])[A-Z]* .*/\1/' | sort | tr -d '\n'
}

# costs KINDS COMMAND...
costs() {
	local wanted=$1 asked
	shift

	wait_settled "$mnt"
	proxy "$WORK/proxy" forget
	"$@" >/dev/null || wrong "$* fails"
	wait_settled "$mnt"
	asked=$(kinds)
	[ "$asked" = "$wanted" ] && return 0
	wrong "$*: '$asked' instead of '$wanted'"
	proxy "$WORK/proxy" requests
}

# pin NAME...: what the kernel knows of these stays, also when it is short of
# memory, and would be looked up again.
pin() {
	local name

	[ -n "$pins_PID" ] || coproc pins {
		exec python3 -c '
import os, sys
for name in sys.stdin:
    os.open(name.rstrip("\n"), os.O_PATH)
    print(flush=True)
'
	}
	for name; do
		echo "$name" >&"${pins[1]}"
		read -r _ <&"${pins[0]}" || fail "$name is not pinned"
	done
}

unpin() {
	local process=$pins_PID

	[ -n "$process" ] || return 0
	eval "exec ${pins[1]}>&-"
	wait "$process"
	pins_PID=
}

# shellcheck disable=SC2317 # called by costs
missing() {
	! stat "$@" 2>/dev/null
}

# shellcheck disable=SC2317 # called by costs
write_new() {
	cat small >"$1"
}

# shellcheck disable=SC2317 # called by costs
replace() {
	python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$@"
}

head -c 1000 /dev/urandom >small
head -c 4096 /dev/urandom >page
mkdir "$mnt/d"
for name in one two three four; do
	echo "$name" >"$mnt/d/$name"
done
pin "$mnt/d" "$mnt/d"/{one,two,three}

note "known"
costs HL missing "$mnt/d/none" "$mnt/d/none"
costs HLP write_new "$mnt/d/new"
note "made by somebody else since: what has been found missing is no promise"
printf other >other
made_by_other() {
	"$STORECTL" cp other "s3://bucket/d/$1?$direct" || wrong "cp of $1"
}
missing "$mnt/d/theirs" "$mnt/d/folder" || wrong "there before"
made_by_other theirs
expect 0 "$STORECTL" mkdir "s3://bucket/d/folder?$direct"
cp small "$mnt/d/theirs" 2>/dev/null && wrong "a file is replaced"
mkdir "$mnt/d/folder" 2>/dev/null && wrong "a folder is made again"
"$STORECTL" cat "s3://bucket/d/theirs?$direct" >found || wrong "cat of theirs"
same other found
"$STORECTL" discard "$mnt/d/theirs" >/dev/null || wrong "discard"
missing "$mnt/d/taken" || wrong "there before"
made_by_other taken
mv -n "$mnt/d/one" "$mnt/d/taken" 2>/dev/null
expect 0 test -e "$mnt/d/one"
"$STORECTL" cat "s3://bucket/d/taken?$direct" >found || wrong "cat of taken"
same other found

note "made here since"
missing "$mnt/d/made" "$mnt/d/moved" "$mnt/d/marked" || wrong "there before"
expect 0 cp small "$mnt/d/made"
expect 0 cp small "$mnt/d/source"
expect 0 mv "$mnt/d/source" "$mnt/d/moved"
expect 0 mkdir "$mnt/d/marked"
chmod 640 "$mnt/d/made"
wait_settled "$mnt"
expect 0 stat "$mnt/d/made" "$mnt/d/moved" "$mnt/d/marked"
expect 0 rm "$mnt/d/moved"
expect 0 rmdir "$mnt/d/marked"

note "known again"
# cp(1) looks at the name and then makes it with O_EXCL, for which the
# kernel looks again: memory knows.
costs HLP cp small "$mnt/d/small"
costs HLP cp small "$mnt/d/again"
pin "$mnt/d/small"
costs HP cp small "$mnt/d/one"
costs G cat "$mnt/d/small"
costs '' stat "$mnt/d/small" "$mnt/d"
costs HLP chmod 600 "$mnt/d/two"
costs '' stat "$mnt/d/two"
costs HHLP touch -d 2020-01-02 "$mnt/d/two"
is "$(stat -c '%a %y' "$mnt/d/two" | cut -c 1-14)" '600 2020-01-02' \
	"what was set"
# A look at the new name, the source, the copy, and the source once more
# before it goes.
costs DHHHHLP mv "$mnt/d/two" "$mnt/d/moved"
# Over another file, whose version is a condition of the copy. mv(1) tries
# first whether there is one, for which the kernel looks once more.
costs DHHHHLP replace "$mnt/d/again" "$mnt/d/moved"
same small "$mnt/d/moved"
costs DH rm "$mnt/d/three"
costs HLP mkdir "$mnt/d/e"
pin "$mnt/d/e"
costs DL rmdir "$mnt/d/e"
costs L ls -U "$mnt/d"
# The name was missing once, which the kernel is told to forget: it looks it up.
# What is known to be a folder is asked for as one.
for wanted in HHL H; do
	note "refreshed: $wanted"
	expect 0 "$STORECTL" refresh "$mnt/d"
	costs $wanted stat "$mnt/d"
	costs '' stat "$mnt/d"
done

note "told by the driver itself"
# told VERB COUNT: what it has counted.
told() {
	"$STORECTL" status --json "$mnt" |
		sed -n "s/.*\"$1\": *{[^}]*\"$2\": *\([0-9]*\).*/\1/p"
}
declare -A before
for verb in GET HEAD PUT; do
	before[$verb]=$(told "$verb" requests)
done
sent=$(told PUT sent)
costs HLP write_new "$mnt/d/counted"
for verb in GET HEAD PUT; do
	is "$(($(told "$verb" requests) - ${before[$verb]}))" 1 "$verb"
done
is "$(($(told PUT sent) - sent))" 1000 "bytes that were sent"

note "and to Prometheus"
# metric NAME LABELS: its value.
metric() {
	sed -n "s|^$1{mountpoint=\"$mnt\"${2-}} \([0-9]*\)\$|\1|p" metrics
}
expect 0 "$STORECTL" metrics "$mnt"
cp out metrics
is "$(metric storefs_requests_total ',verb="PUT"')" "$(told PUT requests)" \
	"metric of PUT"
is "$(metric storefs_sent_bytes_total ',verb="PUT"')" "$(told PUT sent)" \
	"metric of bytes"
is "$(metric storefs_queue_files)" 0 "metric of the queue"
is "$(metric storefs_memory_limit_bytes)" $((256 << 20)) "metric of memory"
[ "$(metric storefs_publishes_total)" -gt 5 ] || wrong "metric of publishes"
[ "$(metric storefs_store_operations_total ',operation="put"')" -gt 5 ] ||
	wrong "metric of operations"
# Every sample stands behind the type of its name, each name once.
awk '/^# TYPE / { if (seen[$3]++) exit 1; name = $3; next }
	/^# HELP / { next }
	index($0, name "{") != 1 || !/} [0-9]+$/ { exit 1 }' metrics ||
	wrong "no text for Prometheus: $(cat metrics)"
expect 1 "$STORECTL" metrics
expect 1 "$STORECTL" metrics "$mnt" "$mnt"

note "cold"
unpin
cold() {
	remount "$options"
	costs "$@"
}
cold HHL stat "$mnt/d"
cold HHHLL stat "$mnt/d/small"
cold GHHHLL cat "$mnt/d/small"
cold HHLL ls -U "$mnt/d"
cold DHHHHLL rm "$mnt/d/four"

note "a large object"
size=$((12 << 20))
[ "${FULL:-0}" = 1 ] && size=$((1 << 30))
truncate -s "$size" large
cp large "$mnt/d/large" || wrong "cp of a large file"
# shellcheck disable=SC2317 # called by costs
append() {
	printf 'x' >>"$mnt/d/large"
}
edit() {
	dd if=page of="$mnt/d/large" bs=4096 \
		seek=$((size / 8192)) conv=notrunc status=none
}
# small_change SENT FETCHED: below that, since `costs` or `forget`.
small_change() {
	local sent fetched

	sent=$(proxy_sent "$WORK/proxy")
	fetched=$(proxy_fetched "$WORK/proxy" verb=GET)
	echo "$sent bytes sent, $fetched fetched"
	[ "$sent" -lt "$1" ] || wrong "$sent bytes sent"
	[ "$fetched" -lt "$2" ] || wrong "$fetched bytes fetched"
}
pin "$mnt/d/large"
costs HOOPP append
is "$(proxy_count "$WORK/proxy" verb=GET)" 0 "reads for an append"
small_change 65536 1
wait_settled "$mnt"
proxy "$WORK/proxy" forget
edit || wrong "an edit fails"
wait_settled "$mnt"
small_change $((6 << 20)) $((6 << 20))
note "how it was stored"
# planned NAME PLAN: the driver says so.
planned() {
	grep -q " d/$1: publish: $2 bytes to send\$" driver.log ||
		wrong "$1 is not stored by $2: $(grep "d/$1: pub" driver.log)"
}
planned new "put, 1000"
planned large "multipart, $size"
planned large "compose, 1"
planned large "compose, 4096"
cp large expected
printf 'x' >>expected
dd if=page of=expected bs=4096 \
	seek=$((size / 8192)) conv=notrunc status=none
unpin
remount "$options"
same expected "$mnt/d/large"
unmount "$mnt"
finish
