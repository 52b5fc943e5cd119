# Places: the grammar, opening, and areas in hwloc's terms.
if HAVE_CMOCKA
place_tests = tests/unit/test_place tests/unit/test_place_open
check_PROGRAMS += $(place_tests)
TESTS += $(place_tests)

tests_unit_test_place_SOURCES = tests/unit/test_place.c
tests_unit_test_place_CFLAGS = $(test_cflags)
tests_unit_test_place_LDADD = $(test_libs)

tests_unit_test_place_open_SOURCES = tests/unit/test_place_open.c
tests_unit_test_place_open_CFLAGS = $(test_cflags)
tests_unit_test_place_open_LDADD = $(test_libs)
endif
