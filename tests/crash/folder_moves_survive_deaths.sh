#!/bin/bash
# SPDX-License-Identifier: MIT
# build: --enable-steps
# timeout: 240
# timeout-full: 14400
# The driver dies at every named step of a rename by copies, and before and
# behind store calls; and again while the next one goes on. A folder, a file
# and a file over another one: afterwards the old name or the new one has all
# of it and the other one nothing, pending files have what was acknowledged,
# and no copy is left. Every step at least once; a full run takes every point.
# With arguments, points as they are printed, it tries these and nothing else.
# shellcheck source=tests/crash/lib.sh
. "$SRCDIR/tests/crash/lib.sh"
need_root
lacks='without ATOMIC_MOVE MOVE_FOLDER MOVE EXCHANGE'
files=12
died=0
died_again=0
declare -A covered

# tree_of DIR: names and bytes.
tree_of() {
	(cd "$1" && find . -exec stat -c '%n %F' {} + -type f -exec cksum {} +) |
		sort
}

# scene KIND COMMIT: a store with things to rename; what they are goes to
# $p/wanted-*.
scene() {
	place_new "$1" "$2"
	weather "$lacks"
	driver_start || fail "no mount of $url"
	mkdir -p "$mnt/old/sub/empty"
	for ((i = 0; i < files; i++)); do
		echo "content $i" >"$mnt/old/f$i"
	done
	echo below >"$mnt/old/sub/below"
	ln -s target "$mnt/old/sub/symlink"
	mkfifo "$mnt/old/sub/fifo"
	echo replacing >"$mnt/file"
	echo replaced >"$mnt/over"
	echo single >"$mnt/single"
	if [ "$2" = background ]; then
		"$STORECTL" drain "$mnt" >"$p/out" 2>&1 || fail "no drain"
		weather "$lacks" 'put stall=1h'
		echo newer >"$mnt/old/f1"
		echo new >"$mnt/old/sub/pending"
		echo newer >"$mnt/single"
	fi
	tree_of "$mnt/old" >"$p/wanted"
	single=$(cat "$mnt/single")
	if [ "$2" = background ]; then
		kill -KILL "$driver"
	else
		detach
	fi
	driver_end
	detach
}

# work: renames, as far as it comes; what was told goes to $p/told.
work() {
	local each

	: >"$p/told"
	for each in 'old new' 'file over' 'single moved'; do
		python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' \
			"$mnt/${each% *}" "$mnt/${each#* }" 2>"$p/err" ||
			return
		echo "${each% *}" >>"$p/told"
	done
}

# doomed_start DOOM
doomed_start() {
	case $1 in
	step*) driver_start STOREFS_DIE_AT="${1#step }" ;;
	call*)
		weather "$lacks" 'put stall=1h' "${1#call }"
		driver_start
		;;
	*) driver_start STOREFS_STEP_LOG="$p/steps" ;;
	esac
}

was_told() {
	grep -qx "$1" "$p/told"
}

# one_of_both OLD NEW: just one of them is there, and it is the new one if the
# rename was acknowledged. Prints which.
one_of_both() {
	if [ -e "$mnt/$1" ]; then
		[ ! -e "$mnt/$2" ] || wrong_here "$1 and $2"
		was_told "$1" && wrong_here "$1 is back"
		echo "$1"
	else
		[ -e "$mnt/$2" ] || wrong_here "neither $1 nor $2"
		echo "$2"
	fi
}

judge() {
	local name

	name=$(one_of_both old new)
	tree_of "$mnt/$name" >"$p/found"
	diff "$p/wanted" "$p/found" || wrong_here "$name differs"
	name=$(one_of_both single moved)
	is "$(cat "$mnt/$name")" "$single" "$point: $name"
	if [ -e "$mnt/file" ]; then
		is "$(cat "$mnt/file" "$mnt/over" | tr '\n' ' ')" \
			"replacing replaced " "$point: file"
		! was_told file || wrong_here "file is back"
	else
		is "$(cat "$mnt/over")" replacing "$point: over"
	fi
	[ "$(find "$mnt" -mindepth 1 -maxdepth 1 | wc -l)" -le 4 ] ||
		wrong_here "there is more: $(ls "$mnt")"
}

nothing_moves() {
	[ "$(status_of "$mnt" renames)" = 0 ]
}

# back_for_good: mounts without any fault; the store has the same afterwards.
back_for_good() {
	weather "$lacks"
	driver_start || {
		driver_end
		wrong_here "cannot be mounted again ($driver_status)"
		detach
		return
	}
	judge
	wait_until 20 nothing_moves || wrong_here "a rename does not end"
	judge
	wait_until 10 settled "$mnt" || wrong_here "does not settle"
	is "$(status_of "$mnt" failed_files)" 0 "$point: conflicts"
	(cd "$mnt" && find . -type f -exec cksum {} + | sort) >"$p/shown"
	stop
	fetch "$p/copy"
	(cd "$p/copy" && find . -type f -exec cksum {} + | sort) >"$p/stored"
	diff "$p/shown" "$p/stored" || wrong_here "the store has something else"
	no_leftovers
}

