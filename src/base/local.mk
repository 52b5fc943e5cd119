libsitus_core_la_SOURCES += \
	src/base/brief.c src/base/brief.h \
	src/base/error.c src/base/error.h \
	src/base/lock.h \
	src/base/pagemap.c src/base/pagemap.h \
	src/base/pool.c src/base/pool.h \
	src/base/shared_pool.c src/base/shared_pool.h src/base/unmap.c src/base/unmap.h \
	src/base/size.c src/base/size.h \
	src/base/utf8.c src/base/utf8.h
