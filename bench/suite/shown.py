# SPDX-License-Identifier: BSD-3-Clause
"""Results as a page of text, for a terminal."""

from . import peers, table, targets
from .document import peers_free
from .pictures import MAP_LABELS
from .words import amount, many

HEADS = {"numa": "numa_alloc", "arena": "arena", "arena-cache": "arena+cache", "mimalloc-heap": "mi heap",
         "numactl": "numactl", "situs": "Situs"}
HOW = """\
Situs's own figure is the median of the rounds, and ± half of what their middle half spans; each other's is
how many times as much it takes. 2.00 is twice as much; a figure with a * means that it is ahead."""


def _head(label):
    return {label: HEADS.get(key, label) for key, label in [*peers.LABELS.items(), ("situs", "situs run")]}.get(
        label, label)


def _aligned(rows):
    """Lines of columns, the first flush left and the rest flush right."""
    widths = [max(len(r[i]) for r in rows) for i in range(len(rows[0]))]
    return ["  ".join([r[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(r[1:], widths[1:])]).rstrip() for r in rows]


def _plain(cell):
    return cell.strip("*") + "*" if cell.startswith("**") else cell


def _tables(title, rows, groups):
    """The rows once for each group of columns that has figures."""
    lines = []
    for words, labels in groups:
        columns = [i for i, label in enumerate(rows[0]) if i < 2 or label in labels]
        some = [[_plain(r[i]) for i in columns] for r in rows]
        some = [r for r in some if any(r[2:])]
        if len(columns) > 2 and len(some) > 1:
            some[0] = [f"{title}{words}", *(_head(label) for label in some[0][1:])]
            lines += ["", *_aligned(some)]
    return lines


def _section(results, title, group, metric, unit, labels=peers.LABELS, base=peers.SITUS):
    rows = table.compare_rows(results, group, metric, unit, title, labels, base)
    if len(rows) < 2:
        return []
    if group in ("program", "amm"):
        return _tables(title, rows, [("", rows[0][2:])])
    placed = [labels[p] for p in peers.ORDER if peers.PLACEMENT[p] != "none"]
    return _tables(title, rows, [(", beside what places or could", placed),
                                 (", beside what does not place", [h for h in rows[0] if h not in placed])])


def _targets(results):
    verdicts = [v for v in targets.verdicts(results) if v.known]
    missed = sorted((v for v in verdicts if not v.met), key=lambda v: -v.missed_by)
    return ["", f"{len(verdicts) - len(missed)} of {many(len(verdicts), 'target')} met"
            + ("; missed, the worst first:" if missed else "."),
            *(f"  {v.what}: {v.value:.3g}{v.unit}, wanted {'≥' if v.at_least else '≤'} {v.bound:g}{v.unit}"
              for v in missed)]


def text(results):
    """Lines."""
    data = results.data
    machine = data["machine"]
    lines = [f"Situs {data['peers'].get(peers.SITUS, {}).get('version', 'is not here')} in "
             f"{data['options'].get('area', 'node:0')}; {machine['processor']}, "
             f"{many(machine['cpus'], 'processor')}, {many(machine['nodes'], 'node')}, "
             f"{amount(machine['memory'], 'B')}; load {machine['load']:.1f} at the start; "
             f"{many(data['rounds'], 'round')} in {data['seconds']} s", *HOW.splitlines()]
    lines += _section(results, "one operation", "micro", "cpu", "ns")
    lines += _section(results, "workload", "work", "cpu", "s")
    lines += _section(results, "its peak memory", "work", "peak", "B")
    lines += _section(results, "program", "program", "cpu", "s", peers.PROGRAM_LABELS)
    lines += _section(results, "its peak memory", "program", "peak", "B", peers.PROGRAM_LABELS)
    lines += _section(results, "address map", "amm", "cpu", "ns", MAP_LABELS, "Amm")
    areas = table.area_rows(results)
    if len(areas) > 1:
        areas[0][0] = "area, and raw calls"
        lines += ["", *_aligned([[c.strip("`") for c in r] for r in areas])]
    lines += _targets(results)
    if data["skipped"]:
        lines += ["", "Left out:", *(f"  {peers_free(s['what'])}: {s['why']}" for s in data["skipped"])]
    return [*lines, "", "The full form is 'make bench' of the sources."]
