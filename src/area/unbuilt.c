/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unbuilt.c - kinds of areas that are declared and not there yet.
 */
#include "area/area.h"

static int unbuilt(const char *what)
{
	return aml__fail(AML_ENOTSUP, "%s areas are not built yet", what);
}

int area__anon_create(struct aml_area **area, const struct area_options *options)
{
	(void)area;
	(void)options;
	return unbuilt("anon");
}

int area__hugetlb_create(struct aml_area **area, size_t page_size, const struct area_options *options)
{
	(void)area;
	(void)page_size;
	(void)options;
	return unbuilt("hugetlb");
}

int area__file_create(struct aml_area **area, const char *path, const struct area_options *options)
{
	(void)area;
	(void)path;
	(void)options;
	return unbuilt("file");
}

int area__shm_create(struct aml_area **area, const char *name, const struct area_options *options)
{
	(void)area;
	(void)name;
	(void)options;
	return unbuilt("shm");
}

int area__chain_create(struct aml_area **area, struct aml_area **links, int n_links,
	const struct area_options *options)
{
	(void)area;
	(void)links;
	(void)n_links;
	(void)options;
	return unbuilt("chain");
}
