#!/bin/bash
# SPDX-License-Identifier: MIT
# build: --enable-steps
# timeout: 240
# Large files on their way to S3 in parts while the driver dies, also at each
# step around a record of an upload, a request fails, or the file is removed,
# replaced or renamed: what the store has is not sent again, the object is
# what was written, and no upload is left behind. On a strict server and on a
# Ceph gateway, with a proxy before it that stalls requests and keeps a record
# of them.
# shellcheck source=tests/mount/lib.sh
. "$SRCDIR/tests/mount/lib.sh"
# shellcheck source=tests/servers/fake_s3.sh
. "$SRCDIR/tests/servers/fake_s3.sh"
# shellcheck source=tests/servers/proxy.sh
. "$SRCDIR/tests/servers/proxy.sh"
need_root

parts=9
RANDOM=$((seed % 32768))
echo "seed $seed"
mnt=$WORK/mnt
mkdir -p "$mnt"

# ---- the server ----

# server_start fake|rgw: sets bucket, its URL, and the options of a store that
# lead there through the proxy.
server_start() {
	local port

	server=$1
	if [ "$server" = fake ]; then
		fake_s3_start "$WORK/s3" || fail "no server"
		port=$fake_s3_port
		s3_curl PUT "http://127.0.0.1:$port/mount" || fail "no bucket"
	else
		s3_start
		port=${RGW_URL##*:}
		port=${port%%/*}
		unset AWS_ENDPOINT_URL
	fi
	proxy=$WORK/proxy-$server
	proxy_start "$proxy" http "$port" || fail "no proxy"
	bucket=http://127.0.0.1:$port/mount
	options=endpoint_url=http://127.0.0.1:$proxy_port
	options="$options&conditions=yes&single_max=5M&part_size=5M"
}

# uploads: unfinished ones in the bucket.
uploads() {
	s3_curl GET "$bucket?uploads=" | grep -o '<UploadId>' | wc -l
}

no_uploads() {
	[ "$(uploads)" = 0 ]
}

# parts_sent [STATUS [NAME]]: numbers of the parts that were sent, as a sorted
# list, or of those that were answered so; of all files, or of one.
parts_sent() {
	proxy "$proxy" requests verb=PUT "target=*${2+/$2[?]}*partNumber=*" |
		awk -v status="${1-}" 'status == "" || $3 == status {
			sub(/.*partNumber=/, "", $2)
			sub(/&.*/, "", $2)
			print $2
		}' | sort -n | tr '\n' ' '
}

parts_stored() {
	[ "$(parts_sent 200 | wc -w)" = "$1" ]
}

# All but one that does not get on.
others_stored() {
	parts_stored $((parts - 1))
}

# stall PART
stall() {
	proxy "$proxy" forget
	proxy "$proxy" fault stall-request verb=PUT \
		"target=*partNumber=$1&*" at=1000 count=0
}

# ---- the driver ----

answers() {
	gone "$driver" || [ "$(status_of "$mnt" pid)" = "$driver" ]
}

# driver_start COMMIT [NAME=VALUE...]
driver_start() {
	mounted=("$mnt")
	env "${@:2}" "$STOREFS" "s3://mount?$options" "$mnt" -f \
		-o "staging_dir=$WORK/staging,commit=$1,$shared" \
		>>"$WORK/driver.log" 2>&1 &
	driver=$!
	drivers=()
	ends_here "$driver"
	wait_until 20 answers || fail "no mount"
}

driver_kill() {
	kill -KILL "$driver"
	wait "$driver" 2>/dev/null
}

# driver_dies STEP: by itself, there; nobody else is to unmount it.
driver_dies() {
	wait_until 60 gone "$driver" || fail "$round: nobody dies"
	wait "$driver" 2>/dev/null
	is $? 137 "$round: how it ended"
	echo "$1" >>"$WORK/deaths-$server"
}

# stored FILE NAME: in the end the store has it, and no unfinished upload.
stored() {
	wait_until 60 settled "$mnt" || wrong "$round: does not settle"
	"$STORECTL" cat "s3://mount/$2?$options" >"$WORK/copy" || wrong "$round: no $2"
	cmp "$1" "$WORK/copy" || wrong "$round: $2 has other bytes"
	left_clean
}

left_clean() {
	wait_until 30 no_uploads || wrong "$round: an upload is left"
}

# ---- what happens ----

