# Tests that run in guests with NUMA nodes: doc/lab.md. A guest uses both cores of a small machine, so
# they run after all other tests, and a lock of the runner's lets them run one after the other only.
lab_guest_programs =
lab_suites =
EXTRA_DIST += \
	tests/lab/guest/heaps.sh tests/lab/guest/programs.sh tests/lab/guest/situs_command.sh tests/lab/guest/situs_migrate.sh tests/lab/guest/situs_sleeper.sh \
	tests/lab/guest/topo.sh \
	doc/lab.md tests/lab/run tests/lab/kernel tests/lab/init \
	tests/lab/guest.py tests/lab/image.py tests/lab/topology.py tests/lab/turn.py \
	$(lab_topologies)
lab_topologies = \
	tests/lab/topologies/eight.topo \
	tests/lab/topologies/four-hmat.topo \
	tests/lab/topologies/four-plain.topo \
	tests/lab/topologies/giga.topo \
	tests/lab/topologies/hbm-only.topo \
	tests/lab/topologies/offline.topo \
	tests/lab/topologies/two.topo

dist_check_SCRIPTS += tests/lab/runner.sh tests/lab/topology.sh
TESTS += tests/lab/runner.sh tests/lab/topology.sh

if HAVE_CMOCKA
lab_guest_programs += \
	tests/lab/guest/areas \
	tests/lab/guest/attributes \
	tests/lab/guest/chains \
	tests/lab/guest/exhaust \
	tests/lab/guest/fill \
	tests/lab/guest/gigapages \
	tests/lab/guest/heap_chains \
	tests/lab/guest/heap_moves \
	tests/lab/guest/hugefiles \
	tests/lab/guest/hugepools \
	tests/lab/guest/hwloc_areas \
	tests/lab/guest/kernel_places \
	tests/lab/guest/move_pauses \
	tests/lab/guest/narrow \
	tests/lab/guest/places \
	tests/lab/guest/strict_threads \
	tests/lab/guest/whole_speed
lab_sources = tests/lab/guest/lab.c tests/lab/guest/lab.h
lab_heap_sources = $(lab_sources) tests/lab/guest/lab_heap.c tests/lab/guest/lab_heap.h
lab_full_sources = $(lab_sources) tests/lab/guest/lab_full.c tests/lab/guest/lab_full.h
lab_moves_sources = $(lab_full_sources) tests/lab/guest/lab_blocks.c tests/lab/guest/lab_blocks.h
lab_libs = $(test_libs) $(HWLOC_LIBS) $(NUMA_LIBS) -lpthread

tests_lab_guest_areas_SOURCES = tests/lab/guest/areas.c $(lab_sources)
tests_lab_guest_areas_CFLAGS = $(test_cflags)
tests_lab_guest_areas_LDADD = $(lab_libs)

tests_lab_guest_attributes_SOURCES = tests/lab/guest/attributes.c $(lab_sources)
tests_lab_guest_attributes_CFLAGS = $(test_cflags)
tests_lab_guest_attributes_LDADD = $(lab_libs)

tests_lab_guest_chains_SOURCES = tests/lab/guest/chains.c $(lab_sources)
tests_lab_guest_chains_CFLAGS = $(test_cflags)
tests_lab_guest_chains_LDADD = $(lab_libs)

tests_lab_guest_gigapages_SOURCES = tests/lab/guest/gigapages.c $(lab_sources)
tests_lab_guest_gigapages_CFLAGS = $(test_cflags)
tests_lab_guest_gigapages_LDADD = $(lab_libs)

tests_lab_guest_hugefiles_SOURCES = tests/lab/guest/hugefiles.c $(lab_sources)
tests_lab_guest_hugefiles_CFLAGS = $(test_cflags)
tests_lab_guest_hugefiles_LDADD = $(lab_libs)

tests_lab_guest_heap_chains_SOURCES = tests/lab/guest/heap_chains.c $(lab_moves_sources)
tests_lab_guest_heap_chains_CFLAGS = $(test_cflags)
tests_lab_guest_heap_chains_LDADD = $(lab_libs)

tests_lab_guest_whole_speed_SOURCES = tests/lab/guest/whole_speed.c
tests_lab_guest_whole_speed_CFLAGS = $(test_cflags)
tests_lab_guest_whole_speed_LDADD = $(lab_libs)

