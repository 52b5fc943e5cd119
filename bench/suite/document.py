# SPDX-License-Identifier: BSD-3-Clause
"""doc/benchmarks.md, from results."""

from . import notes, peers, plot, table, targets
from .pictures import MAP_LABELS, plans
from .summary import summary
from .words import amount, many

METHOD = """\
Each allocator runs in a process of its own, linked from the same objects (`bench/peers/`: one adapter of
less than 80 lines each). Everything is measured once a round, peers one right after the other and in
another order each round, micro-benchmarks several times in a row; a ratio is the median of the rounds'
quotients, so that what the machine did meanwhile cancels out. {warm}Times are processor time, user and
system, of all threads: what an allocator costs whoever else uses the machine. Peaks are the kernel's (`VmHWM`), of the whole process.

In the tables a peer's cell says **how many times as much as the Situs heap it takes**: 2.00 is twice as
much, and a bold figure below 1 means that the peer is ahead. ± is half of what the middle half of the
rounds spans. The Situs heap is bound to node 0 and shared by all threads; `numa_alloc_onnode` makes a
mapping of every block; jemalloc's arenas have default hooks, so they place nothing: they stand for what
hooks of one's own would be added to."""


WARM = """\
Micro-benchmarks run until google-benchmark knows how many
iterations fill the time, which is not counted; every real program ran once before the first round. """


