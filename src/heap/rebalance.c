/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rebalance.c - what lies further away than it has to comes home, and hints that say what shall.
 *
 * Of a chain, three walks: what is cold makes room, what is hot comes first, the rest follows. A link
 * that had no room for one step is not asked again in this walk, so that a full node costs one attempt.
 * Each stretch is offered whole, and in steps only where that finds no room or a page that the kernel cannot
 * move; of these each holds back its own step and nothing else.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "area/chain.h"
#include "area/linux.h"
#include "area/passage.h"
#include "base/error.h"
#include "base/pagemap.h"
#include "heap/heap.h"
#include "heap/move.h"
#include "heap/registry.h"
#include "heap/stats.h"
#include "os/os.h"

/* The move comes first: what walks are handed is that. */
struct rebalance {
	struct move *move;
	enum space_hint hint; /* what this walk is for */
	bool is_full[AREA_MAX_LINKS];
	size_t size_nearer; /* bytes that came to an earlier link, or home to their node */
};

/* What stays at its link comes home to its nodes. */
static int stay(struct rebalance *rebalance, const struct aml_area *area, const struct ledger_range *part)
{
	struct migrate_account *account = &rebalance->move->account;
	size_t before = account->all.moved;
	int err = migrate__move_leaf(chain__link(area, (int)part->value), (void *)part->start,
		part->end - part->start, false, NULL, account);

	rebalance->size_nearer += account->all.moved - before;
	return err;
}

/* Was there room, and a page that the kernel could not move? */
static bool is_stuck(const struct migrate_figures *attempt)
{
	return attempt->no_room == 0 && migrate__left(attempt) != 0;
}

/* Hands a part to link i as far as that takes it; *part is what is left. 0 or a negative errno. */
static int offer(struct rebalance *rebalance, const struct aml_area *area, struct ledger_range *part,
	int i)
{
	struct migrate_account *account = &rebalance->move->account;
	size_t size = part->end - part->start, least = passage__step(area);
	int taken = 1;

	while (part->start < part->end && taken == 1) {
		struct migrate_account attempt = {.nodes = rebalance->move->spare_nodes,
			.spares = &rebalance->move->spares};

		if (size > part->end - part->start)
			size = part->end - part->start;
		memset(rebalance->move->spare_nodes, 0, sizeof(rebalance->move->spare_nodes));
		taken = passage__offer(area, (void *)part->start, size, i, true, &attempt);
		if (taken == 1) {
			if (i < part->value)
				rebalance->size_nearer += size;
			migrate__add(account, &attempt);
			part->start += size;
		} else if (taken == 0 && size > least) {
			size = least;
			taken = 1;
		} else if (taken == 0 && is_stuck(&attempt.all)) {
			struct ledger_range step = {part->start, part->start + size, part->value};
			int err = stay(rebalance, area, &step);

			part->start = step.end;
			taken = err != 0 ? err : 1;
		}
	}
	rebalance->is_full[i] = rebalance->is_full[i] || taken == 0;
	return taken < 0 ? taken : 0;
}

/* To the furthest link that has room. */
static int push_away(struct rebalance *rebalance, const struct aml_area *area,
	struct ledger_range part)
{
	int err = 0;

	for (int i = chain__n_links(area) - 1; i > part.value && part.start < part.end && err == 0; i--)
		if (!rebalance->is_full[i])
			err = offer(rebalance, area, &part, i);
	return err;
}

/* To the first link that has room; what is at its link already, to its nodes. */
static int pull_home(struct rebalance *rebalance, const struct aml_area *area,
	struct ledger_range part)
{
	int err = 0;

	for (int i = 0; i < part.value && part.start < part.end && err == 0; i++)
		if (!rebalance->is_full[i])
			err = offer(rebalance, area, &part, i);
	return err != 0 || part.start == part.end ? err : stay(rebalance, area, &part);
}

static int visit(const struct space_stretch *stretch, void *arg)
{
	struct rebalance *rebalance = ((struct move *)arg)->visitor;
	uintptr_t at = (uintptr_t)stretch->start, end = at + stretch->size;
	struct ledger_range part;
	int err = 0;

	rebalance->move->done += stretch->size;
	if (!stretch->in_use || stretch->hint != rebalance->hint)
		return 0;
	for (; at < end && err == 0 && chain__part(stretch->area, at, end, &part); at = part.end)
		err = rebalance->hint == SPACE_HINT_COLD ? push_away(rebalance, stretch->area, part) :
			pull_home(rebalance, stretch->area, part);
	return err;
}

