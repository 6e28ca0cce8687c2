# SPDX-License-Identifier: MIT
"""flush_rules: did each step wait for what had to be durable before it?

    flush_rules.py TRACE STEPS STAGING

TRACE is what `strace -f -y` saw of a driver, STEPS the log of named steps it
wrote meanwhile, STAGING its staging directory, left as it was when the driver
was killed: what the journal's frames say is read from there.

A disk may keep what was never flushed, and most do with names. So this looks
at no disk: a write or a name counts as durable when an fsync or fdatasync
that began behind it came back. The rules are those of doc/journal.md.

Exit status: 0 all rules held, 1 not, 2 trouble.
"""
import os
import re
import sys

CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
RESULT = re.compile(r"^(.*)\) += (-?\d+)(?:<([^>]*)>)?.*$")
FD_PATH = re.compile(r"^(?:\d+|AT_FDCWD)<([^>]*)>")
WRITES = ("write", "pwrite64", "pwritev", "pwritev2", "writev", "ftruncate",
          "fallocate")
FLUSHES = ("fsync", "fdatasync")
LAYER, FILE, DONE = 1, 2, 3
UNFINISHED = 1
HEADER, FRAME_HEADER = 40, 40


class Call:
    """One system call, from one line of the trace to another."""

    def __init__(self, thread, name, start):
        self.thread, self.name, self.start = thread, name, start
        self.end, self.arguments, self.result = None, "", None
        self.path = ""

    def finish(self, text, end):
        match = RESULT.match(text)
        if not match:
            return
        self.arguments, self.end = match.group(1), end
        self.result = int(match.group(2))
        path = FD_PATH.match(self.arguments)
        self.path = path.group(1) if path else ""
        if self.name == "openat" and match.group(3):
            self.path = match.group(3)

    def texts(self):
        return re.findall(r'"((?:[^"\\]|\\.)*)"', self.arguments)


def read_calls(path):
    calls, open_calls = [], {}
    with open(path, errors="replace") as trace:
        for number, line in enumerate(trace, 1):
            line = line.rstrip("\n")
            match = RESUMED.match(line)
            if match:
                call, text = open_calls.pop(match.group(1), (None, ""))
                if call:
                    call.finish(text + match.group(3), number)
                continue
            match = CALL.match(line)
            if not match:
                continue
            call = Call(match.group(1), match.group(2), number)
            calls.append(call)
            text = match.group(3)
            if text.endswith("<unfinished ...>"):
                text = text[:-len("<unfinished ...>")]
                open_calls[call.thread] = (call, text)
            else:
                call.finish(text, number)
    return [call for call in calls if call.end]


# ---- the journal ----

