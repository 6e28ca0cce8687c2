#!/bin/bash
# SPDX-License-Identifier: MIT
# E3: config shows what is in effect and where it came from, secrets never.
# Stores are found by name, with a suggestion for a slip.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

mkdir data
cat >conf.ini <<END
[backends.disk]
type = "local"
options = { root = "$WORK/\${FOLDER:-data}" }
retry = { max_attempts = 7 }
[stores.reports]
backend = disk
root_path = 2024/reports
[mounts.reports]
op_timeout = 10s
END

expect 0 "$STORECTL" -c conf.ini config
says out "root = $WORK/data	# conf.ini:3"
says out 'retry_max_attempts = 7	# conf.ini:4'
says out 'sync = data	# default'
says out 'op_timeout = 10s	# conf.ini:9'
expect 0 "$STORECTL" --json -c conf.ini config stores.reports
is "$(wc -l <out)" 2
says out '"section":"stores.reports","key":"root_path"'
says out '"value":"2024/reports","source":"conf.ini:7"}'

echo x >f
STOREFS_CONFIG=$WORK/conf.ini expect 0 "$STORECTL" cp f reports:a/f
same f data/2024/reports/a/f
mkdir -p home/.config/storefs
cp conf.ini home/.config/storefs/storefs.ini
expect 0 "$STORECTL" cat disk:2024/reports/a/f
expect 0 "$STORECTL" resolve --json reports:a//f
says out "\"native\":\"$WORK/data/2024/reports/a/f\""
expect 2 "$STORECTL" ls repots:
says err "did you mean 'reports'"
FOLDER=elsewhere expect 0 "$STORECTL" config backends.disk
says out "root = $WORK/elsewhere"

# A secret is refused where others can see it, and shown nowhere.
for operand in 'sftp://me:hunter2@host/x' 'file://me:hunter2@localhost/x' \
	's3://b/k?secret=hunter2' 'sqlite:///x.db?password=hunter2'; do
	"$STORECTL" ls "$operand" >out 2>&1 && fail "$operand was accepted"
	silent out hunter2
	"$STORECTL" --json ls "$operand" >out 2>&1
	silent out hunter2
done
