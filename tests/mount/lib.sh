# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests of the driver share; sourced by bash. Each runs in its own
# $WORK. Mounts made with mount_store are gone when the script ends, however.
: "${STOREFS:?}" "${STORECTL:?}" "${BUILDDIR:?}" "${WORK:?}"
set -u

posix=$BUILDDIR/tests/posix
fileop=$BUILDDIR/tests/mount/fileop
seed=${SEED:-1}
full=${FULL:-0}
mounted=() # mount points, the last one last
drivers=() # who is to be gone at the end: process and birth
# Everybody's view of a mount made by root, judged by the kernel.
shared=allow_other,default_permissions
failures=0

note() {
	printf -- '-- %s\n' "$*"
}

fail() {
	printf 'FAIL: %s\n' "$*"
	exit 1
}

# wrong TEXT: counted; the test goes on. finish tells.
wrong() {
	printf 'WRONG: %s\n' "$*"
	failures=$((failures + 1))
}

finish() {
	[ "$failures" -eq 0 ] || fail "$failures findings"
	exit 0
}

# is TEXT WANTED WHAT
is() {
	[ "$1" = "$2" ] || wrong "${3:-value}: '$1' instead of '$2'"
}

# same FILE FILE
same() {
	cmp "$1" "$2" || wrong "$1 and $2 differ"
}

# says FILE TEXT: the text stands in the file.
says() {
	grep -qF -- "$2" "$1" && return 0
	cat "$1"
	wrong "no '$2' in ${1##*/}"
}

# expect STATUS COMMAND...: what it prints is in $WORK/out and $WORK/err.
expect() {
	local want=$1 got
	shift

	"$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	got=$?
	[ "$got" -eq "$want" ] && return 0
	cat "$WORK/out" "$WORK/err"
	wrong "exit status $got instead of $want: $*"
	return 1
}

milliseconds() {
	local now=$EPOCHREALTIME

	echo "${now%???}" | tr -d .
}

# wait_until SECONDS COMMAND...: false when it did not come true in time.
wait_until() {
	local end=$(($(milliseconds) + $1 * 1000))
	shift

	until "$@"; do
		[ "$(milliseconds)" -lt "$end" ] || return 1
		sleep 0.02
	done
}

need_root() {
	[ "$(id -u)" -eq 0 ] && return 0
	echo "skip: needs root"
	exit 77
}

# ---- another user ----

user=nobody
user_home=$WORK/user

user_setup() {
	mkdir -p "$user_home"
	chown "$user": "$user_home"
}

as_user() {
	setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups \
		env -u XDG_STATE_HOME HOME="$user_home" USER="$user" \
		TMPDIR="$user_home" "$@"
}

