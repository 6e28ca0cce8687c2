#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# storectl warm: what was read ahead costs later readers no request, of this
# mount and of the next; what could not be read or kept is told.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
mnt=$WORK/mnt cache=$WORK/cache
mkdir "$mnt"
store_new local
echo 'without NEAR' >fault
url="$url?fault=$WORK/fault"

begin() {
	mount_store "$url" "$mnt" "$shared${1:+,$1}" || fail "no mount"
}

# count NAME: zero stands for a counter that is not there yet.
count() {
	local value

	value=$(status_of "$mnt" "$1")
	echo "${value:-0}"
}

mkdir -p "$backing/tree/below/deep" "$backing/tree/empty"
for name in tree/a tree/below/b "tree/below/deep/c d" beside; do
	head -c 3000000 /dev/urandom >"$backing/$name"
done
for ((i = 0; i < 100; i++)); do
	echo "$i" >"$backing/tree/below/small-$i"
done
ln -s nowhere "$backing/tree/link"
mkfifo "$backing/tree/fifo"
: >"$backing/tree/nothing"
small=$(cat "$backing"/tree/below/small-* | wc -c)
all=$((9000000 + small))

note 'a tree, a file, and again'
begin "cache_dir=$cache"
expect 0 "$STORECTL" warm "$mnt/tree"
says out "tree: 104 files, "
is "$(count bytes_read)" "$all" "bytes for a tree"
is "$(count cache_written)" "$all" "bytes on the disk"
cmp "$mnt/tree/below/deep/c d" "$backing/tree/below/deep/c d" || wrong "deep"
expect 0 "$STORECTL" warm --json "$mnt/tree" "$mnt/tree/a"
says out "\"files\":104,\"bytes\":$all,\"failed\":0,\"evicted\":0"
says out '"files":1,"bytes":3000000,"failed":0'
is "$(count bytes_read)" "$all" "bytes for what is there"
unmount "$mnt"
begin "cache_dir=$cache"
diff -r --no-dereference -x fifo "$mnt/tree" "$backing/tree" ||
	wrong "the tree"
is "$(count bytes_read)" 0 "bytes for the next mount"

note 'what fails is told'
expect 2 "$STORECTL" warm "$mnt/missing"
says err missing
rm "$backing/tree/a"
expect 2 "$STORECTL" warm "$mnt/tree/a" "$mnt/beside"
says out 'beside: 1 file, '
expect 1 "$STORECTL" warm
unmount "$mnt"
begin
expect 6 "$STORECTL" warm "$mnt/beside"
says err 'no cache directory'
unmount "$mnt"
mkdir plain
expect 2 "$STORECTL" warm "$WORK/plain"
begin "cache_dir=$WORK/small,cache_size=2M"
"$STORECTL" warm "$mnt/tree" >out 2>err && wrong "a cache that is too small"
says err 'more than cache_size holds'
[ "$(count cache_used)" -le $((2 << 20)) ] || wrong "$(count cache_used) used"
unmount "$mnt"
finish
