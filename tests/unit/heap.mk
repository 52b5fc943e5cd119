# Tests of hooks and heaps.
if HAVE_CMOCKA
heap_tests = tests/unit/test_depot tests/unit/test_error tests/unit/test_exact tests/unit/test_fork tests/unit/test_heap tests/unit/test_hooks \
	tests/unit/test_misuse tests/unit/test_pagemap
if !GUARDED
# It counts blocks by the byte, and where builds check they are larger than was asked for.
heap_tests += tests/unit/test_large_cache
if !SANITIZED
# And blocks pass one by one there, to be filled and poisoned.
heap_tests += tests/unit/test_conduit
endif
endif
check_PROGRAMS += $(heap_tests)
TESTS += $(heap_tests)
EXTRA_DIST += tests/unit/book_area.h tests/unit/fork_test.h

if !SANITIZED
# A sanitizer's shadow memory is what would be counted.
check_PROGRAMS += tests/unit/test_life tests/unit/test_no_memory
TESTS += tests/unit/test_life tests/unit/test_no_memory
endif
tests_unit_test_no_memory_SOURCES = tests/unit/test_no_memory.c
tests_unit_test_no_memory_CFLAGS = $(test_cflags)
tests_unit_test_no_memory_LDADD = $(test_libs)
tests_unit_test_life_SOURCES = tests/unit/test_life.c
tests_unit_test_life_CFLAGS = $(test_cflags)
tests_unit_test_life_LDADD = $(test_libs)

dist_check_SCRIPTS += tests/unit/hostile.sh tests/unit/mallocs.sh
if !SANITIZED_THREAD
# Under ThreadSanitizer a prefixed jemalloc, which knows nothing of it, stands still at its start, and
# the same programs once for each option take longer than they tell.
TESTS += tests/unit/hostile.sh tests/unit/prefixed.sh
endif
if !SANITIZED
# A sanitizer's runtime brings the process's malloc.
TESTS += tests/unit/mallocs.sh
endif

# A jemalloc under another prefix: the static one, its names changed, without its C++ operators.
dist_check_SCRIPTS += tests/unit/prefixed.sh
EXTRA_DIST += tests/unit/prefixed.syms
if HAVE_PREFIXED
if !SANITIZED_THREAD
check_PROGRAMS += tests/unit/test_prefixed
CLEANFILES += tests/unit/libprefixed.a
tests_unit_test_prefixed_SOURCES = tests/unit/test_prefixed.c
tests_unit_test_prefixed_CFLAGS = $(test_cflags)
tests_unit_test_prefixed_LDADD = $(test_libs) tests/unit/libprefixed.a -lm
tests_unit_test_prefixed_DEPENDENCIES = libsitus_core.la tests/unit/libprefixed.a
tests/unit/libprefixed.a: tests/unit/prefixed.syms
	$(AM_V_GEN)$(MKDIR_P) tests/unit && \
	$(OBJCOPY) --redefine-syms=$(srcdir)/tests/unit/prefixed.syms $(JEMALLOC_ARCHIVE) $@.tmp && \
	{ $(AR) d $@.tmp `$(AR) t $@.tmp | grep cpp` || :; } && mv $@.tmp $@
endif
endif

if !SANITIZED
check_PROGRAMS += tests/unit/test_dlclose tests/unit/test_prof
TESTS += tests/unit/test_dlclose tests/unit/test_prof
tests_unit_test_prof_SOURCES = tests/unit/test_prof.c
tests_unit_test_prof_CFLAGS = $(test_cflags)
tests_unit_test_prof_LDADD = $(test_libs)
tests_unit_test_dlclose_SOURCES = tests/unit/test_dlclose.c
tests_unit_test_dlclose_CFLAGS = $(test_cflags)
tests_unit_test_dlclose_LDADD = $(CMOCKA_LIBS) $(JEMALLOC_LIBS) -lpthread -ldl
endif

