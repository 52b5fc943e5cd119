# SPDX-License-Identifier: BSD-3-Clause
"""What a run consists of, and the run: rounds, in each of which everything is measured once, peers one
right after the other and each round in another order."""

import contextlib
import os
import sys
import time

from . import machine, micro, peers, programs
from .process import Broken, Skip, run_json
from .words import many
from .results import Results

# A peer that took longer than this for one workload is not asked again: seconds.
ENOUGH = 1.5

# What a real program must find free: MiB, about twice what the largest of them takes.
PROGRAM_WANTS = 256

# Where a mapping for every block would take minutes.
MANY_SMALL = {"larson", "xmalloc", "sh6", "sh8", "mstress", "cache-scratch", "cache-thrash", "page-cache"}

# Of areas, those that several threads map at once.
THREADED = "(raw/mmap|raw/mmap.mbind|numa_alloc_onnode|area/anon|area/node:0,bind|area/node:0,strict)"

FULL = {"rounds": 9, "minutes": 10, "chunks": micro.CHUNKS, "seconds": 0.01, "scale": 1.0,
        "map": r"^(find|modify|iterate)<.*/(1000|1000000)$|^find<Amm>/(10000|200000)$|^(read|select|allocate)/(1000|1000000)$"
               r"|^find_gen/.*/(1000|200000|1000000)$",
        "map threads": r"^(find|modify|read|read_beside_writer)<.*/threads:[1248]$",
        "area": r"^call/.*[^248]$|^touch/.*/(65536|1048576|16777216)$",
        "area threads": rf"^call/{THREADED}/threads:[248]$",
        "area large": r"^touch/(raw/(mmap.populate|strict_by_hand)|area/node:0,strict)/536870912/",
        "area GiB": "^touch/.*/1073741824/",
        "programs": list(programs.PROGRAMS), "strict": True}
QUICK = {"rounds": 3, "minutes": 2.8, "chunks": micro.QUICK, "seconds": 0.005, "scale": 0.4,
         "map": r"^(find|modify)<.*/1000000$|^find<Amm>.*000$|^find_gen/best/(1000|200000|1000000)$",
         "map threads": r"^read_beside_writer<.*/threads:2$",
         "area": r"^call/.*[^248]$", "area threads": r"^call/(raw/mmap|area/anon)/threads:2$",
         "area large": r"^touch/(raw/mmap.populate|area/node:0,strict)/536870912/",
         "programs": list(programs.PROGRAMS), "strict": False}


def say(line):
    print(line, file=sys.stderr)


