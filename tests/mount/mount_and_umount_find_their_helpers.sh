#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# After make install, mount(8) mounts stores by type and by lines of fstab,
# with its own flags and its generic words, and umount(8) waits until what
# programs closed is stored, but not for ever.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root

# mount(8) looks for its helpers in /sbin only. The script starts again in a
# mount namespace of its own, where /sbin is a copy: nothing to be taken away.
if [ -z "${OWN_SBIN-}" ]; then
	make --no-print-directory -s -C "$BUILDDIR" install \
		DESTDIR="$WORK/root" >install.log 2>&1 || {
		cat install.log
		fail "make install"
	}
	storefs=$(find "$WORK/root" -name storefs -type f -perm -100)
	cp -a /sbin/. "$WORK/sbin"
	for helper in mount.storefs mount.fuse.storefs umount.fuse.storefs; do
		[ -L "$WORK/root/sbin/$helper" ] || fail "no $helper"
		ln -sf "$storefs" "$WORK/sbin/$helper"
	done
	# shellcheck disable=SC2016
	OWN_SBIN=1 exec unshare --mount "$SRCDIR/tests/own-mounts" '' sh -c \
		'mount --bind "$WORK/sbin" /sbin && exec "$@"' sh "$0" "$@"
fi

weather() {
	printf '%s\n' "$@" >"$WORK/fault.new"
	mv "$WORK/fault.new" "$WORK/fault"
}

store_new local
echo there >"$backing/file"
mnt=$WORK/mnt
mkdir "$mnt"
mounted+=("$mnt")
staging=staging_dir=$WORK/st

# check_mount: it is a mount of ours, and works.
check_mount() {
	is_mounted "$mnt" || {
		wrong "$1: not mounted"
		return
	}
	driver=$(status_of "$mnt" pid)
	ends_here "$driver"
	is "$(cat "$mnt/file")" there "$1"
	is "$(findmnt -n -o FSTYPE "$mnt")" fuse.storefs "$1: the type"
	is "$(findmnt -n -o SOURCE "$mnt")" "$url" "$1: the source"
}

# leave WHAT: by a plain umount, which ends the driver.
leave() {
	expect 0 umount "$mnt"
	not_mounted "$mnt" || wrong "$1: still mounted"
	wait_until 10 gone "$driver" || wrong "$1: the driver does not end"
}

for type in fuse.storefs storefs; do
	note "mount -t $type"
	expect 0 mount -t $type "$url" "$mnt" -o "$staging"
	check_mount "-t $type"
	leave "-t $type"
	expect 32 mount -t $type "file://$WORK/none" "$mnt" \
		-o "staging_dir=$WORK/st-3"
	says err "$WORK/none"
	expect 1 mount -t $type "$url" "$mnt" -o "$staging,alow_other"
	says err allow_other
done

note "lines of fstab"
generic=_netdev,nofail,noauto,user,x-systemd.automount,comment=a
{
	echo "# a comment"
	echo "$url $mnt fuse.storefs $generic,$staging,allow_other 0 0"
} >fstab.1
echo "$url	$mnt	storefs	ro,noatime,$staging	0 0" >fstab.2
echo "$url $mnt fuse.storefs defaults,$staging 0 0" >fstab.3
for fstab in fstab.1 fstab.2 fstab.3; do
	expect 0 mount -T "$WORK/$fstab" "$mnt"
	check_mount $fstab
	case $fstab in
	fstab.1)
		findmnt -n -o OPTIONS "$mnt" | grep -q allow_other ||
			wrong "allow_other got lost"
		;;
	fstab.2)
		is "$(touch "$mnt/new" 2>&1 | sed 's/.*: //')" \
			"Read-only file system" "ro"
		findmnt -n -o OPTIONS "$mnt" | grep -q noatime ||
			wrong "noatime got lost"
		;;
	esac
	leave $fstab
done
expect 0 mount -a -T "$WORK/fstab.3"
check_mount "mount -a"
expect 0 mount -a -T "$WORK/fstab.3"
is "$(grep -c " $mnt " /proc/self/mountinfo)" 1 "mounts after mount -a twice"
leave "mount -a"

