#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 150
# With cache_dir= what was read is on the local disk for the next mount, within
# cache_size=. Whatever has become of the directory meanwhile, readers get the
# store's bytes, and the trouble is told. Requests are counted.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
mnt=$WORK/mnt cache=$WORK/cache
mkdir "$mnt"
store_new local
echo 'without NEAR' >fault
url="$url?fault=$WORK/fault"
size=$((8 << 20))
files=(one two three)
export DRIVER_LOG=1

# begin [OPTION,...]: a mount with the cache.
begin() {
	: >driver.log
	mount_store "$url" "$mnt" "$shared,cache_dir=$cache${1:+,$1}" ||
		fail "no mount: $(cat driver.log)"
}

# count NAME: zero stands for a counter that is not there yet.
count() {
	local value

	value=$(status_of "$mnt" "$1")
	echo "${value:-0}"
}

# told TEXT
told() {
	says driver.log "$1" || wrong "not told: $1, but: $(cat driver.log)"
}

# reads_all: right bytes; sets `bytes` to what the store was asked for.
reads_all() {
	local name

	for name in "${files[@]}"; do
		cmp "$mnt/$name" "$backing/$name" || wrong "$name"
	done
	bytes=$(count bytes_read)
}

blocks() {
	find "$cache" -path "$cache/??/*" -type f
}

for name in "${files[@]}"; do
	head -c "$size" /dev/urandom >"$backing/$name"
done
all=$((${#files[@]} * size))

note 'kept across mounts'
begin
reads_all
is "$bytes" "$all" "bytes for a cold cache"
unmount "$mnt"
begin
reads_all
is "$bytes" 0 "bytes for a warm cache"
is "$(count cache_found)" "$all" "bytes found on the disk"

note 'one mount at a time'
mkdir other
mount_store "$url" "$WORK/other" "$shared,cache_dir=$cache" ||
	fail "no mount beside"
told 'is in use by another mount'
cmp "$WORK/other/one" "$backing/one" || wrong "the mount beside"
unmount "$WORK/other"
unmount "$mnt"

note 'damage'
[ "$(blocks | wc -l)" -ge 12 ] || wrong "$(blocks | wc -l) blocks are few"
blocks | sort >list
damaged=0
lost=0
while read -r file; do
	bytes=$(stat -c %s "$file")
	case $((damaged % 4)) in
	0) truncate -s $((bytes / 2)) "$file" ;;
	1) printf 'never there' | dd of="$file" bs=1 seek=$((bytes - 19)) \
		conv=notrunc status=none ;;
	2) printf XX | dd of="$file" bs=1 seek=50 conv=notrunc status=none ;;
	3) head -c "$bytes" /dev/zero >"$file" ;;
	esac
	damaged=$((damaged + 1))
	lost=$((lost + bytes))
done < <(sed -n '1~4p' list)
# One in place of another, and what nobody has written.
cp "$(sed -n 2p list)" swap
size_of_third=$(stat -c %s "$(sed -n 3p list)")
head -c "$size_of_third" swap >"$(sed -n 3p list)"
damaged=$((damaged + 1))
lost=$((lost + size_of_third))
mkdir "$cache/zz"
: >"$cache/zz/readme"
: >"$cache/tmp-7"
begin
reads_all
[ "$bytes" -gt 0 ] || wrong "damaged blocks were not asked for again"
is "$(count cache_damaged)" "$damaged" "damaged blocks"
told 'a damaged block goes'
[ -e "$cache/zz/readme" ] || wrong "a file that is not ours went"
[ ! -e "$cache/tmp-7" ] || wrong "a half-written block stays"
unmount "$mnt"
# The good pages of a bad block were perhaps read before the others.
begin
reads_all
[ "$bytes" -le "$lost" ] || wrong "$bytes bytes of damaged blocks of $lost"
is "$(count cache_damaged)" 0 "damaged blocks, later"
unmount "$mnt"
begin
reads_all
is "$bytes" 0 "bytes once the damage is mended"
unmount "$mnt"

note 'another version'
head -c "$size" /dev/urandom >"$backing/two.new"
mv "$backing/two.new" "$backing/two"
begin
reads_all
is "$bytes" "$size" "bytes after one of three files has changed"
unmount "$mnt"

note 'within its size'
begin cache_size=10M
[ "$(count cache_used)" -le $((10 << 20)) ] || wrong "$(count cache_used) used"
reads_all
[ "$(count cache_used)" -le $((10 << 20)) ] || wrong "$(count cache_used) used"
[ "$(count cache_evicted)" -gt 0 ] || wrong "nothing went"
used=$(du -sk "$cache" | cut -f 1)
[ "$used" -le $((10 << 10)) ] || wrong "$used KiB on the disk"
unmount "$mnt"

note 'not ours'
cache=$WORK/foreign
mkdir "$cache"
echo mine >"$cache/letter"
begin
told 'holds something else'
reads_all
is "$(ls "$cache")" letter "what is in a foreign directory"
unmount "$mnt"
cache=$WORK/newer
mkdir -m 700 "$cache"
echo 'storefs cache 9' >"$cache/storefs-cache"
begin
told 'is of another format'
reads_all
unmount "$mnt"
is "$(cat "$cache/storefs-cache")" 'storefs cache 9' "a newer mark"
for mode in 'chown nobody' 'chmod 777'; do
	cache=$WORK/${mode##* }
	mkdir -m 700 "$cache"
	$mode "$cache"
	begin
	told 'no cache on disk'
	reads_all
	is "$(ls "$cache")" '' "what is in a directory after $mode"
	unmount "$mnt"
done

note 'lost while it is used'
cache=$WORK/lost
begin
reads_all
unmount "$mnt"
begin
rm -r "$cache"/??
reads_all
is "$bytes" "$all" "bytes for what is gone"
is "$(count cache_damaged)" 0 "blocks that are gone"
unmount "$mnt"
begin
reads_all
is "$bytes" 0 "bytes once it is back"
unmount "$mnt"
begin
rm -r "$cache"
reads_all
is "$bytes" "$all" "bytes without the directory"
unmount "$mnt"

note 'disks'
cache=$WORK/small
mkdir -m 700 "$cache"
mount -t tmpfs -o size=3m,mode=700 none "$cache" || fail "no tmpfs"
mounted+=("$cache")
begin cache_size=0
reads_all
told 'nothing can be kept in the cache'
[ "$(count cache_failed)" -gt 0 ] || wrong "a full disk was not counted"
unmount "$mnt"
mount -o remount,ro "$cache" || fail "no read-only tmpfs"
begin
told 'no cache on disk'
reads_all
is "$bytes" "$all" "bytes without a cache"
unmount "$mnt"
umount "$cache"
finish
