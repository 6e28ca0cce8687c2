#!/bin/bash
# SPDX-License-Identifier: MIT
# build: --enable-steps
# timeout: 180
# A trace of the driver's system calls shows that bytes and names are durable
# before a record tells of them, records before something is acknowledged or
# removed, and what is found at a mount before it is acted upon. A disk seldom
# loses a name that was not flushed, so no power cut would show it. Without
# each of the flushes the trace shows that it is missing.
# shellcheck source=tests/crash/lib.sh
. "$SRCDIR/tests/crash/lib.sh"
need_root
calls=openat,write,pwrite64,pwritev,writev,ftruncate,fallocate
calls=$calls,fsync,fdatasync,rename,renameat,renameat2,unlinkat

# Each flush, the scene that comes to it, and the rule it is there for.
flushes=(
	"work|commit: flush data|a record names bytes that are durable"
	"work|commit: flush names|a record names a file whose name is durable"
	"work|commit: flush move|commit: moving: the thread's frames are durable"
	"work|journal: flush|acknowledged: the thread's frames are durable"
	"work|journal: flush|no record that may come back needs what is removed"
	"work|journal: flush new file|a file is durable before it gets its name"
	"work|journal: flush directory|a journal that is written to has a name"
	"recovery|journal: flush found|what was found is durable"
	"torn|journal: flush quarantine|a file is durable before it gets its name"
	"torn|journal: flush quarantine name|the name of what is kept is durable"
	"torn|journal: flush wiped end|the wiped end is durable"
	"copies|copies: flush copying|copies: copying: the thread's frames are durable"
	"copies|copies: flush copied|copies: copied: the thread's frames are durable"
	"copies|copies: flush settled|copies: settled: the thread's frames are durable"
)

# traced SCENE NAME=VALUE...: leaves the trace of a driver that was killed.
traced() {
	place_new local background
	weather

	case $1 in
	recovery) pending ;;
	torn) pending && tear ;;
	copies) weather 'without ATOMIC_MOVE MOVE_FOLDER MOVE EXCHANGE' ;;
	esac
	tracer=(strace -f -y -qq -s 40 -e signal=none -e trace="$calls"
		-o "$p/trace")
	driver_start STOREFS_STEP_LOG="$p/steps" "${@:2}" ||
		fail "no mount of $url"
	wait_until 10 traced_pid || fail "no status"
	[ "$1" != work ] || work "$seed"
	[ "$1" != copies ] || rename_a_folder || wrong_here "no rename"
	wait_settled "$mnt"
	# What was never acknowledged stays after a recovery.
	[ "$1" != work ] || wait_until 10 nothing_staged ||
		wrong_here "staged data stays"
	kill -KILL "$pid"
	driver_end
	detach
	tracer=()
}

# rename_a_folder: with a stored file in it.
rename_a_folder() {
	mkdir "$mnt/old" && echo stored >"$mnt/old/file" && sync "$mnt" &&
		mv "$mnt/old" "$mnt/new"
}

# nothing_staged: what was stored has been removed, too.
nothing_staged() {
	! compgen -G "$staging/data-*" >/dev/null
}

# traced_pid: of the driver itself, which may be mounted before it answers.
traced_pid() {
	pid=$(status_of "$mnt" pid)
	[ -n "$pid" ]
}
pid=

judged() {
	python3 "$SRCDIR/tests/crash/flush_rules.py" "$p/trace" "$p/steps" \
		"$staging" >"$p/rules"
}

named() {
	grep -rhoE 'STEP_WANTED\("[^"]*"' "$SRCDIR/mount" "$SRCDIR/src" \
		"$SRCDIR/backends" --include='*.c' | cut -d'"' -f2 | sort -u
}

echo "seed $seed"
for scene in work recovery torn copies; do
	point=$scene
	traced "$scene"
	judged || wrong_here "a flush is missing"
	cat "$p/rules"
done
for line in "${flushes[@]}"; do
	IFS='|' read -r scene step rule <<<"$line"
	point="$scene without '$step'"
	traced "$scene" STOREFS_SKIP="$step"
	judged
	grep -q "^WRONG: .*$rule" "$p/rules" ||
		wrong_here "not found: $rule"
done
while read -r step; do
	printf '%s\n' "${flushes[@]}" | grep -qF "|$step|" ||
		wrong "nobody looks for '$step'"
done < <(named)
finish