class Reader:
    """Integers and texts of a record, one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, size):
        self.at += size
        return int.from_bytes(self.data[self.at - size:self.at], "little")

    def skip(self, size):
        self.at += size

    def text(self):
        length = self.number(4)
        self.skip(length)


class Frame:
    """`stored`: layers in data files; `files`: the layers of each id;
    `promises`: it tells of more than bytes that nobody has acknowledged."""

    def __init__(self, payload, sequence, durable):
        self.sequence, self.durable = sequence, durable
        self.stored, self.files, self.done = [], {}, []
        self.promises = False
        at = 0
        while at < len(payload):
            kind = int.from_bytes(payload[at:at + 2], "little")
            length = int.from_bytes(payload[at + 4:at + 8], "little")
            self.take(kind, Reader(payload[at + 8:at + 8 + length]))
            at += 8 + length

    def take(self, kind, body):
        self.promises |= kind not in (LAYER, FILE)
        if kind == LAYER:
            body.skip(8)
            number = body.number(8)
            body.skip(32)
            if not body.number(4) & 1:
                self.stored.append(number)
        elif kind == FILE:
            self.take_file(body)
        elif kind == DONE:
            self.done.append(body.number(8))

    def take_file(self, body):
        number = body.number(8)
        body.skip(24)
        self.promises |= body.number(4) != UNFINISHED
        body.skip(4)
        flags = body.number(4)
        body.skip(16)
        body.text()
        mask = body.number(4)
        for bit, size in ((1, 4), (2, 4), (4, 4), (8, 12), (16, 12)):
            if mask & bit:
                body.skip(size)
        body.text()
        if flags & 16:
            body.text()
        for _ in range(body.number(4)):
            body.text()
            body.text()
        self.files[number] = [body.number(8) for _ in range(body.number(4))]


def read_frames(path):
    """Of the journal as it was left: offset -> Frame; marks promise nothing."""
    with open(path, "rb") as file:
        data = file.read()
    frames, at = {}, HEADER
    while data[at + 8:at + 12] in (b"FRAM", b"MARK"):
        def number(offset, size):
            return int.from_bytes(data[at + offset:at + offset + size],
                                  "little")
        length = number(12, 4)
        payload = data[at + FRAME_HEADER:at + FRAME_HEADER + length]
        if data[at + 8:at + 12] == b"FRAM":
            frames[at] = Frame(payload, number(24, 8), number(32, 8))
        at += FRAME_HEADER + (length + 7) // 8 * 8
    return frames


# ---- the rules ----

class Disk:
    """What is durable of the staging directory, as the trace goes on."""

    def __init__(self, staging, frames):
        self.staging, self.frames = staging, frames
        self.written = {}    # path -> line at which its last write ended
        self.flushed = {}    # path -> line at which a good flush began
        self.named = {}      # name -> line at which it was given
        self.found = []      # frames of the journal that were there before
        self.appended = []   # (line, Frame) of those behind them
        self.last = {}       # thread -> line of its last append that counts
        self.checked = {}    # rule -> how often it was looked at
        self.wrong = {}      # rule -> lines at which it was broken

    def is_flushed(self, path):
        return self.flushed.get(path, 0) >= self.written.get(path, 0)

    def is_named(self, path):
        return self.flushed.get(self.staging, 0) >= self.named.get(path, 0)

    def must(self, good, line, rule):
        self.checked[rule] = self.checked.get(rule, 0) + 1
        if not good:
            self.wrong.setdefault(rule, []).append(line)

    def journal(self):
        return self.staging + "/journal"

    def durable_count(self):
        limit = self.flushed.get(self.journal(), 0)
        return sum(1 for line, _ in self.appended if line <= limit)

    # A call begins.

    def before_append(self, call, frame):
        self.must(self.is_named(self.journal()), call.start,
                  "a journal that is written to has a name that is durable")
        for number in frame.stored:
            data = "%s/data-%d" % (self.staging, number)
            self.must(self.is_flushed(data), call.start,
                      "a record names bytes that are durable")
            self.must(self.is_named(data), call.start,
                      "a record names a file whose name is durable")
        limit = self.flushed.get(self.journal(), 0)
        late = [each for line, each in self.appended
                if line > limit and each.sequence <= frame.durable]
        self.must(not late, call.start,
                  "a frame calls durable what is durable")

    def before_unlink(self, call, name):
        number = int(name[len("data-"):])
        stacks = {}
        durable = len(self.found) + self.durable_count()
        stored = needed = False
        for position, frame in enumerate(
                self.found + [frame for _, frame in self.appended], 1):
            stored |= number in frame.stored
            stacks.update(frame.files)
            for each in frame.done:
                stacks.pop(each, None)
            if position >= durable:
                needed |= any(number in each for each in stacks.values())
        self.must(not (stored and needed), call.start,
                  "no record that may come back needs what is removed")

    def before_rename(self, call, old, new):
        if re.fullmatch(r"data-\d+", old):
            self.before_unlink(call, old)
        if new == "journal" or new.startswith("journal.bad-"):
            self.must(self.is_flushed(self.staging + "/" + old), call.start,
                      "a file is durable before it gets its name")

    # A named step is reached.

    def step(self, name, call):
        mine = self.last.get(call.thread, 0)
        if name in ("commit: acknowledged", "commit: moving",
                    "copies: copying", "copies: copied", "copies: settled"):
            self.must(self.flushed.get(self.journal(), 0) >= mine, call.start,
                      name + ": the thread's frames are durable")
        elif name == "recovery: names":
            self.must(self.journal() in self.flushed, call.start,
                      name + ": what was found is durable")
        elif name == "journal: end wiped":
            bad = [each for each in self.named
                   if "/journal.bad-" in each and not self.is_named(each)]
            self.must(not bad, call.start,
                      name + ": the name of what is kept is durable")
        elif name == "journal: mended":
            self.must(self.is_flushed(self.journal()), call.start,
                      name + ": the wiped end is durable")

    # A call has ended.

    def ended(self, call):
        if call.result < 0:
            return
        if call.name in FLUSHES:
            self.flushed[call.path] = max(call.start,
                                          self.flushed.get(call.path, 0))
        elif call.name in WRITES:
            self.written[call.path] = call.end
        elif call.name == "openat" and "O_CREAT" in call.arguments:
            self.named.setdefault(call.path, call.end)
        elif call.name.startswith("rename"):
            self.renamed(call)

    def renamed(self, call):
        old, new = (self.staging + "/" + each for each in call.texts()[-2:])
        self.named[new] = call.end
        for table in (self.written, self.flushed):
            table[new] = table.pop(old, 0)


def install_line(calls, disk):
    """The line from which on the journal is the one that was left."""
    lines = [call.end for call in calls if call.name.startswith("rename") and
             call.result == 0 and call.texts()[-1:] == ["journal"] and
             call.path == disk.staging]
    return max(lines, default=0)


def appends(calls, disk):
    """Call -> the frame it appends to the journal that was left."""
    from_line = install_line(calls, disk)
    found = dict(disk.frames)
    appended = {}
    for call in calls:
        if call.name == "pwrite64" and call.path == disk.journal() and \
                call.start > from_line:
            offset = int(call.arguments.rsplit(",", 1)[1])
            if offset in found:
                appended[call] = found.pop(offset)
    disk.found = list(found.values())
    return appended


def begins(disk, call):
    """What is asked of a call that begins."""
    if call.path != disk.staging:
        return
    if call.name == "unlinkat":
        name = call.texts()[0]
        if re.fullmatch(r"data-\d+", name):
            disk.before_unlink(call, name)
    elif call.name.startswith("rename"):
        disk.before_rename(call, *call.texts()[-2:])


def replay(calls, disk, steps):
    moments = sorted([(call.start, 0, call) for call in calls] +
                     [(call.end, 1, call) for call in calls],
                     key=lambda moment: moment[:2])
    frames = appends(calls, disk)
    for _, is_end, call in moments:
        if call.path == steps:
            if not is_end and call.name == "write":
                disk.step(call.texts()[0][:-len("\\n")], call)
        elif not call.path.startswith(disk.staging):
            continue
        elif not is_end:
            if call in frames:
                disk.before_append(call, frames[call])
            begins(disk, call)
        else:
            disk.ended(call)
            if call in frames:
                disk.appended.append((call.end, frames[call]))
                if frames[call].promises:
                    disk.last[call.thread] = call.end


def main():
    if len(sys.argv) != 4:
        sys.stderr.write(__doc__)
        return 2
    trace, steps, staging = sys.argv[1:]
    disk = Disk(staging, read_frames(os.path.join(staging, "journal")))
    replay(read_calls(trace), disk, steps)
    for rule, count in sorted(disk.checked.items()):
        print("%6d %s" % (count, rule))
    for rule, lines in sorted(disk.wrong.items()):
        print("WRONG: %s: %d times, first in line %d" %
              (rule, len(lines), lines[0]))
    return 1 if disk.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
