#!/bin/sh
# SPDX-License-Identifier: MIT
# timeout: 180
# The exercisers of this folder find nothing wrong with a local file system,
# and find what is spoiled on purpose. Without both, what they say of a mount
# would mean nothing.
set -eu

bin=$BUILDDIR/tests/posix
dir=$(mktemp -d "${TMPDIR:-/tmp}/judge.XXXXXX")
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
failures=0

fresh() {
	rm -rf "$dir/work" "$dir/model"
	mkdir "$dir/work" "$dir/model"
}

# accepts NAME COMMAND...: it must succeed.
accepts() {
	what=$1
	shift
	if ! "$@" >"$dir/out" 2>&1; then
		echo "$what finds fault with a local file system:"
		tail -n 40 "$dir/out"
		failures=1
	fi
}

# rejects NAME COMMAND...: it must fail, and not for want of arguments.
rejects() {
	what=$1
	shift
	code=0
	"$@" >"$dir/out" 2>&1 || code=$?
	if [ $code -ne 1 ]; then
		echo "$what is not found (exit code $code):"
		tail -n 5 "$dir/out"
		failures=1
	fi
}

seed=${SEED:-1}
echo "seed $seed"
fresh
accepts posix_suite "$bin/posix_suite" "$dir/work"

# Writes that end early must not go unnoticed.
# shellcheck disable=SC2317
short_files() {
	(
		ulimit -f 64
		exec "$bin/posix_suite" "$dir/work" write
	)
}
rejects "a limit on writes" short_files

# shellcheck disable=SC2317
random() {
	fresh
	"$bin/random_ops" --mount "$dir/work" --model "$dir/model" \
		--seed "$seed" "$@"
}

accepts random_ops random --ops 10000 --remount true
for kind in content mode name xattr size mtime link; do
	rejects "a spoiled $kind" random --ops 3000 --tamper "$kind"
done
rejects "a remount that fails" random --ops 1000 --remount false

fresh
accepts fsx "$bin/fsx" --seed "$seed" --ops 10000 --handles 3 "$dir/work/f"
rejects "a spoiled byte" "$bin/fsx" --seed "$seed" --spoil "$dir/work/f"

accepts racers "$bin/racers" create "$dir/work"
accepts openers "$bin/racers" open "$dir/work"
accepts "a poller" "$bin/racers" poll "$dir/work"
rejects "a torn file" "$bin/racers" poll --torn "$dir/work"
accepts stress "$bin/stress" --seed "$seed" "$dir/work"
accepts bigdir "$bin/bigdir" --files 20000 "$dir/work"
exit $failures
