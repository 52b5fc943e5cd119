/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.c - several places in order: the first that can serve does, mapping by mapping.
 *
 * A ledger notes which link each range came from; another what was committed, so that a commit offers
 * only what is missing and what it holds stays where it is. Where all links are anonymous memory and one of
 * them wants commits (strict), the chain does too: reserve takes address space, and commit offers the
 * range to each link in turn, by setting its policy (move) and committing it there. So an allocator
 * that grows in large regions falls back extent by extent. Other chains are paid at mmap.
 *
 * Failure of all links is the last one's failure. No locks but the ledger's.
 */
#include "area/chain.h"
#include "area/backing.h"
#include "area/chain_data.h"
#include "area/limit.h"
#include "area/paid.h"

/* A range that was just mapped is link i's, ready for use or not. 0 or -ENOMEM. */
static int note_fresh(struct chain_data *chain, void *ptr, size_t size, int i, bool is_ready)
{
	uintptr_t start = (uintptr_t)ptr, end = start + size;
	size_t bytes;
	int failed = 0;

	if (chain__takes_commits(chain))
		failed = is_ready ? ledger__push(&chain->committed, start, end, PAID) :
			ledger__cut(&chain->committed, start, end, &bytes);
	return failed != 0 ? failed : ledger__push(&chain->ranges, start, end, i);
}

/* The same for any range that is ready for use. */
static int note_range(struct chain_data *chain, void *ptr, size_t size, int i)
{
	uintptr_t start = (uintptr_t)ptr, end = start + size;
	int failed = chain__takes_commits(chain) ? ledger__set(&chain->committed, start, end, PAID) : 0;

	return failed != 0 ? failed : ledger__set(&chain->ranges, start, end, i);
}

static void *map(struct chain_data *chain, bool is_ready, void **ptr, size_t size)
{
	struct area_failure old = area__last_failure();
	void *p = NULL;
	int i;

	if (!area__round(size, chain->info.page_size, &size)) {
		aml__fail(AML_ENOMEM, "%s: the size overflows when rounded to pages", chain->head.place);
		return NULL;
	}
	for (i = 0; i < chain->n_links; i++) {
		if (!chain__is_worth_asking(chain, i, size))
			continue;
		p = is_ready ? area__draw(chain->links[i].area, ptr, size) :
			aml_area_reserve(chain->links[i].area, ptr, size);
		if (p != NULL)
			break;
		chain__note_refusal(&chain->links[i], size);
	}
	if (p == NULL)
		return NULL;
	if (i != 0)
		area__put_failure_back(old);
	if (note_fresh(chain, p, size, i, is_ready) != 0) {
		aml_area_munmap(chain->links[i].area, p, size);
		aml__fail(AML_ENOMEM, "%s: no memory to note a mapping", chain->head.place);
		return NULL;
	}
	return p;
}

static void *chain_mmap(const struct aml_area_data *data, void **ptr, size_t size)
{
	return map(chain__self(data), true, ptr, size);
}

static void *chain_reserve(const struct aml_area_data *data, void **ptr, size_t size)
{
	return map(chain__self(data), false, ptr, size);
}

int chain__for_each_link(struct chain_data *chain, const void *ptr, size_t size, chain_each_func *each,
	void *arg)
{
	uintptr_t at = (uintptr_t)ptr, end;
	struct ledger_range part;
	int failed = AML_SUCCESS;

	if (__builtin_add_overflow(at, size, &end) || !ledger__covers(&chain->ranges, at, end))
		return aml__fail(AML_EINVAL, "%s: %zu bytes at %p are not what it mapped",
			chain->head.place, size, ptr);
	for (; failed == AML_SUCCESS && at < end && each != NULL; at = part.end) {
		if (!ledger__next(&chain->ranges, at, &part))
			break;
		part.start = at;
		if (part.end > end)
			part.end = end;
		failed = each(chain, &part, arg);
	}
	return failed;
}

int chain__fail_to_split(const struct chain_data *chain)
{
	return aml__fail(AML_ENOMEM, "%s: no memory to note a split", chain->head.place);
}

