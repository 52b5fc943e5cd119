/* SPDX-License-Identifier: BSD-3-Clause */
/* lab_heap.c - see lab_heap.h. */
#include <stdio.h>
#include <string.h>

#include "tests/lab/guest/lab_heap.h"

enum { MAX_EXTENTS = 1 << 18, N_LOCATED = 256, TRIES = 8 };

static struct situs_extent extents[MAX_EXTENTS];
static size_t n_extents;

static int keep(const struct situs_extent *extent, void *arg)
{
	(void)arg;
	if (n_extents == MAX_EXTENTS)
		fail_msg("more than %d extents", MAX_EXTENTS);
	extents[n_extents++] = *extent;
	return 0;
}

/* They are kept first: asking takes memory, and the heap may be where malloc draws from. */
static void read_extents(situs_heap_t *heap)
{
	n_extents = 0;
	assert_int_equal(situs_heap_iterate(heap, keep, NULL), 0);
	assert_true(n_extents > 0);
}

void lab_heap_pages(situs_heap_t *heap, size_t on_node[LAB_MAX_NODES])
{
	static struct lab_census census;

	memset(&census, 0, sizeof(census));
	read_extents(heap);
	for (size_t i = 0; i < n_extents; i++)
		lab_census_add(&census, extents[i].start, extents[i].size);
	lab_census_end(&census);
	for (int node = 0; node < LAB_MAX_NODES; node++)
		on_node[node] += census.on_node[node];
}

static bool is_same(const size_t said[LAB_MAX_NODES], const size_t pages[LAB_MAX_NODES])
{
	return memcmp(said, pages, LAB_MAX_NODES * sizeof(*pages)) == 0;
}

static void assert_same(const char *who, const void *start, const size_t said[LAB_MAX_NODES],
	const size_t pages[LAB_MAX_NODES])
{
	for (int node = 0; node < LAB_MAX_NODES; node++)
		if (said[node] != pages[node])
			fail_msg("%s says that memory at %p has %zu bytes on node %d, move_pages says %zu", who,
				start, said[node], node, pages[node]);
}

static void locate_agrees(const struct situs_extent *extent)
{
	size_t located[LAB_MAX_NODES] = {0}, pages[LAB_MAX_NODES] = {0};

	lab_pages(extent->start, extent->size, pages);
	situs_locate(extent->start, extent->size, located, LAB_MAX_NODES);
	assert_same("situs_locate", extent->start, located, pages);
}

/* The end of the mapping that holds `address`; its present bytes are added to *present. */
static const char *mapping_agrees(const char *address, lab_nodes_t nodes, size_t *present)
{
	struct lab_mapping mapping;
	size_t pages[LAB_MAX_NODES];

	/* The two are not asked at once, and jemalloc gives pages back as time goes by: once they must agree. */
	for (int i = 0; i < TRIES; i++) {
		memset(pages, 0, sizeof(pages));
		lab_mapping_of(address, &mapping);
		lab_pages(mapping.start, (size_t)(mapping.end - mapping.start), pages);
		if (is_same(mapping.on_node, pages))
			break;
	}
	assert_same("numa_maps", mapping.start, mapping.on_node, pages);
	for (int node = 0; node < LAB_MAX_NODES; node++) {
		*present += pages[node];
		if (pages[node] && !(nodes >> node & 1))
			fail_msg("%zu bytes of the heap's mapping at %p are astray, on node %d", pages[node],
				(const void *)mapping.start, node);
	}
	return mapping.end;
}

size_t lab_heap_agrees(situs_heap_t *heap, lab_nodes_t nodes)
{
	size_t present = 0;
	const char *start = NULL, *done = NULL; /* of what was checked last: extents come in address order */

	read_extents(heap);
	for (size_t i = 0; i < n_extents; i++) {
		const char *at = extents[i].start, *end = at + extents[i].size;

		if (i % (n_extents / N_LOCATED + 1) == 0)
			locate_agrees(&extents[i]);
		while (at < end) {
			if (!start || at < start || at >= done) {
				start = at;
				done = mapping_agrees(at, nodes, &present);
			}
			at = done;
		}
	}
	return present;
}
