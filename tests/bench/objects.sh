# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The measurements of a mounted object store, for scripts/bench: one Ceph RGW on
# this machine, direct and behind a proxy that adds 20 ms to each round trip,
# used by mounts of ours, by s3fs and by rclone, and by curl without any mount.
# Sourced by bash, after places.sh; server and clients share the processors.
: "${area:?}" "${STOREFS:?}" "${STORECTL:?}" "${top:?}"
declare mnt driver elapsed megabytes files runs closes
BUILDDIR=$top/build
# shellcheck source=tests/servers/proxy.sh
. "$top/tests/servers/proxy.sh"

declare -A links_of=([s3]="direct 20ms") peers_of=([s3]="s3fs rclone_s3")
declare -A bares=([s3]=curl)
server= # the folder of what s3_up has started
bucket=bench
round=0 # each place_start writes below a folder of its own, $folder
folder=

# ---- the server ----

s3_up() {
	[ -z "$server" ] || return 0
	server=$area/rgw
	"$top/tests/servers/rgw" start "$server" || die "no S3 server"
	# shellcheck source=/dev/null
	. "$server/env"
	proxy_start "$area/proxy" tcp "${RGW_URL##*:}" || die "no proxy"
	proxy "$area/proxy" delay 20 >/dev/null || die "the proxy cannot delay"
	s3_curl -X PUT "$RGW_URL/$bucket" || die "no bucket"
	printf '%s:%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" \
		>"$area/passwd-s3fs"
	chmod 600 "$area/passwd-s3fs"
}

s3_down() {
	[ -n "$server" ] || return 0
	proxy_stop "$area/proxy"
	"$top/tests/servers/rgw" stop "$server"
	server=
}

s3_curl() {
	curl -sSf --aws-sigv4 "aws:amz:$AWS_REGION:s3" \
		--user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
		-H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@"
}

# s3_url LINK
s3_url() {
	case $1 in
	direct) echo "$RGW_URL" ;;
	*) echo "http://127.0.0.1:$proxy_port" ;;
	esac
}

# in_store: bytes and files below $folder, as the server lists them.
in_store() {
	AWS_ENDPOINT_URL=$RGW_URL "$STORECTL" du -d 0 --json \
		"s3://$bucket!/$folder" 2>/dev/null |
		sed -n 's/.*"bytes":\([0-9]*\).*"files":\([0-9]*\).*/\1 \2/p'
}

# s3_forget FOLDER
s3_forget() {
	AWS_ENDPOINT_URL=$RGW_URL "$STORECTL" rm -rf "s3://$bucket!/$1" ||
		die "$1 cannot be removed"
}

# ---- places: NAME+LINK ----

# The bucket is mounted whole, and all work is done below $mnt/$folder.
start_s3() {
	AWS_ENDPOINT_URL=$(s3_url "$1") \
		start_storefs "s3://$bucket" close
}

finish_s3() {
	finish_local
}

stop_s3() {
	unmount "$mnt"
}

have_s3fs() {
	command -v s3fs >/dev/null
}

start_s3fs() {
	s3fs "$bucket" "$mnt" -f -o "url=$(s3_url "$1")" \
		-o use_path_request_style -o "passwd_file=$area/passwd-s3fs" \
		>"$area/s3fs.log" 2>&1 &
	driver=$!
	wait_until 20 is_mounted "$mnt"
}

# Its close is the upload.
finish_s3fs() {
	:
}

stop_s3fs() {
	unmount "$mnt"
	wait "$driver"
}

have_rclone_s3() {
	command -v rclone >/dev/null
}

start_rclone_s3() {
	cat >"$area/rclone.conf" <<-END
		[bench]
		type = s3
		provider = Ceph
		endpoint = $(s3_url "$1")
		access_key_id = $AWS_ACCESS_KEY_ID
		secret_access_key = $AWS_SECRET_ACCESS_KEY
		force_path_style = true
	END
	rm -rf "$area/staging"
	# With that variable its S3 backend does not start (1.60).
	env -u AWS_CA_BUNDLE rclone mount "bench:$bucket" "$mnt" --config "$area/rclone.conf" \
		--vfs-cache-mode full --cache-dir "$area/staging" \
		>"$area/rclone.log" 2>&1 &
	driver=$!
	wait_until 20 is_mounted "$mnt"
}

