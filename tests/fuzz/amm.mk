# The address map under operations made of bytes: the corpus in make check, the fuzzer by
# `make fuzz-amm`, which runs for FUZZ_SECONDS (place.mk).
check_PROGRAMS += tests/fuzz/replay_amm
TESTS += tests/fuzz/replay_amm
tests_fuzz_replay_amm_SOURCES = tests/fuzz/fuzz_amm.c tests/fuzz/replay.c \
	tests/property/amm_model.c tests/property/amm_model.h $(amm_own_sources)
tests_fuzz_replay_amm_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"amm"' -DAMM_SMALL_NODES
tests_fuzz_replay_amm_LDFLAGS = $(AM_LDFLAGS) $(amm_model_wrap)
tests_fuzz_replay_amm_LDADD = -lpthread
EXTRA_DIST += tests/fuzz/corpus/amm

# Needs clang. New inputs land in the build folder; those worth keeping go into the corpus.
.PHONY: fuzz-amm
fuzz-amm:
	$(MKDIR_P) tests/fuzz/found-amm
	clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		$(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) -DAMM_SMALL_NODES $(amm_model_wrap) \
		-o tests/fuzz/fuzz_amm $(srcdir)/tests/fuzz/fuzz_amm.c \
		$(srcdir)/tests/property/amm_model.c $(srcdir)/src/amm/*.c \
		$(srcdir)/src/base/error.c $(srcdir)/src/base/pool.c $(srcdir)/src/base/shared_pool.c \
		$(srcdir)/src/base/unmap.c
	tests/fuzz/fuzz_amm -max_total_time=$(FUZZ_SECONDS) -max_len=2000 tests/fuzz/found-amm \
		$(srcdir)/tests/fuzz/corpus/amm
CLEANFILES += tests/fuzz/fuzz_amm
