# Places: the grammar, opening, and areas in hwloc's terms.
if HAVE_CMOCKA
place_tests = tests/unit/test_place tests/unit/test_place_open \
	tests/unit/test_place_first \
	tests/unit/test_hwloc_areas
# ThreadSanitizer's runtime looks up functions by dlsym before anything of ours can stand in front of it.
if !SANITIZED_THREAD
place_tests += tests/unit/test_hwloc_calls
endif
check_PROGRAMS += $(place_tests)
TESTS += $(place_tests)

# Not linked with hwloc, so that the first call loads it.
tests_unit_test_hwloc_calls_SOURCES = tests/unit/test_hwloc_calls.c
tests_unit_test_hwloc_calls_CFLAGS = $(test_cflags)
tests_unit_test_hwloc_calls_LDADD = libsitus_core.la $(CMOCKA_LIBS) -lpthread
tests_unit_test_hwloc_calls_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=dlopen,--wrap=dlsym

tests_unit_test_place_SOURCES = tests/unit/test_place.c
tests_unit_test_place_CFLAGS = $(test_cflags)
tests_unit_test_place_LDADD = $(test_libs)

tests_unit_test_place_open_SOURCES = tests/unit/test_place_open.c tests/unit/place_test.h
tests_unit_test_place_open_CFLAGS = $(test_cflags)
tests_unit_test_place_open_LDADD = $(test_libs)

tests_unit_test_place_first_SOURCES = tests/unit/test_place_first.c tests/unit/place_test.h
tests_unit_test_place_first_CFLAGS = $(test_cflags)
tests_unit_test_place_first_LDADD = $(test_libs)

tests_unit_test_hwloc_areas_SOURCES = tests/unit/test_hwloc_areas.c tests/unit/place_test.h
tests_unit_test_hwloc_areas_CFLAGS = $(test_cflags)
tests_unit_test_hwloc_areas_LDADD = $(test_libs)
endif
