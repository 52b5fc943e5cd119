# SPDX-License-Identifier: BSD-3-Clause
"""What changed between two runs of the suite, beyond noise.

A figure of Situs's is compared with its former self after taking out what befell everybody: the median
change of the other peers in the same test, or of all tests where there are fewer than three of them.
What is left is a change if it is larger than twice the spread of both runs, and than a floor. The spread
of a few values may be small by chance: none is taken for less than what is usual in its group.
"""

import statistics

from . import peers

FLOOR = {"cpu": 0.05, "peak": 0.03}
OWN = {peers.SITUS, "strict", "Amm"}


class Change:
    def __init__(self, group, name, threads, peer, metric, factor, noise):
        self.group, self.name, self.threads, self.peer, self.metric = group, name, threads, peer, metric
        self.factor = factor  # new / old, corrected; more is worse
        self.noise = noise    # as a fraction

    @property
    def worse(self):
        return self.factor > 1 + self.noise

    @property
    def better(self):
        return self.factor < 1 / (1 + self.noise)

    def __str__(self):
        threads = f", {self.threads} threads" if self.threads > 1 else ""
        return (f"{self.group}: {self.name}{threads}: {self.peer}: {self.metric} x{self.factor:.2f} "
                f"(noise {100 * self.noise:.0f} %)")


def relative_spread(values):
    """Median distance from the median, scaled to a normal distribution's deviation; of the median of so
    many values."""
    if len(values) < 2:
        return 0.10  # one value says nothing of its spread: assume much
    middle = statistics.median(values)
    if middle == 0:
        return 0.0
    deviation = 1.4826 * statistics.median(abs(v - middle) for v in values) / middle
    # The median of n wanders by about 1.25 deviations by the root of n; few values are doubted more.
    return 1.25 * deviation / len(values) ** 0.5 * (1 + 2 / len(values))


def _quotient(old, new, key, metric):
    a, b = old.median(*key, metric), new.median(*key, metric)
    return b / a if a and b else None


def _drift(old, new, key, metric, everywhere):
    """What happened to the others in the same test."""
    group, name, threads, _ = key
    quotients = [_quotient(old, new, (group, name, threads, p), metric)
                 for p in old.peers(group, name, threads) if not is_own(group, p)]
    quotients = [q for q in quotients if q is not None]
    return statistics.median(quotients) if len(quotients) >= 3 else everywhere


def is_own(group, peer):
    return peer in OWN or (group == "area" and peer.startswith("area/"))


def usual_spread(run, group, metric):
    """The median of the spreads of that group."""
    spreads = [relative_spread(values) for key in run.records if key[0] == group
               for values in [run.values(*key, metric)] if values]
    return statistics.median(spreads) if spreads else 0.0


def same_scale(old, new):
    """Whether both runs did the same work; a quick and a full one do not."""
    return old.data["options"]["scale"] == new.data["options"]["scale"]


def gone(old, new):
    """What of Situs's the old run has and the new one has not, of the steps that both were asked for."""
    if old.data["options"].get("mode") != new.data["options"].get("mode") or new.data["options"].get("only"):
        return []
    return [f"{group}: {name}{f', {threads} threads' if threads > 1 else ''}: {peer}"
            for group, name, threads, peer in old.records
            if is_own(group, peer) and new.median(group, name, threads, peer) is None]


def changes(old, new):
    """Changes of all that is Situs's own and in both runs; workloads only where they are the same."""
    found = []
    apart = set() if same_scale(old, new) else {"work"}
    for metric, floor in FLOOR.items():
        others = [q for key in old.records if not is_own(key[0], key[3])
                  for q in [_quotient(old, new, key, metric)] if q is not None]
        everywhere = statistics.median(others) if others else 1.0
        if metric == "peak":
            everywhere = 1.0  # memory does not depend on the machine's mood
        usual = {(run, group): usual_spread(run, group, metric)
                 for run in (old, new) for group in {key[0] for key in old.records}}
        for key in old.records:
            if not is_own(key[0], key[3]) or key[0] in apart:
                continue
            quotient = _quotient(old, new, key, metric)
            if quotient is None:
                continue
            drift = 1.0 if metric == "peak" else _drift(old, new, key, metric, everywhere)
            noise = max(floor, 2 * sum(max(relative_spread(run.values(*key, metric)),
                                           usual[run, key[0]]) for run in (old, new)))
            found.append(Change(*key, metric, quotient / drift, noise))
    return found
