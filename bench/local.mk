# Benchmarks: a program for each peer, from the same objects; `make bench` runs them, and so does
# `situs bench`, for which they are installed. Plain builds have them checked with one tiny iteration;
# sanitizers would measure themselves.
benchexecdir = $(pkglibexecdir)/bench
bench_suitedir = $(benchexecdir)/suite

bench_programs =
bench_suite = bench/suite/__init__.py bench/suite/change.py bench/suite/document.py bench/suite/machine.py \
	bench/suite/micro.py bench/suite/notes.py bench/suite/peers.py bench/suite/pictures.py bench/suite/plan.py \
	bench/suite/plot.py bench/suite/process.py bench/suite/programs.py bench/suite/results.py \
	bench/suite/shown.py bench/suite/summary.py bench/suite/table.py bench/suite/targets.py bench/suite/words.py
if HAVE_BENCHMARK
bench_programs += bench/timed bench/amm_bench bench/area_bench bench/heap_bench \
	bench/peer_situs bench/peer_glibc bench/peer_jemalloc bench/peer_arena_nocache \
	bench/peer_arena_tcache bench/peer_numa
if HAVE_MEMKIND
bench_programs += bench/peer_memkind
endif
if HAVE_MIMALLOC
bench_programs += bench/peer_mimalloc bench/peer_mimalloc_heap
endif
if HAVE_TCMALLOC
bench_programs += bench/peer_tcmalloc
endif
if HAVE_TBB
bench_programs += bench/peer_tbb
endif
bench_libraries = bench/libbench.a
endif

if SANITIZED
EXTRA_PROGRAMS += $(bench_programs)
EXTRA_LIBRARIES = $(bench_libraries)
else
noinst_LIBRARIES = $(bench_libraries)
benchexec_PROGRAMS = $(bench_programs)
# Installing may link them anew, against the library that is installed. (By a variable, or Automake would
# take this for the whole rule.)
install_bench = install-benchexecPROGRAMS
$(install_bench): install-libLTLIBRARIES
if HAVE_BENCHMARK
dist_benchexec_SCRIPTS = bench/quick
dist_bench_suite_DATA = $(bench_suite)
endif
TESTS += bench/smoke.sh
endif
TESTS += bench/report_test.sh
dist_check_SCRIPTS += bench/smoke.sh bench/report_test.sh
EXTRA_DIST += bench/compare bench/quick bench/report bench/run bench/test_suite.py $(bench_suite)

# How much memory is left: the library's own look, which it does not export.
bench_room_sources = src/os/cgroup.c src/os/cgroup.h src/os/text.c src/os/text.h

bench_words = bench/machine.c bench/machine.h bench/words.h $(bench_room_sources)

bench_libbench_a_SOURCES = bench/main.c $(bench_words) bench/micro.cc bench/micro.h \
	bench/peer.h bench/loops.h bench/random.h \
	bench/work/cache.c bench/work/graph.c bench/work/kv.c bench/work/large.c bench/work/larson.c \
	bench/work/mstress.c bench/work/pages.c bench/work/sh.c bench/work/work.c bench/work/work.h \
	bench/work/xmalloc.c
bench_libbench_a_CPPFLAGS = $(AM_CPPFLAGS) $(BENCHMARK_CFLAGS) \
	-DBENCH_BUILT='"$(subst ",,$(strip $(CC) $(CFLAGS) $(SITUS_CHECK_FLAGS)))"'

# Pairs of malloc and free must stay in.
bench_peer_cflags = $(AM_CFLAGS) -fno-builtin-malloc -fno-builtin-calloc -fno-builtin-realloc \
	-fno-builtin-aligned_alloc -fno-builtin-free
bench_peer_libs = bench/libbench.a $(BENCHMARK_LIBS) $(NUMA_LIBS) -lpthread

# A C++ source that is not there has the C++ compiler link, for google-benchmark.
bench_peer_situs_SOURCES = bench/peers/situs.c
nodist_EXTRA_bench_peer_situs_SOURCES = bench/none.cc
bench_peer_situs_CFLAGS = $(bench_peer_cflags)
bench_peer_situs_LDADD = bench/libbench.a libsitus.la $(BENCHMARK_LIBS) $(NUMA_LIBS) -lpthread
# An installed tree may be moved, or ldconfig not be run yet.
bench_own_ldflags = $(AM_LDFLAGS) '-Wl,-rpath,$$ORIGIN/../../../lib'
bench_peer_situs_LDFLAGS = $(bench_own_ldflags)

bench_peer_glibc_SOURCES = bench/peers/glibc.c bench/peers/plain.h
nodist_EXTRA_bench_peer_glibc_SOURCES = bench/none.cc
bench_peer_glibc_CFLAGS = $(bench_peer_cflags)
bench_peer_glibc_LDADD = $(bench_peer_libs)

bench_peer_jemalloc_SOURCES = bench/peers/jemalloc.c bench/peers/jemalloc_version.h bench/peers/plain.h
nodist_EXTRA_bench_peer_jemalloc_SOURCES = bench/none.cc
bench_peer_jemalloc_CFLAGS = $(bench_peer_cflags)
bench_peer_jemalloc_LDADD = $(bench_peer_libs) $(JEMALLOC_LIBS)