# It writes back after 5 s, and tells nobody.
finish_rclone_s3() {
	local there
	there=$(find "$mnt/$folder" -type f -printf '%s\n' |
		awk '{ bytes += $1 } END { print bytes + 0, NR }')

	wait_until 600 has_arrived "$there" || die "rclone does not finish"
}

has_arrived() {
	[ "$(in_store)" = "$1" ]
}

stop_rclone_s3() {
	unmount "$mnt"
	wait "$driver"
}

# ---- what is measured ----

# object_place PLACE LINK: a mount with nothing in memory, and an empty $folder
# in it.
object_place() {
	place_start "$1+$2"
	round=$((round + 1))
	folder=$1-$round
	drop_caches
}

# figure NAME VALUE: of the present place and link, beside those of other runs.
figure() {
	figures[$place $link $1]+=" $2"
}

# per_second COUNT COMMAND...: sets `rate`.
per_second() {
	local count=$1
	shift

	timed "$@"
	rate=$(calc "$count / $elapsed")
}

# together COMMAND...: four times at once, with 1 to 4 behind.
together() {
	local i parts=() good=1

	for i in 1 2 3 4; do
		"$@" "$i" &
		parts+=($!)
	done
	for i in "${parts[@]}"; do
		wait "$i" || good=0
	done
	[ "$good" = 1 ]
}

whole_read() {
	dd if="$mnt/read/$1" of=/dev/null bs=1M status=none
}

whole_write() {
	dd if=/dev/urandom of="$mnt/$folder/$1" bs=1M count="$2" \
		iflag=fullblock conv=fsync status=none
}

quarter_write() {
	whole_write "$1" $((megabytes / 4))
}

stored_write() {
	"$@" && place_finish
}

# curl_read LINK: the object in eight ranges at once, to nowhere.
curl_read() {
	local i parts=() part=$((megabytes * (1 << 20) / 8)) good=1

	for i in {0..7}; do
		s3_curl -o /dev/null \
			-r $((i * part))-$(((i + 1) * part - 1)) \
			"$(s3_url "$1")/$bucket/read/whole" &
		parts+=($!)
	done
	for i in "${parts[@]}"; do
		wait "$i" || good=0
	done
	[ "$good" = 1 ]
}

# read_folder: what is read, once for all places: one object of $megabytes, and
# four of a quarter of it.
read_folder() {
	local i

	dd if=/dev/urandom of="$area/body" bs=1M count="$megabytes" \
		iflag=fullblock status=none
	AWS_ENDPOINT_URL=$RGW_URL "$STORECTL" cp "$area/body" \
		"s3://$bucket!/read/whole" || die "no object to read"
	truncate -s $((megabytes / 4))M "$area/body"
	for i in 1 2 3 4; do
		AWS_ENDPOINT_URL=$RGW_URL "$STORECTL" cp "$area/body" \
			"s3://$bucket!/read/$i" || die "no object to read"
	done
	rm "$area/body"
}

# forget FOLDER: of the family that is measured.
forget() {
	"${family}_forget" "$1"
}
family=s3

objects_streams() {
	object_place "$place" "$link"
	timed dd if="$mnt/read/whole" of=/dev/null bs=1 count=1 status=none
	figure "first byte ms" "$(calc "$elapsed * 1000")"
	place_again "$link"
	per_second "$megabytes" whole_read whole
	figure "read MiB/s" "$rate"
	place_again "$link"
	per_second $((megabytes / 4 * 4)) together whole_read
	figure "read 4 MiB/s" "$rate"
	figure "read peak KiB" "$(place_peak)"
	place_again "$link"
	mkdir "$mnt/$folder"
	per_second "$megabytes" stored_write whole_write whole "$megabytes"
	figure "write MiB/s" "$rate"
	forget "$folder"
	place_again "$link"
	mkdir "$mnt/$folder"
	per_second $((megabytes / 4 * 4)) stored_write together quarter_write
	figure "write 4 MiB/s" "$rate"
	figure "write peak KiB" "$(place_peak)"
	place_stop
	forget "$folder"
}

