#!/bin/sh
# Threads, forks, exit handlers, dlopen, C++ under the preload: nothing hangs, nothing is lost.
. "${SITUS_SRCDIR:?}/tests/conformance/lib.sh"

runs() { # name, command...
	name=$1
	shift
	timeout 1200 "$@" >"$scratch/out" 2>&1
	status=$?
	[ $status -eq 0 ] && grep -q '^done$' "$scratch/out"
	result=$?
	ok $result "$name"
	[ $result -eq 0 ] || { echo "# exit status $status"; show "$scratch/out"; }
}

echo 1..6
here=$build/tests/conformance
runs "threads churn while the program forks" "$situs" run --area "$area" -- "$here/fork_threads"
runs "the same with only large blocks in the place" \
	"$situs" run --area "$area" --size-min 4K -- "$here/fork_threads"
runs "the same with a bare preload" env LD_PRELOAD="$("$situs" run --dry-run -- true |
	sed "s/^LD_PRELOAD='\([^']*\)'.*/\1/")" "$here/fork_threads"
runs "C++ containers, threads, aligned and failing new" "$situs" run --area "$area" -- "$here/containers"
runs "C++ with sizes split between two allocators" \
	"$situs" run --area "$area" --size-min 100 --size-max 100K -- "$here/containers"
runs "jemalloc's background threads begin inside its own calls" \
	"$situs" run --area "$area" -- "$here/reentrant"
