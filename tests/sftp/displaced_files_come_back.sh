#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# On a server that cannot rename over a name, a file that is replaced is never
# away for good: whatever a death leaves behind is put right by the next
# listing, nobody's bytes are removed, and the listing ends.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
rounds=12
[ "$full" = 0 ] || rounds=300
root=$WORK/root

# A server program without ssh: CANNOT does what.
serve() {
	printf '#!/bin/sh\nexec /usr/lib/openssh/sftp-server %s\n' "$1" >"$WORK/ssh"
	chmod +x "$WORK/ssh"
}

# left FOLDER NAME: what a death of another machine has left there, long ago.
left() {
	mkdir -p "$root/$1/$2"
}

store() {
	timeout 20 "$STORECTL" "$@"
}

url="sftp://me@server$root?transport=ssh&ssh_command=$WORK/ssh!"
long_ago=12345678-00000002-5f000000-0123456789abcdef
just_now=12345678-00000002-$(printf %08x "$(date +%s)")-0123456789abcdef
mkdir "$root"
serve '-P posix-rename'

note "what is left is put right"
left gone ".storefs-old.$long_ago-3-5f000000"
echo only >"$root/gone/.storefs-old.$long_ago-3-5f000000/file"
left taken ".storefs-old.$long_ago-3-5f000000"
echo old >"$root/taken/.storefs-old.$long_ago-3-5f000000/file"
echo another >"$root/taken/file"
echo new >"$root/replaced-file"
mtime=$(printf %x "$(stat -c %Y "$root/replaced-file")")
left replaced ".storefs-old.$long_ago-4-$mtime"
mv "$root/replaced-file" "$root/replaced/file"
echo old >"$root/replaced/.storefs-old.$long_ago-4-$mtime/file"
left finished ".storefs-done.$just_now"
echo old >"$root/finished/.storefs-done.$just_now/file"
left living ".storefs-old.$just_now-3-5f000000"
echo only >"$root/living/.storefs-old.$just_now-3-5f000000/file"
left two ".storefs-old.$long_ago-3-5f000000"
echo 1 >"$root/two/.storefs-old.$long_ago-3-5f000000/one"
echo 2 >"$root/two/.storefs-old.$long_ago-3-5f000000/two"
mkdir "$root/junk"
echo junk >"$root/junk/.storefs-old.junk"
left many ".storefs-old.$long_ago-3-5f000000"
echo only >"$root/many/.storefs-old.$long_ago-3-5f000000/file"
(cd "$root/many" && seq -f 'n%g' 2500 | xargs touch)

# reads FOLDER LINE...: its listing, and the bytes that its files then have.
reads() {
	local folder=$1 told
	shift

	told=$(store ls "$url/$folder/") || wrong "$folder cannot be listed"
	told+=$'\n'$(cd "$root/$folder" && find . -type f ! -path '*/.storefs-*' \
		-exec grep -H . {} + | sort)
	told=${told//kept-????????/kept-}
	told=${told%$'\n'}
	[ "$told" = "$(printf '%s\n' "$@")" ] ||
		wrong "$folder: $told"
}

reads gone file ./file:only
reads taken file file.storefs-kept- ./file.storefs-kept-:old ./file:another
reads replaced file ./file:new
reads finished ''
reads living ''
[ "$(cat "$root"/living/.storefs-old.*/file)" = only ] ||
	wrong "the living has lost its file"
reads junk ''
store ls "$url/two/" >/dev/null
store ls "$url/two/" >/dev/null
reads two one two ./one:1 ./two:2
[ "$(store ls "$url/many/" | grep -c '^file$')" = 1 ] ||
	wrong "a file among many did not come back"
[ "$(find "$root" -name '.storefs-*' | grep -vc '/living\|/junk')" = 0 ] ||
	wrong "left: $(find "$root" -name '.storefs-*')"

note "where nothing can be changed listings end"
serve '-R'
left readonly ".storefs-old.$long_ago-3-5f000000"
echo only >"$root/readonly/.storefs-old.$long_ago-3-5f000000/file"
reads readonly ''

note "$rounds deaths in mid-replacement, seed $SEED"
serve '-P posix-rename'
RANDOM=$((SEED % 32768))
mkdir "$root/deaths"
head -c 300000 /dev/urandom >a
head -c 300000 /dev/urandom >b
cp a "$root/deaths/file"
deaths=0
for ((i = 0; i < rounds; i++)); do
	[ $((i % 2)) = 0 ] && next=b || next=a
	"$STORECTL" cp "$next" "$url/deaths/file" 2>>said &
	sleep "$(printf '0.%03d' $((RANDOM % 25)))"
	kill -KILL $! 2>/dev/null && deaths=$((deaths + 1))
	wait $! 2>/dev/null
	[ "$(store ls "$url/deaths/")" = file ] ||
		wrong "after death $i: $(ls -A "$root/deaths")"
	store cat "$url/deaths/file" >now || wrong "death $i: it cannot be read"
	cmp -s now a || cmp -s now b || wrong "death $i: neither old nor new"
done
echo "$deaths deaths"
[ "$deaths" -gt 0 ] || wrong "nobody died"
[ ! -s said ] || wrong "the others: $(sort said | uniq -c)"
finish
