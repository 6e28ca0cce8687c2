#!/bin/bash
# SPDX-License-Identifier: MIT
# The checker accepts what a plain directory holds after the workload, and
# every state that a crash may leave; it finds each kind of deviation.
set -u

crash=$BUILDDIR/tests/crash
cd "$WORK" || exit 1
failures=0

# judge STATUS TEXT [--power | --copies]: of tree and manifest.
judge() {
	local status=0

	# shellcheck disable=SC2086
	"$crash/checker" ${3-} tree manifest >out 2>&1 || status=$?
	[ $status -eq "$1" ] && return 0
	printf 'WRONG: %s: %s instead of %s\n' "$2" $status "$1"
	cat out
	failures=$((failures + 1))
}

accepts() {
	judge 0 "$@"
}

rejects() {
	judge 1 "$@"
}

# told LINE...: the manifest.
told() {
	printf '%s\n' "$@" >manifest
}

# holds NAME CONTENT...: the tree, and nothing else.
holds() {
	rm -rf tree
	mkdir tree
	while [ $# -gt 0 ]; do
		printf '%s' "$2" >"tree/$1"
		shift 2
	done
}

one='f 644 3 1a08aa1921ca5caf -' # "one"
two='f 644 3 5714d319447c9709 -' # "two"

real() {
	mkdir tree
	rm -f manifest
	"$crash/workload" tree manifest 5 3 100 || failures=1
	accepts "after the workload"
	accepts "after the workload, and a power cut" --power
	"$crash/checker" --list tree >list
	[ "$(wc -l <list)" -eq "$(find tree -mindepth 1 | wc -l)" ] || {
		echo "WRONG: the list is not all of the tree"
		failures=1
	}
}

# spoilt WHAT COMMAND...: the tree of `real`, changed by the command.
spoilt() {
	local what=$1
	shift
	rm -rf keep
	cp -a tree keep
	"$@"
	rejects "$what"
	rm -rf tree
	mv keep tree
}

some() {
	find tree -mindepth 1 "$@" | sort | sed -n 2p
}

flip() {
	python3 - "$1" <<-'END'
		import sys
		with open(sys.argv[1], "r+b") as file:
		    data = bytearray(file.read())
		    data[len(data) // 2] ^= 1
		    file.seek(0)
		    file.write(data)
	END
}

deviations() {
	local file
	file=$(some -type f -size +0)

	spoilt "a flipped bit" flip "$file"
	spoilt "a file cut short" truncate -s -1 "$file"
	spoilt "a longer file" truncate -s +1 "$file"
	spoilt "a file that is gone" rm "$file"
	spoilt "a wrong mode" chmod 611 "$file"
	spoilt "a folder that is gone" mv "$(some -type d)" .
	rm -rf ./*-d*
	spoilt "another link" ln -sfn elsewhere "$(some -type l)"
	spoilt "a file instead of a link" cp --remove-destination "$file" \
		"$(some -type l)"
	spoilt "a name too many" touch tree/a-extra
	spoilt "a name nobody has" touch tree/extra
	spoilt "a temporary" touch tree/.storefs-tmp.0123456789abcdef
}

crashes() {
	told "a 1 put a-f $one" "a 1 durable 1" "a 2 put a-f $two"
	holds a-f one
	accepts "the old content of what was in flight"
	holds a-f two
	accepts "the new content of what was in flight"
	holds a-f one a-g one
	rejects "a name too many beside it"
	holds a-f onetwo
	rejects "a mixture"
	holds
	rejects "neither"

	told "a 1 put a-f $one" "a 1 durable 1" "a 2 put a-f $two" \
		"a 2 durable 2"
	holds a-f one
	rejects "the old content of what was acknowledged"
	rejects "the same after a power cut" --power

	told "a 1 put a-f $one" "a 1 durable 1" "a 2 move a-f a-g" \
		"a 2 done 2" "a 3 put a-h $two"
	holds a-f one
	rejects "a move that is undone"
	accepts "a move that is undone by a power cut" --power
	holds a-g one
	accepts "a move that is done"
	holds a-g one a-h two
	accepts "the operation behind it"
	holds a-f one a-h two
	rejects "the operation behind a move that is undone" --power
	holds a-f one a-g one
	rejects "both names" --power
	holds
	rejects "neither name" --power
}

copies() {
	told "a 1 put a-f $one" "a 1 durable 1" "a 2 put a-g $two" \
		"a 2 durable 2" "a 3 move a-f a-g"
	holds a-f one a-g one
	rejects "both names"
	accepts "both names while it is copied" --copies
	holds a-f one a-g two
	accepts "nothing copied yet" --copies
	holds a-g two
	rejects "what is gone before it was copied" --copies
	holds
	rejects "neither name of what is copied" --copies
	told "a 1 put a-f $one" "a 1 durable 1" "a 2 move a-f a-g" "a 2 done 2"
	holds a-f one a-g one
	rejects "both names when it was acknowledged" --copies
	told "a 1 put a-d d 755 0 0 -" "a 1 done 1" "a 2 put a-d/f $one" \
		"a 2 durable 2" "a 3 put a-d/g $two" "a 3 durable 3" \
		"a 4 move a-d a-e"
	holds
	mkdir tree/a-d tree/a-e
	printf one >tree/a-d/f
	printf one >tree/a-e/f
	printf two >tree/a-d/g
	accepts "half a folder" --copies
	rejects "half a folder where it moves at once"
	rm tree/a-d/f
	accepts "a folder that has all of it in one of both" --copies
	rm tree/a-d/g
	rejects "a folder with a file in none of both" --copies
}

barriers() {
	told "a 1 put a-f $one" "a 1 durable 1" "a 2 gone a-f" "a 2 done 2" \
		"b 1 put b-f $one" "b 1 durable 3"
	holds a-f one b-f one
	rejects "what somebody's later fsync made durable" --power
	told "a 1 put a-f $one" "a 1 durable 1" "b 1 put b-f $one" \
		"a 2 gone a-f" "a 2 done 2" "b 1 durable 3"
	accepts "what an fsync need not have seen" --power
	told "a 1 put a-f $one" "a 1 durable 1" "a 2 gone a-f" "a 2 done 2" \
		"- 0 cut 1900"
	holds a-f one
	accepts "a name changed less than 2 s ago" --power
	told "a 1 put a-f $one" "a 1 durable 1" "a 2 gone a-f" "a 2 done 2" \
		"- 0 cut 2100"
	rejects "a name changed more than 2 s ago" --power
	told "a 1 put a-f $one" "a 1 durable 1" "- 0 cut 1" \
		"a 2 put a-f $two" "a 2 durable 2"
	accepts "what was before the power went" --power
	holds a-f two
	accepts "what was acknowledged as it went" --power
	holds
	rejects "the loss of what was before" --power
	told "a 1 put a-f $one" "a 1 durable 1" "a 2 move a-f a-g" "a 2 done 2" \
		"- 0 cut 3" "a 3 put a-h $two" "a 3 durable 4" \
		"a 4 put a-i $two" "a 4 durable 5"
	holds a-g one a-i two
	accepts "a gap in what was acknowledged as it went" --power
	holds a-f one a-i two
	rejects "a gap in what was before" --power
	told "a 1 put a-f $one" "a 1 durable 1" "- 0 cut 1" \
		"a 2 put a-f $two" "a 2 failed 5"
	holds a-f ''
	accepts "half of what it was told of that it failed" --power
	told "a 1 put a-f $one" "a 1 durable 1" "- 0 cut 1" \
		"a 2 put a-f $two" "a 2 failed 107"
	rejects "half of what nobody told of" --power
}

real
deviations
crashes
copies
barriers
told "nonsense"
judge 2 "a manifest that is none"
[ "$failures" -eq 0 ]
