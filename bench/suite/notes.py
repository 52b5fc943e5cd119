# SPDX-License-Identifier: BSD-3-Clause
"""What is known of targets that are missed, and was tried: patterns of "group: what" and texts. A note is
shown only while one of its targets is missed; whoever mends the cause takes it out."""

import re

NOTES = [
    (r"64-byte pairs, beside",
     "A pair is some 55 instructions, and as many cycles as two counters take that are stored and loaded again: "
     "what mimalloc's takes too. Tried without gain: the first entries of a thread's table away from the "
     "border of a page. Not tried: one flat page map (128 GiB of address space, which mlockall would fill), "
     "a thread's caches at one address (32 MiB of it for each thread)."),
    (r"cache-scratch|larson|sh8",
     "A block that another thread made is the next of the thread that frees it, beside its neighbours on "
     "a cache line that others may use: two processors that work at once wait for each other. mimalloc gives "
     "blocks back to the thread that made them."),
    (r"graph|key-value",
     "Blocks come from jemalloc by the batch now. jemalloc has no class of 24, 40 or 56 bytes, as mimalloc has: "
     "vertices and items are spread over a third more memory. Tried: whole fresh slabs by "
     "jemalloc's experimental.batch_alloc, 5 to 9 ns a block instead of 12; it passes over slabs that have room."),
    (r"page-cache",
     "Twice as much time goes into copying as with jemalloc: a buffer that grows moves while it is small, and beyond "
     "4 MiB. Tried: a quarter of what is drawn for freed large blocks whether they come back for use or not: 59 MiB "
     "at the peak in place of 49."),
    (r"malloc-large.*(tcmalloc|glibc|mimalloc)",
     "Peers that keep freed blocks of many megabytes have fewer page faults and a larger peak: see the "
     "table of memory. Tried: to let jemalloc grow ahead for blocks beyond 4 MiB too: no faster, and 33.7 MiB "
     "at the peak in place of 27.8."),
    (r"peak resident of (larson|xmalloc|sh6|sh8|cache)",
     "These workloads are small, and some 0.8 MiB of the whole process is what libsitus and libhwloc "
     "bring with them."),
    (r"python3|redis",
     "Measured over the whole program; Python runs with PYTHONMALLOC=malloc, without its own pools of "
     "small objects. malloc, free and malloc_usable_size look once each, and blocks pass to and from jemalloc by "
     "the batch."),
]


def of(missed):
    """(The notes that go with these, each once; for each of these the numbers of its notes, from 1)."""
    shown = [(pattern, note) for pattern, note in NOTES if any(re.search(pattern, t) for t in missed)]
    return [note for _, note in shown], [
        [n for n, (pattern, _) in enumerate(shown, 1) if re.search(pattern, t)] for t in missed]