# gone PID: ended; its parent may not have noticed.
gone() {
	local line

	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
	[[ ${line##*) } == [ZX]* ]]
}

# birth_of PID: in ticks since the machine started; nothing when it is gone.
birth_of() {
	local line

	{ read -r line <"/proc/$1/stat"; } 2>/dev/null || return 0
	# shellcheck disable=SC2086
	set -- ${line##*) }
	echo "${20}"
}

# ends_here PID...: gone when the script ends. The number of one that ended long
# before may be somebody else's by then.
ends_here() {
	local pid

	for pid in "$@"; do
		drivers+=("$pid $(birth_of "$pid")")
	done
}

# is_another PID BIRTH
is_another() {
	gone "$1" || [ "$(birth_of "$1")" != "${2-}" ]
}

# user_may_mount "$@": udev opens /dev/fuse to everybody. Where that has not
# happened (containers), the script starts again with a device of its own, in
# a mount namespace of its own.
user_may_mount() {
	user_setup
	# shellcheck disable=SC2016
	as_user sh -c '[ -r /dev/fuse ] && [ -w /dev/fuse ]' && return 0
	[ -z "${OWN_FUSE-}" ] || fail "no use of /dev/fuse"
	rm -f "$WORK/fuse"
	mknod -m 666 "$WORK/fuse" c 10 229 || fail "no device node"
	# shellcheck disable=SC2016
	OWN_FUSE=1 exec unshare --mount "$SRCDIR/tests/own-mounts" '' sh -c \
		'mount --bind "$WORK/fuse" /dev/fuse && exec "$@"' sh "$0" "$@"
}

# ---- mounts ----

# status_of MOUNTPOINT NAME: one number of its status.
status_of() {
	"$STORECTL" status --json "$1" 2>/dev/null |
		sed -n "s/.*\"$2\": *\([0-9]*\).*/\1/p"
}

# puts_of MOUNTPOINT: bodies sent to the store so far.
puts_of() {
	status_of "$1" put
}

settled() {
	[ "$(status_of "$1" open_files)" = 0 ] &&
		[ "$(status_of "$1" dirty_files)" = 0 ]
}

# wait_settled MOUNTPOINT: nothing open, nothing unpublished. The kernel tells
# the driver of a last close when close() has returned already.
wait_settled() {
	wait_until 10 settled "$1" || wrong "$1 does not settle"
}

is_mounted() {
	awk -v point="$1" '$5 == point { found = 1 } END { exit !found }' \
		/proc/self/mountinfo
}

not_mounted() {
	! is_mounted "$1"
}

staging_of() {
	printf '%s/st-%s' "${staging_base:-$WORK}" "${1##*/}"
}

answers() {
	is_mounted "$1" && [ -n "$(status_of "$1" pid)" ]
}

# mount_store SOURCE MOUNTPOINT [OPTION,...]: by the words in `starter`, else
# by the caller. With DRIVER_LOG=1 in the environment the driver stays in the
# foreground and its messages go to $WORK/driver.log; with DRIVER_LOG=debug all
# of them.
mount_store() {
	local options foreground=-f
	options=staging_dir=$(staging_of "$2")${3:+,$3}
	[ "${DRIVER_LOG-}" != debug ] || foreground=-d
	"${starter[@]}" mkdir -p "$2" 2>/dev/null

	mounted+=("$2")
	if [ -n "${DRIVER_LOG-}" ]; then
		"${starter[@]}" "$STOREFS" "$1" "$2" "$foreground" \
			-o "$options" >>"$WORK/driver.log" 2>&1 &
		# It is mounted a moment before it answers.
		wait_until 20 answers "$2" || return 1
	else
		"${starter[@]}" "$STOREFS" "$1" "$2" -o "$options" ||
			return
	fi
	driver=$(status_of "$2" pid)
	[ -n "$driver" ] || fail "$2: no status"
	ends_here "$driver"
}
starter=()
driver=

# threads_of PID: where each waits.
threads_of() {
	local task

	uptime
	for task in "/proc/$1/task"/*; do
		printf '%s %s %s\n' "${task##*/}" "$(cat "$task/wchan")" \
			"$(cat "$task/syscall")"
	done 2>/dev/null
}

# unmount MOUNTPOINT: and wait for its driver, which may still be storing.
unmount() {
	local pid

	pid=$(status_of "$1" pid)
	wait_until 10 umount_now "$1" || fail "$1 cannot be unmounted"
	[ -z "$pid" ] || wait_until 20 gone "$pid" || {
		threads_of "$pid"
		fail "the driver of $1 does not end"
	}
}

umount_now() {
	"${starter[@]}" umount "$1" 2>"$WORK/umount.err" ||
		"${starter[@]}" fusermount3 -u "$1" 2>>"$WORK/umount.err"
}

# at_end COMMAND...: run when the script ends, its mounts gone. A trap of the
# script's own would lose the exit status.
at_end() {
	ending+=("$(printf '%q ' "$@")")
}
ending=()

clean_up() {
	local status=$? i

	trap - EXIT
	for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
		while is_mounted "${mounted[i]}"; do
			umount -l "${mounted[i]}" 2>/dev/null ||
				fusermount3 -uz "${mounted[i]}" || break
		done
	done
	for i in "${drivers[@]}"; do
		# shellcheck disable=SC2086
		wait_until 2 is_another $i || kill -KILL "${i% *}" 2>/dev/null
	done
	for i in "${ending[@]}"; do
		eval "$i"
	done
	[ "$s3_owner" != "$BASHPID" ] || "$s3_server" stop "$s3_started"
	[ "$sftp_owner" != "$BASHPID" ] || "$sftp_server" stop "$sftp_started"
	exit "$status"
}
trap clean_up EXIT

# ---- stores ----

# Kinds that only a full run takes in everywhere: each needs a server.
far=
[ "$full" = 0 ] || far=s3
s3_server=$SRCDIR/tests/servers/rgw
s3_started= # its folder
s3_owner=   # who stops it
s3_folders=0

# s3_start: a server with one bucket, once for a script; $s3_server says which.
s3_start() {
	local bucket

	[ -z "$s3_started" ] || return 0
	s3_started=$WORK/s3-server s3_owner=$BASHPID
	"$s3_server" start "$s3_started" || fail "no S3 server"
	# shellcheck source=/dev/null
	. "$s3_started/env"
	export AWS_ENDPOINT_URL=${RGW_URL-${SWIFT_URL-}}
	# An access key of Swift has a colon.
	bucket=${AWS_ACCESS_KEY_ID//:/%3A}:$AWS_SECRET_ACCESS_KEY
	bucket=http://$bucket@${AWS_ENDPOINT_URL#http://}/mount
	curl -sSf --aws-sigv4 "aws:amz:$AWS_REGION:s3" \
		-H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' \
		-X PUT "$bucket" || fail "no bucket"
}

sftp_server=$SRCDIR/tests/servers/openssh
sftp_started='' sftp_owner='' sftp_folders=0 # the same

# sftp_start: a server that ssh configuration knows as `server`, once.
sftp_start() {
	[ -z "$sftp_started" ] || return 0
	sftp_started=$WORK/sftp-server sftp_owner=$BASHPID
	"$sftp_server" start "$sftp_started" || fail "no SFTP server"
	mkdir -p "$WORK/home/.ssh"
	cp "$sftp_started/ssh_config" "$WORK/home/.ssh/config"
	export HOME=$WORK/home
}

# store_new KIND [DIR]: an empty one, as kind and url; backing is the folder
# of a local store.
store_new() {
	local dir=${2:-$WORK}

	kind=$1
	backing=
	case $1 in
	local)
		backing=$dir/store
		rm -rf "$backing"
		"${starter[@]}" mkdir "$backing" || fail "no $backing"
		url=file://$backing
		;;
	sqlite)
		rm -f "$dir/store.db"*
		url=sqlite:///$dir/store.db
		;;
	memory) url=memory: ;;
	s3)
		s3_start
		s3_folders=$((s3_folders + 1))
		url=s3://mount/$BASHPID.$s3_folders
		;;
	sftp)
		sftp_start
		url=$sftp_started/data/$BASHPID.$((sftp_folders += 1))
		mkdir "$url" || fail "no $url"
		url=sftp://server$url
		;;
	esac
}

