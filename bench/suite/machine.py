# SPDX-License-Identifier: BSD-3-Clause
"""Where and with what was measured, and on which processors to run."""

import os
import platform
import re
import subprocess

PACKAGES = ["libjemalloc2", "libmemkind0", "libmimalloc2.0", "libtcmalloc-minimal4", "libtbbmalloc2",
            "libc6", "libnuma1", "libhwloc15", "libbenchmark1debian", "libabsl20220623", "libboost1.74-dev",
            "redis-tools", "sqlite3", "python3", "perl", "git", "gcc", "numactl"]


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def _first(pattern, text, default="unknown"):
    match = re.search(pattern, text, re.M)
    return match.group(1).strip() if match else default


def _chosen(path):
    """The word in brackets of a kernel's list of choices."""
    return _first(r"\[(\w+)\]", _read(path))


def _versions():
    versions = {}
    try:
        out = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *PACKAGES],
                             capture_output=True, text=True).stdout
    except FileNotFoundError:
        return versions  # not Debian
    for line in out.splitlines():
        name, _, version = line.partition(" ")
        if version:
            versions[name] = version
    return versions


SETTINGS = ("MALLOC_", "MIMALLOC_", "TCMALLOC_", "GLIBC_TUNABLES", "MEMKIND_", "JE_MALLOC_CONF", "TBB_MALLOC_",
            "SITUS_TIERS")


def settings():
    """What the environment tells the allocators."""
    return {key: value for key, value in sorted(os.environ.items()) if key.startswith(SETTINGS)}


def describe():
    cpuinfo = _read("/proc/cpuinfo")
    nodes = [n for n in os.listdir("/sys/devices/system/node") if re.fullmatch(r"node\d+", n)] \
        if os.path.isdir("/sys/devices/system/node") else []
    meminfo = _read("/proc/meminfo")
    return {
        "processor": _first(r"^model name\s*:(.*)$", cpuinfo, platform.machine()),
        "virtual": " hypervisor " in f" {cpuinfo} ".replace("\n", " "),
        "cpus": len(os.sched_getaffinity(0)),
        "nodes": max(1, len(nodes)),
        "memory": int(_first(r"^MemTotal:\s*(\d+)", meminfo, "0")) * 1024,
        "kernel": platform.release(),
        "thp": _chosen("/sys/kernel/mm/transparent_hugepage/enabled"),
        "overcommit": _read("/proc/sys/vm/overcommit_memory"),
        "numa_balancing": _read("/proc/sys/kernel/numa_balancing"),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") or "not told",
        "load": os.getloadavg()[0],
        "settings": settings(),
        "versions": _versions(),
    }


def cpus_for(n_threads):
    """Processors to pin n threads to: where there are four at least, all but the first, which is left to
    everything else. None: no pinning, since there are too few."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 4 or n_threads > len(cpus) - 1:
        return None
    return set(cpus[1:1 + n_threads])