static int walks(struct rebalance *rebalance)
{
	static const enum space_hint order[] = {SPACE_HINT_COLD, SPACE_HINT_HOT, SPACE_HINT_NONE};
	enum { N_WALKS = sizeof(order) / sizeof(order[0]) };
	struct move *move = rebalance->move;
	int err;

	move->total = N_WALKS * move__bytes_of_regions(move->heap);
	move->visitor = rebalance;
	err = move__tell(move);
	for (int i = 0; i < N_WALKS && err == 0; i++) {
		rebalance->hint = order[i];
		memset(rebalance->is_full, 0, sizeof(rebalance->is_full));
		err = move__walk(move, false, visit);
	}
	return err;
}

static int rebalance_heap(struct move *move)
{
	struct rebalance rebalance = {.move = move};
	const struct aml_area *area = move->heap->owner.area;
	size_t n_pages;
	int err = passage__check(area, area);

	if (err != 0)
		return error__set(-err, "heap \"%s\" cannot be rebalanced: %s", move->heap->name,
			error__text());
	migrate__take_spares(area, &move->spares);
	err = walks(&rebalance);
	if (err == -ECANCELED)
		return error__set(ECANCELED, "heap \"%s\": rebalancing cancelled after %zu of %zu bytes",
			move->heap->name, move->done, move->total);
	if (linux__may_not(err, "mbind and move_pages", NULL))
		return error__set(-err, "heap \"%s\": %s", move->heap->name, error__text());
	if (err != 0)
		return error__set(-err, "heap \"%s\": moving its pages: %s", move->heap->name,
			os__strerror(err));
	n_pages = rebalance.size_nearer / os__page_size();
	return n_pages > INT_MAX ? INT_MAX : (int)n_pages;
}

int situs_heap_rebalance(situs_heap_t *heap, situs_progress_func *progress, void *arg)
{
	struct move *move;
	int err = errno, result = registry__check(heap, "situs_heap_rebalance");

	if (result != 0)
		return result;
	result = move__begin(&move, heap, progress, arg);
	if (result != 0)
		return result;
	result = rebalance_heap(move);
	move__end(move);
	if (result >= 0)
		errno = err;
	return result;
}

/* Hints */

int situs_hint(const void *ptr, size_t size, int hint)
{
	static const enum space_hint hints[] = {SPACE_HINT_NONE, SPACE_HINT_HOT, SPACE_HINT_COLD};
	struct owner *owner = owner__of_word(pagemap__get(ptr));
	struct situs_heap *heap = owner == NULL ? NULL : owner->heap;

	if (hint < SITUS_HINT_NONE || hint > SITUS_HINT_COLD)
		return error__set(EINVAL, "situs_hint: %d is no hint", hint);
	for (unsigned i = 0; heap != NULL && i < heap->n_arenas; i++) {
		struct heap_arena *arena = stats__arena(heap, i);

		if (arena != NULL &&
			space__hint(hooks__space(arena->hooks), ptr, size, hints[hint]) == 0)
			return 0;
	}
	return error__set(EINVAL, "situs_hint: %zu bytes at %p are not memory of one heap", size, ptr);
}

/* Links */

struct link_walk {
	const struct aml_area *area;
	size_t *bytes_on_link;
	int n_links;
};

static int add_extent(const struct situs_extent *extent, void *arg)
{
	struct link_walk *walk = arg;
	uintptr_t at = (uintptr_t)extent->start, end = at + extent->size;
	struct ledger_range part;

	for (; at < end && chain__part(walk->area, at, end, &part); at = part.end)
		if (part.value < walk->n_links)
			walk->bytes_on_link[part.value] += part.end - part.start;
	return 0;
}

int stats__links(struct situs_heap *heap, size_t *bytes_on_link, int n_links)
{
	struct link_walk walk = {heap->owner.area, bytes_on_link, n_links};

	for (int i = 0; i < n_links; i++)
		bytes_on_link[i] = 0;
	/* The account knows what there is on the only link. */
	if (chain__n_links(walk.area) == 1) {
		if (n_links > 0)
			bytes_on_link[0] = atomic_load(&heap->account.drawn);
		return 1;
	}
	(void)stats__for_each_extent(heap, add_extent, &walk);
	return chain__n_links(walk.area);
}

int situs_heap_links(situs_heap_t *heap, size_t *bytes_on_link, int n_links)
{
	int err = registry__check(heap, "situs_heap_links");

	if (err != 0)
		return err;
	if (n_links < 0 || (bytes_on_link == NULL && n_links != 0))
		return error__set(EINVAL, "situs_heap_links: no array of links to fill");
	return stats__links(heap, bytes_on_link, n_links);
}