# each_store "KIND..." FUNCTION [OPTION,...]: mounts a fresh store of each kind
# on mnt, calls the function and unmounts. With STORES in the environment those
# are the kinds, whatever a test asks for.
each_store() {
	local each

	for each in ${STORES-$1}; do
		note "$each"
		mnt=${mount_base:-$WORK}/mnt-$each
		store_new "$each" "${mount_base:-$WORK}"
		"${starter[@]}" mkdir -p "$mnt"
		mount_store "$url" "$mnt" "${3-$shared}" ||
			fail "no mount of $url"
		"$2"
		cd "$WORK" || exit 1
		unmount "$mnt"
	done
}

# without KIND PROGRAM: options for what its stores cannot do (tests/posix).
without() {
	case $1:$2 in
	s3:posix_suite)
		echo --without link,special,exchange,over,bytes,paths
		;;
	s3:random_ops) echo --without link,mknod,link_handle,exchange,over ;;
	esac
}

# remount: the same store again.
remount() {
	unmount "$mnt"
	mount_store "$url" "$mnt" "${1-$shared}" || fail "no mount of $url"
}

# has CAPABILITY: the store at $url.
has() {
	"$STORECTL" caps --json "$url" | grep -q "\"$1\""
}

# stored NAME: the bytes of a file as the store has them.
stored() {
	"$STORECTL" cat "$url!/$1"
}

cd "$WORK" || exit 1
