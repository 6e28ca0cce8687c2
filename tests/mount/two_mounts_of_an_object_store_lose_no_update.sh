#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
# Two mounts of one S3 bucket: no update that was acknowledged is overwritten by
# somebody who had not seen it: a sample, since a full run takes it in where the
# other stores are.
set -eu

export STORES=s3 ROUNDS=3
exec "${SRCDIR:?}/tests/mount/two_mounts_lose_no_update.sh"
