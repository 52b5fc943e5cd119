# jemalloc's hooks and arenas: the one place that includes <jemalloc/jemalloc.h>.
libsitus_core_la_SOURCES += \
	hooks/arena.c hooks/arena.h \
	hooks/arena_stats.c hooks/arena_stats.h \
	hooks/conduit.c hooks/conduit.h \
	hooks/config.c hooks/config.h \
	hooks/extents.c \
	hooks/fork.c hooks/fork.h \
	hooks/hooks.c hooks/hooks.h \
	hooks/owner.c hooks/owner.h \
	hooks/region.c hooks/region.h \
	hooks/rehome.c \
	hooks/rtree_gate.c hooks/rtree_gate.h \
	hooks/situs_arena.c \
	hooks/space.c hooks/space.h hooks/space_internal.h \
	hooks/space_account.c \
	hooks/space_fork.c \
	hooks/space_regions.c
