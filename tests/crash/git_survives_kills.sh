#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# timeout-full: 14400
# git commits in a loop, and packs what it has, in a repository inside the
# mount while it or the driver is killed. Afterwards git fsck finds nothing,
# and every commit can be reached that git said was made. With an argument,
# "local close", only that store and mode.
# shellcheck source=tests/crash/kills.sh
. "$SRCDIR/tests/crash/kills.sh"


# git gc tries for ever to read a folder that cannot be read.
goes_on=1
export GIT_CONFIG_GLOBAL=$WORK/gitconfig
export GIT_CONFIG_NOSYSTEM=1
cat >"$GIT_CONFIG_GLOBAL" <<'END'
[user]
	name = T
	email = t@example.org
[init]
	defaultBranch = main
[safe]
	directory = *
[gc]
	auto = 0
[advice]
	detachedHead = false
END

work() {
	local syncs=(none committed all) i

	cd "$mnt/repository" || exit
	for ((i = 0; ; i++)); do
		# shellcheck disable=SC2154
		change "$number.$i" &&
			git add -A &&
			git -c core.fsync="${syncs[luck % 3]}" \
				commit -qm "$number.$i" || exit
		git rev-parse HEAD >>"$told/commits" || exit
		[ $(((i + luck) % 9)) != 0 ] || git gc -q --prune=now || exit
	done
}

# change NUMBER: in the working tree.
change() {
	mkdir -p "folder.$((RANDOM % 3))" &&
		seq "$((RANDOM % 9000))" >"folder.$((RANDOM % 3))/$((RANDOM % 9))"
	echo "$1" >>log
}
export -f change

prepare() {
	: >"$told/commits"
	git init -q "$mnt/repository" || fail "no repository"
	mkdir "$mnt/repository/folder."{0,1,2}
}

# tidy: locks of a git that is no more are its user's to remove.
tidy() {
	find "$mnt/repository/.git" \( -name '*.lock' -o -name gc.pid -o \
		-name packed-refs.new \) -delete ||
		wrong_here "cannot be searched"
}

judge() {
	git -C "$1/repository" fsck --full --strict >"$WORK/fsck" 2>&1 || {
		cat "$WORK/fsck"
		wrong_here "git fsck in $1"
	}
	[ -s "$told/commits" ] || return 0
	git -C "$1/repository" rev-list HEAD | sort >"$WORK/reachable"
	sort "$told/commits" | comm -23 - "$WORK/reachable" >"$WORK/lost"
	[ ! -s "$WORK/lost" ] ||
		wrong_here "$1: lost $(tr '\n' ' ' <"$WORK/lost")"
}

told_how_many() {
	wc -l <"$told/commits"
}

kills_in_turn "$@"
