#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes the topologies of this folder, in hwloc's XML (version 2), from the descriptions below.

    tests/topology/machines.py [FOLDER]

The files are kept in the repository; run this after a change here. Figures are those that vendors
and measurements publish for machines of the kind, rounded; bandwidth in MiB/s, latency in ns, memory
in GiB. Two processors stand for each cluster: what matters here is memory.
"""
import os
import sys

GIB = 1 << 30


class Node:
    """A NUMA node. home: the clusters it is local to; all of them: attached to the whole machine."""

    def __init__(self, number, home, gib, bandwidth=None, latency=None, subtype=None, **infos):
        self.number, self.gib, self.subtype, self.infos = number, gib, subtype, infos
        self.home = [home] if isinstance(home, int) else list(home)
        self.bandwidth, self.latency = bandwidth, latency


class Machine:
    """packages: clusters in each package. distances: rows of the SLIT, by node in order of number.
    model: what hwloc calls the processors; None: nobody says."""

    def __init__(self, packages, nodes, distances=None, allowed=None, model=None):
        self.packages, self.nodes, self.distances = packages, nodes, distances
        self.model = model
        self.allowed = [n.number for n in nodes] if allowed is None else allowed


def slit(n, near, far, cluster=None):
    """10 to itself; near within, far between packages; cluster(i): the package of node i."""
    return [[10 if i == j else near if cluster(i) == cluster(j) else far for j in range(n)]
            for i in range(n)]


MACHINES = {
    # Two sockets of DDR5, firmware with an HMAT.
    "dual-socket": Machine(
        [1, 1],
        [Node(0, 0, 256, 240000, 105), Node(1, 1, 256, 240000, 105)],
        [[10, 21], [21, 10]],
        model="Intel(R) Xeon(R) Gold 6430"),
    # Two sockets, four clusters each, HBM in flat mode: nodes 0-7 DDR5, 8-15 HBM, told by figures only.
    "snc4-hbm": Machine(
        [4, 4],
        [Node(i, i, 32, 60000, 110) for i in range(8)] +
        [Node(8 + i, i, 16, 190000, 130) for i in range(8)],
        slit(16, 12, 21, lambda i: i % 8 // 4),
        model="Intel(R) Xeon(R) CPU Max 9480"),
    # Four clusters of HBM and nothing else, labelled; the HMAT has one figure for all.
    "hbm-only": Machine(
        [1, 1, 1, 1],
        [Node(i, i, 8, 244000, 130, "HBM") for i in range(4)],
        slit(4, 10, 20, lambda i: i),
        model="Intel(R) Xeon(R) CPU Max 9480"),
    # The same as firmware without labels tells it: nothing here says HBM.
    "hbm-only-unlabelled": Machine(
        [1, 1, 1, 1],
        [Node(i, i, 8, 244000, 130) for i in range(4)],
        slit(4, 10, 20, lambda i: i),
        model="Intel(R) Xeon(R) CPU Max 9480"),
    # And with no HMAT either.
    "hbm-only-no-hmat": Machine(
        [1, 1, 1, 1],
        [Node(i, i, 8) for i in range(4)],
        slit(4, 10, 20, lambda i: i),
        model="Intel(R) Xeon(R) CPU Max 9480"),
    # The same machine in flat mode, two clusters, where the HMAT and the labels are missing.
    "hbm-flat-no-hmat": Machine(
        [1, 1],
        [Node(0, 0, 32), Node(1, 1, 32), Node(2, 0, 16), Node(3, 1, 16)],
        [[10, 21, 13, 23], [21, 10, 23, 13], [13, 23, 10, 23], [23, 13, 23, 10]],
        model="Intel(R) Xeon(R) CPU Max 9480"),
    # Two sockets and an expander of CXL behind both.
    "dram-cxl": Machine(
        [1, 1],
        [Node(0, 0, 128, 240000, 105), Node(1, 1, 128, 240000, 105),
         Node(2, (0, 1), 512, 28000, 255)],
        [[10, 21, 14], [21, 10, 24], [14, 24, 10]]),
    # Two sockets, two GPUs whose memory is a node, numbers as such machines have them; no HMAT.
    "gpu": Machine(
        [1, 1],
        [Node(0, 0, 256), Node(8, 1, 256),
         Node(254, 1, 16, subtype="GPUMemory"), Node(255, 0, 16, subtype="GPUMemory")],
        [[10, 40, 80, 80], [40, 10, 80, 80], [80, 80, 10, 80], [80, 80, 80, 10]],
        model="POWER9, altivec supported"),
    # A container that may use node 1 of a machine with HBM (2 and 3) beside DRAM (0 and 1).
    "container": Machine(
        [1, 1],
        [Node(0, 0, 64, 120000, 105), Node(1, 1, 64, 120000, 105),
         Node(2, 0, 16, 400000, 125), Node(3, 1, 16, 400000, 125)],
        [[10, 21, 13, 23], [21, 10, 23, 13], [13, 23, 10, 23], [23, 13, 23, 10]],
        allowed=[1]),
    # The same where firmware tells nothing at all of memory-only nodes, not even distances.
    "container-untold": Machine(
        [1, 1],
        [Node(0, 0, 64), Node(1, 1, 64), Node(2, 0, 16), Node(3, 1, 16)],
        allowed=[1], model="AMD EPYC 7443 24-Core Processor"),
    # A container on a plain machine of two sockets, which may use the second one.
    "container-plain": Machine(
        [1, 1],
        [Node(0, 0, 64), Node(1, 1, 64)],
        [[10, 21], [21, 10]],
        allowed=[1], model="AMD EPYC 7443 24-Core Processor"),
    # Memory-only nodes beside two sockets, no HMAT, no labels: 2 might be HBM and 3 an expander.
    "no-hmat": Machine(
        [1, 1],
        [Node(0, 0, 64), Node(1, 1, 64), Node(2, 0, 16), Node(3, 1, 256)],
        [[10, 21, 13, 31], [21, 10, 23, 28], [13, 23, 10, 33], [31, 28, 33, 10]]),
    # Two plain sockets, no HMAT.
    "no-hmat-plain": Machine(
        [1, 1],
        [Node(0, 0, 64), Node(1, 1, 64)],
        [[10, 21], [21, 10]],
        model="AMD EPYC 7443 24-Core Processor"),
    # Two sockets of DRAM or of HBM, no HMAT, and nobody says what processors they are.
    "no-hmat-nameless": Machine(
        [1, 1],
        [Node(0, 0, 64), Node(1, 1, 64)],
        [[10, 21], [21, 10]]),
    # Flat mode of a many-core processor: HBM is labelled, and its distance is larger on purpose.
    "knl-flat": Machine(
        [1],
        [Node(0, 0, 96), Node(1, 0, 16, subtype="MCDRAM")],
        [[10, 31], [31, 10]]),
    # Persistent memory beside DRAM: slower, but no expander.
    "dram-nvm": Machine(
        [1],
        [Node(0, 0, 192, 120000, 95), Node(1, 0, 768, 20000, 350, DAXType="NVM")],
        [[10, 17], [17, 10]]),
    # Figures that lie between kinds: is node 1 HBM or node 0 an expander?
    "doubtful": Machine(
        [1],
        [Node(0, 0, 64, 100000, 100), Node(1, 0, 64, 160000, 60)],
        [[10, 17], [17, 10]]),
    # An HMAT that forgets one node: its figures answer nothing.
    "partial-hmat": Machine(
        [1, 1],
        [Node(0, 0, 64, 120000, 105), Node(1, 1, 64), Node(2, 0, 16, 400000, 125)],
        [[10, 21, 13], [21, 10, 23], [13, 23, 10]]),
}


def bits(numbers):
    """A bitmap as hwloc writes it: words of 32 bits, highest first."""
    mask = sum(1 << n for n in set(numbers))
    words = []
    while mask or not words:
        words.insert(0, "0x%08x" % (mask & 0xffffffff))
        mask >>= 32
    return ",".join(words)


class Writer:
    def __init__(self, machine):
        self.machine, self.lines, self.gp, self.gp_of = machine, [], 0, {}
        self.n_clusters = sum(machine.packages)

    def cpus(self, clusters):
        return [cpu for c in clusters for cpu in (2 * c, 2 * c + 1)]

    def local(self, clusters):
        """Nodes that a part of the machine sees as its own."""
        return [n.number for n in self.machine.nodes if set(n.home) & set(clusters)]

    def open(self, depth, kind, index, clusters, more="", cpus=None):
        self.gp += 1
        c = bits(self.cpus(clusters) if cpus is None else cpus)
        n = bits(self.local(clusters))
        self.lines.append('%s<object type="%s" os_index="%d" cpuset="%s" complete_cpuset="%s" '
                          'nodeset="%s" complete_nodeset="%s" gp_index="%d"%s>'
                          % ("  " * depth, kind, index, c, c, n, n, self.gp, more))

    def close(self, depth):
        self.lines.append("  " * depth + "</object>")

    def node(self, depth, node):
        self.gp += 1
        self.gp_of[node.number] = self.gp
        c = bits(self.cpus(node.home))
        n = bits([node.number])
        self.lines.append('%s<object type="NUMANode" os_index="%d" cpuset="%s" complete_cpuset="%s" '
                          'nodeset="%s" complete_nodeset="%s" gp_index="%d"%s local_memory="%d">'
                          % ("  " * depth, node.number, c, c, n, n, self.gp,
                             ' subtype="%s"' % node.subtype if node.subtype else "",
                             node.gib * GIB))
        self.lines.append('%s<page_type size="4096" count="%d"/>'
                          % ("  " * (depth + 1), node.gib * GIB // 4096))
        for name, value in node.infos.items():
            self.lines.append('%s<info name="%s" value="%s"/>' % ("  " * (depth + 1), name, value))
        self.close(depth)

    def nodes_at(self, depth, clusters):
        for node in self.machine.nodes:
            if set(node.home) == set(clusters):
                self.node(depth, node)

    def cluster(self, depth, index):
        for cpu in self.cpus([index]):
            self.open(depth, "Core", cpu, [index], cpus=[cpu])
            self.open(depth + 1, "PU", cpu, [index], cpus=[cpu])
            self.close(depth + 1)
            self.close(depth)

    def write(self):
        every = range(self.n_clusters)
        allowed = ' allowed_cpuset="%s" allowed_nodeset="%s"' % (
            bits(self.cpus(every)), bits(self.machine.allowed))
        self.lines = ['<?xml version="1.0" encoding="UTF-8"?>',
                      '<!DOCTYPE topology SYSTEM "hwloc2.dtd">', '<topology version="2.0">']
        self.open(1, "Machine", 0, every, allowed)
        if self.n_clusters > 1:
            self.nodes_at(2, every)
        first = 0
        for package, n in enumerate(self.machine.packages):
            clusters = range(first, first + n)
            self.open(2, "Package", package, clusters)
            if self.machine.model:
                self.lines.append('      <info name="CPUModel" value="%s"/>' % self.machine.model)
            if n > 1:
                self.nodes_at(3, clusters)
            for c in clusters:
                depth = 3
                if n > 1:
                    self.open(3, "Die", c, [c])
                    depth = 4
                self.nodes_at(depth, [c])
                self.cluster(depth, c)
                if n > 1:
                    self.close(3)
            self.close(2)
            first += n
        self.close(1)
        self.distances()
        self.attribute("Bandwidth", 5, "bandwidth")
        self.attribute("Latency", 6, "latency")
        self.lines.append("</topology>")
        return "\n".join(self.lines) + "\n"

    def distances(self):
        m = self.machine
        if not m.distances:
            return
        indexes = " ".join(str(n.number) for n in m.nodes) + " "
        values = " ".join(str(v) for row in m.distances for v in row) + " "
        self.lines += [
            '  <distances2 type="NUMANode" nbobjs="%d" kind="5" name="NUMALatency" indexing="os">'
            % len(m.nodes),
            '    <indexes length="%d">%s</indexes>' % (len(indexes), indexes),
            '    <u64values length="%d">%s</u64values>' % (len(values), values),
            '  </distances2>']

    def attribute(self, name, flags, member):
        values = [(n, getattr(n, member)) for n in self.machine.nodes if getattr(n, member)]
        if not values:
            return
        self.lines.append('  <memattr name="%s" flags="%d">' % (name, flags))
        for node, value in values:
            self.lines.append('    <memattr_value target_obj_type="NUMANode" target_obj_gp_index="%d" '
                              'value="%d" initiator_cpuset="%s"/>'
                              % (self.gp_of[node.number], value, bits(self.cpus(node.home))))
        self.lines.append('  </memattr>')


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    for name, machine in MACHINES.items():
        with open(os.path.join(folder, name + ".xml"), "w", encoding="ascii") as file:
            file.write(Writer(machine).write())


if __name__ == "__main__":
    main()
