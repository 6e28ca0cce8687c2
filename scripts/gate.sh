# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the check-* gates share; sourced, never run. A gate prints FILE:LINE:
# TEXT for each finding and exits 0 without one, 1 with, 77 when the machine
# lacks its tool. It looks at the whole tree, whatever directory it runs in.

top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$top" || exit 1

# tree_files PATTERN...: the files of the project whose names match. Inside a
# clone those that git tracks, in an unpacked release all.
tree_files() {
	if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
		git ls-files -- "$@" | while IFS= read -r file; do
			[ ! -f "$file" ] || printf '%s\n' "$file"
		done
		return
	fi
	for pattern in "$@"; do
		find . -path './build*' -prune -o -type f \
			-path "./$pattern" -print | sed 's,^\./,,'
	done | sort -u
}

c_files() {
	tree_files '*.c' '*.h'
}

# Scripts are known by their first line; what is sourced has none.
shell_programs() {
	tree_files '*' | xargs awk '
		FNR == 1 && /^#!.*[\/ ](ba)?sh$/ { print FILENAME }
		{ nextfile }'
}

shell_libraries() {
	tree_files '*.sh' | xargs awk '
		FNR == 1 && !/^#!/ { print FILENAME }
		{ nextfile }'
}

shell_files() {
	shell_programs
	shell_libraries
}

# over_files PROGRAM...: runs it over the names on standard input, if any.
over_files() {
	xargs -r "$@"
}

# gate_end FINDINGS: prints them and ends the gate.
gate_end() {
	[ -n "$1" ] || exit 0
	printf '%s\n' "$1"
	exit 1
}

# gate_skip REASON
gate_skip() {
	printf 'skip: %s\n' "$1"
	exit 77
}

# strip_c: an awk library. code(LINE) is the line without comments and without
# the contents of strings; call it on every line of a file in turn.
# shellcheck disable=SC2016,SC2034
strip_c='
function code(line,    out, c, n, i, quote) {
	if (FNR == 1)
		in_comment = 0
	out = ""
	n = length(line)
	for (i = 1; i <= n; i++) {
		c = substr(line, i, 1)
		if (in_comment) {
			if (substr(line, i, 2) == "*/") {
				in_comment = 0
				i++
			}
		} else if (quote != "") {
			if (c == "\\")
				i++
			else if (c == quote) {
				quote = ""
				out = out c
			}
		} else if (substr(line, i, 2) == "//") {
			break
		} else if (substr(line, i, 2) == "/*") {
			in_comment = 1
			i++
		} else {
			if (c == "\"" || c == "\047")
				quote = c
			out = out c
		}
	}
	return out
}'
