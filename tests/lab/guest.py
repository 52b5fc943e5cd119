# SPDX-License-Identifier: BSD-3-Clause
"""Boots a guest, follows its report, and turns the tests' TAP into one TAP stream.

The kernel's console goes into a file; the second serial line carries the report that `init` writes.
Both are kept in the run's folder.
"""

import ctypes
import os
import re
import select
import signal
import subprocess
import time

# What a kernel says only when something went wrong; the guest's grep -E reads it as well.
COMPLAINTS = ("oom-kill:|Out of memory|[Kk]illed process|BUG:|WARNING:|Oops|double fault|"
              "general protection|Kernel panic|segfault at|traps: |blocked for more than")
COMPLAINT = re.compile(COMPLAINTS)
OOM = re.compile(r"oom-kill:|Out of memory|[Kk]illed process")
RESULT = re.compile(r"(not )?ok\b\s*\d*\s*(?:- )?\s*([^#]*?)\s*(?:# *(SKIP)\b\s*(.*))?", re.I)
# A test that provokes the OOM killer on purpose says so in a comment, and one that expects another
# complaint says a part of it.
EXPECTS_OOM = "# lab: an OOM kill is expected"
EXPECTS = "# lab: expected of the kernel: "

BOOT_LIMIT = 600  # seconds; booting takes 4 to 8 on a machine with nothing else to do


def qemu_command(qemu, topology, kernel, archive, words=()):
    """The command but for the serial lines. Without cmpxchg16b: 6.12 under emulation faults with it.
    Without the kernel's watchdogs: they measure time, and a busy host stops an emulated processor. With the kernel
    where it was linked to be: at a random place it may lie in the way of what a boot sets aside."""
    return [qemu, "-accel", "tcg,thread=multi", "-cpu", "max,-cx16", "-display", "none", "-no-reboot",
            "-nodefaults", "-monitor", "none", "-kernel", kernel, "-initrd", archive, "-append",
            " ".join(["console=ttyS0", "rdinit=/init", "panic=-1", "loglevel=4", "nowatchdog", "nokaslr",
                      *topology.kernel, *words]), *topology.qemu()]


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


class Draft(Tap):
    """What a test came to, kept back until it is known whether it counts."""

    def __init__(self):
        super().__init__(None)
        self.kept = []

    def comment(self, text):
        self.kept.append((Tap.comment, (text,)))

    def result(self, ok, name, directive=""):
        self.failed += not ok
        self.kept.append((Tap.result, (ok, name, directive)))

    def counts(self, tap):
        for write, words in self.kept:
            write(tap, *words)

    def told(self, tap):
        """As comments only."""
        for write, words in self.kept:
            if write is Tap.comment:
                tap.comment(*words)
            else:
                tap.comment(f"{'ok' if words[0] else 'not ok'} - {words[1]}")


class TestReport:
    """One test's part of the report."""

    def __init__(self, tap, name):
        self.tap = tap
        self.name = name
        self.planned = None
        self.seen = 0
        self.failed = 0
        self.expects_oom = False
        self.expects = []
        self.reason = ""
        self.complaints = []

    def line(self, text):
        plan = re.fullmatch(r"1\.\.(\d+)(.*)", text)
        result = RESULT.fullmatch(text)
        if plan:
            self.planned = int(plan[1])
            if self.planned == 0:
                why = re.fullmatch(r"\s*# SKIP\s+(.+)", plan[2], re.I)
                self.skipped(self.name, why and why[1])
        elif result:
            self.result(bool(result[1]), result[2], result[3], result[4])
        elif text.startswith("lab: skip: "):
            self.reason = text.removeprefix("lab: skip: ")
        elif text.strip():
            self.expects_oom |= text.strip() == EXPECTS_OOM
            if text.startswith(EXPECTS) and text.removeprefix(EXPECTS).strip():
                self.expects.append(text.removeprefix(EXPECTS).strip())
            self.tap.comment(text)

    def result(self, failed, name, directive, rest):
        """A result line. cmocka reports a skipped case as `not ok 1 # SKIP name', with the reason in a line
        before (lab_skip); from anybody else `not ok' is a failure, whatever is behind it."""
        self.seen += 1
        if directive and not name and self.reason:
            self.skipped(f"{self.name}: {rest}", self.reason)
        elif directive and not failed:
            self.skipped(f"{self.name}: {name or rest}", rest if name else "")
        else:
            name = name or rest
            self.failed += failed
            self.tap.result(not failed, f"{self.name}: {name or 'case'}")
        self.reason = ""

    def skipped(self, name, why):
        self.failed += not why
        self.tap.result(bool(why), name, f"# SKIP {why}" if why else "")
        if not why:
            self.tap.comment("it was skipped without saying why")

    def kernel(self, text):
        if COMPLAINT.search(text):
            self.complaints.append(text)

    def expected(self, line):
        return (self.expects_oom and OOM.search(line)) or any(text in line for text in self.expects)

    def end(self, status):
        unexpected = [line for line in self.complaints if not self.expected(line)]
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
        self.began = self.done = False
        self.complaints = []  # the kernel's, before the first test
        self.told = set()  # of the console's lines: those that a test was held to
        console = os.path.join(folder, "console")
        open(console, "w", encoding="utf-8").close()
        self.report = open(os.path.join(folder, "report"), "w", encoding="utf-8")
        self.process = subprocess.Popen(
            command + ["-serial", f"file:{console}", "-serial", "stdio"], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=open(os.path.join(folder, "qemu"), "wb"),
            preexec_fn=die_with(os.getpid()))

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

    def untold(self):
        """Complaints on the console that no test was held to: from after the last one, say."""
        with open(os.path.join(self.folder, "console"), encoding="utf-8", errors="replace") as file:
            return [line.strip() for line in file
                    if COMPLAINT.search(line) and line.strip() not in self.told]

    def tail(self, name, n_lines=40):
        with open(os.path.join(self.folder, name), encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-n_lines:])


def die_with(parent):
    """For a guest's process, before it becomes QEMU: a killed runner leaves none behind."""
    libc = ctypes.CDLL(None)

    def prepare():
        libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)
    return prepare


def follow(guest, drafts):
    """Reads a guest's report to its end or the guest's: drafts[NAME] becomes what each test came to, and drafts['']
    what came of the guest itself."""
    test = None
    for line in guest.lines():
        words = line.split(" ", 2)
        if words[0] != "@@":
            if test:
                test.line(line)
        elif words[1] == "begin":
            test = TestReport(drafts.setdefault(words[2], Draft()), words[2])
        elif words[1] == "boot":
            guest.complaints.append(line.removeprefix("@@ boot "))
        elif words[1] == "kernel" and test:
            text = line.removeprefix("@@ kernel ")
            guest.told.add(text.strip())
            test.kernel(text)
        elif words[1] == "end" and test:
            test.end(words[2].rsplit(" ", 1)[1])
            test = None
        elif words[1] == "done":
            guest.done = True
            return
    if guest.began:
        where = f"during {test.name}" if test else "between tests"
        over = time.monotonic() >= guest.deadline
        why = f"was not done after {guest.time_limit} s" if over else "stopped"
        (test.tap if test else drafts.setdefault("", Draft())).result(False, f"the guest {why}, {where}")
