#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
# timeout-full: 14400
# sqlite3 moves money between accounts in a database inside the mount while it
# or the driver is killed. No account is wrong afterwards, and no transaction
# missing that was committed before. With an argument, "local close", only
# that store and mode.
# shellcheck source=tests/crash/kills.sh
. "$SRCDIR/tests/crash/kills.sh"


# The journal modes change from one start to the next; a small cache makes
# sqlite3 write before it commits.
work() {
	local modes=(delete wal truncate persist)

	exec sqlite3 -bail "$mnt/bank.db" < <(
		echo "PRAGMA journal_mode = ${modes[luck % 4]};"
		echo 'PRAGMA cache_size = 4;'
		# shellcheck disable=SC2154
		echo ".output $told/answers"
		yes "$(transfer)"
	)
}

# transfer: one transaction. Only the last few keep their filler.
transfer() {
	cat <<-END
	BEGIN IMMEDIATE;
	INSERT INTO transfer
		SELECT count(*) + 1, abs(random() % 50), abs(random() % 50),
			abs(random() % 1000), randomblob(abs(random() % 9000))
		FROM transfer;
	UPDATE account SET balance = balance -
		(SELECT amount FROM transfer ORDER BY n DESC LIMIT 1)
		WHERE id = (SELECT source FROM transfer ORDER BY n DESC LIMIT 1);
	UPDATE account SET balance = balance +
		(SELECT amount FROM transfer ORDER BY n DESC LIMIT 1)
		WHERE id = (SELECT target FROM transfer ORDER BY n DESC LIMIT 1);
	UPDATE transfer SET filler = '' WHERE n =
		(SELECT max(n) - 20 FROM transfer);
	COMMIT;
	SELECT writefile('$told/done.' || max(n), '') FROM transfer;
	END
}
export -f transfer

prepare() {
	sqlite3 "$mnt/bank.db" <<-END || fail "no database"
	CREATE TABLE account (id INTEGER PRIMARY KEY, balance INTEGER);
	CREATE TABLE transfer (n INTEGER PRIMARY KEY, source, target,
		amount INTEGER, filler BLOB);
	INSERT INTO account
		SELECT value, 1000 FROM generate_series(0, 49);
	END
}

tidy() {
	:
}

# listen: the last transaction that sqlite3 was told of.
listen() {
	committed=$(told_how_many)
	find "$told" -name 'done.*' ! -name "done.$committed" -delete
}

judge() {
	local integrity wrong_accounts gaps last

	listen
	sqlite3 "$1/bank.db" >"$WORK/answers" 2>&1 <<-END
	PRAGMA integrity_check;
	SELECT count(*) FROM account AS a WHERE balance IS NOT 1000
		- (SELECT total(amount) FROM transfer WHERE source = a.id)
		+ (SELECT total(amount) FROM transfer WHERE target = a.id);
	SELECT coalesce(max(n), 0) - count(*), coalesce(max(n), 0)
		FROM transfer;
	END
	{
		read -r integrity
		read -r wrong_accounts
		IFS='|' read -r gaps last
	} <"$WORK/answers"
	[ "$integrity $wrong_accounts $gaps" = "ok 0 0" ] ||
		wrong_here "$1: $(cat "$WORK/answers")"
	[ "${last:-0}" -ge "$committed" ] ||
		wrong_here "$1: $last transactions of $committed"
}

told_how_many() {
	local all

	all=$(find "$told" -name 'done.*' | sed 's/.*\.//' | sort -n)
	echo "$((${all##*$'\n'} + 0))"
}

kills_in_turn "$@"