tests_lab_guest_move_pauses_SOURCES = tests/lab/guest/move_pauses.c
tests_lab_guest_move_pauses_CFLAGS = $(test_cflags)
tests_lab_guest_move_pauses_LDADD = $(lab_libs)

tests_lab_guest_heap_moves_SOURCES = tests/lab/guest/heap_moves.c $(lab_moves_sources)
tests_lab_guest_heap_moves_CFLAGS = $(test_cflags)
tests_lab_guest_heap_moves_LDADD = $(lab_libs)

tests_lab_guest_hwloc_areas_SOURCES = tests/lab/guest/hwloc_areas.c $(lab_sources)
tests_lab_guest_hwloc_areas_CFLAGS = $(test_cflags)
tests_lab_guest_hwloc_areas_LDADD = $(lab_libs)

tests_lab_guest_kernel_places_SOURCES = tests/lab/guest/kernel_places.c $(lab_sources)
tests_lab_guest_kernel_places_CFLAGS = $(test_cflags)
tests_lab_guest_kernel_places_LDADD = $(lab_libs)

tests_lab_guest_fill_SOURCES = tests/lab/guest/fill.c $(lab_sources)
tests_lab_guest_fill_CFLAGS = $(test_cflags)
tests_lab_guest_fill_LDADD = $(lab_libs)

tests_lab_guest_exhaust_SOURCES = tests/lab/guest/exhaust.c $(lab_heap_sources)
tests_lab_guest_exhaust_CFLAGS = $(test_cflags)
tests_lab_guest_exhaust_LDADD = $(lab_libs)

tests_lab_guest_places_SOURCES = tests/lab/guest/places.c $(lab_heap_sources)
tests_lab_guest_places_CFLAGS = $(test_cflags)
tests_lab_guest_places_LDADD = $(lab_libs)

tests_lab_guest_strict_threads_SOURCES = tests/lab/guest/strict_threads.c $(lab_sources)
tests_lab_guest_strict_threads_CFLAGS = $(test_cflags)
tests_lab_guest_strict_threads_LDADD = $(lab_libs)

tests_lab_guest_narrow_SOURCES = tests/lab/guest/narrow.c $(lab_sources)
tests_lab_guest_narrow_CFLAGS = $(test_cflags)
tests_lab_guest_narrow_LDADD = $(lab_libs)

tests_lab_guest_hugepools_SOURCES = tests/lab/guest/hugepools.c $(lab_sources)
tests_lab_guest_hugepools_CFLAGS = $(test_cflags)
tests_lab_guest_hugepools_LDADD = $(lab_libs)

check_PROGRAMS += $(lab_guest_programs)

lab_suites += \
	tests/lab/two.sh \
	tests/lab/four-hmat.sh \
	tests/lab/four-plain.sh \
	tests/lab/eight.sh \
	tests/lab/giga.sh \
	tests/lab/hbm-only.sh \
	tests/lab/heap_moves.sh \
	tests/lab/offline.sh
endif
dist_check_SCRIPTS += $(lab_suites)

# Sanitizers' shadow memory takes what the guests' nodes are there to count.
if !SANITIZED
TESTS += $(lab_suites)
lab_logs = $(lab_suites:.sh=.log)
$(lab_logs): $(filter-out $(lab_logs),$(TEST_LOGS))
endif

# Emulated processors stumble, and a kernel may have its free pages where a case does not look for them: what
# fails is tried once more in a guest of its own, and the log keeps both. By hand a failure is one.
AM_TESTS_ENVIRONMENT += SITUS_LAB_ATTEMPTS=$${SITUS_LAB_ATTEMPTS:-2}; export SITUS_LAB_ATTEMPTS;

# The lab alone.
lab:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='tests/lab/runner.sh tests/lab/topology.sh $(lab_suites)'
.PHONY: lab

# Each guest's own folder, and the kernel: fetched once, and again after distclean only.
clean-local: lab-clean
lab-clean:
	-rm -rf tests/lab/out
distclean-local: lab-distclean
lab-distclean:
	-rm -rf tests/lab/out tests/lab/fetched
.PHONY: lab-clean lab-distclean
