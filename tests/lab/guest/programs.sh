#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Unmodified programs under `situs run` on each node: what the kernel says of their memory agrees.
# Arguments: the nodes.
# needs: build:situs build:.libs/libsitus-preload.so
# needs: redis-check-rdb redis-benchmark redis-cli package:libpython3.11-minimal package:python3.11-minimal
n=0

# One program of two names; Debian ships this one without a service that starts by itself.
ln -sf /bin/redis-check-rdb /tmp/redis-server

result() { # ok|not ok, name
	n=$((n + 1))
	echo "$1 $n - $2"
}

# KiB of anonymous memory that a numa_maps file shows: of mappings with a policy, on node $2 and
# elsewhere; and of mappings without one.
account() { # numa_maps file, node
	awk -v node="N$2" '
		/ anon=/ && !/ file=/ {
			for (i = 3; i <= NF; i++)
				if (split($i, w, "=") == 2 && w[1] ~ /^N[0-9]+$/)
					if ($2 == "default") rest += w[2]
					else if (w[1] == node) here += w[2]; else there += w[2]
		}
		END { print here * 4 + 0, there * 4 + 0, rest * 4 + 0 }' "$1"
}

# How a program that loads or checks the one under test ended.
ended() { # name, status, what it said
	if [ "$2" = 0 ]; then
		result ok "$1"
	else
		result 'not ok' "$1"
		echo "# it ended with $2"
		sed 's/^/# /' "$3"
	fi
}

# The program's heap lies on the node, at least MIN KiB of it; what has no policy is stacks, the C
# library and the allocator's books (a few huge pages of 2 MiB), not the program's data.
agrees() { # name, numa_maps file, node, min
	set -- "$1" "$3" "$4" $(account "$2" "$3")
	echo "# $1: $4 KiB of the heap on node $2, $5 KiB elsewhere; $6 KiB beside the heap"
	if [ "$4" -ge "$3" ] && [ "$5" = 0 ] && [ "$6" -le 16384 ]; then
		result ok "$1"
	else
		result 'not ok' "$1"
	fi
}

python_on() { # node
	# Python's own allocator maps memory past malloc.
	rm -f /tmp/numa_maps
	PYTHONMALLOC=malloc situs run --area "node:$1,strict" -- python3.11 -S -c '
blocks = [bytes([i % 255 + 1]) * 5000 for i in range(4000)]
del blocks[::3]
blocks += ["text %d" % i * 40 for i in range(10000)]
open("/tmp/numa_maps", "w").write(open("/proc/self/numa_maps").read())' >/tmp/python.out 2>&1
	ended "python3 on node $1 ends well" $? /tmp/python.out
	agrees "python3 lies on node $1" /tmp/numa_maps "$1" 12000
}

redis_on() { # node
	situs run --area "node:$1,strict" -- /tmp/redis-server --port 0 --unixsocket /tmp/s --save '' \
		--daemonize no >/tmp/redis.out 2>&1 &
	server=$!
	i=0
	while [ $i -lt 3000 ] && [ "$(redis-cli -s /tmp/s ping 2>/dev/null)" != PONG ]; do
		sleep 0.1
		i=$((i + 1))
	done
	redis-benchmark -s /tmp/s -q -t set,get,lpush -n 2500 -r 2500 -d 4000 -c 4 >/tmp/load.out 2>&1
	ended "redis-server on node $1 bears the load" $? /tmp/load.out
	cat /proc/$server/numa_maps >/tmp/numa_maps
	agrees "redis-server with a load lies on node $1" /tmp/numa_maps "$1" 8000
	situs stat $server >/tmp/stat 2>&1
	sed 's/^/# /' /tmp/stat
	if grep -q "node:$1,strict.* the same" /tmp/stat; then
		result ok "situs stat and the kernel agree on redis-server's heap on node $1"
	else
		result 'not ok' "situs stat and the kernel agree on redis-server's heap on node $1"
	fi
	redis-cli -s /tmp/s shutdown nosave
	wait $server
	ended "redis-server on node $1 ends well" $? /tmp/redis.out
}

echo "1..$(($# * 6 + 1))"
for node in "$@"; do
	python_on "$node"
	redis_on "$node"
done

said=$(situs run --area node:63,strict -- python3.11 -c 'print("started")' 2>&1)
case $?:$said in
0:* | *started*) result 'not ok' 'a node that is not there is refused before the program starts' ;;
*) result ok 'a node that is not there is refused before the program starts' ;;
esac
echo "# $said"
