#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# timeout-full: 3600
# A mount of an S3 store, which knows no folders, cannot move, and may not keep
# conditions: files behave as in a plain directory, folders are made, moved and
# removed, symlinks and extended attributes are kept, and what one mount has
# stored the next one finds (M1, M2, M4).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
ops=400 file_ops=300 writes=30
[ "$full" = 0 ] || ops=5000 file_ops=5000 writes=1000

# listing DIR: types, modes, times and bytes of all below.
listing() {
	(cd "$1" && find . -type d -printf '%P %m %y\n' \
		-o -printf '%P %m %y %T@ %s\n' | sort &&
		find . -type f -print0 | sort -z | xargs -0 cksum)
}

folders() {
	mkdir -p "$mnt/d/e/f" "$mnt/d/empty"
	cp -a "$SRCDIR/mount" "$mnt/d/e/"
	chmod 751 "$mnt/d/e"
	listing "$mnt/d" >"$WORK/before"
	# In the store one object after the other, to programs in one step.
	python3 -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' \
		"$mnt/d" "$mnt/moved" || wrong "rename of a folder"
	[ ! -e "$mnt/d" ] || wrong "the old name is there"
	listing "$mnt/moved" >"$WORK/after"
	same "$WORK/before" "$WORK/after"
	remount
	listing "$mnt/moved" >"$WORK/after"
	same "$WORK/before" "$WORK/after"
	diff -r "$SRCDIR/mount" "$mnt/moved/e/mount" || wrong "bytes differ"
	! rmdir "$mnt/moved/e" 2>/dev/null || wrong "rmdir of a full folder"
	mkdir "$mnt/moved/other"
	! mv -T "$mnt/moved/other" "$mnt/moved/e" 2>/dev/null ||
		wrong "rename over a full folder"
	mv -T "$mnt/moved/other" "$mnt/moved/empty" ||
		wrong "rename over an empty folder"
	rmdir "$mnt/moved/empty" || wrong "rmdir of an empty folder"
	rm -r "$mnt/moved" || wrong "rm -r"
	is "$(ls -A "$mnt")" '' "left in the mount"
	is "$("$STORECTL" ls "$url")" '' "left in the store"
}

# What others made is a folder, too, and stays one without its last file.
folders_of_others() {
	echo theirs >"$WORK/theirs"
	"$STORECTL" cp "$WORK/theirs" "$url!/deep/er/file"
	is "$(cat "$mnt/deep/er/file")" theirs "a file in a folder nobody made"
	is "$(stat -c %F "$mnt/deep/er")" directory "a folder nobody made"
	echo ours >"$mnt/deep/er/file"
	is "$(stored deep/er/file)" ours "over the file of another"
	rm "$mnt/deep/er/file"
	[ -d "$mnt/deep/er" ] || wrong "a folder goes with its last file"
	rm -r "$mnt/deep"
}

# change_names KIND DIR: in a folder that has "old" and "sub".
change_names() {
	case $1 in
	create) echo new >"$2/new" ;;
	unlink) rm "$2/old" ;;
	mkdir) mkdir "$2/new" ;;
	rmdir) rmdir "$2/sub" ;;
	rename) mv "$2/old" "$2/new" ;;
	to) mv "$mnt/from/old" "$2/new" ;;
	beside) exec 4>"$2/new" && mv "$2/new" "$2/newer" && exec 4>&- ;;
	gone) exec 4>"$2/new" && rm "$2/new" && exec 4>&- ;;
	esac
}

