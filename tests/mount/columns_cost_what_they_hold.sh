#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# timeout-full: 600
# Who reads some columns of a table in a far store has at most 1.2 times their
# bytes fetched, with one thread and with several; a full run asks DuckDB, too.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/servers/fake_s3.sh
. "$SRCDIR/tests/servers/fake_s3.sh"
need_root
columns=$SRCDIR/tests/mount/columns.py
fake_s3_start "$WORK/s3" || fail "no server"
export AWS_ENDPOINT_URL=http://127.0.0.1:$fake_s3_port
s3_curl PUT "$AWS_ENDPOINT_URL/bucket" || fail "no bucket"
url=s3://bucket
mnt=$WORK/mnt

# fetches_little WHAT COMMAND...: after a new mount; how many bytes that needs
# stands in the file needed by then.
fetches_little() {
	local what=$1 needed got
	shift

	mount_store "$url" "$mnt" "$shared" || fail "no mount"
	"$@" || wrong "$what fails"
	got=$(status_of "$mnt" bytes_read)
	needed=$(cat needed)
	echo "$what: $needed bytes needed, $got fetched"
	if [ "$got" -lt "$needed" ] || [ $((got * 10)) -gt $((needed * 12)) ]; then
		wrong "$what: $got bytes fetched for $needed"
	fi
	unmount "$mnt"
}

read_column() {
	python3 "$columns" read "$mnt/table" "$@" >needed
}

python3 "$columns" make table || fail "no table"
"$STORECTL" cp table "$url!/table" || fail "the table is not stored"
for threads in 1 2; do
	fetches_little "a column, $threads threads" \
		read_column 1 "$threads"
done
# shellcheck source=tests/mount/duckdb.sh
[ "$full" = 0 ] || . "$SRCDIR/tests/mount/duckdb.sh"
finish
