# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Programs that know nothing of stores, run in a folder of a mount ($here) and
# compared with what they do elsewhere ($there); sourced. `run` runs a command
# as the user the test is about; kind and mnt are those of each_store.
: "${SRCDIR:?}"

program_cp() {
	run cp -a "$there/tree" "$here/copy"
	run diff -r --no-dereference "$there/tree" "$here/copy"
	same_times "$here/copy" "cp -a"
	run cp "$here/copy/a.txt" "$here/second.txt"
	run cmp "$there/tree/a.txt" "$here/second.txt"
}

# times_of DIR: names, modes and times of everything below.
times_of() {
	local time='%T@'

	[ "$kind" != sftp ] || time='%Ts'
	run find "$1" -printf "%P %m %y $time\\n" | sort
}

# same_times DIR WHAT: as those of the tree it was made from.
same_times() {
	times_of "$1" >"$WORK/times.here"
	times_of "$there/tree" >"$WORK/times.there"
	diff "$WORK/times.here" "$WORK/times.there" ||
		wrong "$kind: modes or times after $2"
}

program_mv() {
	run cp -r "$there/tree" "$here/one"
	run mv "$here/one" "$here/two"
	run diff -r --no-dereference "$there/tree" "$here/two"
	run test ! -e "$here/one" || wrong "mv leaves the old name"
	# Into the mount from another file system.
	run cp -r "$there/tree" "$there/moving"
	run mv "$there/moving" "$here/moved"
	run diff -r --no-dereference "$there/tree" "$here/moved"
	run mv "$here/two/a.txt" "$here/two/b.txt"
	run cmp "$there/tree/a.txt" "$here/two/b.txt"
}

program_rsync() {
	run rsync -a "$there/tree/" "$here/synced/"
	run diff -r --no-dereference "$there/tree" "$here/synced"
	# What is there already is not sent again.
	is "$(run rsync -ai "$there/tree/" "$here/synced/")" "" "rsync again"
	run sh -c "echo more >>'$here/synced/a.txt'"
	run rsync -a --inplace "$there/tree/" "$here/synced/"
	run rsync -a --delete --checksum "$there/tree/" "$here/synced/"
	run diff -r --no-dereference "$there/tree" "$here/synced"
}

program_tar() {
	run tar --format=posix -C "$there" -cf "$here/tree.tar" tree
	run tar -C "$here" -xpf "$here/tree.tar"
	run diff -r --no-dereference "$there/tree" "$here/tree"
	same_times "$here/tree" tar
	run tar -C "$there" -df "$here/tree.tar"
	run tar --format=posix -C "$there" -rf "$here/tree.tar" tree/a.txt
	is "$(run tar -tf "$here/tree.tar" | grep -c a.txt)" 2 "tar -r"
}

program_git() {
	local -a git=(git -c user.name=T -c user.email=t@example.org
		-c init.defaultBranch=main -c safe.directory='*'
		-c gc.autoDetach=false)
	local each

	run "${git[@]}" init -q "$here/repository"
	run cp -r "$there/tree" "$here/repository/"
	run "${git[@]}" -C "$here/repository" add -A
	run "${git[@]}" -C "$here/repository" commit -qm first
	for each in 1 2 3 4 5; do
		run sh -c "echo $each >>'$here/repository/log'"
		run "${git[@]}" -C "$here/repository" add log
		run "${git[@]}" -C "$here/repository" commit -qm "$each"
	done
	run "${git[@]}" -C "$here/repository" checkout -qb side
	run "${git[@]}" -C "$here/repository" mv tree wood
	run "${git[@]}" -C "$here/repository" commit -qm wood
	run "${git[@]}" -C "$here/repository" checkout -q main
	run "${git[@]}" -C "$here/repository" merge -q side
	run "${git[@]}" -C "$here/repository" gc -q --prune=now
	run "${git[@]}" -C "$here/repository" fsck --strict \
		>"$WORK/fsck" 2>&1 || cat "$WORK/fsck"
	run "${git[@]}" clone -q "$here/repository" "$here/clone"
	run "${git[@]}" clone -q --no-local "$here/clone" "$here/clone.2"
	is "$(run "${git[@]}" -C "$here/clone" status --porcelain)" "" \
		"git status"
	is "$(run "${git[@]}" -C "$here/clone.2" log --oneline | wc -l)" 7 \
		"git log"
}

