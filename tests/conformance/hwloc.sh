#!/bin/sh
# hwloc comes along only where a place needs it: what is linked with it, what loads it, and what a machine
# without it, or with one that does not fit, is told.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"
preload=$("$situs" run --dry-run -- true | sed "s/^LD_PRELOAD='\([^']*\)'.*/\1/")

maps() { # VARIABLE=VALUE...: what a program under the preload has mapped
	env "$@" LD_PRELOAD="$preload" cat /proc/self/maps
}

# linked FILE...: no file asks the loader for it.
linked() {
	for file in "$@"; do
		LC_ALL=C ldd "$file" >"$scratch/ldd" 2>&1 && ! grep -E 'hwloc|udev|libnuma' "$scratch/ldd" || return 1
	done
}

echo 1..8
linked "$preload" "$situs" "$build/.libs/libsitus.so"
ok $? "neither the library nor the preload nor the command is linked with hwloc or libnuma"
result=0
for place in any local any,interleave "$area" "any,limit:64M" "any > local"; do
	maps SITUS_AREA="$place" >"$scratch/maps"
	grep -q libsitus-preload "$scratch/maps" && ! grep -q hwloc "$scratch/maps" || result=1
done
ok $result "places that name their nodes run without it"
export LD_DEBUG=files LD_DEBUG_OUTPUT="$scratch/loaded"
"$situs" run --area "$area" -- true && "$situs" stat --self-test >"$scratch/out"
result=$?
unset LD_DEBUG LD_DEBUG_OUTPUT
cat "$scratch"/loaded.* >"$scratch/all"
[ $result -eq 0 ] && grep -q libsitus-preload "$scratch/all" && ! grep -q hwloc "$scratch/all"
ok $? "so do the command's run and stat"
maps SITUS_AREA=dram SITUS_TIERS=dram=0 >"$scratch/maps" 2>"$scratch/err"
grep -q hwloc "$scratch/maps" && [ ! -s "$scratch/err" ] || [ "$area" = any ]
ok $? "a place by kind loads it before main"

mkdir "$scratch/broken"
echo "no library" >"$scratch/broken/$(sed -n 's/.*HWLOC_SONAME "\(.*\)"/\1/p' "$build/config.h")"
maps LD_LIBRARY_PATH="$scratch/broken" SITUS_AREA=dram SITUS_TIERS=dram=0 >"$scratch/maps" 2>"$scratch/err"
[ $? -eq 0 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && grep -q 'libhwloc.*cannot be loaded.*using any' "$scratch/err"
result=$?
ok $result "under the preload one that cannot be loaded is one line, and any is used"
[ $result -eq 0 ] || show "$scratch/err"
LD_LIBRARY_PATH=$scratch/broken "$situs" run --area tier:fastest -- true 2>"$scratch/err"
[ $? -eq 1 ] && [ "$(wc -l <"$scratch/err")" = 1 ] && grep -q 'libhwloc.*cannot be loaded' "$scratch/err"
result=$?
ok $result "the command says so and starts nothing"
[ $result -eq 0 ] || show "$scratch/err"
LD_LIBRARY_PATH=$scratch/broken "$situs" run --area "$area" -- true 2>"$scratch/err" && [ ! -s "$scratch/err" ]
ok $? "other places run all the same"
LD_LIBRARY_PATH=$scratch/broken "$situs" topo 2>"$scratch/err" >"$scratch/out"
[ $? -eq 1 ] && grep -q 'libhwloc.*cannot be loaded' "$scratch/err"
result=$?
ok $result "nodes and tiers cannot be shown without it, and the line says why"
[ $result -eq 0 ] || show "$scratch/err"
