#!/bin/bash
# SPDX-License-Identifier: MIT
# check names file and line of every mistake in the configuration and in fstab,
# and mounts nothing.
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

mkdir data 'mnt with blank' mnt
cat >good.ini <<END
[backends.disk]
type = local
root = $WORK/data
END
: >empty

expect 0 "$STORECTL" check --fstab empty good.ini
says out 'good.ini: ok'
expect 2 "$STORECTL" check --fstab empty missing.ini
expect 2 "$STORECTL" check --fstab missing good.ini

bad_config() {
	printf '%s\n' "$1" >bad.ini
	expect 5 "$STORECTL" check --fstab empty bad.ini
	says err "$2"
}
bad_config '[backends.x]
type = lokal' "bad.ini:2"
bad_config '[backends.x]
type = local
rot = /srv' "did you mean 'root'"
# shellcheck disable=SC2016
bad_config '[backends.x]
type = local
root = ${NO_SUCH_VARIABLE}' NO_SUCH_VARIABLE
bad_config '[stores.x]
backend = nowhere' nowhere
bad_config 'type = local' 'bad.ini:1'

cat >fstab <<END
# a comment with fuse.storefs in it
/dev/sda1 / ext4 defaults 0 1
disk $WORK/mnt fuse.storefs _netdev,nofail,config=$WORK/good.ini 0 0
disk $WORK/mnt\\040with\\040blank storefs nofail 0 0
END
expect 0 "$STORECTL" check --fstab fstab good.ini
says out "fstab:3: $WORK/mnt: ok"
says out "fstab:4: $WORK/mnt with blank: ok"
expect 0 "$STORECTL" check --json --fstab fstab good.ini
is "$(grep -c '"ok":true}$' out)" 3

bad_line() {
	printf '\n%s\n' "$1" >fstab
	expect 5 "$STORECTL" check --fstab fstab good.ini
	says err 'fstab:2: '
	says err "$2"
}
bad_line "disk $WORK/mnt fuse.storefs nofail,comit=close" commit
bad_line "dsk $WORK/mnt fuse.storefs" dsk
bad_line "disk mnt fuse.storefs" absolute
bad_line "disk $WORK/mnt fuse.storefs op_timeout=soon" op_timeout
bad_line "nosuch://x $WORK/mnt storefs" nosuch
grep -q "$WORK" /proc/self/mountinfo && fail "something was mounted"
exit 0
