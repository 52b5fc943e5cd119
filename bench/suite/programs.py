# SPDX-License-Identifier: BSD-3-Clause
"""Real programs under each preload: what they take, from outside.

Each is a function (Where, prefix command, environment) -> {"cpu", "wall", "peak"}; seconds and bytes.
"""

import json
import os
import resource
import shutil
import subprocess
import tempfile
import time

from .process import Broken, Skip, pinned, run


class Where:
    """The suite's programs, and a folder for what programs leave behind; removed at the end."""

    def __init__(self, bench):
        self.bench = bench
        self.scratch = tempfile.mkdtemp(prefix="situs-bench-")
        self.n = 0

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.scratch, name)

    def timed(self):
        """The head of a command that is measured, and where its account will be."""
        self.n += 1
        account = self.path(f"account-{self.n}")
        return [os.path.join(self.bench, "timed"), account], account


def _account(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _measured(where, prefix, env, command, stdin=None):
    if shutil.which(command[0]) is None:
        raise Skip(f"no {command[0]} here")
    timed, account = where.timed()
    run([*timed, *prefix, *command], env=env, stdin=stdin, cwd=where.scratch)
    return _account(account)


SQL = """
PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;
CREATE TABLE t(a INTEGER PRIMARY KEY, b INT, c TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<60000)
  INSERT INTO t SELECT i, (i*7919)%60013, printf('%d text of row %d', (i*31)%997, i) FROM n;
CREATE INDEX tb ON t(b); CREATE INDEX tc ON t(c);
SELECT count(*), sum(length(c)) FROM t WHERE b BETWEEN 1000 AND 30000;
SELECT count(*) FROM t AS x JOIN t AS y ON x.a = y.b WHERE x.b < 20000;
UPDATE t SET c = c || ' updated' WHERE b % 3 = 0;
SELECT substr(c,1,6) AS k, count(*), group_concat(a) IS NULL FROM t GROUP BY k ORDER BY k LIMIT 5;
DELETE FROM t WHERE b % 5 = 0;
SELECT count(DISTINCT c) FROM t;
"""

PYTHON = """
import json, re
def build(depth, width):
    if depth == 0:
        return {'leaf': [str(i) * 3 for i in range(8)], 'x': 1.5}
    return {f'key{i}': build(depth - 1, width) for i in range(width)}
tree = build(5, 6)
text = json.dumps(tree)
for _ in range(2):
    json.loads(text)
words = re.findall(r'[a-z0-9]+', text)
counts = {}
for w in words:
    counts[w] = counts.get(w, 0) + 1
rows = sorted((n, w) for w, n in counts.items())
class Node:
    def __init__(self, value, next): self.value, self.next = value, next
head = None
for i in range(200000):
    head = Node([i], head)
s = ''.join(chr(97 + i % 26) * 17 for i in range(50000)).split('a')
while head:
    head = head.next
"""


PERL = r"""
my (%count, @lists);
for my $i (1 .. 60000) {
    my $word = join '-', map { ($i * $_) % 977 } 3, 5, 7;
    $count{$word}++;
    push @{$lists[$i % 500]}, { n => $i, text => "row $i of $word" };
}
my $text = join ' ', sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
my $n = 0;
$n += length $1 while $text =~ /(\d+-9\d*)/g;
@lists = map { [ sort { $a->{text} cmp $b->{text} } @$_ ] } @lists;
my @parts = split /-/, $text;
print scalar(@parts), " $n\n";
"""


def sqlite(where, prefix, env):
    return _measured(where, prefix, env, ["sqlite3", ":memory:"], stdin=SQL)


def python(where, prefix, env):
    # Python's own small-object pools would leave little to measure.
    return _measured(where, prefix, dict(env, PYTHONMALLOC="malloc"), ["/usr/bin/python3", "-c", PYTHON])


def python_tests(where, prefix, env):
    """Of the interpreter's own: memory, threads and subprocesses."""
    modules = ["test_memoryview", "test_memoryio", "test_thread", "test_subprocess"]
    try:
        run(["/usr/bin/python3", "-c", "import " + ", ".join("test." + m for m in modules)])
    except Broken as why:
        raise Skip("no test modules of python3 here (Debian: libpython3.11-testsuite)") from why
    return _measured(where, prefix, env,
                     ["/usr/bin/python3", "-m", "unittest", "-q", "-k", "Memory", "-k", "MemoryIO", "-k", "BytesIO",
                      "-k", "ThreadRunningTests", "-k", "BarrierTest", "-k", "ProcessTestCase.test_stdin",
                      *["test." + m for m in modules]])


def perl(where, prefix, env):
    return _measured(where, prefix, env, ["/usr/bin/perl", "-e", PERL])


def git(where, prefix, env):
    """A history is packed anew, with deltas looked for again."""
    if shutil.which("git") is None:
        raise Skip("no git here")
    folder = where.path("repository")
    env = dict(env, GIT_CONFIG_GLOBAL="/dev/null", GIT_CONFIG_NOSYSTEM="1", HOME=where.scratch)
    if not os.path.exists(folder):
        run(["git", "init", "-q", folder], env=env)
        run(["git", "-C", folder, "fast-import", "--quiet"], env=env, stdin=_history())
    return _measured(where, prefix, env, ["git", "-C", folder, "-c", "pack.threads=1", "-c", "core.compression=1",
                                          "repack", "-qadf"])


def _history():
    """200 commits, each of which changes one of 20 files, for git fast-import."""
    parts = []
    for i in range(200):
        text = "".join(f"{(k * 7919 + i // 20 * k % 13) % 100003} line {k} of file {i % 20}\n" for k in range(1500))
        parts.append(f"commit refs/heads/main\ncommitter A <a@b> {1700000000 + i} +0000\ndata 2\n{i % 10}\n"
                     f"M 644 inline file-{i % 20}\ndata {len(text)}\n{text}\n")
    return "".join(parts)


def gcc(where, prefix, env):
    source = where.path("large.c")
    if not os.path.exists(source):
        with open(source, "w", encoding="utf-8") as file:
            for i in range(120):
                file.write(f"int f{i}(int *a, int n) {{ int s = {i}; for (int k = 0; k < n; k++) {{"
                           f" if (a[k] % {i + 2}) s += a[k] * {i}; else a[k] ^= s; switch (s & 7) {{"
                           f" case 0: s += 3; break; case 1: s *= {i + 5}; break; case 4: s -= a[0];"
                           f" break; default: s ^= k; }} }} return s; }}\n")
    # By its own path: a cache of compilations may stand before it.
    return _measured(where, prefix, env, ["/usr/bin/gcc", "-O2", "-c", source, "-o", where.path("large.o")])


def start(where, prefix, env):
    """Start-up and end, of a program that does nothing: the mean of ten."""
    accounts = [_measured(where, prefix, env, ["/bin/true"]) for _ in range(10)]
    return {key: sum(a[key] for a in accounts) / len(accounts) for key in ("cpu", "wall", "peak")}


# Open files: 50 clients at once, and what a server keeps for itself.
REDIS_WANTS = 128


def redis(where, prefix, env):
    """The server's processor time and peak for a fixed load; wall is the load's."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < REDIS_WANTS:
        raise Skip(f"wants {REDIS_WANTS} open files (ulimit -n), may have {files}")
    for tool in ("redis-benchmark", "redis-cli"):
        if shutil.which(tool) is None:
            raise Skip(f"no {tool} here; Debian package redis-tools")
    server = shutil.which("redis-server")
    if server is None:
        # Debian's redis-tools holds the server too, under its second name.
        check = shutil.which("redis-check-rdb")
        if check is None:
            raise Skip("no redis-server here; Debian package redis-tools")
        server = where.path("redis-server")
        if not os.path.exists(server):
            os.symlink(os.path.realpath(check), server)
    socket = where.path("redis.sock")
    timed, account = where.timed()
    process = subprocess.Popen(
        [*timed, *prefix, server, "--port", "0", "--unixsocket", socket, "--save", "", "--dir",
         where.scratch, "--daemonize", "no"], env=env, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, preexec_fn=pinned(1))
    try:
        _redis_wait(process, socket)
        begin = time.monotonic()
        for arguments in (["-t", "set", "-d", "300", "-r", "100000", "-n", "60000"],
                          ["-t", "get", "-r", "100000", "-n", "40000"],
                          ["-t", "lpush,lpop,sadd", "-r", "10000", "-n", "20000"],
                          ["-t", "set", "-d", "1000", "-r", "100000", "-n", "40000"]):
            run(["redis-benchmark", "-s", socket, "-q", "-P", "32", *arguments])
        wall = time.monotonic() - begin
        run(["redis-cli", "-s", socket, "shutdown", "nosave"])
    finally:
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.terminate()
            process.wait()
    return dict(_account(account), wall=wall)


def _redis_wait(process, socket):
    for _ in range(100):
        ping = subprocess.run(["redis-cli", "-s", socket, "ping"], capture_output=True, text=True)
        if ping.stdout.strip() == "PONG":
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise Broken("redis-server does not answer")


PROGRAMS = {"start": start, "sqlite3": sqlite, "python3": python, "python3 tests": python_tests, "perl": perl,
            "git": git, "gcc": gcc, "redis": redis}


def prefixes(situs, preloads, area):
    """[(peer, prefix command, environment)]; Situs comes through its own command."""
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("SITUS_")}
    ways = [("situs", [situs, "run", f"--area={area}", "--"], env)]
    for key, library in preloads:
        # env(1), so that every way has one program more to go through, as `situs run` is.
        ways.append((key, ["env"] + ([f"LD_PRELOAD={library}"] if library else []), env))
    if shutil.which("numactl"):
        ways.append(("numactl", ["numactl", "--membind=0"], env))
    return ways
