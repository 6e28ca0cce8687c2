#!/bin/bash
# SPDX-License-Identifier: MIT
# build: --enable-steps
# timeout: 240
# timeout-full: 3600
# What sqlite3 and editors do while they or the driver are killed, and deaths of
# the driver at some calls and moments, over an S3 store: a sample, since a full
# run takes it in where the other stores are.
set -eu

RANDOM=$((${SEED:-1} % 32768))
tests=${SRCDIR:?}/tests/crash
"$tests/sqlite3_survives_kills.sh" "s3 background"
rm -rf "${WORK:?}"/*
"$tests/safe_saves_survive_kills.sh" "s3 close"
rm -rf "${WORK:?}"/*
exec "$tests/every_death_is_survived.sh" \
	"s3 close work call any die after=$((RANDOM % 20))" \
	"s3 close work call put die after=$((RANDOM % 6))" \
	"s3 close recovery call any die after=$((RANDOM % 8))" \
	"s3 background work call any-after die after=$((RANDOM % 20))" \
	"s3 background slow moment $((RANDOM % 250))" \
	"s3 background recovery moment $((RANDOM % 120))"
