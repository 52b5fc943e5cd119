/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pages.c - the trace of a database: frames of 8 KiB, page aligned, replaced at random; each query takes
 * some small blocks for its plan, and now and then a buffer that grows while it sorts.
 */
#include "bench/work/work.h"

#include <string.h>

#define FRAME 8192
#define FRAMES 4096
#define QUERIES 60000
#define PLAN 40

static void read_frame(struct slot *frame)
{
	if (frame->p != NULL)
		peer.put(frame->p, FRAME);
	frame->size = FRAME;
	frame->p = peer.get_aligned(4096, FRAME);
	if (frame->p == NULL)
		work_no_memory(FRAME);
	memset(frame->p, 1, FRAME / 8);
	work_touch(frame->p, FRAME);
}

static void sort(uint64_t *random)
{
	size_t size = 16384;
	size_t most = random_size(random, 15, 7);
	char *buffer = work_get(size);

	work_touch(buffer, size);
	while (size < most) {
		buffer = work_resize(buffer, size, 2 * size);
		work_touch(buffer + size, size);
		size *= 2;
	}
	peer.put(buffer, size);
}

static void query(struct slot *frames, size_t n_frames, uint64_t *random)
{
	struct slot plan[PLAN];

	for (size_t i = 0; i < PLAN; i++) {
		plan[i].size = random_size(random, 4, 6);
		plan[i].p = work_get(plan[i].size);
		work_touch(plan[i].p, plan[i].size);
	}
	for (size_t i = 0; i < 2; i++)
		read_frame(&frames[random_below(random, n_frames)]);
	if (random_below(random, 100) == 0)
		sort(random);
	for (size_t i = 0; i < PLAN; i++)
		peer.put(plan[i].p, plan[i].size);
}

static void run(struct work_run *run)
{
	size_t n_frames = work_scaled(run, FRAMES, 4);
	size_t queries = work_scaled(run, QUERIES, 2);
	struct slot *frames = work_private(n_frames * sizeof(*frames));
	uint64_t random = random_seed(0);

	for (size_t i = 0; i < n_frames; i++)
		read_frame(&frames[i]);
	for (size_t i = 0; i < queries; i++)
		query(frames, n_frames, &random);
	work_look(run, frames, n_frames);
	for (size_t i = 0; i < n_frames; i++)
		peer.put(frames[i].p, FRAME);
}

const struct work work_pages = { "page-cache", "a database's frames, plans and sorts", 1, 40 << 20,
	FRAMES + PLAN, run };
