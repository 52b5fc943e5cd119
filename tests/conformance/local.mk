# Real programs under the preload. A sanitizer's runtime brings a malloc of its own, over which
# nothing can be preloaded, so these run in plain builds.
conformance_tests = \
	tests/conformance/bad_input.sh \
	tests/conformance/completion.sh \
	tests/conformance/bench.sh \
	tests/conformance/doctor.sh \
	tests/conformance/environment.sh \
	tests/conformance/help.sh \
	tests/conformance/hwloc.sh \
	tests/conformance/json.sh \
	tests/conformance/migrate.sh \
	tests/conformance/options.sh \
	tests/conformance/pictures.sh \
	tests/conformance/programs.sh \
	tests/conformance/readme.sh \
	tests/conformance/services.sh \
	tests/conformance/setuid.sh \
	tests/conformance/stat.sh \
	tests/conformance/stress.sh \
	tests/conformance/symbols.sh
EXTRA_DIST += tests/said.sh tests/conformance/lib.sh tests/conformance/compare.sh
dist_check_SCRIPTS += $(conformance_tests) tests/conformance/family.sh

if !SANITIZED
TESTS += $(conformance_tests)
check_PROGRAMS += \
	tests/conformance/containers \
	tests/conformance/ends \
	tests/conformance/extended \
	tests/conformance/forbid \
	tests/conformance/fork_threads \
	tests/conformance/heaps \
	tests/conformance/holder \
	tests/conformance/named \
	tests/conformance/reentrant \
	tests/conformance/secure \
	tests/conformance/shares \
	tests/conformance/spawns
if HAVE_CMOCKA
TESTS += tests/conformance/family.sh
check_PROGRAMS += tests/conformance/family
endif
endif

tests_conformance_containers_SOURCES = tests/conformance/containers.cc
tests_conformance_containers_LDFLAGS = -pthread
tests_conformance_ends_SOURCES = tests/conformance/ends.c
tests_conformance_extended_SOURCES = tests/conformance/extended.c
tests_conformance_extended_CFLAGS = $(AM_CFLAGS) -fno-builtin
tests_conformance_extended_LDADD = $(JEMALLOC_LIBS)
tests_conformance_family_SOURCES = tests/conformance/family.c
tests_conformance_family_CFLAGS = $(test_cflags) -fno-builtin
tests_conformance_family_LDADD = $(CMOCKA_LIBS) -ldl
tests_conformance_fork_threads_SOURCES = tests/conformance/fork_threads.c
tests_conformance_forbid_SOURCES = tests/conformance/forbid.c
tests_conformance_heaps_SOURCES = tests/conformance/heaps.c
tests_conformance_heaps_LDADD = libsitus_core.la
tests_conformance_holder_SOURCES = tests/conformance/holder.c
tests_conformance_reentrant_SOURCES = tests/conformance/reentrant.c
tests_conformance_reentrant_LDADD = -ldl
tests_conformance_named_SOURCES = tests/conformance/named.c
tests_conformance_named_LDADD = -ldl
tests_conformance_shares_SOURCES = tests/conformance/shares.c
tests_conformance_shares_LDFLAGS = -pthread
tests_conformance_shares_LDADD = -ldl
tests_conformance_spawns_SOURCES = tests/conformance/spawns.c
tests_conformance_secure_SOURCES = tests/conformance/secure.c
tests_conformance_secure_LDADD = libsitus.la
# A set-uid program finds its libraries by what it was linked with alone.
tests_conformance_secure_LDFLAGS = -Wl,-rpath,$(abs_top_builddir)/.libs
