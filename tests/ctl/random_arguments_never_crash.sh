#!/bin/bash
# SPDX-License-Identifier: MIT
# Whatever the command line holds, storectl ends by itself with a status of its
# table, soon, and without a word from a sanitizer.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

seed=${SEED:-1}
echo "seed $seed"
RANDOM=$((seed % 32768))
rounds=300
[ -z "${FULL:-}" ] || [ "$FULL" = 0 ] || rounds=5000

mkdir sandbox
cd sandbox || exit 1
echo text >file
mkdir dir
printf '[backends.m]\ntype = memory\n' >c.ini

# No word may name anything outside of the sandbox: mv, rm and cp are among
# them, and do as they are told (`mv / dir`).
words=(ls tree glob stat cat cp mv rm mkdir rmdir sum du ping caps resolve
	config status -l -R -r -p -n -d -o -a -c -f -h -s -v -m --json --depth
	--offset --length --pattern --sort --config --timeout --help --version
	-- - -1 0 1 007 999999999999999999999999 0x10 1K '' ' ' . ./ file
	dir dir/ ./file dir/new memory: 'memory:!/' 'memory:!/a' 'memory://n!/a'
	m: m:a 'm:a/../b' :x x:y a:b:c c.ini '!/'
	"file://$PWD" "file://$PWD/" "file://$PWD!/file" "file://$PWD!/%"
	"file://$PWD!/%2e%2e" 'file://host/x' 'memory:?x=y' 'memory:!/k?name=z'
	'sqlite:' 'sqlite:///x.db' 'sqlite:///x.db!/a/b' 'x://y!/z' '%' '%00' '*' '**' '**/*'
	'a**' '[' '[!' '[a-' $'\xff\xfe' $'a\nb' 'ünï' sha256 md5 nonsense)

for ((round = 0; round < rounds; round++)); do
	args=()
	for ((i = RANDOM % 7; i >= 0; i--)); do
		args+=("${words[RANDOM % ${#words[@]}]}")
	done
	timeout 20 "$STORECTL" "${args[@]}" >../out 2>../err </dev/null
	status=$?
	if [ $status -gt 21 ] || grep -q Sanitizer ../err; then
		printf '%q ' "${args[@]}"
		cat ../err
		fail "round $round: exit status $status"
	fi
	[ -e file ] || echo text >file
	[ -d dir ] || mkdir -p dir
done
