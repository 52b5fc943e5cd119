#!/bin/sh
# What situs run's options do to a program: shares by weight, heaps by thread, by name, the table at exit.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
here=$build/tests/conformance

# does NAME COMMAND...: it succeeds.
does() {
	name=$1
	shift
	timeout 1200 "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
	status=$?
	ok $status "$name"
	[ $status -eq 0 ] || { echo "# exit status $status"; show "$scratch/out"; show "$scratch/err"; }
}

echo 1..36
does "blocks in use keep to the weights" "$situs" run --ratio any=3,local=1 -- "$here/shares" 3 1
does "weights are proportions" "$situs" run --ratio any=500,local=500 -- "$here/shares" 1 1
does "places of shares may have options" \
	"$situs" run --ratio any,thp=2,local,limit:1G=1 -- "$here/shares" 2 1
does "a full share's blocks go to the others" \
	"$situs" run --ratio any,limit:8M=9,local=1 -- "$here/holder" 40
"$situs" run --ratio any=1,local=3 --limit 40M -- "$here/holder" 60 >"$scratch/out" 2>&1 </dev/null
[ $? -eq 1 ]
ok $? "a limit holds for all shares together"
does "threads fork and end while blocks go by weight" \
	"$situs" run --ratio any=2,local=1 --size-min 64 -- "$here/fork_threads"

"$situs" run --dry-run --area 'any > local' -- printf '[%s]' 'a b' "it's" '' 'x;y' '$HOME' plain=1 >"$scratch/line"
[ "$(sh "$scratch/line")" = "[a b][it's][][x;y][\$HOME][plain=1]" ]
result=$?
ok $result "what --dry-run prints can be given to a shell"
[ $result -eq 0 ] || show "$scratch/line"
"$situs" run --dry-run -- printf '%s' "$(printf 'a\033[2J\nb')" >"$scratch/line"
! grep -q "$(printf '\033')" "$scratch/line" && [ "$(wc -l <"$scratch/line")" = 1 ] && grep -q '\\033\[2J\\012b' "$scratch/line"
ok $? "control characters of words do not reach the terminal"
"$situs" run --dry-run --stats=json -- true >"$scratch/line"
sh "$scratch/line" 2>"$scratch/err" && grep -q '^{"pid":[0-9]*,"program":"true"' "$scratch/err"
result=$?
ok $result "with a table at exit, which is then for whatever process that is"
[ $result -eq 0 ] || { show "$scratch/line"; show "$scratch/err"; }
SITUS_AREA=any SITUS_PER_THREAD_LOCAL=1 "$situs" run --dry-run --ratio any=1 -- env >"$scratch/line"
SITUS_AREA=any SITUS_PER_THREAD_LOCAL=1 sh "$scratch/line" >"$scratch/out" 2>"$scratch/err"
grep -q '^SITUS_RATIO=any=1$' "$scratch/out" && ! grep -q 'SITUS_AREA\|PER_THREAD' "$scratch/out" && [ ! -s "$scratch/err" ]
result=$?
ok $result "what must not be set there is taken away"
[ $result -eq 0 ] || { show "$scratch/line"; show "$scratch/err"; }

HWLOC_XMLFILE=$source/tests/topology/dram-cxl.xml "$situs" run --dry-run -v --area 'any > local' --limit 1G \
	--heap cache=local -- true >"$scratch/out" 2>"$scratch/err"
grep -q 'will lie in any > local: --area says so' "$scratch/err" && grep -q 'beyond 1 GiB .*--limit says so' "$scratch/err" &&
	grep -q 'local: .*touches a page first' "$scratch/err" && grep -q 'calls cache will lie in local' "$scratch/err" &&
	grep -q 'can be preloaded: ' "$scratch/err"
result=$?
ok $result "-v says what was decided and why"
[ $result -eq 0 ] || show "$scratch/err"
"$situs" run --dry-run -v -- true 2>&1 | grep -q 'will lie in any: the default' &&
	SITUS_AREA=local "$situs" run --dry-run -v -- true 2>&1 | grep -q 'will lie in local: SITUS_AREA says so'
ok $? "also where a variable or nobody chose the place"
if [ "$area" = node:0 ]; then
	"$situs" run --dry-run -v --per-thread-local -- true 2>&1 | grep -q ' node:[0-9]*,preferred: node'
	ok $? "heaps by thread are explained node by node"
else
	skip "heaps by thread are explained node by node" "this process may not bind memory"
fi
"$situs" run --dry-run -v --heap a=any --heap b=any --heap a=local -- true 2>"$scratch/err" >"$scratch/out"
[ "$(grep -c 'program calls a' "$scratch/err")" = 1 ] && grep -q 'calls a will lie in local' "$scratch/err" &&
	grep -q 'calls b will lie in any' "$scratch/err"
result=$?
ok $result "and of two places for one heap only the one that counts"
[ $result -eq 0 ] || show "$scratch/err"
cp /bin/true "$scratch/$(printf 'a\033b')"
"$situs" run --stats -- "$scratch/$(printf 'a\033b')" 2>"$scratch/err"
grep -q '^situs: a?b (pid' "$scratch/err"
ok $? "in the table at exit a program's name is one line too"

