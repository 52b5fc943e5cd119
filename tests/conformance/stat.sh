#!/bin/sh
# situs stat tells where a program's pages are, and the kernel's account agrees.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

echo 1..10
mkfifo "$scratch/go" "$scratch/ready"
timeout 60 "$situs" run --area "$area" -- "$build/tests/conformance/holder" 64 <"$scratch/go" >"$scratch/ready" &
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
wait
"$situs" stat "$pid" 2>"$scratch/err"
[ $? -eq 1 ] && grep -q 'no process' "$scratch/err" && [ -n "$table" ] && [ ! -e "$table" ]
ok $? "a killed program's table is gone after the next stat"
