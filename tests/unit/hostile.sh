#!/bin/sh
# Hooks and heaps do not depend on what MALLOC_CONF says of jemalloc.
#
# hpa:true stays out: Debian's jemalloc 5.3.0 hangs under it in programs of plain malloc and free.
LC_ALL=C
export LC_ALL
tests=${SITUS_BUILDDIR:?run by make check}/tests/unit
out=$(mktemp) || exit 99
trap 'rm -f "$out"' EXIT
trap 'exit 99' INT TERM HUP

SITUS_TEST_FORKS=${SITUS_TEST_FORKS:-40}
export SITUS_TEST_FORKS

confs="
retain:false
dirty_decay_ms:0
dirty_decay_ms:-1,muzzy_decay_ms:-1
background_thread:true
percpu_arena:percpu
junk:true
zero:true
narenas:1
tcache:false
lg_tcache_max:23
oversize_threshold:0
san_guard_small:1,san_guard_large:1
retain:false,dirty_decay_ms:0,muzzy_decay_ms:0
retain:false,zero:true,narenas:1,abort_conf:true
percpu_arena:phycpu,background_thread:true,retain:false,dirty_decay_ms:0
"

set -- $confs
echo "1..$#"
n=0
for conf in $confs; do
	n=$((n + 1))
	failed=
	for test in test_prefixed test_hooks test_heap test_exact test_fork; do
		[ -x "$tests/$test" ] || continue
		if ! MALLOC_CONF=$conf timeout 1200 "$tests/$test" >"$out" 2>&1; then
			failed="$failed $test"
			sed 's/^/# /' "$out" | tail -n 20
		fi
	done
	if [ -z "$failed" ]; then
		echo "ok $n - hooks and heaps hold under $conf"
	else
		echo "not ok $n - hooks and heaps hold under $conf:$failed"
	fi
done
