#!/bin/sh
# situs stat tells where a program's pages are, and the kernel's account agrees.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

echo 1..23
mkfifo "$scratch/go" "$scratch/ready"
$while_needed "$situs" run --area "$area" -- "$build/tests/conformance/holder" 64 <"$scratch/go" >"$scratch/ready" &
exec 3>"$scratch/go"
read pid <"$scratch/ready"
if ! "$situs" stat --json "$pid" >"$scratch/json" 2>"$scratch/err"; then
	show "$scratch/err"
fi

# number KEY: the first value of that key in the JSON.
number() {
	sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$scratch/json" | head -n 1
}
[ "$(number pid)" = "$pid" ] && grep -q '"name": "main"' "$scratch/json"
ok $? "a program under situs run shows its heap"
grep -q "\"place\": \"$area" "$scratch/json"
ok $? "and the heap's place"
[ "$(number present)" -ge 67108864 ] && [ "$(number present)" -lt 100000000 ]
ok $? "64 MiB of touched blocks are present"
[ "$(number mapped)" -ge 67108864 ]
ok $? "and drawn from the place"
[ "$(number allocated)" -ge 33554432 ] && [ "$(number allocated)" -le 71303168 ] && [ -n "$(number allocated_age_s)" ] &&
	"$situs" stat "$pid" | grep -q 'told [0-9]* s ago;'
ok $? "what its blocks take it has told as it grew, though it sleeps now"
tr -d ' \n' <"$scratch/json" >"$scratch/flat"
nodes=$(sed 's/.*"nodes":{\([^}]*\)}.*/\1/' "$scratch/flat")
account=$(sed 's/.*"numa_maps":{\([^}]*\)}.*/\1/' "$scratch/flat")
if grep -q '"numa_maps_comparable":true' "$scratch/flat"; then
	[ -n "$nodes" ] && [ "$nodes" = "$account" ]
	ok $? "page by page, the nodes are those of the kernel's numa_maps"
else
	skip "page by page, the nodes are those of the kernel's numa_maps" \
		"the kernel joined a mapping of the heap with another"
fi
echo "# nodes $nodes, numa_maps $account"
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	cp "$situs" "$scratch/situs"
	chmod 755 "$scratch" "$scratch/situs"
	setpriv --reuid 65534 --regid 65534 --clear-groups "$scratch/situs" stat "$pid" \
		>"$scratch/out" 2>"$scratch/err"
	[ $? -eq 1 ] && grep -q "another user's" "$scratch/err" && [ ! -s "$scratch/out" ]
	result=$?
	ok $result "another user is refused"
	[ $result -eq 0 ] || show "$scratch/err"
else
	skip "another user is refused" "only root can become another user"
fi
"$situs" stat "$pid" >"$scratch/out" && grep -q '^HEAP' "$scratch/out" && grep -q '^main' "$scratch/out"
ok $? "for people it is a table"
"$situs" stat --prometheus "$pid" >"$scratch/out" && python3 - "$scratch/out" "$pid" <<'END'
import re, sys
# The text format 0.0.4: HELP and TYPE before a metric's samples, which stand together.
sample = re.compile(r'([a-z_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)+)\} (\d+)$')
typed, seen, values = [], [], {}
for line in open(sys.argv[1]):
    if line.startswith('# TYPE '):
        typed.append(line.split()[2])
    if line.startswith('#'):
        continue
    name, labels, value = sample.match(line.rstrip('\n')).groups()
    assert typed[-1] == name and f'pid="{sys.argv[2]}"' in labels, line
    values[name] = int(value)
assert len(set(typed)) == len(typed)
assert values['situs_heap_resident_bytes'] >= 64 << 20 and values['situs_heap_node_bytes'] >= 64 << 20
END
ok $? "--prometheus is text that can be scraped"
: >"$scratch/watch"
"$situs" stat --watch=0.1 "$pid" >"$scratch/watch" 2>"$scratch/watch.err" &
watcher=$!
i=0
until [ "$(grep -c '^HEAP' "$scratch/watch")" -ge 2 ] || [ $i -ge 3000 ]; do
	sleep 0.1
	i=$((i + 1))
done
[ $i -lt 3000 ] && [ "$(grep -c '^main' "$scratch/watch")" -ge 2 ] && ! grep -q "$(printf '\033')" "$scratch/watch"
ok $? "--watch looks again and again, without a terminal's codes in a file"
python3 - "$situs" "$pid" <<'END'
import os, pty, sys, time
child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], ['situs', 'stat', '--watch=0.1', sys.argv[2]])
text, end = '', time.monotonic() + 600
while text.count('\033[H') < 4 and time.monotonic() < end:
    text += os.read(terminal, 65536).decode()
os.kill(child, 15)
os.waitpid(child, 0)
frames = text.split('\033[H')
assert text.count('\033[2J') == 1 and frames[0].endswith('\033[2J') and len(frames) >= 4, text
for frame in frames[1:-1]:
    lines = frame.split('\r\n')
    assert lines[-1] == '\033[J' and all(line.endswith('\033[K') for line in lines[:-1]), frame
    assert any(line.startswith('main') for line in lines), frame
END
ok $? "on a terminal each look is drawn over the one before"
"$situs" stat --watch=never "$pid" >"$scratch/out" 2>"$scratch/err"
[ $? -eq 2 ] && grep -q 'watch=never' "$scratch/err" && "$situs" stat --watch --json "$pid" 2>"$scratch/err"
[ $? -eq 2 ] && [ "$(wc -l <"$scratch/err")" = 1 ]
ok $? "a watch that is no number, or of JSON, is refused"
name="--self-test finds memory where it was put"
if [ "$area" = any ]; then
	skip "$name" "this process may not bind memory"
