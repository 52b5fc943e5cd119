/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain_commit.c - commits and decommits of chains whose links are all anonymous memory.
 *
 * A commit offers each range to the links in turn, by setting its policy and committing it there; it pays only
 * for what is missing (paid.h), and gives back what it paid for when the rest is refused. No locks but the
 * ledgers'.
 */
#include "area/chain_data.h"
#include "area/linux.h"
#include "area/paid.h"

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
		chain__note_refusal(&chain->links[i], size);
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
		if (!chain__is_worth_asking(chain, i, part->end - part->start))
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
	struct link *link = chain__link_of(chain, part);
	const struct aml_area *area = link->area;
	void *ptr = (void *)part->start;
	size_t size = part->end - part->start;

	(void)arg;
	chain__note_return(link);
	/* Links without commit give pages back by purging. */
	return area->ops->decommit != NULL ? aml_area_decommit(area, ptr, size) :
		aml_area_purge(area, ptr, size);
}

static void give_back(void *arg, uintptr_t start, uintptr_t end)
{
	(void)chain__for_each_link(arg, (void *)start, end - start, give_up_part, NULL);
}

/* Of several links' parts, the first ones may be committed when a later one is refused. */
static int pay(void *arg, uintptr_t start, uintptr_t end)
{
	int failed = chain__for_each_link(arg, (void *)start, end - start, commit_part, NULL);

	if (failed == -AML_ENOMEM)
		give_back(arg, start, end);
	return failed;
}

int chain__commit(const struct aml_area_data *data, void *ptr, size_t size)
{
	static const struct paid_calls calls = {pay, give_back};
	struct chain_data *chain = chain__self(data);
	uintptr_t start = (uintptr_t)ptr;
	int failed = chain__for_each_link(chain, ptr, size, NULL, NULL);

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

int chain__decommit(const struct aml_area_data *data, void *ptr, size_t size)
{
	return chain__for_each_link(chain__self(data), ptr, size, decommit_part, NULL);
}
