# Tests of the areas.
if HAVE_CMOCKA
area_tests = tests/unit/test_area
check_PROGRAMS += $(area_tests)
TESTS += $(area_tests)

tests_unit_test_area_SOURCES = tests/unit/test_area.c
tests_unit_test_area_CFLAGS = $(test_cflags)
tests_unit_test_area_LDADD = $(test_libs)
endif
