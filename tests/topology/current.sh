#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The topologies in this folder are what machines.py writes.
top=${SITUS_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
echo 1..1
if ! command -v python3 >/dev/null; then
	echo "ok 1 - the topologies are what machines.py writes # SKIP python3 is not installed"
	exit 0
fi
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
if ! PYTHONDONTWRITEBYTECODE=1 python3 "$top/tests/topology/machines.py" "$folder"; then
	echo "Bail out! machines.py failed"
	exit 1
fi
wrong=
for file in "$top"/tests/topology/*.xml "$folder"/*.xml; do
	name=${file##*/}
	cmp -s "$top/tests/topology/$name" "$folder/$name" || wrong="$wrong $name"
done
if [ -z "$wrong" ]; then
	echo "ok 1 - the topologies are what machines.py writes"
else
	echo "not ok 1 - the topologies are what machines.py writes"
	echo "#$wrong"
fi
