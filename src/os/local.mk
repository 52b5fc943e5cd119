# Sources of this floor.
libsitus_core_la_SOURCES += \
	src/os/os.h \
	src/os/file.c \
	src/os/map.c \
	src/os/memory.c \
	src/os/numa.c
