#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# timeout-full: 14400
# Any part of the journal, or of a file with staged bytes, is flipped or cut
# off before a mount. The mount says so, keeps what it cannot read, and shows
# and stores every file that was not hit. A full run takes every part there
# is.
# shellcheck source=tests/crash/lib.sh
. "$SRCDIR/tests/crash/lib.sh"
need_root

words=,op_timeout=5
template=$WORK/template
names=()
cases=0

damage() {
	/usr/bin/python3 "$SRCDIR/tests/crash/staging_damage.py" "$@"
}

# content NAME: what was acknowledged of it.
content() {
	printf '%s/content/%s' "$WORK" "$1"
}

# write NAME BYTES: acknowledged.
write() {
	head -c "$2" /dev/urandom >"$(content "$1")"
	cp "$(content "$1")" "$mnt/$1" || fail "no $1"
	names+=("$1")
}

# make_template: files that no store has, in all forms.
make_template() {
	local name

	mkdir -p "$WORK/content"
	place_new local background
	driver_start || fail "no mount of $url"
	expect 0 "$STORECTL" pause "$mnt"
	for name in tiny-1 tiny-2 tiny-3 tiny-4; do
		write "$name" $((RANDOM % 5000 + 500))
	done
	for name in large-1 large-2 large-3; do
		write "$name" $((RANDOM % 90000 + 40000))
	done
	write grown-1 50000
	head -c 70000 /dev/urandom | tee -a "$(content grown-1)" \
		>>"$mnt/grown-1" || fail "no append"
	write moved-1 4000
	mv "$mnt/moved-1" "$mnt/moved-2" || fail "no rename"
	sync "$mnt" || fail "no fsync of a folder"
	mv "$(content moved-1)" "$(content moved-2)"
	names[-1]=moved-2
	kill -KILL "$driver"
	driver_end
	detach
	cp -a "$staging" "$template"
	[ -z "$(ls -A "$backing")" ] || fail "something has been stored"
}

# fresh: the staging directory as it was.
fresh() {
	rm -rf "$staging" "$backing"
	mkdir "$backing"
	cp -a "$template" "$staging"
	: >"$p/driver.log"
	weather
	cases=$((cases + 1))
}

is_hit() {
	[[ " $hit " == *" $1 "* ]]
}

# whole DIR: what was not hit.
whole() {
	local name

	for name in "${names[@]}"; do
		is_hit "$name" || cmp "$1/$name" "$(content "$name")" ||
			wrong_here "$name in $1"
	done
}

# owner DATA: the name of the file whose last staged bytes are these.
owner() {
	local name size last
	size=$(stat -c %s "$1")
	last=$((size < 500 ? size : 500))

	for name in "${names[@]}"; do
		! cmp -s <(tail -c "$last" "$1") \
			<(head -c "$size" "$(content "$name")" |
				tail -c "$last") || echo "$name"
	done
}

# is_stored NAME BYTES: that much of it, under any name it has had.
is_stored() {
	local under

	for under in "$1" "${1/moved-2/moved-1}"; do
		! cmp -s -n "$2" "$p/copy/$under" "$(content "$1")" || return 0
	done
	return 1
}

# kept_bytes: nothing that is staged for a file that was hit is deleted,
# unless the store has it.
kept_bytes() {
	local file name

	for file in "$template"/data-*; do
		name=$(owner "$file")
		! is_hit "$name" || [ -e "$staging/${file##*/}" ] ||
			is_stored "$name" "$(stat -c %s "$file")" ||
			wrong_here "${file##*/} of $name is gone"
	done
}

# survives: a mount of what is there now.
survives() {
	driver_start || {
		driver_end
		wrong_here "no mount"
		detach
		return
	}
	whole "$mnt"
	wait_until 20 settled "$mnt" || wrong_here "does not settle"
	"$STORECTL" pending --json "$mnt" >"$p/pending"
	stop
	[ "$driver_status" = 0 ] || wrong_here "the driver ends: $driver_status"
	fetch "$p/copy"
	whole "$p/copy"
	[ "$failures" -lt 5 ] || finish
}

says_in_log() {
	grep -qF -- "$1" "$p/driver.log" || wrong_here "does not say: $1"
}

# ---- the journal ----

# journal_flipped AT LENGTH
journal_flipped() {
	point="journal flipped at $1, $2 bytes"
	fresh
	damage flip "$staging/journal" "$1" "$2"
	cp "$staging/journal" "$p/damaged"
	hit=$(damage hit "$template/journal" "$1" "$2" "${names[@]}" moved-1)
	hit=${hit/moved-1/moved-2}
	survives
	damage has "$p/damaged" "$1" "$2" "$staging/journal.bad-1" ||
		wrong_here "not kept"
	says_in_log "$staging/journal.bad-"
	kept_bytes
}

# journal_cut AT
journal_cut() {
	point="journal cut at $1"
	fresh
	damage cut "$staging/journal" "$1"
	hit=$(damage hit "$template/journal" "$1" "$end" "${names[@]}" moved-1)
	hit=${hit/moved-1/moved-2}
	survives
	kept_bytes
}

# journal_cases STEP
journal_cases() {
	local at length

	for ((at = 0; at < end; at += $1)); do
		length=$((at + $1 < end ? $1 : end - at))
		journal_flipped "$at" "$length"
		journal_cut $((at + RANDOM % length))
	done
}

# ---- staged bytes ----

# data_hit HOW DATA: a file that only this one has the bytes of has failed, and
# they stay as they are.
data_hit() {
	local kept=$staging/${2##*/} size at
	size=$(stat -c %s "$2")
	# The second half of a file has no holes here.
	at=$((size - 1 - RANDOM % (size / 2)))
	hit=$(owner "$2")
	point="${2##*/} of $hit, $1 at $at"

	fresh
	case $1 in
	flipped) damage flip "$kept" "$at" $((RANDOM % 100 + 1)) ;;
	cut) damage cut "$kept" "$at" ;;
	gone) rm "$kept" ;;
	esac
	cp "$kept" "$p/damaged" 2>/dev/null
	# What is in the journal as well is read from there.
	[ "$size" -gt 32768 ] || hit=
	survives
	[ -n "$hit" ] || return 0
	says_in_log "$hit: staged bytes cannot be read back"
	[ ! -e "$p/copy/$hit" ] || wrong_here "$hit is in the store"
	[ "$1" = gone ] || cmp "$p/damaged" "$kept" ||
		wrong_here "its bytes are not what they were"
	grep "\"key\":\"$hit\"" "$p/pending" | grep -q '"code":"CORRUPT"' ||
		wrong_here "pending: $(cat "$p/pending")"
	grep -q '"state":"damaged"' "$p/pending" || wrong_here "not damaged"
}

data_cases() {
	local file how number=$RANDOM
	local ways=(flipped cut gone)

	for file in "$template"/data-*; do
		for how in "${ways[@]}"; do
			[ "$full" = 0 ] && [ "$how" != "${ways[number % 3]}" ] &&
				continue
			data_hit "$how" "$file"
		done
		number=$((number + 1))
	done
}

make_template
end=$(damage end "$template/journal")
# Whole words: the padding behind a frame alone is no part of it.
step=40
[ "$full" != 0 ] || step=$((end / 5 / 8 * 8 + 8))
note "seed $seed, a journal of $end bytes in steps of $step"
data_cases
journal_cases "$step"
note "$cases cases"
finish
