# SPDX-License-Identifier: BSD-3-Clause
"""Figures and names as people read them."""


def _three(value):
    """Three digits that count."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


STEPS = {"ns": ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1, "ns")),
         "s": ((1, "s"), (1e-3, "ms"), (1e-6, "µs")),
         "B": ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B"))}


def amount(value, unit):
    """A figure in the unit of its size; unit: ns, s or B."""
    for size, name in STEPS[unit]:
        if value >= size:
            return f"{_three(value / size)} {name}"
    size, name = STEPS[unit][-1]
    return f"{_three(value / size)} {name}"


def bytes_of(text):
    n = int(text)
    for size, name in STEPS["B"]:
        if n >= size and n % size == 0:
            return f"{n // size} {name}"
    return f"{n} B"


def many(n, what):
    """3 rounds, 1 round."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def count(n):
    return f"{int(n):,}".replace(",", " ")


MICRO = {"pairs": lambda n: f"malloc and free, {n} bytes",
         "live": lambda n: f"{count(n)} live blocks, 8 B to 4 KiB",
         "zeroed": lambda n: f"calloc and free, {bytes_of(n)}",
         "grow": lambda n: f"realloc from 16 B to {bytes_of(n)}",
         "aligned": lambda n: f"aligned to its size, {bytes_of(n)}",
         "cross": lambda n: f"threads free each other's, {n} bytes",
         "large": lambda n: "64 KiB to 4 MiB, untouched",
         "owner": lambda n: "whose block is it",
         "heap": lambda n: "a heap made, used once, destroyed",
         "threads": lambda n: "a thread's life in a heap"}


def test_name(group, name, threads=1):
    if group == "amm":
        what, _, n = name.rpartition("/")
        name = f"{what}, {count(n)} entries"
    if group == "micro":
        prefix, comma, rest = name.rpartition(", ")
        what, _, n = rest.partition("/")
        name = (prefix + comma if comma else "") + MICRO.get(what, lambda _: rest)(n)
    if group == "area":
        name = "mapped and touched, " + bytes_of(name.split("/")[1]) if "/" in name else "64 KiB, untouched"
    return name + (f", {threads} threads" if threads > 1 else "")
