#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A topology file with an error is refused with the line and the word; good ones become the arguments
# that QEMU wants. Nothing is booted.
lab=${SITUS_SRCDIR:-.}/tests/lab
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0

result() { # ok|not ok, name, explanation
	n=$((n + 1))
	echo "$1 $n - $2"
	[ "$1" = ok ] || printf '%s\n' "$3" | sed 's/^/# /'
}

cat >"$work/good.topo" <<'E'
node 0 memory 512M cpus 2
node 1 memory 256M near 0
latency 0 100 130
bandwidth 0 100 400
E

# The good file with TEXT in place of line EDIT (5: one more line) is an error in line LINE at WORD.
refuses() { # name, line, word, edit, text
	awk -v n="$4" -v text="$5" 'NR == n { print text; next } { print }
		END { if (n > NR) print text }' "$work/good.topo" >"$work/bad.topo"
	said=$("$lab/run" --print "$work/bad.topo" 2>&1)
	status=$?
	case $status:$said in
	"2:$work/bad.topo:$2: \`$3': "*) result ok "$1" ;;
	*) result 'not ok' "$1" "expected status 2 and line $2, word $3; status $status: $said" ;;
	esac
}

echo 1..34
refuses 'an unknown statement is refused' 5 nodes 5 'nodes 2'
refuses 'an unknown word of a node is refused' 2 cpu 2 'node 1 memory 256M cpu 2'
refuses 'a size without a unit is refused' 2 256 2 'node 1 memory 256 near 0'
refuses 'a size of zero is refused' 2 0M 2 'node 1 memory 0M near 0'
refuses 'a missing value is refused' 2 near 2 'node 1 memory 256M near'
refuses 'a node out of order is refused' 2 2 2 'node 2 memory 256M near 0'
refuses 'a node without memory is refused' 2 1 2 'node 1 cpus 2'
refuses 'unequal processors are refused' 2 1 2 'node 1 memory 256M cpus 1'
refuses 'a node near none is refused with an HMAT' 2 1 2 'node 1 memory 256M'
refuses 'a node near one without processors is refused' 2 1 2 'node 1 memory 256M near 1'
refuses 'a first node without processors is refused' 1 0 1 'node 0 memory 512M'
refuses 'a figure that is no number is refused' 3 13O 3 'latency 0 100 13O'
refuses 'a row that is too short is refused' 4 bandwidth 4 'bandwidth 0 100'
refuses 'latency without bandwidth is refused' 3 latency 4 ''
refuses 'a distance to itself other than 10 is refused' 5 20 5 'distance 0 20 20'
refuses 'a row given twice is refused' 5 0 5 'latency 0 100 130'
refuses 'a word of a node given twice is refused' 2 memory 2 'node 1 memory 256M memory 256M near 0'
refuses 'hotplug given twice is refused' 2 hotplug 2 'node 1 memory 256M hotplug near 0 hotplug'
refuses 'a node with processors near another is refused' 2 near 2 'node 1 memory 256M cpus 2 near 0'
refuses 'a node of 1 MiB is refused' 2 1M 2 'node 1 memory 1M near 0'
refuses 'a first node too small to boot from is refused' 1 64M 1 'node 0 memory 64M cpus 2'
refuses 'a node larger than any machine is refused' 2 999999G 2 'node 1 memory 999999G near 0'
refuses 'nodes that are too much together are refused' 2 memory 2 'node 1 memory 64G near 0'
refuses 'a plugged node that is no whole number of blocks is refused' 2 hotplug 2 'node 1 memory 200M near 0 hotplug'
refuses 'a distance of 10 to another node is refused' 5 10 5 'distance 0 10 10'
refuses 'a kernel line without words is refused' 5 kernel 5 'kernel'
refuses 'a word of bytes that are no UTF-8 is refused' 5 'n\xf6de' 5 "$(printf 'n\366de 2')"
refuses 'a word of letters beyond ASCII is refused' 5 'n\xc3\xb6de' 5 'nöde 2'
refuses 'a word with a control character is refused' 5 'a\x01b' 5 "$(printf 'kernel a\001b')"

mv "$work/good.topo" "$work/kept.topo"
: >"$work/good.topo"
refuses 'an empty file is refused' 1 node 1 ''
awk 'BEGIN { for (node = 0; node < 5; node++) print "node", node, "memory 256M cpus 64" }' >"$work/good.topo"
refuses 'more processors than can be are refused' 2 cpus 9 ''
printf 'node 0 memory 512M cpus 2 # gr\366\337er\r\n' >"$work/good.topo"
said=$("$lab/run" --print "$work/good.topo" 2>&1) && result ok 'comments may be in any encoding' ||
	result 'not ok' 'comments may be in any encoding' "$said"
mv "$work/kept.topo" "$work/good.topo"

wrong=""
for file in "$lab"/topologies/*.topo; do
	"$lab/run" --print "$file" >/dev/null 2>"$work/err" || wrong="$wrong $(cat "$work/err")"
done
[ -z "$wrong" ] && result ok 'every topology of the lab is read' ||
	result 'not ok' 'every topology of the lab is read' "$wrong"

said=$("$lab/run" --print "$work/good.topo")
case $said in
*"hmat=on"*"-m 768 "*"nodeid=1,memdev=m1,initiator=0"*"target=1"*"latency=130"*"bandwidth=400G"*)
	result ok 'figures of the file reach QEMU' ;;
*) result 'not ok' 'figures of the file reach QEMU' "$said" ;;
esac
