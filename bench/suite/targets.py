# SPDX-License-Identifier: BSD-3-Clause
"""The speed that Situs sets itself, and whether this run shows it.

A target is a ratio (or a figure) that must not pass its bound. Each is a function of the results that
gives a Ratio, a number, or None where this run cannot tell.
"""

from . import peers
from .results import Ratio, spread

SITUS = peers.SITUS


class Verdict:
    def __init__(self, group, what, bound, measured, unit="×", at_least=False):
        self.group = group
        self.what = what
        self.bound = bound
        self.unit = unit
        self.at_least = at_least
        self.value = measured.median if isinstance(measured, Ratio) else measured
        self.range = (measured.low, measured.high) if isinstance(measured, Ratio) else None

    @property
    def known(self):
        return self.value is not None

    @property
    def met(self):
        return self.known and (self.value >= self.bound if self.at_least else self.value <= self.bound)

    @property
    def missed_by(self):
        """The part of the bound that is missing, as a fraction."""
        return self.bound / self.value - 1 if self.at_least else self.value / self.bound - 1

    @property
    def close(self):
        """The bound lies within the middle half of what the rounds gave: either way it may be chance."""
        return self.range is not None and self.range[0] <= self.bound <= self.range[1]

    def words(self):
        if not self.known:
            return "not measured"
        if self.met:
            return "met, narrowly" if self.close else "met"
        return f"**missed by {100 * self.missed_by:.0f} %**" + (", within the spread" if self.close else "")


def inverse(ratio):
    if ratio is None:
        return None
    turned = Ratio([1 / ratio.median])
    turned.low, turned.high = 1 / ratio.high, 1 / ratio.low
    return turned


def heap_targets(results):
    def micro(name, base, threads=1):
        return results.ratio("micro", name, threads, SITUS, base)

    def target(what, bound, measured, **how):
        return Verdict("Heaps", what, bound, measured, **how)

    yield target("64-byte pairs, beside jemalloc's malloc", 0.75, micro("pairs/64", "jemalloc"))
    yield target("64-byte pairs, beside mimalloc's heap", 0.85, micro("pairs/64", "mimalloc-heap"))
    yield target("64-byte pairs: memkind takes", 6, inverse(micro("pairs/64", "memkind")), at_least=True)
    yield target("10,000 live blocks, beside jemalloc", 1, micro("live/10000", "jemalloc"))
    yield target("two threads free each other's blocks, beside jemalloc", 1,
                 micro("cross/64", "jemalloc", 2))
    yield target("64 KiB to 4 MiB, untouched, beside a jemalloc arena", 1, micro("large", "arena-cache"))
    yield target("the same with decay 0", 1.1, micro("decay 0, large", "arena-cache"))
    yield target("the same: numa_alloc_onnode takes", 12, inverse(micro("large", "numa")), at_least=True)
    yield target("whose block is it", 5, results.median("micro", "owner", 1, SITUS), unit=" ns")
    for name, threads in results.tests("work"):
        yield target(f"peak resident of {name}, beside jemalloc", 1.1,
                     results.ratio("work", name, threads, SITUS, "jemalloc", "peak"))


def work_targets(results):
    """Within 1.05 of the best that gives no placement, ahead of every one that gives some."""
    for name, threads in results.tests("work"):
        for placed, bound in ((False, 1.05), (True, 1.0)):
            base, ratio = best(results, name, threads, placed)
            kind = "the best that places" if placed else "the best that does not place"
            yield Verdict("Workloads", f"{name}, beside {kind}" +
                          (f" ({peers.LABELS[base]})" if base else ""), bound, ratio)


def best(results, name, threads, placed):
    """The other peer of a workload that is furthest ahead of Situs, or least behind, and Situs's ratio to it.
    By ratios, as in the tables: whose median is best may have had the better rounds only."""
    others = [p for p in results.peers("work", name, threads)
              if p not in (SITUS, "strict") and (peers.PLACEMENT[p] != "none") == placed]
    ratios = [(p, results.ratio("work", name, threads, SITUS, p)) for p in others]
    return max((r for r in ratios if r[1] is not None), key=lambda r: r[1].median, default=(None, None))