# die_again DOOM: a driver goes on with what is left, after it is mounted, too.
die_again() {
	local lives=0

	doomed_start "$1" && wait_until 20 gone_or_done
	gone "$driver" || lives=1
	[ "$lives" = 0 ] || kill -KILL "$driver"
	driver_end
	detach
	[ "$lives" = 1 ] || [ "$driver_status" -ne 137 ] ||
		died_again=$((died_again + 1))
}

gone_or_done() {
	gone "$driver" || nothing_moves
}

# try KIND COMMIT DOOM [DOOM]: the second one is that of the recovery.
try() {
	local kind_commit="$1 $2"
	point="$1 $2 $3${4+ / $4}"

	scene "$1" "$2"
	weather "$lacks" 'put stall=1h'
	if doomed_start "$3"; then
		work
	fi
	detach
	driver_end
	[ "$driver_status" -ne 137 ] || {
		died=$((died + 1))
		covered[${3% after=*}]=1
	}
	if [ -n "${4-}" ]; then
		die_again "$4"
	fi
	back_for_good
	[ "$failures" -eq 0 ] || printf 'after %s: %s\n' "$kind_commit" "$point"
}

# enumerate KIND COMMIT: the steps of the renames, as lines of "COUNT NAME".
enumerate() {
	point="$1 $2 undisturbed"
	scene "$1" "$2"
	rm -f "$p/steps"
	weather "$lacks" 'put stall=1h'
	doomed_start '' || fail "no mount"
	work
	is "$(tr '\n' ' ' <"$p/told")" "old file single " "$point: renamed"
	calls=$(("$(status_of "$mnt" copy)" * 6 + 60))
	kill -KILL "$driver"
	driver_end
	detach
	grep '^copies: ' "$p/steps" | sort | uniq -c | sed 's/^ *//' \
		>"$WORK/steps-$1-$2"
	back_for_good
	printf '%s: %s steps of %s names\n' "$point" \
		"$(awk '{ sum += $1 } END { print sum }' "$WORK/steps-$1-$2")" \
		"$(wc -l <"$WORK/steps-$1-$2")"
}

# a second death: what a recovery does after most of them.
again() {
	local choices=('step copies: remove:3' 'step copies: before remove:1'
		'step copies: settled:1' 'step recovery: copies:1'
		'call remove-after die after=2' 'call any die after=12')

	echo "${choices[RANDOM % ${#choices[@]}]}"
}

sample() {
	local count name kinds=(local sqlite) modes=(close background) i
	i=$((seed % 4))

	while read -r count name; do
		try "${kinds[i % 2]}" "${modes[i / 2 % 2]}" \
			"step $name:$((RANDOM % count + 1))" "$(again)"
		i=$((i + 1))
	done <"$WORK/steps-local-close"
	for name in 'copy-after die' 'remove die' 'any die' 'any-after die'; do
		try "${kinds[i % 2]}" "${modes[i / 2 % 2]}" \
			"call $name after=$((RANDOM % 25))"
		i=$((i + 1))
	done
}

everything() {
	local place count name i

	for place in 'local close' 'local background' 'sqlite close' \
		'sqlite background'; do
		while read -r count name; do
			for ((i = 1; i <= count; i++)); do
				# shellcheck disable=SC2086
				try $place "step $name:$i" "$(again)"
			done
		done <"$WORK/steps-local-close"
		for ((i = 0; i < calls; i++)); do
			# shellcheck disable=SC2086
			try $place "call any die after=$i"
			# shellcheck disable=SC2086
			try $place "call any-after die after=$i" "$(again)"
		done
	done
}

if [ $# -gt 0 ]; then
	for each; do
		first=${each%% / *}
		read -r one two rest <<<"$first"
		if [ "$each" = "$first" ]; then
			try "$one" "$two" "$rest"
		else
			try "$one" "$two" "$rest" "${each#* / }"
		fi
	done
	finish
fi
echo "SEED=$seed"
enumerate local close
if [ "$full" = 1 ]; then everything; else sample; fi
printf '%s deaths, %s more of the recovery\n' "$died" "$died_again"
while read -r _ name; do
	grep -q "step $name:" <(printf '%s\n' "${!covered[@]}") ||
		wrong "nobody died at '$name'"
done <"$WORK/steps-local-close"
[ "$died_again" -gt 0 ] || wrong "no recovery died"
finish