# A time that was set stays until names change, and no longer: seen by this
# mount and by the next one.
folder_times() {
	local kinds=(create unlink mkdir rmdir rename to beside gone) kind when
	local set='1993-09-08 10:54:53.455076742' started

	for kind in "${kinds[@]}" from kept; do
		mkdir -p "$mnt/$kind/sub"
		echo old >"$mnt/$kind/old"
		[ "$kind" = kept ] && exec 5>"$mnt/$kind/new"
		touch -d "$set" "$mnt/$kind"
	done
	exec 5>&-
	remount
	started=$EPOCHSECONDS
	for kind in "${kinds[@]}"; do
		is "$(stat -c %Y "$mnt/$kind")" "$(date -d "$set" +%s)" "$kind"
		change_names "$kind" "$mnt/$kind"
	done
	for when in now remounted; do
		for kind in "${kinds[@]}" from; do
			[ "$(stat -c %Y "$mnt/$kind")" -ge "$started" ] ||
				wrong "$kind, $when: the time that was set"
		done
		is "$(stat -c %y "$mnt/kept")" "$set +0000" "kept, $when"
		remount
	done
	rm -r "${mnt:?}"/*
}

# A reader of a version that is replaced may be told so, with nothing mixed.
pollers() {
	"$posix/racers" poll --writes "$writes" --may-be-stale "$mnt" ||
		wrong "pollers"
	"$posix/racers" poll --writes $((writes / 4)) --size 6000000 \
		--may-be-stale "$mnt" || wrong "pollers of a large file"
}

random() {
	mkdir -p "$WORK/model"
	cat >"$WORK/remount" <<-END
		#!/bin/bash
		umount '$mnt' || exit 1
		flock --timeout 20 '$(staging_of "$mnt")/lock' true || exit 1
		'$STOREFS' '$url' '$mnt' \\
			-o '$shared,staging_dir=$(staging_of "$mnt")' || exit 1
	END
	chmod +x "$WORK/remount"
	echo "seed $seed"
	# shellcheck disable=SC2046 # options
	"$posix/random_ops" --mount "$mnt" --model "$WORK/model" \
		--seed "$seed" --ops "$ops" --remount "$WORK/remount" \
		--remounts 2 $(without s3 random_ops) ||
		wrong "random operations, seed $seed"
	ends_here "$(status_of "$mnt" pid)"
	find "$mnt" -mindepth 1 -delete
	"$posix/fsx" --seed "$seed" --ops "$file_ops" --handles 3 "$mnt/f" ||
		wrong "fsx with 3 handles, seed $seed"
	cp "$mnt/f" "$WORK/before"
	remount
	same "$WORK/before" "$mnt/f"
	rm "$mnt/f"
}

# A file that takes parts, and a byte in it: the rest is kept by the store.
large() {
	head -c 40000000 /dev/urandom >"$WORK/large"
	cp "$WORK/large" "$mnt/large"
	for file in "$WORK/large" "$mnt/large"; do
		printf x | dd of="$file" bs=1 seek=20000000 conv=notrunc \
			2>/dev/null
		printf tail >>"$file"
	done
	same "$WORK/large" "$mnt/large"
	remount
	same "$WORK/large" "$mnt/large"
	rm "$mnt/large"
}

# xattr_fails FILE NAME VALUE ERRNO: setting it is refused with this error.
xattr_fails() {
	python3 - "$@" <<-'EOF' || wrong "$2 of $1"
		import errno, os, sys
		try:
		    os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())
		except OSError as error:
		    sys.exit(error.errno != getattr(errno, sys.argv[4]))
		sys.exit("it is taken")
	EOF
}

# A share of the rules: the whole is that of posix_rules_hold_for_root.sh.
rules() {
	local nouns=(chmod chown mknod open symlink truncate unlink utimens
		times write append fallocate copy mmap xattr locks statfs)
	local noun=${nouns[seed % ${#nouns[@]}]}

	[ "$full" = 0 ] || return 0
	# shellcheck disable=SC2046 # options
	"$posix/posix_suite" $(without s3 posix_suite) "$mnt" "$noun/" ||
		wrong "the POSIX suite: $noun"
}

# Those of a new file go with it, and as many as headers can hold: no more,
# also of a file that nobody has stored yet.
attributes() {
	local long

	long=$(printf '%02000d' 0)
	exec 6>"$mnt/new"
	printf bytes >&6
	setfattr -n user.colour -v blue "$mnt/new"
	xattr_fails "$mnt/new" user.long "$long" ENOSPC
	exec 6>&-
	is "$(stored new)" bytes "a new file with attributes"
	setfattr -n user.shape -v round "$mnt/new"
	xattr_fails "$mnt/new" user.long "$long" ENOSPC
	chmod 640 "$mnt/new"
	mv "$mnt/new" "$mnt/moved"
	mkdir "$mnt/folder"
	setfattr -n user.of -v folder "$mnt/folder"
	mv "$mnt/folder" "$mnt/renamed"
	remount
	printf more >>"$mnt/moved"
	is "$(getfattr --absolute-names --only-values -n user.colour "$mnt/moved")" blue "colour"
	is "$(getfattr --absolute-names --only-values -n user.shape "$mnt/moved")" round "shape"
	is "$(getfattr --absolute-names --only-values -n user.of "$mnt/renamed")" folder \
		"attribute of a folder"
	setfattr -x user.colour "$mnt/moved"
	is "$(getfattr --absolute-names "$mnt/moved" | grep -c '^user')" 1 \
		"attributes that are left"
	rm -r "$mnt/moved" "$mnt/renamed"
}

# What cp -a, tar and git make of a tree with links in it.
links() {
	mkdir -p "$WORK/tree/sub"
	echo text >"$WORK/tree/file"
	ln -s file "$WORK/tree/link"
	ln -s ../no/where "$WORK/tree/sub/dangling"
	touch -h -d '2021-02-03 04:05:06.5' "$WORK/tree/link"
	cp -a "$WORK/tree" "$mnt/copy" || wrong "cp -a"
	mkdir "$mnt/tar"
	tar -C "$WORK/tree" -cf - . | tar -C "$mnt/tar" -xf - || wrong "tar"
	mv "$mnt/copy" "$mnt/moved"
	for each in moved tar; do
		is "$(readlink "$mnt/$each/link")" file "$each: target"
	done
	remount
	for each in moved tar; do
		is "$(cat "$mnt/$each/link")" text "$each: through the link"
		is "$(readlink "$mnt/$each/sub/dangling")" ../no/where \
			"$each: target after a mount"
		is "$(stat -c %Y "$mnt/$each/link")" \
			"$(stat -c %Y "$WORK/tree/link")" "$each: time"
	done
	# A listing does not tell them from files: it says that it knows not.
	python3 - "$mnt/moved" <<-'EOF' || wrong "types in a listing"
		import os, sys
		links = [e.name for e in os.scandir(sys.argv[1]) if e.is_symlink()]
		sys.exit(links != ["link"])
	EOF
	is "$(cd "$mnt/moved" && find . -type l | sort | xargs)" \
		"./link ./sub/dangling" "found"
	! ln -s other "$mnt/moved/link" 2>/dev/null || wrong "a taken name"
	ln -sfn other "$mnt/moved/link"
	is "$(readlink "$mnt/moved/link")" other "replaced"
	"$STORECTL" ls -l "$url!/moved" >"$WORK/listed"
	says "$WORK/listed" "other"
	"$STORECTL" cp -r "$url!/tar" "$WORK/back" || wrong "storectl cp -r"
	rm -r "$mnt/moved" "$mnt/tar"
}

cases() {
	local each

	for each in attributes links folders folders_of_others folder_times pollers \
		rules random large; do
		note "$each"
		"$each"
		wait_settled "$mnt"
		is "$(status_of "$mnt" failed_files)" 0 "failed files"
	done
}

each_store s3 cases
finish