def machine_lines(results):
    data = results.data
    m = data["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in m["versions"].items())
    pinned = "pinned to processors of their own" if data.get("pinned") else \
        "not pinned: too few processors"
    own = data.get("peers", {}).get(peers.SITUS, {})
    versions = ", ".join(v for v in (f"Situs {own['version']}" if own else "", versions) if v)
    return [
        f"- {m['processor']}{' (virtual machine)' if m['virtual'] else ''}, {m['cpus']} processors, "
        f"{many(m['nodes'], 'node')}, {amount(m['memory'], 'B')}; "
        f"load {m['load']:.1f} at the start",
        f"- Linux {m['kernel']}, transparent huge pages {m['thp']}, overcommit {m['overcommit']}, "
        f"frequency governor {m['governor']}",
        f"- {data['options']['mode']} run, {many(data['rounds'], 'round')}{fewer_rounds(results)} in "
        f"{data['seconds']} s, "
        f"{data['options']['min_time']} s at least for each micro-benchmark, workloads at scale "
        f"{data['options']['scale']}, threads {pinned}",
        *([f"- built as `{own['built']}`; each allocator as it comes, "
           + (", ".join(f"{k}={v}" for k, v in m["settings"].items()) if m.get("settings")
              else "without any setting in the environment")] if "built" in own else []),
        f"- {versions or 'versions not told'}"]


def fewer_rounds(results):
    """What was measured in fewer rounds than the rest, in words."""
    rounds = {}
    for (group, *_), record in results.records.items():
        n = sum(v is not None for v in record["cpu"])
        rounds[group] = max(rounds.get(group, 0), n)
    fewer = [f"{group} {n}" for group, n in rounds.items() if n < results.data["rounds"]]
    return f" (of these {', '.join(fewer)})" if fewer else ""


def scoreboard(verdicts):
    known = [v for v in verdicts if v.known]
    met = [v for v in known if v.met]
    missed = sorted((v for v in known if not v.met), key=lambda v: -v.missed_by)
    lines = [f"{len(met)} of {len(known)} targets are met"
             + (f"; {len(verdicts) - len(known)} could not be measured here." if len(known) < len(verdicts)
                else ".")]
    if missed:
        lines += ["", "Missed, the worst first:", ""]
        shown, numbers = notes.of([f"{v.group}: {v.what}" for v in missed])
        lines += [f"- {v.group}: {v.what}: {v.value:.3g}{v.unit} where "
                  f"{'at least' if v.at_least else 'at most'} {v.bound:g}{v.unit} is wanted, "
                  f"{v.words().replace('**', '')}; {_see(own, v.close)}" for v, own in zip(missed, numbers)]
        if shown:
            lines += ["", "What is known of them, and what was tried:", "",
                      *(f"{n}. {note}" for n, note in enumerate(shown, 1))]
    return lines


def _see(numbers, close):
    if numbers:
        return "note " + ", ".join(str(n) for n in numbers)
    return "the rounds differ by more" if close else "nothing is known of it yet"


def _section(title, intro, lines):
    # Two lines are the head of a table without rows.
    return ["", f"## {title}", "", intro, "", *lines] if len(lines) > 2 else []


def _image(shown, name):
    return [f"![{shown[name]}](benchmarks/{name})", ""] if name in shown else []


def _programs(results, metric, unit):
    return table.compare_table(results, "program", metric, unit, "program", peers.PROGRAM_LABELS)


def document(results):
    """Markdown; it shows the pictures that pictures.py makes, where they can be made."""
    data = results.data
    all_verdicts = list(targets.verdicts(results))
    shown = {name: title for name, title, _ in plans(results)} if plot.matplotlib else {}
    lines = ["# Benchmarks", "", f"Measured {data['date']}; made by `make bench bench-doc`, not by hand.",
             "", *machine_lines(results), "", "## In short", "",
             "How many times as much as the Situs heap each takes; bold: it is ahead.", "",
             *summary(results, all_verdicts), "", "## Targets", "", *scoreboard(all_verdicts)]
    for group in dict.fromkeys(v.group for v in all_verdicts):
        lines += ["", f"### {group}", "",
                  *table.target_table([v for v in all_verdicts if v.group == group])]
    lines += ["", "## How it is measured", "", METHOD.format(warm=WARM if data.get("warmed_up") else "")]
    lines += _section("One operation", "Processor time of one operation.",
                      _image(shown, "micro.svg") + table.compare_table(results, "micro", "cpu", "ns",
                                                                       "operation"))
    lines += _section("Workloads", "Processor time of the whole run.", _image(shown, "workloads.svg") +
                      table.compare_table(results, "work", "cpu", "s", "workload"))
    lines += _section("Workloads: memory", "Peak resident memory of the process.",
                      _image(shown, "memory.svg") +
                      table.compare_table(results, "work", "peak", "B", "workload"))
    if results.tests("work"):
        lines += ["", "Page faults of the whole run:", "", *table.faults_table(results), "",
                  "Pages of live blocks that were found on another node than asked for:", "",
                  *table.off_node_table(results)]
    lines += _section("Real programs", "Under `situs run --area node:0`, beside other preloads; processor "
                      "time.", _image(shown, "programs.svg") +
                      _programs(results, "cpu", "s"))
    if results.tests("program"):
        lines += ["", "Wall time:", "", *_programs(results, "wall", "s"),
                  "", "Peak resident memory:", "", *_image(shown, "programs-memory.svg"),
                  *_programs(results, "peak", "B")]
    lines += _section("Address map", "One operation at a random place, beside maps of ranges over other "
                      "libraries' trees. Where several threads read one map, and while another one changes it, the "
                      "others stand behind a std::shared_mutex.", _image(shown, "map.svg") +
                      table.compare_table(results, "amm", "cpu", "ns", "operation", MAP_LABELS, "Amm"))
    lines += _section("Areas", "A mapping and its end, beside the kernel's calls by hand (`raw/`); 1 GiB in the first round only.",
                      table.area_table(results))
    lines += _section("The heap as a whole", "Where its pages lie, what statistics cost while they are taken, and "
                      "migration where there are two nodes.", table.heap_table(results))
    skipped = data["skipped"] + ([] if plot.matplotlib else [{"what": "pictures", "why": plot.MISSING}])
    if skipped or data.get("failed"):
        lines += ["", "## Left out", ""]
        lines += [f"- **failed**: {f['what']}: {f['why']}" for f in data.get("failed", [])]
        lines += [f"- {peers_free(s['what'])}: {s['why']}" for s in skipped]
    return "\n".join(lines) + "\n"


def peers_free(what):
    """A regular expression of a step, as words."""
    return what.replace("^", "").replace("$", "").replace("\\", "")
