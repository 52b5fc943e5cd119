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
 * A link that had no room is not asked again for as much within RETRY_MS, unless it got memory back:
 * filling a node only to find it full takes long.
 *
 * Failure of all links is the last one's failure. No locks but the ledger's.
 */
#include "area/chain.h"
#include "area/backing.h"
#include "area/limit.h"
#include "area/linux.h"
#include "area/paid.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { RETRY_MS = 20 };

struct link {
	/* set once */
	const struct aml_area *area;
	/* atomic */
	_Atomic size_t refused;       /* bytes that it had no room for; 0: none */
	_Atomic size_t left;          /* what it said was available then */
	_Atomic uint64_t refused_at;  /* milliseconds */
	_Atomic uint64_t looked_at;   /* milliseconds; last look at what is available */
	_Atomic unsigned n_returns;   /* to its place, at the last look */
};

struct chain_data {
	struct area_head head;
	/* set once */
	struct aml_area_info info; /* what the links have in common */
	int n_links;
	bool owns_links;
	/* have their own locks */
	struct ledger ranges;    /* value is the link */
	struct ledger committed; /* as far as this area did it, where it takes commits */
	struct link links[AREA_MAX_LINKS];
};

static struct chain_data *self(const struct aml_area_data *data)
{
	return (struct chain_data *)(uintptr_t)data;
}

static size_t available(const struct link *link)
{
	struct aml_area_info info = {.struct_size = sizeof(info)};

	return aml_area_info(link->area, &info) == AML_SUCCESS ? info.available : SIZE_MAX;
}

/* How often its place got something back from areas of this process. */
static unsigned n_returns_to(const struct link *link)
{
	const struct aml_area *area = limit__inner(link->area);
	unsigned n = atomic_load_explicit(&area__n_returns, memory_order_acquire);

	return linux__is_anonymous(area) ? n + linux__n_returns(area->data) : n;
}

/*
 * Has a link that had no room got some? A look is cheap beside a mapping that is filled and given back,
 * but not beside one that is only mapped: it is taken when some area of this process has given the link's
 * place something back since the last one, or the clock has moved (for what other processes gave back). Not
 * all that is available can be had, so it must also have grown.
 */
static bool has_room_again(struct link *link, size_t size, uint64_t now)
{
	unsigned n_returns = n_returns_to(link);
	size_t left, found;

	if (n_returns == atomic_load(&link->n_returns) && now == atomic_load(&link->looked_at))
		return false;
	atomic_store(&link->n_returns, n_returns);
	atomic_store(&link->looked_at, now);
	found = available(link);
	left = atomic_load(&link->left);
	return found >= size && found > left && found - left >= size / 8;
}

static __attribute__((noinline)) bool may_have_room(struct link *link, size_t size)
{
	uint64_t now = os__now_ms();

	return now - atomic_load(&link->refused_at) > RETRY_MS || has_room_again(link, size, now);
}

static inline bool is_worth_asking(struct chain_data *chain, int i, size_t size)
{
	size_t refused = atomic_load(&chain->links[i].refused);

	return refused == 0 || size < refused || i == chain->n_links - 1 ||
		may_have_room(&chain->links[i], size);
}

/* Leaves the refusal's words as they are. */
static void note_refusal(struct link *link, size_t size)
{
	struct area_failure refusal = area__last_failure();
	uint64_t now = os__now_ms();

	/* Before the look: what comes back after it shall be seen. */
	atomic_store(&area__counts_returns, true);
	atomic_store(&link->n_returns, n_returns_to(link));
	atomic_store(&link->left, available(link));
	atomic_store(&link->looked_at, now);
	atomic_store(&link->refused_at, now);
	atomic_store(&link->refused, size);
	area__put_failure_back(refusal);
}

static void note_return(struct link *link)
{
	if (atomic_load(&link->refused) != 0)
		atomic_store(&link->refused, 0);
}

/* Only chains that take commits need to know what was committed. */
static bool takes_commits(const struct chain_data *chain)
{
	return (chain->info.flags & AML_AREA_COMMIT) != 0;
}

