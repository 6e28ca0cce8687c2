# SPDX-License-Identifier: MIT
# Saves documents as editors other than vim do, one way after the other; run
# by safe_saves_survive_kills.sh. What was saved is noted in $told.
import os
import random

serial = int(os.environ["number"]) * 100000
dice = random.Random(int(os.environ["luck"]))


def content():
    lines = dice.randint(1, 3000)
    return b"".join(
        [b"begin %d %d\n" % (serial, lines)]
        + [b"line %d\n" % serial] * lines
        + [b"end %d\n" % serial]
    )


def write(name, flags):
    file = os.open(name, os.O_WRONLY | flags, 0o644)
    data = content()
    while data:
        data = data[os.write(file, data[: dice.randint(1, 65536)]) :]
    os.fsync(file)
    os.close(file)


def write_new(name):
    write(name, os.O_CREAT | os.O_EXCL)


def remove(name):
    if os.path.lexists(name):
        os.unlink(name)


def sync_folder():
    folder = os.open(".", os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def replace(way):
    write_new(way + ".new")
    os.rename(way + ".new", way)


def replace_sync(way):
    replace(way)
    sync_folder()


def link_backup(way):
    write_new(way + ".new")
    remove(way + "~")
    os.link(way, way + "~")
    os.rename(way + ".new", way)


def rename_backup(way):
    write_new(way + ".new")
    os.rename(way, way + "~")
    os.rename(way + ".new", way)


def emacs(way):
    try:
        os.symlink("somebody@somewhere", ".#" + way)
    except PermissionError:
        open(".#" + way, "x").close()
    os.rename(way, way + "~")
    write_new(way)
    os.unlink(".#" + way)


while True:
    for way in os.environ["other_ways"].split():
        serial += 1
        globals()[way.replace("-", "_")](way)
        with open(os.path.join(os.environ["told"], way), "ab", 0) as told:
            told.write(b"%d\n" % serial)
