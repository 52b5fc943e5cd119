/* SPDX-License-Identifier: BSD-3-Clause */
#include "os/spares.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	/* Reclaim is content with this many pages (SWAP_CLUSTER_MAX), and takes what it is offered. */
	SLICE_PAGES = 32,
	N_SLICES = 8,
	SPARE_ROOM = 64 << 20, /* what the machine must have left for spares to be taken */
	MUCH = 16 << 20, /* on lists: worth emptying them whenever they hold it */
	OFTEN = 32, /* offers in all after which those for little become rarer */
	PAUSE_MAX = 1024,
};

static size_t slice_size(void)
{
	return SLICE_PAGES * os__page_size();
}

/* What a request that must not fail did not get of a nearly full node, one that may fail can. */
static void bring(char *start, int node)
{
	enum { N_PAGES = SLICE_PAGES * N_SLICES };
	int to[N_PAGES], status[N_PAGES];
	void *pages[N_PAGES];

	for (size_t i = 0; i < N_PAGES; i++) {
		pages[i] = start + i * os__page_size();
		to[i] = node;
	}
	(void)os__move(pages, N_PAGES, to, status);
}

/* Not a request to the node that could end in a kill: what finds no room there lies elsewhere. */
static char *take(int node)
{
	struct os_nodes only = {{0}};
	size_t size = N_SLICES * slice_size();
	void *start;

	os__nodes_add(&only, node);
	if (os__map(&start, NULL, size, OS_MAP_NORESERVE, 0) != 0)
		return NULL;
	(void)os__advise_huge(start, size, false);
	if (os__bind(start, size, OS_POLICY_PREFERRED, &only, false) != 0 || os__populate(start, size) != 0) {
		os__unmap(start, size);
		return NULL;
	}
	bring(start, node);
	return start;
}

void os__spares_take(struct os_spares *spares, const struct os_nodes *nodes)
{
	memset(spares, 0, sizeof(*spares));
	if (os__room() < SPARE_ROOM)
		return;
	for (int node = os__nodes_next(nodes, 0); node >= 0 && spares->n < OS_SPARES_NODES;
		node = os__nodes_next(nodes, node + 1)) {
		char *start = take(node);

		if (start == NULL)
			continue;
		spares->starts[spares->n++] = start;
		os__nodes_add(&spares->nodes, node);
	}
}

void os__spares_drop(struct os_spares *spares)
{
	while (spares->n > 0)
		os__unmap(spares->starts[--spares->n], N_SLICES * slice_size());
}

/* /proc/zoneinfo line by line: "Node 0, zone Normal" begins a zone, "count: 12" is one processor's list. */
struct reader {
	const struct os_nodes *nodes;
	bool is_wanted;
	size_t n_pages;
};

static void read_line(struct reader *reader, const char *line)
{
	static const char count[] = "count:";

	if (strncmp(line, "Node ", 5) == 0)
		reader->is_wanted = os__nodes_has(reader->nodes, (int)strtol(line + 5, NULL, 10));
	while (*line == ' ')
		line++;
	if (reader->is_wanted && strncmp(line, count, sizeof(count) - 1) == 0)
		reader->n_pages += strtoul(line + sizeof(count) - 1, NULL, 10);
}

/* Takes the whole lines of a text; what is left of the last one comes to its front. */
static size_t read_lines(struct reader *reader, char *text, size_t size)
{
	char *line = text, *end;

	while ((end = memchr(line, '\n', size)) != NULL) {
		*end = '\0';
		read_line(reader, line);
		size -= (size_t)(end + 1 - line);
		line = end + 1;
	}
	memmove(text, line, size);
	return size;
}

/* Bytes of the nodes that lie on processors' lists; 0 where the kernel does not say. */
static size_t listed(const struct os_nodes *nodes)
{
	struct reader reader = {nodes, false, 0};
	int fd = open("/proc/zoneinfo", O_RDONLY | O_CLOEXEC);
	char text[4096];
	size_t kept = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	while ((n = read(fd, text + kept, sizeof(text) - kept)) > 0) {
		kept = read_lines(&reader, text, kept + (size_t)n);
		/* A line longer than the text is none of ours. */
		if (kept == sizeof(text))
			kept = 0;
	}
	close(fd);
	return reader.n_pages * os__page_size();
}

static bool is_worth_it(struct os_spares *spares, size_t wanted)
{
	size_t there = listed(&spares->nodes);

	if (there >= MUCH)
		return true;
	if (spares->wait > 0) {
		spares->wait--;
		return false;
	}
	if (there < wanted)
		return false;
	if (spares->n_offers < OFTEN)
		return true;
	spares->pause = spares->pause == 0 ? 1 : spares->pause < PAUSE_MAX ? spares->pause * 2 : PAUSE_MAX;
	spares->wait = spares->pause;
	return true;
}

bool os__spares_offer(struct os_spares *spares, size_t wanted)
{
	size_t size = slice_size(), slice;
	bool offered = false;

	if (spares == NULL || spares->n == 0 || !is_worth_it(spares, wanted))
		return false;
	/* What was given up before has to be drawn again, for which there must be room. */
	if (spares->n_offers >= N_SLICES && os__room() < SPARE_ROOM)
		return false;
	slice = spares->n_offers++ % N_SLICES;
	for (size_t i = 0; i < spares->n; i++) {
		char *start = spares->starts[i] + slice * size;

		if (os__populate(start, size) == 0 && madvise(start, size, MADV_FREE) == 0)
			offered = true;
	}
	return offered;
}