note "the flags of mount(8)"
expect 0 mount -f -t storefs "$url" "$mnt" -o "$staging"
not_mounted "$mnt" || wrong "mount -f mounts"
expect 0 mount.storefs "$url" "$mnt" -f -o "$staging"
not_mounted "$mnt" || wrong "mount.storefs -f mounts"
expect 32 mount.storefs "$url" "$WORK/none" -f -o "$staging"
expect 0 mount.storefs "$url" "$mnt" -n -v -s -o "$staging" -t storefs
is "$(cat out)" "mount.storefs: $url mounted on $mnt." "-v"
check_mount "-n -v -s -t"
leave "-n -v -s -t"
expect 0 mount.storefs "$url?fault=$WORK/fault" "$mnt" -f -v -o "$staging"
is "$(cat out)" "mount.storefs: $url can be mounted on $mnt." "-f -v"
expect 0 mount -n -v -s -t storefs "$url" "$mnt" -o "$staging"
says out "$url mounted on $mnt."
check_mount "mount -n -v -s"
expect 0 umount -v "$mnt"
says out "$mnt: waiting for what is not stored yet."
says out "$mnt unmounted."
wait_until 10 gone "$driver" || wrong "umount -v: the driver does not end"
expect 0 mount -t storefs "$url" "$mnt" -o "$staging"
is "$(cat out)" "" "without -v"
check_mount "without -v"
leave "without -v"
expect 0 mount -r -t storefs "$url" "$mnt" -o "$staging"
check_mount "mount -r"
touch "$mnt/new" 2>/dev/null && wrong "mount -r can be written"
leave "mount -r"

note "another mount namespace"
unshare --mount sleep 1000 &
other=$!
ends_here "$other"
elsewhere() {
	[ "$(readlink "/proc/$other/ns/mnt")" != \
		"$(readlink /proc/self/ns/mnt)" ]
}
wait_until 5 elsewhere || fail "no other namespace"
expect 0 mount.storefs "$url" "$mnt" -N "/proc/$other/ns/mnt" -o "$staging"
if is_mounted "$mnt"; then
	wrong "-N mounts here"
	check_mount -N
	leave -N
elif [ "$(nsenter --mount="/proc/$other/ns/mnt" cat "$mnt/file")" = there ]; then
	nsenter --mount="/proc/$other/ns/mnt" umount "$mnt"
else
	wrong "-N does not mount there"
fi
kill "$other"
wait_until 5 gone "$other"

note "umount drains"
# slow_mount DRAIN_TIMEOUT: with a file that could not be stored yet.
slow_mount() {
	weather
	expect 0 mount -t storefs "$url?fault=$WORK/fault" "$mnt" \
		-o "staging_dir=$WORK/st-2,drain_timeout=$1"
	driver=$(status_of "$mnt" pid)
	ends_here "$driver"
	weather 'put error=UNAVAILABLE'
	"$fileop" open wct "$mnt/late" write "$1" try close >/dev/null
	[ "$(cat "$backing/late" 2>/dev/null)" != "$1" ] ||
		wrong "stored in spite of the fault"
}
# The helper by itself, and as umount(8) calls it.
for command in umount.fuse.storefs umount; do
	rm -f "$backing/late"
	slow_mount 20
	# The store works again while umount waits already.
	{
		wait_until 1 false
		weather
	} &
	expect 0 "$command" "$mnt"
	is "$(cat "$backing/late" 2>/dev/null)" 20 "after $command"
	wait $!
	not_mounted "$mnt" || wrong "$command leaves it mounted"
	wait_until 10 gone "$driver" || wrong "the driver does not end"
done

note "umount does not wait for ever"
for command in umount.fuse.storefs umount; do
	slow_mount 3
	begun=$(milliseconds)
	expect 0 "$command" "$mnt"
	took=$(($(milliseconds) - begun))
	echo "$command with drain_timeout=3: $took ms"
	{ [ "$took" -ge 2500 ] && [ "$took" -le 10000 ]; } ||
		wrong "$command took $took ms"
	says out "in the staging directory $WORK/st-2"
	not_mounted "$mnt" || wrong "still mounted"
	wait_until 20 gone "$driver" || wrong "the driver does not end"
	rm -rf "$WORK/st-2"
done
weather
slow_mount 60
begun=$(milliseconds)
expect 0 umount -l "$mnt"
[ $(($(milliseconds) - begun)) -lt 1000 ] || wrong "umount -l waits"
kill -TERM "$driver"
wait_until 2 gone "$driver"
kill -TERM "$driver" 2>/dev/null
wait_until 10 gone "$driver" || wrong "the driver stays after umount -l"
finish
