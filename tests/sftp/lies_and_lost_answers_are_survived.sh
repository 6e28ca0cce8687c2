#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 900
# A server that lies: each call ends in time and in bounded memory, with an
# error that says what was wrong, or with what is true; and one whose
# connection ends in the middle of a change is asked what has become of it.
# What a server can say: tests/servers/fake_sftp_lie.c.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
root=$WORK/root
url="sftp://me@fake$root?transport=ssh&ssh_command=$WORK/program"
url="$url&io_timeout=1&connect_timeout=2"
mkdir "$root"

# server [LIE TYPE [FILE]]: from now on.
server() {
	printf '#!/bin/sh\nexec %s %s\n' \
		"$BUILDDIR/tests/servers/fake_sftp" "$*" >program
	chmod +x program
}

# Memory is bounded by the shell, time by `timeout`; $patience is seconds.
ctl() {
	(
		ulimit -v 1000000
		exec timeout "$patience" "$STORECTL" --timeout 5 "$@"
	)
}
patience=10

# refused STATUS WORDS LIE TYPE COMMAND...: with that status and those words.
refused() {
	local status=$1 words=$2 lie="$3 $4" got
	shift 4

	server "$lie"
	ctl "$@" >out 2>err </dev/null
	got=$?
	[ "$got" = "$status" ] ||
		wrong "$lie: status $got instead of $status: $(head -c 300 err)"
	grep -q -- "$words" err || wrong "$lie: no '$words': $(head -c 300 err)"
}

head -c 100000 /dev/urandom >"$root/file"
server
ctl cat "$url!/file" >got || wrong "nothing can be read"
same got "$root/file"

note "answers that cannot be"
corrupt=18 gone=14
refused $corrupt 'packet of 4294967295 bytes' huge init stat "$url!/file"
refused $corrupt 'packet of 0 bytes' empty init stat "$url!/file"
refused $corrupt 'answers a request 1 with a 199' odd init stat "$url!/file"
refused $gone 'silent for 1 s' stalls init stat "$url!/file"
refused $gone 'ended the connection' cut init stat "$url!/file"
refused $corrupt 'packet of 4294967295 bytes' huge lstat stat "$url!/file"
refused $corrupt 'answers 1000, which was not' stranger lstat \
	stat "$url!/file"
refused $corrupt 'which was not asked' twice lstat stat "$url!/file"
refused $corrupt 'answers a request 7 with a 199' odd lstat stat "$url!/file"
refused $corrupt 'answers a request 7 with a 101' ok lstat stat "$url!/file"
refused $corrupt 'malformed ATTRS' short lstat stat "$url!/file"
refused $corrupt 'malformed ATTRS' noise lstat stat "$url!/file"
refused $corrupt 'malformed ATTRS' vast lstat stat "$url!/file"
refused $corrupt 'malformed HANDLE' noise open cat "$url!/file"
refused $corrupt 'malformed ATTRS' vast fstat cat "$url!/file"
refused $corrupt 'sent 98305 bytes where' more read cat "$url!/file"
refused $corrupt 'sent 0 bytes where' nothing read cat "$url!/file"
refused $corrupt 'malformed DATA' noise read cat "$url!/file"
refused $corrupt 'ended after 0 of 100000' ended read cat "$url!/file"
refused $corrupt 'sent a malformed' short readdir ls "$url"
refused $corrupt 'same names again' again readdir ls "$url"
refused $corrupt 'same names again' nameless readdir ls "$url"
if [ "$full" = 1 ]; then
	patience=600
	refused $corrupt 'does not end after' bomb readdir ls "$url"
	patience=10
fi

note "names that no file has"
touch "$root/good"
server names readdir
ctl ls "$url" >got 2>err </dev/null || wrong "ls: $(cat err)"
is "$(cat got)" good "what is listed"

# once LIE TYPE: of one request; from then on the server is a good one.
once() {
	touch "$WORK/armed"
	server "$@" "$WORK/armed"
}

# succeeds COMMAND...: it succeeds, and what was to strike has struck.
succeeds() {
	ctl "$@" >out 2>err </dev/null || wrong "$told: $*: $(head -c 300 err)"
	[ ! -e "$WORK/armed" ] || wrong "$told: nobody asked for it"
}

note "answers that are lost"
echo new >new
lies='die-before die-after'
[ "$full" = 0 ] || lies="$lies cut silent"
for lie in $lies; do
	told="$lie, mkdir"
	once "$lie" mkdir
	succeeds mkdir "$url!/$lie.folder"
	[ -d "$root/$lie.folder" ] || wrong "$told: no folder"
	told="$lie, rmdir"
	once "$lie" rmdir
	succeeds rmdir "$url!/$lie.folder"
	[ ! -e "$root/$lie.folder" ] || wrong "$told: the folder is there"
	told="$lie, remove"
	touch "$root/$lie.file"
	once "$lie" remove
	succeeds rm "$url!/$lie.file"
	[ ! -e "$root/$lie.file" ] || wrong "$told: the file is there"
	told="$lie, mv"
	echo old >"$root/$lie.old"
	once "$lie" rename
	succeeds mv "$url!/$lie.old" "$url!/$lie.moved"
	is "$(cat "$root/$lie.moved")" old "$told"
	[ ! -e "$root/$lie.old" ] || wrong "$told: it is there twice"
	for type in open write fsetstat rename; do
		told="$lie, $type of a new file"
		once "$lie" "$type"
		succeeds cp new "$url!/$lie.$type"
		same new "$root/$lie.$type"
	done
	# Where nothing renames over a file: link, displace, publish, remove.
	for type in mkdir rename remove rmdir; do
		told="$lie, $type of a file that is replaced"
		echo old >"$root/$lie.$type.kept"
		once "$lie" "$type"
		succeeds cp new "$url!/$lie.$type.kept"
		same new "$root/$lie.$type.kept"
	done
done
told="silent, rename"
once silent rename
succeeds cp new "$url!/silent"
same new "$root/silent"
is "$(cd "$root" && find . -name '.storefs-*')" '' "left behind"

# A name that somebody else has taken is not ours because an answer was lost.
note "taken by others"
touch "$root/taken"
once die-after mkdir
ctl mkdir "$url!/taken" >out 2>err </dev/null && wrong "a file is a folder"
[ -f "$root/taken" ] || wrong "what was there is gone"
finish
