#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
# timeout-full: 3600
# What sqlite3 and editors do while they or the driver are killed, over an S3
# store: a sample, since a full run takes it in where the other stores are.
set -eu

"$SRCDIR/tests/crash/sqlite3_survives_kills.sh" "s3 background"
rm -rf "${WORK:?}"/*
"$SRCDIR/tests/crash/safe_saves_survive_kills.sh" "s3 close"
