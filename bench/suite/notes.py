# SPDX-License-Identifier: BSD-3-Clause
"""What is known of targets that are missed, and was tried. Shown only while one of them is missed by more
than noise; whoever mends the cause takes the note out."""

import re

WORTH_TELLING = 0.05  # missed by less: no story

NOTES = [
    (r"64 KiB to 4 MiB|numa_alloc_onnode takes",
     "A heap holds freed large blocks only up to a small part of what it has drawn. With more held, this "
     "operation took 50 to 58 ns, and page-cache had a peak of 112 MiB in place of 48: the peak was thought "
     "worth more."),
    (r"malloc-large.*(tcmalloc|glibc|mimalloc)",
     "Peers that keep freed blocks of many megabytes have fewer page faults and a larger peak: see the "
     "table of memory."),
    (r"peak resident of (larson|xmalloc|sh6|sh8|cache)",
     "These workloads are small, and some 0.8 MiB of the whole process is what libsitus and libhwloc "
     "bring with them."),
    (r"python3|redis",
     "Measured over the whole program; Python runs with PYTHONMALLOC=malloc, without its own pools of "
     "small objects."),
]


def of(missed):
    """The notes that go with these verdicts, each once."""
    texts = [v.what for v in missed if v.missed_by > WORTH_TELLING]
    return [note for pattern, note in NOTES if any(re.search(pattern, t) for t in texts)]
