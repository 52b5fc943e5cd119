# Tests of single functions, one program a pair of files; cmocka prints TAP.
if HAVE_CMOCKA
unit_tests = tests/unit/test_channel tests/unit/test_pool tests/unit/test_publish tests/unit/test_size
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)

tests_unit_test_pool_SOURCES = tests/unit/test_pool.c
tests_unit_test_pool_CFLAGS = $(test_cflags)
tests_unit_test_pool_LDADD = $(test_libs)

tests_unit_test_channel_SOURCES = tests/unit/test_channel.c
tests_unit_test_channel_CFLAGS = $(test_cflags)
tests_unit_test_channel_LDADD = $(test_libs)
tests_unit_test_publish_SOURCES = tests/unit/test_publish.c
tests_unit_test_publish_CFLAGS = $(test_cflags)
tests_unit_test_publish_LDADD = $(test_libs)

tests_unit_test_size_SOURCES = tests/unit/test_size.c
tests_unit_test_size_CFLAGS = $(test_cflags)
tests_unit_test_size_LDADD = $(test_libs)
endif

dist_check_SCRIPTS += tests/unit/layers.sh
TESTS += tests/unit/layers.sh
EXTRA_DIST += tests/unit/test.h

include tests/unit/area.mk
include tests/unit/place.mk
include tests/unit/heap.mk
include tests/unit/amm.mk
include tests/unit/stats.mk
