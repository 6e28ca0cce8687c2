# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The measurements of a mounted SFTP server, for scripts/bench: one OpenSSH on
# this machine, direct and behind a proxy that adds 20 or 100 ms to each round
# trip, used by mounts of ours, by sshfs and by rclone, and by sftp without any
# mount. Sourced by bash, after objects.sh, whose measurements these are; server
# and clients share the processors.
: "${area:?}" "${STOREFS:?}" "${top:?}"
declare mnt driver megabytes files folder proxy_port
declare -A links_of peers_of bares
links_of[sftp]="direct 20ms 100ms"
peers_of[sftp]="sshfs sshfs_many rclone_sftp"
bares[sftp]=scp
sftp_server= # the folder of what sftp_up has started

# ---- the server ----

sftp_up() {
	[ -z "$sftp_server" ] || return 0
	sftp_server=$area/sshd
	"$top/tests/servers/openssh" start "$sftp_server" ||
		die "no SFTP server"
	# shellcheck source=/dev/null
	. "$sftp_server/env"
	proxy_start "$area/line" tcp "$SFTP_PORT" || die "no proxy"
	line_port=$proxy_port
	mkdir -p "$area/home/.ssh"
}

sftp_down() {
	[ -n "$sftp_server" ] || return 0
	proxy_stop "$area/line"
	"$top/tests/servers/openssh" stop "$sftp_server"
	sftp_server=
}

# sftp_line LINK: sets `port`; the proxy takes its time from here on, and
# $area/ssh_config leads there.
sftp_line() {
	port=$SFTP_PORT
	[ "$1" = direct ] || {
		port=$line_port
		proxy "$area/line" delay "${1%ms}" >/dev/null ||
			die "the proxy cannot delay"
	}
	sed "s/^Port .*/Port $port/; s/^\\(UserKnownHostsFile\\) .*/\\1 \\/dev\\/null/
		s/^StrictHostKeyChecking .*/StrictHostKeyChecking no/" \
		"$sftp_server/ssh_config" >"$area/ssh_config"
}

# sftp_forget FOLDER
sftp_forget() {
	rm -rf "${SFTP_ROOT:?}/$1"
}

# ---- places ----

start_sftp() {
	local url

	sftp_line "$1"
	url="sftp://server$SFTP_ROOT?ssh_config=$area/ssh_config"
	start_storefs "$url&host_key_policy=auto&known_hosts=/dev/null" close
}

finish_sftp() {
	finish_local
}

stop_sftp() {
	unmount "$mnt"
}

have_sshfs() {
	command -v sshfs >/dev/null
}

# sshfs_by OPTION...
sshfs_by() {
	sshfs "server:$SFTP_ROOT" "$mnt" -f -F "$area/ssh_config" "$@" \
		>"$area/sshfs.log" 2>&1 &
	driver=$!
	wait_until 20 is_mounted "$mnt"
}

start_sshfs() {
	sftp_line "$1"
	sshfs_by
}

finish_sshfs() {
	:
}

stop_sshfs() {
	unmount "$mnt"
	wait "$driver"
}

have_sshfs_many() {
	have_sshfs
}

start_sshfs_many() {
	sftp_line "$1"
	sshfs_by -o max_conns=4
}

finish_sshfs_many() {
	:
}

stop_sshfs_many() {
	stop_sshfs
}

have_rclone_sftp() {
	command -v rclone >/dev/null
}

start_rclone_sftp() {
	sftp_line "$1"
	cat >"$area/rclone.conf" <<-END
		[bench]
		type = sftp
		host = 127.0.0.1
		port = $port
		user = $SFTP_USER
		key_file = $SFTP_KEY
	END
	rm -rf "$area/staging"
	rclone mount "bench:$SFTP_ROOT" "$mnt" --config "$area/rclone.conf" \
		--vfs-cache-mode full --cache-dir "$area/staging" \
		>"$area/rclone.log" 2>&1 &
	driver=$!
	wait_until 20 is_mounted "$mnt"
}

# It writes back after 5 s, and tells nobody.
finish_rclone_sftp() {
	wait_until 600 sftp_has_arrived || die "rclone does not finish"
}

sizes_below() {
	find "$1" -type f -printf '%P %s\n' | sort
}

sftp_has_arrived() {
	cmp -s <(sizes_below "$mnt/$folder") <(sizes_below "$SFTP_ROOT/$folder")
}

stop_rclone_sftp() {
	stop_sshfs
}

# scp_read LINK: the file by scp, to nowhere.
scp_read() {
	sftp_line "$1"
	scp -q -F "$area/ssh_config" "server:$SFTP_ROOT/read/whole" "$area/copied"
}

# ---- what is measured ----

sftp_read_folder() {
	local i

	mkdir -p "$SFTP_ROOT/read"
	dd if=/dev/urandom of="$SFTP_ROOT/read/whole" bs=1M \
		count="$megabytes" iflag=fullblock status=none
	for i in 1 2 3 4; do
		head -c $((megabytes / 4))M "$SFTP_ROOT/read/whole" \
			>"$SFTP_ROOT/read/$i"
	done
}

bench_sftp_streams() {
	echo "== a file of $megabytes MiB, and four of a quarter: read with nothing"
	echo "   in memory, written and stored; scp: no mount"
	sftp_up
	sftp_read_folder
	objects_of sftp streams "first byte ms" "read MiB/s" "read 4 MiB/s" \
		"read peak KiB" "write MiB/s" "write 4 MiB/s" "write peak KiB"
	sftp_forget read
}

bench_sftp_random() {
	echo "== random reads of a file of $megabytes MiB for 8 s, one at a time"
	sftp_up
	sftp_read_folder
	objects_of sftp random "4k reads/s" "4k peak KiB" "256k reads/s" \
		"256k peak KiB"
	sftp_forget read
}

bench_sftp_files() {
	echo "== $((files / 10)) files of 4 KiB written, closed and stored; read by"
	echo "   tar after a new mount; ls -l of $files, the same again"
	sftp_up
	mkdir "$SFTP_ROOT/list"
	(cd "$SFTP_ROOT/list" && seq -f 'file-%06.0f' "$files" | xargs touch)
	objects_of sftp files "in files/s" "out files/s" "ls -l s" \
		"ls -l again s" "peak KiB"
	sftp_forget list
}
