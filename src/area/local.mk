# Sources of this floor.

# Kinds of areas.
libsitus_core_la_SOURCES += \
	src/area/area.c src/area/area.h \
	src/area/backing.c src/area/backing.h \
	src/area/backing_create.c \
	src/area/backing_data.h src/area/backing_offsets.c \
	src/area/buffer.c \
	src/area/chain.c src/area/chain.h \
	src/area/chain_ask.c \
	src/area/chain_commit.c \
	src/area/chain_create.c src/area/chain_data.h \
	src/area/error.c \
	src/area/figures.c src/area/figures.h \
	src/area/file.c \
	src/area/hugetlb.c \
	src/area/ledger.c src/area/ledger.h \
	src/area/ledger_front.c src/area/ledger_front.h \
	src/area/ledger_list.c src/area/ledger_list.h \
	src/area/ledger_nodes.c src/area/ledger_nodes.h \
	src/area/ledger_watch.c \
	src/area/limit.c src/area/limit.h \
	src/area/linux.c src/area/linux.h \
	src/area/linux_check.c \
	src/area/linux_choose.c \
	src/area/linux_move.c \
	src/area/linux_where.c \
	src/area/paid.c src/area/paid.h \
	src/area/room.c src/area/room.h \
	src/area/shm.c \
	src/area/strict.c \
	src/area/strict_commit.c \
	src/area/strict_huge.c

# Places by name.
libsitus_core_la_SOURCES += \
	src/area/hwloc.c src/area/hwloc_calls.c src/area/hwloc_calls.h \
	src/area/migrate.c src/area/migrate.h src/area/migrate_bulk.c src/area/migrate_internal.h \
	src/area/nodes.c src/area/nodes.h \
	src/area/passage.c src/area/passage.h \
	src/area/place.c src/area/place.h \
	src/area/place_format.c \
	src/area/place_open.c \
	src/area/place_resolve.c \
	src/area/place_words.h \
	src/area/topology.c src/area/topology.h \
	src/area/topology_ask.c \
	src/area/topology_kind.c \
	src/area/topology_nearest.c \
	src/area/topology_processors.c \
	src/area/topology_rank.c \
	src/area/topology_sysfs.c \
	src/area/topology_tiers.c
