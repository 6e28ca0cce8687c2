#!/bin/bash
# SPDX-License-Identifier: MIT
# Whatever the command line holds, storectl ends by itself with a status of its
# table, soon, and without a word from a sanitizer.
#
# mv, rm and cp are among the words and do as they are told, so all of this runs
# where nothing but the sandbox can be written: in a mount namespace of its own,
# everything else read-only, and not as root.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

sandbox=$WORK/sandbox

# read_only: every mount but that of the sandbox.
read_only() {
	local target

	mount --make-rprivate / && mount --bind "$sandbox" "$sandbox" ||
		return 1
	awk '{ print $5 }' /proc/self/mountinfo | sort -ru |
		while read -r target; do
			target=$(printf '%b' "${target//\\/\\0}")
			[ "$target" = "$sandbox" ] ||
				mount -o remount,bind,ro "$target" 2>/dev/null
		done
	return 0
}

# is_contained: is it so?  Neither here nor at home nor at the root.
is_contained() {
	local place

	for place in / /etc /tmp /var/tmp "$WORK" "$SRCDIR" "${HOME:-/}"; do
		! (: >"$place/.probe-$$") 2>/dev/null || return 1
	done
	: >"$sandbox/.probe" && rm "$sandbox/.probe"
}

case ${1:-outside} in
outside)
	mkdir -p "$sandbox"
	chmod 777 "$sandbox"
	mapped=()
	[ "$(id -u)" -eq 0 ] || mapped=(--map-root-user)
	unshare "${mapped[@]}" --mount true 2>/dev/null || {
		echo "skip: no mount namespace to be had"
		exit 77
	}
	exec unshare "${mapped[@]}" --mount \
		"$SRCDIR/tests/own-mounts" '' "$0" inside
	;;
inside)
	read_only || fail "the rest cannot be made read-only"
	is_contained || fail "the rest is not read-only"
	if [ "$(awk '{ print $3; exit }' /proc/self/uid_map)" -gt 1 ]; then
		exec setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$0" within
	fi
	;;
esac

is_contained || fail "outside of the sandbox something can be written"
cd "$sandbox" || exit 1
# Here their messages have to come: elsewhere nothing can be written.
export ASAN_OPTIONS=exitcode=99:detect_leaks=1 UBSAN_OPTIONS=exitcode=99
export HOME=$sandbox TMPDIR=$sandbox
seed=${SEED:-1}
echo "seed $seed"
RANDOM=$((seed % 32768))
rounds=300
[ "${FULL:-0}" = 0 ] || rounds=5000

words=(ls tree glob stat cat cp mv rm mkdir rmdir sum du ping caps resolve
	config status -l -R -r -p -n -d -o -a -c -f -h -s -v -m --json --depth
	--offset --length --pattern --sort --config --timeout --help --version
	-- - -1 0 1 007 999999999999999999999999 0x10 1K '' ' ' . ./ file
	dir dir/ ./file dir/new memory: 'memory:!/' 'memory:!/a' 'memory://n!/a'
	m: m:a 'm:a/../b' :x x:y a:b:c c.ini '!/'
	"file://$PWD" "file://$PWD/" "file://$PWD!/file" "file://$PWD!/%"
	"file://$PWD!/%2e%2e" 'file://host/x' 'memory:?x=y' 'memory:!/k?name=z'
	'sqlite:' 'sqlite:///x.db' 'sqlite:///x.db!/a/b' 'x://y!/z' '%' '%00'
	'*' '**' '**/*' 'a**' '[' '[!' '[a-' $'\xff\xfe' $'a\nb' 'ünï' sha256
	md5 nonsense)

for ((round = 0; round < rounds; round++)); do
	if [ ! -f file ] || [ ! -d dir ] || [ ! -s c.ini ]; then
		rm -rf -- * && mkdir dir && echo text >file
		printf '[backends.m]\ntype = memory\n' >c.ini
	fi
	args=()
	for ((i = RANDOM % 7; i >= 0; i--)); do
		args+=("${words[RANDOM % ${#words[@]}]}")
	done
	said=$(timeout 20 "$STORECTL" "${args[@]}" 2>&1 >/dev/null </dev/null)
	status=$?
	if [ $status -gt 21 ] || [[ $said == *Sanitizer* ]]; then
		printf '%q ' "${args[@]}"
		printf '\n%s\n' "$said"
		fail "round $round: exit status $status"
	fi
done
