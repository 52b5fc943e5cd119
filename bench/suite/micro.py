# SPDX-License-Identifier: BSD-3-Clause
"""Programs that speak google-benchmark's JSON: the peers' micro-benchmarks, the map's, the areas', the
heap's. Times are nanoseconds for one operation."""

import json
import re
import statistics

from .process import run

NANOSECONDS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


class Chunk:
    """Benchmarks that one process runs one after the other; peers take turns chunk by chunk."""

    def __init__(self, pattern, prefix="", arguments=(), peers=None, threads=1, repetitions=5):
        self.pattern = pattern
        self.prefix = prefix
        self.arguments = list(arguments)
        self.peers = peers
        self.threads = threads
        self.repetitions = repetitions


CHUNKS = [
    Chunk(r"^pairs/", threads=8),
    Chunk(r"^live/10{3,4}/", threads=8),
    Chunk(r"^live/100000/", threads=8, repetitions=1),
    Chunk(r"^live/1000000/", threads=8, repetitions=1),
    Chunk(r"^(zeroed|grow|aligned)/.*:[12]$", threads=2),
    Chunk(r"^(zeroed|grow|aligned)/.*:[48]$", threads=8, repetitions=1),
    Chunk(r"^large/.*:[12]$", threads=2),
    Chunk(r"^large/.*:[48]$", threads=8, repetitions=1),
    Chunk(r"^large/.*:[12]$", "decay 0, ", ["--decay0"], ["situs", "arena", "arena-cache"], threads=2),
    Chunk(r"^large/.*:[48]$", "decay 0, ", ["--decay0"], ["situs", "arena", "arena-cache"], threads=8,
          repetitions=1),
    Chunk(r"^cross/", threads=8),
    Chunk(r"^(owner|heap|threads)/.*:[12]$", threads=2),
    Chunk(r"^(owner|heap|threads)/.*:[48]$", threads=8, repetitions=1),
]

QUICK = [
    Chunk(r"^pairs/64/threads:[12]$", threads=2),
    Chunk(r"^live/(1000/threads:1|10000/threads:[12])$", threads=2),
    Chunk(r"^live/100000/.*:1$", repetitions=1),
    Chunk(r"^(zeroed|grow|aligned)/.*:1$"),
    Chunk(r"^large/threads:1$"),
    Chunk(r"^large/threads:1$", "decay 0, ", ["--decay0"], ["situs", "arena"]),
    Chunk(r"^cross/64/threads:2$", threads=2),
    Chunk(r"^(owner|heap|threads)/threads:1$"),
]


def name_and_threads(name):
    """google-benchmark's name as the suite's: without what only says how it was run."""
    threads = re.search(r"/threads:(\d+)", name)
    name = re.sub(r"/(threads|iterations|repeats):\d+", "", name)
    return name, int(threads.group(1)) if threads else 1


def measure(command, pattern, seconds, threads=1, repetitions=1):
    """[(name, threads, cpu, wall, counters)] and [(name, why not)] of one run; times are medians of its
    repetitions, since a process may be disturbed for longer than one of them lasts."""
    out = run([*command, f"--benchmark_filter={pattern}", f"--benchmark_min_time={seconds}",
               f"--benchmark_repetitions={repetitions}", "--benchmark_format=json"], threads=threads, seconds=300)
    if "{" not in out:
        return [], []  # the pattern fits nothing here
    report = json.loads(out[out.index("{"):])
    runs, skipped = {}, {}
    for b in report["benchmarks"]:
        if b["run_type"] != "iteration":
            continue
        test = name_and_threads(b["name"])
        if b.get("error_occurred"):
            skipped[test[0]] = b["error_message"]
        else:
            runs.setdefault(test, []).append(b)
    return [(*test, median_ns(some, "cpu_time"), median_ns(some, "real_time"), some[0])
            for test, some in runs.items()], list(skipped.items())


def median_ns(runs, what):
    return statistics.median(b[what] * NANOSECONDS[b["time_unit"]] for b in runs)
