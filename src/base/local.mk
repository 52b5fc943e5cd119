libsitus_core_la_SOURCES += \
	src/base/error.c src/base/error.h \
	src/base/lock.h \
	src/base/pool.c src/base/pool.h
