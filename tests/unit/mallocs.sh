#!/bin/sh
# Heaps are as exact and as fork-proof whatever the process's malloc is.
LC_ALL=C
export LC_ALL
tests=${SITUS_BUILDDIR:?run by make check}/tests/unit
out=$(mktemp) || exit 99
trap 'rm -f "$out"' EXIT
trap 'exit 99' INT TERM HUP

# malloc NAME LIBRARY: with malloc and free from that library.
malloc() {
	found=$(ldconfig -p 2>/dev/null || /sbin/ldconfig -p)
	for test in test_exact test_fork test_heap; do
		n=$((n + 1))
		if ! echo "$found" | grep -q "[[:space:]]$2 "; then
			echo "ok $n - $test with the malloc of $1 # SKIP no $2 here"
		elif SITUS_TEST_MALLOC=$2 LD_PRELOAD=$2 timeout 1200 "$tests/$test" >"$out" 2>&1; then
			echo "ok $n - $test with the malloc of $1"
		else
			echo "not ok $n - $test with the malloc of $1"
			sed 's/^/# /' "$out" | tail -n 20
		fi
	done
}

SITUS_TEST_FORKS=${SITUS_TEST_FORKS:-100}
export SITUS_TEST_FORKS
n=0
echo 1..9
malloc glibc libc.so.6
malloc jemalloc libjemalloc.so.2
malloc mimalloc libmimalloc.so.2
