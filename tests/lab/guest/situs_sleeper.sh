#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The heap of a program that sleeps goes from node to node, and what it draws later follows. Needs nodes 0 and 1.
# needs: build:situs build:.libs/libsitus-preload.so build:tests/conformance/holder build:tests/conformance/heaps

n=0
ok() { # status, name
	n=$((n + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
	fi
}

# bytes NODE: of the only heap, page by page.
bytes() {
	tr -d ' \n' </tmp/json | sed -n 's/.*"nodes":{\([^}]*\)}.*/\1/p' | tr ',' '\n' | sed -n "s/^\"$1\"://p"
}

# look: says where the heap lies.
look() {
	situs stat --json "$pid" >/tmp/json
	echo "# node 0: $(bytes 0), node 1: $(bytes 1)"
}

# begin COMMAND...: with its input at descriptor 3 and its first line in $pid.
begin() {
	rm -f /tmp/go /tmp/ready
	mkfifo /tmp/go /tmp/ready
	timeout 1500 "$@" </tmp/go >/tmp/ready &
	exec 3>/tmp/go
	read -r pid </tmp/ready
}

echo 1..5
begin situs run --area node:0 -- holder 64
look
[ "$(bytes 0)" -ge 67108864 ] && [ -z "$(bytes 1)" ]
ok $? "a program sleeps, its heap on node 0"
# A page that the kernel held just then stays, and goes when it is asked for again.
situs migrate "$pid" --to node:1 --wait 0 >/tmp/out 2>/tmp/err || situs migrate "$pid" --to node:1 --wait 0 >/tmp/out 2>/tmp/err
status=$?
sed 's/^/# /' /tmp/out /tmp/err
look
[ $status -eq 0 ] && [ "$(bytes 1)" -ge 67108864 ] && [ -z "$(bytes 0)" ]
ok $? "its pages are moved to node 1 while it sleeps"
exec 3>&-
wait

export SITUS_PUBLISH=1
begin heaps one node:0 16
situs migrate "$pid" --to node:0-1,interleave --wait 0 >/tmp/out 2>/tmp/err
sed 's/^/# /' /tmp/out /tmp/err
look
[ "$(bytes 0)" -ge 16777216 ]
ok $? "what may lie on either node stays where it is"
situs migrate "$pid" --to node:1 --wait 0 >/tmp/out 2>/tmp/err
i=0
until situs stat --json "$pid" | grep -q '"place": "node:1"' || [ $i -ge 3000 ]; do
	echo work >&3
	sleep 0.1
	i=$((i + 1))
done
[ $i -lt 3000 ]
ok $? "a later order replaces an earlier one, and stands until the program takes it"
look
[ "$(bytes 1)" -ge 16777216 ] && [ -z "$(bytes 0)" ]
ok $? "then it draws from node 1"
exec 3>&-
wait
