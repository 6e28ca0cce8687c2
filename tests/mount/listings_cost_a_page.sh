#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# What listing a thousand objects asks the server for, exactly: a page; the
# attributes of an object once, several at a time; and nothing for what is
# known, or not wanted.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/servers/bucket.sh
. "$SRCDIR/tests/servers/bucket.sh"

need_root
bucket_start || fail "no bucket"
query="endpoint_url=http://127.0.0.1:$fake_s3_port"
url="s3://bucket?endpoint_url=http://127.0.0.1:$proxy_port"
mnt=$WORK/mnt
# The whole test is one moment to the kernel, and to what a listing tells.
options=$shared,attr_timeout=600,entry_timeout=600,negative_timeout=600

count=998 # with the folder, and its own marker, a page
mkdir many
for ((i = 0; i < count; i++)); do
	printf '%s' "$i" >"many/$(printf 'f%04d' "$i")"
done
chmod 640 many/f000*
touch -d '2020-02-03 04:05:06' many/f0007
mkdir "many/folder"
"$STORECTL" cp -r -p many "s3://bucket?$query" ||
	fail "the objects are not there"
made=$SECONDS

# asked KIND: requests for what is below the folder.
asked() {
	case $1 in
	list) proxy_count "$WORK/proxy" verb=GET target='*delimiter=*' ;;
	head) proxy_count "$WORK/proxy" verb=HEAD target='*/many/?*' ;;
	esac
}

# pages LISTS HEADS WHAT
pages() {
	is "$(asked list)" "$1" "$3: pages"
	is "$(asked head)" "$2" "$3: looks at objects"
	proxy "$WORK/proxy" forget
}

# told WHAT: names, modes, sizes and times are those of the files.
told() {
	list many >expected
	list "$mnt/many" >found
	diff expected found >difference ||
		wrong "$1: $(head -n 3 difference)"
}
list() {
	(cd "$1" && find . -type f -printf '%P %m %s %TY-%Tm-%Td %TT\n' | sort)
}

# Two changes in one second look the same in a listing: what is as young as
# that is not known for good.
# shellcheck disable=SC2317 # called by wait_until
old_enough() {
	[ $((SECONDS - made)) -ge 4 ]
}
wait_until 10 old_enough || fail "the clock stands still"

mount_store "$url" "$mnt" "$options" || fail "no mount"
stat "$mnt/many" >stat.log
proxy "$WORK/proxy" forget

note "plain: a page"
# ls(1) itself looks at the folder only.
is "$(env ls "$mnt/many" | wc -l)" $((count + 1)) "names"
pages 1 0 "plain"

note "long, nothing known: a page, and one look at each"
env ls -l "$mnt/many" >long.log || wrong "ls -l"
pages 1 $((count + 1)) "cold"
told "cold"
# The folder is shown by its name alone.
proxy "$WORK/proxy" forget

note "long, known: a page"
env ls -l "$mnt/many" >again.log || wrong "ls -l again"
pages 1 0 "known"
same long.log again.log

note "changed by somebody else: one look"
remount "$options,entry_timeout=0"
env ls -l "$mnt/many" >before.log || wrong "ls -l before a change"
printf 'other' >other
"$STORECTL" cp other "s3://bucket/many/f0500?$query" ||
	wrong "no other version"
proxy "$WORK/proxy" forget
env ls -l "$mnt/many" >changed.log || wrong "ls -l of a change"
is "$(proxy_count "$WORK/proxy" verb=HEAD target='*/many/f0500')" 1 \
	"looks at what has changed"
pages 1 2 "that and the folder in it"
is "$(stat -c %s "$mnt/many/f0500")" 5 "the size of the other version"

note "many at a time"
remount "$options"
stat "$mnt/many" >stat.log
proxy "$WORK/proxy" forget
proxy "$WORK/proxy" fault stall-answer verb=HEAD target='*/many/f*' skip=8 \
	count=0 >fault.log
env ls -l "$mnt/many" >stalled.log &
# shellcheck disable=SC2317 # called by wait_until
many_asked() {
	[ "$(asked head)" -ge 38 ]
}
wait_until 20 many_asked || wrong "only $(asked head) questions"
proxy "$WORK/proxy" clear
proxy "$WORK/proxy" drop
wait $! || wrong "ls -l over a connection that broke"
is "$(wc -l <stalled.log)" $((count + 2)) "lines after it broke"

note "metadata=list: a page"
remount "$options,metadata=list"
stat "$mnt/many" >stat.log
proxy "$WORK/proxy" forget
env ls -l "$mnt/many" >list.log || wrong "ls -l of metadata=list"
pages 1 0 "metadata=list"
is "$(wc -l <list.log)" $((count + 2)) "lines"
is "$(stat -c '%a %s' "$mnt/many/f0007")" "644 1" "mode and size"
for name in f0007 f0008 folder; do
	listed=$(stat -c '%F %a %s %Y' "$mnt/many/$name")
	"$STORECTL" refresh "$mnt/many" >refresh.log || wrong "no refresh"
	is "$(stat -c '%F %a %s %Y' "$mnt/many/$name")" "$listed" \
		"$name, by itself and as it was listed"
done
unmount "$mnt"
finish
