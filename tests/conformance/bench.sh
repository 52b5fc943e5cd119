#!/bin/sh
# situs bench runs the suite's quick form, a part of it here; not how fast anything is, which is no test's business.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

suite= # why it is not here
[ -x "$build/bench/peer_situs" ] || suite="no google-benchmark here, which the suite is built with"
command -v python3 >/dev/null || suite="no python3 here, which runs the suite"
picture=
for python in python3 /usr/bin/python3; do
	"$python" -c 'import matplotlib' 2>/dev/null && break
done || picture="no matplotlib here, which draws"

wants_suite() { # name: false, and a skip, where the suite is not here
	[ -z "$suite" ] && return
	skip "$1" "$suite"
	return 1
}

echo 1..10
part='--rounds 1 --only sh6'
name="a part of the suite is measured once, in the place that was named"
if wants_suite "$name"; then
	# An empty file is no library: to this run it is as if mimalloc were not installed.
	mkdir "$scratch/lib" && : >"$scratch/lib/libmimalloc.so.2" || exit 99
	LD_LIBRARY_PATH=$scratch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} \
		"$situs" bench $part --area any --json >"$scratch/json" 2>"$scratch/err" &&
		python3 - "$scratch/json" <<'END'
import json, sys
data = json.load(open(sys.argv[1]))
peers = {r['peer']: r for r in data['results'] if (r['group'], r['name']) == ('work', 'sh6')}
assert data['options']['mode'] == 'quick' and data['options']['area'] == 'any' and data['rounds'] == 1
for peer in ('situs', 'glibc', 'jemalloc'):
    assert peers[peer]['cpu'][0] > 0 and peers[peer]['peak'][0] > 0, peers
END
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || show "$scratch/err"
fi
name="an allocator that is not here is named"
if wants_suite "$name"; then
	python3 - "$scratch/json" <<'END'
import json, sys
data = json.load(open(sys.argv[1]))
assert any(s['what'] == 'mimalloc' and 'libmimalloc' in s['why'] for s in data['skipped']), data['skipped']
assert 'mimalloc' not in [r['peer'] for r in data['results']]
END
	ok $? "$name"
fi
name="where standard error is no terminal nothing is said on the way"
if wants_suite "$name"; then
	[ ! -s "$scratch/err" ]
	ok $? "$name"
fi
name="people get a table with a column for each allocator"
if wants_suite "$name"; then
	"$situs" bench $part --area "$area" >"$scratch/out" 2>"$scratch/err" &&
		grep -q '^workload.*Situs .*jemalloc.*glibc' "$scratch/out" &&
		grep -q '^sh6, [0-9]* threads  *[0-9.]* [mµ]*s' "$scratch/out"
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || { show "$scratch/out"; show "$scratch/err"; }
fi
name="the picture is well-formed XML, and says in words what it shows"
if [ -n "$picture" ]; then
	skip "$name" "$picture"
elif wants_suite "$name"; then
	"$situs" bench $part --area "$area" --svg - >"$scratch/bench.svg" 2>"$scratch/err" &&
		python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$scratch/bench.svg" &&
		grep -q '<desc id="description">Shorter is better' "$scratch/bench.svg" &&
		grep -q '<title>sh6, [0-9]* threads: Situs heap: [0-9.]* [mµ]*s</title>' "$scratch/bench.svg"
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || { show "$scratch/bench.svg"; show "$scratch/err"; }
fi
for words in '--rounds many' '--rounds 0' '--area nowhere' '--area node:999' '--svg - --json' --only=; do
	"$situs" bench $words >"$scratch/out" 2>"$scratch/err"
	[ $? -eq 2 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && [ ! -s "$scratch/out" ] || break
	words=
done
[ -z "$words" ]
result=$?
ok $result "what is wrong is one line, and nothing is measured"
[ $result -eq 0 ] || { echo "# $words"; show "$scratch/err"; }
name="a word that nothing has in its name is one line"
if wants_suite "$name"; then
	"$situs" bench --area any --only nosuch >"$scratch/out" 2>"$scratch/err"
	[ $? -eq 2 ] && [ "$(cat "$scratch/err")" = "situs: no step has nosuch in its name" ] && [ ! -s "$scratch/out" ]
	ok $? "$name"
fi
name="a file that cannot be written is named"
if wants_suite "$name"; then
	"$situs" bench --area any --only sh6 --svg "$scratch/none/x.svg" >"$scratch/out" 2>"$scratch/err"
	[ $? -eq 1 ] && grep -q 'cannot be written' "$scratch/err"
	ok $? "$name"
fi
name="without python3 the suite says what it lacks"
if wants_suite "$name"; then
	mkdir "$scratch/empty"
	PATH=$scratch/empty "$situs" bench --area any >"$scratch/out" 2>"$scratch/err"
	[ $? -eq 1 ] && grep -q 'python3 cannot be started.*; Debian package python3' "$scratch/err"
	ok $? "$name"
fi
# By itself the command knows but the folder that the suite would be installed in.
mkdir "$scratch/bin" && cp "$situs" "$scratch/bin/situs" || exit 99
PATH=/nowhere "$scratch/bin/situs" bench --area any >"$scratch/out" 2>"$scratch/err"
status=$?
if grep -q 'python3 cannot' "$scratch/err"; then
	skip "without the suite its absence is told, and what brings it" "another Situs is installed, with its suite"
else
	[ $status -eq 1 ] && grep -q 'benchmark suite is not here.*libbenchmark-dev' "$scratch/err"
	ok $? "without the suite its absence is told, and what brings it"
fi