/* A range that was just mapped is link i's, ready for use or not. 0 or -ENOMEM. */
static int note_fresh(struct chain_data *chain, void *ptr, size_t size, int i, bool is_ready)
{
	uintptr_t start = (uintptr_t)ptr, end = start + size;
	size_t bytes;
	int failed = 0;

	if (takes_commits(chain))
		failed = is_ready ? ledger__push(&chain->committed, start, end, PAID) :
			ledger__cut(&chain->committed, start, end, &bytes);
	return failed != 0 ? failed : ledger__push(&chain->ranges, start, end, i);
}

/* The same for any range that is ready for use. */
static int note_range(struct chain_data *chain, void *ptr, size_t size, int i)
{
	uintptr_t start = (uintptr_t)ptr, end = start + size;
	int failed = takes_commits(chain) ? ledger__set(&chain->committed, start, end, PAID) : 0;

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
		if (!is_worth_asking(chain, i, size))
			continue;
		p = is_ready ? area__draw(chain->links[i].area, ptr, size) :
			aml_area_reserve(chain->links[i].area, ptr, size);
		if (p != NULL)
			break;
		note_refusal(&chain->links[i], size);
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
	return map(self(data), true, ptr, size);
}

static void *chain_reserve(const struct aml_area_data *data, void **ptr, size_t size)
{
	return map(self(data), false, ptr, size);
}

/* Calls `each` (NULL: nothing) on every part of a range that is of one link; stops at the first failure.
   -AML_EINVAL: some of it is not the chain's. */
typedef int each_func(struct chain_data *chain, const struct ledger_range *part, void *arg);

