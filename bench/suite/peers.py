# SPDX-License-Identifier: BSD-3-Clause
"""Who is compared: programs of this suite, and libraries that real programs are preloaded with."""

import json
import os
import subprocess

SITUS = "situs"

# key, program, arguments, what it is called in tables, the Debian package it wants, placement.
# Placement: "none"; "arena", a heap of its own that could be placed; "node", blocks are on a node.
PEERS = [
    (SITUS, "peer_situs", [], "Situs heap", None, "node"),
    ("strict", "peer_situs", ["--place=node:0,strict"], "Situs, strict", None, "node"),
    ("memkind", "peer_memkind", [], "memkind", "libmemkind-dev", "node"),
    ("numa", "peer_numa", [], "numa_alloc_onnode", None, "node"),
    ("arena", "peer_arena_nocache", [], "jemalloc arena, no cache", None, "arena"),
    ("arena-cache", "peer_arena_tcache", [], "jemalloc arena, own cache", None, "arena"),
    ("jemalloc", "peer_jemalloc", [], "jemalloc", None, "none"),
    ("mimalloc-heap", "peer_mimalloc_heap", [], "mimalloc heap", "libmimalloc-dev", "none"),
    ("mimalloc", "peer_mimalloc", [], "mimalloc", "libmimalloc-dev", "none"),
    ("tcmalloc", "peer_tcmalloc", [], "tcmalloc", "libgoogle-perftools-dev", "none"),
    ("tbb", "peer_tbb", [], "TBB", "libtbb-dev", "none"),
    ("glibc", "peer_glibc", [], "glibc", None, "none"),
]

LABELS = {key: label for key, _, _, label, _, _ in PEERS}
LABELS["numactl"] = "numactl --membind"
PROGRAM_LABELS = dict(LABELS, situs="situs run")
PLACEMENT = {key: placement for key, _, _, _, _, placement in PEERS}
ORDER = [key for key, *_ in PEERS]

# key, library, Debian package; None: nothing is preloaded.
PRELOADS = [
    ("glibc", None, None),
    ("jemalloc", "libjemalloc.so.2", "libjemalloc2"),
    ("mimalloc", "libmimalloc.so.2", "libmimalloc2.0"),
    ("tcmalloc", "libtcmalloc_minimal.so.4", "libtcmalloc-minimal4"),
    ("tbb", "libtbbmalloc_proxy.so.2", "libtbbmalloc2"),
]


class Peer:
    """One that is here: how it is started."""

    def __init__(self, key, command, info):
        self.key = key
        self.command = command
        self.info = info


def find_peers(bench):
    """Those built in the folder `bench`, and [(who, why not)] for the rest."""
    found, missing = [], []
    for key, program, arguments, label, package, _ in PEERS:
        path = os.path.join(bench, program)
        if not os.access(path, os.X_OK):
            why = f"not built; Debian package {package}" if package else "not built"
            missing.append((label, why))
            continue
        info = json.loads(subprocess.run([path, "info"], capture_output=True, text=True,
                                         check=True).stdout)
        tried = subprocess.run([path, *arguments, "micro", "--benchmark_list_tests"],
                               capture_output=True, text=True)
        if tried.returncode != 0:
            missing.append((label, tried.stderr.strip() or f"exit status {tried.returncode}"))
            continue
        found.append(Peer(key, [path, *arguments], info))
    return found, missing


def find_preloads():
    """[(key, library)] of what is installed, and [(who, why not)]."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    found, missing = [], []
    for key, library, package in PRELOADS:
        if library is None or f"\t{library} " in listing:
            found.append((key, library))
        else:
            missing.append((f"preload of {LABELS[key]}", f"no {library}; Debian package {package}"))
    return found, missing
