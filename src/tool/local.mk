# The command. It holds the library itself, so that it runs from any folder.
bin_PROGRAMS += situs

situs_words = \
	src/tool/arguments.c \
	src/tool/bench.c \
	src/tool/doctor.c src/tool/doctor.h src/tool/doctor_checks.c \
	src/tool/main.c src/tool/tool.h \
	src/tool/map.c src/tool/map.h src/tool/map_svg.c \
	src/tool/migrate.c src/tool/migrate.h src/tool/migrate_target.c \
	src/tool/places.c src/tool/places.h \
	src/tool/process.h src/tool/process_ask.c src/tool/process_move.c src/tool/process_pages.c \
	src/tool/process_table.c \
	src/tool/program.c src/tool/program.h \
	src/tool/run.c src/tool/run.h src/tool/run_show.c \
	src/tool/stat.c src/tool/stat.h src/tool/stat_show.c \
	src/tool/svg.c src/tool/svg.h \
	src/tool/table.c \
	src/tool/topo.c src/tool/topo.h src/tool/topo_svg.c
situs_SOURCES = $(situs_words) src/tool/elsewhere.c
situs_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) -DPKGLIBDIR='"$(pkglibdir)"' \
	-DPKGLIBEXECDIR='"$(pkglibexecdir)"'
# The C library first: its malloc will do, and so no other is loaded.
situs_LDADD = -lc libsitus_core.la $(JANSSON_LIBS)

# The same with what makes heaps itself: see elsewhere.c.
pkglibexec_PROGRAMS = situs-heaps
situs_heaps_SOURCES = $(situs_words) \
	src/tool/stat_self_test.c
situs_heaps_CFLAGS = $(situs_CFLAGS)
situs_heaps_LDADD = libsitus_core.la $(JANSSON_LIBS)
