# Benchmarks.

if HAVE_BENCHMARK
EXTRA_PROGRAMS += bench/area_bench
bench_area_bench_SOURCES = bench/area_bench.cc
bench_area_bench_CPPFLAGS = $(AM_CPPFLAGS) $(BENCHMARK_CFLAGS)
bench_area_bench_LDADD = libsitus.la $(BENCHMARK_LIBS) $(NUMA_LIBS)

# Peers from Debian's libabsl-dev and libboost-dev; headers only.
EXTRA_PROGRAMS += bench/amm_bench
bench_amm_bench_SOURCES = bench/amm_bench.cc
bench_amm_bench_CPPFLAGS = $(AM_CPPFLAGS) $(BENCHMARK_CFLAGS)
bench_amm_bench_LDADD = libsitus.la $(BENCHMARK_LIBS) -lpthread
endif