else
	"$situs" stat --self-test >"$scratch/out" 2>"$scratch/err" && grep -q 'self-test: passed' "$scratch/out"
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || { show "$scratch/out"; show "$scratch/err"; }
fi
name="--self-test says so in JSON"
if [ "$area" = any ]; then
	skip "$name" "this process may not bind memory"
else
	"$situs" stat --self-test --json | python3 -c 'import json, sys
found = json.load(sys.stdin)
assert found["passed"] is True and found["heaps"]'
	ok $? "$name"
fi
table=$(sed -n 's/.* \(\/[^ ]*\/situs-[0-9]*-[0-9]*-[0-9]*\)$/\1/p' "/proc/$pid/maps")
chmod 644 "$table"
"$situs" stat "$pid" >"$scratch/out" 2>"$scratch/err"
[ $? -eq 1 ] && grep -q "not its user's alone" "$scratch/err" && [ ! -s "$scratch/out" ]
ok $? "a table that others may read is not believed"
chmod 600 "$table"
printf 'nonsense' | dd of="$table" conv=notrunc 2>/dev/null
"$situs" stat "$pid" >"$scratch/out" 2>"$scratch/err"
[ $? -eq 1 ] && grep -q 'another version' "$scratch/err" && [ ! -s "$scratch/out" ]
ok $? "a table of something else is not read"
kill -9 "$pid"
exec 3>&-
wait $watcher
# Its last look may have met the spoilt table.
[ $? -eq 0 ] || grep -q "another version\|not its user's alone" "$scratch/watch.err"
result=$?
ok $result "and ends with the program"
[ $result -eq 0 ] || show "$scratch/watch.err"
wait
"$situs" stat "$pid" 2>"$scratch/err"
[ $? -eq 1 ] && grep -q 'no process' "$scratch/err" && [ -n "$table" ] && [ ! -e "$table" ]
ok $? "a killed program's table is gone after the next stat"

# Whatever is gone of a program that ends while it is looked at, it has ended.
cat >"$scratch/killer.py" <<'END'
import random, re, subprocess, sys, time
situs, holder = sys.argv[1:]
seed = time.time_ns()
random.seed(seed)
for i in range(12):
    program = subprocess.Popen([situs, 'run', '--', holder, '16'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    program.stdout.readline()
    look = subprocess.Popen([situs, 'map' if i % 2 else 'stat', str(program.pid)], stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True)
    time.sleep(random.random() * 0.12)
    program.kill()
    program.communicate()
    said = look.communicate()[1]
    if said and not re.fullmatch('situs: (there is no process|process [0-9]* (has ended|shows no heaps)).*\n', said):
        sys.exit(f'# seed {seed}: {said}')
END
python3 "$scratch/killer.py" "$situs" "$build/tests/conformance/holder" 2>"$scratch/err"
result=$?
ok $result "a program that ends while it is looked at is told so"
[ $result -eq 0 ] || show "$scratch/err"

# A folder for one program and none for the next.
mkdir -m 700 "$scratch/runtime"
killed=$(env -u XDG_RUNTIME_DIR "$situs" run -- sh -c 'echo $$; kill -KILL $$' 2>/dev/null)
XDG_RUNTIME_DIR=$scratch/runtime "$situs" stat 4194305 2>/dev/null
[ -n "$killed" ] && ! ls /dev/shm/situs-"$(id -u)-$killed"-* >"$scratch/out" 2>/dev/null
result=$?
ok $result "whatever XDG_RUNTIME_DIR was when the program started"
[ $result -eq 0 ] || show "$scratch/out"
killed=$(env -u XDG_RUNTIME_DIR "$situs" run -- sh -c 'echo $$; kill -KILL $$' 2>/dev/null)
XDG_RUNTIME_DIR=$scratch/runtime "$situs" run -- true
[ -n "$killed" ] && ! ls /dev/shm/situs-"$(id -u)-$killed"-* >"$scratch/out" 2>/dev/null
result=$?
ok $result "and after the next program that is started by situs run"
[ $result -eq 0 ] || show "$scratch/out"

SITUS_LISTEN=1 SITUS_PUBLISH=1 $while_needed "$build/tests/conformance/heaps" one any 8 <"$scratch/go" >"$scratch/ready" &
exec 3>"$scratch/go"
read pid <"$scratch/ready"
counted() {
	"$situs" stat --json "$pid" >"$scratch/json" && grep -q '"allocated_is_fresh": true' "$scratch/json"
}
fresh counted && [ "$(number allocated)" -ge 8388608 ] && [ "$(number allocated)" -lt 16777216 ]
ok $? "what blocks take is counted by the program when it is asked"
exec 3>&-
wait
SITUS_PUBLISH=1 $while_needed "$build/tests/conformance/heaps" größe any 1 plain any 1 <"$scratch/go" >"$scratch/ready" &
exec 3>"$scratch/go"
read pid <"$scratch/ready"
"$situs" stat "$pid" >"$scratch/out"
exec 3>&-
wait
PYTHONUTF8=1 python3 - "$scratch/out" <<'END'
import sys
lines = open(sys.argv[1]).read().split('\n')[1:4]
assert len({line.find('any') if 'any' in line else line.find('PLACE') for line in lines}) == 1, lines
END
ok $? "columns stand below each other where characters are several bytes"
