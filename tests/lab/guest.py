# SPDX-License-Identifier: BSD-3-Clause
"""Boots a guest, follows its report, and turns the tests' TAP into one TAP stream.

The kernel's console goes into a file; the second serial line carries the report that `init` writes.
Both are kept in the run's folder.
"""

import os
import re
import select
import signal
import subprocess
import time

# What a kernel says only when something went wrong.
COMPLAINT = re.compile(r"oom-kill:|Out of memory|[Kk]illed process|BUG:|WARNING:|Oops|double fault|"
                       r"general protection|Kernel panic|segfault at|traps: |blocked for more than")
OOM = re.compile(r"oom-kill:|Out of memory|[Kk]illed process")
RESULT = re.compile(r"(not )?ok\b\s*\d*\s*(?:- )?\s*([^#]*?)\s*(?:# *(SKIP)\b\s*(.*))?", re.I)
# A test that provokes the OOM killer on purpose says so in a comment.
EXPECTS_OOM = "# lab: an OOM kill is expected"

BOOT_LIMIT = 60  # seconds; booting takes 4 to 8


def qemu_command(qemu, topology, kernel, archive, memory_words=()):
    """The command but for the serial lines. Without cmpxchg16b: 6.12 under emulation faults with it."""
    return [qemu, "-accel", "tcg,thread=multi", "-cpu", "max,-cx16", "-display", "none", "-no-reboot",
            "-nodefaults", "-monitor", "none", "-kernel", kernel, "-initrd", archive, "-append",
            " ".join(["console=ttyS0", "rdinit=/init", "panic=-1", "loglevel=4", *topology.kernel,
                      *memory_words]), *topology.qemu()]


class Tap:
    """Writes one TAP stream from many; knows whether all went well."""

    def __init__(self, out):
        self.out = out
        self.count = 0
        self.failed = 0

    def say(self, text):
        print(text, file=self.out, flush=True)

    def comment(self, text):
        for line in text.splitlines():
            self.say("# " + line.removeprefix("#").removeprefix(" "))

    def result(self, ok, name, directive=""):
        self.count += 1
        self.failed += not ok
        self.say(f"{'ok' if ok else 'not ok'} {self.count} - {name}{directive and ' ' + directive}")

    def plan(self):
        self.say(f"1..{self.count}")


class TestReport:
    """One test's part of the report."""

    def __init__(self, tap, name):
        self.tap = tap
        self.name = name
        self.planned = None
        self.seen = 0
        self.failed = 0
        self.expects_oom = False
        self.reason = ""
        self.complaints = []

    def line(self, text):
        plan = re.fullmatch(r"1\.\.(\d+)(.*)", text)
        result = RESULT.fullmatch(text)
        if plan:
            self.planned = int(plan[1])
            if self.planned == 0:
                self.tap.result(True, self.name, plan[2].strip() or "# SKIP")
        elif result:
            self.result(bool(result[1]), result[2], result[3], result[4])
        elif text.startswith("lab: skip: "):
            self.reason = text.removeprefix("lab: skip: ")
        elif text.strip():
            self.expects_oom |= text.strip() == EXPECTS_OOM
            self.tap.comment(text)

    def result(self, failed, name, directive, rest):
        """A result line; cmocka reports a skipped case as `not ok 1 # SKIP name'."""
        self.seen += 1
        if directive and directive.upper() == "SKIP":
            name, why = (name, rest) if name else (rest, self.reason)
            self.tap.result(True, f"{self.name}: {name}", f"# SKIP {why}")
        else:
            self.failed += failed
            self.tap.result(not failed, f"{self.name}: {name or 'case'}")
        self.reason = ""

    def kernel(self, text):
        if COMPLAINT.search(text):
            self.complaints.append(text)

    def end(self, status):
        unexpected = [line for line in self.complaints
                      if not (self.expects_oom and OOM.search(line))]
        self.tap.result(not unexpected, f"{self.name}: the kernel has nothing to complain of")
        self.tap.comment("\n".join(unexpected))
        if self.planned is None:
            self.tap.result(False, f"{self.name}: says how many cases it has")
        elif self.planned and self.planned != self.seen:
            self.tap.result(False, f"{self.name}: runs all of its {self.planned} cases")
            self.tap.comment(f"it ran {self.seen}")
        if status != "0" and not self.failed:
            self.tap.result(False, f"{self.name}: ends well")
            self.tap.comment(f"it ended with status {status}")


class Guest:
    """One boot. The report's raw text is kept in FOLDER/report, the kernel's console in FOLDER/console."""

    def __init__(self, command, folder, time_limit):
        self.folder = folder
        self.deadline = time.monotonic() + time_limit
        self.time_limit = time_limit
        self.began = False
        console = os.path.join(folder, "console")
        open(console, "w", encoding="utf-8").close()
        self.report = open(os.path.join(folder, "report"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            command + ["-serial", f"file:{console}", "-serial", "stdio"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=open(os.path.join(folder, "qemu"), "wb"),
            preexec_fn=die_with_parent)

    def lines(self):
        """The report's lines until it ends, the guest stops or the time is over."""
        text = b""
        boot_deadline = time.monotonic() + BOOT_LIMIT
        while True:
            deadline = self.deadline if self.began else min(self.deadline, boot_deadline)
            wait = deadline - time.monotonic()
            if wait <= 0 or not select.select([self.process.stdout], [], [], wait)[0]:
                break
            more = os.read(self.process.stdout.fileno(), 65536)
            if not more:
                break
            *whole, text = (text + more).split(b"\n")
            for each in whole:
                line = each.decode(errors="replace").rstrip("\r")
                self.report.write(line + "\n")
                self.began |= line.startswith("@@ begin")
                yield line
        self.report.write(text.decode(errors="replace"))

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.report.close()

    def tail(self, name, n_lines=40):
        with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-n_lines:])


def die_with_parent():
    """A killed runner leaves no guest behind."""
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def follow(guest, tap):
    """Reads a guest's report into `tap`; True when it came to its end."""
    test = None
    for line in guest.lines():
        words = line.split(" ", 2)
        if words[0] != "@@":
            if test:
                test.line(line)
        elif words[1] == "begin":
            test = TestReport(tap, words[2])
        elif words[1] == "kernel" and test:
            test.kernel(words[2] if len(words) > 2 else "")
        elif words[1] == "end" and test:
            test.end(words[2].rsplit(" ", 1)[1])
            test = None
        elif words[1] == "done":
            return True
    if guest.began:
        where = f"during {test.name}" if test else "between tests"
        over = time.monotonic() >= guest.deadline
        why = f"was not done after {guest.time_limit} s" if over else "stopped"
        tap.result(False, f"the guest {why}, {where}")
    return False
