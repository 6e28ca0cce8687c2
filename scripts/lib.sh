# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Functions shared by the scripts here; sourced, never run. Plain sh. The
# caller sets `top` to the root of the source tree.
: "${top:?}"

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# As many as there are processors, unless the caller has others use for them.
jobs_here() {
	echo "${STOREFS_JOBS:-$(nproc 2>/dev/null || echo 2)}"
}

# packages_in FILE...: the names in package lists, one a line.
packages_in() {
	sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$@"
}

# packages_missing NAME...: those of them that are not installed.
packages_missing() {
	for package in "$@"; do
		state=$(dpkg-query -W -f '${db:Status-Status}' \
			"$package" 2>/dev/null) || state=
		[ "$state" = installed ] || printf '%s\n' "$package"
	done
}

# packages_need FILE...: installs what the lists name and the machine lacks.
# Without dpkg the lists mean nothing and configure has the word.
packages_need() {
	command -v dpkg-query >/dev/null || return 0
	# shellcheck disable=SC2046 # a list of words
	set -- $(packages_missing $(packages_in "$@"))
	[ $# -gt 0 ] || return 0
	if [ "$(id -u)" -ne 0 ]; then
		printf 'These packages are missing; as root:\n' >&2
		printf '    apt-get install %s\n' "$*" >&2
		return 1
	fi
	printf 'Installing %s\n' "$*" >&2
	apt_install "$@" && return 0
	apt-get -qq update >&2 || return 1
	apt_install "$@"
}

apt_install() {
	DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		--no-install-recommends -o Dpkg::Use-Pty=0 \
		install "$@" >/dev/null
}

# build_configure DIR ARGUMENT...: makes ./configure where there is none, and
# configures DIR unless it was configured with these very arguments. Two
# scripts at once would write the same ./configure, hence the lock.
build_configure() {
	dir=$1
	shift
	mkdir -p "$dir"
	{
		flock 9
		[ -x "$top/configure" ] || (cd "$top" && ./autogen.sh) \
			>"$dir/autogen.log" 2>&1 9>&- || {
			cat "$dir/autogen.log" >&2
			return 1
		}
	} 9>"$top/.autogen.lock"
	if [ -f "$dir/config.status" ] &&
		[ "$(cat "$dir/configure.args" 2>/dev/null)" = "$*" ]; then
		return 0
	fi
	(cd "$dir" && "$top/configure" --quiet "$@") \
		>"$dir/configure.log" 2>&1 || {
		cat "$dir/configure.log" >&2
		return 1
	}
	printf '%s\n' "$*" >"$dir/configure.args"
}

# build_make DIR TARGET...: make, silent but for warnings and errors.
build_make() {
	dir=$1
	shift
	make --no-print-directory -s -j "$(jobs_here)" -C "$dir" "$@"
}
