#!/bin/sh
# situs doctor: every check with its condition faked, by another machine's files or a real restraint.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
unset XDG_RUNTIME_DIR HWLOC_XMLFILE SITUS_TIERS

root=$scratch/root
put() { # path, text
	mkdir -p "$root/${1%/*}"
	echo "$2" >"$root/$1"
}
# A machine of two nodes where nothing hurts.
healthy() {
	rm -rf "$root"
	mkdir -p "$root/dev/shm"
	put proc/self/status 'Name:	situs
Mems_allowed_list:	0-1
Seccomp:	0'
	put sys/devices/system/node/has_memory 0-1
	put proc/sys/vm/max_map_count 65530
	put proc/sys/vm/overcommit_memory 0
	put proc/sys/kernel/numa_balancing 0
	put proc/sys/kernel/osrelease 6.12.1-test
	put sys/kernel/mm/numa/demotion_enabled false
	put sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages 8
	put sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages 8
	put sys/kernel/mm/transparent_hugepage/enabled 'always [madvise] never'
	put proc/meminfo 'CommitLimit:    1000 kB
Committed_AS:    400 kB
SwapTotal:         0 kB'
}
examine() { # command before situs...
	"$@" "$situs" doctor --root "$root" >"$scratch/out" 2>"$scratch/err"
	status=$?
}
# found RESULT CHECK WORD NAME [REMEDY]: the check says so, with the remedy below it, and the status fits.
found() {
	line=$(grep -n -e "^$1 *$2 .*$3" "$scratch/out" | cut -d : -f 1)
	[ -n "$line" ] && [ ! -s "$scratch/err" ] && { [ "$1" != hurts ] || [ $status -eq 1 ]; }
	result=$?
	if [ $result -eq 0 ] && [ -n "${5-}" ]; then
		sed -n "$((line + 1))p" "$scratch/out" | grep -q -e "-> .*$5"
		result=$?
	fi
	ok $result "$4"
	[ $result -eq 0 ] || { echo "# status $status"; show "$scratch/out"; show "$scratch/err"; }
}

echo 1..31
healthy
examine env
if grep -q '^hurts *calls' "$scratch/out"; then
	skip "a healthy machine has nothing that hurts" "this process may not place memory"
else
	[ $status -eq 0 ] && ! grep -q '^hurts' "$scratch/out"
	ok $? "a healthy machine has nothing that hurts"
fi
for check in cpuset max_map_count overcommit 'numa balancing' demotion 'huge pages' thp swap kernel tables; do
	found ok "$check" . "$check is well there"
done

"$build/tests/conformance/forbid" true 2>"$scratch/err"
if [ $? -eq 77 ]; then
	skip "a filter on mbind is found" "$(cat "$scratch/err")"
	skip "and situs run says so in one line" "$(cat "$scratch/err")"
else
	examine "$build/tests/conformance/forbid"
	found hurts calls 'mbind is refused' "a filter on mbind is found" 'SYS_NICE'
	"$build/tests/conformance/forbid" "$situs" run --area node:0 -- true 2>"$scratch/err"
	[ $? -eq 1 ] && [ "$(wc -l <"$scratch/err")" = 1 ]
	result=$?
	ok $result "and situs run says so in one line"
	[ $result -eq 0 ] || show "$scratch/err"
fi
put proc/self/status 'Mems_allowed_list:	1'
examine env
found hurts cpuset 'node 1 only, of 0-1' "nodes outside the cpuset are found" 'cpuset.mems'
rm "$root/proc/self/status"
examine env
found unknown cpuset . "what cannot be told is called unknown"

healthy
put proc/sys/vm/max_map_count 1000
put proc/sys/vm/overcommit_memory 2
put proc/sys/kernel/numa_balancing 2
put sys/kernel/mm/numa/demotion_enabled true
put sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages 0
put sys/kernel/mm/transparent_hugepage/enabled 'always madvise [never]'
put proc/sys/kernel/osrelease 6.1.0-27-amd64
put proc/meminfo 'CommitLimit:    1000 kB
Committed_AS:    1400 kB
SwapTotal:    2097152 kB'
rmdir "$root/dev/shm"
examine env
found hurts max_map_count 'only 1000' "few mappings are found" 'vm.max_map_count'
found hurts overcommit 'and 0 are left' "strict accounting is found" 'vm.overcommit_memory=0'
found hurts 'numa balancing' 'memory tiering' "NUMA balancing is found" 'kernel.numa_balancing=0'
found hurts demotion 'slower nodes' "demotion is found" 'echo false'
found hurts 'huge pages' 'all 8' "a full pool is found" 'vm.nr_hugepages=16'
found note thp 'are off' "absent transparent huge pages are found" 'echo madvise'
found note swap '2 GiB' "swap is found" 'swapoff'
found note kernel 'weighted' "an older kernel is found" '6.9'
found hurts tables 'cannot be written' "a missing /dev/shm is found" 'XDG_RUNTIME_DIR'
put sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages 0
put sys/kernel/mm/transparent_hugepage/enabled '[always] madvise never'
(ulimit -v 4000000 && "$situs" doctor --root "$root" >"$scratch/out" 2>"$scratch/err")
status=$?
found note 'huge pages' 'are reserved' "an empty pool is found" 'vm.nr_hugepages'
found note thp 'always on' "transparent huge pages for everybody are found" 'nothp'
found hurts 'address space' 'limited to' "a limit of address space is found" 'ulimit -v unlimited'

HWLOC_XMLFILE=$source/tests/topology/no-hmat.xml examine env
grep -q '^[a-z]* *HMAT .*does not tell' "$scratch/out" && grep -q 'SITUS_TIERS' "$scratch/out"
ok $? "a machine without HMAT is found"
"$situs" doctor --json --root "$root" | python3 -c '
import json, sys
found = {f["check"]: f for f in json.load(sys.stdin)}
assert found["max_map_count"]["result"] == "hurts" and "sysctl" in found["max_map_count"]["remedy"]'
ok $? "as JSON it says the same"
mkdir "$scratch/nothing"
"$situs" doctor --root "$scratch/nothing" >"$scratch/out" 2>"$scratch/err"
grep -q '^unknown' "$scratch/out" && awk '/^(note|hurts|unknown) / { getline remedy; if (remedy !~ /^ +-> ./) exit 1 }' "$scratch/out"
result=$?
ok $result "whatever is not well has its remedy on the next line"
[ $result -eq 0 ] || show "$scratch/out"
words='no such pages'
[ ! -d /sys/kernel/mm/hugepages/hugepages-2048kB ] || words='no pages are reserved\|[0-9] of [0-9]* pages are free'
"$situs" places | grep "^hugetlb:2M " | grep -q -e "$words"
ok $? "situs places says what is in the pools of huge pages"