# The driver dies while a part is on its way.
dies_between_parts() {
	local part=$((RANDOM % parts + 1))

	round="$server: killed at part $part"
	driver_start background
	stall "$part"
	cp "$WORK/large" "$mnt/large" || wrong "$round: cp"
	wait_until 60 others_stored ||
		wrong "$round: stored $(parts_sent 200)"
	driver_kill
	proxy "$proxy" clear
	proxy "$proxy" forget
	driver_start background
	stored "$WORK/large" large
	is "$(parts_sent)" "$part " "$round: parts sent after it"
	is "$(proxy_count "$proxy" verb=POST 'target=*uploads*')" 0 \
		"$round: uploads begun after it"
	unmount "$mnt"
}

# It dies when all has been sent, and nobody heard that it is complete.
dies_without_an_answer() {
	round="$server: killed without the answer to the last request"
	driver_start background
	proxy "$proxy" forget
	proxy "$proxy" fault stall-answer verb=POST 'target=*uploadId=*' \
		count=0
	cp "$WORK/other" "$mnt/large" || wrong "$round: cp"
	wait_until 60 completed || wrong "$round: not completed"
	driver_kill
	proxy "$proxy" clear
	proxy "$proxy" forget
	driver_start background
	stored "$WORK/other" large
	is "$(parts_sent)" "" "$round: parts sent after it"
	unmount "$mnt"
}

completed() {
	[ "$(proxy_count "$proxy" verb=POST 'target=*uploadId=*')" != 0 ] &&
		no_uploads
}

# It dies without having heard what its upload is called.
dies_at_the_beginning() {
	round="$server: killed without the name of the upload"
	driver_start background
	proxy "$proxy" forget
	proxy "$proxy" fault stall-answer verb=POST 'target=*uploads*' count=0
	cp "$WORK/large" "$mnt/new" || wrong "$round: cp"
	wait_until 30 some_uploads || wrong "$round: none is begun"
	driver_kill
	proxy "$proxy" clear
	driver_start background
	stored "$WORK/large" new
	unmount "$mnt"
}

some_uploads() {
	! no_uploads
}

# What was never acknowledged is nobody's.
dies_before_the_close() {
	local program

	round="$server: killed before close() returned"
	driver_start close
	stall 6
	cp "$WORK/large" "$mnt/unfinished" 2>/dev/null &
	program=$!
	wait_until 60 others_stored || wrong "$round: $(parts_sent 200)"
	driver_kill
	wait "$program"
	proxy "$proxy" clear
	driver_start close
	left_clean
	[ ! -e "$mnt/unfinished" ] || wrong "$round: it is there"
	unmount "$mnt"
}

# Refused requests end an attempt, not the upload.
goes_on_after_a_failure() {
	round="$server: a part is refused for a while"
	driver_start background
	proxy "$proxy" forget
	proxy "$proxy" fault answer verb=PUT 'target=*partNumber=6&*' \
		status=503 count=0
	cp "$WORK/large" "$mnt/refused" || wrong "$round: cp"
	wait_until 60 failed_once || wrong "$round: does not fail"
	proxy "$proxy" clear
	stored "$WORK/large" refused
	is "$(parts_sent 200)" "$(seq -s ' ' "$parts") " "$round: parts stored"
	unmount "$mnt"
}

failed_once() {
	grep -q "publish failed" "$WORK/driver.log"
}

# Who removes, replaces or renames the file removes its upload.
goes_with_its_file() {
	round="$server: removed on its way"
	driver_start background
	stall 2
	cp "$WORK/large" "$mnt/removed" || wrong "$round: cp"
	wait_until 60 others_stored || wrong "$round: $(parts_sent 200)"
	rm "$mnt/removed" || wrong "$round: rm"
	left_clean

	round="$server: replaced on its way"
	cp "$WORK/large" "$mnt/replaced" || wrong "$round: cp"
	wait_until 60 some_uploads || wrong "$round: none is begun"
	cp "$WORK/other" "$mnt/aside" || wrong "$round: cp aside"
	mv "$mnt/aside" "$mnt/replaced" || wrong "$round: mv"
	proxy "$proxy" clear
	stored "$WORK/other" replaced

	round="$server: renamed on its way"
	stall 2
	cp "$WORK/large" "$mnt/here" || wrong "$round: cp"
	wait_until 60 others_stored || wrong "$round: $(parts_sent 200)"
	mv "$mnt/here" "$mnt/there" || wrong "$round: mv"
	proxy "$proxy" clear
	stored "$WORK/large" there
	is "$(parts_sent 200 there)" "$(seq -s ' ' "$parts") " "$round: its parts"
	[ "$(proxy_count "$proxy" verb=DELETE 'target=*/here[?]*uploadId=*')" != 0 ] ||
		wrong "$round: the upload of the old name was not removed"
	[ ! -e "$mnt/here" ] || wrong "$round: the old name is there"
	! "$STORECTL" stat "s3://mount/here?$options" >"$WORK/out" 2>&1 ||
		wrong "$round: the store has the old name"
	unmount "$mnt"
}

