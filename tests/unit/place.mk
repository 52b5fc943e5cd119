# Places: the grammar and opening.
if HAVE_CMOCKA
place_tests = tests/unit/test_place
check_PROGRAMS += $(place_tests)
TESTS += $(place_tests)

tests_unit_test_place_SOURCES = tests/unit/test_place.c
tests_unit_test_place_CFLAGS = $(test_cflags)
tests_unit_test_place_LDADD = $(test_libs)
endif
