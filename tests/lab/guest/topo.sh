#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# `situs topo` shows of each node what the topology file says, and that it comes from the HMAT; of what
# the machine does not tell it shows nothing.
# needs: build:situs
n=0

result() { # name, what was wrong
	n=$((n + 1))
	[ -z "$2" ] && echo "ok $n - $1" || echo "not ok $n - $1"
	[ -z "$2" ] || echo "# $2"
}

# Word COLUMN (from 0) of a variable's text.
column() { # name of the variable, column
	eval "set -- $2 \$$1"
	shift "$(($1 + 1))"
	echo "$1"
}

echo 1..3
situs topo | sed 's/^/# /'
situs topo --json | tr -d ' \n' | sed 's/{"node"/\n&/g; s/"distances":/\n&/' >/tmp/topo

figures="" tiers="" distances="\"distances\":["
node=0
while [ $node -lt "$LAB_N_NODES" ]; do
	said=$(grep "^{\"node\":$node," /tmp/topo)
	near=$(column "LAB_NEAR_$node" 0)
	if [ "$LAB_HMAT" = 1 ]; then
		gib=$(column "LAB_BANDWIDTH_$near" $node)
		ns=$(column "LAB_LATENCY_$near" $node)
		want="\"bandwidth_mib_s\":{\"value\":$((gib * 1024)),\"source\":\"HMAT\"},"
		want="$want\"latency_ns\":{\"value\":$ns,\"source\":\"HMAT\"}"
		source=HMAT
	else
		want='"bandwidth_mib_s":null,"latency_ns":null'
		source=distance
	fi
	case $said in *"$want"*) ;; *) figures="$figures node $node: $want is not in $said" ;; esac
	case $said in *"\"tier_source\":\"$source\""*) ;; *) tiers="$tiers node $node: $said" ;; esac
	row=$(eval "echo \$LAB_DISTANCE_$node" | tr ' ' ,)
	distances="$distances[$row],"
	node=$((node + 1))
done
result 'latency and bandwidth are the topology file'"'"'s' "$figures"
result 'each tier says where it comes from' "$tiers"
grep -qF "${distances%,}]" /tmp/topo && wrong="" || wrong="$distances is not in $(tail -n 1 /tmp/topo)"
result 'distances are the topology file'"'"'s' "$wrong"
