# SPDX-License-Identifier: BSD-3-Clause
"""Markdown of a report. Ratios first: a cell says how many times as much as Situs the peer takes. Below 1
the peer is ahead, and the cell is bold: losses are to be seen as plainly as wins."""

from . import peers
from .results import spread
from .words import amount, test_name

AHEAD = 0.98  # a peer is called ahead below this; nearer is even


def row(cells):
    return "| " + " | ".join(cells) + " |"


def head(cells, right_from=1):
    return [row(cells), row(["---"] * right_from + ["---:"] * (len(cells) - right_from))]


def cell(ratio):
    if ratio is None:
        return ""
    digits = 0 if ratio.median >= 10 else 2 if ratio.median >= 0.1 else 3
    text = f"{ratio.median:.{digits}f}"
    return f"**{text}**" if ratio.median < AHEAD else text


def present(results, group):
    """Peers that were measured there, Situs first, the rest as they are listed."""
    order = {key: i for i, key in enumerate(peers.ORDER)}
    return sorted(results.peers(group), key=lambda p: order.get(p, len(order)))


def in_order(tests):
    """What is done as it was measured, and each by its size; without what has no time of its own."""
    first = {}
    for name, threads in tests:
        first.setdefault(name.partition("/")[0], len(first))

    def key(test):
        what, _, rest = test[0].partition("/")
        return first[what], rest.rpartition("/")[0], _size(test[0]), test[1]

    return sorted((t for t in tests if not t[0].startswith("memory/")), key=key)


def markdown(rows):
    """A table of rows of cells, of which the first is the head."""
    return head(rows[0]) + [row(r) for r in rows[1:]]


def compare_table(results, *how):
    return markdown(compare_rows(results, *how))


def compare_rows(results, group, metric, unit, first, labels=peers.LABELS, base=peers.SITUS):
    """Situs's own figure with its spread, then each peer's ratio to it."""
    others = [p for p in present(results, group) if p != base]
    rows = [[first, labels.get(base, base)] + [labels.get(p, p) for p in others]]
    for name, threads in in_order(results.tests(group)):
        values = results.values(group, name, threads, base, metric)
        if not values:
            continue
        own = amount(results.median(group, name, threads, base, metric), unit)
        low, high = spread(values)
        middle = results.median(group, name, threads, base, metric)
        if middle and len(values) > 1:
            own += f" ±{50 * (high - low) / middle:.0f} %"
        rows.append([test_name(group, name, threads), own] + [
            cell(results.ratio(group, name, threads, p, base, metric)) for p in others])
    return rows


def area_table(results):
    return markdown(area_rows(results))


def area_rows(results):
    """Each area beside the calls that it makes, by hand."""
    tests = sorted(results.tests("area"), key=lambda t: (t[0] != "call", t[1], _size(t[0])))
    rows = [["", *(test_name("area", *t) for t in tests)]]
    for peer in results.peers("area"):
        medians = [results.median("area", name, threads, peer) for name, threads in tests]
        rows.append([f"`{peer.removeprefix('area/')}`"] + ["" if m is None else amount(m, "ns") for m in medians])
    return rows


def _size(name):
    n = name.rpartition("/")[2]
    return int(n) if n.isdigit() else 0


HEAP = {"locate": "where one block of 64 MiB lies", "locate_heap": "where a heap of 64 blocks lies, 64 MiB",
        "sampled": "malloc and free, 64 bytes", "migrate": "64 MiB to another node and back"}
HEAP_PEERS = {"0": "no statistics taken", "1": "statistics each ms", "100": "statistics each 100 ms",
              "situs": "Situs", "move_pages": "move_pages by hand"}


def heap_table(results):
    """What is done with a heap as a whole, beside the same by hand; medians."""
    rows = [["what", "how", "processor time"]]
    for name, threads in results.tests("heap"):
        for peer in results.peers("heap", name, threads):
            rows.append([HEAP.get(name, name), HEAP_PEERS.get(peer, peer),
                         amount(results.median("heap", name, threads, peer), "ns")])
    return [row(rows[0]), row(["---", "---", "---:"]), *(row(r) for r in rows[1:])]


def faults_table(results):
    """Page faults, medians of all rounds: those that hold more have fewer."""
    keys = present(results, "work")
    lines = head(["page faults"] + [peers.LABELS[p] for p in keys])
    for name, threads in results.tests("work"):
        medians = [results.median("work", name, threads, p, "faults") for p in keys]
        lines.append(row([name] + ["" if m is None else f"{m:.0f}" for m in medians]))
    return lines


def off_node_table(results):
    """Pages off their node, of those that place; of all rounds."""
    keys = [p for p in present(results, "work") if peers.PLACEMENT[p] == "node"]
    lines = head(["pages off their node"] + [peers.LABELS[p] for p in keys])
    for name, threads in results.tests("work"):
        off = []
        for peer in keys:
            looked = results.values("work", name, threads, peer, "looked")
            astray = results.values("work", name, threads, peer, "off_node")
            if not looked or not max(looked):
                off.append("")
            elif min(astray) < 0:
                off.append("not told")
            else:
                off.append(f"{sum(astray)} of {sum(looked)}")
        lines.append(row([name] + off))
    return lines


def target_table(verdicts):
    lines = head(["what", "target", "measured", "middle half", ""], 1)
    for v in verdicts:
        sign = "≥" if v.at_least else "≤"
        measured = f"{v.value:.3g}{v.unit}" if v.known else ""
        if v.known and v.unit == "×":
            measured = f"{v.value:.2f}×"
        between = f"{v.range[0]:.2f} to {v.range[1]:.2f}" if v.range else ""
        lines.append(row([v.what, f"{sign} {v.bound:g}{v.unit}", measured, between, v.words()]))
    return lines
