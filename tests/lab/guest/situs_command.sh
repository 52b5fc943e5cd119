#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The command on a machine that has nodes: an unmodified program's heap lies where `situs run` was told,
# page by page and by the kernel's own account, and a strict place says no instead of being killed.
# needs: guest:heaps.sh redis-check-rdb redis-cli redis-benchmark
. /lab/heaps.sh

# hold PLACE MIB: a program with so much touched memory in the place; /tmp/json says where it lies.
hold() {
	held --area "$1" -- holder "$2"
}

# held OPTIONS... -- PROGRAM...: the same with other options of situs run.
held() {
	begin ${before-} situs run "$@"
	look "$pid"
	end
}

echo "1..$((LAB_N_NODES + 9))"
node=0
while [ $node -lt "$LAB_N_NODES" ]; do
	hold "node:$node" 64
	[ $ended = 0 ] && only $node 64 1
	ok $? "a program under --area node:$node lies on node $node"
	echo "# numa_maps $(nodes numa_maps 1)"
	node=$((node + 1))
done

hold node:0-1,interleave 64
spread=$(nodes nodes 1)
zero=${spread%%,*}
zero=${zero#*:}
one=${spread##*:}
# By huge pages where the kernel gives them, so the halves differ by a few of those.
case $spread in
'"0":'*',"1":'*) [ "$zero" -gt 25000000 ] && [ "$one" -gt 25000000 ] && [ "$((zero + one))" -ge 67108864 ] && [ $ended = 0 ] ;;
*) false ;;
esac
ok $? "interleaved over two nodes it lies on both, about half and half"
echo "# $spread"

held --ratio node:0,nothp=3,node:1,nothp=1 -- holder 64
zero=$(sum 0)
one=$(sum 1)
[ "$((zero * 100))" -ge "$((one * 280))" ] && [ "$((zero * 100))" -le "$((one * 320))" ] && [ $ended = 0 ]
ok $? "split 3 to 1 it lies on both nodes, 3 to 1"
echo "# $zero, $one"

# On a processor of the second node: there is one in this topology.
cpus=$(cat /sys/devices/system/node/node1/cpulist)
before="taskset $(printf '%x' $((1 << ${cpus%%[,-]*})))"
held --per-thread-local -- holder 64
before=
zero=$(sum 0)
one=$(sum 1)
[ "$one" -ge 67108864 ] && [ "$zero" -lt 1048576 ] && [ $ended = 0 ]
ok $? "with heaps by thread, a thread on node 1 draws from node 1"
echo "# $zero, $one"

last=$((LAB_N_NODES - 1))
begin_redis --area "node:$last"
redis-benchmark -s /tmp/redis -t set -q -d 1000 -P 64 -n 60000 -r 1000000 >/tmp/load.out
ok $? "redis-server on node $last bears a load"
look $server
only "$last" 50 1
ok $? "redis-server's records lie on node $last"
echo "# numa_maps $(nodes numa_maps 1)"
redis-cli -s /tmp/redis shutdown nosave
wait $server
ok $? "redis-server on node $last ends well"

timeout 1500 situs run --area "node:$last,strict" -- holder $(($(free_on $last) / 1024 + 64)) </dev/null >/tmp/out 2>&1
[ $? -eq 1 ]
ok $? "more than a strict node has is NULL, and the program lives to say so"

situs run --area "node:$LAB_N_NODES" -- holder 1 >/tmp/out 2>/tmp/err
[ $? -eq 2 ] && [ ! -s /tmp/out ] && grep -q "node $LAB_N_NODES" /tmp/err
ok $? "an absent node is an error that names it"

situs topo >/tmp/out && [ "$(grep -c '^ *[0-9]* *[a-z]' /tmp/out)" -ge "$LAB_N_NODES" ]
ok $? "situs topo lists every node"
sed 's/^/# /' /tmp/out
