#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The command on a machine that has nodes: an unmodified program's heap lies where `situs run` was told,
# page by page and by the kernel's own account, and a strict place says no instead of being killed.
# needs: build:situs build:.libs/libsitus-preload.so build:tests/conformance/holder
# needs: redis-check-rdb redis-cli redis-benchmark

n=0
ok() { # status, name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
	fi
}

# nodes KEY: the bytes by node under that key, as "0":123,"1":456.
nodes() {
	tr -d ' \n' </tmp/json | sed 's/.*"'"$1"'":{\([^}]*\)}.*/\1/'
}

# hold PLACE MIB: a program with so much touched memory in the place; /tmp/json says where it lies.
hold() {
	held --area "$1" -- holder "$2"
}

# held OPTIONS... -- PROGRAM...: the same with other options of situs run. $ended is how it ended.
held() {
	rm -f /tmp/go /tmp/ready
	mkfifo /tmp/go /tmp/ready
	timeout 1500 ${before-} situs run "$@" </tmp/go >/tmp/ready &
	exec 3>/tmp/go
	read -r pid </tmp/ready
	situs stat --json "$pid" >/tmp/json
	exec 3>&-
	wait $!
	ended=$?
}

# only NODE MIB: at least so much lies there and nothing elsewhere, by both accounts.
only() {
	case $(nodes nodes) in
	*,*) return 1 ;;
	"\"$1\":"*) ;;
	*) return 1 ;;
	esac
	bytes=$(nodes nodes)
	[ "$ended" = 0 ] && [ "${bytes#*:}" -ge $(($2 * 1048576)) ] && [ "$bytes" = "$(nodes numa_maps)" ]
}

# sum NODE: present bytes there, of all heaps.
sum() {
	tr -d ' \n' </tmp/json | grep -o '"nodes":{[^}]*}' | grep -o "\"$1\":[0-9]*" |
		awk -F: '{ n += $2 } END { print n + 0 }'
}

echo "1..$((LAB_N_NODES + 9))"
node=0
while [ $node -lt "$LAB_N_NODES" ]; do
	hold "node:$node" 64
	only $node 64
	ok $? "a program under --area node:$node lies on node $node"
	echo "# $(nodes nodes), numa_maps $(nodes numa_maps)"
	node=$((node + 1))
done

hold node:0-1,interleave 64
spread=$(nodes nodes)
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
ln -sf /bin/redis-check-rdb /tmp/redis-server
situs run --area "node:$last" -- /tmp/redis-server --port 0 --unixsocket /tmp/redis --save '' --dir /tmp >/tmp/log &
i=0
while [ $i -lt 3000 ] && [ "$(redis-cli -s /tmp/redis ping 2>/dev/null)" != PONG ]; do
	sleep 0.1
	i=$((i + 1))
done
redis-benchmark -s /tmp/redis -t set -q -d 1000 -P 64 -n 60000 -r 1000000 >/tmp/load.out
ok $? "redis-server on node $last bears a load"
ended=0
situs stat --json $! >/tmp/json
only "$last" 50
ok $? "redis-server's records lie on node $last"
echo "# $(nodes nodes), numa_maps $(nodes numa_maps)"
redis-cli -s /tmp/redis shutdown nosave
wait $!
ended=$?
ok $ended "redis-server on node $last ends well"

free=$(sed -n 's/.*MemFree: *\([0-9]*\) kB/\1/p' "/sys/devices/system/node/node$last/meminfo")
timeout 1500 situs run --area "node:$last,strict" -- holder $((free / 1024 + 64)) </dev/null >/tmp/out 2>&1
[ $? -eq 1 ]
ok $? "more than a strict node has is NULL, and the program lives to say so"

situs run --area "node:$LAB_N_NODES" -- holder 1 >/tmp/out 2>/tmp/err
[ $? -eq 2 ] && [ ! -s /tmp/out ] && grep -q "node $LAB_N_NODES" /tmp/err
ok $? "an absent node is an error that names it"

situs topo >/tmp/out && [ "$(grep -c '^ *[0-9]* *[a-z]' /tmp/out)" -ge "$LAB_N_NODES" ]
ok $? "situs topo lists every node"
sed 's/^/# /' /tmp/out
