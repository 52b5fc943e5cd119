# Sources of this floor.
libsitus_core_la_SOURCES += \
	src/heap/publish.c src/heap/publish.h \
	src/heap/publish_sweep.c
