# SPDX-License-Identifier: BSD-3-Clause
# heaps.sh - for the tests of the command in guests: programs with heaps come and go, and where those lie.
# /tmp/json is what situs stat said last.
# needs: build:situs build:.libs/libsitus-preload.so build:tests/conformance/holder source:tests/said.sh
. /lab/said.sh

# begin COMMAND...: with its input at descriptor 3 and its first line in $pid.
begin() {
	rm -f /tmp/go /tmp/ready
	mkfifo /tmp/go /tmp/ready
	timeout 1500 "$@" </tmp/go >/tmp/ready &
	begun=$!
	exec 3>/tmp/go
	read -r pid </tmp/ready
}

# Its input ends; $ended is how it ended.
end() {
	exec 3>&-
	wait $begun
	ended=$?
}

# begin_redis OPTIONS...: redis-server under situs run with these options, as $server; redis-cli -s /tmp/redis reaches it.
begin_redis() {
	# One program of two names; Debian ships this one without a service that starts by itself.
	ln -sf /bin/redis-check-rdb /tmp/redis-server
	situs run "$@" -- /tmp/redis-server --port 0 --unixsocket /tmp/redis --save '' --dir /tmp >/tmp/log &
	server=$!
	tries=0
	while [ $tries -lt 3000 ] && [ "$(redis-cli -s /tmp/redis ping 2>/dev/null)" != PONG ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
}

# look PID: asks where its heaps lie.
look() {
	situs stat --json "$1" >/tmp/json
	echo "# $(nodes nodes 1); $(nodes nodes 2)"
}

# nodes KEY HEAP: the bytes by node under that key of a heap (by number, from 1), as "0":123,"1":456.
nodes() {
	tr -d ' \n' </tmp/json | sed 's/"name":/\n/g' | sed -n "$(($2 + 1))"'s/.*"'"$1"'":{\([^}]*\)}.*/\1/p'
}

# bytes NODE: of the first heap there; nothing: none.
bytes() {
	nodes nodes 1 | tr ',' '\n' | sed -n "s/^\"$1\"://p"
}

# sum NODE: bytes there of all heaps.
sum() {
	tr -d ' \n' </tmp/json | grep -o '"nodes":{[^}]*}' | grep -o "\"$1\":[0-9]*" |
		awk -F: '{ n += $2 } END { print n + 0 }'
}

# only NODE MIB HEAP: at least so much of the heap lies there and nothing elsewhere, by both accounts.
only() {
	there=$(nodes nodes "$3")
	case $there in
	*,* | '') return 1 ;;
	"\"$1\":"*) ;;
	*) return 1 ;;
	esac
	[ "${there#*:}" -ge $(($2 * 1048576)) ] && [ "$there" = "$(nodes numa_maps "$3")" ]
}

# free_on NODE: KiB.
free_on() {
	sed -n 's/.*MemFree: *\([0-9]*\) kB/\1/p' "/sys/devices/system/node/node$1/meminfo"
}
