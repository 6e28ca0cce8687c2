#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# Many who read and write at once share memory=: what the driver holds for them
# never exceeds it, all get right bytes, and nobody waits for ever. The store
# is slow, so that they are under way together.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
mnt=$WORK/mnt
mkdir "$mnt" new
store_new local
printf 'without NEAR COMPOSE\nread delay=2ms\n' >fault
readers=8 files=4 budget=$((16 << 20))
[ "$full" = 0 ] || readers=24
size=$((12 << 20))

resident_most() {
	awk '/^VmHWM:/ { print $2 * 1024 }' "/proc/$driver/status"
}

in_order() {
	cmp "$mnt/old$1" "$backing/old$1"
}

past_the_cache() {
	cmp <(dd if="$mnt/old$1" iflag=direct bs=1M status=none) \
		"$backing/old$1"
}

at_random() {
	local page

	for page in $(shuf -i 0-3071 -n 60 --random-source="$backing/old$1"); do
		cmp -n 4096 -i $((page * 4096)) "$mnt/old$1" "$backing/old$1" ||
			return 1
	done
}

replace() {
	cp "new/$1" "$mnt/new$1" && cmp "new/$1" "$backing/new$1"
}

edit() {
	printf 'edited' | dd of="$mnt/edited$1" bs=1M seek=5 conv=notrunc \
		status=none
}

for ((i = 0; i < files; i++)); do
	head -c "$size" /dev/urandom >"$backing/old$i"
	head -c "$size" /dev/urandom >"new/$i"
	head -c "$size" /dev/urandom >"$backing/edited$i"
	cp "$backing/edited$i" "expected$i"
	printf 'edited' | dd of="expected$i" bs=1M seek=5 conv=notrunc \
		status=none
done
mount_store "$url?fault=$WORK/fault" "$mnt" "$shared,memory=16M" ||
	fail "no mount"
jobs=()
for ((i = 0; i < readers; i++)); do
	for job in in_order past_the_cache at_random; do
		"$job" $((i % files)) &
		jobs+=("$!")
	done
done
for ((i = 0; i < files; i++)); do
	replace "$i" &
	jobs+=("$!")
	edit "$i" &
	jobs+=("$!")
done
for job in "${jobs[@]}"; do
	wait "$job" || wrong "one of them got wrong bytes or an error"
done
wait_settled "$mnt"
for ((i = 0; i < files; i++)); do
	cmp "expected$i" "$backing/edited$i" || wrong "edited$i"
done
peak=$(status_of "$mnt" memory_peak)
evicted=$(status_of "$mnt" memory_evicted)
echo "peak $peak of $budget, $evicted evicted," \
	"$(($(resident_most) >> 20)) MiB resident"
[ "$peak" -gt $((budget / 2)) ] || wrong "a peak of $peak is no test"
[ "$peak" -le "$budget" ] || wrong "a peak of $peak"
[ "$evicted" -gt 0 ] || wrong "nothing was evicted"
[ "$(resident_most)" -le $((budget + (64 << 20))) ] ||
	wrong "$(resident_most) bytes resident"
unmount "$mnt"
finish
