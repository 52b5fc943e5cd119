# SPDX-License-Identifier: BSD-3-Clause
"""What is known of targets that are missed, and was tried: patterns of "group: what" and texts. A note is
shown only while one of its targets is missed; whoever mends the cause takes it out."""

import re

NOTES = [
    (r"64-byte pairs",
     "A pair is 40 instructions beside the caller's, and two functions that do nothing at all take 0.45 of "
     "mimalloc's time. Tried: fewer instructions, by what page map words look like: 52, then 47, then 40, since "
     "a word is the place of its bin (6 % each). Tried without gain: tables without absent entries, which spares "
     "two branches; page map words read by halves; addresses with an index, which made it 30 % slower, since "
     "processors then wait for what was stored just before. A page map in one piece would take 7 % off, and "
     "128 GiB of addresses in every process, which those who lock their memory would have to pay for."),
    (r"^Workloads: (cache-scratch|larson|sh6|sh8)",
     "A block that another thread made is, as long as one cache holds it, the next of the thread that frees it, beside "
     "its neighbours on a cache line that others may use: two processors that work at once wait for each other. What a "
     "cache has too many of goes to the arena it is of: sh8 takes 125 ms where it took 180. Tried: to send each such "
     "block there (larson 103 ms in place of 109, but sh8 163 in place of 111, and peaks 3 to 6 % larger); the first "
     "small blocks of a thread on lines of their own, which is enough for cache-scratch."),
    (r"^Workloads: (graph|key-value)",
     "Blocks come from jemalloc by the batch now. jemalloc has no class of 24, 40 or 56 bytes, as mimalloc has: "
     "vertices and items are spread over a third more memory. Tried: whole fresh slabs by "
     "jemalloc's experimental.batch_alloc, 5 to 9 ns a block instead of 12; it passes over slabs that have room."),
    (r"Heaps: two threads free each other's",
     "Blocks go back to the arena of the thread that made them, by the batch, under locks that are waited for without "
     "sleep: 11 ns a pair where it took 41, and jemalloc 19, both threads at work all the while. A third is malloc "
     "and free themselves, the rest lists of pointers that pass from one processor to the other."),
    (r"^Workloads: mstress",
     "The last thread of an arena gives back unused pages as it ends, and the next generation of threads "
     "faults them in anew. Tried: to keep them: 100 ms in place of 105 and 2,600 page faults in place of 4,800, but "
     "14.8 MiB at the peak in place of 12.2."),
    (r"^Workloads: page-cache",
     "Twice as much time goes into copying as with jemalloc. Of 2,000 growths beyond 64 KiB in a run, 128 move here, "
     "77 of them from 2 to 4 MiB (jemalloc: 295 from 512 KiB to 1 MiB): the piece that jemalloc grows ahead in has "
     "no such room behind the block. Tried: a quarter of what is drawn for freed large blocks whether they come back for "
     "use or not: 59 MiB at the peak in place of 49."),
    (r"^Workloads: malloc-large.*not place",
     "Nine tenths of the time are the kernel's, for 140,000 page faults, as with every jemalloc; tcmalloc has 38,000, since it "
     "keeps freed blocks of many megabytes, and takes 5.9 times the memory. What the bound of the peak leaves (1.1 times "
     "jemalloc's) is less than a MiB more than is taken: both targets cannot be met at once. Tried: to let jemalloc grow "
     "ahead for blocks beyond 4 MiB too: no faster, and 33.7 MiB at the peak in place of 27.8."),
    (r"^Workloads: malloc-large.*that places",
     "The pages are faulted in and given back as often as by a jemalloc arena; 2 to 3 % of the time goes into entering "
     "each block of megabytes in the page map and the address map. Tried: places without a policy of the kernel's "
     "(any, anon): the same within 1 %."),
    (r"peak resident of (larson|xmalloc|sh6|sh8|cache)",
     "These workloads are small. Of the MiB that xmalloc takes more than with jemalloc 0.2 is libsitus's code and data, "
     "0.08 its tables, 0.06 to 0.08 the books of each arena of the heap, 0.13 those of jemalloc's own arenas, which "
     "threads get whether they use them or not, 0.06 the threads' caches, and 0.1 are 25 pools of a page each; "
     "the rest is blocks in half-used slabs. Tried: hwloc loaded only when "
     "a place needs it and code that always runs side by side, which took 0.4 MiB off; conduits from 4 MiB drawn on "
     "in place of 2 (0.1); 8 KiB in place of 24 for a "
     "class of a thread's cache, and a depot of 512 KiB: no smaller; no large block held: nothing off xmalloc; "
     "jemalloc with narenas:1 and tcache:false: no less. One arena for all threads "
     "of a heap below 16 MiB: larson 7.4 MiB in place of 8.0 (jemalloc 7.2), but then threads that free one another's "
     "blocks have no depots of their own."),
    (r"peak resident of mstress",
     "1 MiB was freed large blocks, which are held no more where programs write to them (12.7 MiB, then 11.2; "
     "jemalloc 9.9). The rest is code, tables and books, 0.5 MiB, and the slabs of a second arena: with one arena for "
     "all threads of a heap below 16 MiB it is 10.1, but then threads that free one another's blocks have no depots "
     "of their own."),
    (r"peak resident of page-cache",
     "2 MiB was freed large blocks, which are held no more where programs write to them: 45.8 MiB in place of 47.9 "
     "(jemalloc 43.1)."),
    (r"(git|perl|python3 tests|sqlite3), peak",
     "0.55 MiB is what a program that does nothing takes more than with jemalloc preloaded (1.2 before hwloc was loaded "
     "only when needed): 0.2 MiB of code, 0.15 MiB jemalloc's controls. Each of perl's small extents has an entry "
     "in the address map: about 0.5 MiB in all. Tried: no large block held where programs write to them: 29.6 MiB in "
     "place of 30.4 for Python's tests, no less for git or perl; conduits from 4 MiB drawn on in place of 2; jemalloc "
     "with narenas:1 and tcache:false: no less."),
    (r"python3 tests, (processor|wall)",
     "The tests are seven processes, each of which takes 0.45 ms longer to start than with jemalloc preloaded: 0.2 ms are 110 "
     "page faults more, 0.07 the heap, 0.05 its place, 0.05 the table for situs stat (0.12 before tables that killed programs "
     "left were looked for by situs run and not by each process). Tried: the command itself without jemalloc (start-up "
     "2.4 ms instead of 3.2), and jemalloc's books populated by one call, without gain."),
    (r"redis, (processor|wall)",
     "Measured over the whole program. malloc, free and malloc_usable_size look once each, and blocks pass to and from "
     "jemalloc by the batch."),
    (r"python3, (processor|wall)",
     "Measured over the whole program; Python runs with PYTHONMALLOC=malloc, without its own pools of "
     "small objects. Instructions beside jemalloc: 1.06 (1.13 before what overflows went to jemalloc by the thousand), as "
     "many misses of caches. What is left: blocks freed twice are looked for, each slab is an entry of the address map, "
     "and blocks pass through two caches. Tried: four and eight times as much kept of what is freed at the end, which takes "
     "100 and 300 million instructions off but 2.5 and 5.8 MiB more."),
    (r"^Real programs: perl, (processor|wall)",
     "The program takes a tenth of a second, and rounds differ by a tenth of that: 1.02 to 1.04 on a busy machine since "
     "what overflows goes to jemalloc by the thousand. Instructions beside jemalloc: 1.013 (1.047 before). Tried: the next "
     "64 KiB of a piece populated when a slab is cut from it, 2 to 3 % faster, not yet whole."),
    (r"where a heap of 64 blocks of 1 MiB lies",
     "1.07 to 1.08 in two earlier runs. Beside move_pages there is a look at the page tables and at the heap's extents, "
     "which many small pages make up for, and 64 MiB hardly do. Tried: all extents share questions."),
    (r"^Areas: .*(any,limit|any > any)",
     "A limit books each mapping, and a chain asks its members in turn: some 75 ns over a bare mmap and munmap. Tried: "
     "what is booked in a hash table under a brief lock."),
    (r"^Address map: find, from",
     "Among 10⁶ entries each step down the tree is a miss of the processor's caches. Tried: all lines of a node are "
     "fetched at once."),
]


def of(missed):
    """(The notes that go with these, each once; for each of these the numbers of its notes, from 1)."""
    shown = [(pattern, note) for pattern, note in NOTES if any(re.search(pattern, t) for t in missed)]
    return [note for _, note in shown], [
        [n for n, (pattern, _) in enumerate(shown, 1) if re.search(pattern, t)] for t in missed]
