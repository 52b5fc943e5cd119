libsitus_core_la_SOURCES += \
	src/amm/check.c \
	src/amm/find.c src/amm/find.h \
	src/amm/iterate.c \
	src/amm/life.c \
	src/amm/map.c src/amm/map.h \
	src/amm/modify.c \
	src/amm/read.c \
	src/amm/runleaf.c src/amm/runleaf.h \
	src/amm/runs.c src/amm/runs.h \
	src/amm/runs_keep.c \
	src/amm/runs_find.c src/amm/runs_index.h \
	src/amm/runset.c src/amm/runset.h \
	src/amm/runset_edit.c src/amm/runset_node.h \
	src/amm/simple.c \
	src/amm/tree.c src/amm/tree.h \
	src/amm/tree_edit.c src/amm/tree_node.h \
	src/amm/tree_memory.c \
	src/amm/tree_move.c
