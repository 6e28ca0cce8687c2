# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# Ways to write a file in which more than one process or more than one close
# takes part; sourced. Each case replaces $file, which holds "old content",
# and leaves exactly "first second" in it; $kind names the store.
: "${fileop:?}"

case_group() {
	{
		sh -c 'printf "first "'
		sh -c 'printf second'
	} >"$file"
}

case_group_of_builtins() {
	{
		printf 'first '
		printf second
	} >"$file"
}

case_echo() {
	printf 'first second' >"$file"
}

case_redirected_program() {
	sh -c 'printf "first second"' >"$file"
}

case_pipeline() {
	printf 'first second' | tr a a >"$file"
}

case_dd() {
	printf 'first second' | dd of="$file" 2>/dev/null
}

case_dd_in_small_blocks() {
	printf 'first second' | dd of="$file" bs=1 2>/dev/null
}

case_exec_loop() {
	# shellcheck disable=SC2016
	sh -c 'exec 3>"$1"
	for word in "first " second; do
		printf "%s" "$word" >&3
	done' sh "$file"
}

case_exec_loop_of_programs() {
	# shellcheck disable=SC2016
	sh -c 'exec 3>"$1"
	for word in "first " second; do
		/usr/bin/printf "%s" "$word" >&3
	done' sh "$file"
}

case_popen() {
	/usr/bin/python3 - "$file" <<-'END'
	import subprocess, sys
	out = open(sys.argv[1], "w")
	one = subprocess.Popen(["printf", "first "], stdout=out)
	one.wait()
	two = subprocess.Popen(["printf", "second"], stdout=out)
	two.wait()
	out.close()
	END
}

# The opener closes its own descriptor at once, as most programs do.
case_popen_and_close() {
	/usr/bin/python3 - "$file" <<-'END'
	import subprocess, sys
	out = open(sys.argv[1], "w")
	child = subprocess.Popen(
	    ["sh", "-c", "printf 'first '; printf second"], stdout=out)
	out.close()
	sys.exit(child.wait())
	END
}

# execve() closes, with the new program's /proc entry locked meanwhile.
case_closed_by_exec() {
	/usr/bin/python3 - "$file" <<-'END'
	import os, sys
	fd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
	os.write(fd, b"first second")
	begin, go = os.pipe()
	child = os.fork()
	if not child:
	    os.read(begin, 1)
	    os.execv("/bin/true", ["true"])
	os.close(fd)
	os.write(go, b".")
	sys.exit(os.waitpid(child, 0)[1])
	END
}

# The opener writes and exits; its child goes on when it is gone.
case_daemon() {
	local pid

	rm -f "$WORK/pid" "$WORK/go"
	# shellcheck disable=SC2016
	sh -c 'exec 3>"$1"
	printf "first " >&3
	sh -c "\"\$2\" await \"\$3/go\" && printf second >&3" \
		sh "$1" "$2" "$3" &
	echo $! >"$3/pid"' sh "$file" "$fileop" "$WORK"
	pid=$(cat "$WORK/pid")
	touch "$WORK/go"
	wait_until 10 gone "$pid"
}

case_passed_descriptor() {
	"$BUILDDIR/tests/mount/pass_fd" "$file" 'first second'
}

case_map_after_close() {
	"$fileop" open rw "$file" map 11 close \
		poke 0 'first secon' msync unmap
	# The mapping cannot grow the file.
	"$fileop" open wa "$file" write d close
}

case_two_threads_of_one_process() {
	/usr/bin/python3 - "$file" <<-'END'
	import os, sys, threading
	fd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
	os.write(fd, b"first ")
	other = threading.Thread(target=lambda: os.write(fd, b"second"))
	other.start()
	other.join()
	closer = threading.Thread(target=lambda: os.close(fd))
	closer.start()
	closer.join()
	END
}

case_duplicate() {
	/usr/bin/python3 - "$file" <<-'END'
	import os, sys
	fd = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
	copy = os.dup(fd)
	os.write(fd, b"first ")
	os.close(fd)
	os.write(copy, b"second")
	os.close(copy)
	END
}

# Two programs share the descriptor and the first one ends earlier.
case_pipeline_of_two_writers() {
	(
		sh -c 'printf "first "'
		exec sh -c 'printf second'
	) >"$file"
}

all_cases=$(compgen -A function case_)

# watch_start FILE ALLOWED...: look at a file in the store all the time.
watch_start() {
	rm -f "$WORK/watching"
	"$BUILDDIR/tests/mount/watcher" "$WORK/watching" "$@" \
		>"$WORK/watched" &
	watcher=$!
	wait_until 10 test -e "$WORK/watching" || fail "the watcher is idle"
}

watch_end() {
	kill -TERM "$watcher"
	wait "$watcher" && return 0
	cat "$WORK/watched"
	wrong "$1: a moment of another content"
}
