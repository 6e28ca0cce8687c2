# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests share that end the driver in the middle of work; sourced by
# bash. A place is a fresh store with a staging directory and a manifest, all
# in $p; one driver at a time runs there, in the foreground, as $driver, with
# $driver_status once it has ended. Whoever works beside others (beside) has a
# place of its own.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"

crash=$BUILDDIR/tests/crash
lanes=2 # so many points are tried at a time
workers=3
operations=10
point=   # what is tried, for messages
below=() # mount points that $p stands on, to be gone at the end
tracer=() # a command that runs the driver
words=    # more options of the mount, each behind a comma

# place_at DIR: from now on places are made there.
place_at() {
	p=$1
	mnt=$p/mnt
	staging=$p/staging
	manifest=$p/manifest
}
place_at "$WORK/p"

# chance_of TEXT: what is left to chance from here on depends on that and the
# seed only.
chance_of() {
	RANDOM=$(($(cksum <<<"$seed $1" | cut -d ' ' -f 1) % 32768))
}
chance_of "$0"

# beside FUNCTION ITEM...: calls it for each item, so many at a time. Where it
# leaves its results is its own affair; findings are counted here.
beside() {
	local i shards=() each good=1

	for ((i = 0; i < lanes; i++)); do
		shard "$i" "$@" &
		shards+=($!)
	done
	for i in "${!shards[@]}"; do
		wait "${shards[i]}" || good=0
	done
	[ "$good" = 1 ] || fail "a part of it did not come to its end"
	for i in "${!shards[@]}"; do
		read -r each <"$WORK/findings-$i"
		failures=$((failures + each))
	done
}

# shard NUMBER FUNCTION ITEM...: its share of the items.
shard() {
	local number=$1 function=$2 i
	shift 2

	trap clean_up EXIT
	failures=0
	rm -f "$WORK/findings-$number"
	place_at "$WORK/p$number"
	for ((i = number + 1; i <= $#; i += lanes)); do
		chance_of "${!i}"
		"$function" "${!i}" >"$WORK/said-$number" 2>&1
		flock "$WORK" cat "$WORK/said-$number"
	done
	echo "$failures" >"$WORK/findings-$number"
	exit 0
}

# place_new KIND COMMIT
place_new() {
	rm -rf "$p"
	mkdir -p "$mnt" "$staging"
	: >"$manifest"
	store_new "$1" "$p"
	commit=$2
}

# driver_start NAME=VALUE...: false when it ended before the mount was usable.
# With a file $p/fault its rules hold.
# shellcheck disable=SC2120 # the tests pass some
driver_start() {
	mounted=("${below[@]}" "$mnt")
	drivers=()
	rm -f "$p/pid" "$p/status"
	driver_run "$@" 2>>"$p/driver.log" &
	keeper=$!
	driver_status=
	wait_until 5 test -s "$p/pid" || fail "no driver"
	driver=$(cat "$p/pid")
	drivers=()
	ends_here "$driver"
	wait_until 20 mounted_or_gone
	is_mounted "$mnt" && ! gone "$driver"
}

# driver_run NAME=VALUE...: a shell that tells of the death of a child does so
# here, in the log.
driver_run() {
	local source=$url
	[ ! -e "$p/fault" ] || source="$url?fault=$p/fault"

	env "$@" "${tracer[@]}" "$STOREFS" "$source" "$mnt" -f \
		-o "staging_dir=$staging,commit=$commit$words" >>"$p/driver.log" &
	echo $! >"$p/pid"
	wait $!
	echo $? >"$p/status"
}

mounted_or_gone() {
	is_mounted "$mnt" || gone "$driver"
}

# driver_end: waits for it, and sets driver_status.
driver_end() {
	[ -z "$driver_status" ] || return 0
	wait_until 30 gone "$driver" || {
		threads_of "$driver"
		fail "the driver does not end"
	}
	wait "$keeper"
	driver_status=$(cat "$p/status")
	drivers=()
}

# detach: the mount point is free again.
detach() {
	wait_until 10 detach_now || fail "$mnt cannot be unmounted"
}

detach_now() {
	not_mounted "$mnt" || umount "$mnt" 2>"$p/umount.err"
}

# stop: unmounts, which stores what is left, and waits.
stop() {
	detach
	driver_end
}

# wrong_here TEXT: a finding, with what tells of its cause.
wrong_here() {
	wrong "$point: $*"
	tail -n 15 "$p/driver.log"
	tail -n 6 "$manifest"
}

# work SEED [FILLERS]: the workload; false when the driver went away meanwhile. Any
# other failure is a finding.
work() {
	local status=0

	"$crash/workload" "$mnt" "$manifest" "$1" "$workers" "$operations" \
		"${2:-0}" >"$p/workload.out" 2>&1 || status=$?
	[ $status -ne 0 ] || return 0
	wait_until 2 gone "$driver" && return 1
	cat "$p/workload.out"
	wrong_here "the workload failed ($status) with a driver that lives"
	return 1
}

# check TREE [--power | --copies]: against the manifest.
check() {
	local status=0

	# shellcheck disable=SC2086
	"$crash/checker" ${2-} "$1" "$manifest" >"$p/check.out" 2>&1 ||
		status=$?
	[ $status -ne 0 ] || return 0
	grep -v ' at least ' "$p/check.out"
	return 1
}

# fetch DIR: what the store itself has, without any mount.
fetch() {
	rm -rf "$1"
	mkdir "$1"
	"$STORECTL" cp -r -p "$url!/" "$1" >"$p/fetch.out" 2>&1 || {
		cat "$p/fetch.out"
		wrong_here "the store cannot be read"
	}
}

# no_leftovers: nothing half-made in the store.
no_leftovers() {
	local left

	case $kind in
	local) left=$(find "$backing" -name '.storefs-tmp*') ;;
	sqlite) left=$(sqlite3 "$p/store.db" "$orphans" 2>&1) ;;
	# What a killed upload leaves is no object, and not to be seen;
	# what a killed put leaves is hidden until it is old enough to be swept.
	s3 | sftp) left= ;;
	*) left="who knows how to look into a store of kind $kind?" ;;
	esac
	[ -z "$left" ] || wrong_here "left in the store: $left"
}

