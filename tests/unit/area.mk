# Tests of the areas.
if HAVE_CMOCKA
area_tests = \
	tests/unit/test_area \
	tests/unit/test_area_bad \
	tests/unit/test_area_commit \
	tests/unit/test_area_denied \
	tests/unit/test_area_faults \
	tests/unit/test_area_file \
	tests/unit/test_area_heaps \
	tests/unit/test_area_info \
	tests/unit/test_area_kinds \
	tests/unit/test_area_setuid \
	tests/unit/test_area_shm \
	tests/unit/test_area_strict \
	tests/unit/test_area_thp \
	tests/unit/test_area_user \
	tests/unit/test_ledger
check_PROGRAMS += $(area_tests)
TESTS += $(area_tests)

tests_unit_test_area_SOURCES = tests/unit/test_area.c
tests_unit_test_area_CFLAGS = $(test_cflags)
tests_unit_test_area_LDADD = $(test_libs) $(NUMA_LIBS)

tests_unit_test_area_bad_SOURCES = tests/unit/test_area_bad.c
tests_unit_test_area_bad_CFLAGS = $(test_cflags)
tests_unit_test_area_bad_LDADD = $(test_libs)

tests_unit_test_area_commit_SOURCES = tests/unit/test_area_commit.c
tests_unit_test_area_commit_CFLAGS = $(test_cflags) -D_GNU_SOURCE
tests_unit_test_area_commit_LDADD = $(test_libs)

tests_unit_test_area_denied_SOURCES = tests/unit/test_area_denied.c
tests_unit_test_area_denied_CFLAGS = $(test_cflags)
tests_unit_test_area_denied_LDADD = $(test_libs) $(NUMA_LIBS) $(HWLOC_LIBS)

tests_unit_test_area_faults_SOURCES = tests/unit/test_area_faults.c
tests_unit_test_area_faults_CFLAGS = $(test_cflags) -D_GNU_SOURCE
tests_unit_test_area_faults_LDADD = $(test_libs) $(NUMA_LIBS)
tests_unit_test_area_faults_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=strdup,--wrap=mmap,--wrap=madvise,--wrap=os__mbind \
	-Wl,--wrap=os__move_pages,--wrap=fallocate,--wrap=ftruncate,--wrap=memfd_create \
	-Wl,--wrap=shm_open,--wrap=flock

tests_unit_test_area_file_SOURCES = tests/unit/test_area_file.c
tests_unit_test_area_file_CFLAGS = $(test_cflags) -D_GNU_SOURCE
tests_unit_test_area_file_LDADD = $(test_libs)

tests_unit_test_area_heaps_SOURCES = tests/unit/test_area_heaps.c
tests_unit_test_area_heaps_CFLAGS = $(test_cflags)
tests_unit_test_area_heaps_LDADD = $(test_libs)

tests_unit_test_area_info_SOURCES = tests/unit/test_area_info.c
tests_unit_test_area_info_CFLAGS = $(test_cflags) -D_GNU_SOURCE
tests_unit_test_area_info_LDADD = $(test_libs)

tests_unit_test_area_kinds_SOURCES = tests/unit/test_area_kinds.c
tests_unit_test_area_kinds_CFLAGS = $(test_cflags)
tests_unit_test_area_kinds_LDADD = $(test_libs) $(NUMA_LIBS)

tests_unit_test_area_setuid_SOURCES = tests/unit/test_area_setuid.c
tests_unit_test_area_setuid_CFLAGS = $(test_cflags) -D_GNU_SOURCE
tests_unit_test_area_setuid_LDADD = $(test_libs)

tests_unit_test_area_shm_SOURCES = tests/unit/test_area_shm.c
tests_unit_test_area_shm_CFLAGS = $(test_cflags) -D_GNU_SOURCE
tests_unit_test_area_shm_LDADD = $(test_libs)

tests_unit_test_area_strict_SOURCES = tests/unit/test_area_strict.c
tests_unit_test_area_strict_CFLAGS = $(test_cflags)
tests_unit_test_area_strict_LDADD = $(test_libs) $(NUMA_LIBS)

tests_unit_test_area_thp_SOURCES = tests/unit/test_area_thp.c
tests_unit_test_area_thp_CFLAGS = $(test_cflags)
tests_unit_test_area_thp_LDADD = $(test_libs) $(NUMA_LIBS)
tests_unit_test_area_thp_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=os__move_pages,--wrap=os__get_mempolicy

tests_unit_test_area_user_SOURCES = tests/unit/test_area_user.c
tests_unit_test_area_user_CFLAGS = $(test_cflags)
tests_unit_test_area_user_LDADD = $(test_libs)

tests_unit_test_ledger_SOURCES = tests/unit/test_ledger.c
tests_unit_test_ledger_CFLAGS = $(test_cflags)
tests_unit_test_ledger_LDADD = $(test_libs)
endif

EXTRA_DIST += tests/unit/area_test.h

dist_check_SCRIPTS += tests/unit/example_area.sh
TESTS += tests/unit/example_area.sh
