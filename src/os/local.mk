# Sources of this floor.
libsitus_core_la_SOURCES += \
	src/os/os.h src/os/present.c src/os/present.h \
	src/os/cgroup.c src/os/cgroup.h \
	src/os/file.c \
	src/os/map.c \
	src/os/memory.c \
	src/os/numa.c \
	src/os/policy.c src/os/policy.h \
	src/os/spares.c src/os/spares.h \
	src/os/text.c src/os/text.h