name="each thread's blocks lie in a heap of its node"
if [ "$area" = node:0 ]; then
	"$situs" run --per-thread-local --stats -- "$here/fork_threads" >"$scratch/out" 2>"$scratch/err"
	[ $? -eq 0 ] && grep -q '^node:[0-9]*,preferred  ' "$scratch/err"
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || show "$scratch/err"
	"$situs" run --per-thread-local --area local,nothp --stats -- true 2>"$scratch/err"
	grep -q '^node:[0-9]*,preferred,nothp ' "$scratch/err"
	ok $? "options of local go to every thread's heap"
	"$situs" run --per-thread-local --area local,strict --stats -- true 2>"$scratch/err"
	grep -q '^node:[0-9]*,strict ' "$scratch/err"
	ok $? "and make them strict"
else
	skip "$name" "this process may not bind memory"
	skip "and make them strict" "this process may not bind memory"
	skip "options of local go to every thread's heap" "this process may not bind memory"
fi

[ "$("$situs" run -- "$here/named")" = any ] &&
	[ "$("$situs" run --heap index=any --heap cache=local,thp -- "$here/named")" = local,thp ]
ok $? "a heap that the program named lies where --heap says"
[ "$("$situs" run --heap cache=any -- "$situs" run --heap cache=local -- "$here/named")" = local ]
ok $? "of two orders for one name the later counts"

"$situs" run --stats=json --area any --limit 1G -- timeout 1200 ls /nonexistent 2>"$scratch/err" >"$scratch/out"
[ $? -eq 2 ] && grep '^{' "$scratch/err" | python3 -c 'import json, sys
text = sys.stdin.read()
assert text.count("\n") == 1, text
found = json.loads(text)
main = found["heaps"][0]
assert found["program"] == "timeout" and main["name"] == "main" and main["place"] == "any" and main["limit"] == 1 << 30
assert 0 < main["allocated"] <= main["mapped"] <= main["peak"] and (main["nodes"] is None or sum(main["nodes"].values()) > 0), found'
result=$?
ok $result "--stats=json prints them as JSON"
[ $result -eq 0 ] || show "$scratch/err"
SITUS_STATS=1,json "$situs" run --area any -- "$scratch/$(printf 'a\033b')" 2>&1 | python3 -c 'import json, sys
assert json.load(sys.stdin)["program"] == "a\033b"'
ok $? "whatever the program is called"

# timeout forks, and closes its streams before it is done.
"$situs" run --stats --area any -- timeout 1200 ls /nonexistent >"$scratch/out" 2>"$scratch/err"
[ $? -eq 2 ] && [ "$(grep -c 'at exit$' "$scratch/err")" = 1 ] &&
	grep -q '^situs: timeout (pid' "$scratch/err" && grep -q '^main  *any ' "$scratch/err"
result=$?
ok $result "--stats prints the heaps of the program, and not of its children"
[ $result -eq 0 ] || show "$scratch/err"
SITUS_STATS=1 "$situs" run -- timeout 1200 ls /nonexistent >"$scratch/out" 2>"$scratch/err"
[ $? -eq 2 ] && [ "$(grep -c 'at exit$' "$scratch/err")" = 2 ]
ok $? "SITUS_STATS=1 prints them of every process that is executed"

for how in exit _exit _Exit quick_exit; do
	"$situs" run --stats --area any -- "$here/ends" $how 2>"$scratch/err"
	[ $? -eq 5 ] && [ "$(grep -c 'at exit$' "$scratch/err")" = 1 ] && grep -q '^main  *any ' "$scratch/err"
	result=$?
	ok $result "--stats prints at the end by $how too"
	[ $result -eq 0 ] || show "$scratch/err"
done
result=0
for i in 1 2 3 4 5; do
	timeout 1200 "$situs" run --stats --area any -- "$here/ends" handler 2>/dev/null
	[ $? -eq 5 ] || result=1
done
ok $result "a program that ends in a handler amid malloc ends"

does "a program that uses jemalloc's own functions mixes them with free" "$situs" run -- "$here/extended"
does "the same with sizes split between two allocators" \
	"$situs" run --size-min 100 --size-max 100K -- "$here/extended"

object=situs-test-$$
does "in shared memory forks are refused, posix_spawn is not, and no other child writes there" \
	"$situs" run --area "shm:$object" -- "$here/spawns"
grep -q 'may not fork' "$scratch/err"
ok $? "the refusal says why"
"$situs" run --area "shm:$object" -- sh -c 'kill -KILL $$' 2>/dev/null
[ ! -e "/dev/shm/$object" ]
ok $? "no end of a program leaves its shared memory object behind"
rm -f "/dev/shm/$object"
"$situs" run --heap "index=shm:$object" -- sh -c '(:); :' >"$scratch/out" 2>"$scratch/err"
grep -q 'may not fork' "$scratch/err"
ok $? "a named heap in shared memory forbids forks as well"
rm -f "/dev/shm/$object"
mkdir "$scratch/memory"
does "memory of files is kept from other children likewise" \
	"$situs" run --area "file:$scratch/memory,limit:64M" -- "$here/spawns"
