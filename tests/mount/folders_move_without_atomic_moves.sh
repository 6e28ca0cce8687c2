#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# On stores that cannot move in one step, rename(2) copies, verifies and
# removes: a tree with every kind of node is the same afterwards; readers find
# each file complete under its old name or its new one all the time; a failure
# or Ctrl-C in the middle leaves the old name as it was; what another client
# changes meanwhile is not lost; a store that fails while old names are removed
# is cleared up later; pending files follow, also over a crash; rename=atomic
# says EXDEV. Other stores play those without atomic moves.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
lacks='without ATOMIC_MOVE MOVE_FOLDER MOVE EXCHANGE'

# weather RULE...: what the store does from now on.
weather() {
	printf '%s\n' "$lacks" "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

mount_poor() {
	mnt=$WORK/mnt-$kind
	mount_store "$url?fault=$WORK/fault" "$mnt" "${1-$shared}" ||
		fail "$kind: no mount"
}

# syscall CALL FROM TO: prints the name of its error, or nothing.
rename_errno() {
	python3 - "$@" <<-'END'
		import ctypes, errno, os, sys
		libc = ctypes.CDLL(None, use_errno=True)
		source, target, flags = sys.argv[1], sys.argv[2], int(sys.argv[3])
		if libc.renameat2(-100, source.encode(), -100, target.encode(), flags):
		    print(errno.errorcode[ctypes.get_errno()])
	END
}

# tree_make DIR FILES
tree_make() {
	python3 - "$1" "$2" <<-'END'
		import os, stat, sys
		top, files = sys.argv[1], int(sys.argv[2])
		for name in ("", "deep", "deep/er", "deep/er/still", "empty",
		             "closed", "many"):
		    os.mkdir(os.path.join(top, name))
		def put(name, data, mode=0o644):
		    path = os.path.join(top, name)
		    with open(path, "wb") as file:
		        file.write(data)
		    os.chmod(path, mode)
		    return path
		for i in range(files):
		    put("many/file-%d" % i, b"%d\n" % i * 50)
		put("empty-file", b"")
		put("large", bytes(range(256)) * 9000, 0o600)
		put("deep/er/still/here", b"deep", 0o4711)
		put("closed/in", b"in")
		put("odd\n name \xff".encode("latin-1").decode("utf-8", "surrogateescape"), b"odd")
		path = put("attributes", b"x")
		os.setxattr(path, "user.colour", b"gr\x00en")
		os.setxattr(os.path.join(top, "deep"), "user.of", b"folder")
		os.chown(path, 1234, 4321)
		os.symlink("no/where", os.path.join(top, "symlink"))
		os.lchown(os.path.join(top, "symlink"), 7, 8)
		os.mkfifo(os.path.join(top, "fifo"), 0o620)
		os.mknod(os.path.join(top, "socket"), 0o600 | stat.S_IFSOCK)
		os.mknod(os.path.join(top, "device"), 0o640 | stat.S_IFCHR, os.makedev(7, 9))
		os.chmod(os.path.join(top, "closed"), 0o500)
		os.chown(os.path.join(top, "deep"), 55, 66)
		for dir, names, others in os.walk(top, topdown=False):
		    for i, name in enumerate(names + others):
		        os.utime(os.path.join(dir, name), (1e9, 1e9 + i + 0.25),
		                 follow_symlinks=False)
		os.utime(top, (1e9, 1.1e9))
	END
}

# tree_tell DIR: all that can be seen of it.
tree_tell() {
	python3 - "$1" <<-'END'
		import hashlib, os, stat, sys
		top = os.fsencode(sys.argv[1])
		def tell(path):
		    s = os.lstat(path)
		    words = [oct(s.st_mode), s.st_uid, s.st_gid, s.st_mtime_ns, s.st_rdev]
		    if stat.S_ISREG(s.st_mode):
		        with open(path, "rb") as file:
		            words.append(hashlib.sha256(file.read()).hexdigest())
		    if stat.S_ISLNK(s.st_mode):
		        words.append(os.readlink(path))
		    else:
		        words += [(n, os.getxattr(path, n)) for n in sorted(os.listxattr(path))
		                  if not n.startswith("user.storefs.")]
		    print(path[len(top):], *words)
		tell(top)
		for dir, names, others in os.walk(top):
		    names.sort()
		    for name in sorted(names + others):
		        tell(os.path.join(dir, name))
	END
}

# names_in: of the root of the store itself.
names_in() {
	"$STORECTL" ls "$url" | LC_ALL=C sort | tr '\n' ' '
}

trees_and_files_move() {
	weather
	mount_poor
	tree_make "$mnt/old" 300
	tree_tell "$mnt/old" >"$WORK/before"
	mkdir "$mnt/place" "$mnt/place/taken"
	is "$(rename_errno "$mnt/old" "$mnt/place/taken" 0)" '' "$kind: over an empty folder"
	tree_tell "$mnt/place/taken" >"$WORK/after"
	same "$WORK/before" "$WORK/after"
	is "$(ls "$mnt")" place "$kind: what is left"
	mkdir "$mnt/full"
	: >"$mnt/full/x"
	is "$(rename_errno "$mnt/place/taken" "$mnt/full" 0)" ENOTEMPTY "$kind"
	is "$(rename_errno "$mnt/place/taken" "$mnt/full/x" 0)" ENOTDIR "$kind"
	is "$(rename_errno "$mnt/full/x" "$mnt/place" 0)" EISDIR "$kind"
	is "$(rename_errno "$mnt/full/x" "$mnt/place" 2)" EINVAL "$kind: exchange"
	is "$(rename_errno "$mnt/place" "$mnt/full" 1)" EEXIST "$kind: no replacing"
	mkdir "$mnt/below"
	is "$(rename_errno "$mnt/place/taken" "$mnt/below/new" 1)" '' "$kind"
	# A second mount has nothing in memory.
	remount_poor
	tree_tell "$mnt/below/new" >"$WORK/after"
	same "$WORK/before" "$WORK/after"
	files_move
	unmount "$mnt"
}

remount_poor() {
	unmount "$mnt"
	mount_poor
}

files_move() {
	echo one >"$mnt/one"
	echo two >"$mnt/two"
	exec 5<"$mnt/two" 6<"$mnt/one"
	is "$(rename_errno "$mnt/one" "$mnt/two" 0)" '' "$kind: over a file"
	is "$(cat "$mnt/two")" one "$kind: moved"
	is "$(cat <&5)" two "$kind: read by who has it open"
	is "$(cat <&6)" one "$kind: read by who has it open"
	exec 5<&- 6<&-
	[ ! -e "$mnt/one" ] || wrong "$kind: the old name is there"
	ln -s first "$mnt/link"
	ln -sfn second "$mnt/link"
	is "$(readlink "$mnt/link")" second "$kind: symlink"
	exec 7>>"$mnt/two"
	echo more >&7
	mv "$mnt/two" "$mnt/three"
	echo end >&7
	exec 7>&-
	is "$(stored three | tr '\n' ' ')" "one more end " "$kind: written on"
	sed -i 's/more/less/' "$mnt/three"
	is "$(stored three | tr '\n' ' ')" "one less end " "$kind: sed -i"
	is "$(names_in)" "below/ full/ link place/ three " "$kind: names"
}

# One reader by name: while a rename runs the kernel keeps it from names that
# are not there, so it gets a few reads in. Others stay in the folder, which
# moves under them: for these every file is there at any moment.
readers_always_find_files() {
	local pids=() i moves=0

	weather 'copy delay=1ms'
	mount_poor "$shared,attr_timeout=0,entry_timeout=0"
	tree_make "$mnt/a" 60
	exec 5<"$mnt/a/many"
	reader named 12 >"$WORK/reader-1" &
	named=$!
	for i in 2 3; do
		reader inside 1000000 >"$WORK/reader-$i" &
		pids+=($!)
	done
	until [ "$moves" -ge 4 ] && gone "$named" && all_have_begun; do
		mv "$mnt/a" "$mnt/b" || wrong "there"
		mv "$mnt/b" "$mnt/a" || wrong "back"
		moves=$((moves + 2))
		[ "$moves" -lt 200 ] || break
	done
	: >"$WORK/stop"
	wait "$named" "${pids[@]}"
	exec 5<&-
	for i in 1 2 3; do
		is "$(cat "$WORK/reader-$i")" "found some" "reader $i"
	done
	unmount "$mnt"
}

# all_have_begun: every reader has read a file, however late it was started.
all_have_begun() {
	[ "$(find "$WORK" -maxdepth 1 -name 'stop.begun-*' | wc -l)" -ge 3 ]
}

# reader named|inside COUNT: reads files at random, and tells what is wrong;
# inside the folder that is open as 5.
reader() {
	python3 - "$mnt" "$1" "$2" "$WORK/stop" <<-'END'
		import os, random, sys
		top, how, count, stop = sys.argv[1:]
		inside = 5 if how == "inside" else None
		def read(name):
		    if inside is not None:
		        with open(os.open(name, os.O_RDONLY, dir_fd=inside), "rb") as file:
		            return file.read()
		    for side in random.sample(("a", "b"), 2) * 20:
		        try:
		            with open("%s/%s/many/%s" % (top, side, name), "rb") as file:
		                return file.read()
		        except FileNotFoundError:
		            pass
		found = 0
		while found < int(count) and not os.path.exists(stop):
		    i = random.randrange(60)
		    data = read("file-%d" % i)
		    if data != b"%d\n" % i * 50:
		        print("file-%d:" % i, data and data[:20])
		    if not found:
		        open("%s.begun-%d" % (stop, os.getpid()), "w").close()
		    found += 1
		print("found", "some" if found else "none")
	END
}

# fails_whole RULE ERRNO: the old tree is as it was, and nothing else is there.
fails_whole() {
	weather "$1"
	is "$(rename_errno "$mnt/old" "$mnt/new" 0)" "$2" "$1"
	[ ! -e "$mnt/new" ] || wrong "$1: the new name shows"
	weather
	wait_until 10 nothing_is_new || wrong "$1: copies stay: $(names_in)"
	tree_tell "$mnt/old" >"$WORK/after"
	same "$WORK/before" "$WORK/after"
}

nothing_is_new() {
	[ "$(names_in)" = "old/ " ] && [ "$(status_of "$mnt" renames)" = 0 ]
}

failures_leave_the_old_name() {
	weather
	mount_poor "$shared,op_timeout=1"
	tree_make "$mnt/old" 100
	tree_tell "$mnt/old" >"$WORK/before"
	fails_whole 'copy error=DENIED after=50' EACCES
	fails_whole 'copy error=NO_SPACE after=3' ENOSPC
	fails_whole 'make error=NO_SPACE after=4' ENOSPC
	fails_whole 'list error=DENIED after=3 times=2' EACCES
	fails_whole 'copy stall=1h after=20' ETIMEDOUT
	interrupts_leave_the_old_name
	# What passes is tried again.
	weather 'copy error=UNAVAILABLE times=3' 'copy-after error=TIMEOUT times=2' \
		'remove error=THROTTLED times=2'
	is "$(rename_errno "$mnt/old" "$mnt/new" 0)" '' "passing failures"
	tree_tell "$mnt/new" >"$WORK/after"
	same "$WORK/before" "$WORK/after"
	wait_until 5 only_new || wrong "names: $(names_in)"
	unmount "$mnt"
}

only_new() {
	[ "$(names_in)" = "new/ " ]
}

interrupts_leave_the_old_name() {
	local begun took mover

	weather 'copy delay=100ms'
	mv "$mnt/old" "$mnt/new" 2>"$WORK/err" &
	mover=$!
	wait_until 5 is_copying || wrong "nothing is copied"
	"$STORECTL" pending "$mnt" >"$WORK/pending"
	says "$WORK/pending" "old to new; copying"
	is "$(status_of "$mnt" renames)" 1 "status"
	begun=$(milliseconds)
	kill -INT "$mover"
	kill -TERM "$mover"
	wait "$mover" && wrong "mv succeeded"
	took=$(($(milliseconds) - begun))
	[ "$took" -lt 1500 ] || wrong "mv ended after $took ms"
	# Hidden until it is gone, and then free for everybody.
	mkdir "$mnt/new" || wrong "the name is not free"
	is "$(ls -A "$mnt/new")" '' "copies"
	rmdir "$mnt/new"
	weather
	wait_until 5 nothing_is_new || wrong "copies stay: $(names_in)"
	tree_tell "$mnt/old" >"$WORK/after"
	same "$WORK/before" "$WORK/after"
}

is_copying() {
	[ "$(status_of "$mnt" copy)" -gt "${copied:-0}" ] &&
		[ "$(status_of "$mnt" renames)" = 1 ]
}

# Whichever call it is: the tree has one name, and all of it is there.
one_refusal_takes_nothing() {
	local n places=(0 5 20 50 90 130 170)

	[ "$full" = 0 ] || mapfile -t places < <(seq 0 200)
	weather
	mount_poor
	tree_make "$mnt/old" 20
	tree_tell "$mnt/old" >"$WORK/before"
	for n in "${places[@]}"; do
		weather "any error=DENIED after=$n times=1"
		rename_errno "$mnt/old" "$mnt/new" 0 >"$WORK/errno"
		weather
		wait_until 10 nothing_moves || wrong "$n: it does not end"
		if [ -e "$mnt/new" ]; then
			[ ! -e "$mnt/old" ] || wrong "$n: both names"
			is "$(cat "$WORK/errno")" '' "$n: the answer"
			tree_tell "$mnt/new" >"$WORK/after"
			mv "$mnt/new" "$mnt/old"
		else
			is "$(cat "$WORK/errno")" EACCES "$n: the answer"
			tree_tell "$mnt/old" >"$WORK/after"
		fi
		same "$WORK/before" "$WORK/after"
		is "$(names_in)" "old/ " "$n: names"
	done
	unmount "$mnt"
}

nothing_moves() {
	[ "$(status_of "$mnt" renames)" = 0 ]
}

# The store fails while old names are removed: the answer is true at once.
removing_goes_on_by_itself() {
	weather
	mount_poor "$shared,op_timeout=1"
	tree_make "$mnt/old" 30
	tree_tell "$mnt/old" >"$WORK/before"
	weather 'remove error=UNAVAILABLE'
	is "$(rename_errno "$mnt/old" "$mnt/new" 0)" '' "with a store that fails"
	tree_tell "$mnt/new" >"$WORK/after"
	same "$WORK/before" "$WORK/after"
	is "$(ls "$mnt")" new "shown"
	is "$(names_in)" "new/ old/ " "stored"
	"$STORECTL" pending "$mnt" >"$WORK/pending"
	says "$WORK/pending" "old to new; removing"
	# The next mount goes on, too.
	kill -KILL "$driver"
	wait_until 5 gone "$driver" || fail "the driver cannot be killed"
	umount -l "$mnt"
	"$STORECTL" pending --staging "$(staging_of "$mnt")" >"$WORK/pending" 2>&1
	says "$WORK/pending" "old to new; removing"
	# It does not wait for a store that hangs.
	weather 'remove stall=1h key=old/*'
	mount_poor "$shared,op_timeout=3"
	is "$(ls "$mnt")" new "shown by the next mount"
	is "$(names_in)" "new/ old/ " "stored"
	echo other >"$mnt/other" || wrong "another name"
	is "$(stored other)" other "another name"
	rm "$mnt/other"
	weather
	wait_until 30 only_new || wrong "after the next mount: $(names_in)"
	wait_until 10 nothing_moves || wrong "the rename does not end"
	tree_tell "$mnt/new" >"$WORK/after"
	same "$WORK/before" "$WORK/after"
	unmount "$mnt"
}

# What another client writes, while names move, is somewhere afterwards.
changes_of_others_are_kept() {
	weather 'remove delay=100ms'
	mount_poor
	tree_make "$mnt/old" 100
	mv "$mnt/old" "$mnt/new" &
	wait_until 10 test -e "$backing/new/many/file-99" || wrong "no copies"
	wait_until 10 source_goes || wrong "no source goes"
	# Not all are gone yet.
	for i in "$backing"/old/many/*; do
		echo "$i" >>"$WORK/changed"
		echo changed >"$i.other"
		mv "$i.other" "$i"
		break
	done
	echo "made by another" >"$backing/old/extra"
	weather
	wait
	i=$(sed 's,.*/,,' "$WORK/changed")
	is "$(cat "$mnt/old/many/$i")" changed "what was changed"
	is "$(head -n 1 "$mnt/new/many/$i")" "${i#file-}" "what was copied"
	is "$(cat "$mnt/new/extra" "$mnt/old/extra" 2>/dev/null)" "made by another" \
		"what was made"
	unmount "$mnt"
}

source_goes() {
	[ "$(find "$backing/old/many" -type f | wc -l)" -lt 100 ]
}

pending_files_follow() {
	weather
	mount_poor "$shared,commit=background,drain_timeout=1,op_timeout=2"
	tree_make "$mnt/old" 20
	sync "$mnt/old"
	"$STORECTL" drain "$mnt" >"$WORK/out" 2>&1 || wrong "drain: $(cat "$WORK/out")"
	weather 'put stall=1h'
	echo "new content" >"$mnt/old/many/file-3"
	echo "new file" >"$mnt/old/many/fresh"
	chmod 600 "$mnt/old/many/file-3"
	is "$(rename_errno "$mnt/old" "$mnt/new" 0)" '' "with pending files"
	is "$(cat "$mnt/new/many/file-3" "$mnt/new/many/fresh" | tr '\n' ' ')" \
		"new content new file " "in the mount"
	kill -KILL "$driver"
	wait_until 5 gone "$driver" || fail "the driver cannot be killed"
	umount -l "$mnt"
	is "$(names_in)" "new/ " "$kind: stored"
	weather
	mount_poor "$shared,commit=background"
	is "$(cat "$mnt/new/many/file-3" "$mnt/new/many/fresh" | tr '\n' ' ')" \
		"new content new file " "in the next mount"
	wait_settled "$mnt"
	is "$(status_of "$mnt" failed_files)" 0 "conflicts"
	is "$(stored new/many/file-3)" "new content" "stored"
	is "$(stored new/many/fresh)" "new file" "stored"
	unmount "$mnt"
}

atomic_is_refused() {
	weather
	mount_poor "$shared,rename=atomic"
	mkdir "$mnt/folder"
	echo file >"$mnt/file"
	is "$(rename_errno "$mnt/folder" "$mnt/other" 0)" EXDEV "a folder"
	is "$(rename_errno "$mnt/file" "$mnt/other" 0)" EXDEV "a file"
	# Programs do what they do between file systems.
	mv "$mnt/file" "$mnt/folder/moved" || wrong "mv fails"
	is "$(cat "$mnt/folder/moved")" file "moved"
	unmount "$mnt"
}

for kind in local sqlite memory; do
	note "$kind: trees and files"
	rm -rf "$WORK"/st-mnt-*
	store_new "$kind"
	[ "$kind" != memory ] || continue
	trees_and_files_move
done
for each in readers_always_find_files failures_leave_the_old_name \
	one_refusal_takes_nothing \
	removing_goes_on_by_itself changes_of_others_are_kept \
	pending_files_follow atomic_is_refused; do
	note "${each//_/ }"
	rm -rf "$WORK"/st-mnt-*
	store_new local
	$each
	is "$(find "$backing" -name '.storefs-tmp*')" "" "$each: left"
done
finish
