/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * places.c - what comes from a place lies on that place's nodes: mappings of its area, and blocks of
 * a heap in it, small and large, after churn, after frees by other threads, from threads of every
 * socket.
 *
 * Arguments: PLACE=NODES, such as "hbm=2" or "node:0-1,interleave=0-1"; PLACE@NODE=NODES opens and uses
 * it on a thread of that node. `local' is where its thread is, so that no thread takes another's memory;
 * NODES "-" means that the place must be refused.
 *
 * Of a weighted place that says nothp the blocks' shares are checked too, against the kernel's weights,
 * which are changed to differ first.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aml.h"
#include "situs.h"
#include "tests/lab/guest/lab.h"
#include "tests/lab/guest/lab_heap.h"

#define N_BLOCKS ((size_t)2000)

struct place {
	char word[96];
	lab_nodes_t nodes;
	int from; /* the node whose processors the test runs on */
	bool follows_thread; /* whoever touches a page decides: only one node's threads do */
	bool weighted;
};

struct block {
	char *ptr;
	size_t size;
	uint64_t seed;
};

/* A heap in a place, and a number of blocks from it. */
struct load {
	const struct place *place;
	lab_nodes_t nodes;      /* of these blocks */
	lab_nodes_t heap_nodes; /* of all pages of the heap */
	unsigned slack;         /* per cent of these blocks that may be elsewhere in the heap */
	situs_heap_t *heap;
	struct block blocks[N_BLOCKS];
	uint64_t random;
};

static uint64_t next_random(uint64_t *state)
{
	/* xorshift64 (Marsaglia, 2003) */
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#define WEIGHTS "/sys/kernel/mm/mempolicy/weighted_interleave"

static void need_weights(const struct place *place)
{
	if (place->weighted && access(WEIGHTS, F_OK) != 0)
		lab_skip("this kernel has no weighted interleave");
}

static struct load *open_load(const struct place *place)
{
	struct load *load = calloc(1, sizeof(*load));

	assert_non_null(load);
	load->place = place;
	load->nodes = load->heap_nodes = place->nodes;
	load->random = 88172645463325252u;
	need_weights(place);
	lab_pin(place->from);
	load->heap = situs_heap_open(place->word);
	if (!load->heap)
		fail_msg("%s: %s", place->word, situs_error());
	return load;
}

static void close_load(struct load *load)
{
	assert_int_equal(situs_heap_destroy(load->heap), 0);
	free(load);
}

static void take(struct load *load, struct block *block, size_t size)
{
	block->ptr = situs_malloc(load->heap, size);
	if (!block->ptr)
		fail_msg("%s: %zu bytes: %s", load->place->word, size, situs_error());
	block->size = size;
	block->seed = next_random(&load->random);
	lab_fill(block->ptr, size, block->seed);
}

/* From 16 bytes to `max`, each power of two as likely as the next. */
static size_t random_size(struct load *load, size_t max)
{
	int bits = 64 - __builtin_clzll(max / 16);
	size_t size = (size_t)16 << next_random(&load->random) % (unsigned)bits;

	size += next_random(&load->random) % size;
	return size < max ? size : max;
}

static void take_some(void *arg)
{
	struct load *load = arg;

	for (size_t i = 0; i < N_BLOCKS; i++)
		if (!load->blocks[i].ptr)
			take(load, &load->blocks[i], random_size(load, i % 100 ? 16 * KIB : 2 * MIB));
}

static void give_all(void *arg)
{
	struct load *load = arg;

	for (size_t i = 0; i < N_BLOCKS; i++) {
		situs_free(load->blocks[i].ptr);
		load->blocks[i].ptr = NULL;
	}
}

static unsigned long weight_of(int node)
{
	char path[96];

	snprintf(path, sizeof(path), WEIGHTS "/node%d", node);
	return lab_read_number(path, "");
}

/*
 * Gives each node of a weighted place another weight: 1, 3, 4, 5 ... Of four nodes they sum up to 13, so that
 * the pages that blocks of one size begin on, a power of two apart, are not one node's.
 */
static void set_weights(const struct place *place, bool differ)
{
	unsigned weight = 1;

	for (int node = 0; node < lab_n_nodes(); node++) {
		char path[96], text[16];

		if (!(place->nodes >> node & 1))
			continue;
		snprintf(path, sizeof(path), WEIGHTS "/node%d", node);
		snprintf(text, sizeof(text), "%u", differ ? weight : 1);
		assert_int_equal(lab_write(path, text), 0);
		weight += weight == 1 ? 2 : 1;
	}
}

/*
 * The kernel deals pages out by their place in the mapping, so that what the heap has touched of it is a
 * sample: the shares differ from the weights by a tenth and 64 pages at most.
 */
static void assert_shares(const struct place *place, situs_heap_t *heap)
{
	size_t sum = 0, weights = 0, on_node[LAB_MAX_NODES] = {0};

	lab_heap_pages(heap, on_node);
	for (int node = 0; node < lab_n_nodes(); node++)
		if (place->nodes >> node & 1) {
			sum += on_node[node];
			weights += weight_of(node);
		}
	for (int node = 0; node < lab_n_nodes(); node++) {
		size_t share = sum * weight_of(node) / weights, slack = share / 10 + 64 * LAB_PAGE;

		if (!(place->nodes >> node & 1))
			continue;
		if (on_node[node] + slack < share || on_node[node] > share + slack)
			fail_msg("%s: node %d of weight %lu has %zu of %zu KiB, not about %zu", place->word, node,
				weight_of(node), on_node[node] / KIB, sum / KIB, share / KIB);
	}
}

static void assert_at_home(const struct load *load)
{
	static struct lab_census census;
	size_t astray, inside;

	memset(&census, 0, sizeof(census));
	for (size_t i = 0; i < N_BLOCKS; i++) {
		const struct block *block = &load->blocks[i];

		if (!block->ptr)
			continue;
		lab_census_add(&census, block->ptr, block->size);
		if (!lab_filled(block->ptr, block->size, block->seed))
			fail_msg("%s: a block of %zu bytes lost its contents", load->place->word, block->size);
		assert_ptr_equal(situs_heap_of(block->ptr), load->heap);
	}
	lab_census_end(&census);
	astray = lab_census_astray(&census, load->nodes, &inside);
	if (astray > inside / 100 * load->slack)
		fail_msg("%s: %zu bytes astray, %zu at home", load->place->word, astray, inside);
	assert_true(inside > 0);
	/* The other witnesses, and the heap's other pages with them. */
	lab_heap_agrees(load->heap, load->heap_nodes);
	if (load->place->weighted)
		assert_shares(load->place, load->heap);
}

static void area(void **state)
{
	const struct place *place = *state;
	size_t size = 8 * MIB, inside;
	struct aml_area *area = NULL;
	char *ptr;

	need_weights(place);
	lab_pin(place->from);
	if (aml_area_open(&area, place->word))
		fail_msg("%s", situs_error());
	ptr = aml_area_mmap(area, NULL, size);
	if (!ptr)
		fail_msg("%s", situs_error());
	lab_fill(ptr, size, 1);
	assert_int_equal(lab_astray(ptr, size, place->nodes, &inside), 0);
	assert_int_equal(inside, size);
	assert_int_equal(aml_area_munmap(area, ptr, size), 0);
	aml_area_close(&area);
}

static void small_blocks(void **state)
{
	struct load *load = open_load(*state);

	for (size_t i = 0; i < N_BLOCKS; i++)
		take(load, &load->blocks[i], 8 + i * 7 % (14 * KIB));
	assert_at_home(load);
	close_load(load);
}

static void large_blocks(void **state)
{
	struct load *load = open_load(*state);

	for (size_t i = 0; i < 32; i++)
		take(load, &load->blocks[i], 32 * KIB + i * 113 * KIB);
	take(load, &load->blocks[32], 24 * MIB);
	assert_at_home(load);
	close_load(load);
}

static void churn_some(void *arg)
{
	enum { N_OPS = 8000, N_LIVE = 600 };
	struct load *load = arg;

	for (int i = 0; i < N_OPS; i++) {
		struct block *block = &load->blocks[next_random(&load->random) % N_LIVE];

		if (next_random(&load->random) % 4 == 0 && block->ptr) {
			size_t size = random_size(load, 256 * KIB);
			char *ptr = situs_realloc(NULL, block->ptr, size);

			assert_non_null(ptr);
			*block = (struct block){ptr, size, block->seed};
			lab_fill(ptr, size, block->seed);
			continue;
		}
		situs_free(block->ptr);
		block->ptr = NULL;
		if (next_random(&load->random) % 3)
			take(load, block, random_size(load, 256 * KIB));
	}
}

static void churn(void **state)
{
	struct load *load = open_load(*state);

	churn_some(load);
	assert_at_home(load);
	close_load(load);
}

/*
 * One heap, used on each node in turn: what a thread has is near it, and stays there. But for the few free
 * blocks that a thread leaves when it ends, at most a batch of each size: the next one takes them over.
 */
static void follows_each_thread(void **state)
{
	struct load *first = open_load(*state), *loads[LAB_MAX_NODES] = {NULL};
	lab_nodes_t nodes = 0;

	for (int node = 0; node < lab_n_nodes(); node++) {
		if (!lab_of_node("CPUS", node))
			continue;
		loads[node] = calloc(1, sizeof(*first));
		assert_non_null(loads[node]);
		*loads[node] = *first;
		loads[node]->nodes = (lab_nodes_t)1 << node;
		loads[node]->slack = 3;
		nodes |= loads[node]->nodes;
		lab_on_node(node, churn_some, loads[node]);
	}
	for (int node = 0; node < lab_n_nodes(); node++) {
		if (!loads[node])
			continue;
		loads[node]->heap_nodes = nodes;
		assert_at_home(loads[node]);
		free(loads[node]);
	}
	close_load(first);
}

static void after_frees_by_other_threads(void **state)
{
	struct load *load = open_load(*state);

	for (int round = 0; round < 2; round++) {
		for (int node = 0; node < lab_n_nodes(); node++) {
			if (!lab_of_node("CPUS", node))
				continue;
			take_some(load);
			assert_at_home(load);
			lab_on_node(node, give_all, load);
			lab_on_node(node, take_some, load);
			assert_at_home(load);
			give_all(load);
		}
	}
	close_load(load);
}

static void from_threads_of_every_socket(void **state)
{
	struct load *load = open_load(*state);

	for (int node = 0; node < lab_n_nodes(); node++) {
		if (!lab_of_node("CPUS", node))
			continue;
		lab_on_node(node, take_some, load);
		assert_at_home(load);
		give_all(load);
	}
	close_load(load);
}

static int set_up(void **state)
{
	const struct place *place = *state;

	if (place->weighted && access(WEIGHTS, F_OK) == 0)
		set_weights(place, true);
	return 0;
}

static int tear_down(void **state)
{
	const struct place *place = *state;

	if (place->weighted && access(WEIGHTS, F_OK) == 0)
		set_weights(place, false);
	return 0;
}

static void is_refused(void **state)
{
	const struct place *place = *state;
	const char *word = strchr(place->word, ':');
	struct aml_area *area = NULL;

	/* What comes behind the colon, or the whole word. */
	word = word ? word + 1 : place->word;
	assert_true(aml_area_open(&area, place->word) < 0);
	assert_null(area);
	print_message("# %s\n", situs_error());
	if (!strstr(situs_error(), word))
		fail_msg("\"%s\" is not named in: %s", word, situs_error());
	assert_null(situs_heap_open(place->word));
}

static struct place parse(const char *text)
{
	struct place place = {.from = 0};
	const char *equals = strrchr(text, '='), *at;

	if (!equals || (size_t)(equals - text) >= sizeof(place.word))
		exit(2);
	memcpy(place.word, text, (size_t)(equals - text));
	place.nodes = lab_parse_nodes(equals + 1);
	at = strrchr(place.word, '@');
	if (at) {
		place.from = atoi(at + 1);
		place.word[at - place.word] = '\0';
	}
	place.follows_thread = !strncmp(place.word, "local", strlen("local"));
	place.weighted = strstr(place.word, ",weighted") && strstr(place.word, ",nothp");
	return place;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		CMUnitTestFunction fn;
		enum { ANY, FIXED, FOLLOWING } which; /* places: those that follow the thread, or do not */
	} cases[] = {
		{"mappings are at home", area, ANY},
		{"small blocks are at home", small_blocks, ANY},
		{"large blocks are at home", large_blocks, ANY},
		{"blocks are at home after churn", churn, ANY},
		{"blocks are at home after frees by other threads", after_frees_by_other_threads, FIXED},
		{"blocks are at home from threads of every socket", from_threads_of_every_socket, FIXED},
		{"each thread's blocks are on its node after churn", follows_each_thread, FOLLOWING},
	};
	enum { N_CASES = sizeof(cases) / sizeof(cases[0]) };
	enum { MAX_PLACES = 64 };
	static struct place places[MAX_PLACES];
	static struct CMUnitTest tests[MAX_PLACES * N_CASES];
	static char names[MAX_PLACES * N_CASES][160];
	size_t n = 0;

	for (int i = 1; i < argc && i <= MAX_PLACES; i++) {
		struct place *place = &places[i - 1];
		const char *word = argv[i];

		*place = parse(word);
		if (!place->nodes) {
			snprintf(names[n], sizeof(names[n]), "%.96s: refused by name", word);
			tests[n] = (struct CMUnitTest){names[n], is_refused, NULL, NULL, place};
			n++;
			continue;
		}
		for (size_t k = 0; k < N_CASES; k++) {
			if (cases[k].which == (place->follows_thread ? FIXED : FOLLOWING))
				continue;
			snprintf(names[n], sizeof(names[n]), "%.96s: %s", word, cases[k].name);
			tests[n] = (struct CMUnitTest){names[n], cases[k].fn, set_up, tear_down, place};
			n++;
		}
	}
	return _cmocka_run_group_tests("places", tests, n, NULL, NULL);
}