/* A part of one link whose range was taken off the books already. */
static int unmap_taken(struct chain_data *chain, const struct ledger_range *part, struct ledger_taken *range)
{
	struct link *link = chain__link_of(chain, part);
	bool commits = chain__takes_commits(chain);
	struct ledger_taken committed;
	int failed;

	if (commits && ledger__take(&chain->committed, part->start, part->end, &committed) != 0) {
		ledger__put_back(&chain->ranges, range);
		return chain__fail_to_split(chain);
	}
	failed = area__give_back(link->area, (void *)part->start, part->end - part->start);
	if (failed == AML_SUCCESS) {
		ledger__drop(&chain->ranges, range);
		if (commits)
			ledger__drop(&chain->committed, &committed);
		chain__note_return(link);
	} else {
		ledger__put_back(&chain->ranges, range);
		if (commits)
			ledger__put_back(&chain->committed, &committed);
	}
	return failed;
}

static int unmap_part(struct chain_data *chain, const struct ledger_range *part, void *arg)
{
	struct ledger_taken range;

	(void)arg;
	if (ledger__take(&chain->ranges, part->start, part->end, &range) != 0)
		return chain__fail_to_split(chain);
	return unmap_taken(chain, part, &range);
}

static int chain_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct chain_data *chain = chain__self(data);
	struct ledger_taken range;
	uintptr_t end;

	if (!area__round(size, chain->info.page_size, &size))
		return aml__fail(AML_EINVAL, "%s: unmapping a size that overflows", chain->head.place);
	/* Nearly always: as it was mapped, and of one link. */
	if (!__builtin_add_overflow((uintptr_t)ptr, size, &end) &&
		ledger__take_pushed(&chain->ranges, (uintptr_t)ptr, end, &range))
		return unmap_taken(chain, &range.pushed, &range);
	return chain__for_each_link(chain, ptr, size, unmap_part, NULL);
}

/* A file that is refused the space anew leaves memory that wants a commit, which these chains do not ask for. */
static int check_purge(struct chain_data *chain, const struct ledger_range *part, void *arg)
{
	(void)arg;
	if (!backing__is_file(limit__innermost(chain__link_of(chain, part)->area)))
		return AML_SUCCESS;
	return aml__fail(AML_ENOTSUP, "%s: a file in a chain is not purged, since others could take the space",
		chain->head.place);
}

static int purge_part(struct chain_data *chain, const struct ledger_range *part, void *arg)
{
	(void)arg;
	return aml_area_purge(chain__link_of(chain, part)->area, (void *)part->start, part->end - part->start);
}

static int chain_purge(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = chain__for_each_link(chain__self(data), ptr, size, check_purge, NULL);

	return failed != AML_SUCCESS ? failed : chain__for_each_link(chain__self(data), ptr, size, purge_part, NULL);
}

static int fail_to_note_move(const struct chain_data *chain)
{
	return aml__fail(AML_ENOMEM, "%s: no memory to note a move", chain->head.place);
}

/* The books have been made ready: noting cannot fail. */
static int move_held(struct chain_data *chain, void *ptr, size_t size)
{
	int failed = AML_SUCCESS;

	for (int i = 0; i < chain->n_links; i++) {
		failed = aml_area_move(chain->links[i].area, ptr, size);
		if (failed == AML_SUCCESS) {
			(void)note_range(chain, ptr, size, i);
			break;
		}
	}
	return failed;
}

static int chain_move(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct chain_data *chain = chain__self(data);
	bool commits = chain__takes_commits(chain);
	int failed;

	if (ledger__hold(&chain->ranges) != 0)
		return fail_to_note_move(chain);
	if (!commits || ledger__hold(&chain->committed) == 0) {
		failed = move_held(chain, ptr, size);
		if (commits)
			ledger__let_go(&chain->committed);
	} else {
		failed = fail_to_note_move(chain);
	}
	ledger__let_go(&chain->ranges);
	return failed;
}

struct located {
	size_t *bytes_on_node;
	int n_nodes;
};

