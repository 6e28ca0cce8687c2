#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# A bucket is shared with s3fs and rclone: modes, owners, times, symlinks,
# extended attributes and folders that one writes the others read (M1).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
s3_start # with a bucket "mount"
endpoint=$AWS_ENDPOINT_URL
url="s3://mount?endpoint_url=$endpoint"
mnt=$WORK/mnt
theirs=$WORK/theirs
mkdir -p "$mnt" "$theirs"

# make_tree DIR: one of each kind.
make_tree() {
	mkdir -p "$1/folder/empty"
	printf 'text' >"$1/folder/file"
	: >"$1/folder/nothing"
	ln -s ../no/where "$1/folder/link"
	setfattr -n user.colour -v 'blue, "and" {green}' "$1/folder/file"
	setfattr -n user.bytes -v 0x00ff0a "$1/folder/file"
	setfattr -n user.of -v folder "$1/folder"
	chmod 2640 "$1/folder/file"
	chown 1234:5678 "$1/folder/file" "$1/folder"
	chmod 750 "$1/folder"
	touch -d '2019-08-07 06:05:04.25' "$1/folder/file" "$1/folder/nothing"
}

# tell DIR: all of it as a mount shows it.
tell() {
	(cd "$1" && find folder -type d -printf '%p %m %U %G\n' \
		-o -type l -printf '%p -> %l\n' \
		-o -printf '%p %m %U %G %T@ %s\n' | sort &&
		cat folder/file &&
		getfattr -e hex -d folder folder/file | sort)
}

start_s3fs() {
	printf '%s:%s' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" \
		>"$WORK/passwd"
	chmod 600 "$WORK/passwd"
	s3fs mount "$theirs" -f -o "url=$endpoint" -o use_path_request_style \
		-o "passwd_file=$WORK/passwd" -o use_xattr \
		-o sigv4 >"$WORK/s3fs.log" 2>&1 &
	s3fs=$!
	mounted+=("$theirs")
	wait_until 20 mountpoint -q "$theirs" || {
		cat "$WORK/s3fs.log"
		fail "s3fs does not mount"
	}
}

stop_s3fs() {
	umount "$theirs" || umount -l "$theirs"
	wait "$s3fs"
}

rclone_here() {
	RCLONE_CONFIG_HERE_TYPE=s3 RCLONE_CONFIG_HERE_PROVIDER=Other \
		RCLONE_CONFIG_HERE_ENDPOINT=$endpoint \
		RCLONE_CONFIG_HERE_ACCESS_KEY_ID=$AWS_ACCESS_KEY_ID \
		RCLONE_CONFIG_HERE_SECRET_ACCESS_KEY=$AWS_SECRET_ACCESS_KEY \
		RCLONE_CONFIG_HERE_REGION=$AWS_REGION \
		RCLONE_CONFIG_HERE_FORCE_PATH_STYLE=true \
		env -u AWS_CA_BUNDLE rclone --config /dev/null "$@" >>"$WORK/rclone.log" 2>&1
}

make_tree "$WORK/wanted"
tell "$WORK/wanted" >"$WORK/expected"

note "what s3fs has written"
start_s3fs
make_tree "$theirs"
stop_s3fs
mount_store "$url" "$mnt" "$shared" || fail "no mount"
tell "$mnt" >"$WORK/found"
diff "$WORK/expected" "$WORK/found" || wrong "written by s3fs"
rm -r "$mnt/folder"

note "what s3fs reads"
make_tree "$mnt"
unmount "$mnt"
start_s3fs
tell "$theirs" >"$WORK/found"
diff "$WORK/expected" "$WORK/found" || wrong "read by s3fs"
rm -r "$theirs/folder"
stop_s3fs

note "what rclone has written"
rclone_here copy --metadata "$WORK/wanted" here:mount || {
	cat "$WORK/rclone.log"
	wrong "rclone copy"
}
mount_store "$url" "$mnt" "$shared" || fail "no mount"
is "$(stat -c '%a %u %g %Y %s' "$mnt/folder/file")" \
	"$(stat -c '%a %u %g %Y %s' "$WORK/wanted/folder/file")" "of rclone"
is "$(cat "$mnt/folder/file")" text "bytes of rclone"

note "what rclone reads"
printf 'more' >"$mnt/folder/more"
touch -d '2018-07-06 05:04:03.5' "$mnt/folder/more"
unmount "$mnt"
rclone_here copy here:mount "$WORK/back" || wrong "rclone copy back"
is "$(stat -c '%Y %s' "$WORK/back/folder/more")" \
	"$(date -d '2018-07-06 05:04:03' +%s) 4" "read by rclone"
finish
