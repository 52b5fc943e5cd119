#!/bin/sh
# situs topo --svg and situs map draw what is there; what another process is called is no markup.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

# well_formed FILE: any reader of XML can read it.
well_formed() {
	python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' "$1" 2>"$scratch/err" ||
		{ show "$scratch/err"; false; }
}
has() { # file, words...
	file=$1
	shift
	for word in "$@"; do
		grep -qF -e "$word" "$file" || { echo "# $word is missing"; return 1; }
	done
}

echo 1..18
HWLOC_XMLFILE=$source/tests/topology/dram-cxl.xml "$situs" topo --svg "$scratch/topo.svg"
ok $? "a machine is drawn"
well_formed "$scratch/topo.svg"
ok $? "as well-formed XML"
has "$scratch/topo.svg" 'role="img"' '<title id="title">The places of' \
	'Node 2: cxl, 512 GiB, tier 1, 28000 MiB/s, 255 ns.'
ok $? "with a text that says what is to be seen"
has "$scratch/topo.svg" '>node 0<' '>node 1<' '>node 2<' '>255 ns<' '>HMAT<' 'from node 1 to node 2: 24'
ok $? "with nodes, figures, their sources and distances"
HWLOC_XMLFILE=$source/tests/topology/dram-cxl.xml "$situs" topo --svg "$scratch/topo.svg" 'cxl,strict > any' &&
	well_formed "$scratch/topo.svg" && has "$scratch/topo.svg" 'stands for node 2.' '>cxl,strict &gt; any on' &&
	[ "$(grep -c '<g opacity' "$scratch/topo.svg")" = 2 ]
ok $? "with a place, the nodes that it does not stand for are faint"
HWLOC_XMLFILE=$source/tests/topology/dram-cxl.xml "$situs" topo tier:fastest >"$scratch/out" &&
	has "$scratch/out" 'tier:fastest: node 0-1 (tier 0, the fastest that may be used; tiers by HMAT)'
ok $? "in words it says why these"
"$situs" topo --svg - >"$scratch/here.svg" && well_formed "$scratch/here.svg" && has "$scratch/here.svg" '>node 0<'
ok $? "this machine too, to standard output"
"$situs" topo --svg "$scratch/none/x.svg" 2>"$scratch/err"
[ $? -eq 1 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && has "$scratch/err" 'cannot be written'
ok $? "a file that cannot be written is named"
"$situs" topo --svg /dev/full 2>"$scratch/err"
[ $? -eq 1 ] && has "$scratch/err" 'No space left'
ok $? "a full disk is no success"

mkfifo "$scratch/go" "$scratch/ready"
hostile=$(printf '<script>&"\033\377')
SITUS_PUBLISH=1 SITUS_LISTEN=1 $while_needed "$build/tests/conformance/heaps" "$hostile" "$area" 5 second any 3 \
	<"$scratch/go" >"$scratch/ready" &
exec 3>"$scratch/go"
read pid <"$scratch/ready"
table=$(sed -n 's/.* \(\/[^ ]*\/situs-[0-9]*-[0-9]*-[0-9]*\)$/\1/p' "/proc/$pid/maps" | head -n 1)
size=$(stat -c %s "$table")
"$situs" map "$pid" >"$scratch/map" 2>&1 && has "$scratch/map" '2 heaps' 'node 0' &&
	! grep -q "$(printf '\033')" "$scratch/map"
result=$?
ok $result "the address space of each heap is a table"
[ $result -eq 0 ] || show "$scratch/map"
mapped_whole() {
	"$situs" map --json "$pid" >"$scratch/json" && ! grep -q '"extents": null' "$scratch/json"
}
fresh mapped_whole && "$situs" stat --json "$pid" >"$scratch/stat" &&
	python3 - "$scratch/json" "$scratch/stat" <<'END'
import json, sys
map, stat = (json.load(open(name)) for name in sys.argv[1:3])
assert map['pid'] == stat['pid'] and len(map['heaps']) == 2
for m, s in zip(map['heaps'], stat['heaps']):
    runs = m['runs']
    assert m['name'] == s['name']
    assert all(int(r['end'], 16) - int(r['start'], 16) == r['size'] > 0 for r in runs)
    assert all(int(a['end'], 16) <= int(b['start'], 16) for a, b in zip(runs, runs[1:]))
    assert sum(r['size'] for r in runs) == s['address_space'], (m, s)
    for node, size in s['nodes'].items():
        assert sum(r['size'] for r in runs if r['node'] == int(node)) == size, (m, s)
END
ok $? "as JSON, its runs tile the address space and add up to what situs stat says"
python3 - "$scratch/json" <<'END'
import json, sys
for heap in json.load(open(sys.argv[1]))['heaps']:
    extents = [(int(e['start'], 16), e['size']) for e in heap['extents']]
    assert extents and all(a + n <= b for (a, n), (b, _) in zip(extents, extents[1:])), heap
    held = sum(r['size'] for r in heap['runs'] if r['in_extents'])
    assert held == sum(n for _, n in extents) == heap['mapped'], (held, heap['mapped'])
END
ok $? "its extents are what the heap has drawn, byte for byte"
[ "$(stat -c %s "$table")" = "$size" ] && [ "$(stat -c %a "$table")" = 600 ]
result=$?
ok $result "and leave nothing behind the table"
[ $result -eq 0 ] || ls -l "$table" | sed 's/^/# /'
"$situs" map --svg "$scratch/map.svg" "$pid" && well_formed "$scratch/map.svg"
ok $? "its picture is well-formed XML whatever a heap is called"
has "$scratch/map.svg" 'Heap second in any:' 'on node 0' '>second<' '&lt;script&gt;' &&
	! grep -q '<script' "$scratch/map.svg"
ok $? "and says in words what lies where"
"$situs" map --svg "$scratch/map.svg" --json "$pid" 2>"$scratch/err"
[ $? -eq 2 ] && [ "$(wc -l <"$scratch/err")" = 1 ]
ok $? "either a picture or JSON"
exec 3>&-
wait
"$situs" map "$pid" 2>"$scratch/err"
[ $? -eq 1 ] && has "$scratch/err" "no process $pid"
ok $? "a process that has gone is named"
"$situs" map $$ 2>"$scratch/err"
[ $? -eq 1 ] && has "$scratch/err" 'shows no heaps'
ok $? "a process without heaps is told apart"
