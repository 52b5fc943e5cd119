# Pages.
dist_man_MANS += doc/man/situs.1 doc/man/situs.7
EXTRA_DIST += doc/architecture.md doc/address-map.md doc/areas.md doc/HACKING.md doc/safety.md doc/stats.md quickstart .ci/run

# An area to copy: compiled and run by the tests, against the library as programs see it.
check_PROGRAMS += doc/example-area
doc_example_area_SOURCES = doc/example-area.c
doc_example_area_LDADD = libsitus.la