def map_targets(results):
    def ratio(name, base, peer="Amm"):
        return results.ratio("amm", name, 1, peer, base)

    def target(what, bound, measured, **how):
        return Verdict("Address map", what, bound, measured, **how)

    yield target("find among 10⁶, beside absl::btree_map", 1, ratio("find/1000000", "AbslBtree"))
    yield target("modify among 10⁶, beside absl::btree_map", 1.1, ratio("modify/1000000", "AbslBtree"))
    yield target("find among 10⁶: boost::icl takes", 3, inverse(ratio("find/1000000", "BoostIcl")),
                 at_least=True)
    yield target("modify among 10⁶: boost::icl takes", 3, inverse(ratio("modify/1000000", "BoostIcl")),
                 at_least=True)
    yield target("best fit over 10⁵ holes, beside a find", 6,
                 quotient(results, "amm", "find_gen/best/200000", "find/200000", "Amm"))
    for name, _ in results.tests("amm"):
        what, _, size = name.rpartition("/")
        if size == "1000" and "Amm" in results.peers("amm", name) and what not in ("iterate", "memory"):
            yield target(f"{what}, from 10³ to 10⁶ entries", 8,
                         quotient(results, "amm", f"{what}/1000000", name, "Amm"))
    grown = quotient(results, "amm", "iterate/1000000", "iterate/1000", "Amm")
    yield target("iterate, an entry of it, from 10³ to 10⁶ entries", 8, grown and grown.divided(1000))
    yield target("an entry", 64, results.median("amm", "memory/1000000", 1, "Amm", "sizeof"),
                 unit=" bytes")
    yield target("the index, for each of 10⁶ entries", 32,
                 results.median("amm", "memory/1000000", 1, "Amm", "index"), unit=" bytes")


def quotient(results, group, name, base, peer, metric="cpu"):
    """One peer's time for one thing by its time for another."""
    a, b = (results.records.get((group, n, 1, peer), {}).get(metric, []) for n in (name, base))
    quotients = [x / y for x, y in zip(a, b) if x is not None and y]
    return Ratio(quotients) if quotients else None


# What an area's call makes the kernel do, by the name of who does it by hand.
BY_HAND = {"anon": "mmap", "any": "mmap", "any,limit:8G": "mmap", "any > any": "mmap", "local": "mmap+mbind",
           "node:0,bind": "mmap+mbind", "node:0,preferred": "mmap+mbind", "any,preferred": "mmap+mbind",
           "node:0,interleave": "mmap+mbind", "node:0,weighted": "mmap+mbind", "node:0,limit:8G": "mmap+mbind",
           "node:0,strict": "strict_by_hand", "node:0,strict > any": "strict_by_hand"}


def area_targets(results):
    def target(what, bound, measured):
        return Verdict("Areas", what, bound, measured)

    for place, raw in BY_HAND.items():
        yield target(f"a mapping and its end, {place}, beside {raw.replace('_', ' ')}"
                     + ("" if "hand" in raw else " by hand"), 1.05,
                     results.ratio("area", "call", 1, f"area/{place}", f"raw/{raw}"))
    yield target("512 MiB of node:0,strict, beside plain populate", 1.15,
                 results.ratio("area", "touch/536870912", 1, "area/node:0,strict", "raw/mmap+populate"))


def whole_targets(results):
    def target(what, bound, measured, **how):
        return Verdict("The heap as a whole", what, bound, measured, **how)

    yield target("where 64 MiB lie, beside move_pages", 1.1,
                 results.ratio("heap", "locate", 1, "situs", "move_pages"))
    yield target("where a heap of 64 blocks of 1 MiB lies, beside move_pages", 1.1,
                 results.ratio("heap", "locate_heap", 1, "situs", "move_pages"))
    # A sample a millisecond shows what one a tenth of a second costs, a hundredfold.
    dense = results.ratio("heap", "sampled", 1, "1", "0")
    cost = None
    if dense is not None:
        cost = Ratio([1 + (dense.median - 1) / 100])
        cost.low, cost.high = (1 + (x - 1) / 100 for x in spread([dense.low, dense.high]))
    yield target("malloc and free while statistics are taken each 100 ms", 1.01, cost)
    yield target("migration's speed, beside move_pages", 0.9,
                 inverse(results.ratio("heap", "migrate", 1, "situs", "move_pages")), at_least=True)


def program_targets(results):
    for name, _ in results.tests("program"):
        if name == "start":
            situs, plain = (results.median("program", "start", 1, p) for p in (SITUS, "glibc"))
            cost = 1000 * (situs - plain) if situs is not None and plain is not None else None
            yield Verdict("Real programs", "start-up, processor time beyond the plain program's", 3, cost, unit=" ms")
            continue
        for metric, bound, what in (("cpu", 1.02, "processor time"), ("wall", 1.02, "wall time"),
                                    ("peak", 1.05, "peak resident")):
            yield Verdict("Real programs", f"{name}, {what}, beside jemalloc preloaded", bound,
                          results.ratio("program", name, 1, SITUS, "jemalloc", metric))


def verdicts(results):
    for targets in (heap_targets, work_targets, map_targets, area_targets, whole_targets,
                    program_targets):
        yield from targets(results)
