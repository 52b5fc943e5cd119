# Heaps: what programs call.
libsitus_core_la_SOURCES += \
	src/heap/alloc.c \
	src/heap/block.c \
	src/heap/cache.c src/heap/cache.h \
	src/heap/channel.c src/heap/channel.h \
	src/heap/depot.c src/heap/depot.h \
	src/heap/dump.c \
	src/heap/heap.c src/heap/heap.h \
	src/heap/iterate.c \
	src/heap/json.c src/heap/json.h \
	src/heap/large_cache.c src/heap/large_cache.h \
	src/heap/limit.c \
	src/heap/locate.c src/heap/locate.h \
	src/heap/migrate.c \
	src/heap/mistaken.c src/heap/mistaken.h \
	src/heap/move.c src/heap/move.h \
	src/heap/named.c src/heap/named.h \
	src/heap/prometheus.c \
	src/heap/publish.c src/heap/publish.h \
	src/heap/publish_sweep.c \
	src/heap/query.c \
	src/heap/rebalance.c \
	src/heap/registry.c src/heap/registry.h \
	src/heap/sample.c \
	src/heap/settings.c src/heap/settings.h \
	src/heap/size_class.c src/heap/size_class.h \
	src/heap/snapshot.c src/heap/snapshot.h \
	src/heap/stats.c src/heap/stats.h \
	src/heap/thread.c src/heap/thread.h \
	src/base/annotate.h src/heap/alloc.h src/heap/checked.h src/heap/mistake.h src/heap/quarantine.h \
	src/heap/sealed.h src/heap/stranger.h

# Builds that check.
if GUARDED
libsitus_core_la_SOURCES += src/heap/checked.c src/heap/mistake.c src/heap/quarantine.c src/heap/sealed.c
if CHECKING
libsitus_core_la_SOURCES += src/heap/stranger.c
endif
endif
