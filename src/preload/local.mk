# The preload library: the whole of Situs and the malloc family on top, as a module of its own.
pkglib_LTLIBRARIES = libsitus-preload.la

libsitus_preload_la_SOURCES = \
	src/preload/family.c \
	src/preload/extended.c src/preload/extended.h \
	src/preload/fork.c \
	src/preload/exit.c \
	src/preload/info.c \
	src/preload/operators.c \
	src/preload/report.c src/preload/report.h \
	src/preload/report_write.c \
	src/preload/split.c src/preload/split.h \
	src/preload/start.c src/preload/start.h \
	src/preload/system.c src/preload/system.h
# The compiler must not reason about the very functions defined here (malloc + memset is calloc).
libsitus_preload_la_CFLAGS = $(AM_CFLAGS) -fno-builtin-malloc -fno-builtin-calloc \
	-fno-builtin-realloc -fno-builtin-free -fexceptions
libsitus_preload_la_LIBADD = libsitus_core.la
libsitus_preload_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-Wl,-Bsymbolic-functions \
	-Wl,--wrap=mallocx,--wrap=rallocx,--wrap=xallocx,--wrap=sallocx,--wrap=dallocx,--wrap=sdallocx,--wrap=nallocx,--wrap=mallctl,--wrap=mallctlnametomib,--wrap=mallctlbymib \
	-Wl,--version-script=$(srcdir)/src/preload/preload.map -Wl,-z,defs
if SANITIZED
libsitus_preload_la_LDFLAGS += -Wl,-z,undefs
endif
EXTRA_libsitus_preload_la_DEPENDENCIES = src/preload/preload.map
if ORDERED
libsitus_preload_la_LDFLAGS += $(order_ldflags)
EXTRA_libsitus_preload_la_DEPENDENCIES += src/hot.ld
endif
EXTRA_DIST += src/preload/preload.map