class Run:
    def __init__(self, bench, situs, plan, options, before=None, say=say):
        """bench: the folder of the peers' programs; situs: the command; say: is told what goes on."""
        self.bench = bench
        self.situs = situs
        self.say = say
        self.plan = plan
        self.options = options
        self.results = before or Results()
        self.slow = set()
        self.cannot = set()
        self.area = options.get("area", "node:0")
        self.peers, missing = peers.find_peers(self.bench, self.area)
        self.preloads, not_preloaded = peers.find_preloads()
        for what, why in (missing + not_preloaded + peers.find_maps(self.bench) +
                          peers.find_areas(self.bench)):
            self.skip(what, why)
        self.threads = max(2, min(8, machine.describe()["cpus"]))
        self.results.data.update(
            date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), options=options,
            machine=machine.describe(), pinned=machine.cpus_for(1) is not None,
            peers={p.key: p.info for p in self.peers})
        cpus = self.results.data["machine"]["cpus"]
        if cpus < 8:
            self.skip(f"more than {many(cpus, 'thread')} at once",
                      f"{many(cpus, 'processor')} can be had: more threads, up to 8, take turns")

    def skip(self, what, why):
        if {"what": what, "why": why} not in self.results.data["skipped"]:
            self.say(f"  skipped: {what}: {why}")
        self.results.skip(what, why)

    def broken(self, what, why):
        self.say(f"  FAILED: {what}: {why}")
        self.results.data.setdefault("failed", []).append({"what": what, "why": str(why)})

    def attempt(self, what, function):
        """function(), unless it said before that it cannot."""
        if what in self.cannot:
            return
        try:
            function()
        except Skip as why:
            self.cannot.add(what)
            self.skip(what, str(why))
        except Broken as why:
            self.cannot.add(what)
            self.broken(what, why)
        except OSError as why:  # no more processes, or files
            self.cannot.add(what)
            self.skip(what, why.strerror)

    # Each of these is one step of a round: peers in the order of that round.

    def micro_chunk(self, round_, chunk):
        for peer in self.turn(round_, [p for p in self.peers if p.key != "strict"]):
            if chunk.peers is not None and peer.key not in chunk.peers:
                continue
            self.attempt(f"{chunk.prefix}{chunk.pattern} by {peers.LABELS[peer.key]}",
                         lambda p=peer: self._micro(round_, chunk, p))

    def _micro(self, round_, chunk, peer):
        command = [*peer.command, *chunk.arguments, "micro"]
        done, skipped = micro.measure(command, chunk.pattern, self.plan["seconds"], chunk.threads,
                                      chunk.repetitions)
        for name, threads, cpu, wall, _ in done:
            self.results.add(round_, "micro", chunk.prefix + name, threads, peer.key, cpu=cpu, wall=wall)
        for name, why in skipped:
            self.skip(f"{chunk.prefix}{name} by {peers.LABELS[peer.key]}", why)

    def work(self, round_, name):
        for peer in self.turn(round_, self.peers):
            if peer.key == "strict" and not self.plan["strict"]:
                continue
            if (name, peer.key) in self.slow:
                continue
            self.attempt(f"{name} by {peers.LABELS[peer.key]}",
                         lambda p=peer: self._work(round_, name, p))

    def _work(self, round_, name, peer):
        if name in MANY_SMALL and peer.info["grain"]:
            raise Skip("a page and a mapping for each of millions of blocks: minutes")
        scale = self.plan["scale"]
        account = run_json([*peer.command, f"--threads={self.threads}", f"--scale={scale}", "work", name],
                           threads=self.threads)
        if account["cpu"] > ENOUGH:
            self.slow.add((name, peer.key))
        self.results.add(round_, "work", name, account["threads"], peer.key, cpu=account["cpu"],
                         wall=account["wall"], peak=account["peak"],
                         faults=account["minor_faults"] + account["major_faults"],
                         off_node=account["off_node"], looked=account["looked"])

    def program(self, round_, name, where):
        for key, prefix, env in self.turn(round_, programs.prefixes(self.situs, self.preloads, self.area)):
            self.attempt(f"{name} under {peers.LABELS[key]}",
                         lambda k=key, p=prefix, e=env: self._program(round_, name, where, k, p, e))

    def _program(self, round_, name, where, key, prefix, env):
        available = run_json([*self.peers[0].command, "info"])["available"] >> 20
        if available < PROGRAM_WANTS:
            raise Skip(f"wants {PROGRAM_WANTS} MiB free, there are {available}")
        account = programs.PROGRAMS[name](where, prefix, env)
        self.results.add(round_, "program", name, 1, key,
                         **{k: account[k] for k in ("cpu", "wall", "peak")})

    def own(self, round_, label, group, pattern, threads, repetitions):
        """The map's, the areas' and the heap's own benchmarks; a peer is whom their names say."""
        self.attempt(label, lambda: self._own(round_, group, pattern, threads, repetitions))

    def _own(self, round_, group, pattern, most_threads, repetitions):
        program = os.path.join(self.bench, f"{group}_bench")
        if not os.access(program, os.X_OK):
            raise Skip("not built; it needs google-benchmark, Debian package libbenchmark-dev")
        program = peers.program(self.bench, f"{group}_bench")
        done, skipped = micro.measure(program, pattern, self.plan["seconds"], most_threads, repetitions)
        for name, threads, cpu, wall, more in done:
            name, peer = own_name(group, name)
            self.results.add(round_, group, name, threads, peer, cpu=cpu, wall=wall)
            if "bytes/entry" in more:
                self.results.add(round_, group, name, threads, peer, bytes=more["bytes/entry"],
                                 sizeof=more["sizeof"], index=more["index+fits/entry"])
        for name, why in skipped:
            self.skip(f"{group}: {name}", why)

    @staticmethod
    def turn(round_, all_):
        """Another one begins each round, and every second round goes backwards."""
        k = round_ // 2 % max(1, len(all_))
        turned = all_[k:] + all_[:k]
        return turned[::-1] if round_ % 2 else turned

    def steps(self, where):
        """(label, function of the round) in order."""
        plan = self.plan
        for chunk in plan["chunks"]:
            yield f"micro {chunk.prefix}{chunk.pattern}", lambda r, c=chunk: self.micro_chunk(r, c)
        for name in self.works():
            yield f"workload {name}", lambda r, n=name: self.work(r, n)
        for name in plan["programs"]:
            yield f"program {name}", lambda r, n=name: self.program(r, n, where)
        for label, group, pattern, threads, repetitions in (
                ("address map", "amm", plan["map"], 1, 3),
                ("address map, threads", "amm", plan["map threads"], 8, 3),
                ("address map's memory", "amm", "^memory/", 1, 3),
                ("areas", "area", plan["area"], 1, 3),
                ("areas, threads", "area", plan["area threads"], 8, 3),
                ("areas, large", "area", plan["area large"], 1, 3),
                ("heap as a whole", "heap", ".", 2, 3)):
            yield label, lambda r, how=(label, group, pattern, threads, repetitions): self.own(r, *how)
        if "area GiB" in plan:  # takes long: in the first round only
            how = "areas, a GiB", "area", plan["area GiB"], 1, 1
            yield how[0], lambda r: r == 0 and self.own(r, *how)

    def works(self):
        return [w["name"] for p in self.peers[:1] for w in p.info["works"]]

    def no_time_for(self, label, round_):
        if round_ == 0:  # what has rounds before this is not left out
            self.skip(label, f"{self.options['minutes']:g} minutes were over before it could begin")

    def warm_up(self, where, labels):
        """Every program once: what it reads from files is in memory then, for whoever comes first. The peers'
        programs have answered what they are; their benchmarks warm up by themselves."""
        ways = [way for way in programs.prefixes(self.situs, self.preloads, self.area) if way[0] == "glibc"]
        for name in self.plan["programs"]:
            for _, prefix, env in ways if f"program {name}" in labels else []:
                with contextlib.suppress(Skip, Broken):  # told when it is measured
                    programs.PROGRAMS[name](where, prefix, env)
        self.results.data["warmed_up"] = True

    def chosen(self, where):
        only = self.options["only"]
        return [(label, step) for label, step in self.steps(where)
                if not only or any(o in label for o in only)]

    def run(self, out):
        """All rounds that the time allows, one at least; saved after each. A machine that has other work may
        be so slow that even the first takes longer: the steps that are not begun by then are named."""
        where = programs.Where(self.bench)
        begin = time.monotonic()
        done, seconds = (self.results.data.get(key, 0) for key in ("rounds", "seconds"))
        limit = self.options["minutes"] * 60
        try:
            steps = self.chosen(where)
            if not steps:
                raise ValueError(f"no step has {' or '.join(self.options['only'])} in its name")
            with open(out, "a", encoding="utf-8"):
                pass  # better now than after the first round
            self.warm_up(where, {label for label, _ in steps})
            for round_ in range(done, done + self.options["rounds"]):
                started = time.monotonic()
                for label, step in steps:
                    if time.monotonic() - begin > limit:
                        self.no_time_for(label, round_)
                        continue
                    self.say(f"[{time.monotonic() - begin:4.0f} s] round {round_ + 1}: {label}")
                    step(round_)
                self.results.data["rounds"] = round_ + 1
                self.results.data["seconds"] = seconds + round(time.monotonic() - begin)
                self.results.save(out)
                took = time.monotonic() - started
                if time.monotonic() - begin + took > limit:
                    break
        finally:
            where.close()
        return self.results


def own_name(group, name):
    """find<Amm>/1000 -> find/1000 by Amm; touch/area/anon/65536 -> touch/65536 by area/anon."""
    if group == "amm":
        head, _, rest = name.partition("/")
        if "<" in head:
            what, _, peer = head.rstrip(">").partition("<")
            return f"{what}/{rest}", peer
        return name, "Amm"
    if group == "area":
        what, _, rest = name.partition("/")
        if what == "touch":
            peer, _, size = rest.rpartition("/")
            return f"touch/{size}", peer
        return what, rest
    what, _, peer = name.partition("/")
    return what, peer or "situs"
