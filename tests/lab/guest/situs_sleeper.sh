#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The heap of a program that sleeps goes from node to node, and what it draws later follows. Needs nodes 0 and 1.
# needs: guest:heaps.sh build:tests/conformance/heaps
. /lab/heaps.sh

echo 1..5
begin situs run --area node:0 -- holder 64
look "$pid"
[ "$(bytes 0)" -ge 67108864 ] && [ -z "$(bytes 1)" ]
ok $? "a program sleeps, its heap on node 0"
# A page that the kernel held just then stays, and goes when it is asked for again.
situs migrate "$pid" --to node:1 --wait 0 >/tmp/out 2>/tmp/err || situs migrate "$pid" --to node:1 --wait 0 >/tmp/out 2>/tmp/err
status=$?
show /tmp/out
show /tmp/err
look "$pid"
[ $status -eq 0 ] && [ "$(bytes 1)" -ge 67108864 ] && [ -z "$(bytes 0)" ]
ok $? "its pages are moved to node 1 while it sleeps"
end

export SITUS_PUBLISH=1
begin heaps one node:0 16
situs migrate "$pid" --to node:0-1,interleave --wait 0 >/tmp/out 2>/tmp/err
show /tmp/out
show /tmp/err
look "$pid"
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
look "$pid"
[ "$(bytes 1)" -ge 16777216 ] && [ -z "$(bytes 0)" ]
ok $? "then it draws from node 1"
end
