#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Other programs' heaps go from node to node on request: unmodified ones, ones with several heaps, one under
# load; page by page and by the kernel's own account they lie where they were sent. Needs nodes 0 and 1.
# needs: guest:heaps.sh build:tests/conformance/heaps redis-check-rdb redis-cli redis-benchmark
. /lab/heaps.sh

# move PID ARGUMENTS...: what the kernel was holding just then stays, and is asked for again.
move() {
	situs migrate "$@" >/tmp/out 2>/tmp/err || situs migrate "$@" >/tmp/out 2>/tmp/err ||
		situs migrate "$@" >/tmp/out 2>/tmp/err
}

echo 1..11
begin situs run --listen --area node:0 -- holder 64
look "$pid"
only 0 64 1
ok $? "an unmodified program begins on node 0"
move "$pid" --to node:1
ok $? "it is moved to node 1"
show /tmp/out
show /tmp/err
look "$pid"
only 1 64 1
ok $? "and lies there, whole"
situs map "$pid" | grep -q 'node 1 ' && ! situs map "$pid" | grep -q 'node 0 '
ok $? "situs map says so too"
move "$pid" --to node:0 --json && look "$pid" && only 0 64 1
ok $? "and back"
end

export SITUS_PUBLISH=1 SITUS_LISTEN=1
begin heaps one node:0 32 two node:0 16
move "$pid" --heap two --to node:1
status=$?
look "$pid"
[ $status -eq 0 ] && only 0 32 1 && only 1 16 2
ok $? "of two heaps one is moved, and the other stays"
echo work >&3
move "$pid" --heap one --to node:1 && look "$pid" && only 1 32 1
ok $? "then the other"
end
unset SITUS_PUBLISH SITUS_LISTEN

# A node with less room than the heap has pages. Strict, since under a plain bind what the heap touches next
# on a full node has the kernel kill somebody. Lists of free pages are kept short, and the heap is larger than
# what is left free and a quarter of the node, which the lists may hold from before.
echo 1000000 >/proc/sys/vm/percpu_pagelist_high_fraction
pool=/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages
echo $((($(free_on 1) / 1024 - 144) / 2)) >$pool
echo "# node 0 has $(free_on 0) KiB free, node 1 $(free_on 1)"
begin situs run --listen --area node:0 -- holder 352
situs migrate "$pid" --to node:1,strict >/tmp/out 2>/tmp/err
[ $? -eq 1 ] && grep -q 'stayed behind' /tmp/err && grep -q 'no room' /tmp/out && kill -0 "$pid"
ok $? "what finds no room stays, and is told"
show /tmp/out
show /tmp/err
echo 0 >$pool
echo 0 >/proc/sys/vm/percpu_pagelist_high_fraction
move "$pid" --to node:1,strict
look "$pid"
only 1 352 1
ok $? "and goes when there is room"
end

# Nobody waits for requests here: the next of its own that needs memory answers.
begin_redis --area node:0
# A page that the kernel held just then may have stayed; whoever asks again gets it.
for records in 40000 10000 10000 10000 10000 10000 10000; do
	redis-benchmark -s /tmp/redis -t set -q -d 1000 -P 64 -n $records -r 1000000 >/dev/null &
	load=$!
	situs migrate $server --to node:1 --wait 60 >/tmp/out 2>/tmp/err
	show /tmp/out
	show /tmp/err
	wait $load
	look $server
	only 1 20 1 && break
done
only 1 20 1
ok $? "redis-server is moved while it serves"
[ "$(redis-cli -s /tmp/redis dbsize)" -gt 10000 ]
ok $? "and has its records"
redis-cli -s /tmp/redis shutdown nosave
wait
