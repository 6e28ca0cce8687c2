# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# DuckDB over a Parquet file in a mount; sourced by columns_cost_what_they_hold,
# which fetches it from the npm registry.
: "${WORK:?}" "${STORECTL:?}" "${url:?}" "${mnt:?}"
cd "$WORK" || exit 1
npm install --silent --no-audit --no-fund @duckdb/node-api >npm.log 2>&1 || {
	cat npm.log
	fail "DuckDB cannot be fetched"
}
cat >run.mjs <<'END'
import { DuckDBInstance } from '@duckdb/node-api';
const [, , threads, ...statements] = process.argv;
const instance = await DuckDBInstance.create(':memory:', { threads });
const connection = await instance.connect();
for (const statement of statements) {
	const result = await connection.runAndReadAll(statement);
	for (const row of result.getRowsJson())
		console.log(row.join(' '));
}
END

node run.mjs 2 "COPY (SELECT i AS id, random() AS price, md5(i::VARCHAR) AS
	digest, md5((i + 1)::VARCHAR) || md5((i + 2)::VARCHAR) AS text
	FROM range(3000000) t(i)) TO 'table.parquet'
	(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 500000)" >made ||
	fail "no Parquet file"
"$STORECTL" cp table.parquet "$url!/table.parquet" || fail "it is not stored"

# query THREADS STATEMENT: over the mount what it is over the local file.
query() {
	node run.mjs "$1" "${2//TABLE/"'$mnt/table.parquet'"}" >got &&
		node run.mjs "$1" "${2//TABLE/"'table.parquet'"}" >wanted &&
		same wanted got
}

for column in price digest text; do
	node run.mjs 1 "SELECT sum(total_compressed_size)
		FROM parquet_metadata('table.parquet')
		WHERE path_in_schema = '$column'" >needed
	for threads in 1 2; do
		fetches_little "DuckDB: $column, $threads threads" query \
			"$threads" "SELECT count(*), max(md5($column::VARCHAR))
			FROM TABLE"
	done
done
cd "$WORK" || exit 1
