# Random programs against models.
amm_model_wrap = -Wl,--wrap=malloc,--wrap=pool__get,--wrap=pool__reserve
if HAVE_CMOCKA
property_tests = tests/property/test_amm_large tests/property/test_amm_model \
	tests/property/test_amm_model_deep tests/property/test_amm_wide tests/property/test_amm_wide_deep
check_PROGRAMS += $(property_tests)
TESTS += $(property_tests)

tests_property_test_amm_large_SOURCES = tests/property/test_amm_large.c
tests_property_test_amm_large_CFLAGS = $(test_cflags)
tests_property_test_amm_large_LDADD = $(test_libs)

tests_property_test_amm_wide_SOURCES = tests/property/test_amm_wide.c
tests_property_test_amm_wide_CFLAGS = $(test_cflags)
tests_property_test_amm_wide_LDADD = $(test_libs)

amm_model_sources = tests/property/amm_model.c tests/property/amm_model.h \
	tests/property/test_amm_model.c

# The sources of the map are compiled anew: planted failures reach the index's memory too, and nodes
# of four slots make trees of many levels out of few entries.
amm_own_sources = src/amm/check.c src/amm/find.c src/amm/iterate.c src/amm/life.c src/amm/map.c \
	src/amm/modify.c src/amm/read.c src/amm/runleaf.c src/amm/runs.c src/amm/runs_find.c src/amm/runs_keep.c \
	src/amm/runset.c src/amm/runset_edit.c src/amm/simple.c src/amm/tree.c src/amm/tree_edit.c \
	src/amm/tree_memory.c src/amm/tree_move.c \
	src/base/error.c src/base/pool.c src/base/shared_pool.c src/base/unmap.c

tests_property_test_amm_model_SOURCES = $(amm_model_sources) $(amm_own_sources)
tests_property_test_amm_model_CFLAGS = $(test_cflags)
tests_property_test_amm_model_LDFLAGS = $(AM_LDFLAGS) $(amm_model_wrap)
tests_property_test_amm_model_LDADD = $(CMOCKA_LIBS)

tests_property_test_amm_model_deep_SOURCES = $(amm_model_sources) $(amm_own_sources)
tests_property_test_amm_model_deep_CPPFLAGS = $(AM_CPPFLAGS) -DAMM_SMALL_NODES
tests_property_test_amm_model_deep_CFLAGS = $(test_cflags)
tests_property_test_amm_model_deep_LDFLAGS = $(AM_LDFLAGS) $(amm_model_wrap)
tests_property_test_amm_model_deep_LDADD = $(CMOCKA_LIBS)

tests_property_test_amm_wide_deep_SOURCES = tests/property/test_amm_wide.c $(amm_own_sources)
tests_property_test_amm_wide_deep_CPPFLAGS = $(AM_CPPFLAGS) -DAMM_SMALL_NODES
tests_property_test_amm_wide_deep_CFLAGS = $(test_cflags)
tests_property_test_amm_wide_deep_LDADD = $(CMOCKA_LIBS)
endif