tests_unit_test_exact_SOURCES = tests/unit/test_exact.c
tests_unit_test_exact_CFLAGS = $(test_cflags)
tests_unit_test_exact_LDADD = $(test_libs)

tests_unit_test_error_SOURCES = tests/unit/test_error.c
tests_unit_test_error_CFLAGS = $(test_cflags)
tests_unit_test_error_LDADD = $(test_libs)

tests_unit_test_depot_SOURCES = tests/unit/test_depot.c
tests_unit_test_depot_CFLAGS = $(test_cflags)
tests_unit_test_depot_LDADD = $(test_libs)

tests_unit_test_conduit_SOURCES = tests/unit/test_conduit.c
tests_unit_test_conduit_CFLAGS = $(test_cflags)
tests_unit_test_conduit_LDADD = $(test_libs)

tests_unit_test_large_cache_SOURCES = tests/unit/test_large_cache.c
tests_unit_test_large_cache_CFLAGS = $(test_cflags)
tests_unit_test_large_cache_LDADD = $(test_libs)

if GUARDED
check_PROGRAMS += tests/unit/test_checks
TESTS += tests/unit/test_checks
tests_unit_test_checks_SOURCES = tests/unit/test_checks.c
tests_unit_test_checks_CFLAGS = $(test_cflags)
tests_unit_test_checks_LDADD = $(test_libs)

check_PROGRAMS += tests/unit/erring
TESTS += tests/unit/erring.sh
tests_unit_erring_SOURCES = tests/unit/erring.c
tests_unit_erring_LDADD = libsitus_core.la
if FOR_VALGRIND
AM_TESTS_ENVIRONMENT += SITUS_ERRING=memcheck; export SITUS_ERRING;
endif
if SANITIZED
AM_TESTS_ENVIRONMENT += SITUS_ERRING=asan; export SITUS_ERRING;
endif
endif
dist_check_SCRIPTS += tests/unit/erring.sh

check_PROGRAMS += tests/unit/test_heap_faults
TESTS += tests/unit/test_heap_faults
tests_unit_test_heap_faults_SOURCES = tests/unit/test_heap_faults.c
tests_unit_test_heap_faults_CFLAGS = $(test_cflags)
tests_unit_test_heap_faults_LDADD = $(test_libs)
tests_unit_test_heap_faults_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=mmap,--wrap=munmap,--wrap=mprotect,--wrap=madvise,--wrap=pool__get,--wrap=pool__reserve \
	-Wl,--wrap=mallctl,--wrap=mallocx,--wrap=xallocx,--wrap=sched_getcpu

check_PROGRAMS += tests/unit/test_unmap
TESTS += tests/unit/test_unmap
tests_unit_test_unmap_SOURCES = tests/unit/test_unmap.c
tests_unit_test_unmap_CFLAGS = $(test_cflags)
tests_unit_test_unmap_LDADD = $(test_libs)
tests_unit_test_unmap_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=munmap

tests_unit_test_misuse_SOURCES = tests/unit/test_misuse.c
tests_unit_test_misuse_CFLAGS = $(test_cflags)
tests_unit_test_misuse_LDADD = $(test_libs)

tests_unit_test_pagemap_SOURCES = tests/unit/test_pagemap.c
tests_unit_test_pagemap_CFLAGS = $(test_cflags)
tests_unit_test_pagemap_LDADD = $(test_libs)

tests_unit_test_fork_SOURCES = tests/unit/test_fork.c
tests_unit_test_fork_CFLAGS = $(test_cflags)
tests_unit_test_fork_LDADD = $(test_libs)

tests_unit_test_heap_SOURCES = tests/unit/test_heap.c
tests_unit_test_heap_CFLAGS = $(test_cflags)
tests_unit_test_heap_LDADD = $(test_libs)

tests_unit_test_hooks_SOURCES = tests/unit/test_hooks.c
tests_unit_test_hooks_CFLAGS = $(test_cflags)
tests_unit_test_hooks_LDADD = $(test_libs)
endif
