#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes ./configure from a checkout. scripts/build calls it when needed.
set -eu
cd "$(dirname "$0")"
exec autoreconf --install --warnings=all,no-portability
