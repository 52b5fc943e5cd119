# SPDX-License-Identifier: BSD-3-Clause
"""The few figures that README.md shows, wins and losses alike; the same lines as in doc/benchmarks.md."""

import re

from . import peers
from .table import cell, head, row
from .words import amount, many, test_name

BEGIN, END = "<!-- figures of bench/report -->", "<!-- end of figures -->"

# Threads: those of the micro-benchmark; workloads have as many as the machine gave them.
ROWS = [("micro", "pairs/64", 1, "ns"), ("micro", "live/10000", 1, "ns"), ("micro", "cross/64", 2, "ns"),
        ("micro", "large", 1, "ns"), ("micro", "grow/1048576", 1, "ns"), ("work", "larson", None, "s"),
        ("work", "sh8", None, "s"), ("work", "key-value", None, "s"), ("work", "page-cache", None, "s"),
        ("program", "redis", 1, "s"), ("program", "python3", 1, "s")]
BESIDE = ["memkind", "arena", "numa", "jemalloc", "mimalloc-heap", "mimalloc", "tcmalloc", "glibc"]


def summary(results, verdicts):
    """Lines of Markdown, between two marks."""
    known = [v for v in verdicts if v.known]
    lines = head(["processor time", "Situs heap"] + [peers.LABELS[p] for p in BESIDE])
    for group, name, threads, unit in ROWS:
        if threads is None:
            threads = next((t for n, t in results.tests(group) if n == name), 1)
        own = results.median(group, name, threads, peers.SITUS)
        if own is None:
            continue
        lines.append(row([test_name(group, name, threads), amount(own, unit)] + [
            cell(results.ratio(group, name, threads, p, peers.SITUS)) for p in BESIDE]))
    return [BEGIN, *lines, "",
            f"Measured {results.data['date'].split(' ')[0]} on {results.data['machine']['cpus']} processors "
            f"({results.data['machine']['processor']}), {many(results.data['rounds'], 'round')}; "
            f"{sum(v.met for v in known)} of {len(known)} targets are met.", END]


def replace(text, lines):
    """`text` with what stands between its marks replaced; ValueError where it has none."""
    new, n = re.subn(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: "\n".join(lines), text,
                     flags=re.DOTALL)
    if n != 1:
        raise ValueError(f"no {BEGIN} ... {END} to replace")
    return new


def marked(text):
    """What stands between the marks; None without them."""
    match = re.search(re.escape(BEGIN) + ".*?" + re.escape(END), text, re.DOTALL)
    return match.group(0) if match else None
