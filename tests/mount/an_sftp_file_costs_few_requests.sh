#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# What each operation asks an SFTP server for, exactly: it cannot creep up, and
# what is known is not asked for again.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
root=$WORK/root
mnt=$WORK/mnt
mkdir -p "$root/d"
for name in one two three; do
	echo "$name" >"$root/d/$name"
	touch -d '1 hour ago' "$root/d/$name" # or it might be changing
done
head -c 1000 /dev/urandom >small
printf '#!/bin/sh\ntee -a "%s" | /usr/lib/openssh/sftp-server\n' "$WORK/sent" \
	>ssh
chmod +x ssh
url="sftp://me@server$root?transport=ssh&ssh_command=$WORK/ssh"
# The whole test is one moment to the kernel.
mount_store "$url&connections=1&keepalive=0" "$mnt" \
	"$shared,attr_timeout=600,entry_timeout=600,negative_timeout=600" ||
	fail "no mount"

# asked FROM: the requests sent behind that byte, sorted. Left out are CLOSE,
# which nobody waits for, and REALPATH of the folder, which goes along with
# others where the last one is older than a second.
asked() {
	tail -c +$(($1 + 1)) sent | python3 -c '
import sys
names = {1: "INIT", 3: "OPEN", 4: "CLOSE", 5: "READ", 6: "WRITE", 7: "LSTAT",
         8: "FSTAT", 9: "SETSTAT", 10: "FSETSTAT", 11: "OPENDIR",
         12: "READDIR", 13: "REMOVE", 14: "MKDIR", 15: "RMDIR",
         16: "REALPATH", 17: "STAT", 18: "RENAME", 19: "READLINK",
         20: "SYMLINK", 200: ""}
data = sys.stdin.buffer.read()
found = []
while len(data) >= 9:
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length:
        break
    kind = names[data[4]]
    if not kind:
        text = int.from_bytes(data[9:13], "big")
        kind = data[13:13 + text].decode().partition("@")[0]
    if kind not in ("CLOSE", "REALPATH"):
        found.append(kind)
    data = data[4 + length:]
print(" ".join(sorted(found)))'
}

came() {
	[ "$(asked "$before")" = "$wanted" ]
}

# A folder is asked for some pages at once.
page='READDIR READDIR READDIR READDIR READDIR'

# costs REQUESTS COMMAND...: one too many is seen here, or with the next command.
before=$(stat -c %s sent)
costs() {
	wanted=$1
	shift

	"$@" >/dev/null || wrong "$* fails"
	wait_settled "$mnt"
	wait_until 5 came ||
		wrong "$*: $(asked "$before")
   instead of $wanted"
	before=$(stat -c %s sent)
}

# shellcheck disable=SC2317 # called by costs
missing() {
	! stat "$@" 2>/dev/null
}

# shellcheck disable=SC2317 # called by costs
write_over() {
	cat small >"$1"
}

# shellcheck disable=SC2317 # called by costs
append() {
	printf x >>"$1"
}

note "names"
costs 'LSTAT STAT' stat "$mnt/d"
costs 'LSTAT' missing "$mnt/d/none"
costs '' missing "$mnt/d/none"
costs "LSTAT OPENDIR $page" ls "$mnt/d"
costs "LSTAT LSTAT OPENDIR $page" ls -l "$mnt/d"

note "files"
costs 'FSTAT FSTAT LSTAT OPEN READ' cat "$mnt/d/one"
costs 'FSTAT LSTAT OPEN' cat "$mnt/d/one"
# The file and its folder are opened; its bytes, size, attributes and fsync; and
# the fsync of the folder.
stored='FSETSTAT FSETSTAT FSETSTAT FSTAT LSTAT LSTAT LSTAT OPEN OPEN'
costs "$stored RENAME WRITE fsync fsync" cp small "$mnt/d/new"
costs "$stored WRITE fsync fsync posix-rename" write_over "$mnt/d/new"
costs "FSETSTAT FSETSTAT FSETSTAT FSTAT FSTAT FSTAT LSTAT LSTAT OPEN OPEN OPEN \
WRITE copy-data fsync fsync posix-rename" append "$mnt/d/new"
costs 'LSTAT LSTAT SETSTAT' chmod 600 "$mnt/d/new"
costs 'LSTAT LSTAT LSTAT RENAME' mv "$mnt/d/new" "$mnt/d/moved"
costs 'LSTAT REMOVE' rm "$mnt/d/moved"
costs 'LSTAT LSTAT LSTAT LSTAT MKDIR SETSTAT SETSTAT' \
	mkdir "$mnt/d/folder"
costs 'LSTAT RMDIR' rmdir "$mnt/d/folder"
finish
