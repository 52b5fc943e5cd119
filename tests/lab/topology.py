# SPDX-License-Identifier: BSD-3-Clause
"""A machine described in a text file, and the QEMU arguments that build it.

One statement a line, words between blanks, `#` starts a comment:

    node ID memory SIZE [cpus N] [near ID] [hotplug]
    distance FROM  D0 D1 ...      one line a node, the kernel's SLIT figures, 10 to itself
    latency FROM   NS0 NS1 ...    from the processors of node FROM to the memory of each node, ns
    bandwidth FROM GIB0 GIB1 ...  the same, GiB/s
    kernel WORD...                words for the kernel's command line

latency and bandwidth come together or not at all, a line for every node with processors; with them
the machine has an HMAT. `near` says which processors a node without any belongs to. Memory that is
`hotplug` is a DIMM plugged into its node: the guest can take it offline.

An error is a TopologyError whose text is "FILE:LINE: `WORD': what is wrong".
"""

import re

SIZES = {"M": 1 << 20, "G": 1 << 30}


class TopologyError(Exception):
    pass


class Node:
    def __init__(self, number, line):
        self.number = number
        self.line = line
        self.memory = None  # bytes
        self.cpus = 0
        self.near = None
        self.hotplug = False


class Topology:
    """What a file says, checked: nodes in order of their numbers, matrices by row."""

    def __init__(self, path):
        self.path = path
        self.nodes = []
        self.rows = {"distance": {}, "latency": {}, "bandwidth": {}}
        self.kernel = []
        self._lines = {}  # (statement, row): line number
        with open(path, encoding="utf-8") as file:
            for number, text in enumerate(file, 1):
                words = text.split("#", 1)[0].split()
                if words:
                    self._statement(number, words)
        self._check()

    def _fail(self, line, word, what):
        raise TopologyError(f"{self.path}:{line}: `{word}': {what}")

    def _number(self, line, word, what, low, high):
        if not re.fullmatch(r"[0-9]{1,9}", word) or not low <= int(word) <= high:
            self._fail(line, word, f"{what} is a whole number from {low} to {high}")
        return int(word)

    def _size(self, line, word):
        match = re.fullmatch(r"([0-9]{1,6})([MG])", word)
        if not match or int(match[1]) == 0:
            self._fail(line, word, "a size is a whole number and M or G, such as 512M")
        return int(match[1]) * SIZES[match[2]]

    # Statements

    def _statement(self, line, words):
        if words[0] == "node":
            self._node(line, words)
        elif words[0] in self.rows:
            self._row(line, words)
        elif words[0] == "kernel":
            self.kernel += words[1:]
        else:
            self._fail(line, words[0],
                       "a line begins with node, distance, latency, bandwidth or kernel")

    def _node(self, line, words):
        if len(words) < 2:
            self._fail(line, "node", "the node's number is missing")
        number = self._number(line, words[1], "a node", 0, 63)
        if number != len(self.nodes):
            self._fail(line, words[1], f"nodes come in order; this one is node {len(self.nodes)}")
        node = Node(number, line)
        rest = iter(words[2:])
        for word in rest:
            if word == "hotplug":
                node.hotplug = True
                continue
            if word not in ("memory", "cpus", "near"):
                self._fail(line, word, "a node has memory, cpus, near and hotplug")
            value = next(rest, None)
            if value is None:
                self._fail(line, word, "its value is missing")
            if word == "memory":
                node.memory = self._size(line, value)
            elif word == "cpus":
                node.cpus = self._number(line, value, "cpus", 1, 64)
            else:
                node.near = self._number(line, value, "near", 0, 63)
        if node.memory is None:
            self._fail(line, words[1], "the node has no memory")
        self.nodes.append(node)

    def _row(self, line, words):
        table = self.rows[words[0]]
        if len(words) < 2:
            self._fail(line, words[0], "the number of the node it is seen from is missing")
        row = self._number(line, words[1], "a node", 0, 63)
        if row in table:
            self._fail(line, words[1], f"{words[0]} from node {row} was given before")
        low, high = (10, 254) if words[0] == "distance" else (1, 65000)
        table[row] = [self._number(line, word, words[0], low, high) for word in words[2:]]
        self._lines[words[0], row] = line

    # What only the whole file can tell

    def _check(self):
        if not self.nodes:
            self._fail(1, "node", "the file has no node")
        if not self.nodes[0].cpus:
            self._fail(self.nodes[0].line, "0", "node 0 needs processors to boot from")
        with_cpus = [node for node in self.nodes if node.cpus]
        for node in self.nodes:
            if node.cpus not in (0, with_cpus[0].cpus):
                self._fail(node.line, node.cpus, "nodes with processors have equally many of them")
            if node.near is not None and node.near not in [each.number for each in with_cpus]:
                self._fail(node.line, node.near, "no such node with processors")
            if node.hotplug and node.cpus:
                self._fail(node.line, "hotplug", "a node with processors keeps its memory")
        self._check_rows("distance", self.nodes)
        for kind in ("latency", "bandwidth"):
            self._check_rows(kind, with_cpus)
        if bool(self.rows["latency"]) != bool(self.rows["bandwidth"]):
            kind = "latency" if self.rows["latency"] else "bandwidth"
            row = min(self.rows[kind])
            self._fail(self._lines[kind, row], kind, "latency and bandwidth come together")
        if self.hmat:
            for node in self.nodes:
                if not node.cpus and node.near is None:
                    self._fail(node.line, node.number, "with an HMAT it must be near some node")

    def _check_rows(self, kind, sources):
        table = self.rows[kind]
        if not table:
            return
        for row, values in table.items():
            line = self._lines[kind, row]
            if row not in [node.number for node in sources]:
                self._fail(line, row, f"{kind} is not seen from there")
            if len(values) != len(self.nodes):
                self._fail(line, kind, f"{len(values)} figures for {len(self.nodes)} nodes")
            if kind == "distance" and values[row] != 10:
                self._fail(line, values[row], "the distance from a node to itself is 10")
        for node in sources:
            if node.number not in table:
                self._fail(max(self._lines[kind, row] for row in table), kind,
                           f"there is no line for node {node.number}")

    @property
    def hmat(self):
        return bool(self.rows["latency"])

    # What follows from it

    def qemu(self):
        """The arguments that make QEMU this machine."""
        plugged = [node for node in self.nodes if node.hotplug]
        fixed = sum(node.memory for node in self.nodes if not node.hotplug)
        memory = str(fixed >> 20)
        if plugged:
            whole = fixed + sum(node.memory for node in plugged)
            # Slots are aligned to 1 GiB: leave each DIMM that much room.
            memory += f",slots={len(plugged)},maxmem={(whole >> 20) + 1024 * len(plugged)}M"
        sockets = [node for node in self.nodes if node.cpus]
        cores = sockets[0].cpus
        args = ["-machine", "q35" + (",hmat=on" if self.hmat else ""), "-m", memory,
                "-smp", f"{len(sockets) * cores},sockets={len(sockets)},cores={cores},threads=1"]
        for node in self.nodes:
            args += ["-object", f"memory-backend-ram,id=m{node.number},size={node.memory >> 20}M"]
            near = node.number if node.cpus else node.near
            args += ["-numa", f"node,nodeid={node.number}"
                     + ("" if node.hotplug else f",memdev=m{node.number}")
                     + (f",initiator={near}" if self.hmat else "")]
        for socket, node in enumerate(sockets):
            args += ["-numa", f"cpu,node-id={node.number},socket-id={socket}"]
        for node in plugged:
            args += ["-device", f"pc-dimm,id=d{node.number},memdev=m{node.number},node={node.number}"]
        for row, values in sorted(self.rows["distance"].items()):
            for column, value in enumerate(values):
                args += ["-numa", f"dist,src={row},dst={column},val={value}"]
        for kind, unit in (("latency", ""), ("bandwidth", "G")):
            for row, values in sorted(self.rows[kind].items()):
                for column, value in enumerate(values):
                    args += ["-numa", f"hmat-lb,initiator={row},target={column},hierarchy=memory,"
                             f"data-type=access-{kind},{kind}={value}{unit}"]
        return args

    def variables(self):
        """The same for tests in the guest, as environment variables."""
        result = {"LAB_N_NODES": len(self.nodes), "LAB_HMAT": int(self.hmat)}
        for node in self.nodes:
            result[f"LAB_MEMORY_{node.number}"] = node.memory
            result[f"LAB_CPUS_{node.number}"] = node.cpus
            result[f"LAB_HOTPLUG_{node.number}"] = int(node.hotplug)
            result[f"LAB_NEAR_{node.number}"] = node.number if node.near is None else node.near
        for kind, table in self.rows.items():
            for row, values in table.items():
                result[f"LAB_{kind.upper()}_{row}"] = " ".join(map(str, values))
        return {name: str(value) for name, value in result.items()}