bench_arena_headers = bench/peers/arena.h bench/peers/arena_make.h bench/peers/jemalloc_version.h
bench_peer_arena_nocache_SOURCES = bench/peers/arena_nocache.c $(bench_arena_headers)
nodist_EXTRA_bench_peer_arena_nocache_SOURCES = bench/none.cc
bench_peer_arena_nocache_CFLAGS = $(bench_peer_cflags)
bench_peer_arena_nocache_LDADD = $(bench_peer_libs) $(JEMALLOC_LIBS)

bench_peer_arena_tcache_SOURCES = bench/peers/arena_tcache.c $(bench_arena_headers)
nodist_EXTRA_bench_peer_arena_tcache_SOURCES = bench/none.cc
bench_peer_arena_tcache_CFLAGS = $(bench_peer_cflags)
bench_peer_arena_tcache_LDADD = $(bench_peer_libs) $(JEMALLOC_LIBS)

bench_peer_numa_SOURCES = bench/peers/numa.c
nodist_EXTRA_bench_peer_numa_SOURCES = bench/none.cc
bench_peer_numa_CFLAGS = $(bench_peer_cflags)
bench_peer_numa_LDADD = $(bench_peer_libs)

bench_peer_memkind_SOURCES = bench/peers/memkind.c
nodist_EXTRA_bench_peer_memkind_SOURCES = bench/none.cc
bench_peer_memkind_CFLAGS = $(bench_peer_cflags)
bench_peer_memkind_LDADD = $(bench_peer_libs) $(MEMKIND_LIBS)

bench_peer_mimalloc_SOURCES = bench/peers/mimalloc.c bench/peers/plain.h
nodist_EXTRA_bench_peer_mimalloc_SOURCES = bench/none.cc
bench_peer_mimalloc_CFLAGS = $(bench_peer_cflags)
bench_peer_mimalloc_LDADD = $(bench_peer_libs) $(MIMALLOC_LIBS)

bench_peer_mimalloc_heap_SOURCES = bench/peers/mimalloc_heap.c
nodist_EXTRA_bench_peer_mimalloc_heap_SOURCES = bench/none.cc
bench_peer_mimalloc_heap_CFLAGS = $(bench_peer_cflags)
bench_peer_mimalloc_heap_LDADD = $(bench_peer_libs) $(MIMALLOC_LIBS)

bench_peer_tcmalloc_SOURCES = bench/peers/tcmalloc.c bench/peers/plain.h
nodist_EXTRA_bench_peer_tcmalloc_SOURCES = bench/none.cc
bench_peer_tcmalloc_CFLAGS = $(bench_peer_cflags)
bench_peer_tcmalloc_LDADD = $(bench_peer_libs) $(TCMALLOC_LIBS)

bench_peer_tbb_SOURCES = bench/peers/tbb.c bench/peers/plain.h
nodist_EXTRA_bench_peer_tbb_SOURCES = bench/none.cc
bench_peer_tbb_CFLAGS = $(bench_peer_cflags)
bench_peer_tbb_LDADD = $(bench_peer_libs) $(TBB_LIBS)

bench_amm_bench_SOURCES = bench/amm_bench.cc $(bench_words)
bench_amm_bench_CPPFLAGS = $(AM_CPPFLAGS) $(BENCHMARK_CFLAGS)
if HAVE_ABSL
bench_amm_bench_CPPFLAGS += -DHAVE_ABSL
endif
if HAVE_ICL
bench_amm_bench_CPPFLAGS += -DHAVE_ICL
endif
bench_amm_bench_LDADD = libsitus.la $(BENCHMARK_LIBS) $(NUMA_LIBS) -lpthread
bench_amm_bench_LDFLAGS = $(bench_own_ldflags)

bench_area_bench_SOURCES = bench/area_bench.cc $(bench_words)
bench_area_bench_CPPFLAGS = $(AM_CPPFLAGS) $(BENCHMARK_CFLAGS)
bench_area_bench_LDADD = libsitus.la $(BENCHMARK_LIBS) $(NUMA_LIBS)
bench_area_bench_LDFLAGS = $(bench_own_ldflags)

bench_heap_bench_SOURCES = bench/heap_bench.cc $(bench_words)
bench_heap_bench_CPPFLAGS = $(AM_CPPFLAGS) $(BENCHMARK_CFLAGS)
bench_heap_bench_LDADD = libsitus.la $(BENCHMARK_LIBS) $(NUMA_LIBS) -lpthread
bench_heap_bench_LDFLAGS = $(bench_own_ldflags)

bench_timed_SOURCES = bench/timed.c

.PHONY: bench bench-doc bench-programs bench-quick
bench-programs: $(bench_programs) situs libsitus-preload.la
# Results as bench.json, tables and pictures as benchmarks.md, in this build folder. BENCH_FLAGS: for
# bench/run, such as --rounds=5.
bench: bench-programs
	$(srcdir)/bench/run --build=. --out=bench.json $(BENCH_FLAGS); \
		status=$$?; test $$status = 0 || test $$status = 3 || exit 1; \
		$(srcdir)/bench/report bench.json --out=benchmarks.md && exit $$status
bench-quick:
	$(MAKE) bench BENCH_FLAGS="--quick $(BENCH_FLAGS)"
# What was measured last becomes the documentation's.
bench-doc:
	$(srcdir)/bench/report bench.json --out=$(srcdir)/doc/benchmarks.md --readme=$(srcdir)/README.md

clean-local: clean-bench
clean-bench:
	rm -rf benchmarks benchmarks.md bench.json
