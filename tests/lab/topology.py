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

Words are plain ASCII; comments may be in any encoding. A word that says something of a node is said once.

An error is a TopologyError whose text is "FILE:LINE: `WORD': what is wrong".
"""

import re

SIZES = {"M": 1 << 20, "G": 1 << 30}

# Bounds of what boots. Linux ignores nodes of less than 4 MiB and takes memory offline 128 MiB at a time; node 0
# holds the kernel and the programs under test. QEMU promises memory it has not got, but the guest's kernel
# keeps 1/64 of it for its books. Processors: QEMU's machine numbers 255, and a socket's numbers start at a
# multiple of a power of two, so that half of them may go unused; a quarter is more than emulation bears.
MIN_NODE = 16 << 20
MIN_FIRST_NODE = 256 << 20
MAX_MEMORY = 64 << 30
PLUGGED_UNIT = 128 << 20
MAX_CPUS = 64


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
        with open(path, "rb") as file:
            for number, text in enumerate(file, 1):
                words = [self._word(number, word) for word in text.split(b"#", 1)[0].split()]
                if words:
                    self._statement(number, words)
        self._check()

    def _fail(self, line, word, what):
        raise TopologyError(f"{self.path}:{line}: `{word}': {what}")

    def _word(self, line, word):
        if not re.fullmatch(rb"[!-~]+", word):
            self._fail(line, word.decode("latin-1").encode("unicode_escape").decode(),
                       "words are letters, digits and signs of ASCII")
        return word.decode("ascii")

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
            if len(words) < 2:
                self._fail(line, "kernel", "the words for the kernel's command line are missing")
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
        said = set()
        for word in rest:
            if word in said:
                self._fail(line, word, "this was said before in this line")
            said.add(word)
            if word == "hotplug":
                node.hotplug = True
                continue
            if word not in ("memory", "cpus", "near"):
                self._fail(line, word, "a node has memory, cpus, near and hotplug")
            value = next(rest, None)
            if value is None:
                self._fail(line, word, "its value is missing")
            if word == "memory":
                node.memory = self._memory(line, value, number)
            elif word == "cpus":
                node.cpus = self._number(line, value, "cpus", 1, 64)
            else:
                node.near = self._number(line, value, "near", 0, 63)
        if node.memory is None:
            self._fail(line, words[1], "the node has no memory")
        if node.cpus and node.near is not None:
            self._fail(line, "near", "only a node without processors is near another's")
        if node.hotplug and node.memory % PLUGGED_UNIT:
            self._fail(line, "hotplug", f"memory is plugged {PLUGGED_UNIT >> 20}M at a time")
        self.nodes.append(node)
        if sum(each.cpus for each in self.nodes) > MAX_CPUS:
            self._fail(line, "cpus", f"the machine has more than {MAX_CPUS} processors with these")
        if sum(each.memory for each in self.nodes) > MAX_MEMORY:
            self._fail(line, "memory", f"the machine has more than {MAX_MEMORY >> 30}G with this")

    def _memory(self, line, word, number):
        least = MIN_NODE if number else MIN_FIRST_NODE
        size = self._size(line, word)
        if not least <= size <= MAX_MEMORY:
            self._fail(line, word, f"node {number} has {least >> 20}M to {MAX_MEMORY >> 30}G")
        return size

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
            self._fail(1, "node", "missing: a file describes its nodes first, such as node 0 memory 1G cpus 2")
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
            if kind == "distance":
                self._check_distances(line, row, values)
        for node in sources:
            if node.number not in table:
                self._fail(max(self._lines[kind, row] for row in table), kind,
                           f"there is no line for node {node.number}")

    def _check_distances(self, line, row, values):
        """Linux throws the whole table away where one of these is not so."""
        if values[row] != 10:
            self._fail(line, values[row], "the distance from a node to itself is 10")
        if values.count(10) > 1:
            self._fail(line, 10, "another node is farther than 10")

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
