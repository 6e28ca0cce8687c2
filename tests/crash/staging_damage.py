# SPDX-License-Identifier: MIT
# Damages files of a staging directory, and tells what it may cost; run by
# damage_costs_what_it_hits.sh:
#
#	staging_damage.py end JOURNAL		bytes in use
#	staging_damage.py flip FILE AT LENGTH	every bit of these
#	staging_damage.py cut FILE AT		no more than that
#	staging_damage.py hit JOURNAL AT LENGTH NAME...
#						names in frames that are there
#	staging_damage.py has FILE AT LENGTH COPY
#						is that part of COPY?
import sys

HEADER = 40  # of the journal, and of a frame


def load(name):
    with open(name, "rb") as file:
        return file.read()


def frames(data):
    """Offset, length and payload of each; see mount/journal.h."""
    at = HEADER
    while data[at + 8 : at + 12] != bytes(4):
        length = int.from_bytes(data[at + 12 : at + 16], "little")
        whole = HEADER + (length + 7) // 8 * 8
        yield at, whole, data[at + HEADER : at + HEADER + length]
        at += whole


def end(name):
    return max(at + length for at, length, _ in frames(load(name)))


def flip(name, at, length):
    with open(name, "r+b") as file:
        file.seek(at)
        flipped = bytes(byte ^ 0xFF for byte in file.read(length))
        file.seek(at)
        file.write(flipped)


def cut(name, at):
    with open(name, "r+b") as file:
        file.truncate(at)


def hit(name, at, length, names):
    found = set()
    for start, size, payload in frames(load(name)):
        if start < at + length and at < start + size:
            found |= {one for one in names if one.encode() in payload}
    return " ".join(sorted(found))


def has(name, at, length, copy):
    sys.exit(load(name)[at : at + length] not in load(copy))


def main(command, name, *rest):
    if command == "end":
        print(end(name))
    elif command == "flip":
        flip(name, int(rest[0]), int(rest[1]))
    elif command == "cut":
        cut(name, int(rest[0]))
    elif command == "hit":
        print(hit(name, int(rest[0]), int(rest[1]), rest[2:]))
    elif command == "has":
        has(name, int(rest[0]), int(rest[1]), rest[2])
    else:
        sys.exit("no such command: " + command)


main(*sys.argv[1:])
