#!/bin/sh
# Each program of the benchmark suite runs each of its benchmarks for one tiny iteration, so that none
# rots unseen. What a peer needs may be missing; that is a skip which names it.
LC_ALL=C
export LC_ALL
bench=${SITUS_BUILDDIR:?run by make check}/bench
out=$(mktemp) || exit 99
trap 'rm -f "$out"' EXIT
trap 'exit 99' INT TERM HUP
programs='amm_bench area_bench heap_bench'
peers='situs glibc jemalloc arena_nocache arena_tcache memkind mimalloc mimalloc_heap tcmalloc tbb numa'
works='larson xmalloc sh6 sh8 mstress cache-scratch cache-thrash malloc-large key-value page-cache graph'

n=0
say() { # status, what
	n=$((n + 1))
	case $1 in
	0) echo "ok $n - $2" ;;
	77) echo "ok $n - $2 # SKIP $(tail -n 1 "$out")" ;;
	*)
		echo "not ok $n - $2"
		sed 's/^/# /' "$out" | tail -n 20
		;;
	esac
}

built() { # program
	[ -x "$bench/$1" ] || {
		echo "not built: configure did not find what it needs" >"$out"
		[ -z "${CI:-}" ] || return 1 # the gate has everything
		return 77
	}
}

# Google-benchmark says in its output what went wrong; some of that is no fault.
micro() { # flags after the program's own arguments
	timeout 1200 "$@" --benchmark_min_time=0.000001 >"$out" 2>&1 || return
	grep 'ERROR OCCURRED' "$out" | grep -v 'too many\|wants ' >"$out.wrong"
	wrong=$(cat "$out.wrong")
	rm -f "$out.wrong"
	[ -z "$wrong" ] && grep -q ' ns \| us ' "$out"
}

work() { # program
	for work in $works; do
		timeout 1200 "$bench/$1" --scale=0.01 work "$work" >"$out" 2>&1 || {
			status=$?
			echo "workload $work: exit status $status" >>"$out"
			return $status
		}
		grep -q '^{"work": "'"$work"'".*"looked": [1-9]' "$out" || return 1
	done
}

# Said, not crashed on: where address space ends, some allocators fault. How many were asked: $asked.
little_memory() {
	asked=0
	for program in $programs $peers; do
		case " $programs " in *" $program "*) words= ;; *) words=micro program=peer_$program ;; esac
		[ -x "$bench/$program" ] || continue
		asked=$((asked + 1))
		(ulimit -c 0 && ulimit -v 150000 && exec "$bench/$program" $words --benchmark_min_time=0.000001) >"$out" 2>&1
		status=$?
		[ $status -eq 77 ] && grep -q ': wants [0-9]* MiB of address space' "$out" && continue
		echo "$program: exit status $status" >>"$out"
		return 1
	done
}

set -- $programs $peers
echo "1..$(($# + $(echo $peers | wc -w) + 1))"
for program in $programs; do
	case $program in
	amm_bench) filter='/1000$' ;;
	area_bench) filter='call/|touch/.*/(65536|1048576)$' ;;
	heap_bench) filter='locate|sampled/0|migrate' ;;
	esac
	built $program && micro "$bench/$program" --benchmark_filter="$filter"
	say $? "$program runs"
done
for peer in $peers; do
	built peer_$peer && micro "$bench/peer_$peer" micro --benchmark_filter='-/100000|threads:[48]'
	say $? "peer_$peer runs the micro-benchmarks"
	built peer_$peer && work peer_$peer
	say $? "peer_$peer runs the workloads"
done
built peer_glibc && little_memory && [ $asked -gt 3 ]
say $? "too little address space is said"
