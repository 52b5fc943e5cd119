# Sources of this floor.
libsitus_core_la_SOURCES += \
	src/area/area.c src/area/area.h \
	src/area/error.c \
	src/area/linux.c src/area/linux.h \
	src/area/linux_choose.c \
	src/area/unbuilt.c
