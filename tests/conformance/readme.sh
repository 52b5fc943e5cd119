#!/bin/sh
# The C programs in README.md and in the manual's EXAMPLES, taken from their text, compiled as they say
# against an installed Situs.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

echo 1..6
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

# From each #include after .nf to the next .fi: a program.
programs() { # page
	sed -n '/^\.SH EXAMPLES/,$p' "$1" | sed 's/\\-/-/g; s/\\e/\\/g; s/^\\&//' | awk -v folder="$scratch" '
		/^\.fi/ { out = "" }
		out != "" && !/^\./ { print >out }
		/^\.nf/ { begins = 1; next }
		begins && /^#include/ { out = folder "/example" ++n ".c"; print >out }
		{ begins = 0 }'
}

# What the programs of a page print, joined by blanks; the word wrong where one fails.
examples() { # page
	rm -f "$scratch"/example*
	programs "$source/doc/man/$1"
	for program in "$scratch"/example*.c; do
		(cd "$scratch" && PKG_CONFIG_PATH=$(dirname "$pc") PKG_CONFIG_SYSROOT_DIR=$prefix sh -c \
			"cc -Wall -Wextra -Werror '$program' -o example \$(pkg-config --cflags --libs situs) -ljemalloc" &&
			LD_LIBRARY_PATH=$library ./example) || echo wrong
	done 2>&1 | tr '\n' ' '
}

name="the programs of the manual's EXAMPLES compile and do what they say"
if [ "$area" = node:0 ]; then
	examples situs.3 >"$scratch/situs" && examples aml.3 >"$scratch/aml" && examples amm.3 >"$scratch/amm"
	[ "$(cat "$scratch/situs")" = "there there " ] && [ "$(cat "$scratch/aml")" = "mapped in node:0,strict > any " ] &&
		grep -q '^320 ' "$scratch/amm" && ! grep -q wrong "$scratch/amm"
	status=$?
	ok $status "$name"
	[ $status -eq 0 ] || for page in situs aml amm; do show "$scratch/$page"; done
else
	skip "$name" "this process may not bind memory"
fi
