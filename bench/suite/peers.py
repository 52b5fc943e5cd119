# SPDX-License-Identifier: BSD-3-Clause
"""Who is compared: programs of this suite, and libraries that real programs are preloaded with."""

import json
import os
import re
import shutil
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

# What the address map stands beside, where it was there as amm_bench was built.
MAPS = [
    ("AbslBtree", "absl::btree_map", "libabsl-dev"),
    ("BoostIcl", "boost::icl", "libboost-dev"),
]


class Peer:
    """One that is here: how it is started."""

    def __init__(self, key, command, info):
        self.key = key
        self.command = command
        self.info = info


def program(bench, name):
    """The command of one of the suite's programs. In a build folder libtool puts a script before those that
    want its libraries, which starts a dozen processes of its own; what it does for them is done here."""
    built, libraries = (os.path.join(bench, *there, ".libs") for there in ((), (os.pardir,)))
    if os.access(os.path.join(built, name), os.X_OK):
        paths = [os.path.realpath(libraries), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        return ["env", f"LD_LIBRARY_PATH={':'.join(paths)}", os.path.join(built, name)]
    return [os.path.join(bench, name)]


def find_peers(bench, area="node:0"):
    """Those built in the folder `bench`, and [(who, why not)] for the rest; Situs's heap lies in `area`."""
    found, missing = [], []
    for key, name, arguments, label, package, _ in PEERS:
        path, command = os.path.join(bench, name), program(bench, name)
        if key == SITUS:
            arguments = [f"--place={area}", f"--node={node_of(area)}"]
        if not os.access(path, os.X_OK):
            why = f"not built; Debian package {package}" if package else "not built"
            missing.append((label, why))
            continue
        asked = _ask([*command, "info"])
        tried = asked if asked.returncode else _ask([*command, *arguments, "micro", "--benchmark_list_tests"])
        if tried.returncode != 0:
            absent = tried.returncode == 127 and package  # the loader's, of a library that is not there
            missing.append((label, why_not(tried) + (f"; Debian package {package}" if absent else "")))
            continue
        found.append(Peer(key, [*command, *arguments], json.loads(asked.stdout)))
    return found, missing


def node_of(area):
    """The one node that an area's pages belong on; -1: there are several, or nobody says."""
    node = re.fullmatch(r"node:(\d+)(,(bind|strict|thp|nothp))*", area)
    return int(node.group(1)) if node else -1


def _ask(command, env=None):
    try:
        return subprocess.run(command, capture_output=True, text=True, env=env)
    except OSError as error:  # no more processes, or files
        return subprocess.CompletedProcess(command, 126, "", f"{command[0]}: {error.strerror}")


def why_not(done):
    """The last that a process said, or how it ended."""
    said = done.stderr.strip().splitlines()
    return said[-1] if said else f"exit status {done.returncode}"


def _listed(bench, name):
    return _ask([*program(bench, name), "--benchmark_list_tests"])


def find_maps(bench):
    """[(who, why not)] of the maps that the address map is not compared with."""
    listing = _listed(bench, "amm_bench").stdout
    return [(label, f"not built; Debian package {package}") for key, label, package in MAPS
            if listing and f"<{key}>" not in listing]


def find_areas(bench):
    """[(which area, why not)] of those that area_bench says it leaves out."""
    said = _listed(bench, "area_bench").stderr
    left_out = (line.split(": ") for line in said.splitlines() if line.startswith("left out: "))
    return list(dict.fromkeys((f"area {': '.join(words[1:-1])}", words[-1]) for words in left_out))


def find_preloads():
    """[(key, library)] of what can be preloaded, and [(who, why not)]. What ld.so cannot preload it passes
    over with a line on standard error: the program would run, with another malloc."""
    found, missing = [], []
    for key, library, package in PRELOADS:
        if library is None or not _ask(["/bin/true"], env=dict(os.environ, LD_PRELOAD=library)).stderr:
            found.append((key, library))
        else:
            missing.append((f"preload of {LABELS[key]}", f"no {library}; Debian package {package}"))
    if shutil.which("numactl") is None:
        missing.append((LABELS["numactl"], "no numactl here; Debian package numactl"))
    return found, missing
