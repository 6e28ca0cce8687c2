#!/bin/bash
# SPDX-License-Identifier: MIT
# Every option of every command, of the driver and of each kind of store stands
# in the manual.
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

doc=$SRCDIR/doc

# options_of HELP: the names in the option lists of a --help text.
options_of() {
	sed -n 's/^  *\(-[a-zA-Z], \)\{0,1\}--\([a-z-]*\).*/\2/p' "$1" | sort -u
}

# manual_of COMMAND: its part of storectl(1).
manual_of() {
	sed -n "/^\.It Cm $1 /,/^\.It Cm \|^\.El/p" "$doc/storectl.1" |
		sed '1n; /^\.It Cm /d'
}

expect 0 "$STORECTL" --help
commands=$(sed -n '/^Commands:/,/^Options:/s/^  \([a-z]*\) .*/\1/p' out)
[ "$(wc -w <<<"$commands")" -ge 18 ] || fail "commands: $commands"
for command in $commands; do
	manual_of "$command" >part
	[ -s part ] || fail "storectl(1) lacks $command"
	expect 0 "$STORECTL" "$command" --help
	for option in $(options_of out); do
		case $option in
		json | config | timeout | help)
			says "$doc/storectl.1" "-$option"
			continue
			;;
		esac
		# A letter in the synopsis, and its long name somewhere.
		letter=$(sed -n "s/^  -\([a-zA-Z]\), --$option .*/\1/p" out)
		head -n 1 part | grep -q "Fl [a-zA-Z]*$letter" ||
			fail "storectl $command: -$letter is undocumented"
		says "$doc/storectl.1" "Fl -$option"
	done
done

expect 0 "$STOREFS" --help
options=$(sed -n '/^Options:/,$s/^  \([a-z_]*\)[= ].*/\1/p' out)
[ "$(wc -w <<<"$options")" -ge 20 ] || fail "options: $options"
for option in $options; do
	grep -q "^\.It Cm.*\b$option\b\|^Cm $option\b" "$doc/storefs.1" ||
		fail "storefs(1) lacks $option"
done

printf '[backends.%s]\ntype = %s\n' m memory >conf.ini
printf '[backends.%s]\ntype = %s\nroot = /\n' l local >>conf.ini
printf '[backends.%s]\ntype = %s\npath = /x.db\n' s sqlite >>conf.ini
backends='backends.m backends.l backends.s'
# What a build leaves out is not to be found in it.
if "$STORECTL" ls 's3://bucket?endpoint_url=x' 2>&1 | grep -q 'endpoint_url:'; then
	printf '[backends.%s]\ntype = %s\nbucket = %s\n' o s3 bucket >>conf.ini
	backends="$backends backends.o"
fi
if "$STORECTL" ls 'sftp://host?idmap=x' 2>&1 | grep -q 'idmap'; then
	printf '[backends.%s]\ntype = %s\nhost = %s\n' t sftp host >>conf.ini
	backends="$backends backends.t"
fi
# shellcheck disable=SC2086 # names are words
expect 0 "$STORECTL" -c conf.ini config $backends
sed -n 's/^\([a-z_]*\) = .*/\1/p' out | sort -u >names
[ "$(wc -l <names)" -ge 12 ] || fail "options: $(cat names)"
while read -r option; do
	grep -q "^\.Cm $option\b\|^\.Li $option\b" "$doc/storefs.ini.5" ||
		fail "storefs.ini(5) lacks $option"
done <names