# Rows of the SQLite store that belong to no name, and damage.
orphans="
	SELECT 'object', key FROM remote_store_objects WHERE key NOT IN
		(SELECT key FROM remote_store_objects_storefs_names);
	SELECT 'node', id FROM remote_store_objects_storefs_nodes
		WHERE id NOT IN
		(SELECT node FROM remote_store_objects_storefs_names);
	SELECT 'xattr', node FROM remote_store_objects_storefs_xattrs
		WHERE node NOT IN
		(SELECT id FROM remote_store_objects_storefs_nodes);
	SELECT integrity_check FROM pragma_integrity_check
		WHERE integrity_check <> 'ok'"

# only_unfinished: is what the staging directory still has promised to nobody,
# by its record or for want of one?
only_unfinished() {
	"$STORECTL" pending --offline --json --staging-dir "$staging" \
		>"$p/pending" 2>"$p/pending.err" || {
		cat "$p/pending.err"
		wrong_here "the staging directory cannot be listed"
	}
	! grep -vE '"state":"(unfinished|orphan)"' "$p/pending"
}

# recovered [--power]: mounts again, for good: what was acknowledged shows in
# the mount. When it has been unmounted, which stores what is left, the store
# alone has just what the mount showed: the staging directory is gone by then.
recovered() {
	rm -f "$p/fault"
	driver_start || {
		driver_end
		wrong_here "cannot be mounted again ($driver_status)"
		detach
		return
	}
	check "$mnt" "${1-}" || wrong_here "through the mount"
	"$crash/checker" --list "$mnt" >"$p/shown"
	stop
	[ "$driver_status" -eq 0 ] ||
		wrong_here "the driver ends with $driver_status"
	only_unfinished || wrong_here "left in the staging directory"
	rm -rf "$staging"
	fetch "$p/copy"
	"$crash/checker" --list "$p/copy" >"$p/stored"
	diff "$p/shown" "$p/stored" ||
		wrong_here "the store has something else than the mount showed"
	no_leftovers
}

# ---- scenes ----

# weather RULE...: of the store.
weather() {
	printf '%s\n' "$@" >"$p/fault"
}

# pending: a driver killed with much to recover, and the mount detached. With
# commit=background its uploads came to a halt, with close it died in one.
pending() {
	local rule='put-after die' worker
	[ "$commit" = close ] || rule='put stall=10m'

	weather "$rule after=$((RANDOM % 40))"
	driver_start || fail "no mount of $url"
	work "$seed" &
	worker=$!
	wait_until 5 quiet
	kill -KILL "$driver" 2>/dev/null
	wait "$worker"
	driver_end
	detach
	weather
}

# quiet: the workload ended, or waits for something.
quiet() {
	local before

	! gone "$driver" || return 0
	before=$(stat -c %s "$manifest")

	sleep 0.2
	[ "$(stat -c %s "$manifest")" -eq "$before" ]
}

# tear: behind the journal's last frame begins one that was not finished.
tear() {
	[ -e "$staging/journal" ] || return 0
	python3 - "$staging/journal" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    data = file.read()
		    at = 40
		    while data[at + 8:at + 12] in (b"FRAM", b"MARK"):
		        length = int.from_bytes(data[at + 12:at + 16], "little")
		        at += 40 + (length + 7) // 8 * 8
		    file.seek(at)
		    file.write(b"torn" * 30)
	END
}

# check_alive: what shows is right, as long as the driver lives.
check_alive() {
	check "$mnt" >"$p/alive.out" && return 0
	wait_until 2 gone "$driver" && return 0
	cat "$p/alive.out"
	wrong_here "while recovering"
}
