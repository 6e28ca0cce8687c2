#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# The driver returns to the shell when the mount can be used, and else says
# why: 1 for a wrong command line, 32 for a mount that failed (M11).
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
store_new local
echo there >"$backing/file"
mnt=$WORK/mnt
mkdir -p "$mnt"
staging=staging_dir=$WORK/st

# refused STATUS TEXT ARGUMENT...: with the reason on stderr, and no mount.
refused() {
	local status=$1 text=$2
	shift 2

	expect "$status" "$STOREFS" "$@"
	says "$WORK/err" "$text"
	not_mounted "$mnt" || {
		wrong "mounted all the same: $*"
		umount -l "$mnt"
	}
}

note "ready at once"
for _ in 1 2 3 4 5 6 7 8 9 10; do
	mount_store "$url" "$mnt" || fail "no mount"
	is "$(cat "$mnt/file")" there "the first read"
	umount "$mnt"
	wait_until 10 gone "$driver"
done

note "nothing of the caller is held"
"$STOREFS" "$url" "$mnt" -o "$staging" | cat
mounted+=("$mnt")
driver=$(status_of "$mnt" pid)
ends_here "$driver"
is "$(readlink "/proc/$driver/cwd")" / "its working directory"
is "$(awk '{ print $6 }' "/proc/$driver/stat")" "$driver" "its session"
unmount "$mnt"

note "command lines"
refused 1 "a source and a mount point" "$url"
refused 1 "a source and a mount point" "$url" "$mnt" extra
refused 1 "unknown option" "$url" "$mnt" --nonsense
refused 1 "op_timeout" "$url" "$mnt" -o op_timout=3
refused 1 "allow_other" "$url" "$mnt" -o alow_other
refused 1 "umask" "$url" "$mnt" -o umask=999
refused 1 "attr_timeout" "$url" "$mnt" -o attr_timeout=soon
refused 1 "commit" "$url" "$mnt" -o commit=never
refused 1 "needs a value" "$url" "$mnt" -o uid
refused 32 "file" "fiel://$backing" "$mnt"
expect 0 "$STOREFS" --help
says "$WORK/out" op_timeout
expect 0 "$STOREFS" --version
refused 1 "conflict" "$url" "$mnt" -o conflict=sometimes
refused 1 "fail|rename|overwrite" "$url" "$mnt" -o conflict=sometimes

note "mounts that fail"
refused 32 "$WORK/missing" "$url" "$WORK/missing"
refused 32 "not a directory" "$url" "$backing/file"
refused 32 "$WORK/none" "file://$WORK/none" "$mnt"
refused 32 "relative" "sqlite:///x.db" "$mnt"
echo "no database" >"$WORK/not.db"
refused 32 "not.db" "sqlite:///$WORK/not.db" "$mnt"
refused 32 "nosuchstore" nosuchstore "$mnt"
refused 32 "mnt" "file://$mnt" "$mnt" -o "$staging"
mkdir -p "$mnt/below"
refused 32 "source" "file://$mnt/below" "$mnt" -o "$staging"
refused 32 "source" "file://$WORK" "$mnt" -o "$staging"
refused 32 "staging directory" "$url" "$mnt" -o "staging_dir=$mnt/below"
rmdir "$mnt/below"

note "words of mount(8) and fstab"
expect 0 "$STOREFS" "$url" "$mnt" -o "$staging,_netdev,nofail,noauto,user" \
	-o 'x-systemd.automount,x-gvfs-show,comment=a b,defaults,relatime' \
	-o rw,users,nosuid,nodev,noatime,default_permissions
mounted+=("$mnt")
ends_here "$(status_of "$mnt" pid)"
grep -q " $mnt .*nosuid,nodev.*noatime" /proc/self/mountinfo ||
	wrong "nosuid, nodev or noatime got lost"
grep -q "fuse.storefs" /proc/self/mountinfo || wrong "not of our type"

note "a live mount and its staging directory"
expect 32 "$STOREFS" "$url" "$mnt" -o "staging_dir=$WORK/st-2"
says "$WORK/err" "mounted there already"
mkdir "$WORK/mnt-2"
expect 32 "$STOREFS" "$url" "$WORK/mnt-2" -o "$staging"
says "$WORK/err" "$WORK/st"
not_mounted "$WORK/mnt-2" || wrong "two mounts with one staging directory"
unmount "$mnt"
expect 32 "$STOREFS" "$url" "$WORK/mnt-2" -o "$staging"
says "$WORK/err" "another mount"

note "over its own dead mount"
mount_store "$url" "$mnt" || fail "no mount"
kill -KILL "$driver"
wait_until 10 gone "$driver"
ls "$mnt" 2>/dev/null && wrong "a mount without a driver answers"
expect 0 "$STOREFS" "$url" "$mnt" -o "staging_dir=$(staging_of "$mnt")"
ends_here "$(status_of "$mnt" pid)"
is "$(cat "$mnt/file")" there "after the death of a driver"
is "$(grep -c " $mnt " /proc/self/mountinfo)" 1 "mounts on one another"
unmount "$mnt"

note "names with spaces, commas and quotes"
mkdir "$WORK/a, b\"c'd" "$WORK/store, 2"
mnt="$WORK/a, b\"c'd"
expect 0 "$STOREFS" "file://$WORK/store, 2" "$mnt" \
	-o "staging_dir=$WORK/s\\,t 3"
mounted+=("$mnt")
ends_here "$(status_of "$mnt" pid)"
echo x >"$mnt/f,"
is "$(cat "$WORK/store, 2/f,")" x "an odd mount"
test -e "$WORK/s,t 3/lock" || wrong "the staging directory is elsewhere"
umount "$mnt" || wrong "umount of an odd name"
finish
