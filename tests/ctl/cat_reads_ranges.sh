#!/bin/bash
# SPDX-License-Identifier: MIT
# F6: --offset and --length give exactly that range, also across the end.
# sanitizers: address
# shellcheck source=tests/ctl/lib.sh
. "$SRCDIR/tests/ctl/lib.sh"

seq 1 300000 >data
size=$(stat -c %s data)

ranges() {
	local store=$1 range offset length

	expect 0 "$STORECTL" cp data "${store}data"
	for range in '0 1' '0 0' "$((size - 8)) 8" "$((size - 8)) 100" \
		"$size 1" "$((size + 9)) 1" '1048570 20' '12345 1500000'; do
		offset=${range% *}
		length=${range#* }
		expect 0 "$STORECTL" cat -o "$offset" -n "$length" \
			"${store}data"
		tail -c "+$((offset + 1))" data | head -c "$length" >want
		same out want
	done
	expect 0 "$STORECTL" cat --offset 1M "${store}data"
	tail -c +1048577 data >want
	same out want
}

each_store ranges
