/* SPDX-License-Identifier: BSD-3-Clause */
/* xmalloc.c - half of the threads allocate, the other half free, through a bounded queue of batches. */
#include "bench/work/work.h"

#include <pthread.h>

#define N_BLOCKS 128 /* of one batch */
#define N_QUEUED 32
#define BATCHES 25000 /* of one producer */

struct load {
	struct slot blocks[N_BLOCKS];
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	struct load loads[N_QUEUED];
	size_t head, tail; /* tail - head loads are there */
	size_t n_producers;
};

struct WORK_APART worker {
	struct queue *queue;
	uint64_t random;
	size_t batches; /* 0: a consumer */
	struct load *last; /* of a producer's, which the first thread looks at and frees */
};

static void push(struct queue *q, const struct load *load)
{
	pthread_mutex_lock(&q->lock);
	while (q->tail - q->head == N_QUEUED)
		pthread_cond_wait(&q->emptied, &q->lock);
	q->loads[q->tail++ % N_QUEUED] = *load;
	pthread_mutex_unlock(&q->lock);
	pthread_cond_signal(&q->filled);
}

/* False: no producer is left, and nothing of theirs. */
static bool pop(struct queue *q, struct load *load)
{
	bool got;

	pthread_mutex_lock(&q->lock);
	while (q->tail == q->head && q->n_producers > 0)
		pthread_cond_wait(&q->filled, &q->lock);
	got = q->tail != q->head;
	if (got)
		*load = q->loads[q->head++ % N_QUEUED];
	pthread_mutex_unlock(&q->lock);
	pthread_cond_signal(&q->emptied);
	return got;
}

static void fill(struct load *load, uint64_t *random)
{
	for (size_t i = 0; i < N_BLOCKS; i++) {
		struct slot *slot = &load->blocks[i];

		slot->size = random_size(random, 4, 5);
		slot->p = work_get(slot->size);
		work_touch(slot->p, slot->size);
	}
}

static void drop(const struct load *load)
{
	for (size_t i = 0; i < N_BLOCKS; i++)
		peer.put(load->blocks[i].p, load->blocks[i].size);
}

static void produce(struct worker *w)
{
	struct load load;

	for (size_t k = 1; k < w->batches; k++) {
		fill(&load, &w->random);
		push(w->queue, &load);
	}
	fill(w->last, &w->random);
	pthread_mutex_lock(&w->queue->lock);
	w->queue->n_producers--;
	pthread_mutex_unlock(&w->queue->lock);
	pthread_cond_broadcast(&w->queue->filled);
}

static void consume(struct worker *w)
{
	struct load load;

	while (pop(w->queue, &load))
		drop(&load);
}

static void work(void *argument)
{
	struct worker *w = argument;

	if (w->batches != 0)
		produce(w);
	else
		consume(w);
}

static void run(struct work_run *run)
{
	unsigned n = run->n_threads;
	struct queue *queue = work_private(sizeof(*queue));
	struct worker *workers = work_private(n * sizeof(*workers));
	struct load *last = work_private(n / 2 * sizeof(*last));

	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->filled, NULL);
	pthread_cond_init(&queue->emptied, NULL);
	queue->n_producers = n / 2;
	for (unsigned i = 0; i < n; i++)
		workers[i] = (struct worker){ queue, random_seed(i),
			i < n / 2 ? work_scaled(run, BATCHES, 2) : 0, i < n / 2 ? &last[i] : NULL };
	work_threads(n, work, workers, sizeof(*workers));
	work_look(run, last[0].blocks, (n / 2) * (size_t)N_BLOCKS);
	for (unsigned i = 0; i < n / 2; i++)
		drop(&last[i]);
}

const struct work work_xmalloc = { "xmalloc", "producers allocate, consumers free", 0, 2 << 20,
	N_QUEUED *N_BLOCKS, run };
