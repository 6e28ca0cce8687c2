#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# A mount of an SFTP server: files and folders are copied, edited, renamed,
# linked and removed; a rewrite of one size in one second shows its bytes; a
# file stays readable after it was replaced; the server is killed, comes back,
# and all goes on without another mount.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
server=$SRCDIR/tests/servers/openssh
at_end "$server" stop "$WORK/server"

"$server" start "$WORK/server" || fail "no server"
# shellcheck source=/dev/null
. "$WORK/server/env"
mnt=$WORK/mnt
root=$SFTP_ROOT
url="sftp://$SFTP_USER@$SFTP_HOST:$SFTP_PORT$root?known_hosts=$SFTP_KNOWN_HOSTS"
url="$url&identity_file=$SFTP_KEY&ssh_config=none"
mount_store "$url" "$mnt" || fail "no mount"

# listing DIR: types, modes, times in seconds and bytes of all below.
listing() {
	(cd "$1" && find . -type f -printf '%P %m %Ts %s\n' \
		-o -printf '%P %m %y %l\n' | sed 's/ [0-9]* l / l /' | sort &&
		find . -type f -print0 | sort -z | xargs -0 cksum)
}

tree() {
	mkdir -p "$WORK/tree/deep"
	cp -p "$SRCDIR"/src/base/b*.[ch] "$WORK/tree/deep"
	echo old >"$WORK/tree/text"
	chmod 640 "$WORK/tree/text"
	ln -s deep/buf.c "$WORK/tree/link"
	cp -a "$WORK/tree" "$mnt/tree" || wrong "cp -a"
	mv "$mnt/tree" "$mnt/moved" || wrong "rename of a folder"
	[ ! -e "$mnt/tree" ] || wrong "the old name is there"
	listing "$WORK/tree" >wanted
	listing "$mnt/moved" >got
	same wanted got
	listing "$root/moved" >got
	same wanted got
	is "$(readlink "$mnt/moved/link")" deep/buf.c "target of a symlink"
}

edits() {
	echo new >"$mnt/text"
	mv "$mnt/text" "$mnt/moved/text" || wrong "mv over a file"
	echo more >>"$mnt/moved/text"
	is "$(cat "$root/moved/text")" $'new\nmore' "as it is stored"
	head -c 5000000 /dev/urandom >"$WORK/large"
	cp "$WORK/large" "$mnt/large" || wrong "cp of a large file"
	for file in "$WORK/large" "$mnt/large"; do
		printf x | dd of="$file" bs=1 seek=3000000 conv=notrunc \
			2>/dev/null
		printf tail >>"$file"
	done
	same "$WORK/large" "$mnt/large"
	same "$WORK/large" "$root/large"
}

# Size and second are all that the store tells versions by.
rewrites() {
	local i

	for i in 1 2 3 4 5 6 7 8 9; do
		echo "version $i" >"$mnt/again"
		is "$(cat "$mnt/again")" "version $i" "after a rewrite"
		is "$(cat "$root/again")" "version $i" "as it is stored"
	done
	exec 5<"$mnt/again"
	echo "version X" >"$mnt/other"
	mv "$mnt/other" "$mnt/again"
	is "$(cat <&5)" "version 9" "what was opened before"
	exec 5<&-
	is "$(cat "$mnt/again")" "version X" "what was moved there"
}

refusals() {
	mkdir "$mnt/full"
	touch "$mnt/full/file"
	! rmdir "$mnt/full" 2>err || wrong "a folder that is full goes"
	grep -q 'not empty' err || wrong "rmdir says $(cat err)"
	! mkdir "$mnt/full" 2>err || wrong "a folder is made twice"
	grep -q 'exists' err || wrong "mkdir says $(cat err)"
	rm -r "$mnt/full" || wrong "rm -r"
	[ ! -e "$root/full" ] || wrong "it is still there"
	is "$(stat -f -c %b "$mnt")" "$(stat -f -c %b "$root")" "blocks of df"
}

comes_back() {
	cp "$WORK/large" "$root/unread"
	exec 5<"$mnt/unread"
	"$server" stop "$WORK/server"
	(sleep 1 && exec "$server" start "$WORK/server" "$SFTP_PORT") &
	echo "after the end" >"$mnt/after" || wrong "no write after it"
	wait $!
	is "$(cat "$root/after")" "after the end" "what was written meanwhile"
	is "$(cat "$mnt/moved/text")" $'new\nmore' "what is read then"
	cmp - "$WORK/large" <&5 || wrong "an open file ends with the connection"
	exec 5<&-
	ls "$mnt" >got
	ls "$root" >wanted
	same wanted got
}

# Only root gives files away: what root writes here is that user's there.
as_another_user() {
	local there=$WORK/there url

	install -d -o 65534 -g 65534 "$there"
	chmod 755 "$WORK"
	printf '#!/bin/sh\nexec setpriv --reuid=65534 --regid=65534 %s\n' \
		'--clear-groups /usr/lib/openssh/sftp-server' >direct
	chmod +x direct
	url="sftp://server$there?transport=ssh&ssh_command=$WORK/direct"
	mount_store "$url" "$WORK/other" || fail "no mount"
	echo text >"$WORK/other/file" || wrong "no write as another user"
	mkdir "$WORK/other/folder" || wrong "no mkdir as another user"
	is "$(stat -c %u "$there/file" "$there/folder")" $'65534\n65534' owners
	is "$(cat "$there/file")" text "as it is stored"
	! chown 0 "$WORK/other/file" 2>/dev/null || wrong "it is given away"
	unmount "$WORK/other"
}

# The server's disk is taken away: that is no empty folder, and no other one is
# made in its place. What was to be stored waits for it.
lost_root() {
	local lost=$WORK/lost url

	url="sftp://server$lost?transport=ssh&ssh_command=$WORK/direct"
	install -d -o 65534 -g 65534 "$lost"
	echo text >"$lost/file"
	mount_store "$url" "$WORK/mnt-lost" op_timeout=2 ||
		fail "no mount"
	exec 7>"$WORK/mnt-lost/late"
	echo late >&7
	mv "$lost" "$lost.away"
	! ls "$WORK/mnt-lost" >got 2>err || wrong "it is shown as: $(cat got)"
	grep -q 'Input/output error' err || wrong "ls says $(cat err)"
	! (echo new >"$WORK/mnt-lost/new") 2>/dev/null ||
		wrong "a new file is acknowledged"
	exec 7>&- # it waits for as long as op_timeout says
	[ ! -e "$lost" ] || wrong "another root has been made"
	mv "$lost.away" "$lost"
	wait_until 20 [ -e "$lost/late" ] || wrong "it never arrived"
	is "$(cat "$lost/late")" late "what waited"
	is "$(ls "$WORK/mnt-lost")" $'file\nlate' "what is there again"
	unmount "$WORK/mnt-lost"
}

as_another_user
lost_root
tree
edits
rewrites
refusals
comes_back
is "$(status_of "$mnt" failed_files)" 0 "failed files"
is "$(find "$root" -name '.storefs-*')" '' "left behind"
unmount "$mnt"
finish