static int for_each_link(struct chain_data *chain, const void *ptr, size_t size, each_func *each,
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

static struct link *link_of(struct chain_data *chain, const struct ledger_range *part)
{
	return &chain->links[part->value];
}

static int fail_to_split(const struct chain_data *chain)
{
	return aml__fail(AML_ENOMEM, "%s: no memory to note a split", chain->head.place);
}

/* A part of one link whose range was taken off the books already. */
static int unmap_taken(struct chain_data *chain, const struct ledger_range *part, struct ledger_taken *range)
{
	struct link *link = link_of(chain, part);
	bool commits = takes_commits(chain);
	struct ledger_taken committed;
	int failed;

	if (commits && ledger__take(&chain->committed, part->start, part->end, &committed) != 0) {
		ledger__put_back(&chain->ranges, range);
		return fail_to_split(chain);
	}
	failed = area__give_back(link->area, (void *)part->start, part->end - part->start);
	if (failed == AML_SUCCESS) {
		ledger__drop(&chain->ranges, range);
		if (commits)
			ledger__drop(&chain->committed, &committed);
		note_return(link);
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
		return fail_to_split(chain);
	return unmap_taken(chain, part, &range);
}

static int chain_munmap(const struct aml_area_data *data, void *ptr, size_t size)
{
	struct chain_data *chain = self(data);
	struct ledger_taken range;
	uintptr_t end;

	if (!area__round(size, chain->info.page_size, &size))
		return aml__fail(AML_EINVAL, "%s: unmapping a size that overflows", chain->head.place);
	/* Nearly always: as it was mapped, and of one link. */
	if (!__builtin_add_overflow((uintptr_t)ptr, size, &end) &&
		ledger__take_pushed(&chain->ranges, (uintptr_t)ptr, end, &range))
		return unmap_taken(chain, &range.pushed, &range);
	return for_each_link(chain, ptr, size, unmap_part, NULL);
}

/* A range without pages is under a link's policy from now on. Chains that take commits have plain links only. */
static int put_under(const struct link *link, void *ptr, size_t size)
{
	const struct aml_area_data *memory = link->area->data;
	int failed = linux__rebind(memory, ptr, size);

	if (linux__may_not(failed, "mbind", memory->head.place))
		return -AML_EPERM;
	return failed == 0 ? AML_SUCCESS :
		aml__fail(aml__code(failed), "%s: a policy for %zu bytes at %p: %s", memory->head.place, size,
			ptr, os__strerror(failed));
}

/* Offers a range without pages to one link. under: the link whose policy it is under. */
static int commit_on(struct chain_data *chain, int i, const struct ledger_range *part, intptr_t *under)
{
	void *ptr = (void *)part->start;
	size_t size = part->end - part->start;
	int failed = AML_SUCCESS;

	if (i != *under) {
		/* Also where it fails half way. */
		*under = i;
		failed = put_under(&chain->links[i], ptr, size);
	}
	if (failed == AML_SUCCESS)
		failed = aml_area_commit(chain->links[i].area, ptr, size);
	if (failed != AML_SUCCESS)
		note_refusal(&chain->links[i], size);
	else if (i != part->value && ledger__set(&chain->ranges, part->start, part->end, i) != 0)
		failed = aml__fail(AML_ENOMEM, "%s: no memory to note a link", chain->head.place);
	return failed;
}

static int commit_part(struct chain_data *chain, const struct ledger_range *part, void *arg)
{
	struct area_failure refusal;
	intptr_t under = part->value;
	int failed = AML_SUCCESS;

	(void)arg;
	for (int i = 0; i < chain->n_links; i++) {
		if (!is_worth_asking(chain, i, part->end - part->start))
			continue;
		failed = commit_on(chain, i, part, &under);
		if (failed == AML_SUCCESS)
			return failed;
	}
	/* As it was, for whoever looks at the range's policy. */
	refusal = area__last_failure();
	if (under != part->value)
		(void)put_under(&chain->links[part->value], (void *)part->start, part->end - part->start);
	area__put_failure_back(refusal);
	return failed;
}

static int give_up_part(struct chain_data *chain, const struct ledger_range *part, void *arg)
{
	struct link *link = link_of(chain, part);
	const struct aml_area *area = link->area;
	void *ptr = (void *)part->start;
	size_t size = part->end - part->start;

	(void)arg;
	note_return(link);
	/* Links without commit give pages back by purging. */
	return area->ops->decommit != NULL ? aml_area_decommit(area, ptr, size) :
		aml_area_purge(area, ptr, size);
}

static void give_back(void *arg, uintptr_t start, uintptr_t end)
{
	(void)for_each_link(arg, (void *)start, end - start, give_up_part, NULL);
}

/* Of several links' parts, the first ones may be committed when a later one is refused. */
static int pay(void *arg, uintptr_t start, uintptr_t end)
{
	int failed = for_each_link(arg, (void *)start, end - start, commit_part, NULL);

	if (failed == -AML_ENOMEM)
		give_back(arg, start, end);
	return failed;
}

static int chain_commit(const struct aml_area_data *data, void *ptr, size_t size)
{
	static const struct paid_calls calls = {pay, give_back};
	struct chain_data *chain = self(data);
	uintptr_t start = (uintptr_t)ptr;
	int failed = for_each_link(chain, ptr, size, NULL, NULL);

	return failed != AML_SUCCESS ? failed :
		paid__commit(&chain->committed, chain->head.place, start, start + size, &calls, chain);
}

static int decommit_part(struct chain_data *chain, const struct ledger_range *part, void *arg)
{
	struct ledger_taken committed;
	int failed = ledger__take(&chain->committed, part->start, part->end, &committed);

	if (failed != 0)
		return aml__fail(AML_ENOMEM, "%s: no memory to note a split", chain->head.place);
	failed = give_up_part(chain, part, arg);
	if (failed == AML_SUCCESS)
		ledger__drop(&chain->committed, &committed);
	else
		ledger__put_back(&chain->committed, &committed);
	return failed;
}

static int chain_decommit(const struct aml_area_data *data, void *ptr, size_t size)
{
	return for_each_link(self(data), ptr, size, decommit_part, NULL);
}

/* A file that is refused the space anew leaves memory that wants a commit, which these chains do not ask for. */
static int check_purge(struct chain_data *chain, const struct ledger_range *part, void *arg)
{
	(void)arg;
	if (!backing__is_file(limit__innermost(link_of(chain, part)->area)))
		return AML_SUCCESS;
	return aml__fail(AML_ENOTSUP, "%s: a file in a chain is not purged, since others could take the space",
		chain->head.place);
}

static int purge_part(struct chain_data *chain, const struct ledger_range *part, void *arg)
{
	(void)arg;
	return aml_area_purge(link_of(chain, part)->area, (void *)part->start, part->end - part->start);
}

static int chain_purge(const struct aml_area_data *data, void *ptr, size_t size)
{
	int failed = for_each_link(self(data), ptr, size, check_purge, NULL);

	return failed != AML_SUCCESS ? failed : for_each_link(self(data), ptr, size, purge_part, NULL);
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
	struct chain_data *chain = self(data);
	bool commits = takes_commits(chain);
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

	return area__add_located(link_of(chain, part)->area, (void *)part->start, part->end - part->start,
		located->bytes_on_node, located->n_nodes);
}

static int chain_locate(const struct aml_area_data *data, const void *ptr, size_t size,
	size_t *bytes_on_node, int n_nodes)
{
	struct located located = {bytes_on_node, n_nodes};

	return for_each_link(self(data), ptr, size, locate_part, &located);
}

static int chain_link(const struct aml_area_data *data, const void *ptr)
{
	struct chain_data *chain = self(data);
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
	struct chain_data *chain = self(data);
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

static const struct aml_area_ops committing_ops = {
	COMMON_OPS,
	.commit = chain_commit,
	.decommit = chain_decommit,
	.reserve = chain_reserve,
};

static const struct aml_area_ops paid_ops = {
	COMMON_OPS,
	.purge = chain_purge,
};

static bool is_chain(const struct aml_area *area)
{
	return area->ops == &committing_ops || area->ops == &paid_ops;
}

int chain__n_links(const struct aml_area *area)
{
	return is_chain(area) ? self(area->data)->n_links : 1;
}

const struct aml_area *chain__link(const struct aml_area *area, int i)
{
	return is_chain(area) ? self(area->data)->links[i].area : area;
}

bool chain__part(const struct aml_area *area, uintptr_t start, uintptr_t end,
	struct ledger_range *part)
{
	*part = (struct ledger_range){start, end, 0};
	if (!is_chain(area))
		return true;
	if (!ledger__next(&self(area->data)->ranges, start, part) || part->start >= end)
		return false;
	if (part->start < start)
		part->start = start;
	if (part->end > end)
		part->end = end;
	return true;
}

int chain__assign(const struct aml_area *area, uintptr_t start, uintptr_t end, int i)
{
	return is_chain(area) ? ledger__set(&self(area->data)->ranges, start, end, i) : 0;
}

int chain__claim(const struct aml_area *area, uintptr_t start, uintptr_t end)
{
	return is_chain(area) && takes_commits(self(area->data)) ?
		ledger__set(&self(area->data)->committed, start, end, PAID) : 0;
}

void chain__forget(const struct aml_area *area, uintptr_t start, uintptr_t end)
{
	size_t bytes;

	if (!is_chain(area))
		return;
	/* What memory for a split is missing for stays noted, of a range that nobody will name again. */
	(void)ledger__cut(&self(area->data)->ranges, start, end, &bytes);
	(void)ledger__cut(&self(area->data)->committed, start, end, &bytes);
	for (int i = 0; i < self(area->data)->n_links; i++)
		note_return(&self(area->data)->links[i]);
}

static void destroy(struct aml_area *area)
{
	struct chain_data *chain = self(area->data);

	for (int i = 0; i < chain->n_links && chain->owns_links; i++) {
		/* It came as an area that may be destroyed. */
		struct aml_area *link = (struct aml_area *)(uintptr_t)chain->links[i].area;

		area__destroy(&link);
	}
	ledger__destroy(&chain->ranges);
	ledger__destroy(&chain->committed);
	area__free(area);
}

/* What the links have in common: false, and said so, where a link does not tell. */
static int find_common(const struct aml_area *const *links, int n_links, struct aml_area_info *common,
	bool *is_uniform)
{
	unsigned all = ~0u, any = 0;
	size_t page_size = os__page_size();

	*is_uniform = true;
	for (int i = 0; i < n_links; i++) {
		struct aml_area_info info = {.struct_size = sizeof(info)};
		int failed = aml_area_info(links[i], &info);

		if (failed != AML_SUCCESS)
			return failed;
		all &= info.flags;
		any |= info.flags;
		if (info.page_size > page_size)
			page_size = info.page_size;
		*is_uniform = *is_uniform && linux__is_plain(links[i]);
	}
	*is_uniform = *is_uniform && (any & AML_AREA_COMMIT) != 0;
	*common = (struct aml_area_info){.struct_size = sizeof(*common), .page_size = page_size};
	common->flags = all & (AML_AREA_ZEROED | AML_AREA_PARTIAL | AML_AREA_HOST);
	common->flags |= any & AML_AREA_SHARED;
	if (*is_uniform)
		common->flags |= AML_AREA_COMMIT | AML_AREA_LAZY;
	else if ((any & AML_AREA_COMMIT) == 0)
		common->flags |= all & AML_AREA_LAZY;
	return AML_SUCCESS;
}

/* "a > b > c", malloced; NULL without memory. */
static char *describe(const struct aml_area *const *links, int n_links)
{
	char *text = NULL, *name;
	size_t size;
	FILE *stream = open_memstream(&text, &size);
	bool has_memory = stream != NULL;

	for (int i = 0; has_memory && i < n_links; i++) {
		name = area__describe(links[i]);
		has_memory = name != NULL && fprintf(stream, "%s%s", i == 0 ? "" : " > ", name) >= 0;
		free(name);
	}
	if (stream != NULL && (fclose(stream) != 0 || !has_memory)) {
		free(text);
		text = NULL;
	}
	return text;
}

static int create(struct aml_area **area, const struct aml_area *const *links, int n_links,
	const char *place, bool owns_links)
{
	struct aml_area_info common;
	struct chain_data *chain;
	struct aml_area *a;
	bool is_uniform;
	char *text;
	int failed = find_common(links, n_links, &common, &is_uniform);

	if (failed != AML_SUCCESS)
		return failed;
	text = describe(links, n_links);
	a = text == NULL ? NULL : area__new(is_uniform ? &committing_ops : &paid_ops, sizeof(*chain),
		place != NULL ? place : text, destroy);
	free(text);
	if (a == NULL)
		return aml__fail(AML_ENOMEM, "no memory for an area");
	chain = self(a->data);
	chain->head.speaking = a->ops;
	chain->info = common;
	chain->n_links = n_links;
	chain->owns_links = owns_links;
	for (int i = 0; i < n_links; i++)
		chain->links[i].area = links[i];
	ledger__init(&chain->ranges);
	ledger__init(&chain->committed);
	*area = a;
	return AML_SUCCESS;
}

static int check(struct aml_area **area, const void *links, int n_links)
{
	if (area == NULL || links == NULL || n_links < 1 || n_links > AREA_MAX_LINKS)
		return aml__fail(AML_EINVAL, "a chain has 1 to %d links, and a place to be put", AREA_MAX_LINKS);
	return AML_SUCCESS;
}

int area__chain_create(struct aml_area **area, struct aml_area **links, int n_links,
	const struct area_options *options)
{
	if (check(area, links, n_links) != AML_SUCCESS)
		return -AML_EINVAL;
	return create(area, (const struct aml_area *const *)links, n_links,
		options == NULL ? NULL : options->place, true);
}

int aml_area_chain_create(struct aml_area **area, const struct aml_area *const *links, int n_links)
{
	if (check(area, links, n_links) != AML_SUCCESS)
		return -AML_EINVAL;
	for (int i = 0; i < n_links; i++)
		if (!area__is_whole(links[i]))
			return aml__fail(AML_EINVAL, "link %d is NULL, or lacks mmap or munmap", i);
	return create(area, links, n_links, NULL, false);
}

void aml_area_chain_destroy(struct aml_area **area)
{
	area__destroy(area);
}
