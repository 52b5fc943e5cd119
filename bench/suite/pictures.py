# SPDX-License-Identifier: BSD-3-Clause
"""The pictures of a report: what is on them. plot.py draws them."""

from . import peers, plot
from .plot import Bar, Panel
from .words import amount, test_name

SHOWN_MICRO = [("pairs/64", 1), ("pairs/64", 2), ("live/10000", 1), ("live/1000000", 1), ("cross/64", 2),
               ("large", 1), ("zeroed/16384", 1), ("grow/1048576", 1), ("threads", 1)]
SHOWN_MAP = [(f"{what}/{n}", 1) for what in ("find", "modify", "iterate") for n in (1000, 1000000)] + [
    ("read_beside_writer/100000", 2)]
MAP_LABELS = {"Amm": "address map", "AbslBtree": "absl::btree_map", "StdMap": "std::map",
              "BoostIcl": "boost::icl"}


def _kind(peer):
    if peer in (peers.SITUS, "Amm"):
        return "own"
    if peer == "strict":
        return "own2"
    return "placed" if peers.PLACEMENT.get(peer, "none") != "none" or peer == "numactl" else "plain"


def _bars(results, group, name, threads, metric, unit, labels):
    bars = []
    for peer in results.peers(group, name, threads):
        values = results.values(group, name, threads, peer, metric)
        if not values:
            continue
        median = results.median(group, name, threads, peer, metric)
        bars.append(Bar(labels.get(peer, peer), median, amount(median, unit), _kind(peer),
                        min(values), max(values)))
    return sorted(bars, key=lambda b: b.value)


def _grid(results, group, tests, metric, unit, labels=peers.LABELS):
    panels = []
    for name, threads in tests:
        bars = _bars(results, group, name, threads, metric, unit, labels)
        if len(bars) > 1:
            panels.append(Panel(test_name(group, name, threads), bars))
    return panels


LESS = ("Shorter is better; medians, the thin line is from the least to the most of all rounds. "
        "Blue: Situs, dark: peers that place, or could.")


def plans(results):
    """[(file name, title, panels)] of those that there is something to show for."""
    wanted = [
        ("micro.svg", "One operation: processor time", "micro",
         [t for t in SHOWN_MICRO if t in results.tests("micro")], "cpu", "ns"),
        ("workloads.svg", "Workloads: processor time", "work", results.tests("work"), "cpu", "s"),
        ("memory.svg", "Workloads: peak resident memory", "work", results.tests("work"), "peak", "B"),
        ("programs.svg", "Real programs: processor time", "program", results.tests("program"), "cpu", "s"),
        ("programs-memory.svg", "Real programs: peak resident memory", "program",
         [t for t in results.tests("program") if t[0] != "start"], "peak", "B"),
        ("map.svg", "Address map: processor time of one operation, random access", "amm",
         [t for t in results.tests("amm") if t in SHOWN_MAP], "cpu", "ns"),
    ]
    for file, title, group, tests, metric, unit in wanted:
        labels = {"program": peers.PROGRAM_LABELS, "amm": MAP_LABELS}.get(group, peers.LABELS)
        panels = _grid(results, group, tests, metric, unit, labels)
        if panels:
            yield file, title, panels


def pictures(results):
    """[(file name, text of the SVG)]."""
    return [(file, plot.picture(title, LESS, panels)) for file, title, panels in plans(results)]


def one_picture(results):
    """The text of one SVG with the operations and the workloads; None: nothing to show was measured."""
    panels = [panel for file, _, panels in plans(results) if file in ("micro.svg", "workloads.svg")
              for panel in panels]
    return plot.picture("Situs beside other allocators: processor time", LESS, panels) if panels else None
