# Tests of the heap as a whole: what it holds, where it lies, how much it may have.
if HAVE_CMOCKA
stats_tests = tests/unit/test_dump tests/unit/test_limit tests/unit/test_locate tests/unit/test_migrate \
	tests/unit/test_migrate_kinds tests/unit/test_rebalance tests/unit/test_stats
EXTRA_DIST += tests/unit/migrate_test.h
check_PROGRAMS += $(stats_tests)
TESTS += $(stats_tests)

tests_unit_test_dump_SOURCES = tests/unit/test_dump.c
tests_unit_test_dump_CFLAGS = $(test_cflags) $(JANSSON_CFLAGS)
tests_unit_test_dump_LDADD = $(test_libs) $(JANSSON_LIBS)

tests_unit_test_limit_SOURCES = tests/unit/test_limit.c
tests_unit_test_limit_CFLAGS = $(test_cflags)
tests_unit_test_limit_LDADD = $(test_libs)

tests_unit_test_locate_SOURCES = tests/unit/test_locate.c
tests_unit_test_locate_CFLAGS = $(test_cflags)
tests_unit_test_locate_LDADD = $(test_libs)

tests_unit_test_migrate_SOURCES = tests/unit/test_migrate.c
tests_unit_test_migrate_CFLAGS = $(test_cflags)
tests_unit_test_migrate_LDADD = $(test_libs)
tests_unit_test_migrate_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=os__mbind,--wrap=os__move_pages

if !SANITIZED
# It stands in front of calls that sanitizers' runtimes make themselves.
check_PROGRAMS += tests/unit/test_migrate_bulk tests/unit/test_migrate_faults
TESTS += tests/unit/test_migrate_bulk tests/unit/test_migrate_faults
endif
tests_unit_test_migrate_faults_SOURCES = tests/unit/test_migrate_faults.c
tests_unit_test_migrate_faults_CFLAGS = $(test_cflags)
tests_unit_test_migrate_faults_LDADD = $(test_libs)
tests_unit_test_migrate_faults_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=os__mbind,--wrap=os__move_pages

tests_unit_test_migrate_bulk_SOURCES = tests/unit/test_migrate_bulk.c
tests_unit_test_migrate_bulk_CFLAGS = $(test_cflags)
tests_unit_test_migrate_bulk_LDADD = $(test_libs)
tests_unit_test_migrate_bulk_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=os__move_pages

tests_unit_test_migrate_kinds_SOURCES = tests/unit/test_migrate_kinds.c
tests_unit_test_migrate_kinds_CFLAGS = $(test_cflags)
tests_unit_test_migrate_kinds_LDADD = $(test_libs)
tests_unit_test_migrate_kinds_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=passage__leave

tests_unit_test_rebalance_SOURCES = tests/unit/test_rebalance.c
tests_unit_test_rebalance_CFLAGS = $(test_cflags)
tests_unit_test_rebalance_LDADD = $(test_libs)

tests_unit_test_stats_SOURCES = tests/unit/test_stats.c
tests_unit_test_stats_CFLAGS = $(test_cflags)
tests_unit_test_stats_LDADD = $(test_libs)
endif
