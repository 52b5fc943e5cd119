/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * graph.c - a graph is built edge by edge, each vertex's list of neighbours growing as needed, and
 * walked breadth first: where blocks lie decides how fast that is.
 */
#include "bench/work/work.h"

#include <string.h>

#define VERTICES 150000
#define EDGES 1500000

struct vertex {
	uint32_t *to;
	uint32_t n, room;
	uint32_t seen;
};

static void add_edge(struct vertex *v, uint32_t to)
{
	if (v->n == v->room) {
		uint32_t room = v->room != 0 ? 2 * v->room : 2;

		v->to = v->to == NULL ? work_get(room * sizeof(*v->to))
				      : work_resize(v->to, v->room * sizeof(*v->to), room * sizeof(*v->to));
		v->room = room;
	}
	v->to[v->n++] = to;
}

static struct vertex **build(size_t n, size_t n_edges)
{
	struct vertex **graph = work_get(n * sizeof(*graph));
	uint64_t random = random_seed(0);

	for (size_t i = 0; i < n; i++) {
		graph[i] = work_get(sizeof(*graph[i]));
		memset(graph[i], 0, sizeof(*graph[i]));
	}
	for (size_t i = 0; i < n_edges; i++) {
		/* The smaller of two draws: some vertices have many neighbours. */
		size_t a = random_below(&random, n), b = random_below(&random, n);

		add_edge(graph[a < b ? a : b], (uint32_t)random_below(&random, n));
	}
	return graph;
}

static size_t walk(struct vertex **graph, size_t n, uint32_t from, uint32_t mark)
{
	uint32_t *queue = work_get(n * sizeof(*queue));
	size_t head = 0, tail = 0;

	queue[tail++] = from;
	graph[from]->seen = mark;
	while (head < tail) {
		const struct vertex *v = graph[queue[head++]];

		for (uint32_t i = 0; i < v->n; i++) {
			if (graph[v->to[i]]->seen == mark)
				continue;
			graph[v->to[i]]->seen = mark;
			queue[tail++] = v->to[i];
		}
	}
	peer.put(queue, n * sizeof(*queue));
	return tail;
}

static void look(struct work_run *run, struct vertex **graph, size_t n)
{
	struct slot slots[1024];
	size_t n_slots = 0;

	for (size_t i = 0; i < n && n_slots < 1024; i++)
		slots[n_slots++] = (struct slot){ graph[i], sizeof(*graph[i]) };
	work_look(run, slots, n_slots);
}

static void run(struct work_run *run)
{
	size_t n = work_scaled(run, VERTICES, 4);
	struct vertex **graph = build(n, work_scaled(run, EDGES, 10));

	for (uint32_t i = 0; i < 4; i++)
		walk(graph, n, i, i + 1);
	look(run, graph, n);
	for (size_t i = 0; i < n; i++) {
		if (graph[i]->to != NULL)
			peer.put(graph[i]->to, graph[i]->room * sizeof(*graph[i]->to));
		peer.put(graph[i], sizeof(*graph[i]));
	}
	peer.put(graph, n * sizeof(*graph));
}

const struct work work_graph = { "graph", "a graph is built edge by edge and walked", 1, 30 << 20,
	2 * VERTICES, run };