program_make_and_gcc() {
	local each

	run mkdir "$here/project"
	for each in 1 2 3; do
		echo "int part$each(void) { return $each; }" |
			run tee "$here/project/part$each.c" >/dev/null
	done
	run tee "$here/project/main.c" >/dev/null <<-'END'
	int part1(void), part2(void), part3(void);
	int main(void) { return part1() + part2() + part3() != 6; }
	END
	run tee "$here/project/Makefile" >/dev/null <<-'END'
	program: main.o part1.o part2.o libparts.a; $(CC) -o $@ $^
	libparts.a: part3.o; $(AR) rcs $@ $^
	END
	run make -s -j2 -C "$here/project" CFLAGS='-g -pipe'
	run "$here/project/program" || wrong "the program that was built"
	run make -C "$here/project" -q
	# Where times are seconds, make sees a change in the next one.
	[ "$kind" != sftp ] || sleep 1.1
	run touch "$here/project/part1.c"
	run sh -c "! make -C '$here/project' -q" || wrong "make sees no change"
	run make -s -C "$here/project"
}

program_sqlite() {
	local database=$here/data.db mode

	for mode in delete truncate persist wal; do
		run rm -f "$database"
		run sqlite3 "$database" >"$WORK/answer" <<-END
		PRAGMA journal_mode = $mode;
		CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);
		BEGIN;
		WITH RECURSIVE n(i) AS
			(SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000)
			INSERT INTO t SELECT i, hex(randomblob(50)) FROM n;
		COMMIT;
		DELETE FROM t WHERE a % 3 = 0;
		UPDATE t SET b = 'x' WHERE a % 5 = 0;
		VACUUM;
		END
		is "$(run sqlite3 "$database" 'SELECT count(*) FROM t;
			PRAGMA integrity_check;')" "$(printf '1334\nok')" \
			"sqlite3 with $mode"
	done
}

program_vim() {
	local each

	printf 'one\ntwo\n' | run tee "$here/text" >/dev/null
	for each in yes no auto; do
		run vim -Nesu NONE -c "set backupcopy=$each backup backupskip=" \
			-c "set backupdir=$here directory=$here" \
			-c '%s/two/two and more/' -c wq "$here/text" </dev/null
	done
	is "$(run cat "$here/text")" \
		"$(printf 'one\ntwo and more and more and more')" vim
	is "$(run cat "$here/text~")" \
		"$(printf 'one\ntwo and more and more')" "the backup of vim"
	[ -z "$(run find "$here" -name '*.sw*')" ] || wrong "vim leaves a swap file"
}

# What emacs does at a save: a lock that is a dangling symlink, the old file
# renamed to the backup's name (the first time) or a temporary renamed over.
program_emacs() {
	printf 'old\n' | run tee "$here/buffer" >/dev/null
	run ln -s "me@host.123:456" "$here/.#buffer"
	is "$(run readlink "$here/.#buffer")" me@host.123:456 "a lock of emacs"
	run mv "$here/buffer" "$here/buffer~"
	run "$fileop" open wcx "$here/buffer" write "new" fsync close
	run chmod 644 "$here/buffer"
	run rm "$here/.#buffer"
	is "$(run cat "$here/buffer~" "$here/buffer")" "$(printf 'old\nnew')" \
		"backup by renaming"
	run "$fileop" open wcx "$here/#buffer#" write "newer" fsync close
	run mv "$here/#buffer#" "$here/buffer"
	is "$(run cat "$here/buffer")" newer "precious save"
	run "$fileop" open wt "$here/buffer" write "newest" fsync close
	is "$(run cat "$here/buffer")" newest "save in place"
}

program_sed() {
	printf 'one\ntwo\n' | run tee "$here/edited" >/dev/null
	run chmod 640 "$here/edited"
	run sed -i 's/two/three/' "$here/edited"
	run sed -i.old 's/one/zero/' "$here/edited"
	is "$(run cat "$here/edited" "$here/edited.old")" \
		"$(printf 'zero\nthree\none\nthree')" "sed -i"
	is "$(run stat -c %a "$here/edited")" 640 "mode after sed -i"
}

