# Pages.
dist_man_MANS += doc/man/situs.1 doc/man/situs.3 doc/man/aml.3 doc/man/amm.3 doc/man/situs.7
# Completion, where bash-completion looks for it.
completionsdir = $(datadir)/bash-completion/completions
install-data-local:
	$(MKDIR_P) '$(DESTDIR)$(completionsdir)'
	$(INSTALL_DATA) '$(srcdir)/doc/situs.bash' '$(DESTDIR)$(completionsdir)/situs'
uninstall-local:
	rm -f '$(DESTDIR)$(completionsdir)/situs'
EXTRA_DIST += doc/situs.bash

EXTRA_DIST += doc/architecture.md doc/address-map.md doc/areas.md doc/HACKING.md doc/safety.md doc/stats.md quickstart .ci/run \
	doc/benchmarks.md $(bench_pictures)
bench_pictures = doc/benchmarks/map.svg doc/benchmarks/memory.svg doc/benchmarks/micro.svg \
	doc/benchmarks/programs-memory.svg doc/benchmarks/programs.svg doc/benchmarks/workloads.svg

# An area to copy: compiled and run by the tests, against the library as programs see it.
check_PROGRAMS += doc/example-area
doc_example_area_SOURCES = doc/example-area.c
doc_example_area_LDADD = libsitus.la
