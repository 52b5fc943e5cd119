/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"

#include "preload/split.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "area/nodes.h"
#include "os/os.h"
#include "preload/start.h"

/* Bytes in use by heap, less than none where other threads freed more than they asked for. */
struct share_of_thread {
	int64_t held[SETTINGS_SHARES_MAX];
	unsigned n_until_look;
	unsigned heap; /* of the node this thread was last seen on */
};

static _Thread_local struct share_of_thread self __attribute__((tls_model("initial-exec")));
static _Atomic(int64_t) held_in_large[SETTINGS_SHARES_MAX];

/* Set once */
static bool is_by_weight;
static double bytes_to_fill[SETTINGS_SHARES_MAX]; /* one over the weight */
static unsigned char heap_of_node[OS_MAX_NODES];

_Static_assert(PRELOAD_HEAPS_MAX <= UCHAR_MAX, "heaps are named by a char");

/* By weight */

void split__by_weight(const struct settings_share *shares, int n)
{
	for (int i = 0; i < n; i++)
		bytes_to_fill[i] = 1.0 / shares[i].weight;
	is_by_weight = true;
}

static int index_of(const situs_heap_t *heap)
{
	for (int i = 0; i < preload.n_heaps; i++)
		if (preload.heaps[i] == heap)
			return i;
	return -1;
}

/* Notes that a heap has so many bytes more (or less) in use, in a block of `size` bytes. */
static void note(const situs_heap_t *heap, size_t size, int64_t change)
{
	int i = is_by_weight ? index_of(heap) : -1;

	if (i < 0)
		return;
	if (size < SPLIT_LARGE)
		self.held[i] += change;
	else
		atomic_fetch_add_explicit(&held_in_large[i], change, memory_order_relaxed);
}

static int lightest(size_t size)
{
	double least = 0;
	int best = 0;

	for (int i = 0; i < preload.n_heaps; i++) {
		int64_t held = size < SPLIT_LARGE ? self.held[i] :
			atomic_load_explicit(&held_in_large[i], memory_order_relaxed);
		double fill = (double)(held + (int64_t)size) * bytes_to_fill[i];

		if (i == 0 || fill < least) {
			least = fill;
			best = i;
		}
	}
	return best;
}

/* By node */

/* A set of nodes that the kernel lists in a file of /sys/devices/system/node; empty where it does not. */
static struct os_nodes listed(const char *file)
{
	struct os_nodes nodes = { { 0 } };
	char path[64], line[512];
	FILE *stream;

	snprintf(path, sizeof(path), "/sys/devices/system/node/%s", file);
	stream = fopen(path, "re");
	if (!stream)
		return nodes;
	if (fgets(line, sizeof(line), stream))
		(void)nodes__parse(&nodes, line, strcspn(line, "\n"));
	fclose(stream);
	return nodes;
}

int split__thread_nodes(int *nodes, int n_max)
{
	struct os_nodes allowed, with_cpus = listed("has_cpu"), both;
	int n = 0;

	if (os__nodes_allowed(&allowed) < 0)
		return 0;
	both = nodes__and(&allowed, &with_cpus);
	/* Threads run on nodes without memory of their own: then every node has to be at hand. */
	if (!os__nodes_within(&with_cpus, &allowed) || os__nodes_count(&both) == 0)
		both = allowed;
	NODES_FOR_EACH(node, &both)
		if (n < n_max)
			nodes[n++] = node;
	return n;
}

static unsigned char nearest(int node, const int *nodes, int n)
{
	unsigned least = UINT_MAX;
	int best = 0;

	for (int i = 0; i < n; i++) {
		unsigned distance;

		if (nodes[i] == node)
			return (unsigned char)i;
		distance = os__node_distance(node, nodes[i]);
		/* 0: the firmware does not say. */
		if (distance != 0 && distance < least) {
			least = distance;
			best = i;
		}
	}
	return (unsigned char)best;
}

void split__by_node(const int *nodes, int n)
{
	struct os_nodes online = listed("online");

	NODES_FOR_EACH(node, &online)
		heap_of_node[node] = nearest(node, nodes, n);
}

static int here(void)
{
	unsigned node;

	if (self.n_until_look-- == 0) {
		self.n_until_look = SPLIT_LOOK - 1;
		if (getcpu(NULL, &node) == 0 && node < OS_MAX_NODES)
			self.heap = heap_of_node[node];
	}
	return (int)self.heap;
}

/* Both */

static void *serve(situs_heap_t *heap, size_t alignment, size_t size, bool zero)
{
	if (zero)
		return situs_calloc(heap, 1, size);
	return alignment ? situs_aligned_alloc(heap, alignment, size) : situs_malloc(heap, size);
}

void *split__allocate(size_t alignment, size_t size, bool zero)
{
	situs_heap_t *heap = thread__self->bound;
	int first = 0, n = 1, saved = errno;
	void *block = NULL;

	if (heap)
		return serve(heap, alignment, size, zero);
	if (size <= PTRDIFF_MAX) {
		first = is_by_weight ? lightest(size) : here();
		n = is_by_weight ? preload.n_heaps : 1;
	}
	for (int i = 0; i < n && !block; i++) {
		heap = preload.heaps[(first + i) % preload.n_heaps];
		block = serve(heap, alignment, size, zero);
	}
	if (block) {
		size_t usable = situs_usable_size(block);

		note(heap, usable, (int64_t)usable);
		errno = saved;
	}
	return block;
}

void *split__resize(situs_heap_t *heap, void *ptr, size_t size)
{
	size_t old_size = situs_usable_size(ptr), new_size;
	void *block = situs_realloc(heap, ptr, size);

	if (!block) {
		block = is_by_weight ? split__allocate(0, size, false) : NULL;
		if (!block)
			return NULL;
		memcpy(block, ptr, old_size < size ? old_size : size);
		split__free(heap, ptr);
		return block;
	}
	new_size = situs_usable_size(block);
	if (new_size != old_size) {
		note(heap, old_size, -(int64_t)old_size);
		note(heap, new_size, (int64_t)new_size);
	}
	return block;
}

void split__free(situs_heap_t *heap, void *ptr)
{
	if (is_by_weight) {
		size_t size = situs_usable_size(ptr);

		note(heap, size, -(int64_t)size);
	}
	situs_free(ptr);
}