program_dd() {
	run dd if="$there/tree/random" of="$here/image" bs=4096 status=none
	printf 'MARK' | run dd of="$here/image" bs=1 seek=100000 \
		conv=notrunc status=none
	run dd if=/dev/zero of="$here/image" bs=1M seek=8 count=0 status=none
	cp "$there/tree/random" "$WORK/image"
	printf 'MARK' | dd of="$WORK/image" bs=1 seek=100000 conv=notrunc \
		status=none
	truncate -s 8M "$WORK/image"
	run cmp "$here/image" "$WORK/image"
	run dd if="$here/image" of=/dev/null bs=64k skip=3 count=2 status=none \
		iflag=fullblock
}

program_mapping() {
	run /usr/bin/python3 - "$here/image" "$there/tree/random" <<-'END'
	import mmap, sys
	with open(sys.argv[1], "r+b") as one, open(sys.argv[2], "rb") as two:
	    a = mmap.mmap(one.fileno(), 0)
	    b = mmap.mmap(two.fileno(), 0, prot=mmap.PROT_READ)
	    assert a[:99999] == b[:99999]
	    assert a[100000:100004] == b"MARK"
	    a[5:9] = b"mark"
	    a.flush()
	    one.seek(5)
	    assert one.read(4) == b"mark"
	END
	is "$(run head -c 9 "$here/image" | tail -c 4)" mark "a mapping"
	run grep -c MARK "$here/image" >/dev/null || wrong "grep"
}

program_shelve() {
	run /usr/bin/python3 - "$here/shelf" <<-'END'
	import dbm.dumb, shelve, sys
	for kind in ("default", "dumb"):
	    name = sys.argv[1] + kind
	    def shelf():
	        if kind == "dumb":
	            return shelve.Shelf(dbm.dumb.open(name))
	        return shelve.open(name)
	    with shelf() as db:
	        for i in range(200):
	            db[str(i)] = list(range(i))
	    with shelf() as db:
	        db["7"] = "seven"
	        del db["8"]
	    with shelf() as db:
	        assert len(db) == 199 and db["7"] == "seven"
	        assert db["199"][-1] == 198
	END
}

program_sort_and_friends() {
	run sh -c "seq 20000 | shuf --random-source='$there/tree/random' \
		>'$here/numbers'"
	run sort -n -T "$here" -S 64k -o "$here/numbers" "$here/numbers"
	run cmp "$here/numbers" "$WORK/sequence"
	run gzip -k "$here/numbers"
	run zcat "$here/numbers.gz" | cmp - "$WORK/sequence"
	run sh -c "find '$here' -name 'numb*' -print0 | xargs -0 md5sum" \
		>/dev/null
	run split -l 1000 "$here/numbers" "$here/split."
	is "$(run sh -c "cat '$here'/split.*" | cmp - "$WORK/sequence" &&
		echo same)" same split
}

# programs_prepare: a tree of every ordinary kind of thing.
programs_prepare() {
	local each

	there=$WORK/there
	rm -rf "$there"
	mkdir -p "$there/tree/deep/deeper"
	seq 20000 >"$WORK/sequence"
	echo text >"$there/tree/a.txt"
	: >"$there/tree/empty"
	head -c 300000 /dev/urandom >"$there/tree/random"
	printf '#!/bin/sh\nexit 0\n' >"$there/tree/script"
	chmod 755 "$there/tree/script"
	chmod 600 "$there/tree/empty"
	ln -s a.txt "$there/tree/link"
	ln -s ../../missing "$there/tree/deep/dangling"
	for each in 'a b' 'ü€' $'new\nline' -dash '*' "it's"; do
		echo "$each" >"$there/tree/deep/$each"
	done
	cp "$SRCDIR"/src/*.c "$there/tree/deep/deeper"
	find "$there/tree" -exec touch -h -d '2011-12-13 14:15:16.1718' {} +
	[ -z "${1-}" ] || chown -R "$1:" "$there"
}

all_programs=$(compgen -A function program_)

# programs_run: every one of them, in a folder each.
programs_run() {
	local each begun

	for each in $all_programs; do
		begun=$(milliseconds)
		here=$mnt/$each
		# The mapping looks at what dd left.
		[ "$each" != program_mapping ] || here=$mnt/program_dd
		run mkdir -p "$here" || wrong "no folder for $each"
		"$each"
		printf '%s on %s: %s ms\n' "${each#program_}" "$kind" \
			$(($(milliseconds) - begun))
	done
	run diff -r --no-dereference "$there/tree" "$mnt/program_cp/copy"
}
