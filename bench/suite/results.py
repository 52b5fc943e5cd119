# SPDX-License-Identifier: BSD-3-Clause
"""What was measured: one record for each (group, name, threads, peer), with a value for each round.

The i-th values of two records come from the same round, minutes or seconds apart, so their quotient is
free of what the machine did meanwhile: ratios are medians of such quotients. None: that round has none.
"""

import json
import statistics


class Ratio:
    """A median quotient and the range that the middle half of the quotients lies in."""

    def __init__(self, quotients):
        self.n = len(quotients)
        self.median = statistics.median(quotients)
        self.low, self.high = spread(quotients)

    def divided(self, by):
        """The same of something else."""
        other = Ratio([self.median / by])
        other.n, other.low, other.high = self.n, self.low / by, self.high / by
        return other

    def __str__(self):
        return f"{self.median:.2f}"


def spread(values):
    """First and third quartile; of fewer than four values, the smallest and the largest."""
    if len(values) < 4:
        return min(values), max(values)
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return quartiles[0], quartiles[2]


class Results:
    def __init__(self, data=None):
        self.data = data or {"suite": 1, "results": [], "skipped": []}
        self.records = {}
        for record in self.data["results"]:
            self.records[self._key(record)] = record

    @staticmethod
    def _key(record):
        return record["group"], record["name"], record["threads"], record["peer"]

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            data = json.load(file)
        try:
            if data["suite"] == 1 and data["options"]["scale"] > 0:
                return cls(data)
        except (KeyError, TypeError):
            pass
        raise ValueError(f"{path}: not results of this suite")

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.data, file, indent=1)
            file.write("\n")

    def add(self, round_, group, name, threads, peer, **values):
        """Adds the values of one round, numbered from 0."""
        key = (group, name, threads, peer)
        record = self.records.get(key)
        if record is None:
            record = dict(zip(("group", "name", "threads", "peer"), key))
            self.records[key] = record
            self.data["results"].append(record)
        for what, value in values.items():
            series = record.setdefault(what, [])
            series.extend([None] * (round_ - len(series)))
            series.append(value)

    def skip(self, what, why):
        entry = {"what": what, "why": why}
        if entry not in self.data["skipped"]:
            self.data["skipped"].append(entry)

    def values(self, group, name, threads, peer, metric="cpu"):
        record = self.records.get((group, name, threads, peer))
        return [v for v in (record or {}).get(metric, []) if v is not None]

    def median(self, group, name, threads, peer, metric="cpu"):
        values = self.values(group, name, threads, peer, metric)
        return statistics.median(values) if values else None

    def ratio(self, group, name, threads, peer, base, metric="cpu"):
        """How many times as much as `base` the peer takes; None where they have no round in common."""
        a, b = (self.records.get((group, name, threads, who), {}).get(metric, [])
                for who in (peer, base))
        quotients = [x / y for x, y in zip(a, b) if x is not None and y]
        return Ratio(quotients) if quotients else None

    def tests(self, group):
        """(name, threads) in the order they were first measured."""
        seen = {}
        for g, name, threads, _ in self.records:
            if g == group:
                seen[name, threads] = True
        return list(seen)

    def peers(self, group, name=None, threads=None):
        return list(dict.fromkeys(
            peer for g, n, t, peer in self.records
            if g == group and name in (None, n) and threads in (None, t)))