static int locate_part(struct chain_data *chain, const struct ledger_range *part, void *arg)
{
	struct located *located = arg;

	return area__add_located(chain__link_of(chain, part)->area, (void *)part->start, part->end - part->start,
		located->bytes_on_node, located->n_nodes);
}

static int chain_locate(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes)
{
	struct located located = {bytes_on_node, n_nodes};

	return chain__for_each_link(chain__self(data), ptr, size, locate_part, &located);
}

static int chain_link(const struct aml_area_data *data, const void *ptr)
{
	struct chain_data *chain = chain__self(data);
	struct ledger_range range;
	uintptr_t addr = (uintptr_t)ptr;

	if (!ledger__next(&chain->ranges, addr, &range) || range.start > addr)
		return aml__fail(AML_EDOM, "%s: %p is not in what it mapped", chain->head.place, ptr);
	return (int)range.value;
}

/* SIZE_MAX stays. */
static size_t add(size_t a, size_t b)
{
	size_t sum;

	return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static int chain_info(const struct aml_area_data *data, struct aml_area_info *info)
{
	struct chain_data *chain = chain__self(data);
	bool is_bounded = true;

	*info = chain->info;
	for (int i = 0; i < chain->n_links; i++) {
		struct aml_area_info link = {.struct_size = sizeof(link)};
		int failed = aml_area_info(chain->links[i].area, &link);

		if (failed != AML_SUCCESS)
			return failed;
		is_bounded = is_bounded && link.capacity != 0;
		info->capacity = add(info->capacity, link.capacity);
		info->available = add(info->available, link.available);
		if (i == 0) {
			info->bandwidth = link.bandwidth;
			info->latency = link.latency;
		}
	}
	if (!is_bounded)
		info->capacity = 0;
	return AML_SUCCESS;
}

#define COMMON_OPS \
	.mmap = chain_mmap, \
	.munmap = chain_munmap, \
	.fprintf = area__fprintf, \
	.move = chain_move, \
	.locate = chain_locate, \
	.info = chain_info, \
	.link = chain_link

const struct aml_area_ops chain__committing_ops = {
	COMMON_OPS,
	.commit = chain__commit,
	.decommit = chain__decommit,
	.reserve = chain_reserve,
};

const struct aml_area_ops chain__paid_ops = {
	COMMON_OPS,
	.purge = chain_purge,
};

static bool is_chain(const struct aml_area *area)
{
	return area->ops == &chain__committing_ops || area->ops == &chain__paid_ops;
}

int chain__n_links(const struct aml_area *area)
{
	return is_chain(area) ? chain__self(area->data)->n_links : 1;
}

const struct aml_area *chain__link(const struct aml_area *area, int i)
{
	return is_chain(area) ? chain__self(area->data)->links[i].area : area;
}

bool chain__part(const struct aml_area *area, uintptr_t start, uintptr_t end,
	struct ledger_range *part)
{
	*part = (struct ledger_range){start, end, 0};
	if (!is_chain(area))
		return true;
	if (!ledger__next(&chain__self(area->data)->ranges, start, part) || part->start >= end)
		return false;
	if (part->start < start)
		part->start = start;
	if (part->end > end)
		part->end = end;
	return true;
}

int chain__assign(const struct aml_area *area, uintptr_t start, uintptr_t end, int i)
{
	return is_chain(area) ? ledger__set(&chain__self(area->data)->ranges, start, end, i) : 0;
}

int chain__claim(const struct aml_area *area, uintptr_t start, uintptr_t end)
{
	return is_chain(area) && chain__takes_commits(chain__self(area->data)) ?
		ledger__set(&chain__self(area->data)->committed, start, end, PAID) : 0;
}

void chain__forget(const struct aml_area *area, uintptr_t start, uintptr_t end)
{
	size_t bytes;

	if (!is_chain(area))
		return;
	/* What memory for a split is missing for stays noted, of a range that nobody will name again. */
	(void)ledger__cut(&chain__self(area->data)->ranges, start, end, &bytes);
	(void)ledger__cut(&chain__self(area->data)->committed, start, end, &bytes);
	for (int i = 0; i < chain__self(area->data)->n_links; i++)
		chain__note_return(&chain__self(area->data)->links[i]);
}