# The store refuses to remove it, and then the driver dies.
is_removed_later() {
	round="$server: removed by the next run"
	driver_start background
	stall 2
	cp "$WORK/large" "$mnt/gone" || wrong "$round: cp"
	wait_until 60 others_stored || wrong "$round: $(parts_sent 200)"
	proxy "$proxy" fault answer verb=DELETE 'target=*uploadId=*' \
		status=503 count=0
	rm "$mnt/gone" || wrong "$round: rm"
	sync "$mnt"
	driver_kill
	is "$(uploads)" 1 "$round: uploads before"
	proxy "$proxy" clear
	driver_start background
	left_clean
	[ ! -e "$mnt/gone" ] || wrong "$round: it is there"
	unmount "$mnt"
}

# ---- deaths at steps ----

# The step, and how many uploads the store has then.
puts=('intent noted 0' 'begun 1' 'noted 1' 'ended by its put 0')
removals=('before removal 1' 'removed 0' 'removal noted 0')

# dies_at STEP UPLOADS: on the way into the store.
dies_at() {
	local name=${1// /-}

	round="$server: dies at '$1'"
	driver_start background STOREFS_DIE_AT="upload: $1:1"
	# Nobody is told of a close by a driver that has died.
	"$STORECTL" pause "$mnt" >"$WORK/out" 2>&1 || wrong "$round: no pause"
	cp "$WORK/other" "$mnt/$name" || wrong "$round: cp"
	"$STORECTL" resume "$mnt" >"$WORK/out" 2>&1
	driver_dies "$1"
	is "$(uploads)" "$2" "$round: uploads then"
	driver_start background
	stored "$WORK/other" "$name"
	unmount "$mnt"
}

# dies_removing STEP UPLOADS: when the file has gone.
dies_removing() {
	local name=${1// /-}

	round="$server: dies at '$1'"
	driver_start background STOREFS_DIE_AT="upload: $1:1"
	stall 2
	cp "$WORK/other" "$mnt/$name" || wrong "$round: cp"
	wait_until 60 parts_stored 2 || wrong "$round: $(parts_sent 200)"
	# It may die before it answers.
	rm "$mnt/$name" 2>"$WORK/out"
	driver_dies "$1"
	is "$(uploads)" "$2" "$round: uploads then"
	proxy "$proxy" clear
	driver_start background
	left_clean
	[ ! -e "$mnt/$name" ] || wrong "$round: it is there"
	unmount "$mnt"
}

dies_at_each_step() {
	local each

	for each in "${puts[@]}"; do
		dies_at "${each% *}" "${each##* }"
	done
	for each in "${removals[@]}"; do
		dies_removing "${each% *}" "${each##* }"
	done
}

# no_step_forgotten: every step of an upload in the sources had its death, on
# each server.
no_step_forgotten() {
	local name

	while read -r name; do
		for server in fake rgw; do
			grep -qx "$name" "$WORK/deaths-$server" ||
				wrong "$server: nobody died at 'upload: $name'"
		done
	done < <(grep -rhoE 'STEP(_WANTED)?\("upload: [^"]*"' "$SRCDIR/mount" \
		"$SRCDIR/src" "$SRCDIR/backends" --include='*.c' |
		cut -d'"' -f2 | sed 's/^upload: //' | sort -u)
}

head -c $(((parts - 1) * 5242880 + 12345)) /dev/urandom >"$WORK/large"
head -c $((2 * 5242880 + 7)) /dev/urandom >"$WORK/other"
for each in fake rgw; do
	server_start "$each"
	rm -rf "$WORK/staging"
	: >"$WORK/driver.log"
	dies_between_parts
	dies_without_an_answer
	dies_at_the_beginning
	dies_before_the_close
	goes_on_after_a_failure
	goes_with_its_file
	is_removed_later
	dies_at_each_step
done
no_step_forgotten
finish
