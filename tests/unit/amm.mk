# The address map.
if HAVE_CMOCKA
amm_tests = tests/unit/test_amm tests/unit/test_amm_modify tests/unit/test_amm_memory \
	tests/unit/test_amm_find tests/unit/test_amm_bad \
	tests/unit/test_amm_space tests/unit/test_amm_readers tests/unit/test_amm_readers_deep
check_PROGRAMS += $(amm_tests)
TESTS += $(amm_tests)

tests_unit_test_amm_SOURCES = tests/unit/test_amm.c tests/unit/amm_test.h
tests_unit_test_amm_CFLAGS = $(test_cflags)
tests_unit_test_amm_LDADD = $(test_libs)

tests_unit_test_amm_modify_SOURCES = tests/unit/test_amm_modify.c tests/unit/amm_test.h
tests_unit_test_amm_modify_CFLAGS = $(test_cflags)
tests_unit_test_amm_modify_LDADD = $(test_libs)

tests_unit_test_amm_memory_SOURCES = tests/unit/test_amm_memory.c tests/unit/amm_test.h
tests_unit_test_amm_memory_CFLAGS = $(test_cflags)
tests_unit_test_amm_memory_LDADD = $(test_libs)

tests_unit_test_amm_find_SOURCES = tests/unit/test_amm_find.c tests/unit/amm_test.h
tests_unit_test_amm_find_CFLAGS = $(test_cflags)
tests_unit_test_amm_find_LDADD = $(test_libs)

tests_unit_test_amm_bad_SOURCES = tests/unit/test_amm_bad.c tests/unit/amm_test.h
tests_unit_test_amm_bad_CFLAGS = $(test_cflags)
tests_unit_test_amm_bad_LDADD = $(test_libs)

# Through the shared library, as programs see it.
tests_unit_test_amm_space_SOURCES = tests/unit/test_amm_space.c
tests_unit_test_amm_space_CFLAGS = $(test_cflags)
tests_unit_test_amm_space_LDADD = libsitus.la $(CMOCKA_LIBS)

tests_unit_test_amm_readers_SOURCES = tests/unit/test_amm_readers.c
tests_unit_test_amm_readers_CFLAGS = $(test_cflags)
tests_unit_test_amm_readers_LDADD = $(test_libs)

# Nodes of four slots; see tests/property/local.mk.
tests_unit_test_amm_readers_deep_SOURCES = tests/unit/test_amm_readers.c $(amm_own_sources)
tests_unit_test_amm_readers_deep_CPPFLAGS = $(AM_CPPFLAGS) -DAMM_SMALL_NODES
tests_unit_test_amm_readers_deep_CFLAGS = $(test_cflags)
tests_unit_test_amm_readers_deep_LDADD = $(CMOCKA_LIBS) -lpthread
endif

dist_check_SCRIPTS += tests/unit/headers.sh tests/unit/manuals.sh
TESTS += tests/unit/headers.sh tests/unit/manuals.sh