# random_reads BYTES: sets `rate`, reads per second. fio tells in its eighth
# field.
random_reads() {
	rate=$(fio --name=random --filename="$mnt/read/whole" --readonly \
		--rw=randread --bs="$1" --ioengine=psync --runtime=8 \
		--time_based --randseed=7 --output-format=terse \
		--size="${megabytes}M" | cut -d ';' -f 8)
	[ -n "$rate" ] || die "no random reads in $place"
}

objects_random() {
	local bytes

	for bytes in 4k 256k; do
		object_place "$place" "$link"
		random_reads "$bytes"
		figure "$bytes reads/s" "$rate"
		figure "$bytes peak KiB" "$(place_peak)"
		place_stop
	done
}

small_write() {
	"$closes" "$mnt/$folder" "$small" 4096 1 none && place_finish
}

small_read() {
	tar cf - -C "$mnt" "$folder" | cat
}

objects_files() {
	local small=$((files / 10))

	object_place "$place" "$link"
	mkdir "$mnt/$folder"
	per_second "$small" small_write
	figure "in files/s" "$rate"
	place_again "$link"
	per_second "$small" small_read
	figure "out files/s" "$rate"
	place_stop
	forget "$folder"
	object_place "$place" "$link"
	timed ls -l "$mnt/list"
	figure "ls -l s" "$elapsed"
	timed ls -l "$mnt/list"
	figure "ls -l again s" "$elapsed"
	figure "peak KiB" "$(place_peak)"
	place_stop
}

# list_folder: for ls, made without a mount.
list_folder() {
	mkdir "$area/list"
	(cd "$area/list" && seq -f 'file-%06.0f' "$files" | xargs touch)
	AWS_ENDPOINT_URL=$RGW_URL "$STORECTL" cp -r "$area/list" \
		"s3://$bucket!/list" || die "no folder to list"
	rm -r "$area/list"
}

# objects_of FAMILY NAME FIGURE...: all runs of objects_NAME over its links, and
# its rows. BARE is what goes without a mount.
objects_of() {
	local family=$1 name=$2 bare=${bares[$1]} run place link figure row
	local -a peers links
	local -A figures=()
	shift 2

	read -ra peers <<<"${peers_of[$family]}"
	read -ra links <<<"${links_of[$family]}"
	places_of "$family"
	for ((run = 0; run < runs; run++)); do
		for link in "${links[@]}"; do
			for place in "${places[@]}"; do
				"objects_$name"
			done
			[ "$name" != streams ] || {
				place=$bare
				per_second "$megabytes" "${bare}_read" "$link"
				figure "read MiB/s" "$rate"
			}
		done
	done
	[ "$name" != streams ] || places+=("$bare")
	for link in "${links[@]}"; do
		for place in "${places[@]}"; do
			row=()
			for figure in "$@"; do
				# shellcheck disable=SC2086 # a list of numbers
				[ -z "${figures[$place $link $figure]-}" ] ||
					row+=("$figure" "$(median \
						${figures[$place $link $figure]})")
			done
			row "${family}_$name" "$place $link" "${row[@]}"
		done
	done
	table_end
}

bench_s3_streams() {
	echo "== an object of $megabytes MiB, and four of a quarter: read with nothing"
	echo "   in memory, written and stored; curl: eight ranges at once, no mount"
	s3_up
	read_folder
	objects_of s3 streams "first byte ms" "read MiB/s" "read 4 MiB/s" \
		"read peak KiB" "write MiB/s" "write 4 MiB/s" "write peak KiB"
	s3_forget read
}

bench_s3_random() {
	echo "== random reads of an object of $megabytes MiB for 8 s, one at a time"
	s3_up
	read_folder
	objects_of s3 random "4k reads/s" "4k peak KiB" "256k reads/s" \
		"256k peak KiB"
	s3_forget read
}

bench_s3_files() {
	echo "== $((files / 10)) files of 4 KiB written, closed and stored; read by"
	echo "   tar after a new mount; ls -l of $files, the same again"
	s3_up
	list_folder
	objects_of s3 files "in files/s" "out files/s" "ls -l s" "ls -l again s" \
		"peak KiB"
	s3_forget list
}
