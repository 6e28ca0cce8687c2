#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 60
# Without staging_dir= a staging directory is found by source and mount point,
# also when the mount point has gone meanwhile, and by its own user only.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
need_root
user_may_mount "$@"
chmod 755 "$WORK"
mnt=$user_home/mnt
url=file://$user_home/store
printf 'put error=UNAVAILABLE\n' >"$user_home/fault"
as_user mkdir "$mnt" "$user_home/store"
mounted+=("$mnt")

# found COMMAND [OPERAND...]: by source and mount point.
found() {
	local command=$1
	shift

	as_user "$STORECTL" "$command" --source "$url" "$mnt" "$@"
}

as_user "$STOREFS" "$url?fault=$user_home/fault" "$mnt" \
	-o commit=background,staging_volatile || fail "no mount"
driver=$(as_user "$STORECTL" status --json "$mnt" |
	sed -n 's/.*"pid":\([0-9]*\).*/\1/p')
ends_here "$driver"
as_user sh -c "printf kept >'$mnt/file'"
expect 19 found pending
kill -KILL "$driver"
wait_until 10 gone "$driver" || fail "the driver lives"
# A dead mount is no mount.
expect 0 found pending
says out ' file'
as_user fusermount3 -u "$mnt"
expect 0 found pending
says out ' file'
rmdir "$mnt"
expect 0 found export file -
is "$(cat out)" kept exported
expect 2 as_user "$STORECTL" pending --source "$url" "$user_home/other"
for staging in "$user_home"/.local/state/storefs/*; do
	expect 4 "$STORECTL" pending --staging-dir "$staging"
done
expect 0 found drain
is "$(cat "$user_home/store/file")" kept stored
finish
