#!/bin/sh
# The C program in README.md, taken from its text, compiled as it says against an installed Situs.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

echo 1..5
prefix=$scratch/prefix
make -s -C "$build" install DESTDIR="$prefix" >"$scratch/install" 2>&1
status=$?
ok $status "make install succeeds"
[ $status -eq 0 ] || show "$scratch/install"

sed -n '/^```c$/,/^```$/p' "$source/README.md" | sed '/^```/d' >"$scratch/placed.c"
[ "$(grep -c . "$scratch/placed.c")" -gt 10 ]
ok $? "README.md holds a C program"

command=$(sed -n 's/^ *\(cc .*pkg-config.*\)$/\1/p' "$source/README.md" | head -n 1)
pc=$(find "$prefix" -name situs.pc)
library=$(dirname "$(dirname "$pc")")
(cd "$scratch" && PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$prefix sh -c "$command") \
	>"$scratch/compile" 2>&1
status=$?
ok $status "it compiles with: $command"
[ $status -eq 0 ] || show "$scratch/compile"

name="it proves its block's node with move_pages"
if [ "$area" = node:0 ]; then
	LD_LIBRARY_PATH=$library "$scratch/placed" >"$scratch/out" 2>&1 && grep -q 'node 0' "$scratch/out"
	status=$?
	ok $status "$name"
	show "$scratch/out"
else
	skip "$name" "this process may not bind memory"
fi

# What follows from a word that nothing has in its name comes from the suite alone.
name="the installed command runs the installed benchmark suite"
if [ ! -x "$build/bench/peer_situs" ] || ! command -v python3 >/dev/null; then
	skip "$name" "no google-benchmark or no python3 here, which the suite wants"
else
	"$(find "$prefix" -path '*/bin/situs')" bench --area any --only nosuch >"$scratch/out" 2>&1
	[ "$(cat "$scratch/out")" = "situs: no step has nosuch in its name" ]
	status=$?
	ok $status "$name"
	[ $status -eq 0 ] || show "$scratch/out"
fi
