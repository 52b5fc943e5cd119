/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain_create.c - making chains: what their links have in common, and what they are called.
 *
 * A failure leaves the links to the caller, and nothing else behind.
 */
#include "area/chain_data.h"
#include "area/linux.h"

#include <stdlib.h>
#include <string.h>

static void destroy(struct aml_area *area)
{
	struct chain_data *chain = chain__self(area->data);

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
	a = text == NULL ? NULL : area__new(is_uniform ? &chain__committing_ops : &chain__paid_ops, sizeof(*chain),
		place != NULL ? place : text, destroy);
	free(text);
	if (a == NULL)
		return aml__fail(AML_ENOMEM, "no memory for an area");
	chain = chain__self(a->data);
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
