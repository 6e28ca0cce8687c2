#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stands for programs that read columns of tables.

columns.py make FILE: writes groups of two columns.  Pieces of a column have
similar lengths and begin with the digest of their rest.
columns.py read FILE COLUMN THREADS: reads one column as such programs do: the end
of the file first; then of each piece a few bytes, and the others, by several
threads through one descriptor.  Prints how many bytes that were.
"""

import concurrent.futures
import hashlib
import os
import random
import sys

GROUPS, COLUMNS, PIECE, HEAD = 16, 2, 3 << 20, 32


def pieces():
    """Offset and length of each, the same every time."""
    chance = random.Random(7)
    at = 4
    for group in range(GROUPS):
        for column in range(COLUMNS):
            length = PIECE + chance.randrange(PIECE // 50)
            yield group, column, at, length
            at += length


def make(path):
    with open(path, "wb") as file:
        for _, _, at, length in pieces():
            body = os.urandom(length - HEAD)
            file.seek(at)
            file.write(hashlib.sha256(body).digest() + body)


def read_piece(fd, at, length):
    digest = os.pread(fd, HEAD, at)
    body = os.pread(fd, length - HEAD, at + HEAD)
    if hashlib.sha256(body).digest() != digest:
        sys.exit("the bytes at %d are others" % at)
    return length


def read(path, column, threads):
    fd = os.open(path, os.O_RDONLY)
    os.pread(fd, 8, os.fstat(fd).st_size - 8)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        parts = [pool.submit(read_piece, fd, at, length)
                 for _, each, at, length in pieces() if each == column]
        print(sum(part.result() for part in parts))


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    read(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
