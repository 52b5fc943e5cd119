#!/bin/sh
# situs bench measures what is installed here; not how fast anything is, which is no test's business.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

echo 1..8
# An empty file is no library: to this run it is as if mimalloc were not installed.
mkdir "$scratch/lib" && : >"$scratch/lib/libmimalloc.so.2" || exit 99
LD_LIBRARY_PATH=$scratch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} "$situs" bench --rounds 1 --area "$area" --json \
	--svg "$scratch/bench.svg" >"$scratch/json" 2>"$scratch/err"
status=$?
ok $status "everything is measured once"
[ $status -eq 0 ] || show "$scratch/err"
python3 - "$scratch/json" "$area" <<'END'
import json, sys
bench = json.load(open(sys.argv[1]))
peers = {peer['name']: peer['cpu_ns_per_block'] for peer in bench['peers']}
assert bench['place'] == sys.argv[2] and bench['rounds'] == 1
for name in ('glibc', 'Situs heap', 'situs run'):
    assert set(peers[name]) == {'small', 'mixed', 'threads', 'large'}, peers
    assert all(ns > 0 for ns in peers[name].values()), peers
END
ok $? "glibc, heaps and the preload have figures for every work"
python3 - "$scratch/json" <<'END' && grep -q 'Not here:.*mimalloc' "$scratch/bench.svg"
import json, sys
bench = json.load(open(sys.argv[1]))
assert {'name': 'mimalloc', 'package': 'libmimalloc2.0'} in bench['absent'], bench['absent']
assert 'mimalloc' not in [peer['name'] for peer in bench['peers']]
END
ok $? "an allocator that is not here is named, in the picture too"
[ ! -s "$scratch/err" ]
ok $? "where standard error is no terminal nothing is said on the way"
python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$scratch/bench.svg" &&
	grep -q '<desc id="description">Nanoseconds of CPU time a block.*Situs heap' "$scratch/bench.svg"
ok $? "the picture is well-formed XML, and says in words what it shows"
"$situs" bench --work small --library libnosuch.so >"$scratch/out" 2>&1
[ $? -eq 3 ] && [ ! -s "$scratch/out" ]
ok $? "an allocator that is not here is not measured as another"
for words in '--rounds many' '--rounds 0' '--area nowhere' '--area node:999' '--svg - --json'; do
	"$situs" bench $words >"$scratch/out" 2>"$scratch/err"
	[ $? -eq 2 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && [ ! -s "$scratch/out" ] || break
	words=
done
[ -z "$words" ]
result=$?
ok $result "what is wrong is one line, and nothing is measured"
[ $result -eq 0 ] || { echo "# $words"; show "$scratch/err"; }
"$situs" bench --rounds 1 --svg "$scratch/none/x.svg" >"$scratch/out" 2>"$scratch/err"
[ $? -eq 1 ] && grep -q 'cannot be written' "$scratch/err"
ok $? "a file that cannot be written is named"
