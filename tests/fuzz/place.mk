# The place grammar under hostile text: the corpus in make check, the fuzzer by `make fuzz-place`.
check_PROGRAMS += tests/fuzz/replay_place
TESTS += tests/fuzz/replay_place
tests_fuzz_replay_place_SOURCES = tests/fuzz/fuzz_place.c tests/fuzz/replay.c
tests_fuzz_replay_place_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"place"'
tests_fuzz_replay_place_LDADD = libsitus_core.la
EXTRA_DIST += tests/fuzz/corpus/place

# Needs clang. New inputs land in the build folder; those worth keeping go into the corpus.
FUZZ_SECONDS = 60
.PHONY: fuzz-place
fuzz-place:
	$(MKDIR_P) tests/fuzz/found-place
	clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		$(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) -o tests/fuzz/fuzz_place \
		$(srcdir)/tests/fuzz/fuzz_place.c $(srcdir)/src/base/*.c $(srcdir)/src/os/*.c \
		$(srcdir)/src/area/*.c $(HWLOC_LIBS) $(NUMA_LIBS)
	tests/fuzz/fuzz_place -max_total_time=$(FUZZ_SECONDS) -max_len=4200 \
		-dict=$(srcdir)/tests/fuzz/place.dict tests/fuzz/found-place \
		$(srcdir)/tests/fuzz/corpus/place
CLEANFILES += tests/fuzz/fuzz_place
EXTRA_DIST += tests/fuzz/place.dict
